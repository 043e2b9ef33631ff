# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's settings that this collection knows: their names, their values, and every spelling of a value.

The manager takes and returns strings such as C(10 Minutes). It is not documented which strings it accepts, so each
setting lists the possible spellings of its values. A value is the same in any spelling, and a manager's own spelling is
learned from its replies.
"""

from __future__ import annotations

import functools
import re
import threading
import typing as t
from dataclasses import dataclass

from .._vendor.communication import AGENT_INITIATED, BIDIRECTIONAL, MANAGER_INITIATED

# A setting's value in this collection: minutes or counts are int, switches are bool, choices are str.
Value = t.Union[int, bool, str]

# The longest string whose meaning is kept; longer ones have none. A reply can have strings of any length.
_LONGEST_KEPT = 100

# The declared value that removes an override, so that the value is inherited.
INHERITED = "inherited"
UNLIMITED = "unlimited"
# The value of a setting for the ID of an object if it has none.
NONE = "none"

ANY_COMPUTER = "any_computer"
EXISTING_COMPUTERS = "existing_computers"
COMPUTERS_ON_IP_LIST = "ip_list"
NOBODY = "nobody"
ALLOWED = (ANY_COMPUTER, EXISTING_COMPUTERS, COMPUTERS_ON_IP_LIST, NOBODY)

REACTIVATE_EXISTING_COMPUTER = "reactivate_existing_computer"
ACTIVATE_NEW_COMPUTER = "activate_new_computer"
DO_NOT_ALLOW_ACTIVATION = "do_not_allow_activation"
DUPLICATES = (REACTIVATE_EXISTING_COMPUTER, ACTIVATE_NEW_COMPUTER, DO_NOT_ALLOW_ACTIVATION)

_MINUTES_OF = {"minute": 1, "hour": 60, "day": 1440}
_DURATION = re.compile(r"(\d{1,9})(?: (minute|hour|day)s?)?", re.IGNORECASE)


def _parse_minutes(wire: str) -> Value:
    if wire.lower() == UNLIMITED:
        return UNLIMITED
    match = _DURATION.fullmatch(wire)
    return int(match[1]) * _MINUTES_OF[(match[2] or "minute").lower()] if match else wire


def _parse_count(wire: str) -> Value:
    if wire.lower() == UNLIMITED:
        return UNLIMITED
    return int(wire) if re.fullmatch(r"\d{1,9}", wire) else wire


def _parse_switch(wire: str) -> Value:
    return {"true": True, "false": False}.get(wire.lower(), wire)


def _parse_reference(wire: str) -> Value:
    return NONE if wire == "0" else int(wire) if re.fullmatch(r"\d{1,9}", wire) else wire


def _spell_plain(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).capitalize()


def _spell_minutes(value: Value) -> str:
    if not isinstance(value, int):
        return _spell_plain(value)
    return f"{value} Minute{'' if value == 1 else 's'}"


def _spell_hours(value: Value) -> str:
    if not isinstance(value, int) or value % 60 or not value:
        return _spell_minutes(value)
    return f"{value // 60} Hour{'' if value == 60 else 's'}"


def _spell_reference(none: str) -> t.Callable[[Value], str]:
    return lambda value: none if value == NONE else str(value)


@dataclass(frozen=True, eq=False)
class Setting:
    """A setting: its name on the manager, its option, and how values are read and spelled.

    C(spellings): ways to write a value, the best documented one first.
    """

    name: str
    option: str
    parse: t.Callable[[str], Value]
    spellings: tuple[t.Callable[[Value], str], ...]

    def read(self, settings: t.Any) -> Value | None:
        """The value in a reply's settings; C(None) for all forms in which managers say that there is none."""
        entry = settings.get(self.name) if isinstance(settings, dict) else None
        wire = entry.get("value") if isinstance(entry, dict) else entry
        return None if wire is None or wire == "" else self.value(str(wire))

    def value(self, wire: str) -> Value:
        """The value of a string."""
        return _parsed(self, wire) if len(wire) <= _LONGEST_KEPT else self.parse(wire)

    def wire(self, settings: t.Any) -> str | None:
        """The original string, to learn this manager's spelling."""
        entry = settings.get(self.name) if isinstance(settings, dict) else None
        wire = entry.get("value") if isinstance(entry, dict) else None
        return wire if isinstance(wire, str) else None


