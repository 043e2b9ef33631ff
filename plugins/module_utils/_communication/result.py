# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole trip: document, plan, writes, result. Nothing else writes to policies and computers."""

from __future__ import annotations

import gc
import json
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone
from difflib import unified_diff
from itertools import islice, zip_longest

from .._basis.text import enumerated, in_json, one_line, outline, shown
from .._facets.step import KINDS, Step, Subject
from .._fleet.fleet import Fleet
from .._fleet.outcome import ALL_DONE, DONE, KEPT, NOT_DONE, NOT_KNOWN, NOT_TRIED, Outcome
from .._manager.client import Client
from .apply import STOPPED, apply_plan
from .document import Document
from .groups import Group, counted, digest, grouped, is_on_target, outlines, summary
from .plan import Plan, make_plan
from .plan_file import PlanFile
from .reviewed import PlanChanged, Reviewed

Result = t.Dict[str, t.Any]

# Nobody reads a longer diff.
_GROUPS_IN_DIFF = 200
# What became of steps, in the words of messages.
_STATES = {NOT_DONE: "failed", NOT_KNOWN: "not known whether done", NOT_TRIED: "not tried"}

# The most characters of a result: a failed task prints all of it at any verbosity, others with -v. All that Ansible
# prints of a failed task are 4,000 characters or less, with the message once more and some lines of the playbook.
LONGEST_RESULT = 150_000
LONGEST_FAILED_RESULT = 3_000
_LONGEST_MESSAGE = 700
# How the room for lists is shared.
_SHARES = (("failed_targets", 0.8), ("plan", 0.8), ("undeclared", 0.8), ("objects", 0.8), ("changed_targets", 1.0))
# The most characters of texts in a result that is cut.
_LONGEST_SUMMARY = 300
_LONGEST_REASON = 100
# How many targets a message names for each reason, and how many failed targets a result that is cut has at most.
_EXAMPLES = 3
_MOST_EXAMPLES = 1_000


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


@dataclass(frozen=True)
class Terms:
    """What is agreed on a plan. reviewed: the one that may be carried out, C(None) for any. plan_file: where it is
    written to, with C(options), those of the document.
    """

    reviewed: Reviewed | None = None
    plan_file: str | None = None
    options: t.Mapping[str, t.Any] = field(default_factory=dict)


def converge(client: Client, document: Document, run: Run, terms: Terms | None = None) -> Result:
    """Bring the manager to the document, or in check mode say what that would change, and return the task's result.

    The result has C(failed_targets); a task with any has failed, but everything else of it is done. Of a run that stopped
    they include what was not tried.
    Where the plan that comes out is not the reviewed one, the result has C(msg), and nothing is written.
    Raises C(OptionError), C(ManagerError) and C(PlanFileError) when nothing could be planned, and nothing was written.
    """
    terms = terms or Terms()
    fleet = Fleet(client)
    plan = make_plan(fleet, document)
    if terms.reviewed:
        try:
            terms.reviewed.check(plan)
        except PlanChanged as changed:
            return {**_changed(changed, run), "requests": _requests(client)}
    if terms.plan_file:
        # Before the first write, so that it tells what was begun, whatever becomes of it.
        made = PlanFile(client.transport.url, _now(), terms.options, plan.steps, plan.refusals, _undeclared(plan))
        made.write(terms.plan_file, client.transport.shows_key)
    spelling = fleet.spelling
    # What was read of a large fleet takes much memory, and what follows needs none of it. Its parts know each other, so
    # that only a collection frees them.
    del fleet
    gc.collect()
    if run.check_mode:
        outcomes: t.Sequence[Outcome] = [ALL_DONE] * len(plan.steps)
    else:
        outcomes = apply_plan(plan.steps, client, spelling, concurrency=run.concurrency, stop_after=run.stop_after)
    result = _result(plan, outcomes, run)
    if terms.plan_file:
        result["plan_file"] = terms.plan_file
    result["requests"] = _requests(client)
    return result


def _requests(client: Client) -> Result:
    return {"sent": client.transport.requests_sent, "writes": client.transport.writes_sent}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _changed(error: PlanChanged, run: Run) -> Result:
    """The result of a task that wrote nothing, since its plan is not the reviewed one."""
    sides: dict[str, list[t.Any]] = {}
    texts: dict[str, str] = {}
    truncated = {}
    room = LONGEST_FAILED_RESULT // 4
    for name, steps in (("no_longer", error.no_longer or ()), ("new", error.new)):
        groups = grouped(step for step in steps if is_on_target(step))
        objects = [step for step in steps if not is_on_target(step)]
        items = [group.as_dict() for group in groups] + [_object(step) for step in objects]
        sides[name] = items if run.list_targets else _fitting(items, room)[0]
        if sides[name] != items:
            truncated = {"truncated": True}
        labels = {step.subject.label: step.why for step in objects[:_GROUPS_IN_DIFF]}
        texts[name] = outline({**labels, **_transitions(groups[:_GROUPS_IN_DIFF])})
    reviewed, now = (texts[name].splitlines() for name in ("no_longer", "new"))
    lines = unified_diff(reviewed, now, "reviewed plan", "plan now", lineterm="")
    # Ansible shows no diff of a task that fails, so that it is among the values, too.
    for line in lines:
        room -= _length(line)
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
    """What each set of targets has and gets, for a diff between plans."""
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
    if plan.undeclared is not None:
        result["undeclared"] = _undeclared(plan)
    if run.list_targets:
        result["unchanged_targets"].update(
            policies=[shown(subject.name) for subject in unchanged if subject.type == "policy"],
            computers=[shown(subject.name) for subject in unchanged if subject.type == "computer"],
        )
    return result


