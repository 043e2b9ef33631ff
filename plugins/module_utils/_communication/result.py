# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole process: document, plan, writes, result. Nothing else writes to policies and computers."""

from __future__ import annotations

import gc
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from difflib import unified_diff
from operator import attrgetter

from .._basis.interpreter import fit_for_fleets, give_back
from .._basis.text import outline, shown
from .._facets.facet import subject_of
from .._facets.step import KINDS, Step, Subject
from .._fleet.fleet import LARGE, Fleet
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outcome import ALL_DONE, DONE, KEPT, NOT_DONE, NOT_TRIED, Outcome
from .._manager.client import Client
from .apply import apply_plan
from .cut import part_of
from .document import Document
from .groups import Group, counted, digest, grouped, is_on_target, outlines, summary
from .plan import Plan, make_plan
from .short import LONGEST_FAILED_RESULT, STATES, Result, fitting, length_of

if t.TYPE_CHECKING:
    from .plan_file import PlanFile
    from .reviewed import PlanChanged, Reviewed

# Nobody reads a longer diff.
_GROUPS_IN_DIFF = 200

# The most rules and lists to name that another run must write or delete.
_OBJECTS_NAMED = 20


class Run(t.NamedTuple):
    """How to bring a manager to a document.

    concurrency: requests at once. stop_after: after this many equal refusals in a row, nothing more is written; 0 means
    never. list_targets: whether targets that are already as declared are named, too.
    """

    check_mode: bool = False
    concurrency: int = 8
    stop_after: int = 10
    list_targets: bool = False


@dataclass(frozen=True)
class Terms:
    """Conditions for a plan. reviewed: the only plan that may be carried out, C(None) for any. of_whole: whether the
    reviewed plan is the whole document's, of which only a part is carried out. plan_file: where to write the plan, with
    C(options), the document's options. undoes: another plan; only what that plan has written is undone.
    """

    reviewed: Reviewed | None = None
    of_whole: bool = False
    plan_file: str | None = None
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    undoes: PlanFile | None = None


def converge(client: Client, document: Document, run: Run, terms: Terms | None = None) -> Result:
    """Bring the manager to the document, or in check mode say what would change. Returns the task's result.

    The result has C(failed_targets). If there are any, the task has failed, but all other targets are done. If a run
    stopped, they include the targets that were not tried. If the plan is not the reviewed one, the result has C(msg),
    and nothing is written. Raises C(OptionError), C(ManagerError) and C(FileError) if no plan could be made; nothing is
    written then.
    """
    terms = terms or Terms()
    fleet = Fleet(client)
    with fit_for_fleets():
        plan = make_plan(fleet, document)
    if terms.undoes:
        plan = _undone(plan, terms.undoes, fleet)
    if not terms.of_whole:
        plan = part_of(plan, document)
    done_before = 0
    if terms.reviewed:
        # Imported here, as elsewhere in this file, because only few tasks have a plan in a file.
        from .reviewed import PlanChanged, known_to, standing

        try:
            done_before = terms.reviewed.check(plan, standing(fleet), known_to(fleet))
        except PlanChanged as changed:
            return {**_changed(changed, run), "requests": client.transport.requests}
    if terms.of_whole:
        plan = part_of(plan, document)
    if terms.plan_file:
        from .plan_file import PlanFile

        # Before the first write, so that the file says what was begun, however the run ends.
        made = PlanFile(client.transport.url, _now(), terms.options, plan.steps, plan.refusals, _undeclared(plan))
        made.write(terms.plan_file, client.transport.shows_key)
    spelling = fleet.spelling
    # A large fleet takes much memory, and the rest of the run does not need it. Its objects refer to each other, so
    # only a garbage collection frees them. For small fleets that would take longer than it is worth.
    is_large = len(fleet.computers) >= LARGE
    del fleet
    if plan.steps and is_large:
        gc.collect()
        give_back()
    if run.check_mode:
        outcomes: t.Sequence[Outcome] = [ALL_DONE] * len(plan.steps)
    else:
        outcomes = apply_plan(plan.steps, client, spelling, concurrency=run.concurrency, stop_after=run.stop_after)
    result = _result(plan, outcomes, run)
    if plan.later is not None:
        result["later"] = _later(plan.later)
        options = " and ".join(name for name, given in (("slice", document.part), ("only", document.only)) if given)
        told = f"{len(plan.later)} steps are" if len(plan.later) != 1 else "1 step is"
        result["summary"] += f"; {told} left to a run without {options}" if plan.later else ""
    if done_before and plan.steps:
        steps = (
            "1 step of the reviewed plan was" if done_before == 1 else f"{done_before} steps of the reviewed plan were"
        )
        result["summary"] += f"; {steps} done before"
    if terms.plan_file:
        result["plan_file"] = terms.plan_file
    result["requests"] = client.transport.requests
    return result