def _choice(name: str, option: str, words: dict[str, tuple[str, ...]]) -> Setting:
    """A setting with choices of the console as values: all wordings of each, the best documented one first."""
    value_of = {word.lower(): value for value, wordings in words.items() for word in wordings}

    def speller(number: int) -> t.Callable[[Value], str]:
        return lambda value: words[str(value)][min(number, len(words[str(value)]) - 1)]

    wordings = max(map(len, words.values()))
    return Setting(name, option, lambda wire: value_of.get(wire.lower(), wire), tuple(map(speller, range(wordings))))


# Sources: the settings reference, the vendor's SDK, and captured policies (names and values); the spelling of minutes
# for the clock change is not documented.
HEARTBEAT_INTERVAL = Setting(
    "platformSettingHeartbeatInterval", "interval", _parse_minutes, (_spell_minutes, _spell_hours)
)
HEARTBEAT_MISSED_BEFORE_ALERT = Setting(
    "platformSettingHeartbeatMissedAlertThreshold", "missed_before_alert", _parse_count, (_spell_plain,)
)
HEARTBEAT_MAXIMUM_CLOCK_CHANGE = Setting(
    "platformSettingHeartbeatLocalTimeShiftAlertThreshold",
    "maximum_clock_change",
    _parse_minutes,
    (_spell_minutes, _spell_hours, _spell_plain),
)
HEARTBEAT_OFFLINE_ERRORS = Setting(
    "platformSettingHeartbeatInactiveVmOfflineAlertEnabled",
    "raise_offline_errors_for_inactive_vms",
    _parse_switch,
    (_spell_plain,),
)
COMMUNICATION_DIRECTION = _choice(
    "platformSettingAgentCommunicationsDirection",
    "direction",
    {
        BIDIRECTIONAL: ("Bidirectional",),
        MANAGER_INITIATED: ("Manager Initiated",),
        AGENT_INITIATED: ("Agent/Appliance Initiated", "Agent Initiated"),
    },
)
NETWORK_ENGINE_MODE = Setting("firewallSettingNetworkEngineMode", "network_engine_mode", str.lower, (_spell_plain,))
# Only in the default policy. Policies and computers have the same value in C(firewall.state).
FIREWALL_STATE = Setting("firewallSettingState", "firewall_state", str.lower, (_spell_plain,))

# The settings of policies and computers that facets use.
SETTINGS = (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    HEARTBEAT_MAXIMUM_CLOCK_CHANGE,
    HEARTBEAT_OFFLINE_ERRORS,
    COMMUNICATION_DIRECTION,
    NETWORK_ENGINE_MODE,
)
_SPELLED_VARIOUSLY = tuple(setting for setting in SETTINGS if len(setting.spellings) > 1)
BY_OPTION = {setting.option: setting for setting in SETTINGS}


