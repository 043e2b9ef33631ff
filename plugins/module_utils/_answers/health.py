# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the agents of a manager are well: they communicate, have their policy, and have no communication errors.

Each agent has at most one trouble, the first match in C(TROUBLES), so that the counts add up.
"""

from __future__ import annotations

import heapq
import re
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from .._basis.errors import OptionError
from .._basis.numbers import in_range
from .._basis.text import one_line, shown
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer
from .._fleet.targets import Selector
from .._manager.client import Client
from .._sending.agent_status import AgentStatus
from .._sending.sending import PARTS
from .context import date_of
from .some_computers import CHOOSING_ARGUMENTS, at_most, choose, read_choice

OFFLINE, ERRORS, SILENT, NOT_ARRIVED = "offline", "errors", "silent", "not_arrived"
TROUBLES = (OFFLINE, ERRORS, SILENT, NOT_ARRIVED)
# Besides the troubles: nothing is wrong, unknown, and computers without an agent.
WELL, UNKNOWN, NO_AGENT = "well", "unknown", "no_agent"

# The states of monitoring systems. The index is their number.
STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)

NEVER = "never"
_DEFAULTS = {"warning": "1", "critical": "10%"}

HEALTH_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **CHOOSING_ARGUMENTS,
    "silent_after": {"type": "int", "default": 30},
    "not_arrived_after": {"type": "int", "default": 60},
    **{
        level: {
            "type": "dict",
            "apply_defaults": True,
            "options": {trouble: {"type": "str", "default": default} for trouble in TROUBLES},
        }
        for level, default in _DEFAULTS.items()
    },
    "computers_most": {"type": "int", "default": 100},
}

# A year in minutes.
_LONGEST = 527_040
# How many computers to name if many are alike, in the result and in the line.
_EXAMPLES = 5
_IN_LINE = 3
# How many different texts of the manager to list.
_ALIKE = 20

Row = t.Dict[str, t.Any]


class Threshold(t.NamedTuple):
    """The number or percentage of agents from which a state begins; C(None) for never."""

    number: float | None
    is_percentage: bool = False

    @classmethod
    def read(cls, option: str, text: str) -> Threshold:
        """Read a value such as C(5), C(2.5%) or C(never). Raises C(OptionError)."""
        if text == NEVER:
            return cls(None)
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(%?)", text)
        number = float(found[1]) if found else 0.0
        if not found or not number or (found[2] and number > 100) or not (found[2] or number.is_integer()):
            must = "it must be a number of agents from 1 on, a percentage such as 2.5%, or never"
            raise OptionError(option, text, must)
        return cls(number, bool(found[2]))

    def least(self, agents: int) -> int | None:
        """The smallest number of agents, at least one, that reaches the threshold if there are C(agents) agents."""
        if self.number is None:
            return None
        # In thousandths, because floating point cannot represent such percentages exactly.
        wanted = -(-round(self.number * 1000) * agents // 100_000) if self.is_percentage else round(self.number)
        return max(1, wanted)


@dataclass(frozen=True)
class HealthAsked:
    """Which computers to check, and what counts as trouble.

    C(silent_after), C(not_arrived_after): minutes. C(now): seconds since 1970.
    """

    selector: Selector | None = None
    silent_after: int = 30
    not_arrived_after: int = 60
    warning: t.Mapping[str, Threshold] = field(default_factory=dict)
    critical: t.Mapping[str, Threshold] = field(default_factory=dict)
    most: int = 100
    now: float = field(default_factory=time.time)

    @classmethod
    def from_options(cls, params: t.Mapping[str, t.Any], _deployment: str) -> HealthAsked:
        """Read the options of C(agent_health_info). Raises C(OptionError)."""
        silent, not_arrived = (
            in_range(option, int(params[option]), 1, _LONGEST, "a number of minutes")
            for option in ("silent_after", "not_arrived_after")
        )
        levels = {
            level: {
                trouble: Threshold.read(f"{level}.{trouble}", params[level][trouble] or NEVER) for trouble in TROUBLES
            }
            for level in _DEFAULTS
        }
        most = at_most(params["computers_most"])
        return cls(read_choice(params), silent, not_arrived, levels["warning"], levels["critical"], most)


def read_health(client: Client, asked: HealthAsked) -> Row:
    """The result of C(agent_health_info). Raises C(OptionError), C(ManagerError)."""
    computers, warnings = choose(Fleet(client, PARTS), asked.selector)
    rows = [_row(computer, asked) for computer in computers]
    counts = Counter(row["trouble"] for row in rows)
    agents = len(rows) - counts[NO_AGENT]
    levels = {trouble: _level(trouble, counts[trouble], agents, asked) for trouble in TROUBLES}
    status = max(levels.values())
    if status == _OK and (counts[UNKNOWN] or not agents):
        status = _UNKNOWN
    troubled = [row for row in rows if row["trouble"] not in (WELL, NO_AGENT)]
    return {
        "manager": client.transport.url,
        "read_at": date_of(int(asked.now * 1000)),
        "status": status,
        "state": STATES[status],
        "line": _line(status, levels, troubled, counts, agents, asked),
        "agents": agents,
        "counts": {name: counts[name] for name in (WELL, *TROUBLES, UNKNOWN, NO_AGENT)},
        "troubles": _alike(troubled),
        "computers": heapq.nsmallest(asked.most, troubled, key=_urgency),
        "warnings": warnings,
    }


def _row(computer: Computer, asked: HealthAsked) -> Row:
    status = AgentStatus.of(computer)
    trouble, text = _trouble(computer, status, asked)
    return {
        **computer.reference,
        "trouble": trouble,
        "status": one_line(text) if text else None,
        "silent_for": _minutes_since(status.heard, asked.now),
        "not_arrived_for": _minutes_since(status.requested, asked.now) if status.is_sending else None,
        "last_agent_communication": date_of(status.heard),
        "last_send_policy_request": date_of(status.requested),
        "last_send_policy_success": date_of(status.taken),
    }


def _trouble(computer: Computer, status: AgentStatus, asked: HealthAsked) -> tuple[str, str]:
    """The kind of trouble, and the manager's text about it."""
    if not status.has_agent:
        return (UNKNOWN if computer.has_unknown_agent else NO_AGENT), ""
    if status.offline:
        return OFFLINE, status.offline
    if status.communication_errors:
        return ERRORS, "; ".join(status.communication_errors)
    silent, waiting = (_minutes_since(date, asked.now) for date in (status.heard, status.requested))
    if silent is not None and silent > asked.silent_after:
        return SILENT, ""
    if status.is_sending and waiting is not None and waiting > asked.not_arrived_after:
        return NOT_ARRIVED, "; ".join(status.tasks or ())
    # A policy is on its way, but not since when.
    untold = status.is_sending and waiting is None
    if silent is None or untold or not (status.status or status.messages):
        return UNKNOWN, ""
    return WELL, ""


