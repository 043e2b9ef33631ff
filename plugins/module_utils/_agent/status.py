# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an agent says about itself: whether it is activated, with which manager, and when they last talked.

The agent's program C(dsa_query) answers C(GetAgentStatus) with an index of names, and then the names with their values.
A state of C(green) means that its drivers and modules work. It says nothing about the manager; only the age of the last
session does.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._basis.numbers import in_range
from .._basis.text import one_line, shown
from .._host.commands import TIMEOUT, Answer, Unanswered, ask, find_program
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL

DSA_QUERY = "/opt/ds_agent/dsa_query"

ACTIVATED = "activated"
NOT_ACTIVATED = "not_activated"
UNKNOWN = "unknown"

_GREEN = "green"

# The option for the time from one heartbeat to the next, in minutes.
INTERVAL: Dict[str, Any] = {"type": "int", "default": CLOUD_HEARTBEAT_INTERVAL}
_SHORTEST, _LONGEST = 1, 1440


def read_interval(minutes: int) -> int:
    """The option C(heartbeat_interval). Raises C(OptionError)."""
    return in_range("heartbeat_interval", minutes, _SHORTEST, _LONGEST, "a number of minutes")


class Health(NamedTuple):
    """Whether the agent works and talks to its manager; C(None) if this is not known."""

    healthy: Optional[bool]
    reason: str


class AgentStatus(NamedTuple):
    """What the agent says about itself.

    activation: whether it is activated; its C(reason) says how this is known. manager_url: its manager. state: the
    agent's own word for its condition, such as green. last_session and now: seconds since 1970 by the agent's clock, 0
    if there never was a session; C(last_session_problem) says why it is unknown. C(None) means not known.
    """

    activation: str
    manager_url: Optional[str]
    reason: str
    state: Optional[str] = None
    last_session: Optional[int] = None
    now: Optional[int] = None
    last_session_problem: str = ""

    @property
    def age(self) -> Optional[int]:
        """Seconds since the last session; C(None) if this is not known or if there was no session."""
        if not self.last_session or self.now is None:
            return None
        return self.now - self.last_session

    def health(self, interval: int, initiates: bool = True) -> Health:
        """Whether the last session is more recent than two heartbeats. C(interval): minutes between two heartbeats.

        C(initiates): whether the agent contacts its manager. For other agents, the vendor does not say whether they
        count the sessions that the manager starts.
        """
        if self.activation == UNKNOWN:
            return Health(None, self.reason)
        if self.activation == NOT_ACTIVATED:
            return Health(False, self.reason)
        if self.last_session_problem:
            return Health(None, self.last_session_problem)
        age = self.age
        limit = 2 * interval * 60
        old = f"The last session with the manager is {_spelled(age or 0)} old"
        if age is None or age >= limit:
            late = f"{old}, which is not younger than two heartbeats ({_spelled(limit)})."
            reason = "The agent has never had a session with its manager." if age is None else late
            untold = " If the manager initiates all communication, its sessions may not be counted here."
            return Health(False, reason) if initiates else Health(None, reason + untold)
        if self.state is None:
            return Health(None, f"{old}, but the agent does not say which state it is in.")
        if self.state != _GREEN:
            return Health(False, f"{old}, but the agent's state is {shown(self.state, 50)}.")
        return Health(True, f"{old}, and the agent's state is {_GREEN}.")

    def as_dict(self, interval: int, initiates: bool = True) -> Dict[str, object]:
        """Its state, the last session and its health (see C(health)), in plain types, for results."""
        health = self.health(interval, initiates)
        return dict(
            agent_state=self.state,
            last_session=_moment(self.last_session) if self.last_session else None,
            last_session_age=self.age,
            healthy=health.healthy,
            healthy_reason=health.reason,
        )


NO_AGENT_STATUS = AgentStatus(NOT_ACTIVATED, None, "There is no agent.")
UNSURE_STATUS = AgentStatus(UNKNOWN, None, "No source knows an agent, but not all of them could be asked.")


