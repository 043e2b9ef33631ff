# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's own settings, including those that contain the ID of a policy or list."""

from __future__ import annotations

import typing as t

from tests.lab.manager import settings
from tests.lab.manager.message import ApiError
from tests.lab.manager.state import State
from tests.lab.manager.switches import Switches


def write(written: t.Any, state: State, switches: Switches) -> None:
    """Store the values of a write, each C({"value": text}). An empty one restores the default. Raises C(ApiError)."""
    checked = settings.check_all(written, settings.SYSTEM_SETTINGS, switches, state.deployment)
    for name in checked.keys() & _REFERENCES.keys():
        checked[name] = _id(name, checked[name], state)
    state.system_settings.update(
        {name: value or settings.SYSTEM_SETTINGS[name].default for name, value in checked.items()}
    )


def shown(state: State, switches: Switches) -> dict[str, dict[str, str]]:
    """All of them as they are sent, in the wording that the switches ask for."""
    values = {name: settings.spell(name, value, switches) for name, value in state.system_settings.items()}
    for name in _REFERENCES:
        names = _names(name, state)
        if not values[name]:
            values[name] = {"empty": "", "zero": "0"}[switches["no_id_setting"]]
        elif switches["id_setting_wording"] == "name" and values[name] in names:
            values[name] = names[values[name]]
    return {name: {"value": value} for name, value in values.items()}


_REFERENCES: dict[str, t.Callable[[State], dict[str, str]]] = {
    settings.ACTIVATION_POLICY_ID: lambda state: {str(policy.id): policy.name for policy in state.policies},
    settings.ACTIVATION_IP_LIST_ID: lambda state: {str(item["ID"]): item["name"] for item in state.ip_lists},
}


def _names(name: str, state: State) -> dict[str, str]:
    return _REFERENCES[name](state)


def _id(name: str, text: str, state: State) -> str:
    """The ID for an ID or a name, empty for none; raises C(ApiError)."""
    names = _names(name, state)
    if text in ("", "0"):
        return ""
    if text in names:
        return text
    for number, known in names.items():
        if known == text:
            return number
    raise ApiError(400, f"Invalid value for setting {name}: {text}")