def _minutes_since(milliseconds: int | None, now: float) -> int | None:
    """The minutes since a time; never below 0, because the manager's clock may be ahead of this machine's."""
    return None if milliseconds is None else max(0, int(now * 1000) - milliseconds) // 60_000


def _level(trouble: str, count: int, agents: int, asked: HealthAsked) -> int:
    for level, thresholds in ((_CRITICAL, asked.critical), (_WARNING, asked.warning)):
        least = _least(thresholds, trouble, agents)
        if least is not None and count >= least:
            return level
    return _OK


def _least(thresholds: t.Mapping[str, Threshold], trouble: str, agents: int) -> int | None:
    return thresholds[trouble].least(agents) if trouble in thresholds else None


def _line(
    status: int,
    levels: t.Mapping[str, int],
    troubled: t.Sequence[Row],
    counts: t.Mapping[str, int],
    agents: int,
    asked: HealthAsked,
) -> str:
    """The line for monitoring systems: the state, the troubles with the worst first, and the numbers after a bar."""
    words = {
        OFFLINE: "offline",
        ERRORS: "with communication errors",
        SILENT: f"silent for more than {asked.silent_after} min",
        NOT_ARRIVED: f"without their policy for more than {asked.not_arrived_after} min",
        UNKNOWN: "about which the manager says too little",
    }
    parts = []
    for trouble in (*sorted(TROUBLES, key=lambda one: -levels[one]), UNKNOWN):
        if counts[trouble]:
            first = islice((row["name"] for row in troubled if row["trouble"] == trouble), _IN_LINE)
            more = f" and {counts[trouble] - _IN_LINE} more" if counts[trouble] > _IN_LINE else ""
            parts.append(f"{counts[trouble]} {words[trouble]} ({', '.join(map(_plain, first))}{more})")
    if not agents:
        told = "no agent to check"
    else:
        told = f"{counts[WELL]} of {agents} agents are well{''.join(f', {part}' for part in parts)}"
    numbers = [f"agents={agents};;;0"]
    for trouble in TROUBLES:
        least = (_least(thresholds, trouble, agents) for thresholds in (asked.warning, asked.critical))
        warning, critical = ("" if one is None else one for one in least)
        numbers.append(f"{trouble}={counts[trouble]};{warning};{critical};0;{agents}")
    numbers.append(f"unknown={counts[UNKNOWN]};;;0;{agents}")
    return f"{STATES[status]} - {told}|{' '.join(numbers)}"


def _plain(name: str) -> str:
    """A name for the line. It must not have a bar, which would begin the numbers."""
    return shown(name, 60).replace("|", "/")


def _alike(troubled: t.Iterable[Row]) -> list[Row]:
    """The troubles, with equal ones counted together, the most frequent first."""
    found: dict[tuple[str, str | None], Row] = {}
    for row in troubled:
        key = (row["trouble"], row["status"])
        part = found.setdefault(key, {"trouble": key[0], "status": key[1], "computers": 0, "examples": []})
        part["computers"] += 1
        if part["computers"] <= _EXAMPLES:
            part["examples"].append(row["name"])
    return sorted(found.values(), key=lambda part: -part["computers"])[:_ALIKE]


def _urgency(row: Row) -> tuple[int, int, int]:
    """The order in which computers need attention: by trouble, then the longest silence first."""
    return (*TROUBLES, UNKNOWN).index(row["trouble"]), -(row["silent_for"] or 0), row["id"]
