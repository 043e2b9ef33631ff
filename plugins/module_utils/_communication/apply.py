# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan, stage by stage. It knows how to write each kind of step, but neither planning nor facets.

A step is only reported as done if a reply of the manager has shown it. If that is uncertain, the value is read back.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice

from .._basis.text import quoted
from .._facets.step import ASSIGN, DELETE, SET, UNASSIGN, UNLESS_USED, WRITE, Step, Subject
from .._fleet.catalogue import BY_OPTION, INHERITED, Setting, Spelling, Value
from .._fleet.outcome import ALL_DONE, DONE, FOUND_DONE, KEPT, NOT_TRIED, Outcome, settle
from .._fleet.settings import write_settings
from .._fleet.shared_objects import differences, new_object
from .._manager.client import Client
from .._manager.errors import (
    BadReply,
    ConnectionFailed,
    DeadlinePassed,
    Forbidden,
    JumpHostError,
    ManagerError,
    NotFound,
    RateLimited,
    Redirected,
    TimedOut,
    Unauthorized,
    Unavailable,
    UntrustedCertificate,
)
from .._manager.kinds import COMPUTER, POLICY
from .._manager.progress import WRITING

# Errors that every further write would get, too.
_HOPELESS = (Unauthorized, UntrustedCertificate, DeadlinePassed)

# Errors that concern more than one object, grouped by cause. All other errors (400, 404, 409 and so on) are about one
# object, and show that the manager works and will judge the next object separately.
_COUNTED: tuple[tuple[type[ManagerError], ...], ...] = (
    (Forbidden,),
    (RateLimited,),
    # Nobody answers, or something else than the manager answers, or the manager is out of order.
    (Unavailable, ConnectionFailed, TimedOut, JumpHostError, Redirected, BadReply),
)

# The beginning of the reason for steps that were not tried because the run stopped.
STOPPED = "not tried, since the run stopped after this"

S = t.TypeVar("S")
T = t.TypeVar("T")

# How many writes may wait for a connection at once: a plan can have hundreds of thousands of writes.
_BATCH = 2000


def apply_plan(
    steps: t.Sequence[Step], client: Client, spelling: Spelling, *, concurrency: int, stop_after: int
) -> list[Outcome]:
    """Write the steps, with at most C(concurrency) requests at once. Returns the outcome of each step.

    After a failure, the other steps are still done. After C(stop_after) writes in a row with the same error, if it is
    one that concerns more than one object, no other writes are tried; 0 means never.
    """
    return _Run(client, spelling, _Patience(stop_after)).carry_out(steps, concurrency)


def _each(pool: ThreadPoolExecutor, threads: int, do: t.Callable[[S], T], items: t.Sequence[S]) -> list[T]:
    """Do something with each item, in so many threads. Returns the results in the order of the items.

    A thread that is done with one item takes the next one. With C(pool.map), each result would also wake the thread that
    waits for it, which slows down all others.
    """
    results: dict[int, T] = {}
    waiting = deque(enumerate(items))

    def taken() -> tuple[int, S] | None:
        with contextlib.suppress(IndexError):
            return waiting.popleft()
        return None

    def work() -> None:
        try:
            while one := taken():
                number, item = one
                results[number] = do(item)
        except BaseException:
            waiting.clear()
            raise

    try:
        for worker in [pool.submit(work) for _number in range(min(threads, len(items)))]:
            worker.result()
    except BaseException:
        waiting.clear()
        raise
    return [results[number] for number in range(len(items))]


class _Patience:
    """Notices that the manager gives the same error again and again."""

    def __init__(self, stop_after: int) -> None:
        self._stop_after = stop_after
        self._lock = threading.Lock()
        self._alike: tuple[type[ManagerError], ...] = ()
        self._in_a_row = 0
        self.stopped: Outcome | None = None

    def note(self, outcomes: t.Iterable[Outcome]) -> None:
        """Record the result of one write."""
        outcomes = list(outcomes)
        error = next((one.error for one in outcomes if one.error), None)
        with self._lock:
            alike = next((types for types in _COUNTED if isinstance(error, types)), ()) if error else ()
            if any(one.state == DONE for one in outcomes) or not alike:
                self._in_a_row = 0
            else:
                self._in_a_row = self._in_a_row + 1 if alike == self._alike else 1
            self._alike = alike
            hopeless = isinstance(error, _HOPELESS)
            if error and (hopeless or (self._stop_after and self._in_a_row >= self._stop_after)):
                times = "" if hopeless else f", {self._in_a_row} times in a row"
                self.stopped = self.stopped or Outcome(NOT_TRIED, f"{STOPPED}{times}: {error.account}")


