# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of a plan that can be carried out separately: it includes all steps that its steps need.

A plan is cut in two ways. C(only) chooses targets, for runs one after the other; the last run takes everything that is
left. C(slice) is one of several parts of equal size, for runs at the same time.
"""

from __future__ import annotations

import typing as t

from .._basis.text import enumerated
from .._facets.facet import subject_of
from .._facets.step import DELETE, WRITE, Step, Subject, needed_by
from .document import Document
from .groups import is_on_target
from .plan import Plan
from .slices import Slice

Chosen = t.Callable[[Subject], bool]


def part_of(plan: Plan, document: Document) -> Plan:
    """The part of a plan that the document's options C(slice) and C(only) choose."""
    if document.part is not None:
        plan = share(plan, document.part)
    chosen = plan.chosen
    return plan if chosen is None else only(plan, lambda subject: subject[:2] in chosen)


def only(plan: Plan, chosen: Chosen) -> Plan:
    """The steps of the chosen targets and all steps that they need. C(Plan.later) has the other steps.

    Other changes of rules and lists concern all targets that have them, and deletions must wait for all targets that
    let go of a rule. So these are later, too.
    """
    by_id = {step.id: step for step in plan.steps}
    part = _with_needs(by_id, [key for key, step in by_id.items() if is_on_target(step) and chosen(step.subject)])
    return _part(plan, by_id, part, by_id.keys() - part, chosen, _told_of_shared(by_id, part))


def share(plan: Plan, part: Slice) -> Plan:
    """The steps of one slice, and all steps that they need. C(Plan.later) has the steps that must wait for all slices.

    Policies are in the first slice, and each computer is in one by its ID. A needed step is in the slice of the step
    that needs it. If several slices have it, such as the step for a rule, the first run writes it, and the others find
    it or write the same. A rule or list that no target needs is in the first slice.
    """

    def chosen(subject: Subject) -> bool:
        return (1 if subject.type == "policy" else (subject.id or 0) % part.of + 1) == part.number

    by_id = {step.id: step for step in plan.steps}
    waiting = _waiting_for_computers(by_id) if part.of > 1 else set()
    on_targets = [key for key, step in by_id.items() if is_on_target(step) and key not in waiting]
    roots = [key for key in on_targets if chosen(by_id[key].subject)]
    if part.number == 1:
        roots += by_id.keys() - _with_needs(by_id, on_targets) - waiting
    return _part(plan, by_id, _with_needs(by_id, roots), waiting, chosen, ())


def _waiting_for_computers(by_id: t.Mapping[str, Step]) -> set[str]:
    """The IDs of steps that may have to wait for computers of several slices: those of policies, and deletions."""
    computers = {key for key, step in by_id.items() if step.subject.type == "computer"}
    waiting = {key for key, step in by_id.items() if step.action == DELETE}
    waiting |= {
        key for key, step in by_id.items() if step.subject.type == "policy" and not computers.isdisjoint(step.needs)
    }
    # Add all steps that need one of them.
    while more := {key for key, step in by_id.items() if key not in waiting and not waiting.isdisjoint(step.needs)}:
        waiting |= more
    return waiting


def _part(
    plan: Plan,
    by_id: t.Mapping[str, Step],
    ids: t.Container[str],
    later: t.Container[str],
    chosen: Chosen,
    told: t.Iterable[str],
) -> Plan:
    return plan._replace(
        steps=tuple(step for key, step in by_id.items() if key in ids),
        refusals=tuple(refusal for refusal in plan.refusals if chosen(refusal.subject)),
        targets=[target for target in plan.targets if chosen(subject_of(target))],
        warnings=(*plan.warnings, *told),
        left_alone=plan.left_alone and tuple(one for one in plan.left_alone if chosen(one.subject)),
        undeclared=None if plan.undeclared is None else tuple(step for step in plan.undeclared if chosen(step.subject)),
        # Targets that are not in this part are still targets of the document.
        scope=plan.scope.union(target.identity for target in plan.targets),
        later=(*(plan.later or ()), *(step for key, step in by_id.items() if key in later)),
    )


def _with_needs(by_id: t.Mapping[str, Step], roots: t.Iterable[str]) -> set[str]:
    """The IDs of these steps, and of all that must have succeeded before them."""
    taken = set(roots)
    return taken | needed_by((by_id[number] for number in taken), by_id)


def _told_of_shared(by_id: t.Mapping[str, Step], part: t.Container[str]) -> list[str]:
    changed = [
        step.subject.label
        for key, step in by_id.items()
        if key in part and step.action == WRITE and step.subject.id is not None
    ]
    return [f"changes for all that have it, not only for the chosen targets: {enumerated(changed)}"] if changed else []
