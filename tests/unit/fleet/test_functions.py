# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Functions of our own in queries: versions compared as versions, and addresses in networks."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import numbers
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.expression import Expression
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.query import (
    EXAMPLE,
    PolicyQuery,
    Query,
    Table,
)

VERSIONS = st.tuples(*[st.integers(0, 300)] * 4)
COMPARISONS = {
    "version_lt": lambda one, other: one < other,
    "version_le": lambda one, other: one <= other,
    "version_gt": lambda one, other: one > other,
    "version_ge": lambda one, other: one >= other,
    "version_eq": lambda one, other: one == other,
}


def rows(*own: dict) -> Table:
    return Table.of(EXAMPLE, [{**EXAMPLE, **one, "id": number} for number, one in enumerate(own, 1)])


@given(st.lists(VERSIONS, max_size=5), VERSIONS.filter(any), st.sampled_from(sorted(COMPARISONS)))
def test_versions_are_compared_by_their_numbers(fleet, wanted, name):
    literal = ".".join(map(str, wanted))
    query = Query(f"[?{name}(agent_version, '{literal}')]", "query")
    found = query.select(rows(*({"agent_version": ".".join(map(str, one))} for one in fleet)))
    assert found == [n for n, one in enumerate(fleet, 1) if any(one) and COMPARISONS[name](one, wanted)]
    assert query.without_version == sum(not any(one) for one in fleet)


def test_what_is_no_version_is_never_true_and_counted():
    unread = ["", "0.0.0.0", "unknown", "20.x", "{{ 7*7 }}", "9" * 300]
    fleet = rows(*({"agent_version": text} for text in ["20.0.0.877", *unread]))
    for name in COMPARISONS:
        query = Query(f"[?{name}(agent_version, '20.0.0.877')]", "query")
        assert query.select(fleet) == ([1] if name[-2:] in ("le", "ge", "eq") else [])
        assert query.without_version == len(unread)
        # Of those that a filter does not even ask, nothing is said; elsewhere all are counted.
        query = Query(f"[?platform_family == 'linux' && {name}(agent_version, '20')]", "query")
        assert query.select(fleet) == [] and query.without_version == 0
        query = Query(f"[?{name}(agent_version, '20')] | [:1]", "query")
        query.select(fleet)
        assert query.without_version == len(unread)
    query = Query("[?agent_version == '20.0.0.877']", "query")
    assert query.select(fleet) == [1] and query.without_version == 0


Truth = t.Optional[bool]


def negated(one: Truth) -> Truth:
    return None if one is None else not one


def both(one: Truth, other: Truth) -> Truth:
    return False if False in (one, other) else None if None in (one, other) else True


def either(one: Truth, other: Truth) -> Truth:
    return negated(both(negated(one), negated(other)))


# Conditions, each with what it is of a computer whose version nobody knows; None: neither true nor false.
CONDITIONS: st.SearchStrategy[tuple[str, Truth]] = st.recursive(
    st.sampled_from(
        [
            ("version_lt(agent_version, '20')", None),
            ("version_ge(agent_version, '20')", None),
            ("version_eq(agent_version, agent_version)", None),
            ("platform_family == 'macos'", True),
            ("platform_family != 'macos'", False),
            ("in_network(last_ip, '10.0.0.0/8')", False),
            ("id", True),
            ("not_null(version_lt(agent_version, '20'), `true`)", False),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"!({one[0]})", negated(one[1]))),
        inner.map(lambda one: (f"({one[0]}) == `7`", False if one[1] is not None else None)),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} && {two[1][0]})", both(two[0][1], two[1][1]))),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} || {two[1][0]})", either(two[0][1], two[1][1]))),
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.sampled_from(["", "0.0.0.0", "unknown"]))
@example(("!(version_ge(agent_version, '20.0.0'))", None), "")
def test_a_version_that_nobody_knows_is_on_neither_side(condition, version):
    text, truth = condition
    fleet = rows({"agent_version": version})
    for query in (f"[?{text}]", f"[?{text}] | [:9]"):
        assert Query(query, "query").select(fleet) == ([1] if truth else [])


def test_what_is_shown_of_a_comparison_is_a_boolean():
    fleet = rows({"agent_version": ""}, {"agent_version": "10.0.0.1"}).rows
    shown = Expression("[].{old: version_lt(agent_version, '20')}", "query").result(fleet)
    assert shown == [{"old": False}, {"old": True}]
    assert Expression("map(&!version_lt(agent_version, '20'), @)", "query").result(fleet) == [False, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20", (20, 0, 0, 0)),
        ("20.0", (20, 0, 0, 0)),
        ("20.0.1", (20, 0, 1, 0)),
        (" 20.0.0-1390.el7 ", (20, 0, 0, 1390)),
        ("10.0 Update 16", None),
        ("20.", None),
        ("-1", None),
        ("0", None),
        ("٣.٣", None),
        ("", None),
    ],
)
def test_versions_in_short(text, expected):
    assert numbers(text) == expected


