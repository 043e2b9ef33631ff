# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: each target once, none lost, the same every time, fair samples, and nothing before what it waits for."""

from __future__ import annotations

import functools
import random
import typing as t
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication.bound import Bound
from ansible_collections.workload_security.agent.plugins.module_utils._communication.waves import (
    DEFAULT,
    Branch,
    Named,
    Place,
    Wave,
    fair_order,
    make_waves,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import (
    ASSIGN,
    ASSIGNMENTS,
    DELETE,
    LISTS,
    RULES,
    RULES_GONE,
    SET,
    SETTINGS,
    UNASSIGN,
    UNASSIGNMENTS,
    WRITE,
    Step,
    Subject,
)
from tests.unit.drawing import pick

DEFAULTS = [Bound.of("waves", text) for text in DEFAULT]


def set_step(kind: str, number: int, after: t.Any = 5) -> Step:
    return Step(SET, Subject(kind, number, f"{kind} {number}"), "heartbeat", "interval", 10, None, after, "", SETTINGS)


LIST = Step(WRITE, Subject("ip_list", None, "L"), "firewall_restriction", "", None, None, {"items": ["192.0.2.1"]}, "",
            LISTS)  # fmt: skip
CHANGED_LIST = LIST._replace(subject=Subject("ip_list", 3, "L"), before={"items": []})
RULE = Step(WRITE, Subject("firewall_rule", None, "R"), "firewall_restriction", "", None, None, {"action": "bypass"}, "",
            RULES, needs=(LIST.id,))  # fmt: skip
GONE = Step(DELETE, Subject("firewall_rule", 9, "Old"), "firewall_restriction", "", {}, None, None, "", RULES_GONE)


def assign(kind: str, number: int) -> Step:
    subject = Subject(kind, number, f"{kind} {number}")
    return Step(ASSIGN, subject, "firewall_restriction", "R", "not assigned", None, "assigned", "", ASSIGNMENTS,
                needs=(RULE.id,))  # fmt: skip


def needing(*needs: Step) -> t.Callable[[str, int], Step]:
    """A direction that must not be written before these."""
    return lambda kind, number: set_step(kind, number)._replace(key="direction", needs=tuple(one.id for one in needs))


def unassign(kind: str, number: int) -> Step:
    return assign(kind, number)._replace(action=UNASSIGN, after="not assigned", stage=UNASSIGNMENTS, needs=())


@dataclass
class Scene:
    """A plan, the policies and computers that it is for, and who is wanted in which wave."""

    steps: list[Step]
    places: dict[int, Place]
    branches: dict[int, Branch]
    wanted: list[Bound | Named]

    @property
    def waves(self) -> list[Wave]:
        return make_waves(self.steps, self.places, self.branches, self.wanted, self.places)

    def above(self, kind: str, number: int) -> t.Iterator[int]:
        above = self.branches[number].parent if kind == "policy" else self.places[number].policy
        while above is not None:
            yield above
            above = self.branches[above].parent


# Whether an agent was heard from lately, and whether there is one.
HEARD = [(True, True)] * 8 + [(False, True)] * 3 + [(False, False)]


# Made once: a strategy takes longer to make than to draw from.
POLICIES = st.integers(1, 6)
STEPS = st.lists(st.sampled_from([set_step, lambda *key: set_step(*key, "inherited"), assign, unassign]), max_size=2)
LISTS = st.sampled_from([LIST, CHANGED_LIST])
GONE_AT_THE_END = st.sampled_from([[], [GONE], [CHANGED_LIST._replace(subject=Subject("ip_list", 4, "M"))]])
BOUNDS = st.builds(Bound.of, st.just("waves"), st.sampled_from([1, 3, "1 %", "10%", "33.3 %", "100 %"]))
WAVE_NAMES = st.sampled_from(["pilot", "then"])


@functools.cache
def computers_of(policies: int) -> st.SearchStrategy[list[t.Any]]:
    """Computers below these policies, with the policy, the group and what was heard of each."""
    policy = st.sampled_from([None, *range(1, policies + 1)])
    return st.lists(st.tuples(policy, st.sampled_from([None, 1, 2]), st.sampled_from(HEARD)), max_size=12)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    parents: dict[int, int | None] = {}
    for number in range(1, draw(POLICIES) + 1):
        parents[number] = pick(draw, [None, *parents])
    computers = draw(computers_of(len(parents)))
    places = {
        number: Place(number, policy, group, *heard) for number, (policy, group, heard) in enumerate(computers, 1)
    }
    scene = Scene([], places, {number: Branch(number, parent, ()) for number, parent in parents.items()}, [])
    for policy in parents:
        below = tuple(number for number in places if policy in scene.above("computer", number))
        scene.branches[policy] = scene.branches[policy]._replace(computers=below)
    for key in [*(("policy", number) for number in parents), *(("computer", number) for number in places)]:
        scene.steps += {step.id: step for step in (make(*key) for make in draw(STEPS))}.values()
    if any(RULE.id in step.needs for step in scene.steps):
        scene.steps += [draw(LISTS), RULE]
    scene.steps += draw(GONE_AT_THE_END)
    targets = [
        (step.subject.type, step.subject.id) for step in scene.steps if step.subject.type in ("policy", "computer")
    ]
    chosen = st.frozensets(st.sampled_from(targets or [("policy", 1)]), max_size=4)
    scene.wanted = draw(st.lists(BOUNDS | st.builds(Named, WAVE_NAMES, chosen), max_size=5) | st.just([*DEFAULTS]))
    return scene


def targets_of(wave: Wave) -> list[tuple[str, int]]:
    return [*(("policy", number) for number in wave.policies), *(("computer", number) for number in wave.computers)]


@given(scenes(), st.randoms(use_true_random=False))
def test_waves_keep_their_promises(scene: Scene, shuffle: random.Random) -> None:
    """In one test, since to make a scene takes longer than to look at it."""
    waves_are_a_partition_and_always_the_same(scene, shuffle)
    a_wave_says_whom_it_concerns_and_who_can_be_judged(scene)
    nothing_that_is_shared_changes_before_the_last_wave(scene)
    what_goes_back_to_a_policy_comes_no_earlier_than_that_policy(scene)


def waves_are_a_partition_and_always_the_same(scene: Scene, shuffle: random.Random) -> None:
    waves = scene.waves
    met = [target for wave in waves for target in targets_of(wave)]
    planned = {(step.subject.type, step.subject.id) for step in scene.steps
               if step.subject.type in ("policy", "computer")}  # fmt: skip
    assert len(met) == len(set(met)) and set(met) == planned
    assert all(wave.policies or wave.computers or wave.everything for wave in waves), "no wave is empty"
    assert not any(wave.everything for wave in waves[:-1]), "what is left is written with the last one"
    places = [*scene.places.items()]
    for row in (scene.steps, places):
        shuffle.shuffle(row)
    scene.places = dict(places)
    assert scene.waves == waves


def too_silent(places: list[Place]) -> bool:
    """Whether most agents of some computers were not heard from lately, or there is none at all."""
    agents = [place.heard for place in places if place.has_agent]
    return bool(places) and (not any(agents) or agents.count(True) < agents.count(False))


def a_wave_says_whom_it_concerns_and_who_can_be_judged(scene: Scene) -> None:
    for wave in scene.waves:
        below = {number for policy in wave.policies for number in scene.branches[policy].computers}
        assert {*wave.computers, *below} <= set(wave.concerned)
        assert wave.judged == tuple(number for number in wave.concerned if scene.places[number].heard)
        seen = [scene.branches[number].computers for number in wave.policies] + [(one,) for one in wave.computers]
        shared = any(step.action == WRITE and step.subject.id is not None for step in scene.steps)
        seen += [wave.concerned] if wave.everything and shared else []
        assert wave.blind == any(too_silent([scene.places[one] for one in of]) for of in seen)
    assert not any(wave.blind for wave in scene.waves[:-1]), "nothing comes after what cannot be judged"


def nothing_that_is_shared_changes_before_the_last_wave(scene: Scene) -> None:
    """A list that exists changes for all who have it: who needs that is written with it."""
    changing = CHANGED_LIST.id in {step.id for step in scene.steps if step.subject.id == 3}
    for wave in scene.waves:
        needs = any(step.action == ASSIGN and (step.subject.type, step.subject.id) in targets_of(wave)
                    for step in scene.steps)  # fmt: skip
        assert wave.everything or not (changing and needs)
    rest = any(step is GONE or step.subject.id in (3, 4) and step.subject.type == "ip_list" for step in scene.steps)
    assert rest == any(wave.everything for wave in scene.waves)


def what_goes_back_to_a_policy_comes_no_earlier_than_that_policy(scene: Scene) -> None:
    """Else it would have the policy's old value for a while."""
    number_of = {target: number for number, wave in enumerate(scene.waves) for target in targets_of(wave)}
    for step in scene.steps:
        target = (step.subject.type, step.subject.id)
        if step.action == UNASSIGN or step.after == "inherited":
            above = [("policy", policy) for policy in scene.above(*target)]
            assert all(number_of[policy] <= number_of[target] for policy in above if policy in number_of)


PLACES = st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, 1, 2])), min_size=1, max_size=60)


