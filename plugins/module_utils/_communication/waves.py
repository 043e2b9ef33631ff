# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in waves: which targets are written together, and which later. Asks no manager, and is never random.

Computers come first, because each is changed separately. Policies follow, each with all computers below it. A target
that goes back to a policy's value, or needs a step of a policy, waits for that policy. Changes for all targets at once,
such as those of a list, come after all of these. Agents that no gate can judge, because they were silent before, come
last.
"""

from __future__ import annotations

import hashlib
import typing as t

from .._facets.step import SET, UNASSIGN, WRITE, Step, needed_by
from .._fleet.catalogue import INHERITED
from .bound import Bound
from .groups import is_on_target

# A target: "policy" or "computer", and its ID.
Key = t.Tuple[str, int]
T = t.TypeVar("T")

# The default waves: one computer, then these percentages of all computers.
DEFAULT = ("1", "1 %", "10 %", "100 %")
# The most percent of a policy's agents that may have been silent, so that the others still represent them.
MAX_SILENT = 50

# What a wave writes: its part of the plan, a trial before the plan, or the end of the trial.
KINDS = OF_PLAN, OF_TRIAL, END_OF_TRIAL = ("plan", "trial", "end of trial")


class Place(t.NamedTuple):
    """A computer's policy and group, whether its agent was heard lately and can be judged, and whether it has one."""

    id: int
    policy: int | None
    group: int | None
    heard: bool = True
    has_agent: bool = True


class Branch(t.NamedTuple):
    """A policy: its parent, and all computers below it, at any depth."""

    id: int
    parent: int | None
    computers: tuple[int, ...]


class Named(t.NamedTuple):
    """A wave that the options name, with these computers and policies."""

    name: str
    targets: frozenset[Key]


class Wave(t.NamedTuple):
    """Targets that are written together, by their IDs.

    everything: whether all the rest of the plan is written, including rules and lists. concerned: the computers for
    which anything changes. judged: those of them whose agents can be judged. blind: whether no gate may let the wave
    pass, because it has a target, or changes a shared object, of whose agents none or too few can be judged. kind: one
    of C(KINDS).
    """

    name: str
    policies: tuple[int, ...] = ()
    computers: tuple[int, ...] = ()
    everything: bool = False
    concerned: tuple[int, ...] = ()
    judged: tuple[int, ...] = ()
    blind: bool = False
    kind: str = OF_PLAN


def with_trial(
    waves: t.Sequence[Wave], computers: t.Iterable[Place], policies: t.Container[int], wanted: t.Sequence[Bound | Named]
) -> list[Wave]:
    """Add the waves of a trial on some computers before the others, and the trial's end after its policies are written.

    So the end of the trial does not wait for agents that no gate can judge, which come last.
    """
    places = {place.id: place for place in computers}
    if not places:
        return [*waves]
    order = fair_order(places.values())
    cut = _Cut((), places, {})
    tried = cut.of_computers("trial", [one for one in wanted if isinstance(one, Bound)], order)
    end = cut.wave("end of the trial", [("computer", number) for number in order])
    written = [number for number, wave in enumerate(waves, start=1) if any(one in policies for one in wave.policies)]
    return [
        *(wave._replace(kind=OF_TRIAL) for wave in tried if wave.computers),
        *waves[: max(written, default=len(waves))],
        end._replace(kind=END_OF_TRIAL),
        *waves[max(written, default=len(waves)) :],
    ]


def make_waves(
    steps: t.Sequence[Step],
    places: t.Mapping[int, Place],
    branches: t.Mapping[int, Branch],
    wanted: t.Sequence[Bound | Named],
    everybody: t.Iterable[int],
    max_silent: int = MAX_SILENT,
) -> list[Wave]:
    """Cut a plan into waves: each target is in one wave, no wave is empty, and together they have the whole plan.

    C(places): every computer that the plan concerns. C(branches): every policy. C(everybody): the computers that
    changes of rules or lists may concern. C(max_silent): see C(MAX_SILENT). A named wave only has targets that may come
    at any time; its other targets wait.
    """
    cut = _Cut(steps, places, branches, max_silent)
    bounds = [one for one in wanted if isinstance(one, Bound)]
    waves = cut.free_waves(wanted)
    waves += cut.of_policies("policies that go back", bounds, cut.policies(cut.back), from_the_top=True)
    waves += cut.of_computers("computers that go back", bounds, cut.fair(cut.back))
    # Nothing may come after agents that cannot be judged, so the rest of the plan is written in one wave.
    if cut.rest:
        last = cut.wave("what targets share", cut.shared | cut.silent)
        concerned = tuple(sorted({*last.concerned, *(everybody if cut.changing else ())}))
        blind = last.blind or (bool(cut.changing) and cut.too_silent(concerned))
        waves.append(last._replace(everything=True, concerned=concerned, judged=cut.heard(concerned), blind=blind))
    else:
        waves.append(cut.wave("agents that were silent before", cut.silent))
    return [wave for wave in waves if wave.policies or wave.computers or wave.everything]


