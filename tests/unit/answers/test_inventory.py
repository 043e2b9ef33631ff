# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of groups of an inventory, whatever a manager's policies and groups are called."""

from __future__ import annotations

import typing as t

import pytest
from ansible.inventory.data import InventoryData
from ansible.inventory.group import to_safe_group_name
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._answers.inventory import (
    PREFIXES,
    HostsAsked,
    _Groups,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import Fleet
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer, Policy

NAMES = st.one_of(
    st.sampled_from(
        ["web-01", "WEB-01", "computer_2", "computer_2_", "{{ 7*7 }}", "a b", "all", "10.0.0.1", "x", "x."]
    ),
    st.text(st.characters(codec=None), max_size=4),
)
TREES = st.dictionaries(st.integers(1, 6), st.tuples(NAMES, st.one_of(st.none(), st.integers(1, 8))), max_size=6)


def safe(name: str) -> str:
    return to_safe_group_name(name, force=True, silent=True)


def computers_of(rows: t.Iterable[tuple]) -> list[Computer]:
    names = ("hostName", "displayName", "platform", "agentVersion", "policyID", "groupID")
    return [Computer({"ID": number, **dict(zip(names, row))}) for number, row in enumerate(rows, 1)]


COMPUTERS = st.lists(
    st.tuples(
        st.just("x"),
        st.just(""),
        st.sampled_from(["Ubuntu Linux 22", "{{ x }}", ""]),
        st.sampled_from(["20.0.0.877", "20.0.0.1", "0.0.0.0", "", "9.6.2.8352", "{{ x }}"]),
        st.one_of(st.none(), st.integers(1, 8)),
        st.one_of(st.none(), st.integers(1, 8)),
    ),
    max_size=6,
)


@given(TREES, TREES, COMPUTERS, st.sampled_from([PREFIXES, dict.fromkeys(PREFIXES, ""), dict.fromkeys(PREFIXES, "a")]))
def test_groups_are_a_forest_that_ansible_takes(policies, groups, rows, prefixes):
    """Whatever the names, however policies are below each other: nothing collides, and no circle is left."""
    fleet = Fleet(t.cast(t.Any, None))
    fleet.__dict__["policies"] = {n: Policy(n, name, parent, {}, frozenset()) for n, (name, parent) in policies.items()}
    fleet.__dict__["group_tree"] = groups
    computers = computers_of(rows)
    prefixes = {kind: prefix for kind, prefix in prefixes.items() if kind != "direction"}
    made = _Groups(fleet, prefixes, safe, None, computers)
    memberships = [made.of(computer) for computer in computers]
    inventory = InventoryData()
    for name in made.parents:
        assert name == safe(name) and name.casefold() not in ("all", "ungrouped")
        assert inventory.add_group(name) == name
    for name, parent in made.parents.items():
        if parent is not None:
            inventory.add_child(parent, name)
    for computer, membership in zip(computers, memberships):
        inventory.add_host(str(computer.id))
        for name in membership:
            inventory.add_child(name, str(computer.id))
        # One for platform, release and status each, and for what there is of policy and group.
        there = (computer.policy_id in policies) + (computer.group_id in groups)
        assert len(set(membership)) == len(membership) == 3 + there
    # A host in a policy's group is in those of all policies above it, unless these go round in a circle.
    for computer, membership in zip(computers, memberships):
        above = {group.name for group in inventory.hosts[str(computer.id)].get_groups()}
        assert above >= set(membership)
        if computer.policy_id in policies:
            lineage, number = [], computer.policy_id
            while number in policies and number not in lineage:
                lineage.append(number)
                number = policies[number][1]
            if number not in lineage:
                assert {made._names["policy", one] for one in lineage} <= above


def test_groups_that_no_host_needs_are_not_made():
    fleet = Fleet(t.cast(t.Any, None))
    fleet.__dict__["policies"] = {
        n: Policy(n, name, parent, {}, frozenset())
        for n, name, parent in [(1, "Base", None), (2, "Linux-A", 1), (3, "Linux A", 1), (4, "Web", 2), (5, "Other", 1)]
    }
    fleet.__dict__["group_tree"] = {}
    computers = computers_of([("a", "", "", "", 4, None), ("b", "", "", "", 3, None)])
    made = _Groups(fleet, {"policy": "p_"}, safe, None, computers)
    assert made.parents == {"p_Base": None, "p_Linux_A": "p_Base", "p_Linux_A_3": "p_Base", "p_Web": "p_Linux_A"}
    assert [made.of(computer) for computer in computers] == [["p_Web"], ["p_Linux_A_3"]]
    assert len(made.warnings) == 1


def test_two_names_of_one_option():
    assert HostsAsked.from_options({"query": "[]"}).selector.computers_query
    with pytest.raises(OptionError, match="it is another name of computers_query; give one of them only"):
        HostsAsked.from_options({"query": "[]", "computers_query": "[]"})
    assert HostsAsked.from_options({"group_by": ["status"]}).prefixes == {"status": "status_"}
    asked = HostsAsked.from_options({"group_by": ["release", "policy"], "group_prefixes": {"policy": ""}})
    assert asked.prefixes == {"policy": "", "release": "agent_"} and asked.selector is None
