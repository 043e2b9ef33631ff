# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Computers that are like another one are not looked at again, and get what they would get alone."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._facets import communication_direction
from ansible_collections.workload_security.agent.plugins.module_utils._facets.communication_direction import (
    CommunicationDirection,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.facet import (
    Facet,
    Scope,
    SettingsWish,
    labels_of,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall.facet import FirewallRestriction
from ansible_collections.workload_security.agent.plugins.module_utils._facets.heartbeat import Heartbeat
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import Step
from ansible_collections.workload_security.agent.plugins.module_utils._fleet import outlook as outlook_module
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.alike import Alike, alike
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    COMMUNICATION_DIRECTION,
    FIREWALL_STATE,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    INHERITED,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer, Policy, Target
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.outlook import Outlook
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.rules import Assignments
from tests.unit.drawing import pick

VALUES = st.sampled_from([1, 2])
OVERRIDES = st.dictionaries(
    st.sampled_from([HEARTBEAT_INTERVAL, HEARTBEAT_MISSED_BEFORE_ALERT]), VALUES, max_size=2
) | st.just({})
WISHES = st.lists(
    st.builds(
        SettingsWish.of,
        st.dictionaries(
            st.sampled_from([HEARTBEAT_INTERVAL, HEARTBEAT_MISSED_BEFORE_ALERT]),
            VALUES | st.just(INHERITED),
            min_size=1,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def _computer(number: int, policy_id: int | None, platform: str = "Linux") -> Computer:
    """A computer below a policy or none."""
    return Computer({"ID": number, "hostName": f"c{number}", "platform": platform, "policyID": policy_id})


def known(policies: t.Iterable[Policy], computers: t.Iterable[Computer]) -> Fleet:
    """A fleet of which all is read already."""
    fleet = Fleet(mock.sentinel.no_client)
    vars(fleet).update(policies={one.id: one for one in policies}, default_settings={HEARTBEAT_INTERVAL: 1})
    fleet.computers = {one.id: one for one in computers}
    return fleet


# Made once: a strategy takes longer to make than to draw from.
@functools.cache
def below(policies: int, *of_each: st.SearchStrategy[t.Any], outside: bool = False) -> st.SearchStrategy[list[t.Any]]:
    """Computers, each with the ID of one of so many policies or none, and what else is drawn of each."""
    above = st.sampled_from([None, *([99] if outside else []), *range(1, policies + 1)])
    return st.lists(st.tuples(above, *of_each), max_size=8)


@given(st.lists(OVERRIDES, min_size=1, max_size=3), st.data(), WISHES)
def test_each_of_many_gets_what_it_would_get_alone(of_policies, data, wishes):
    policies = [
        Policy(1 + number, f"p{number}", number or None, overrides, frozenset())
        for number, overrides in enumerate(of_policies)
    ]
    computers = []
    for number, (policy_id, overrides) in enumerate(data.draw(below(len(policies), OVERRIDES, outside=True))):
        computers.append(_computer(100 + number, policy_id))
        computers[-1].overrides = overrides
    of_policy = {one: wish for one in policies if (wish := pick(data.draw, [None, *wishes]))}
    of_computer = {one: pick(data.draw, wishes) for one in computers}

    def steps(wanted: dict[Target, SettingsWish]) -> list[Step]:
        fleet = known(policies, computers)
        return list(Heartbeat("on_premises").setting_steps(Outlook(fleet), {**of_policy, **wanted}))

    alone = [step for one, wish in of_computer.items() for step in steps({one: wish}) if step.subject.id == one.id]
    together = [step for step in steps(of_computer) if step.subject.type == "computer"]
    assert sorted(together) == sorted(alone)


# -- all facets


PLATFORMS = st.sampled_from(["Linux", "macOS 14", "Virtual Appliance"])
DIRECTIONS = st.sampled_from(["bidirectional", "agent_initiated"])
OWN = st.dictionaries(st.sampled_from([COMMUNICATION_DIRECTION]), DIRECTIONS, max_size=1) | st.just({})
OPTIONS: dict[str, st.SearchStrategy[dict[str, t.Any]]] = {
    "communication_direction": st.builds(
        lambda direction, inherited: {"direction": direction, "accept_inherited": inherited},
        DIRECTIONS | st.just(INHERITED),
        st.booleans(),
    ),
    "firewall_restriction": st.builds(
        lambda state, name, inherited: {
            "state": state,
            "rule_name": name,
            "accept_inherited": inherited,
            **({"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.1"]} if state == "present" else {}),
        },
        st.sampled_from(["present", "absent", "assigned"]),
        st.sampled_from(["R", "S", "T"]),
        st.booleans(),
    ),
}
BYPASS = {
    **{"action": "bypass", "priority": "4", "direction": "incoming", "frameType": "ip", "protocol": "tcp"},
    **{"destinationPortType": "multiple", "destinationPortMultiple": ["4118"]},
}
RULES = {
    1: {**BYPASS, "ID": 1, "name": "R", "sourceIPType": "ip-list", "sourceIPListID": 7},
    2: {**BYPASS, "ID": 2, "name": "S"},
    3: {**BYPASS, "ID": 3, "name": "U"},
}
RULE_IDS = st.frozensets(st.sampled_from([1, 2, 3]), max_size=2) | st.just(frozenset())


def alone(wishes: t.Mapping[Target, t.Any]) -> list[Alike[t.Any]]:
    """What is to come out of groups, however they are made: every target by itself."""
    return [Alike(wish, [target]) for target, wish in wishes.items()]


def with_rules(policies: t.Iterable[Policy], computers: t.Iterable[Computer]) -> Fleet:
    """A fleet of which all is read already, on a manager whose pages list rules."""
    fleet = known(policies, computers)
    vars(fleet).update(
        default_settings={COMMUNICATION_DIRECTION: "bidirectional", FIREWALL_STATE: "on"},
        rules={number: dict(rule) for number, rule in RULES.items()},
        ip_lists={7: {"ID": 7, "name": "R (IPs)", "items": ["192.0.2.0/24"]}},
        mac_lists={},
        port_lists={},
    )
    fleet._listed, fleet._overrides_known = True, set(fleet.computers)
    fleet.assignments._listed_with_overrides = True
    return fleet


def said(facets: dict[str, Facet[t.Any]], fleet: Fleet, wishes: dict[str, dict[Target, t.Any]]) -> t.Any:
    """What facets say of a fleet that is as it is: steps and refusals in order, and warnings."""

    def foresee(outlook: Outlook) -> None:
        for name, facet in facets.items():
            facet.foresee(outlook, wishes[name])

    outlook = Outlook(fleet, foresee)
    steps = {name: list(facet.steps(outlook, wishes[name])) for name, facet in facets.items()}
    return steps, {name: facet.warnings(outlook, wishes[name]) for name, facet in facets.items()}


POLICIES = st.lists(st.tuples(OWN, RULE_IDS), min_size=1, max_size=3)
CHOICES = {name: st.lists(options, min_size=1, max_size=2) for name, options in OPTIONS.items()}


@pytest.mark.parametrize("deployment", ["cloud", "on_premises"])
@given(data=st.data())
def test_groups_come_to_what_each_target_comes_to_alone(deployment, data):
    """Steps, refusals and warnings of directions and restrictions, macs, appliances and other rules among them."""
    policies = [
        Policy(1 + number, f"p{number}", number or None, overrides, rule_ids)
        for number, (overrides, rule_ids) in enumerate(data.draw(POLICIES))
    ]
    computers = []
    drawn = data.draw(below(len(policies), PLATFORMS, OWN, RULE_IDS))
    for number, (policy_id, platform, overrides, rule_ids) in enumerate(drawn):
        computers.append(_computer(100 + number, policy_id, platform))
        computers[-1].overrides, computers[-1].rule_ids = overrides, rule_ids
    facets = {CommunicationDirection: {}, FirewallRestriction: {}}
    options = {kind: data.draw(CHOICES[kind.name]) for kind in facets}
    chosen = {
        kind: {one: pick(data.draw, [None, *range(len(options[kind]))]) for one in (*policies, *computers)}
        for kind in facets
    }

    def outcome() -> t.Any:
        fleet = with_rules(policies, computers)
        fleet.assignments._only_direct = True
        made = {kind.name: kind(deployment) for kind in facets}
        wishes = {}
        for kind in facets:
            facet = made[kind.name]
            possible = [facet.wish(facet.filled(one), Scope("x")) for one in options[kind]]
            wishes[kind.name] = {
                target: possible[number] for target, number in chosen[kind].items() if number is not None
            }
        return said(made, fleet, wishes)

    with contextlib.ExitStack() as patches:
        for module in (outlook_module, communication_direction):
            patches.enter_context(mock.patch.object(module, "alike", alone))
        by_itself = outcome()
    assert outcome() == by_itself


@given(st.lists(RULE_IDS, min_size=1, max_size=3), st.lists(RULE_IDS, max_size=4), st.booleans())
def test_rules_that_cannot_be_assigned_to_a_target_say_nothing_of_it(of_policies, of_computers, only_direct):
    """What is undeclared on targets, and what a capture says of them: as if all were looked at that they inherit."""
    policies = [Policy(1 + number, f"p{number}", number or None, {}, ids) for number, ids in enumerate(of_policies)]
    computers = [_computer(100 + number, 1) for number in range(len(of_computers))]
    for computer, rule_ids in zip(computers, of_computers):
        computer.rule_ids = rule_ids

    def told() -> t.Any:
        fleet = with_rules(policies, computers)
        fleet.assignments._only_direct = only_direct
        # Where pages cannot tell, nobody is asked.
        with mock.patch.object(Assignments, "_ask"):
            facet, outlook = FirewallRestriction("on_premises"), Outlook(fleet)
            found = [
                (facet.undeclared(outlook, one, None), facet.restated(outlook, one, []))
                for one in (*policies, *computers)
            ]
            return found, facet.notes()

    with mock.patch.object(Assignments, "possible", Assignments.effective):
        expected = told()
    assert told() == expected


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2]), PLATFORMS, OWN, st.sampled_from(["a", "b"])), max_size=9))
def test_every_target_is_in_one_group_with_what_is_like_it(drawn):
    wishes: dict[Target, t.Any] = {Policy(1, "p", None, {}, frozenset()): "a"}
    for number, (policy_id, platform, overrides, wish) in enumerate(drawn):
        computer = _computer(100 + number, policy_id, platform)
        computer.overrides = overrides
        wishes[computer] = wish
    groups = alike(wishes)
    assert sorted(one.id for group in groups for one in group.targets) == sorted(one.id for one in wishes)
    for group in groups:
        assert {wishes[one] for one in group.targets} == {group.wish}
        same = {(one.above, getattr(one, "is_macos", None), str(one.overrides)) for one in group.targets}
        assert len(same) == 1 and (len(group.targets) == 1 or not group.first.overrides)


def test_of_many_targets_the_first_ones_are_named_by_type_and_id():
    computers: list[Target] = [_computer(number, None) for number in (12, 3, 40)]
    policy = Policy(50, "p", None, {}, frozenset())
    assert labels_of([*computers, policy], 2) == "policy 'p' (ID 50), computer 'c3' (ID 3) and 2 more"
    assert labels_of([policy]) == "policy 'p' (ID 50)"