def fair_order(computers: t.Iterable[Place]) -> list[int]:
    """The IDs of computers, ordered so that every beginning is a fair sample of policies, and then of groups."""
    by_policy: dict[int | None, dict[int | None, list[int]]] = {}
    for place in computers:
        by_policy.setdefault(place.policy, {}).setdefault(place.group, []).append(place.id)
    rows = {
        policy: interleaved({group: sorted(row, key=_draw) for group, row in groups.items()})
        for policy, groups in by_policy.items()
    }
    return interleaved(rows)


def interleaved(rows: t.Mapping[int | None, t.Sequence[T]]) -> list[T]:
    """The items of several rows in one row, so that every beginning has a fair part of each row."""
    placed = [
        ((2 * number + 1) / (2 * len(row)), _draw(key), number, item)
        for key, row in rows.items()
        for number, item in enumerate(row)
    ]
    placed.sort(key=lambda one: one[:3])
    return [item for _place, _draw_of_key, _number, item in placed]


def _draw(key: int | None) -> bytes:
    """A sort key that looks random but is always the same, so that the first computers are not just the oldest ones."""
    return hashlib.sha256(str(key).encode()).digest()


class _Cut:
    """The targets of a plan by when they may come: any time, after needed policies, with shared objects, or last."""

    def __init__(
        self,
        steps: t.Sequence[Step],
        places: t.Mapping[int, Place],
        branches: t.Mapping[int, Branch],
        max_silent: int = MAX_SILENT,
    ) -> None:
        self._places, self._branches, self._max_silent = places, branches, max_silent
        of_target: dict[Key, list[Step]] = {}
        for step in steps:
            if is_on_target(step):
                of_target.setdefault(_key(step), []).append(step)
        by_id = {step.id: step for step in steps}
        objects = [step for step in steps if not is_on_target(step)]
        # Rules and lists that already exist, and change for all targets that have them.
        self.changing = {step.id for step in objects if step.action == WRITE and step.subject.id is not None}
        needed = needed_by((step for own in of_target.values() for step in own), by_id)
        # Whether rules or lists change that no target needs, or that others than the targets also have.
        self.rest = bool(self.changing) or any(step.id not in needed for step in objects)
        changed = {number for kind, number in of_target if kind == "policy"}
        self.free: set[Key] = set()
        self.back: set[Key] = set()
        self.silent = {target for target in of_target if self._unjudged(target)}
        self.shared: set[Key] = set()
        # By target, the policies that must be written before it, because it goes back to their values or needs their
        # steps.
        first: dict[Key, set[Key]] = {}
        brings_silent = set[Key]()
        for target, own in of_target.items():
            found = needed_by(own, by_id)
            brought = {_key(by_id[number]) for number in found if is_on_target(by_id[number])} - {target}
            if not self.silent.isdisjoint(brought):
                brings_silent.add(target)
            elif not self.changing.isdisjoint(found):
                self.shared.add(target)
            above = changed.intersection(self._above(target))
            policies = {number for kind, number in brought if kind == "policy"}
            waits_for = above if any(map(_goes_back, own)) else policies & above if target[0] == "policy" else policies
            first[target] = {("policy", number) for number in waits_for}
        # They may include a policy with active agents below it that go back to its value. These must wait, too.
        self.silent = _with_waiting(self.silent | brings_silent, first)
        self.shared = _with_waiting(self.shared - self.silent, first) - self.silent
        for target in of_target.keys() - self.silent - self.shared:
            (self.back if first[target] else self.free).add(target)

    # -- waves

    def free_waves(self, wanted: t.Sequence[Bound | Named]) -> list[Wave]:
        """Waves that may come at any time: computers and named targets, in the wanted order; then policies."""
        named: set[Key] = set()
        waves: dict[int, Wave] = {}
        for number, one in enumerate(wanted):
            if isinstance(one, Named):
                # A target in two named waves is in the first one.
                waves[number] = self.wave(one.name, (one.targets & self.free) - named)
                named |= one.targets
        left = self.free - named
        bounds = [one for one in wanted if isinstance(one, Bound)]
        places = [number for number, one in enumerate(wanted) if isinstance(one, Bound)]
        of_computers = self.of_computers("computers", bounds, self.fair(left))
        waves.update(zip(places, of_computers))
        in_order = [wave for _number, wave in sorted(waves.items())] + of_computers[len(places) :]
        return in_order + self.of_policies("policies", bounds, self.policies(left))

    def of_computers(self, name: str, bounds: t.Sequence[Bound], order: t.Sequence[int]) -> list[Wave]:
        """A wave for each bound, and one for the rest; some may be empty."""
        waves, done = [], 0
        for text, most in [*((bound.text, bound.out_of(len(order))) for bound in bounds), ("the rest", len(order))]:
            most = max(done, most)
            waves.append(self.wave(f"{name}, {text}", [("computer", number) for number in order[done:most]]))
            done = most
        return waves

    def of_policies(
        self, name: str, bounds: t.Sequence[Bound], branches: t.Iterable[Branch], *, from_the_top: bool = False
    ) -> list[Wave]:
        """The same for policies, those with the fewest computers first. Bounds count computers."""
        left = sorted(branches, key=lambda branch: (len(branch.computers), branch.id))
        if from_the_top:
            left.sort(key=lambda branch: len([*self._above(("policy", branch.id))]))
        total = sum(len(branch.computers) for branch in left)
        waves, done = [], 0
        for text, most in [*((bound.text, bound.out_of(total)) for bound in bounds), ("the rest", total)]:
            taken = []
            while left and done + len(left[0].computers) <= most:
                done += len(left[0].computers)
                taken.append(("policy", left.pop(0).id))
            waves.append(self.wave(f"{name}, {text}", taken))
        return waves

    def wave(self, name: str, targets: t.Iterable[Key]) -> Wave:
        """A wave of these targets, in the order of their IDs."""
        targets = sorted(targets)
        policies = tuple(number for kind, number in targets if kind == "policy")
        computers = tuple(number for kind, number in targets if kind == "computer")
        below = (number for policy in policies for number in self._branches[policy].computers)
        concerned = tuple(sorted({*computers, *below}))
        blind = not self.silent.isdisjoint(targets)
        return Wave(name, policies, computers, False, concerned, self.heard(concerned), blind)

    # -- targets

    def fair(self, targets: t.Iterable[Key]) -> list[int]:
        """The computers among these, in a fair order."""
        return fair_order([self._places[number] for kind, number in targets if kind == "computer"])

    def policies(self, targets: t.Iterable[Key]) -> list[Branch]:
        """The policies among these."""
        return [self._branches[number] for kind, number in targets if kind == "policy"]

    def heard(self, computers: t.Iterable[int]) -> tuple[int, ...]:
        """The computers whose agents were heard from lately."""
        return tuple(number for number in computers if self._places[number].heard)

    def too_silent(self, computers: t.Collection[int]) -> bool:
        """Whether the agents heard lately cannot represent the others: there are none, or too many agents were silent.

        If there are no computers at all, nothing can be harmed.
        """
        heard = len(self.heard(computers))
        agents = sum(self._places[number].has_agent for number in computers)
        return bool(computers) and (not heard or 100 * (agents - heard) > self._max_silent * agents)

    def _unjudged(self, target: Key) -> bool:
        """Whether no gate can judge a target. A policy without computers can harm none."""
        kind, number = target
        return self.too_silent((number,) if kind == "computer" else self._branches[number].computers)

    def _above(self, target: Key) -> t.Iterator[int]:
        kind, number = target
        above = self._branches[number].parent if kind == "policy" else self._places[number].policy
        seen: set[int] = set()
        while above is not None and above in self._branches and above not in seen:
            seen.add(above)
            yield above
            above = self._branches[above].parent


def _key(step: Step) -> Key:
    """The target of a step."""
    return step.subject.type, t.cast(int, step.subject.id)


def _goes_back(step: Step) -> bool:
    """Whether a step removes an override of a target."""
    return step.action == UNASSIGN or (step.action == SET and step.after == INHERITED)


def _with_waiting(targets: set[Key], first: t.Mapping[Key, set[Key]]) -> set[Key]:
    """These targets, and all targets that wait for one of them."""
    late = set(targets)
    while more := {
        target for target, policies in first.items() if target not in late and not late.isdisjoint(policies)
    }:
        late |= more
    return late