def read_status_of_host(system: str, timeout: float = TIMEOUT) -> AgentStatus:
    """Ask the agent of this host. C(system) is what C(platform.system()) says, C(timeout) is in seconds."""
    if system == "Darwin":
        return AgentStatus(UNKNOWN, None, "The vendor does not support dsa_query on macOS.")
    program = find_program((DSA_QUERY,))
    if program is None:
        return AgentStatus(UNKNOWN, None, f"There is no {DSA_QUERY} that this user may run.")
    try:
        return read_status(ask((program, "-c", "GetAgentStatus"), timeout))
    except Unanswered as error:
        return AgentStatus(UNKNOWN, None, str(error))


def read_status(answer: Answer) -> AgentStatus:
    """What the agent says about itself, taken from the answer to its C(GetAgentStatus)."""
    if answer.status or not any(True for _field in _fields(answer.output, _GROUP)):
        return AgentStatus(UNKNOWN, None, failure_of("dsa_query", answer) + _hint())
    urls = [url for url in values_of(answer.output, _GROUP, "dsmUrl") if url]
    if not urls:
        return AgentStatus(NOT_ACTIVATED, None, "The agent's status names no manager.", _state(answer.output))
    if len(urls) > 1 or not _URL.fullmatch(urls[0]):
        said = shown(" and ".join(urls[:3]), 200)
        return AgentStatus(UNKNOWN, None, f"The agent's status names {said}, which is not a URL.")
    last, now, problem = _session(answer.output)
    return AgentStatus(
        ACTIVATED,
        urls[0],
        "The agent's status names this manager.",
        _state(answer.output),
        None if problem else last,
        None if problem else now,
        problem,
    )


def failure_of(name: str, answer: Answer) -> str:
    """What went wrong when the program C(name) was asked, in a sentence."""
    lines = [line.strip() for line in (answer.errors + "\n" + answer.output).splitlines() if line.strip()]
    said = f"it said: {one_line(lines[0], 200)}" if lines else "it said nothing"
    return f"{name} ended with status {answer.status}, {said}."


def values_of(output: str, group: str, name: str) -> List[str]:
    """The values of a field in an answer of C(dsa_query), each once."""
    return sorted({value for field, value in _fields(output, group) if field == name})


_GROUP = "AgentStatus"
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[!-~]{1,1000}", re.ASCII)
_STATE = re.compile(r"[A-Za-z][A-Za-z _-]{0,30}", re.ASCII)
# Seconds since 1970 have ten digits until the year 2286. A number with thirteen digits would be milliseconds.
_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


def _fields(output: str, group: str) -> Iterator[Tuple[str, str]]:
    """The fields of a group with their values. Entries of the index, such as C(AgentStatus.3: dsmUrl), have numbers and
    are not fields."""
    for line in output.split("\n"):
        name, colon, value = line.partition(":")
        start, dot, field = name.partition(".")
        if colon and dot and start == group and _FIELD.fullmatch(field):
            yield field, value.strip(" \t\r")


def _state(output: str) -> Optional[str]:
    states = values_of(output, _GROUP, "agentState")
    return states[0].lower() if len(states) == 1 and _STATE.fullmatch(states[0]) else None


def _session(output: str) -> Tuple[int, int, str]:
    """When the last session was, when the status was given, and why one of the two is not known."""
    moments = []
    for name in ("lastAgentToManagerSession", "currentTime"):
        values = [value for value in values_of(output, _GROUP, name) if value]
        if len(values) != 1 or not _SECONDS.fullmatch(values[0]):
            said = f"says {shown(' and '.join(values[:3]), 200)}, which is not a time" if values else "is missing"
            return 0, 0, f"It is not known when the last session was: {name} in the agent's status {said}."
        moments.append(int(values[0]))
    last, now = moments
    if last > now:
        return (
            0,
            0,
            f"It is not known when the last session was: the agent's status puts it {_spelled(last - now)} ahead.",
        )
    return last, now, ""


def _spelled(seconds: int) -> str:
    """A span of time, in the largest unit that gives at least two of that unit."""
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _hint() -> str:
    # Only root may ask, and only while the service runs.
    return "" if os.geteuid() == 0 else " Only root may ask the agent: use become."
