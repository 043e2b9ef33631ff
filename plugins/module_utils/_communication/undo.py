# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Undoes a plan: out of a plan back to the earlier state, takes the steps that revert what the plan has written.

Everything that the plan has not written stays as it is. What somebody else has set since then also stays, and is named.
For targets, this applies to the whole facet, because its parts belong together.
"""

from __future__ import annotations

import typing as t

from .._basis.text import in_words, shown
from .._facets.step import DELETE, WRITE, Refusal, Step, needed_by
from .groups import is_on_target
from .plan import Plan
from .reviewed import Stands

# The place that a step writes: type, ID or name, facet, and for targets the option or rule. The first three are a
# facet.
_Place = t.Tuple[t.Union[str, int, None], ...]

_CHANGED = "changed by somebody else since"


def undone(back: Plan, written: t.Sequence[Step], stands: Stands) -> Plan:
    """The part of the plan C(back) that undoes these steps of another plan, and the targets that it leaves alone.

    stands: tells whether a rule or list is as a step leaves it.
    """
    return _Undoing(back, written, stands).result()


class _Undoing:
    def __init__(self, back: Plan, written: t.Sequence[Step], stands: Stands) -> None:
        self._back, self._stands = back, stands
        self._written = {_place(step): step for step in written}
        self._facets = {place[:3] for place in self._written}
        self._changed = self._changed_facets()
        # Steps that are not taken. Steps that need one of them are not taken either.
        self._lost: dict[str, Step] = {}

    def result(self) -> Plan:
        taken: list[Step] = []
        left_alone: dict[_Place, Refusal] = {}
        # In a plan, a step comes after all steps that it needs.
        for step in self._back.steps:
            reason = self._why_not(step)
            if reason is None:
                taken.append(step)
                continue
            # An existing rule can be assigned unchanged.
            if step.action != WRITE:
                self._lost[step.id] = step
            if reason:
                left_alone.setdefault(_place(step)[:3], Refusal(step.subject, step.facet, reason))
        # A deleted rule is created again for the targets that get it back.
        needed = needed_by((step for step in taken if not _makes(step)), {step.id: step for step in self._back.steps})
        return self._back._replace(
            steps=tuple(step for step in taken if not _makes(step) or step.id in needed),
            refusals=tuple(one for one in self._back.refusals if (*one.subject[:2], one.facet) in self._facets),
            left_alone=tuple(left_alone.values()),
        )

    def _why_not(self, step: Step) -> str | None:
        """Why a step is not taken, empty if the plan has nothing to do with it; C(None) if it is taken."""
        place = _place(step)
        mine = self._written.get(place)
        if _makes(step):
            return None
        if is_on_target(step):
            if place[:3] in self._changed:
                return f"{_CHANGED}: {self._changed[place[:3]]}"
            if mine is None:
                return f"not written by the plan: {_said(step, step.before)}" if place[:3] in self._facets else ""
            if step.before == mine.before:
                return ""
        elif mine is None or (step.action == DELETE and not _makes(mine)):
            return ""
        elif mine.action == DELETE or not self._stands(mine):
            return f"{_CHANGED}: it is not as the plan left it"
        lost = next((self._lost[need] for need in step.needs if need in self._lost), None)
        return lost and f"it waits for what is left alone: {lost.words}"

    def _changed_facets(self) -> dict[_Place, str]:
        """The facets of targets that now have a value which the plan cannot have left there."""
        back = {_place(step): step for step in self._back.steps}
        changed: dict[_Place, str] = {}
        done: set[str] = set()
        on_targets = {step.id: (place, step) for place, step in self._written.items() if is_on_target(step)}
        for number, (place, step) in on_targets.items():
            # A place without a step back is as it was before the plan.
            now = back[place].before if place in back else step.before
            if now == step.after:
                done.add(number)
            elif now != step.before:
                changed.setdefault(place[:3], f"{_said(step, now)}, where the plan wrote {in_words(step.after)}")
        for number in done:
            place, step = on_targets[number]
            for need in step.needs:
                # A plan is written in order. So a needed step was done, too, and somebody else has reverted it.
                other_place, other = on_targets.get(need, (place, step))
                if other.id not in done and other_place[:3] == place[:3]:
                    changed.setdefault(place[:3], f"{_said(other, other.before)} again")
        return changed


def _place(step: Step) -> _Place:
    if is_on_target(step):
        return (*step.subject[:2], step.facet, step.key)
    return step.subject.type, step.subject.name, step.facet


def _makes(step: Step) -> bool:
    """Whether a step creates a rule or list."""
    return step.action == WRITE and step.subject.id is None


def _said(step: Step, value: t.Any) -> str:
    return f"{shown(step.key, 100)} is {shown(in_words(value), 100)}"
