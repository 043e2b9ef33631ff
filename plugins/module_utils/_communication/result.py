# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole trip: document, plan, writes, result. Nothing else writes to policies and computers."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._basis.text import enumerated, one_line, outline, shown
from .._facets.step import KINDS, Step, Subject
from .._fleet.fleet import Fleet
from .._fleet.outcome import ALL_DONE, DONE, KEPT, NOT_DONE, NOT_KNOWN, NOT_TRIED, Outcome
from .._manager.client import Client
from .apply import apply_plan
from .document import Document
from .groups import counted, digest, grouped, is_on_target, outlines, summary
from .plan import Plan, make_plan

Result = t.Dict[str, t.Any]

# Nobody reads a longer diff.
_GROUPS_IN_DIFF = 200
# What became of steps, in the words of messages.
_STATES = {NOT_DONE: "failed", NOT_KNOWN: "not known whether done", NOT_TRIED: "not tried"}

# The most characters of a result: a failed task prints all of it at any verbosity, others with -v.
LONGEST_RESULT = 150_000
LONGEST_FAILED_RESULT = 3_600
# How the room for lists is shared.
_SHARES = (("failed_targets", 0.5), ("plan", 0.8), ("objects", 0.8), ("changed_targets", 1.0))


@dataclass(frozen=True)
class Run:
    """How to bring a manager to a document.

    concurrency: requests under way at once. stop_after: after so many equal refusals in a row nothing more is written,
    0 is never. list_targets: whether the targets that are as declared are named, too.
    """

    check_mode: bool = False
    concurrency: int = 8
    stop_after: int = 10
    list_targets: bool = False


def converge(client: Client, document: Document, run: Run) -> Result:
    """Bring the manager to the document, or in check mode say what that would change, and return the task's result.

    The result has C(failed_targets); a task with any has failed, but everything else of it is done.
    Raises C(OptionError) and C(ManagerError) when nothing could be planned, and so nothing was written.
    """
    fleet = Fleet(client)
    plan = make_plan(fleet, document)
    if run.check_mode:
        outcomes: t.Sequence[Outcome] = [ALL_DONE] * len(plan.steps)
    else:
        outcomes = apply_plan(
            plan.steps, client, fleet.spelling, concurrency=run.concurrency, stop_after=run.stop_after
        )
    result = _result(plan, outcomes, run)
    result["requests"] = {"sent": client.transport.requests_sent, "writes": client.transport.writes_sent}
    return result


