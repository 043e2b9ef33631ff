# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies on their way to agents: requested, and accepted at once or at the next heartbeat.

Most computers of a fleet have an agent in name only, which accepts what a scheduled task sends. Tests can let it live,
so that it sends heartbeats, and gets what changes for it.
"""

from __future__ import annotations

import heapq
import itertools
import typing as t

from tests.lab.manager import settings
from tests.lab.manager.configuration import effective_settings
from tests.lab.manager.state import Computer, Policy, State
from tests.lab.manager.switches import Switches

if t.TYPE_CHECKING:
    from tests.lab.manager.manager import Clock

ONLINE = "Managed (Online)"
OFFLINE = "Offline"
PENDING_OFFLINE = "Update of Configuration Pending (Offline)"
PENDING_HEARTBEAT = "Update of Configuration Pending (Heartbeat)"
IN_PROGRESS = "Update of Configuration In Progress"


class Sending:
    """Sends policies to agents, by the manager's clock."""

    def __init__(self, state: State, clock: Clock, switches: Switches) -> None:
        self._state = state
        self._clock = clock
        self._switches = switches
        # What to do later: when, a number for the order, and what.
        self._later: list[tuple[float, int, t.Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._living: set[int] = set()
        state.touched = self.touched

    # -- for tests

    def let_live(self, computer_ids: t.Iterable[int] | None, beats: bool, messages: t.Sequence[str]) -> None:
        """Let agents send heartbeats, or fall silent, and set the errors that the manager shows for them.

        C(computer_ids): C(None) for all computers that have an agent. C(messages): empty for online. Raises
        C(ValueError).
        """
        computers = self._state.computers
        chosen = [one for one in computers if one.has_agent] if computer_ids is None else None
        for computer in chosen or [computers.items[number] for number in computer_ids or ()]:
            if not computer.has_agent or computer.id in self._state.agents:
                raise ValueError(f"computer {computer.id} has no agent, or one that is really there")
            computer.silent, computer.errors = not beats, tuple(messages)
            self._living.add(computer.id)
            if computer.pending:
                self._take_later(computer)
        self.settle()

    # -- for the manager

    def later(self, seconds: float, do: t.Callable[[], None]) -> None:
        """Do something after some time has passed."""
        heapq.heappush(self._later, (self._clock.now() + seconds, next(self._numbers), do))
        self.settle()

    def milliseconds(self) -> int:
        """The time by the manager's clock, in milliseconds since 1970."""
        return self._clock.milliseconds()

    def settle(self) -> None:
        """Do everything that is due by now. To be called before any state is read."""
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        for computer in filter(None, map(self._state.computers.get, self._living)):
            if not computer.silent:
                last = self._clock.milliseconds(now - (_until_heartbeat(self._state, computer, now, last=True)))
                if (computer.last_agent_communication or 0) < last:
                    computer.last_agent_communication = last
                    computer.basic = None

    def touched(self, target: Policy | Computer | None) -> None:
        """Send the changed values of a target to the living agents whose policy is sent automatically.

        C(None): an object has changed that many targets may refer to, such as a rule.
        """
        for computer in filter(None, map(self._state.computers.get, self._living)):
            policy = self._state.policies.get(computer.policy_id)
            if policy is not None and policy.auto_requires_update == "off":
                continue
            if (
                target is None
                or computer is target
                or (isinstance(target, Policy) and self._state.reaches(target.id, computer))
            ):
                self._request(computer)

    def send(self, computers: t.Iterable[Computer]) -> None:
        """Send these computers their policy, if they have an agent."""
        for computer in computers:
            if computer.has_agent:
                self._request(computer)

    def _request(self, computer: Computer) -> None:
        computer.last_send_policy_request = self._clock.milliseconds()
        computer.basic = None
        agent = self._state.agents.get(computer.id)
        if agent:
            agent.send_requested = True
            return
        computer.pending = True
        self._take_later(computer)

    def _take_later(self, computer: Computer) -> None:
        now = self._clock.now()
        wait = 0.0 if _listens(self._state, computer) else _until_heartbeat(self._state, computer, now)
        requested = computer.last_send_policy_request

        def take() -> None:
            # A later request is handled separately.
            if computer.pending and not computer.silent and computer.last_send_policy_request == requested:
                computer.pending = False
                computer.last_send_policy_success = self._clock.milliseconds(now + wait)
                computer.last_agent_communication = computer.last_send_policy_success
                computer.basic = None

        heapq.heappush(self._later, (now + wait, next(self._numbers), take))


def status_of(computer: Computer) -> dict[str, t.Any]:
    """The computerStatus of a computer whose agent exists in name only."""
    if not computer.has_agent:
        return {"agentStatus": "inactive", "agentStatusMessages": ["Unmanaged (Unknown)"]}
    if computer.errors:
        return {"agentStatus": "error", "agentStatusMessages": list(computer.errors)}
    return {"agentStatus": "active", "agentStatusMessages": [ONLINE]}


def tasks_of(state: State, computer: Computer) -> dict[str, t.Any]:
    """The tasks of such a computer."""
    if not computer.pending:
        return {"agentTasks": []}
    if OFFLINE in computer.errors:
        return {"agentTasks": [PENDING_OFFLINE]}
    return {"agentTasks": [IN_PROGRESS if _listens(state, computer) else PENDING_HEARTBEAT]}


def _listens(state: State, computer: Computer) -> bool:
    if computer.platform.startswith("macOS"):
        return False
    return effective_settings(state, computer)[settings.DIRECTION] != settings.AGENT_INITIATED


def _until_heartbeat(state: State, computer: Computer, now: float, *, last: bool = False) -> float:
    """Seconds until a computer's next heartbeat, or since its last one. Agents do not all send theirs at once."""
    number, unit = effective_settings(state, computer)[settings.HEARTBEAT_INTERVAL].split()
    interval = int(number) * (3600.0 if unit.startswith("Hour") else 60.0)
    since = (now + computer.id * 37.0) % interval
    return since if last else interval - since