class _Run:
    def __init__(self, client: Client, spelling: Spelling, patience: _Patience) -> None:
        self.client, self.spelling, self.patience = client, spelling, patience
        # Rules and lists that this run has created, by type and name.
        self.made: dict[tuple[str, str], int] = {}
        # Steps that did not succeed, by their IDs. Steps that need one of them are skipped.
        self.lost: dict[str, tuple[Step, Outcome]] = {}

    def carry_out(self, steps: t.Sequence[Step], concurrency: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        # Per stage: if a target has steps in two stages, they are two writes.
        total = sum(1 for _write in groupby(steps, key=lambda step: (step.stage, _write_of(step))))
        transport = self.client.transport
        with transport.progress.stage(WRITING, total=total) as progress, transport.threads(concurrency) as pool:

            def write_and_tell(write: list[Step]) -> list[Outcome]:
                ended = self._carry_out(write)
                progress.advance(failed=any(one.state not in (DONE, KEPT) for one in ended))
                return ended

            for _stage, of_stage in groupby(steps, key=lambda step: step.stage):
                # All settings of a target are one write. Each assignment is a separate write, because each can be
                # refused.
                writes = (list(group) for _key, group in groupby(of_stage, key=_write_of))
                while batch := list(islice(writes, _BATCH)):
                    # There are only a few rules and lists, and other runs may be writing the same ones.
                    in_turn = batch[0][0].action in (WRITE, DELETE)
                    results = map(write_and_tell, batch) if in_turn else _each(pool, concurrency, write_and_tell, batch)
                    for write, ended in zip(batch, results):
                        outcomes += ended
                        self.lost.update((step.id, (step, one)) for step, one in zip(write, ended) if one.state != DONE)
        return outcomes

    def _carry_out(self, steps: list[Step]) -> list[Outcome]:
        if self.patience.stopped:
            return [self.patience.stopped] * len(steps)
        skipped = {number: outcome for number, step in enumerate(steps) if (outcome := self._held_back(step))}
        ready = [step for number, step in enumerate(steps) if number not in skipped]
        if not ready:
            return [skipped[number] for number in range(len(steps))]
        try:
            ended = iter(self._write(ready))
        except ManagerError as error:
            ended = iter([Outcome.of(error)] * len(ready))
        outcomes = [skipped.get(number) or next(ended) for number in range(len(steps))]
        self.patience.note(outcomes[number] for number in range(len(steps)) if number not in skipped)
        return outcomes

    def _held_back(self, step: Step) -> Outcome | None:
        """Why a step must not be written: a step that it needs has failed."""
        for needed in step.needs:
            if needed in self.lost:
                lost, outcome = self.lost[needed]
                if outcome.state == KEPT:
                    return outcome
                return Outcome(NOT_TRIED, f"not written, since this had to come first and failed: {lost.words}")
        return None

    def _write(self, steps: list[Step]) -> list[Outcome]:
        (action,) = {step.action for step in steps}
        if action == SET:
            return self._set(steps)
        return [
            {ASSIGN: self._assign, UNASSIGN: self._unassign, WRITE: self._keep, DELETE: self._delete}[action](step)
            for step in steps
        ]

    # -- targets

    def _set(self, steps: list[Step]) -> list[Outcome]:
        wanted: dict[Setting, Value] = {BY_OPTION[step.key]: step.after for step in steps}
        outcomes = write_settings(_TargetSettings(self.client, steps[0].subject), wanted, self.spelling)
        return [outcomes[setting] for setting in wanted]

    def _assign(self, step: Step) -> Outcome:
        kind, target_id, rule_id = step.subject.kind, _id(step.subject), self._rule_id(step)
        return settle(
            f"the rule {quoted(step.key, 100)} on the {step.subject.label}",
            lambda: rule_id in self.client.assign_rules(kind, target_id, [rule_id]),
            lambda: rule_id in self.client.assigned_rules(kind, target_id),
        )

    def _unassign(self, step: Step) -> Outcome:
        self.client.unassign_rule(step.subject.kind, _id(step.subject), self._rule_id(step))
        return ALL_DONE

    def _rule_id(self, step: Step) -> int:
        made = self.made.get(("firewall_rule", step.key))
        number = step.object_id if made is None else made
        if number is None:
            raise AssertionError("a rule without an ID is written first, or its assignment is held back")
        return number

    # -- rules and lists

    def _keep(self, step: Step) -> Outcome:
        """Create or change a rule or list."""
        subject, kind = step.subject, step.subject.kind
        number, written = subject.id, False
        if number is None:
            fields = differences(kind, {}, step.after, self.made)
            number, written = self.client.create(kind, new_object(subject.name, fields))
        try:
            # The reply to a create does not prove that all of it was kept, the plan may be based on an incomplete
            # reply, and another run may have changed the object since then. So the object is read again and compared.
            missing = self._missing(step, number)
            met: ManagerError | None = None
            for _turn in range(2):
                if missing:
                    missing, met = self._modify(step, number, missing)
                    written = True
                if missing:
                    missing = self._missing(step, number)
        except ManagerError as error:
            if written and not isinstance(error, NotFound):
                return Outcome.unseen(f"all of the {subject.label}", error)
            raise
        if missing:
            return Outcome.seen(f"{', '.join(sorted(missing))} of the {subject.label}", "", met)
        self.made[(subject.type, subject.name)] = number
        return ALL_DONE if written else FOUND_DONE

    def _missing(self, step: Step, number: int) -> dict[str, t.Any]:
        """The fields of a rule or list that differ from the wanted ones."""
        kind = step.subject.kind
        return differences(kind, self.client.get(kind, number), step.after, self.made)

    def _modify(
        self, step: Step, number: int, fields: dict[str, t.Any]
    ) -> tuple[dict[str, t.Any], ManagerError | None]:
        """Write these fields. Returns those that the reply does not show, and the error if the result is unknown."""
        try:
            reply = self.client.modify(step.subject.kind, number, fields)
        except ManagerError as error:
            if not error.outcome_unknown:
                raise
            return fields, error
        return differences(step.subject.kind, reply, step.after, self.made), None

    def _delete(self, step: Step) -> Outcome:
        if step.key == UNLESS_USED and self.client.rule_is_used(_id(step.subject)):
            return Outcome(KEPT, f"the {step.subject.label} stays, since somebody else has it")
        self.client.delete(step.subject.kind, _id(step.subject))
        return ALL_DONE


class _TargetSettings(t.NamedTuple):
    """The settings of a target itself."""

    client: Client
    target: Subject

    @property
    def label(self) -> str:
        return self.target.label

    def send(self, settings: dict[str, dict[str, str]]) -> t.Any:
        kind, body = self.target.kind, {self._key: settings}
        return self.client.modify(kind, _id(self.target), body, expand=self._expand).get(self._key)

    def read(self) -> t.Any:
        found = self.client.get(self.target.kind, _id(self.target), overrides=True, expand=self._expand)
        return found.get(self._key)

    @staticmethod
    def value(setting: Setting, settings: t.Any) -> Value:
        found = setting.read(settings)
        return INHERITED if found is None else found

    @property
    def _key(self) -> str:
        return "policySettings" if self.target.kind is POLICY else "computerSettings"

    @property
    def _expand(self) -> tuple[str, ...]:
        return ("computerSettings",) if self.target.kind is COMPUTER else ()


def _write_of(step: Step) -> tuple[t.Any, ...]:
    """The key that is equal for steps that are one write."""
    return (step.action, step.subject) if step.action == SET else (step.action, step.subject, step.key)


def _id(subject: Subject) -> int:
    if subject.id is None:
        raise AssertionError("targets, and what is deleted, were read from the manager")
    return subject.id
