# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agent-initiated activation: the manager's system settings that say which agents may activate themselves, and how.

These settings exist once for the whole manager, so there are no targets, and nothing is inherited.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._basis.errors import OptionError
from .._basis.text import outline, shown
from .._fleet.catalogue import (
    ACTIVATION_ALLOW,
    ACTIVATION_DUPLICATE_HOST_NAME,
    ACTIVATION_HOST_NAME_BY_AGENT,
    ACTIVATION_IP_LIST,
    ACTIVATION_POLICY,
    ACTIVATION_REACTIVATE_CLONED,
    ACTIVATION_REACTIVATE_UNKNOWN,
    ALLOWED,
    COMPUTERS_ON_IP_LIST,
    DUPLICATES,
    NONE,
    Setting,
    Spelling,
    Value,
)
from .._fleet.fleet import Fleet
from .._fleet.outcome import DONE
from .._fleet.references import read_key, resolve_one
from .._fleet.settings import write_settings
from .._manager.client import Client
from .._manager.errors import BadRequest, NotFound
from .._manager.kinds import IP_LIST, POLICY

ACTIVATION_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "allow": {"type": "str", "choices": list(ALLOWED)},
    "policy": {"type": "raw"},
    "ip_list": {"type": "raw"},
    "duplicate_host_name": {"type": "str", "choices": list(DUPLICATES)},
    "host_name_by_agent": {"type": "bool"},
    "reactivate_cloned": {"type": "bool"},
    "reactivate_unknown": {"type": "bool"},
}

# The settings, each with the option for it.
_SETTINGS = (
    ACTIVATION_ALLOW,
    ACTIVATION_POLICY,
    ACTIVATION_IP_LIST,
    ACTIVATION_DUPLICATE_HOST_NAME,
    ACTIVATION_HOST_NAME_BY_AGENT,
    ACTIVATION_REACTIVATE_CLONED,
    ACTIVATION_REACTIVATE_UNKNOWN,
)
_REFERENCES = {ACTIVATION_POLICY: POLICY, ACTIVATION_IP_LIST: IP_LIST}


class ActivationWish(t.NamedTuple):
    """The wanted values of the given settings; a policy or list as its name, its ID, or C(NONE)."""

    values: dict[Setting, Value]

    @classmethod
    def from_options(cls, params: dict[str, t.Any], _deployment: str) -> ActivationWish:
        """Read the options. Raises C(OptionError) if none is given or if one is wrong."""
        values: dict[Setting, Value] = {}
        for setting in _SETTINGS:
            option = setting.option
            value = read_key(params, option) if setting in _REFERENCES else params[option]
            if value is not None:
                values[setting] = value
        if not values:
            raise OptionError(
                "allow", None, f"it must be given, or one of {', '.join(one.option for one in _SETTINGS[1:])}"
            )
        return cls(values)


def keep_activation(client: Client, wish: ActivationWish, check_mode: bool) -> dict[str, t.Any]:
    """Bring the settings to the wanted values, or in check mode say what would change. Returns the task's result.

    A result with C(msg) means that the task failed: the manager did not keep a value that was sent. Raises
    C(OptionError) before anything is written, and C(ManagerError) if the manager does not answer or refuses.
    """
    settings = _ActivationSettings(client, wish.values)
    shown = settings.read()
    values = {setting: settings.resolved(setting, value) for setting, value in wish.values.items()}
    warnings = _effect_of_ip_list(values, shown)
    current = {setting: settings.value(setting, shown) for setting in values}
    changes = {setting: value for setting, value in values.items() if current[setting] != value}
    outcomes = write_settings(settings, changes, Spelling()) if changes and not check_mode else {}
    lost = {setting: outcome for setting, outcome in outcomes.items() if outcome.state != DONE}
    before = {setting.option: settings.named(setting, current[setting]) for setting in values}
    after = {setting.option: settings.named(setting, value) for setting, value in values.items() if setting not in lost}
    result: dict[str, t.Any] = {
        "changed": len(lost) < len(changes),
        "before": before,
        "after": after,
        "diff": {"before": outline(before), "after": outline(after)},
        "warnings": warnings,
        "requests": client.transport.requests,
    }
    if lost:
        reason = "; ".join(dict.fromkeys(outcome.reason for outcome in lost.values()))
        met = next((outcome.error for outcome in lost.values() if outcome.error), None)
        states = {setting.option: outcome.state for setting, outcome in lost.items()}
        failure = {**(met.as_failure() if met else {"code": "not_kept"}), "message": reason}
        failure.update(options=list(states), states=states)
        result.update(msg=reason, failure=failure)
    return result