@given(PLACES, st.data())
def test_each_beginning_is_a_fair_sample_of_policies_and_groups(row, data) -> None:
    """No policy is ahead of another one by more than one computer, and within a policy, no group is."""
    places = {number: Place(number, *rest) for number, rest in enumerate(row, start=1)}
    order = fair_order(places.values())
    assert sorted(order) == sorted(places)
    taken = [places[number] for number in order[: data.draw(st.integers(1, len(order)))]]
    policies = {place.policy for place in places.values()}
    assert_fair(Counter(one.policy for one in places.values()), Counter(one.policy for one in taken))
    for policy in policies:
        assert_fair(
            Counter(one.group for one in places.values() if one.policy == policy),
            Counter(one.group for one in taken if one.policy == policy),
        )


def assert_fair(of_all: Counter, taken: Counter) -> None:
    shares = {key: ((2 * taken[key] - 1) / (2 * many), (2 * taken[key] + 1) / (2 * many))
              for key, many in of_all.items()}  # fmt: skip
    assert max(last for last, _next in shares.values()) <= min(following for _last, following in shares.values())


@pytest.mark.parametrize(
    ("wanted", "sizes"),
    [
        (DEFAULT, [1, 9, 90, 900]),
        (["1 %"], [10, 990]),
        ([5, "0.5 %", 5, 20, "100%"], [5, 15, 980]),
        (["0.01 %"], [1, 999]),
        ([2000], [1000]),
        ([], [1000]),
    ],
)
def test_sizes_are_of_all_that_is_done_by_then(wanted, sizes):
    places = {number: Place(number, number % 3 + 1, None) for number in range(1, 1001)}
    steps = [set_step("computer", number) for number in places]
    branches = {number: Branch(number, None, ()) for number in (1, 2, 3)}
    waves = make_waves(steps, places, branches, [Bound.of("waves", one) for one in wanted], ())
    assert [len(wave.computers) for wave in waves] == sizes
    assert all(wave.concerned == wave.judged == wave.computers for wave in waves)


