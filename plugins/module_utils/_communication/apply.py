# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a plan: shared objects first, then each target once, then what nobody uses any more.

What is reported as changed was seen in a reply of the manager; what is not known for sure is read back.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .._facets.facet import Change, ObjectChange
from .._fleet.catalogue import AGENT_INITIATED, COMMUNICATION_DIRECTION, INHERITED, Setting, Value
from .._fleet.fleet import Fleet
from .._fleet.objects import Target
from .._fleet.settings import NotKept, write_settings
from .._manager.client import COMPUTER, FIREWALL_RULE, Client, Kind
from .._manager.errors import BadReply, ManagerError, NotFound
from .document import Document
from .plan import Failure, Plan, drop, guard

Ids = t.Dict[t.Tuple[Kind, str], int]


@dataclass
class Outcome:
    """What was done: changes and objects that the manager has taken, and failures."""

    done: list[Change] = field(default_factory=list)
    objects: list[ObjectChange] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def apply_plan(plan: Plan, fleet: Fleet, document: Document, concurrency: int) -> Outcome:
    """Write the plan with at most C(concurrency) requests under way. A failure leaves the others done."""
    return _Run(plan, fleet, document, concurrency).carry_out()


class _Run:
    def __init__(self, plan: Plan, fleet: Fleet, document: Document, concurrency: int) -> None:
        self.plan, self.fleet, self.document = plan, fleet, document
        self.client: Client = fleet.client
        self.concurrency = concurrency
        self.outcome = Outcome()
        self.ids: Ids = {}
        # Rules that could not be taken away from a target.
        self.still_assigned: set[str] = set()

    def carry_out(self) -> Outcome:
        self._write_objects()
        # Where a direction is tightened to what macOS agents need, that comes first; what would then reach a macOS
        # agent because such a write failed is held back.
        first = {target: None for target in self.plan.changes if self._tightens(target)}
        self._write_targets(list(first))
        if first:
            guard(self.plan, self.fleet, self.document)
        self._write_targets([target for target in self.plan.changes if target not in first])
        self._delete_objects()
        return self.outcome

    # -- shared objects

    def _write_objects(self) -> None:
        for kind, known in self.fleet.objects_read().items():
            self.ids.update({(kind, str(item.get("name"))): number for number, item in known.items()})
        failed: dict[tuple[Kind, str], str] = {}
        for change in self.plan.objects:
            lacking = [failed[needed] for needed in change.needs if needed in failed]
            if lacking:
                self._fail_object(change, f"not written, since {lacking[0]} failed", None)
                continue
            try:
                self._write_object(change)
            except (ManagerError, NotKept) as error:
                failed[(change.kind, change.name)] = change.label
                self._fail_object(change, str(error), error)

    def _write_object(self, change: ObjectChange) -> None:
        if change.existing is None:
            fields = change.differences({}, self.ids)
            object_id, written = self.client.create(change.kind, {**change.on_create, **fields})
        else:
            object_id, written = change.existing["ID"], False
        try:
            # A reply to a create does not prove that it was kept, what was read for the plan may have been incomplete,
            # and another run may have been here since: what is there now decides.
            missing = change.differences(self.client.get(change.kind, object_id), self.ids)
            for _turn in range(2):
                if missing:
                    missing = self._modify_object(change, object_id, missing)
                    written = True
                if missing:
                    missing = change.differences(self.client.get(change.kind, object_id), self.ids)
        except ManagerError as error:
            if written and not isinstance(error, NotFound):
                self.outcome.objects.append(change)
            raise
        if missing:
            raise NotKept(f"the manager did not keep {', '.join(sorted(missing))} of the {change.label}")
        self.ids[(change.kind, change.name)] = object_id
        if written:
            self.outcome.objects.append(change)

    def _modify_object(self, change: ObjectChange, object_id: int, fields: dict) -> dict:
        """Write these fields; returns what the reply does not show, all of them if there is no reply to go by."""
        try:
            return change.differences(self.client.modify(change.kind, object_id, fields), self.ids)
        except ManagerError as error:
            if not error.outcome_unknown:
                raise
            return fields

    def _fail_object(self, change: ObjectChange, reason: str, error: Exception | None) -> None:
        self.outcome.failures.append(Failure(change.reference, None, reason, _as_failure(error)))
        if change.kind is FIREWALL_RULE:
            self.ids.pop((change.kind, change.name), None)

    def _delete_objects(self) -> None:
        """Delete a rule that nobody has any more, then its lists; nothing of it if a target still has the rule."""
        held = self.still_assigned
        for change in self.plan.deletions:
            if held and (change.kind is not FIREWALL_RULE or change.name in held):
                continue
            try:
                self.client.delete(change.kind, change.existing["ID"])
            except ManagerError as error:
                held.add(change.name)
                self._fail_object(change, str(error), error)
            else:
                self.outcome.objects.append(change)

    # -- targets

    def _tightens(self, target: Target) -> bool:
        return any(
            change.settings.get(COMMUNICATION_DIRECTION) == AGENT_INITIATED for change in self.plan.changes[target]
        )

    def _write_targets(self, targets: list[Target]) -> None:
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            for target, results in zip(targets, pool.map(self._write_target, targets)):
                for change, error in results:
                    if error is None:
                        self.outcome.done.append(change)
                        continue
                    drop(self.plan, self.fleet, change.facet, target)
                    self.still_assigned.update(change.unassign)
                    self.outcome.failures.append(
                        Failure(target.reference, change.facet, str(error), _as_failure(error))
                    )

    def _write_target(self, target: Target) -> list[tuple[Change, Exception | None]]:
        """Write one target: restrict before a port may open, settings in one request, take rules away last."""
        changes = self.plan.changes[target]
        lost: dict[Setting | str, Exception] = {}
        for change in changes:
            if change.assign:
                # Rules that the new one replaces stay until it is there.
                self._try([change.assign, *change.unassign], lost, self._assign, target, change.assign)
        wanted = {setting: value for change in changes for setting, value in change.settings.items()}
        if wanted:
            self._try(wanted, lost, self._write_settings, target, wanted, lost)
        for rule in (rule for change in changes for rule in change.unassign if rule not in lost):
            self._try([rule], lost, self._unassign, target, rule)
        return [result for change in changes for result in _parts(change, lost)]

    @staticmethod
    def _try(
        items: t.Iterable[Setting | str], lost: dict[Setting | str, Exception], action: t.Callable, *arguments: t.Any
    ) -> None:
        """Do it; if it fails, all of these items are lost to that error."""
        try:
            action(*arguments)
        except (ManagerError, NotKept) as error:
            lost.update(dict.fromkeys(items, error))

    def _assign(self, target: Target, rule: str) -> None:
        rule_id = self._rule_id(rule)
        try:
            assigned = self.client.assign_rules(target.kind, target.id, [rule_id])
        except ManagerError as error:
            if not (error.outcome_unknown or isinstance(error, BadReply)):
                raise
            assigned = set()
        if rule_id not in assigned and rule_id not in self.client.assigned_rules(target.kind, target.id):
            raise NotKept(f"the manager did not keep the rule '{rule}' on the {target.label}")

    def _unassign(self, target: Target, rule: str) -> None:
        self.client.unassign_rule(target.kind, target.id, self._rule_id(rule))

    def _rule_id(self, name: str) -> int:
        try:
            return self.ids[(FIREWALL_RULE, name)]
        except KeyError:
            raise NotKept(f"the rule '{name}' could not be written, so it cannot be assigned") from None

    def _write_settings(
        self, target: Target, wanted: dict[Setting, Value], lost: dict[Setting | str, Exception]
    ) -> None:
        """Write all settings of a target in one request; C(lost) takes what the manager did not keep, and why."""
        lost.update(write_settings(_TargetSettings(self.client, target), wanted, self.fleet.spelling))


