# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's settings: names, defaults, and accepted values.

Values are stored in the default wording. C(spell) turns them into the wording that the switches ask for.
"""

from __future__ import annotations

import csv
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.lab.manager.message import ApiError
from tests.lab.manager.switches import Switches

CLOUD = "cloud"
ON_PREMISES = "on_premises"

HEARTBEAT_INTERVAL = "platformSettingHeartbeatInterval"
HEARTBEAT_MISSED = "platformSettingHeartbeatMissedAlertThreshold"
CLOCK_CHANGE = "platformSettingHeartbeatLocalTimeShiftAlertThreshold"
OFFLINE_ERRORS = "platformSettingHeartbeatInactiveVmOfflineAlertEnabled"
DIRECTION = "platformSettingAgentCommunicationsDirection"
FIREWALL_STATE = "firewallSettingState"

ACTIVATION_ENABLED = "platformSettingAgentInitiatedActivationEnabled"
ACTIVATION_DUPLICATE_MODE = "platformSettingAgentInitiatedActivationDuplicateHostnameMode"
ACTIVATION_POLICY_ID = "platformSettingAgentInitiatedActivationPolicyId"
ACTIVATION_IP_LIST_ID = "platformSettingAgentInitiatedActivationWithinIpListId"
ACTIVATION_TOKEN = "platformSettingAgentInitiatedActivationToken"
ACTIVATION_HOST_NAME = "platformSettingAgentInitiatedActivationSpecifyHostnameEnabled"
REACTIVATE_CLONED = "platformSettingAgentInitiatedActivationReactivateClonedEnabled"
REACTIVATE_UNKNOWN = "platformSettingAgentInitiatedActivationReactivateUnknownEnabled"

# Fixed by the vendor on the cloud.
FIXED_ON_CLOUD = frozenset({HEARTBEAT_INTERVAL, HEARTBEAT_MISSED, CLOCK_CHANGE})

AGENT_INITIATED = "Agent/Appliance Initiated"
AGENT_INITIATED_SHORT = "Agent Initiated"
MANAGER_INITIATED = "Manager Initiated"
BIDIRECTIONAL = "Bidirectional"
# IDs of the choices, the same as in the vendor's older SOAP interface.
_DIRECTION_IDS = {"1": AGENT_INITIATED, "2": MANAGER_INITIATED, "3": BIDIRECTIONAL}

UNLIMITED = "Unlimited"

NOT_ALLOWED = "No"
FOR_ANY_COMPUTERS = "For any computers"
FOR_EXISTING_COMPUTERS = "For existing computers"
FOR_COMPUTERS_ON_IP_LIST = "For computers on the following IP list"
# IDs of the choices: 0 and 1 come from the manager's command line, the others follow the order in the console.
_ACTIVATION_IDS = {
    "0": NOT_ALLOWED,
    "1": FOR_ANY_COMPUTERS,
    "2": FOR_EXISTING_COMPUTERS,
    "3": FOR_COMPUTERS_ON_IP_LIST,
}

REACTIVATE_EXISTING = "Re-activate the existing Computer"
ACTIVATE_NEW = "Activate a new Computer with the same name"
DO_NOT_ALLOW = "Do not allow activation"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: C(scope) is policy, default or system; C(kind) says which values it accepts."""

    name: str
    scope: str
    kind: str
    default: str
    choices: tuple[str, ...]