def test_policies_come_after_computers_and_the_smallest_first():
    places = {number: Place(number, 1 if number <= 3 else 2 if number <= 33 else 3, None) for number in range(1, 1001)}
    below = {policy: tuple(one.id for one in places.values() if one.policy == policy) for policy in (1, 2, 3)}
    branches = {4: Branch(4, None, ()), **{number: Branch(number, None, ids) for number, ids in below.items()}}
    steps = [set_step("computer", 500), *(set_step("policy", number) for number in (3, 1, 2, 4))]
    waves = make_waves(steps, places, branches, DEFAULTS, ())
    assert [(wave.name, targets_of(wave), len(wave.concerned)) for wave in waves] == [
        ("computers, 1", [("computer", 500)], 1),
        ("policies, 1", [("policy", 4)], 0),
        ("policies, 1 %", [("policy", 1)], 3),
        ("policies, 10 %", [("policy", 2)], 30),
        ("policies, 100 %", [("policy", 3)], 967),
    ]


def test_policies_that_go_back_do_so_from_the_top():
    """Else one would have what the policy above it is about to lose."""
    branches = {1: Branch(1, None, (1, 2, 3)), 2: Branch(2, 1, (1, 2)), 3: Branch(3, 2, (1,)), 4: Branch(4, None, ())}
    places = {number: Place(number, 3, None) for number in (1, 2, 3)}
    steps = [*(set_step("policy", number, "inherited") for number in (3, 2, 4)), set_step("policy", 1)]
    waves = make_waves(steps, places, branches, [Bound.of("waves", "1")], ())
    assert [(wave.name, wave.policies) for wave in waves] == [
        ("policies, 1", (4,)),
        ("policies, the rest", (1,)),
        ("policies that go back, the rest", (2, 3)),
    ]


