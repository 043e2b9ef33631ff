# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short texts of a task, whatever the size of the fleet: why it failed, and the part of its result that fits."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from itertools import islice, zip_longest

from .._basis.text import enumerated, in_json, one_line, shown
from .._facets.step import KINDS, Subject
from .._fleet.outcome import NOT_DONE, NOT_KNOWN, NOT_TRIED
from .apply import STOPPED

Result = t.Dict[str, t.Any]

# The states of steps, in the words of messages.
STATES = {NOT_DONE: "failed", NOT_KNOWN: "not known whether done", NOT_TRIED: "not tried"}

# The most characters of a result. Failed tasks print the whole result at any verbosity, other tasks with -v. For a
# failed task, Ansible prints at most 4,000 characters, including the message again and some lines of the playbook.
LONGEST_RESULT = 150_000
LONGEST_FAILED_RESULT = 3_000
_LONGEST_MESSAGE = 700
# The parts of the space that lists get.
_SHARES = (
    ("failed_targets", 0.8),
    ("left_alone", 0.8),
    ("plan", 0.8),
    ("undeclared", 0.8),
    ("objects", 0.8),
    ("changed_targets", 1.0),
)
# The most characters of a text in a shortened result.
_LONGEST_SUMMARY = 300
_LONGEST_REASON = 100
# The most targets that a message names for each reason, and the most failed targets in a shortened result.
_EXAMPLES = 3
_MOST_EXAMPLES = 1_000

# Made once, because a result can have thousands of names.
_encoded = json.JSONEncoder(default=str).encode


def failure_message(result: Result, check_mode: bool) -> str:
    """The message of a task with failed targets: equal reasons are counted together, the most frequent first.

    If the run stopped, the message begins with the reason and with what was not tried.
    """
    failed = result["failed_targets"]
    alike = _alike(failed)
    stopped = bool(alike) and STOPPED in alike[0][0]
    counts = {state: sum(one["state"] == state for one in failed) for state in STATES}
    of_all = ", ".join(
        f"{counts[state]} {STATES[state]}"
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
    """The entries by reason: first the reason why a run stopped, then the most frequent ones."""
    groups: dict[str, list[Result]] = {}
    for entry in failed:
        groups.setdefault(_of_any(entry), []).append(entry)
    return sorted(groups.items(), key=lambda group: (STOPPED not in group[0], -len(group[1])))


def _of_any(entry: Result) -> str:
    """A reason without the target's name and ID, so that reasons for different targets can be equal."""
    subject = Subject(entry["type"], entry.get("id"), entry["name"])
    noun = subject.kind.noun
    reason = _instead(str(entry["reason"]).replace(subject.label, noun), subject.name, "…")
    if subject.id is not None:
        # A bare number could be anything else.
        for before in ("/", "ID ", f"{noun} ", f"{noun.capitalize()} "):
            reason = _instead(reason, f"{before}{subject.id}", f"{before}…")
    return reason


def _instead(text: str, own: str, other: str) -> str:
    """The text with C(other) in place of C(own), except within longer words."""
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
    by_type = Counter(kind for kind, _id, _name in names)
    who = " and ".join(KINDS[kind].counted(count) for kind, count in by_type.items())
    return f"{who}: {one_line(reason, 300)} ({enumerated(list(names.values()), _EXAMPLES)})"


def shortened(result: Result, most: int) -> Result:
    """The result in at most C(most) characters of JSON. Lists are cut if necessary; C(counts) stay right.

    Failed targets: each reason gets one example before any reason gets another one.
    """
    # Warnings are printed separately from the result.
    short = {**result, "warnings": (), "diff": None}
    if length_of(short) <= most:
        return result
    short["truncated"] = True
    if "summary" in short:
        short["summary"] = in_json(short["summary"], _LONGEST_SUMMARY)
    if "failure" in short:
        short["failure"] = {**short["failure"], "message": in_json(short["failure"]["message"], 150)}
    lists = [name for name, _share in _SHARES if name in result]
    room = most - length_of({**short, **dict.fromkeys(lists, ())})
    for name, share in _SHARES:
        if name not in result:
            continue
        short[name], used = fitting(result[name], max(0, int(room * share)))
        if name == "failed_targets" and short[name] != result[name]:
            short[name], used = fitting(_examples(result[name]), max(0, int(room * share)))
        room -= used
    return {**short, **{name: result[name] for name in ("warnings", "diff") if name in result}}


def _examples(failed: t.Iterable[Result]) -> list[Result]:
    """One entry of each reason, then the next one of each, with their texts shortened."""
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


def fitting(items: list[Result], room: int) -> tuple[list[Result], int]:
    """The items that fit, and the space that they take. A group is shortened to fewer names before it is left out."""
    kept: list[Result] = []
    left = room
    for number, item in enumerate(items):
        # If there are many items, the first ones must not take the space of all others.
        share = max(left // max(1, min(len(items) - number, 20)), 200)
        item = _with_fewer_names(item, share) if "computers" in item else item
        length = length_of(item)
        if length > left:
            break
        kept.append(item)
        left -= length
    return kept, room - left


def _with_fewer_names(group: Result, room: int) -> Result:
    left = room - length_of({**group, "policies": [], "computers": []})
    cut: Result = {}
    for kind in ("policies", "computers"):
        kept = []
        for name in group[kind]:
            left -= length_of(name) + 2
            if left < 0:
                break
            kept.append(name)
        cut[kind] = kept
    return {**group, **cut}


def length_of(value: t.Any) -> int:
    return len(_encoded(value)) + 2