def _undone(plan: Plan, undoes: PlanFile, fleet: Fleet) -> Plan:
    from .reviewed import standing
    from .undo import undone

    return undone(plan, undoes.steps, standing(fleet))


def _later(steps: t.Sequence[Step]) -> Result:
    objects = [step.subject.label for step in steps if not is_on_target(step)]
    targets = {step.subject[:2] for step in steps if is_on_target(step)}
    named = objects[:_OBJECTS_NAMED]
    return {"steps": len(steps), "targets": len(targets), "objects": named, "objects_count": len(objects)}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _changed(error: PlanChanged, run: Run) -> Result:
    """The result of a task that wrote nothing, because its plan is not the reviewed one."""
    sides: dict[str, list[t.Any]] = {}
    texts: dict[str, str] = {}
    truncated = {}
    room = LONGEST_FAILED_RESULT // 4
    for name, steps in (("no_longer", error.no_longer or ()), ("new", error.new)):
        groups = grouped(step for step in steps if is_on_target(step))
        objects = [step for step in steps if not is_on_target(step)]
        items = [group.as_dict() for group in groups] + [_object(step) for step in objects]
        sides[name] = items if run.list_targets else fitting(items, room)[0]
        if sides[name] != items:
            truncated = {"truncated": True}
        labels = {step.subject.label: step.why for step in objects[:_GROUPS_IN_DIFF]}
        texts[name] = outline({**labels, **_transitions(groups[:_GROUPS_IN_DIFF])})
    reviewed, now = (texts[name].splitlines() for name in ("no_longer", "new"))
    lines = unified_diff(reviewed, now, "reviewed plan", "plan now", lineterm="")
    # Ansible shows no diff for failed tasks, so the diff is also among the values.
    for line in lines:
        room -= length_of(line)
        if room < 0 and not run.list_targets:
            truncated = {"truncated": True}
            break
        sides.setdefault("diff", []).append(line)
    return {
        "changed": False,
        "msg": str(error),
        "failure": error.as_failure(),
        "digest": error.digest,
        "plan_changes": sides,
        **truncated,
        "diff": {"before": texts["no_longer"], "after": texts["new"]},
    }


def _transitions(groups: t.Sequence[Group]) -> Result:
    """The old and new values of each set of targets, for a diff between plans."""
    before, after = outlines(groups)
    return {
        heading: {
            facet: {option: f"{held} -> {after[heading][facet][option]}" for option, held in options.items()}
            for facet, options in facets.items()
        }
        for heading, facets in before.items()
    }