def _undeclared(plan: Plan) -> list[Result]:
    return [group.as_dict() for group in grouped(plan.undeclared or ())]


def failure_message(result: Result, check_mode: bool) -> str:
    """What to say of a task some of whose targets failed: equal reasons counted together, most frequent first.

    Where the run stopped, why and before what comes first.
    """
    failed = result["failed_targets"]
    alike = _alike(failed)
    stopped = bool(alike) and STOPPED in alike[0][0]
    counts = {state: sum(one["state"] == state for one in failed) for state in _STATES}
    of_all = ", ".join(
        f"{counts[state]} {_STATES[state]}"
        for state in sorted(counts, key=lambda state: state != NOT_TRIED)
        if counts[state]
    )
    if check_mode:
        told = f"{len(failed)} of the targets, rules and lists would fail."
    elif counts[NOT_TRIED] or counts[NOT_KNOWN]:
        told = f"{'The run stopped. ' if stopped else ''}Of the targets, rules and lists, {of_all}."
    else:
        told = f"Of the targets, rules and lists, {of_all}; all others are done."
    for number, (reason, entries) in enumerate(alike):
        more = f" Other reasons: {len(alike) - number}."
        sentence = f" {_sentence(reason, entries)}."
        if number and len(told + sentence + more) > _LONGEST_MESSAGE:
            told += more
            break
        told += sentence
    return in_json(told, _LONGEST_MESSAGE)


def _alike(failed: t.Iterable[Result]) -> list[tuple[str, list[Result]]]:
    """The entries of each reason: first that of a run that stopped, then the most frequent ones."""
    groups: dict[str, list[Result]] = {}
    for entry in failed:
        groups.setdefault(_of_any(entry), []).append(entry)
    return sorted(groups.items(), key=lambda group: (STOPPED not in group[0], -len(group[1])))


def _of_any(entry: Result) -> str:
    """A reason without the name and the ID of the target, so that equal ones are seen to be equal."""
    subject = Subject(entry["type"], entry.get("id"), entry["name"])
    noun = subject.kind.noun
    reason = _instead(str(entry["reason"]).replace(subject.label, noun), subject.name, "…")
    if subject.id is not None:
        # The number alone could be anything else as well.
        for before in ("/", "ID ", f"{noun} ", f"{noun.capitalize()} "):
            reason = _instead(reason, f"{before}{subject.id}", f"{before}…")
    return reason


def _instead(text: str, own: str, other: str) -> str:
    """The text with the other in place of its own words, where they are no part of longer ones."""
    if not own or own not in text:
        return text
    first, *parts = text.split(own)
    for part in parts:
        inside = part[:1].isalnum() or (own[0].isalnum() and first[-1:].isalnum())
        first += (own if inside else other) + part
    return first


def _sentence(reason: str, entries: t.Sequence[Result]) -> str:
    names = {(one["type"], one.get("id"), one["name"]): shown(one["name"], 60) for one in entries}
    if len(entries) == 1:
        (one,) = entries
        return f"{KINDS[one['type']].noun} '{shown(one['name'], 60)}': {one_line(one['reason'], 300)}"
    by_noun: dict[str, int] = {}
    for kind, _id, _name in names:
        by_noun[KINDS[kind].noun] = by_noun.get(KINDS[kind].noun, 0) + 1
    who = " and ".join(f"{count} {_plural(noun) if count > 1 else noun}" for noun, count in by_noun.items())
    return f"{who}: {one_line(reason, 300)} ({enumerated(list(names.values()), _EXAMPLES)})"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def shortened(result: Result, most: int) -> Result:
    """The result in at most so many characters of JSON, with lists cut where that is needed; C(counts) stay right.

    Of failed targets, there are examples of each reason before there are more of one.
    """
    # Warnings are printed apart from the result.
    short = {**result, "warnings": (), "diff": None}
    if _length(short) <= most:
        return result
    short["truncated"] = True
    if "summary" in short:
        short["summary"] = in_json(short["summary"], _LONGEST_SUMMARY)
    if "failure" in short:
        short["failure"] = {**short["failure"], "message": in_json(short["failure"]["message"], 150)}
    lists = [name for name, _share in _SHARES if name in result]
    room = most - _length({**short, **dict.fromkeys(lists, ())})
    for name, share in _SHARES:
        if name not in result:
            continue
        short[name], used = _fitting(result[name], max(0, int(room * share)))
        if name == "failed_targets" and short[name] != result[name]:
            short[name], used = _fitting(_examples(result[name]), max(0, int(room * share)))
        room -= used
    return {**short, **{name: result[name] for name in ("warnings", "diff") if name in result}}


def _examples(failed: t.Iterable[Result]) -> list[Result]:
    """One of each reason, then the next of each, with their texts cut."""
    in_turn = zip_longest(*(entries for _reason, entries in _alike(failed)))
    entries = (entry for turn in in_turn for entry in turn if entry is not None)
    return [_with_less_text(entry) for entry in islice(entries, _MOST_EXAMPLES)]


def _with_less_text(entry: Result) -> Result:
    failure = entry.get("failure")
    return {
        **entry,
        "name": in_json(entry["name"], 60),
        "reason": in_json(entry["reason"], _LONGEST_REASON),
        **({"failure": {**failure, "message": in_json(failure["message"], 30)}} if failure else {}),
    }


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