@given(st.text(max_size=20))
def test_any_text_is_a_version_or_none(text):
    found = numbers(text)
    assert found is None or (len(found) == 4 and any(found))


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("10.1.2.3", "'10.0.0.0/8'", True),
        ("11.1.2.3", "'10.0.0.0/8'", False),
        ("10.1.2.3", "'10.1.2.3'", True),
        ("10.1.2.3", "'10.1.2.0 - 10.1.2.3'", True),
        ("10.1.2.3", "'10.0.0.0/255.0.0.0'", True),
        ("10.1.2.3", "['192.0.2.0/24', '10.0.0.0/8']", True),
        ("10.1.2.3", "`[]`", False),
        ("2001:db8::7", "'2001:db8::/32'", True),
        ("2001:db8::7", "'0.0.0.0/0'", False),
        ("::ffff:10.1.2.3", "'10.0.0.0/8'", True),
        ("", "'0.0.0.0/0'", False),
        ("unknown", "'0.0.0.0/0'", False),
        ("10.1.2.3, 10.1.2.4", "'0.0.0.0/0'", False),
    ],
)
def test_addresses_in_networks(address, networks, expected):
    query = Query(f"[?in_network(last_ip, {networks})]", "query")
    assert query.select(rows({"last_ip": address})) == ([1] if expected else [])


def test_names_in_lower_case():
    given = rows({"host_name": "Web1.EXAMPLE.com"}, {"host_name": "web1.example.com"}, {"host_name": ""})
    assert Query("[?lower(host_name) == 'web1.example.com']", "query").select(given) == [1, 2]
    assert Query("[?contains(['web1.example.com'], lower(host_name))]", "query").select(given) == [1, 2]
    with pytest.raises(OptionError, match="no field 'hostname'; nearest: 'host_name'"):
        Query("[?lower(hostname) == 'x']", "query")


# An IPv4 address that is written as one of IPv6 is taken for what it is.
ADDRESSES = st.ip_addresses().filter(lambda address: address.version == 4 or not address.ipv4_mapped)


@given(ADDRESSES, st.integers(0, 32))
def test_a_network_holds_what_ipaddress_says(address, prefix):
    network = ipaddress.ip_network((address, prefix), strict=False)
    query = Query(f"[?in_network(last_ip, '{network}')]", "query")
    other = type(address)(int(address) ^ (1 << (address.max_prefixlen - 1)))
    found = query.select(rows({"last_ip": str(address)}, {"last_ip": str(other)}))
    assert found == [1, *([2] if other in network else [])]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("[?version_lt(agent_version, '20.x')]", "version_lt() compares versions, such as '20.0.2.1390' or '20', and"),
        ("[?version_eq('', agent_version)]", "and '' is not a version"),
        ("[?version_eq(agent_version, '0.0.0.0')]", "and '0.0.0.0' is not a version"),
        ("[?id > `0` || version_ge(agent_version, '10.0 Update 16')]", "and '10.0 Update 16' is not a version"),
        ("[?version_lt(agent_version, `20`)]", "version_lt() takes string, and not number"),
        ("[?version_lt(agent_version)]", "version_lt"),
        ("[?version_lt(agentversion, '20')]", "no field 'agentversion'; nearest: 'agent_version'"),
        ("[?version_ne(agent_version, '20')]", "version_ne"),
        (
            "[?in_network(last_ip, '10.0.0.1/8')]",
            "in_network() takes a network, and '10.0.0.1/8' is not one: it has host",
        ),
        ("[?in_network(last_ip, ['10.0.0.0/8', 'x'])]", "in_network() takes a network, and 'x' is not one"),
        ("[?id < `0` && in_network(last_ip, '')]", "in_network() takes a network, and '' is not one"),
        ("[?in_network('', '10.0.0.0/33')]", "in_network() takes a network, and '10.0.0.0/33' is not one"),
        ("[?in_network(last_ip, `8`)]", "in_network() takes string or array-string, and not number"),
    ],
)
def test_what_can_never_be_meant_is_said_before_anything_is_sent(expression, said):
    with pytest.raises(OptionError) as caught:
        Query(expression, "computers_query")
    assert said in str(caught.value)


def test_policies_are_asked_in_the_same_language():
    only = {"id": 1, "name": "20.0.1", "parent": "", "path": "20.0.1", "description": "10.1.2.3"}
    fleet = Table.of(only, [only])
    assert PolicyQuery("[?version_gt(name, '20')]", "policies_query").select(fleet) == [1]
    assert PolicyQuery("[?in_network(description, '10.0.0.0/8')]", "policies_query").select(fleet) == [1]
    for expression, said in (
        ("[?host_name == 'x']", "policies have no field 'host_name'"),
        ('[?parent == "Base Policy"]', 'JMESPath takes "..." for the name of a field'),
        ("[].name", "it must return a list of policies, each with its id, such as [?parent == 'Base Policy']"),
        ("[?id == '1']", "id is a number and is never equal to text"),
    ):
        with pytest.raises(OptionError) as caught:
            PolicyQuery(expression, "policies_query")
        assert said in str(caught.value)