def _effect_of_ip_list(values: dict[Setting, Value], shown: dict[str, t.Any]) -> list[str]:
    """The warnings. Raises C(OptionError) if computers on an IP list should be allowed, but there is no list."""
    allow = values.get(ACTIVATION_ALLOW, ACTIVATION_ALLOW.read(shown))
    ip_list = values.get(ACTIVATION_IP_LIST, ACTIVATION_IP_LIST.read(shown) or NONE)
    if allow != COMPUTERS_ON_IP_LIST:
        if values.get(ACTIVATION_IP_LIST, NONE) == NONE:
            return []
        return [f"ip_list has no effect while allow is {allow}, and not {COMPUTERS_ON_IP_LIST}"]
    if ip_list == NONE and ACTIVATION_IP_LIST in values:
        raise OptionError("ip_list", NONE, f"it must name an IP list as long as allow is {COMPUTERS_ON_IP_LIST}")
    if ip_list == NONE and ACTIVATION_ALLOW in values:
        raise OptionError("allow", allow, "it needs option ip_list, since the manager has no IP list for it yet")
    return []


@dataclass(frozen=True)
class _ActivationSettings:
    """The settings on the manager. Some managers give a policy or list by its ID, others by its name."""

    client: Client
    wanted: t.Mapping[Setting, Value]
    label: t.ClassVar[str] = "manager"

    def send(self, settings: dict[str, dict[str, str]]) -> dict[str, t.Any]:
        return self.client.modify_system_settings(settings)

    def read(self) -> dict[str, t.Any]:
        settings = dict(self.client.system_settings())
        # It is not documented whether managers list settings that have no value.
        for setting in self.wanted:
            if setting.name not in settings:
                settings[setting.name] = self._read_one(setting)
        return settings

    def _read_one(self, setting: Setting) -> dict[str, t.Any]:
        try:
            return self.client.system_setting(setting.name)
        except (BadRequest, NotFound) as error:
            raise OptionError(
                setting.option,
                self.wanted[setting],
                f"it must be left out, since this manager does not have the setting {setting.name}: {error.message}",
            ) from None

    def value(self, setting: Setting, settings: dict[str, t.Any]) -> Value | None:
        """The value of a setting in C(settings), a policy or list as its ID or C(NONE); C(None) if it is missing."""
        found = setting.read(settings)
        if setting not in _REFERENCES or setting.name not in settings:
            return found
        if found is None or found == NONE:
            return NONE
        names = self._names(setting)
        if found in names:
            return found
        of_that_name = [number for number, name in names.items() if name == str(found)]
        return of_that_name[0] if len(of_that_name) == 1 else found

    def resolved(self, setting: Setting, wanted: Value) -> Value:
        """The wanted value, a policy or list as its ID. Raises C(OptionError) if it does not exist."""
        if setting not in _REFERENCES or wanted == NONE:
            return wanted
        return resolve_one(setting.option, wanted, _REFERENCES[setting], self._names(setting))

    def named(self, setting: Setting, value: Value | None) -> Value | None:
        """A value for results, a policy or list as its name."""
        if setting not in _REFERENCES or value in (None, NONE):
            return value
        name = self._names(setting).get(value) if isinstance(value, int) else None
        return value if name is None else shown(name)

    @cached_property
    def _fleet(self) -> Fleet:
        return Fleet(self.client)

    def _names(self, setting: Setting) -> dict[int, str]:
        if _REFERENCES[setting] is POLICY:
            return {policy.id: policy.name for policy in self._fleet.policies.values()}
        return {number: item["name"] for number, item in self._fleet.ip_lists.items()}