# System settings: one value for the whole manager. Names: the settings reference; values: captured system settings, and
# the choices in "Agent settings". It is not documented how a manager says that nobody is allowed, which is an unchecked
# box in the console. Another setting of that kind uses "No", and the older command line has the ID 0 for it. Some
# managers return an object's name in place of its ID.
_ACTIVATION = "platformSettingAgentInitiatedActivation"
ACTIVATION_ALLOW = _choice(
    f"{_ACTIVATION}Enabled",
    "allow",
    {
        ANY_COMPUTER: ("For any computers",),
        EXISTING_COMPUTERS: ("For existing computers",),
        COMPUTERS_ON_IP_LIST: ("For computers on the following IP list",),
        NOBODY: ("No", "Not allowed", "Do not allow", "None", "Disabled", "false", "0"),
    },
)
ACTIVATION_POLICY = Setting(
    f"{_ACTIVATION}PolicyId", "policy", _parse_reference, (_spell_reference(""), _spell_reference("0"))
)
ACTIVATION_IP_LIST = Setting(
    f"{_ACTIVATION}WithinIpListId", "ip_list", _parse_reference, (_spell_reference(""), _spell_reference("0"))
)
ACTIVATION_DUPLICATE_HOST_NAME = _choice(
    f"{_ACTIVATION}DuplicateHostnameMode",
    "duplicate_host_name",
    {
        REACTIVATE_EXISTING_COMPUTER: ("Re-activate the existing Computer", "Re-activate the existing computer"),
        ACTIVATE_NEW_COMPUTER: (
            "Activate a new Computer with the same name",
            "Activate a new computer with the same name",
        ),
        DO_NOT_ALLOW_ACTIVATION: ("Do not allow activation",),
    },
)
ACTIVATION_HOST_NAME_BY_AGENT = Setting(
    f"{_ACTIVATION}SpecifyHostnameEnabled", "host_name_by_agent", _parse_switch, (_spell_plain,)
)
ACTIVATION_REACTIVATE_CLONED = Setting(
    f"{_ACTIVATION}ReactivateClonedEnabled", "reactivate_cloned", _parse_switch, (_spell_plain,)
)
ACTIVATION_REACTIVATE_UNKNOWN = Setting(
    f"{_ACTIVATION}ReactivateUnknownEnabled", "reactivate_unknown", _parse_switch, (_spell_plain,)
)


class Spelling:
    """How this manager spells values. It starts with the documented spelling, and learns from the manager's replies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._learned: dict[Setting, int] = {}

    def observe(self, settings: t.Any) -> None:
        """Learn from a reply's settings."""
        for setting in _SPELLED_VARIOUSLY:
            wire = setting.wire(settings)
            if wire:
                self.learn(setting, setting.value(wire), wire)

    def learn(self, setting: Setting, value: Value, wire: str) -> None:
        """Prefer the spelling that writes C(wire). Nothing is learned from a string that fits every spelling."""
        preferred = _preferred(setting, value, wire) if len(wire) <= _LONGEST_KEPT else None
        if preferred is not None:
            with self._lock:
                self._learned[setting] = preferred

    def candidates(self, setting: Setting, value: Value) -> list[str]:
        """The possible strings for a value, each once, the most likely first. An empty string for C(inherited)."""
        if value == INHERITED:
            return [""]
        with self._lock:
            first = self._learned.get(setting, 0)
        return list(_candidates(setting, value, first))


# All of these are kept, because most targets of a task have the same few values. Typed, because True is not the number 1
# here.
@functools.lru_cache(maxsize=1000)
def _parsed(setting: Setting, wire: str) -> Value:
    return setting.parse(wire)


@functools.lru_cache(maxsize=1000, typed=True)
def _preferred(setting: Setting, value: Value, wire: str) -> int | None:
    """The number of the first spelling that writes C(wire); C(None) if all or none do."""
    fitting = [number for number, spell in enumerate(setting.spellings) if _spells(spell, value) == wire]
    return fitting[0] if 0 < len(fitting) < len(setting.spellings) else None


@functools.lru_cache(maxsize=1000, typed=True)
def _candidates(setting: Setting, value: Value, first: int) -> tuple[str, ...]:
    order = sorted(range(len(setting.spellings)), key=lambda number: (number != first, number))
    return tuple(dict.fromkeys(setting.spellings[number](value) for number in order))


def _spells(spell: t.Callable[[Value], str], value: Value) -> str | None:
    try:
        return spell(value)
    except KeyError:
        return None
