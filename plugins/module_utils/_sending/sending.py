# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies sent to agents by a scheduled task that runs once, and looked after until they have arrived.

The API has no other way to send a policy. A manager removes such a task once it has run; where it does not, the next run
does. Tasks are known by their names, and no other ones are touched.
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
from .._manager.client import SCHEDULED_TASK, Client, Item
from .._manager.errors import ManagerError, NotFound
from .._manager.progress import WAITING as PHASE
from .._manager.progress import WRITING
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL
from .._vendor.deployment import CLOUD
from .agent_status import ARRIVED, FAILED, NO_AGENT, OFFLINE, UNKNOWN, WAITING, AgentStatus, Sent, sent_since
from .recipients import Recipients

# What to read of computers beside the basics.
PARTS = ("computerStatus", "tasks")

# How tasks are named that are ours.
_NAME = "workload_security.agent: send policy {} to {}"
_OURS = re.compile(r"workload_security\.agent: send policy [0-9a-f]{8} to [^\n]+")
_SEND_POLICY = "send-policy"
# What a name has room for is documented nowhere.
_LONGEST_NAME = 120
# Of tasks that were left behind, so many are removed at a time.
_REMOVED_AT_ONCE = 20


@dataclass(frozen=True)
class Request:
    """What became of the wish to send: C(done), or C(not_known) where the manager's answer got lost, or was an error.

    task_id: that of the task, C(None) where it is not known. warnings: what else went wrong. error: what was met where
    it is not known.
    """

    state: str
    task_id: int | None = None
    warnings: tuple[str, ...] = ()
    error: ManagerError | None = None


def statuses(computers: t.Iterable[Computer]) -> dict[int, AgentStatus]:
    """What was read of computers, by their ID: to be kept from before a request."""
    return {computer.id: AgentStatus.of(computer) for computer in computers}


def request_sending(client: Client, recipients: Recipients) -> Request:
    """Let the manager send their policies to these computers, now, by one scheduled task. Raises C(ManagerError).

    A task of ours that has not run yet and sends to the same ones is told to run, and no other one is made.
    """
    warnings: list[str] = []
    waiting = None
    of_type = [{"fieldName": "type", "choiceTest": "equal", "choiceValue": _SEND_POLICY}]
    ours = [task for page in client.pages(SCHEDULED_TASK, of_type) for task in page if _is_ours(task)]
    for task in ours[:_REMOVED_AT_ONCE]:
        if task.get("lastRunTime"):
            # What keeps one from being removed may take minutes to find out for each.
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
    """Tell a task to run; C(None) where it has run just now, perhaps before what is to be sent was written."""
    try:
        return client.modify(SCHEDULED_TASK, task_id, {"runNow": True})
    except NotFound:
        return None


def tidy(client: Client, task_id: int) -> list[str]:
    """Remove a task of ours that has run, where the manager has kept it. Returns what to warn of."""
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
    """Whether a run of ours has made it: by name, type and schedule, since anybody can give a name."""
    return bool(
        _OURS.fullmatch(task.get("name") or "")
        and task.get("type") == _SEND_POLICY
        and (task.get("scheduleDetails") or {}).get("recurrenceType") == "none"
    )


def _filter_of(task: Item) -> dict[str, t.Any]:
    """Whom a task sends to, without what a manager leaves empty."""
    chosen = (task.get("sendPolicyTaskParameters") or {}).get("computerFilter") or {}
    return {name: value for name, value in chosen.items() if value not in (None, 0)}


def longest_heartbeat(fleet: Fleet, computers: t.Collection[Computer], deployment: str) -> int | None:
    """The longest time between two heartbeats of these agents, in minutes: how long a policy may take to them.

    C(None) where the manager does not say. Raises C(ManagerError).
    """
    if deployment == CLOUD:
        return CLOUD_HEARTBEAT_INTERVAL
    fleet.read_overrides(computers)
    outlook = Outlook(fleet)
    intervals = [outlook.effective(computer, HEARTBEAT_INTERVAL)[0] for computer in computers]
    known = [interval for interval in intervals if isinstance(interval, int) and not isinstance(interval, bool)]
    return max(known) if known and len(known) == len(intervals) else None


def look(fleet: Fleet, computer_ids: t.Collection[int]) -> dict[int, AgentStatus]:
    """What the manager says of these computers now: one request for each 5,000 computers. Raises C(ManagerError).

    Computers that are gone are not in it.
    """
    found: dict[int, AgentStatus] = {}

    def keep(page: list[Item]) -> None:
        found.update((item["ID"], AgentStatus.of(Computer.of(item))) for item in page if item["ID"] in wanted)

    wanted = set(computer_ids)
    fleet.read_windows(wanted, keep, overrides=False, expand=PARTS)
    return found


@dataclass
class Following:
    """How far policies have come to computers, and how often that was looked at.

    C(before): what was read before they were sent, C(None) where they were sent by something else. C(seen): what was read
    last. C(error): what a look met, after which there was none.
    """

    before: dict[int, AgentStatus | None]
    sent: dict[int, Sent] = field(default_factory=dict)
    seen: dict[int, AgentStatus] = field(default_factory=dict)
    looks: int = 0
    seconds: float = 0.0
    error: ManagerError | None = None

    def look(self, fleet: Fleet) -> None:
        """Look at those to whom it has not come yet. Raises C(ManagerError)."""
        waiting = [number for number in self.before if self._state(number) != ARRIVED]
        found = look(fleet, waiting) if waiting else {}
        self.looks += 1
        self.seen.update(found)
        for number in waiting:
            self.sent[number] = sent_since(found[number], self.before[number]) if number in found else Sent(NO_AGENT)

    def until(self, fleet: Fleet, limit: float, interval: float, *, if_begun: bool = False) -> None:
        """Look again and again, each C(interval) seconds for at most C(limit) seconds, until none is waited for.

        C(if_begun): no longer than until the first look, unless that shows that any policy was sent.
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
        """To how many it may yet come."""
        counts = self.counts
        return counts[WAITING] + counts[UNKNOWN]

    @property
    def has_begun(self) -> bool:
        """Whether any computer shows that its policy was sent since."""
        return any(
            self._state(number) == ARRIVED or (now.requested or 0) > ((before and before.requested) or 0)
            for number, now in self.seen.items()
            for before in [self.before[number]]
        )

    def state(self, number: int) -> Sent:
        """How far it has come to one of them."""
        return self.sent.get(number) or Sent(WAITING)

    def _state(self, number: int) -> str:
        return self.state(number).state

    def _told(self, ends: str) -> str:
        counts = self.counts
        return (
            f"waiting for policies: sent to {len(self.before)}, arrived at {counts[ARRIVED]}, {counts[OFFLINE]} offline,"
            f" {counts[FAILED]} failed, {self.left} left, until {ends}"
        )
