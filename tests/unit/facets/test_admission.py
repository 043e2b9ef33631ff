# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom rules admit, by every kind of source, negated or not, and what cannot be told."""

from __future__ import annotations

import ipaddress
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.address_set import EVERYTHING, AddressSet
from ansible_collections.workload_security.agent.plugins.module_utils._basis.addresses import ip_span, ip_text
from ansible_collections.workload_security.agent.plugins.module_utils._facets.firewall.admission import (
    Admitted,
    admitted_by,
    all_of,
)

IP_LISTS: dict[int, dict[str, t.Any]] = {
    1: {"ID": 1, "name": "All", "items": ["0.0.0.0/0 # world", "# nothing", "", "::/0"]},
    2: {"ID": 2, "name": "Halves", "items": ["0.0.0.0/1", "128.0.0.0/1"]},
    3: {"ID": 3, "name": "Office", "items": ["192.0.2.0/24", "192.0.2.5/255.255.255.0", "2001:db8::/64 # v6"]},
    4: {"ID": 4, "name": "Odd", "items": ["192.0.2.0/24", "host.example.com"]},
    5: {"ID": 5, "name": "Empty", "items": ["# soon"]},
    6: {"ID": 6, "name": "None", "items": None},
    7: {"ID": 7, "name": "Numbers", "items": [3232235521]},
    8: {"ID": 8, "name": "Mapped", "items": ["::ffff:0:0/96"]},
    9: {"ID": 9, "name": "All and odd", "items": ["0.0.0.0/0", "mars"]},
}
MAC_LISTS: dict[int, dict[str, t.Any]] = {
    1: {"ID": 1, "name": "Routers", "items": ["00-00-5E-00-53-01", "00:00:5e:00:53:02 # standby"]},
    2: {"ID": 2, "name": "Odd", "items": ["router"]},
    3: {"ID": 3, "name": "Empty", "items": []},
}
ROUTERS = {"00-00-5E-00-53-01", "00-00-5E-00-53-02"}


def admitted(**source: t.Any) -> Admitted:
    """Whom a rule admits; C(IPType) stands for C(sourceIPType) and so on."""
    return admitted_by({f"source{key}": value for key, value in source.items()}, IP_LISTS.get, MAC_LISTS.get)


def listed(number: int, **more: t.Any) -> dict[str, t.Any]:
    return {"IPType": "ip-list", "IPListID": number, **more}


EVERYBODY = [
    {},
    {"IPType": "any", "MACType": "any"},
    listed(1),
    listed(2),
    listed(9),
    {"IPType": "masked-ip", "IPValue": "10.0.0.0", "IPMask": "0.0.0.0"},
    {"IPType": "masked-ip", "IPValue": "10.0.0.0", "IPMask": "0"},
    {"IPType": "masked-ip", "IPValue": "::", "IPMask": "::"},
    {"IPType": "range", "IPRangeFrom": "0.0.0.0", "IPRangeTo": "255.255.255.255"},
    {"IPType": "range", "IPRangeFrom": "::", "IPRangeTo": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"IPType": "single", "IPValue": "10.0.0.1", "IPNot": True},
    {"IPType": "multiple", "IPMultiple": ["10.0.0.1", "2001:db8::1"], "IPNot": True},
    {"IPType": "multiple", "IPMultiple": ["0.0.0.0 - 9.255.255.255", "10.0.0.1 - 255.255.255.255"]},
    # Naming nobody of IPv6 leaves all of it, and the other way round.
    {"IPType": "multiple", "IPMultiple": ["0.0.0.0/0"], "IPNot": True},
    listed(3, IPNot=True),
    # All but some MACs are no limit.
    {"MACType": "single", "MACValue": "00-00-5E-00-53-01", "MACNot": True},
    listed(1, MACType="mac-list", MACListID=1, MACNot=True),
]


@pytest.mark.parametrize("source", EVERYBODY, ids=json.dumps)
def test_everybody_is_everybody_whatever_the_kind_of_source(source: dict[str, t.Any]) -> None:
    assert admitted(**source).everybody is True
    assert admitted(**source).counts.everybody


