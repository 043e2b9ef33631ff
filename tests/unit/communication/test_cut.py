# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of plans: together they are the whole, and no step comes before one that it needs."""

from __future__ import annotations

import functools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication.cut import only, share
from ansible_collections.workload_security.agent.plugins.module_utils._communication.plan import Plan
from ansible_collections.workload_security.agent.plugins.module_utils._communication.slices import Slice
from ansible_collections.workload_security.agent.plugins.module_utils._facets.facet import subject_of
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import (
    ASSIGN,
    ASSIGNMENTS,
    DELETE,
    LISTS,
    RULES,
    RULES_GONE,
    SET,
    SETTINGS,
    SHIELDS,
    UNASSIGN,
    UNASSIGNMENTS,
    WRITE,
    Refusal,
    Step,
    Subject,
)
from tests.unit.communication.targets import targets_of

POLICIES = [Subject("policy", number, f"policy {number}") for number in (1, 2, 3)]
COMPUTERS = [Subject("computer", number, f"web-{number}") for number in range(1, 9)]
TARGETS = [*POLICIES, *COMPUTERS]


def step(action: str, subject: Subject, key: str, stage: int, needs: t.Iterable[str] = ()) -> Step:
    return Step(action, subject, "firewall_restriction", key, None, None, "x", "why", stage, None, tuple(needs))