def test_no_wave_brings_along_what_is_written_to_a_policy_above_or_to_agents_that_were_silent():
    """As a direction that waits for the restriction of a policy, or of computers below."""
    branches = {1: Branch(1, None, (1, 2, 3)), 2: Branch(2, 1, (3,))}
    places = {1: Place(1, 1, None), 2: Place(2, 1, None, heard=False), 3: Place(3, 2, None)}
    direction = needing(assign("policy", 1))
    steps = [LIST, RULE, assign("policy", 1), direction("computer", 1), direction("policy", 2)]
    waves = make_waves(steps, places, branches, [Named("pilot", frozenset({("computer", 1)}))], ())
    assert [targets_of(wave) for wave in waves] == [[("policy", 1)], [("policy", 2)], [("computer", 1)]]
    steps = [
        LIST,
        RULE,
        assign("computer", 2),
        needing(assign("computer", 2))("policy", 1),
        set_step("computer", 1, "inherited"),
    ]
    waves = make_waves(steps, places, branches, DEFAULTS, ())
    assert [(targets_of(wave), wave.blind) for wave in waves] == [
        ([("policy", 1), ("computer", 1), ("computer", 2)], True)
    ]


@pytest.mark.parametrize(
    ("heard", "silent", "without", "blind", "most"),
    [
        *((1, 999, 0, True, 50), (499, 500, 0, True, 50), (500, 500, 0, False, 50), (1, 0, 999, False, 50)),
        *((0, 0, 3, True, 50), (499, 1, 0, True, 0), (500, 0, 9, False, 0), (1, 999, 0, False, 100)),
        *((0, 3, 0, True, 100), (200, 100, 0, True, 33), (67, 33, 0, False, 33)),
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_few_agents_that_were_heard_do_not_speak_for_all(heard, silent, without, blind, most, shared):
    states = [(True, True)] * heard + [(False, True)] * silent + [(False, False)] * without
    places = {number: Place(number, 1, None, *state) for number, state in enumerate(states, start=1)}
    steps = [CHANGED_LIST] if shared else [set_step("policy", 1)]
    (wave,) = make_waves(steps, places, {1: Branch(1, None, tuple(places))}, DEFAULTS, places, most)
    assert (wave.blind, len(wave.judged), len(wave.concerned)) == (blind, heard, len(places))


def test_a_named_wave_comes_where_it_was_named():
    places = {number: Place(number, 1, None) for number in range(1, 11)}
    steps = [set_step("policy", 1), *(set_step("computer", number) for number in places)]
    branches = {1: Branch(1, None, tuple(places))}
    pilot = Named("pilot", frozenset({("computer", 7), ("computer", 8), ("computer", 99)}))
    waves = make_waves(steps, places, branches, [pilot, Bound.of("waves", "50 %"), Named("x", pilot.targets)], ())
    assert [(wave.name, len(wave.computers)) for wave in waves] == [
        ("pilot", 2), ("computers, 50 %", 4), ("computers, the rest", 4), ("policies, the rest", 0)
    ]  # fmt: skip
    assert waves[0].computers == (7, 8)


@pytest.mark.parametrize("given_value", ["0", 0, "0 %", "101 %", "1.5", "some", "", None, True, -1, "1 % %", [1], "١"])
def test_a_bound_that_is_none_is_refused(given_value):
    with pytest.raises(OptionError, match="waves\\[0\\]"):
        Bound.of("waves[0]", given_value)