@pytest.mark.parametrize(
    ("source", "texts", "counts"),
    [
        (listed(3), ["192.0.2.0/24", "2001:db8::/64"], (256, 1 << 64)),
        ({"IPType": "single", "IPValue": "192.0.2.7"}, ["192.0.2.7"], (1, 0)),
        ({"IPType": "masked-ip", "IPValue": "192.0.2.7", "IPMask": "255.255.255.0"}, ["192.0.2.0/24"], (256, 0)),
        ({"IPType": "range", "IPRangeFrom": "192.0.2.1", "IPRangeTo": "192.0.2.3"}, ["192.0.2.1 - 192.0.2.3"], (3, 0)),
        ({"IPType": "multiple", "IPMultiple": ["192.0.2.1", "192.0.2.2"]}, ["192.0.2.1 - 192.0.2.2"], (2, 0)),
        (
            listed(3, MACType="mac-list", MACListID=1),
            ["192.0.2.0/24; 2001:db8::/64, by MAC 00-00-5E-00-53-01, 00-00-5E-00-53-02 only"],
            (256, 1 << 64),
        ),
        (
            listed(3, MACType="single", MACValue="00-00-5E-00-53-01", MACNot=True),
            ["192.0.2.0/24; 2001:db8::/64, by any MAC but 00-00-5E-00-53-01"],
            (256, 1 << 64),
        ),
    ],
)
def test_some(source: dict[str, t.Any], texts: list[str], counts: tuple[int, int]) -> None:
    found = admitted(**source)
    assert (found.everybody, found.untold, found.texts) == (False, (), texts)
    assert (found.counts.ipv4, found.counts.ipv6) == counts


def test_nobody_but_by_mac() -> None:
    for source in ({"MACType": "mac-list", "MACListID": 1}, listed(1, MACType="multiple", MACMultiple=sorted(ROUTERS))):
        found = admitted(**source)
        assert (found.everybody, found.macs, found.counts.as_dict()) == (False, ROUTERS, {"ipv4": 0, "ipv6": 0})
        assert found.texts == [
            "all IPv4 addresses; all IPv6 addresses, by MAC 00-00-5E-00-53-01, 00-00-5E-00-53-02 only"
        ]


UNTOLD = [
    (listed(4), "'host.example.com' cannot be read"),
    (listed(4, IPNot=True), "'host.example.com' cannot be read"),
    (listed(5), "an empty list"),
    (listed(5, IPNot=True), "an empty list"),
    (listed(6), "no items that can be read"),
    (listed(7), "'3232235521', which is not text"),
    (listed(8), "not documented"),
    (listed(99), "IP list with ID 99 is not on the manager"),
    ({"IPType": "ip-list"}, "IP list with ID None is not on the manager"),
    ({"IPType": "ip-list", "IPListID": True}, "IP list with ID True is not on the manager"),
    ({"IPType": "ip-list", "IPListID": [3]}, "is not on the manager"),
    ({"IPListID": 3}, "type of source 'None' is not known"),
    ({"IPType": "geo"}, "type of source 'geo' is not known"),
    ({"IPType": 5}, "type of source '5' is not known"),
    ({"IPType": "any", "IPNot": True}, "source is any, negated"),
    ({"IPType": "any", "IPNot": "false"}, "sourceIPNot is 'false'"),
    ({"IPType": "single"}, "sourceIPValue is missing"),
    ({"IPType": "single", "IPValue": 7}, "sourceIPValue is '7'"),
    ({"IPType": "multiple", "IPMultiple": "10.0.0.1"}, "no items that can be read"),
    ({"IPType": "multiple", "IPMultiple": []}, "an empty list"),
    ({"IPType": "masked-ip", "IPValue": "10.0.0.0", "IPMask": "0.0.0.255"}, "cannot be read"),
    ({"IPType": "masked-ip", "IPValue": "10.0.0.0"}, "sourceIPMask is missing"),
    ({"IPType": "range", "IPRangeFrom": "10.0.0.9", "IPRangeTo": "10.0.0.1"}, "lower to a higher"),
    ({"MACType": "any", "MACNot": True}, "source MAC is any, negated"),
    ({"MACType": "mac-list", "MACListID": 2}, "'router' cannot be read"),
    ({"MACType": "mac-list", "MACListID": 3}, "an empty list of MACs"),
    ({"MACType": "mac-list", "MACListID": 99}, "MAC list with ID 99"),
    ({"MACType": "vendor"}, "type of source MAC 'vendor' is not known"),
    ({"MACValue": "00-00-5E-00-53-01"}, "type of source MAC 'None' is not known"),
    (listed(3, MACType="single"), "sourceMACValue is missing"),
]