def read_table(name: str) -> t.Iterator[dict[str, str]]:
    """The rows of a table in this file's folder, without comment lines."""
    with open(Path(__file__).with_name(name), encoding="utf-8", newline="") as file:
        yield from csv.DictReader(
            (line for line in file if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE
        )


def _load() -> dict[str, Setting]:
    return {
        row["name"]: Setting(
            row["name"], row["scope"], row["kind"], row["default"], tuple(filter(None, row["choices"].split("|")))
        )
        for row in read_table("settings.tsv")
    }


SETTINGS = _load()
POLICY_SETTINGS = {name: setting for name, setting in SETTINGS.items() if setting.scope == "policy"}
DEFAULT_SETTINGS = {name: setting for name, setting in SETTINGS.items() if setting.scope != "system"}
SYSTEM_SETTINGS = {name: setting for name, setting in SETTINGS.items() if setting.scope == "system"}


def defaults(deployment: str) -> dict[str, str]:
    """The values of the default policy as shipped."""
    values = {name: setting.default for name, setting in DEFAULT_SETTINGS.items()}
    if deployment == CLOUD:
        values[DIRECTION] = AGENT_INITIATED
    return values


def minutes(number: int) -> str:
    """A number of minutes in the console's wording."""
    return "1 Minute" if number == 1 else f"{number} Minutes"


def _in_hours(value: str) -> str:
    number = int(value.split()[0])
    hours, rest = divmod(number, 60)
    return value if rest or not hours else "1 Hour" if hours == 1 else f"{hours} Hours"


def spell(name: str, value: str, switches: Switches) -> str:
    """A stored value in the wording that the switches ask for."""
    if name == DIRECTION and value == AGENT_INITIATED:
        return switches["direction_wording"]
    if name == ACTIVATION_ENABLED and value == NOT_ALLOWED:
        return switches["activation_nobody_wording"]
    if name == HEARTBEAT_INTERVAL and switches["heartbeat_interval_wording"] == "hours_when_whole":
        return _in_hours(value)
    if name == CLOCK_CHANGE and switches["time_shift_wording"] == "bare" and value != UNLIMITED:
        return value.split()[0]
    return value


def _minutes_of(text: str) -> str | None:
    match = re.fullmatch(r"([1-9][0-9]{0,5}) Minutes?", text)
    return text if match and text == minutes(int(match[1])) else None


def _interval(text: str, switches: Switches) -> str | None:
    if match := re.fullmatch(r"([1-9][0-9]{0,3}) Hours?", text):
        value = minutes(60 * int(match[1]))
    else:
        value = _minutes_of(text)
    return value if value and spell(HEARTBEAT_INTERVAL, value, switches) == text else None


def _clock_change(text: str, switches: Switches) -> str | None:
    if text == UNLIMITED:
        return text
    value = minutes(int(text)) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else _minutes_of(text)
    return value if value and spell(CLOCK_CHANGE, value, switches) == text else None


def _direction(text: str, switches: Switches) -> str | None:
    value = _DIRECTION_IDS.get(text)
    if value:
        return value
    if text in (AGENT_INITIATED, AGENT_INITIATED_SHORT):
        own = switches["direction_accepts"] == "own"
        return None if own and text != switches["direction_wording"] else AGENT_INITIATED
    return text if text in (MANAGER_INITIATED, BIDIRECTIONAL) else None


def _activation(text: str, switches: Switches) -> str | None:
    if text == switches["activation_nobody_wording"]:
        return NOT_ALLOWED
    return _ACTIVATION_IDS.get(text) or (text if text in _ACTIVATION_IDS.values() and text != NOT_ALLOWED else None)


def _count(text: str, switches: Switches) -> str | None:
    return text if text == UNLIMITED or re.fullmatch(r"[1-9][0-9]{0,3}", text) else None


_CHECKS: dict[str, t.Callable[[str, Switches], str | None]] = {
    "text": lambda text, switches: text,
    "switch": lambda text, switches: text if text in ("true", "false") else None,
    "minutes": _interval,
    "clock_change": _clock_change,
    "count": _count,
    "direction": _direction,
    "activation": _activation,
    # Whether the object exists is checked elsewhere, by code that knows the objects.
    "reference": lambda text, switches: text,
}


def _canonical(setting: Setting, text: str, switches: Switches) -> str | None:
    if setting.kind == "choice":
        return text if text in setting.choices else None
    return _CHECKS[setting.kind](text, switches)


def check_all(written: t.Any, known: t.Mapping[str, Setting], switches: Switches, deployment: str) -> dict[str, str]:
    """The values of a write, each C({"value": text}), in the stored wording. An empty value removes the override.

    Everything is checked before anything is stored. Raises C(ApiError) with the reason for each wrong setting.
    """
    if not isinstance(written, dict):
        raise ApiError(400, "Settings must be an object of setting names")
    values: dict[str, str] = {}
    reasons: list[str] = []
    for name, entry in written.items():
        try:
            value = _check(name, entry, known, switches, deployment)
        except ValueError as error:
            reasons.append(str(error))
        else:
            if value is not None:
                values[name] = value
    if reasons:
        message = "; ".join(reasons)
        listed = len(reasons) > 1 and switches["several_invalid_settings"] == "errors"
        raise ApiError(400, message, body={"errors": reasons} if listed else None)
    return values


def _check(name: str, entry: t.Any, known: t.Mapping[str, Setting], switches: Switches, deployment: str) -> str | None:
    setting = known.get(name)
    if setting is None:
        raise ValueError(f"Unknown setting: {name}")
    if not isinstance(entry, dict) or entry.keys() - {"value"} or not isinstance(entry.get("value", ""), str):
        raise ValueError(f'Invalid value for setting {name}: must be an object with a string "value"')
    text = entry.get("value", "")
    if deployment == CLOUD and name in FIXED_ON_CLOUD:
        if switches["cloud_heartbeat_write"] == "rejected":
            raise ValueError(f"Setting {name} cannot be configured")
        return None
    if text == "":
        return ""
    value = _canonical(setting, text, switches)
    if value is None:
        raise ValueError(f"Invalid value for setting {name}: {text}")
    return value
