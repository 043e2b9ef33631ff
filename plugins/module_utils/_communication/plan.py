# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: the steps that bring the manager to the document's state, as a value. This module only reads."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._basis.text import enumerated, quoted
from .._facets.facet import Conflict, Facet, subject_of
from .._facets.step import SETTINGS, SHIELDS, Refusal, Step
from .._fleet.fleet import Fleet
from .._fleet.objects import Policy, Target
from .._fleet.outlook import Outlook
from .._fleet.targets import missing_told, resolve
from .._manager.progress import PLANNING
from .document import FLEET, KEEP, REMOVE, REPORT, TARGETS, Document

Wishes = t.Dict[Target, t.Any]

# The most contradicting profiles that an error names.
_NAMED_PROFILES = 3


class Plan(t.NamedTuple):
    """Steps by stage, then policies before computers by ID; what must be left alone; and each target once."""

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]
    targets: t.Sequence[Target]
    warnings: tuple[str, ...]
    # Steps that would remove undeclared overrides in the document's scope; C(None) if these are not to be reported.
    undeclared: tuple[Step, ...] | None = None
    # Type and ID of all targets in the document's scope, if these are more than its own targets.
    scope: frozenset[tuple[str, int]] = frozenset()
    # Type and ID of the targets that the document's C(only) chooses; C(None) without it.
    chosen: frozenset[tuple[str, int]] | None = None
    # The steps that a part of a plan leaves to another run; C(None) for a whole plan.
    later: tuple[Step, ...] | None = None
    # In an undo, the targets that somebody else has changed and that stay as they are; C(None) if this is not an undo.
    left_alone: tuple[Refusal, ...] | None = None
    # Groups of targets that only are as declared once the step with this ID is done on a policy above.
    relying: t.Sequence[tuple[t.Collection[Target], str]] = ()


def make_plan(fleet: Fleet, document: Document) -> Plan:
    """Read what the document needs, and work out what to change.

    Raises C(OptionError) for a target that cannot be found, and if two profiles contradict each other for a target.
    Raises C(ManagerError) if reading fails.
    """
    wishes, chosen, warnings = _wishes(fleet, document)
    targets = _each_once(wishes)
    undeclared: list[Step] = []
    scope: list[Target] = []

    def foresee(outlook: Outlook) -> None:
        for facet in document.facets:
            facet.foresee(outlook, wishes[facet.name])

    for facet in document.facets:
        if wishes[facet.name]:
            fleet.begin(facet.reads(fleet, wishes[facet.name]))
    if document.undeclared == KEEP:
        fleet.read_overrides(targets)
    else:
        scope = _scope(fleet, document, targets)
        fleet.read_overrides(scope)
        undeclared = _undeclared(Outlook(fleet), document, wishes, scope)
        targets = _each_once(wishes)
        warnings += [note for facet in document.facets for note in facet.notes()]
    # Not earlier: the outlook keeps groups of wishes, and only now all wishes are known.
    outlook = Outlook(fleet, foresee)
    steps: list[Step] = []
    refusals: list[Refusal] = []
    total = sum(map(len, wishes.values()))
    with fleet.client.transport.progress.stage(PLANNING, total=total) as stage:
        for facet in document.facets:
            for said in facet.steps(outlook, wishes[facet.name]):
                if isinstance(said, Refusal):
                    refusals.append(said)
                else:
                    steps.append(said)
            stage.advance(len(wishes[facet.name]))
    left_alone = {(refusal.facet, refusal.subject) for refusal in refusals}
    for facet in document.facets:
        kept = wishes[facet.name]
        if left_alone:
            kept = {one: wish for one, wish in kept.items() if (facet.name, subject_of(one)) not in left_alone}
        warnings += facet.warnings(outlook, kept)
    removed = {(step.facet, step.subject, step.key) for step in undeclared} if document.undeclared == REMOVE else ()
    return Plan(
        _in_order([_said_so(step) if (step.facet, step.subject, step.key) in removed else step for step in steps]),
        tuple(refusals),
        targets,
        tuple(warnings),
        tuple(undeclared) if document.undeclared == REPORT else None,
        frozenset(one.identity for one in scope) if document.undeclared == REMOVE else frozenset(),
        chosen,
        relying=outlook.relying,
    )


def _each_once(wishes: t.Mapping[str, Wishes]) -> list[Target]:
    # Facets mostly have wishes for the same targets. Merging dictionaries of the same keys takes little time.
    merged: dict[Target, t.Any] = {}
    for of_facet in wishes.values():
        merged.update(of_facet)
    return list(merged)