@dataclass(frozen=True)
class _TargetSettings:
    """What is set on a target itself."""

    client: Client
    target: Target

    @property
    def label(self) -> str:
        return self.target.label

    def send(self, settings: dict[str, dict[str, str]]) -> t.Any:
        target = self.target
        body = {target.settings_key: settings}
        return self.client.modify(target.kind, target.id, body, expand=self._expand).get(target.settings_key)

    def read(self) -> t.Any:
        target = self.target
        found = self.client.get(target.kind, target.id, overrides=True, expand=self._expand)
        return found.get(target.settings_key)

    @staticmethod
    def value(setting: Setting, settings: t.Any) -> Value:
        found = setting.read(settings)
        return INHERITED if found is None else found

    @property
    def _expand(self) -> tuple[str, ...]:
        return ("computerSettings",) if self.target.kind is COMPUTER else ()


def _parts(change: Change, lost: dict[Setting | str, Exception]) -> list[tuple[Change, Exception | None]]:
    """A change, split into what the manager kept and what it did not."""
    kept = [item for item in change.items if item not in lost]
    parts: list[tuple[Change, Exception | None]] = [(change.part(kept), None)] if kept else []
    errors = list(dict.fromkeys(lost[item] for item in change.items if item in lost))
    if errors:
        error = errors[0] if len(errors) == 1 else NotKept("; ".join(str(error) for error in errors))
        parts.append((change.part(lost), error))
    return parts


def _as_failure(error: Exception | None) -> dict[str, t.Any] | None:
    return error.as_failure() if isinstance(error, ManagerError) else None
