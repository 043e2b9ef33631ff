# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send policies to agents with a scheduled task that runs once, and watch until they have arrived.

The API has no other way to send a policy. A manager removes such a task after it has run. If it does not, our next run
removes it. Our tasks are recognized by their names, and no other tasks are touched.
"""

from __future__ import annotations

import datetime
import math
import re
import secrets
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._fleet.catalogue import HEARTBEAT_INTERVAL
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer
from .._fleet.outcome import DONE, NOT_KNOWN
from .._fleet.outlook import Outlook
from .._manager.client import Client
from .._manager.errors import ManagerError, NotFound
from .._manager.kinds import SCHEDULED_TASK, Item
from .._manager.progress import WAITING as PHASE
from .._manager.progress import WRITING
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL
from .._vendor.deployment import CLOUD
from .agent_status import ARRIVED, FAILED, NO_AGENT, OFFLINE, UNKNOWN, WAITING, AgentStatus, Sent, sent_since
from .recipients import Recipients

# The parts of computers to read besides the basic fields.
PARTS = ("computerStatus", "tasks")

# The names of our tasks.
_NAME = "workload_security.agent: send policy {} to {}"
_OURS = re.compile(r"workload_security\.agent: send policy [0-9a-f]{8} to [^\n]+")
_SEND_POLICY = "send-policy"
# In characters. The longest name that managers accept is not documented.
_LONGEST_NAME = 120
# How many left-over tasks are removed at a time.
_REMOVED_AT_ONCE = 20


class Request(t.NamedTuple):
    """The result of the request to send: C(done), or C(not_known) if the manager's answer was lost or was an error.

    task_id: the task's ID, C(None) if it is not known. warnings: what else went wrong. error: the error that made the
    result unknown.
    """

    state: str
    task_id: int | None = None
    warnings: tuple[str, ...] = ()
    error: ManagerError | None = None


def statuses(computers: t.Iterable[Computer]) -> dict[int, AgentStatus]:
    """The status of computers, by their ID. Keep this from before a request."""
    return {computer.id: AgentStatus.of(computer) for computer in computers}


def request_sending(client: Client, recipients: Recipients) -> Request:
    """Make the manager send these computers their policies now, with one scheduled task. Raises C(ManagerError).

    If a task of ours has not run yet and has the same recipients, it is told to run, and no new task is created.
    """
    warnings: list[str] = []
    waiting = None
    of_type = [{"fieldName": "type", "choiceTest": "equal", "choiceValue": _SEND_POLICY}]
    ours = [task for page in client.pages(SCHEDULED_TASK, of_type) for task in page if _is_ours(task)]
    for task in ours[:_REMOVED_AT_ONCE]:
        if task.get("lastRunTime"):
            # After the first failure, no other is removed: each failure may take minutes.
            warnings += [] if warnings else _remove(client, task["ID"])
        elif _filter_of(task) == recipients.computer_filter:
            waiting = task["ID"]
    try:
        with client.transport.progress.stage(WRITING, "the scheduled task that sends policies", 1) as stage:
            made = None if waiting is None else _run_again(client, waiting)
            made = made or client.create_once(SCHEDULED_TASK, _task(recipients))
            stage.advance()
    except ManagerError as error:
        if not error.outcome_unknown:
            raise
        return Request(NOT_KNOWN, None, tuple(warnings), error)
    return Request(DONE, made["ID"], tuple(warnings))


def _run_again(client: Client, task_id: int) -> Item | None:
    """Tell a task to run. C(None) if it has just run by itself, perhaps before the last changes were written."""
    try:
        return client.modify(SCHEDULED_TASK, task_id, {"runNow": True})
    except NotFound:
        return None


def tidy(client: Client, task_id: int) -> list[str]:
    """Remove a task of ours that has run, if the manager has kept it. Returns warnings."""
    try:
        task = client.get(SCHEDULED_TASK, task_id)
    except NotFound:
        return []
    except ManagerError as error:
        return [f"it is not known whether scheduled task {task_id} is still there: {error.account}"]
    return _remove(client, task_id) if _is_ours(task) and task.get("lastRunTime") else []


def _remove(client: Client, task_id: int) -> list[str]:
    try:
        client.delete(SCHEDULED_TASK, task_id)
    except ManagerError as error:
        return [f"scheduled task {task_id} has run, and could not be removed: {error.account}"]
    return []


def _task(recipients: Recipients) -> Item:
    return {
        "name": _NAME.format(secrets.token_hex(4), recipients.words.replace("\n", " "))[:_LONGEST_NAME],
        "type": _SEND_POLICY,
        "enabled": True,
        "runNow": True,
        "scheduleDetails": {
            "recurrenceType": "none",
            "recurrenceCount": 1,
            "onceOnlyScheduleParameters": {"startTime": 0},
        },
        "sendPolicyTaskParameters": {"computerFilter": dict(recipients.computer_filter)},
    }


def _is_ours(task: Item) -> bool:
    """Whether a run of ours created the task: by name, type and schedule, because anybody can use the name."""
    return bool(
        _OURS.fullmatch(task.get("name") or "")
        and task.get("type") == _SEND_POLICY
        and (task.get("scheduleDetails") or {}).get("recurrenceType") == "none"
    )


def _filter_of(task: Item) -> dict[str, t.Any]:
    """The recipients of a task, without empty values that a manager adds."""
    chosen = (task.get("sendPolicyTaskParameters") or {}).get("computerFilter") or {}
    return {name: value for name, value in chosen.items() if value not in (None, 0)}


def longest_heartbeat(fleet: Fleet, computers: t.Collection[Computer], deployment: str) -> int | None:
    """The longest time between two heartbeats of these agents, in minutes. A policy may take this long to arrive.

    C(None) if the manager does not tell it. Raises C(ManagerError).
    """
    if deployment == CLOUD:
        return CLOUD_HEARTBEAT_INTERVAL
    fleet.read_overrides(computers)
    outlook = Outlook(fleet)
    intervals = [outlook.effective(computer, HEARTBEAT_INTERVAL)[0] for computer in computers]
    known = [interval for interval in intervals if isinstance(interval, int) and not isinstance(interval, bool)]
    return max(known) if known and len(known) == len(intervals) else None


def look(fleet: Fleet, computer_ids: t.Collection[int]) -> dict[int, AgentStatus]:
    """What the manager says about these computers now, with one request per 5,000 computers. Raises C(ManagerError).

    The result does not have computers that no longer exist.
    """
    found: dict[int, AgentStatus] = {}

    def keep(page: list[Item]) -> None:
        found.update((item["ID"], AgentStatus.of(Computer(item))) for item in page if item["ID"] in wanted)

    wanted = set(computer_ids)
    fleet.read_windows(wanted, keep, overrides=False, expand=PARTS)
    return found


@dataclass
class Following:
    """Watches the policies on their way to computers, and counts how often it has looked.

    C(before): the statuses before the policies were sent, C(None) if something else has sent them. C(seen): the last
    statuses. C(error): the error of a look, which was then the last one.
    """

    before: dict[int, AgentStatus | None]
    sent: dict[int, Sent] = field(default_factory=dict)
    seen: dict[int, AgentStatus] = field(default_factory=dict)
    looks: int = 0
    seconds: float = 0.0
    error: ManagerError | None = None

    def look(self, fleet: Fleet) -> None:
        """Look at the computers whose policy has not arrived yet. Raises C(ManagerError)."""
        waiting = [number for number in self.before if self._state(number) != ARRIVED]
        found = look(fleet, waiting) if waiting else {}
        self.looks += 1
        self.seen.update(found)
        for number in waiting:
            self.sent[number] = sent_since(found[number], self.before[number]) if number in found else Sent(NO_AGENT)

    def until(self, fleet: Fleet, limit: float, interval: float, *, if_begun: bool = False) -> None:
        """Look every C(interval) seconds, for at most C(limit) seconds, until no policy is on its way.

        C(if_begun): stop after the first look, unless it shows that a policy was sent.
        """
        transport = fleet.client.transport
        clock = transport.clock
        started = clock.monotonic()
        ends = datetime.datetime.fromtimestamp(clock.time() + limit, datetime.timezone.utc).strftime("%H:%M:%S UTC")
        with transport.progress.stage(PHASE, "for policies", len(self.before)) as stage:
            for _each in range(1 + math.ceil(limit / interval)):
                stage.said = self._told(ends)
                try:
                    self.look(fleet)
                except ManagerError as error:
                    self.error = error
                    break
                stage.said = self._told(ends)
                left = limit - (clock.monotonic() - started)
                if not self.left or left <= 0 or (if_begun and not self.has_begun):
                    break
                transport.pause(min(interval, left))
        self.seconds = clock.monotonic() - started

    @property
    def counts(self) -> Counter[str]:
        """How many computers are in each state."""
        return Counter(self._state(number) for number in self.before)

    @property
    def left(self) -> int:
        """How many computers may still get their policy."""
        counts = self.counts
        return counts[WAITING] + counts[UNKNOWN]

    @property
    def has_begun(self) -> bool:
        """Whether any computer shows that its policy was sent since C(before)."""
        return any(
            self._state(number) == ARRIVED or (now.requested or 0) > ((before and before.requested) or 0)
            for number, now in self.seen.items()
            for before in [self.before[number]]
        )

    def state(self, number: int) -> Sent:
        """The state of one computer's policy."""
        return self.sent.get(number) or Sent(WAITING)

    def _state(self, number: int) -> str:
        return self.state(number).state

    def _told(self, ends: str) -> str:
        counts = self.counts
        return (
            f"waiting for policies: sent to {len(self.before)}, arrived at {counts[ARRIVED]}, {counts[OFFLINE]} offline,"
            f" {counts[FAILED]} failed, {self.left} left, until {ends}"
        )
