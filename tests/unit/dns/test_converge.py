# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options wish: names, records and their TTLs, with an error for what cannot be before anything is read."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.converge import converge
from ansible_collections.workload_security.agent.plugins.module_utils._dns.place import Place
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from ansible_collections.workload_security.agent.plugins.module_utils._vendor.hostnames import (
    required_hostnames,
    undocumented_hostnames,
)


class Memory(Place):
    """A place that takes everything."""

    types = ("A", "AAAA", "CNAME")
    default_ttl = 3600

    def __init__(self, *held: Record) -> None:
        super().__init__()
        self.held = list(held)
        self.writes = 0

    def read(self, names: list[str]) -> list[Record]:
        return [record for record in self.held if record.name in names]

    def write(self, before: list[Record], after: list[Record]) -> None:
        self.writes += 1
        self.held = [record for record in self.held if record not in before] + after


class Hosts(Memory):
    """A place for addresses only."""

    types = ("A", "AAAA")
    default_ttl = None


class Unread(Memory):
    """A place that nobody may touch."""

    def read(self, names: list[str]) -> list[Record]:
        raise AssertionError("an option that cannot be right was taken")


def run(place: Place, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    filled = {"state": "present", "hostnames": ["dsm.example.com"], "region": None, "addresses": None, "cname": None}
    return converge(place, {**filled, "ttl": None, **params}, check_mode=check_mode)


A = Record("dsm.example.com", "A", "192.0.2.10", 3600)
AAAA = Record("dsm.example.com", "AAAA", "2001:db8::10", 3600)
CNAME = Record("dsm.example.com", "CNAME", "manager.example.com", 3600)
OTHER = Record("web.example.com", "A", "192.0.2.80", 60)


def test_a_name_gets_exactly_what_is_wished() -> None:
    place = Memory(A, OTHER)
    result = run(place, addresses=["2001:DB8::10", "2001:db8::10"])
    assert result["before"] == [A.as_dict()]
    assert result["records"] == [AAAA.as_dict()]
    assert result["diff"] == {
        "before": "dsm.example.com 3600 A 192.0.2.10\n",
        "after": "dsm.example.com 3600 AAAA 2001:db8::10\n",
    }
    assert sorted(place.held) == [AAAA, OTHER]
    run(place, cname="Manager.example.com.")
    assert sorted(place.held) == [CNAME, OTHER]
    run(place, state="absent")
    assert place.held == [OTHER]


def test_check_mode_and_what_is_there_already_write_nothing() -> None:
    place = Memory(A)
    assert run(place, check_mode=True, addresses=["192.0.2.11"])["changed"]
    assert not run(place, addresses=["192.0.2.10"])["changed"]
    assert place.writes == 0


def test_what_was_cut_short_is_written_once_more() -> None:
    place = Memory(A)
    place.unfinished = True
    assert run(place, check_mode=True, addresses=["192.0.2.10"])["changed"]
    assert place.writes == 0
    assert run(place, addresses=["192.0.2.10"])["changed"]
    assert place.writes == 1


@pytest.mark.parametrize(
    ("held", "ttl", "after"),
    [([], None, 3600), ([60], None, 60), ([60], 120, 120), ([], 0, 0), ([0], None, 0)],
)
def test_a_ttl_is_the_one_asked_for_or_held_or_the_place_s(held: list[int], ttl: int | None, after: int) -> None:
    place = Memory(*(Record("dsm.example.com", "A", "192.0.2.9", seconds) for seconds in held))
    assert run(place, addresses=["192.0.2.10"], ttl=ttl)["records"][0]["ttl"] == after
    assert not run(place, addresses=["192.0.2.10"])["changed"]


def test_names_of_a_region_come_behind_those_named() -> None:
    place = Memory()
    run(place, hostnames=["DSM.example.com", "dsm.example.com."], region="us-1", addresses=["192.0.2.10"])
    names = ["dsm.example.com", *required_hostnames("us-1")]
    assert sorted(record.name for record in place.held) == sorted(names)


def test_names_that_are_not_documented_get_no_records_and_a_warning_says_so() -> None:
    undocumented = undocumented_hostnames("trend-us-1")
    place = Memory()
    result = run(place, hostnames=[], region="trend-us-1", addresses=["192.0.2.10"])
    assert [record["name"] for record in result["records"]] == sorted(required_hostnames("trend-us-1"))
    (warning,) = place.warnings
    assert all(name in warning for name in undocumented)
    place = Memory()
    result = run(place, hostnames=undocumented, region="trend-us-1", addresses=["192.0.2.10"])
    assert len(result["records"]) == 18 and not place.warnings
    for params in ({"region": "us-1"}, {"region": "trend-us-1", "state": "absent"}):
        place = Memory()
        run(place, addresses=["192.0.2.10"], **params)
        assert not place.warnings


def test_absent_does_not_look_at_what_is_wished_when_present() -> None:
    assert run(Hosts(), state="absent", addresses=["no address"], cname="a b", ttl=-1)["changed"] is False


@pytest.mark.parametrize(
    ("params", "option", "words"),
    [
        ({"hostnames": None}, "hostnames", "name the host name of the manager, or set option region"),
        ({"hostnames": ["a b"]}, "hostnames", "'a b': it must be a host name"),
        ({"hostnames": ["dsm", "LocalHost."]}, "hostnames", "'LocalHost.': it is a name of the host itself"),
        ({"hostnames": ["ip6-localhost"], "state": "absent"}, "hostnames", "'ip6-localhost': it is a name of the host"),
        ({"hostnames": ["localhost.localdomain"]}, "hostnames", "it is a name of the host itself"),
        ({"hostnames": ["dsm.localhost"]}, "hostnames", "it is a name of the host itself"),
        ({"region": "us-2"}, "region", "'us-2': it must be one of ae-1"),
        ({"addresses": ["dsm"]}, "addresses", "'dsm': it must be an IPv4 or IPv6 address"),
        ({"addresses": []}, "addresses", "give the addresses of the host names"),
        ({"cname": "192.0.2.10"}, "cname", "'192.0.2.10': it must be a host name"),
        ({"cname": "DSM.example.com"}, "cname", "'DSM.example.com': a name cannot be an alias of itself"),
        ({"ttl": -1}, "ttl", "'-1': it must be a number of seconds from 0 to 2147483647"),
        ({"ttl": 2**31}, "ttl", "'2147483648': it must be a number of seconds from 0 to"),
    ],
)
def test_bad_options_are_refused_before_anything_is_read(params: dict, option: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        run(Unread(), **{**({"addresses": ["192.0.2.10"]} if "cname" not in params else {}), **params})
    assert (caught.value.code, caught.value.option) == ("bad_option", option)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("params", "option", "words"),
    [
        ({"cname": "manager.example.com"}, "cname", "only rfc2136 supports aliases"),
        ({"addresses": ["192.0.2.10"], "ttl": 60}, "ttl", "hosts files have no TTL; rfc2136 and unbound have"),
    ],
)
def test_what_a_place_cannot_hold_is_refused_by_naming_who_can(params: dict, option: str, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        run(Hosts(A), **params)
    assert (caught.value.code, caught.value.option) == ("bad_option", option)