def _result(plan: Plan, outcomes: t.Sequence[Outcome], run: Run) -> Result:
    done = [step for step, outcome in zip(plan.steps, outcomes) if outcome.state == DONE and outcome.written]
    groups = grouped(step for step in done if is_on_target(step))
    objects = [step for step in done if not is_on_target(step)]
    changed = dict.fromkeys(sorted({subject for group in groups for subject in group.subjects}, key=_order))
    failures = _failures(plan, outcomes)
    failed = {subject for subject, _failure in failures}
    waiting = _waiting(plan)
    gone = waiting.union(subject[:2] for subject in (*changed, *failed))
    unchanged = plan.targets
    if gone:
        unchanged = [target for target in unchanged if target.identity not in gone]
    before, after = outlines(groups[:_GROUPS_IN_DIFF])
    if len(groups) > _GROUPS_IN_DIFF:
        before["more changes"] = after["more changes"] = f"{len(groups) - _GROUPS_IN_DIFF}, see plan"
    shared = {step.subject.label: _sides(step) for step in objects}
    told = [f"{'would change' if run.check_mode else 'changed'} {summary(groups)}"] if groups else []
    told += [f"{len(objects)} rules or lists made, changed or deleted"] if objects else []
    told += [f"{_counted(unchanged)} as declared"] if unchanged and plan.left_alone is None else []
    told += [f"{len(plan.left_alone or ())} left alone, as somebody else has changed them since"]
    told += [f"{sum(failure['state'] == state for _one, failure in failures)} {word}" for state, word in STATES.items()]
    more = len(plan.undeclared or ())
    told += [f"{more} {'override that is' if more == 1 else 'overrides that are'} not declared"]
    result: Result = {
        "changed": bool(done),
        "summary": "; ".join(part for part in told if not part.startswith("0 ")) or "nothing to do",
        "plan": [group.as_dict() for group in groups],
        "digest": digest(plan.steps, plan.refusals),
        "objects": [_object(step) for step in objects],
        "counts": {"changed": len(changed), "unchanged": len(unchanged), "failed": len(failures)},
        "changed_targets": [subject.reference for subject in changed],
        "unchanged_targets": {"count": len(unchanged)},
        "failed_targets": [{**subject.reference, **failure} for subject, failure in failures],
        "warnings": list(plan.warnings),
        "diff": {
            "before": outline({**{label: sides[0] or "absent" for label, sides in shared.items()}, **before}),
            "after": outline({**{label: sides[1] or "absent" for label, sides in shared.items()}, **after}),
        },
    }
    if plan.left_alone is not None:
        result["left_alone"] = [
            {**one.subject.reference, "facet": one.facet, "reason": one.reason} for one in plan.left_alone
        ]
        result["counts"]["left_alone"] = len(plan.left_alone)
    if plan.undeclared is not None:
        result["undeclared"] = _undeclared(plan)
    if run.list_targets:
        result["unchanged_targets"].update(
            policies=[shown(target.name) for target in unchanged if isinstance(target, Policy)],
            computers=[shown(target.name) for target in unchanged if isinstance(target, Computer)],
        )
    return result


def _undeclared(plan: Plan) -> list[Result]:
    return [group.as_dict() for group in grouped(plan.undeclared or ())]


def _waiting(plan: Plan) -> set[tuple[str, int]]:
    """The targets that are to inherit from policies what is left to another run."""
    later = {step.id for step in plan.later or ()} if plan.relying else ()
    return {target.identity for targets, step in plan.relying if step in later for target in targets}


def _failures(plan: Plan, outcomes: t.Sequence[Outcome]) -> list[tuple[Subject, Result]]:
    """What was not done, or may not be done: one entry for each target, rule or list, facet and state."""
    entries: dict[tuple[Subject, str | None, str], list[tuple[str, t.Any]]] = {}
    for refusal in plan.refusals:
        entries.setdefault((refusal.subject, refusal.facet, NOT_DONE), []).append((refusal.reason, None))
    lost: dict[str, Step] = {}
    for step, outcome in zip(plan.steps, outcomes):
        if outcome.state not in (DONE, KEPT):
            lost[step.id] = step
            facet = step.facet if is_on_target(step) else None
            failure = outcome.error and outcome.error.as_failure()
            entries.setdefault((step.subject, facet, outcome.state), []).append((outcome.reason, failure))
    for targets, needed in plan.relying if lost else ():
        if needed in lost:
            step = lost[needed]
            reason = f"not as declared, since this is to be inherited and failed: {step.words}"
            for target in targets:
                entries.setdefault((subject_of(target), step.facet, NOT_TRIED), []).append((reason, None))
    return [
        (
            subject,
            {
                "facet": facet,
                "state": state,
                "reason": "; ".join(dict.fromkeys(reason for reason, _failure in met)),
                "failure": next((failure for _reason, failure in met if failure), None),
            },
        )
        for (subject, facet, state), met in entries.items()
    ]


def _object(step: Step) -> Result:
    before, after = _sides(step)
    return {**step.subject.reference, "before": before, "after": after, "why": step.why}


def _sides(step: Step) -> tuple[Result | None, Result | None]:
    """The changing fields of a rule or list before and after, with the lists of a rule by name."""
    before, after = step.before, step.after
    if after:
        after = {key: _by_name(value) for key, value in after.items() if before is None or key in before}
    return before, after


def _by_name(value: t.Any) -> t.Any:
    return f"{KINDS[value['type']].noun} '{shown(value['name'])}'" if isinstance(value, dict) else value


def _counted(targets: t.Iterable[Target]) -> str:
    return counted(Counter(map(attrgetter("kind.noun"), targets)))


def _order(subject: Subject) -> tuple[bool, int]:
    return subject.type != "policy", subject.id or 0