@pytest.mark.parametrize(("source", "reason"), UNTOLD, ids=str)
def test_what_cannot_be_read_is_never_a_limit(source: dict[str, t.Any], reason: str) -> None:
    found = admitted(**source)
    assert found.everybody is None
    assert reason in found.untold[0]


def test_rules_admit_together() -> None:
    halves = [{"IPType": "single", "IPValue": half} for half in ("0.0.0.0/2", "64.0.0.0/2")]
    eighths = [admitted(IPType="multiple", IPMultiple=[f"{number * 32}.0.0.0/3"]) for number in range(8)]
    assert all(one.everybody is False for one in eighths)
    assert all_of(eighths).everybody is True and all_of(eighths).texts == ["all IPv4 addresses"]
    assert all_of([admitted(**one) for one in halves]).everybody is True
    unread = admitted(**listed(4))
    assert (eighths[0] | unread).everybody is None and (all_of(eighths) | unread).everybody is True


def test_who_is_admitted_there_too() -> None:
    office, routers = admitted(**listed(3)), admitted(MACType="mac-list", MACListID=1)
    assert office.within(admitted()) and routers.within(admitted()) and not admitted().within(office)
    assert routers.within(routers | office) and not office.within(routers) and not routers.within(office)
    assert not admitted(**listed(4)).within(admitted()), "nobody knows"
    assert Admitted().within(office) and not office.within(Admitted())


def test_texts_are_bounded() -> None:
    ways = [admitted(IPType="single", IPValue=f"10.0.{n}.1", MACType="single", MACValue="00-00-5E-00-53-01") for n in range(100)]  # fmt: skip
    assert len(all_of(ways).texts) == 21 and all_of(ways).texts[-1] == "80 more by certain MACs"
    items = [f"10.0.{high}.{low}" for high in range(40) for low in range(0, 200, 2)]
    assert len("".join(admitted(IPType="multiple", IPMultiple=items).texts)) < 1000


values = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 9), st.floats(), st.text(max_size=8), st.lists(st.text(max_size=8)),
    st.sampled_from(["any", "ip-list", "mac-list", "single", "multiple", "range", "masked-ip", "10.0.0.1", "0.0.0.0"]),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
KEYS = [
    f"source{kind}{key}"
    for kind in ("IP", "MAC")
    for key in ("Type", "Not", "Value", "Mask", "RangeFrom", "RangeTo", "Multiple", "ListID")
]


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=8))
def test_no_rule_breaks_the_reading_and_the_result_can_be_written(rule: dict[str, t.Any]) -> None:
    found = admitted_by(rule, IP_LISTS.get, MAC_LISTS.get)
    json.dumps([found.texts, found.untold, found.counts.as_dict(), sorted(found.macs)])
    assert found.everybody in (True, False, None)


# Networks of few bits at the ends of IPv4 and IPv6, which a naive model can list.
networks = st.one_of(
    st.integers(0, 15).map(lambda number: f"0.0.0.{number}"),
    st.tuples(st.integers(28, 32), st.integers(0, 15)).map(
        lambda one: str(ipaddress.ip_network((one[1], one[0]), strict=False))
    ),
    st.tuples(st.integers(0, 15), st.integers(0, 15)).map(
        lambda ends: f"0.0.0.{min(ends)} - 0.0.0.{max(ends)}",
    ),
    st.integers(1, 15).map(lambda number: f"ffff::{number:x}"),
)
ADDRESSES = [f"0.0.0.{number}" for number in range(16)] + [f"ffff::{number:x}" for number in range(16)]


@given(st.lists(networks, min_size=1, max_size=5), st.booleans(), st.sampled_from(["multiple", "ip-list"]))
def test_sources_agree_with_looking_at_each_address(items: list[str], negated: bool, kind: str) -> None:
    rule = {"sourceIPType": kind, "sourceIPMultiple": items, "sourceIPListID": 1, "sourceIPNot": negated}
    found = admitted_by(rule, {1: {"name": "L", "items": [f"{item} # x" for item in items]}}.get, MAC_LISTS.get)
    named = [ip_span(item) for item in items]
    for address in ADDRESSES:
        version, number, _same = ip_span(address)
        inside = any(v == version and first <= number <= last for v, first, last in named)
        assert found.addresses.holds(AddressSet.of([ip_span(address)])) == (inside != negated)
    assert (found.addresses | AddressSet.of(named)) == (EVERYTHING if negated else found.addresses)
    assert all(ip_text(span) for span in found.addresses.spans)
