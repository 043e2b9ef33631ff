# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that only differ in their target, counted together. People read plans of any size in this form."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from .._basis.text import enumerated, in_words, shown
from .._facets.step import HERE, KINDS, Effective, Refusal, Step, Subject

# The most targets of a group that a diff names.
_NAMED = 3

DIGEST_LENGTH = 16

# Made once, because a plan can have hundreds of thousands of steps.
_encoded = json.JSONEncoder(sort_keys=True).encode


@dataclass
class Group:
    """Equal steps. The first one represents all of them; C(subjects) are their targets, policies before computers."""

    step: Step
    subjects: list[Subject] = field(default_factory=list)

    @property
    def option(self) -> str:
        """What changes, in the words of the options."""
        return self.step.key or self.step.subject.type

    def names(self, type_of_target: str) -> list[str]:
        """The names of the targets of one type."""
        return [shown(subject.name) for subject in self.subjects if subject.type == type_of_target]

    def as_dict(self) -> dict[str, t.Any]:
        """The group for a task's result."""
        step = self.step
        effective = step.effective_before
        return {
            "facet": step.facet,
            "option": shown(self.option),
            "before": _safe(step.before),
            "effective_before": effective and {"value": _safe(effective.value), "source": shown(effective.source)},
            "after": _safe(step.after),
            "why": shown(step.why),
            "policies": self.names("policy"),
            "computers": self.names("computer"),
            "count": len(self.subjects),
        }


def grouped(steps: t.Iterable[Step]) -> list[Group]:
    """The groups of steps on targets, in the order of their first steps."""
    groups: dict[tuple[t.Any, ...], Group] = {}
    for step in steps:
        key = (step.facet, step.key, step.before, step.effective_before, step.after, step.why)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(step)
        group.subjects.append(step.subject)
    for group in groups.values():
        group.subjects.sort(key=lambda subject: (subject.type != "policy", subject.id or 0))
    return list(groups.values())


def digest(steps: t.Iterable[Step], refusals: t.Iterable[Refusal] = ()) -> str:
    """The short name of a plan's steps and refusals. It is equal for equal plans, whatever the order of their steps."""
    whole = hashlib.sha256()
    for part in sorted(hashlib.sha256(one.encode()).digest() for one in essence(steps, refusals)):
        whole.update(part)
    return whole.hexdigest()[:DIGEST_LENGTH]


def essence(steps: t.Iterable[Step], refusals: t.Iterable[Refusal] = ()) -> t.Iterator[str]:
    """The essential content of a plan: one text for each step, then one for each refusal.

    It leaves out what follows from this content, such as reasons and the order of writing, and what a manager may
    return differently each time, such as the order of a list, and unknown fields.
    """
    for step in steps:
        sides = step.before, step.after
        if not is_on_target(step):
            sides = known_fields(step, step.before), known_fields(step, step.after)
        yield _encoded([step.id, step.subject.id, step.object_id, step.effective_before, *sides])
    for refusal in refusals:
        # Without the reason, which may name many objects in any order.
        yield json.dumps(["refused", refusal.subject.type, refusal.subject.id, refusal.facet])


def known_fields(step: Step, fields: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """The known fields of a rule or list, with lists in a fixed order."""
    known = step.subject.kind.fields
    return fields and {
        name: sorted(value, key=str) if isinstance(value, list) else value
        for name, value in fields.items()
        if name in known
    }


def summary(groups: t.Sequence[Group], most: int = 10) -> str:
    """One line: for each facet, what changes to what, and for how many targets."""
    counts: dict[str, dict[str, int]] = {}
    for group in groups:
        change = f"{group.step.facet}: {shown(group.option, 100)} {shown(in_words(group.step.after), 100)}"
        by_type = counts.setdefault(change, {})
        for subject in group.subjects:
            by_type[subject.type] = by_type.get(subject.type, 0) + 1
    return enumerated([f"{change} for {counted(by_type)}" for change, by_type in counts.items()], most)


def counted(by_type: t.Mapping[str, int]) -> str:
    """Numbers of policies and computers in words."""
    words = [KINDS[one].counted(by_type[one]) for one in ("policy", "computer") if by_type.get(one)]
    return " and ".join(words) or "no target"


def outlines(groups: t.Iterable[Group]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Before and after for a diff: a heading for each set of targets, and below it the changes for all of them."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for group in groups:
        step, heading = group.step, _heading(group.subjects)
        held = f"{in_words(step.before)}{_effective(step)}"
        before.setdefault(heading, {}).setdefault(step.facet, {})[group.option] = held
        after.setdefault(heading, {}).setdefault(step.facet, {})[group.option] = in_words(step.after)
    return before, after


def _heading(subjects: list[Subject]) -> str:
    if len(subjects) <= _NAMED:
        return ", ".join(subject.label for subject in subjects)
    by_type: dict[str, int] = {}
    for subject in subjects:
        by_type[subject.type] = by_type.get(subject.type, 0) + 1
    named = ", ".join(subject.label for subject in subjects[:_NAMED])
    return f"{counted(by_type)} ({named} and {len(subjects) - _NAMED} more)"


def _effective(step: Step) -> str:
    effective = step.effective_before
    if not isinstance(effective, Effective) or effective.source == HERE:
        return ""
    if effective.value is None:
        return " (effective: not reported by the manager)"
    return f" (effective: {in_words(effective.value)}, from the {effective.source})"


def _safe(value: t.Any) -> t.Any:
    """A value of a setting, made safe for a result, because a manager may return any text."""
    return shown(value, 200) if isinstance(value, str) else value


def is_on_target(step: Step) -> bool:
    """Whether a step writes to a target, not to a rule or list."""
    return step.subject.type in ("policy", "computer")