def _scope(fleet: Fleet, document: Document, targets: list[Target]) -> list[Target]:
    """All targets in the document's scope, each once."""
    if document.scope == FLEET:
        return list(dict.fromkeys([*fleet.policies.values(), *fleet.list_computers(), *targets]))
    named = {target.id for target in targets if isinstance(target, Policy)}
    if not named or document.scope == TARGETS:
        return targets
    within = named | fleet.policies_below(named)
    policies = [policy for policy in fleet.policies.values() if policy.id in within]
    computers = [computer for computer in fleet.list_computers() if computer.policy_id in within]
    return list(dict.fromkeys([*policies, *computers, *targets]))


def _undeclared(
    outlook: Outlook, document: Document, wishes: dict[str, Wishes], scope: t.Collection[Target]
) -> list[Step]:
    """The undeclared overrides of targets in the scope. If they are to be removed, this becomes a wish."""
    found: list[Step] = []
    for facet in document.facets:
        of_facet = wishes[facet.name]
        facet.learn(outlook.fleet, of_facet, document.undone)
        for target in scope:
            wish = of_facet.get(target)
            undeclared = facet.undeclared(outlook, target, wish)
            if undeclared is None:
                continue
            found += undeclared.steps
            if document.undeclared == REMOVE:
                _add(facet, of_facet, {target: undeclared.wish})
        if document.undeclared == REMOVE and document.undone:
            _add(facet, of_facet, facet.given_back(of_facet, scope, document.undone))
        if document.reviewed:
            _add(facet, of_facet, facet.leftovers(outlook, of_facet, [*of_facet, *scope], document.reviewed))
    return found


def _add(facet: Facet[t.Any], of_facet: dict[Target, t.Any], more: Wishes) -> None:
    """Add further wishes to those that a facet has."""
    for target, wish in more.items():
        of_facet[target] = facet.merge(of_facet[target], wish) if target in of_facet else wish


def _said_so(step: Step) -> Step:
    return step._replace(why=f"{step.why}, and the document does not declare it")


def _wishes(fleet: Fleet, document: Document) -> tuple[dict[str, Wishes], frozenset[tuple[str, int]] | None, list[str]]:
    """The wish for each target, by facet; the chosen targets; and remarks on targets that may be missing."""
    selectors = [profile.selector for profile in document.profiles]
    resolved = resolve(fleet, selectors if document.only is None else [*selectors, document.only])
    wishes: dict[str, Wishes] = {facet.name: {} for facet in document.facets}
    warnings = [*fleet.warnings, *([] if document.profiles else ["profiles is an empty list: nothing is declared"])]
    for profile, (targets, missing) in zip(document.profiles, resolved):
        warnings += missing_told(missing, f"profile {quoted(profile.name, 100)} is kept without")
        for facet in document.facets:
            if facet.name not in profile.wishes:
                continue
            wish, of_facet = profile.wishes[facet.name], wishes[facet.name]
            # Most profiles share no targets with other profiles.
            if of_facet.keys().isdisjoint(targets):
                of_facet.update(dict.fromkeys(targets, wish))
                continue
            for target in targets:
                other = of_facet.setdefault(target, wish)
                if other is not wish:
                    try:
                        of_facet[target] = facet.merge(other, wish)
                    except Conflict as conflict:
                        names = [one.name for one, found in zip(document.profiles, resolved) if target in found[0]]
                        raise _disagreement(target, names, conflict) from None
    if document.only is None:
        return wishes, None, warnings
    targets, missing = resolved[-1]
    warnings += missing_told(missing, "option 'only' is kept without")
    return wishes, frozenset(target.identity for target in targets), warnings


def _disagreement(target: Target, profiles: list[str], conflict: Conflict) -> OptionError:
    names = [quoted(name, 60) for name in profiles]
    row = " and ".join(names) if len(names) <= _NAMED_PROFILES else enumerated(names, _NAMED_PROFILES)
    return OptionError("profiles", row, f"they must agree on {target.label}: {conflict}")


def _in_order(steps: list[Step]) -> tuple[Step, ...]:
    """The steps sorted by stage. All settings of a target are one write, in the earliest stage of any of them."""
    shielding = {step.subject for step in steps if step.stage == SHIELDS}
    for number, step in enumerate(steps):
        if step.stage == SETTINGS and step.subject in shielding:
            steps[number] = step._replace(stage=SHIELDS)
    # Sorted by the least important key first, because each sort keeps the order of equal items. A single key of all
    # three would be a new object for each step, and there can be hundreds of thousands of steps.
    steps.sort(key=_number)
    steps.sort(key=lambda step: step.subject.type != "policy")
    steps.sort(key=lambda step: step.stage)
    return tuple(steps)


def _number(step: Step) -> int:
    # Rules and lists stay in the order of planning.
    return step.subject.id or 0 if step.subject.type in ("policy", "computer") else 0
