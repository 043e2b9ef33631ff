# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what must change on which target so that the manager is as the document says. Reads only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._basis.errors import OptionError
from .._facets.facet import Change, Conflict, Facet, ObjectChange, Refused
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Target
from .._fleet.targets import resolve
from .document import Document


@dataclass(frozen=True)
class Failure:
    """Something that was not done: on which target or object, for which facet, and why.

    C(error): the manager's answer as a dictionary, where it was one.
    """

    reference: dict[str, t.Any]
    facet: str | None
    reason: str
    error: dict[str, t.Any] | None = None


@dataclass
class Plan:
    """The changes, by target and then facet; C(profiles) says which profiles declared a target's facet, by facet."""

    wishes: dict[str, dict[Target, t.Any]]
    profiles: dict[str, dict[Target, list[str]]]
    changes: dict[Target, list[Change]] = field(default_factory=dict)
    objects: list[ObjectChange] = field(default_factory=list)
    deletions: list[ObjectChange] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def targets(self) -> list[Target]:
        """Every target of the document, each once."""
        return list(dict.fromkeys(target for wishes in self.wishes.values() for target in wishes))


def make_plan(fleet: Fleet, document: Document) -> Plan:
    """Read what the document needs and work out what to change.

    Raises C(OptionError) when two profiles want different things of one target, C(ManagerError) when reading fails.
    """
    resolved = resolve(fleet, [profile.selector for profile in document.profiles])
    plan = Plan({facet.name: {} for facet in document.facets}, {facet.name: {} for facet in document.facets})
    _gather(plan, document, resolved)
    fleet.read_overrides(target for target in plan.targets if isinstance(target, Computer))
    order = _from_the_top(fleet, plan.targets)
    for facet in document.facets:
        wishes = plan.wishes[facet.name]
        preparation = facet.prepare(fleet, wishes)
        plan.objects += preparation.objects
        plan.deletions += preparation.deletions
        for target, reason in preparation.refused.items():
            _refuse(plan, fleet, facet, target, reason)
        for target in (target for target in order if target in wishes):
            try:
                change = facet.plan(fleet, target, wishes[target])
            except Refused as refusal:
                _refuse(plan, fleet, facet, target, str(refusal))
                continue
            if change is not None:
                plan.changes.setdefault(target, []).append(change)
    guard(plan, fleet, document)
    for facet in document.facets:
        plan.warnings += facet.warnings(fleet, plan.wishes[facet.name], document.deployment)
    return plan


def guard(plan: Plan, fleet: Fleet, document: Document) -> None:
    """Take out of the plan what must not be written, given all that is planned."""
    for facet in document.facets:
        changing = {
            target for target, changes in plan.changes.items() if any(change.facet == facet.name for change in changes)
        }
        refused = facet.guard(fleet, plan.wishes[facet.name], changing)
        for target, reason in refused.items():
            _refuse(plan, fleet, facet, target, reason)


def drop(plan: Plan, fleet: Fleet, facet_name: str, target: Target) -> None:
    """Forget one facet's change of a target, also in what the fleet takes as planned."""
    kept = []
    for change in plan.changes.pop(target, []):
        if change.facet != facet_name:
            kept.append(change)
        for setting in change.settings if change.facet == facet_name else ():
            fleet.plan_setting(target, setting, None)
    if kept:
        plan.changes[target] = kept


def _refuse(plan: Plan, fleet: Fleet, facet: Facet, target: Target, reason: str) -> None:
    drop(plan, fleet, facet.name, target)
    plan.wishes[facet.name].pop(target, None)
    plan.failures.append(Failure(target.reference, facet.name, reason))


def _gather(plan: Plan, document: Document, resolved: list) -> None:
    for profile, (targets, unresolved) in zip(document.profiles, resolved):
        for lost in unresolved:
            reference = {"type": lost.type, "id" if isinstance(lost.key, int) else "name": lost.key}
            plan.failures.append(Failure(reference, None, lost.reason))
        for facet in document.facets:
            if facet.name not in profile.wishes:
                continue
            wish, wishes = profile.wishes[facet.name], plan.wishes[facet.name]
            profiles, by_this_one = plan.profiles[facet.name], [profile.name]
            for target in targets:
                if target not in wishes:
                    wishes[target], profiles[target] = wish, by_this_one
                    continue
                profiles[target] = [*profiles[target], profile.name]
                if wishes[target] is not wish:
                    wishes[target] = _merge(facet, target, wishes[target], wish, profiles[target])


def _merge(facet: Facet, target: Target, first: t.Any, second: t.Any, declared_by: list[str]) -> t.Any:
    try:
        return facet.merge(first, second)
    except Conflict as conflict:
        names = " and ".join(f"'{name}'" for name in declared_by)
        raise OptionError("profiles", names, f"they must agree on {target.label}: {conflict}") from None


def _from_the_top(fleet: Fleet, targets: list[Target]) -> list[Target]:
    """Parents before children, so that what a child will inherit is known when it is planned."""
    depth = {target: len(fleet.lineage(target)) for target in targets if not isinstance(target, Computer)}
    return sorted(depth, key=lambda target: (depth[target], target.id)) + sorted(
        (target for target in targets if isinstance(target, Computer)), key=lambda target: target.id
    )