# Made once: a strategy takes longer to make than to draw from.
SOME = st.sets(st.sampled_from(TARGETS))
LIST_NAMES = st.sets(st.sampled_from("ab"))
RULE_KEYS = st.sets(st.sampled_from([("new", None), ("there", 30)]))
YES_OR_NO = st.booleans()


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan of a rule in place of another one, with needs between steps wherever there can be some."""

    def some_of(steps: list[Step]) -> list[str]:
        return sorted(steps[index].id for index in draw(indices(len(steps)))) if steps else []

    lists = [step(WRITE, Subject("ip_list", None, name), "", LISTS) for name in draw(LIST_NAMES)]
    rules = [
        step(WRITE, Subject("firewall_rule", number, name), "", RULES, some_of(lists))
        for name, number in draw(RULE_KEYS)
    ]
    steps = [*lists, *rules]
    steps += [step(ASSIGN, one, "new", ASSIGNMENTS, some_of(rules)) for one in sorted(draw(SOME))]
    steps += [step(SET, one, "direction", SHIELDS, some_of(steps)) for one in sorted(draw(SOME))]
    steps += [step(SET, one, "interval", SETTINGS, some_of(steps)) for one in sorted(draw(SOME))]
    gone = [step(UNASSIGN, one, "old", UNASSIGNMENTS, some_of(steps)) for one in sorted(draw(SOME))]
    steps += gone
    if draw(YES_OR_NO):
        steps.append(step(DELETE, Subject("firewall_rule", 31, "old"), "", RULES_GONE, [one.id for one in gone]))
    refusals = [Refusal(one, "heartbeat", "no") for one in sorted(draw(SOME))]
    undeclared = tuple(gone) if draw(YES_OR_NO) else None
    return Plan(tuple(steps), tuple(refusals), targets_of(TARGETS), ("a warning",), undeclared)


@functools.cache
def indices(count: int) -> st.SearchStrategy[set[int]]:
    """Up to three places in a row of so many."""
    return st.sets(st.integers(0, count - 1), max_size=3)


def assert_in_order(steps: t.Iterable[Step], whole: Plan) -> None:
    """Nothing comes before what it needs."""
    known, seen = {one.id for one in whole.steps}, set()
    for one in steps:
        assert not (set(one.needs) & known) - seen, one.id
        seen.add(one.id)


@given(plans(), st.lists(st.sets(st.sampled_from(TARGETS)), max_size=5))
def test_waves_write_the_whole_plan_each_step_once_and_in_order(plan: Plan, waves: list[set[Subject]]) -> None:
    left, written = plan, []
    for wave in waves:
        part = only(left, wave.__contains__)
        # What was there once the wave is done is what a plan made anew would hold.
        assert set(part.steps).isdisjoint(part.later) and {*part.steps, *part.later} == {*left.steps}
        wanted = {one.id for one in left.steps if one.subject in wave}
        assert wanted <= {one.id for one in part.steps}
        assert not any(one.action == DELETE for one in part.steps)
        written += part.steps
        left = Plan(part.later, plan.refusals, plan.targets, ())
    written += left.steps
    assert sorted(one.id for one in written) == sorted(one.id for one in plan.steps)
    assert_in_order(written, plan)


@given(plans(), st.sets(st.sampled_from(TARGETS)))
def test_a_part_has_no_more_than_it_needs(plan: Plan, wave: set[Subject]) -> None:
    part = only(plan, wave.__contains__)
    own = {one.id for one in part.steps if one.subject in wave}
    needed = {need for one in part.steps for need in one.needs}
    assert {one.id for one in part.steps} <= own | needed
    assert all(one.subject in wave for one in (*part.refusals, *(part.undeclared or ())))
    assert set(map(subject_of, part.targets)) == wave
    shared = {one.subject.label for one in part.steps if one.action == WRITE and one.subject.id is not None}
    assert all(label in " ".join(part.warnings) for label in shared) and bool(shared) == (len(part.warnings) == 2)


@given(plans(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_slices_write_the_whole_plan_but_for_what_waits_for_all(plan: Plan, of: int, random: t.Any) -> None:
    slices = [share(plan, Slice(number, of)) for number in range(1, of + 1)]
    later = {one.id for one in slices[0].later}
    for one in slices:
        # By itself, whatever the others do.
        assert_in_order(one.steps, plan)
        assert {each.id for each in one.later} == later
        assert later.isdisjoint(each.id for each in one.steps)
    random.shuffle(slices)
    written = [each for one in slices for each in one.steps]
    assert {one.id for one in written} | later == {one.id for one in plan.steps}
    assert_in_order([*written, *(one for one in plan.steps if one.id in later)], plan)
    for kind, key in (("targets", subject_of), ("refusals", None), ("undeclared", None)):
        held = [each for one in slices for each in getattr(one, kind) or ()]
        assert sorted(held, key=key) == sorted(getattr(plan, kind) or (), key=key), kind
    if of == 1:
        assert not later and slices[0].steps == plan.steps
    # Each is in one slice, unless another slice needs it.
    for one in plan.steps:
        holding = [part for part in slices if one in part.steps]
        assert len(holding) <= 1 or any(one.id in each.needs for part in holding for each in part.steps)


@given(plans(), st.integers(2, 4))
def test_where_a_computer_belongs_does_not_depend_on_what_is_done(plan: Plan, of: int) -> None:
    """A slice that starts late, or again, has its own computers all the same."""
    early = [share(plan, Slice(number, of)) for number in range(1, of + 1)]
    done = {one.id for one in early[0].steps}
    rest = Plan(tuple(one for one in plan.steps if one.id not in done), (), plan.targets, ())
    for number in range(2, of + 1):
        late = {one.id for one in share(rest, Slice(number, of)).steps}
        assert {one.id for one in early[number - 1].steps} - done <= late


@pytest.mark.parametrize(
    ("given_slice", "option", "told"),
    [
        ({"number": 0, "of": 3}, "slice.number", "from 1 to 3"),
        ({"number": 4, "of": 3}, "slice.number", "from 1 to 3"),
        ({"number": 1, "of": 0}, "slice.of", "from 1 to 100"),
        ({"number": 1, "of": 101}, "slice.of", "from 1 to 100"),
    ],
)
def test_slices_that_do_not_exist(given_slice: dict[str, int], option: str, told: str) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        Slice.from_options(given_slice)
    assert caught.value.option == option


def test_no_slice() -> None:
    assert Slice.from_options(None) is None and Slice.from_options({"number": 2, "of": 3}) == Slice(2, 3)