def _result(plan: Plan, outcomes: t.Sequence[Outcome], run: Run) -> Result:
    done = [step for step, outcome in zip(plan.steps, outcomes) if outcome.state == DONE and outcome.written]
    groups = grouped(step for step in done if is_on_target(step))
    objects = [step for step in done if not is_on_target(step)]
    changed = dict.fromkeys(sorted({subject for group in groups for subject in group.subjects}, key=_order))
    failures = _failures(plan, outcomes)
    failed = {subject for subject, _failure in failures}
    unchanged = [subject for subject in plan.targets if subject not in changed and subject not in failed]
    before, after = outlines(groups[:_GROUPS_IN_DIFF])
    if len(groups) > _GROUPS_IN_DIFF:
        before["more changes"] = after["more changes"] = f"{len(groups) - _GROUPS_IN_DIFF}, see plan"
    shared = {step.subject.label: _sides(step) for step in objects}
    told = [f"{'would change' if run.check_mode else 'changed'} {summary(groups)}"] if groups else []
    told += [f"{len(objects)} rules or lists made, changed or deleted"] if objects else []
    told += [f"{_counted(unchanged)} as declared"] if unchanged else []
    told += [
        f"{sum(failure['state'] == state for _one, failure in failures)} {word}" for state, word in _STATES.items()
    ]
    result: Result = {
        "changed": bool(done),
        "summary": "; ".join(part for part in told if not part.startswith("0 ")) or "nothing to do",
        "plan": [group.as_dict() for group in groups],
        "digest": digest(plan.steps),
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
    if run.list_targets:
        result["unchanged_targets"].update(
            policies=[shown(subject.name) for subject in unchanged if subject.type == "policy"],
            computers=[shown(subject.name) for subject in unchanged if subject.type == "computer"],
        )
    return result


def failure_message(result: Result, check_mode: bool) -> str:
    """One sentence for a task some of whose targets failed."""
    failed = result["failed_targets"]
    states = [f"{sum(one['state'] == state for one in failed)} {word}" for state, word in _STATES.items()]
    of_all = ", ".join(part for part in states if not part.startswith("0 "))
    first = [f"{one['type']} '{one.get('name', one.get('id'))}': {one_line(one['reason'], 300)}" for one in failed]
    if check_mode:
        whole = f"{len(failed)} of the targets, rules and lists would fail"
    else:
        whole = f"Of the targets, rules and lists, {of_all}; the others are done"
    return f"{whole}. {enumerated(first, most=3)}"


def shortened(result: Result, most: int) -> Result:
    """The result in at most so many characters of JSON, with lists cut where that is needed; C(counts) stay right."""
    lists = [name for name, _share in _SHARES]
    rest = {**result, **dict.fromkeys(lists, ()), "diff": None, "truncated": True}
    room = most - _length(rest)
    short = dict(result)
    for name, share in _SHARES:
        short[name], used = _fitting(result[name], max(0, int(room * share)))
        room -= used
    if any(len(short[name]) < len(result[name]) for name in lists) or _names(short) < _names(result):
        short["truncated"] = True
    return short


def _names(result: Result) -> int:
    return sum(len(group["policies"]) + len(group["computers"]) for group in result["plan"])


def _fitting(items: list[Result], room: int) -> tuple[list[Result], int]:
    """As many of these as there is room for, and the room that they take; a group's names are cut before its place."""
    fitting: list[Result] = []
    left = room
    for number, item in enumerate(items):
        # The first ones of very many must not take the room of all others.
        share = max(left // max(1, min(len(items) - number, 20)), 200)
        item = _with_fewer_names(item, share) if "computers" in item else item
        length = _length(item)
        if length > left:
            break
        fitting.append(item)
        left -= length
    return fitting, room - left


def _with_fewer_names(group: Result, room: int) -> Result:
    left = room - _length({**group, "policies": [], "computers": []})
    cut: Result = {}
    for kind in ("policies", "computers"):
        kept = []
        for name in group[kind]:
            left -= _length(name) + 2
            if left < 0:
                break
            kept.append(name)
        cut[kind] = kept
    return {**group, **cut}


def _length(value: t.Any) -> int:
    return len(json.dumps(value, default=str)) + 2


def _failures(plan: Plan, outcomes: t.Sequence[Outcome]) -> list[tuple[Subject, Result]]:
    """What is not done, or not known to be: one entry for each target, rule or list, facet and state."""
    entries: dict[tuple[Subject, str | None, str], list[tuple[str, t.Any]]] = {}
    for refusal in plan.refusals:
        entries.setdefault((refusal.subject, refusal.facet, NOT_DONE), []).append((refusal.reason, None))
    for step, outcome in zip(plan.steps, outcomes):
        if outcome.state not in (DONE, KEPT):
            facet = step.facet if is_on_target(step) else None
            failure = outcome.error and outcome.error.as_failure()
            entries.setdefault((step.subject, facet, outcome.state), []).append((outcome.reason, failure))
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
    """A rule or list before and after, as far as it changes, with the lists of a rule by their names."""
    before, after = step.before, step.after
    if after:
        after = {key: _by_name(value) for key, value in after.items() if before is None or key in before}
    return before, after


def _by_name(value: t.Any) -> t.Any:
    return f"{KINDS[value['type']].noun} '{shown(value['name'])}'" if isinstance(value, dict) else value


def _counted(subjects: t.Iterable[Subject]) -> str:
    by_type: dict[str, int] = {}
    for subject in subjects:
        by_type[subject.type] = by_type.get(subject.type, 0) + 1
    return counted(by_type)


def _order(subject: Subject) -> tuple[bool, int]:
    return subject.type != "policy", subject.id or 0
