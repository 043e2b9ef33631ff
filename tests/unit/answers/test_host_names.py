# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts of an inventory: none leads Ansible to the machine that it runs on, or to a host that is not meant."""

from __future__ import annotations

import ipaddress
import re
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._answers.host_names import (
    HostNames,
    fallback,
    is_usable,
    key_of,
    leads_to_a_host,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("web-01.example.com", True),
        ("web-01.example.com.", True),
        ("WEB01", True),
        ("büro_7", True),
        ("192.0.2.7", True),
        ("2001:db8::7", True),
        ("7up", True),
        ("web.7", True),
        ("0x7f.example.com", True),
        ("computer_x", True),
        ("locals.example.com", True),
        ("mylocalhost", True),
        ("", False),
        (" ", False),
        (".", False),
        ("web 01", False),
        ("{{ 7*7 }}", False),
        ("web,01", False),
        ("web:01", False),
        ("web[1:9]", False),
        ("~web", False),
        ("!web", False),
        ("-oProxyCommand=x", False),
        ("../web", False),
        ("web/01", False),
        ("web\n01", False),
        ("web\u202e01", False),
        ("web@host", False),
        ("a" * 254, False),
        ("all", False),
        ("UNGROUPED", False),
        # What is given to a host without a usable name.
        ("computer_7", False),
        ("Computer_7_", False),
    ],
)
def test_which_names_a_host_can_have(name, usable):
    assert is_usable(name) is usable


@pytest.mark.parametrize(
    "name",
    [
        *("localhost", "LocalHost", "localhost.", "localhost4", "localhost6.localdomain6", "localhost.localdomain"),
        *("localhost.example.com", "x.localhost", "x.localhost.", "loopback", "ip6-localhost", "ip6-loopback"),
        *(
            "ip6-allnodes",
            "broadcasthost",
            "_gateway",
            "_outbound",
            "host.docker.internal",
            "host.containers.internal.",
        ),
        # Letters that become ordinary ones where a name is made ready for DNS.
        *("\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54", "localho\u017ft"),
        *("\uff11\uff12\uff17.0.0.1", "\u00b9\u00b2\u2077.1", "7\u2488", "\uff10x7f000001"),
        *("127.0.0.1", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0X7F.1", "017700000001", "127.0.0.1."),
        *("7", "10.5", "167772165", "1.2.3.4.5", "010.0.0.1", "0x", "00", "99999999999999999999"),
        *("0.1.2.3", "127.255.255.254", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0.0.0.0", "::ffff:10.0.0.1"),
        *("::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "fe80::1", "fe80::1%eth0", "2001:db8::1%x", "ff02::1"),
    ],
)
def test_names_that_lead_elsewhere(name):
    assert not is_usable(name)


def spelled(number: int, bases: list[str]) -> str:
    """An IPv4 address as C(inet_aton) takes it: so many numbers, each to its base, the last one with all the rest."""
    parts = [number >> 24 & 255, number >> 16 & 255, number >> 8 & 255][: len(bases) - 1]
    parts.append(number & (1 << 8 * (5 - len(bases))) - 1)
    return ".".join(base.format(part) for base, part in zip(bases, parts))


BASES = st.lists(st.sampled_from(["{}", "0{:o}", "0x{:x}", "0X{:X}", "0x000{:x}", "000{:o}"]), min_size=1, max_size=4)
ADDRESSES = st.one_of(
    st.sampled_from([0, 1, 0x7F000001, 0x7FFFFFFE, 0x0A000005, 0xC0000207, 0xFFFFFFFF]), st.integers(0, 2**32 - 1)
)
WIDE = {ord(letter): ord(letter) + 0xFEE0 for letter in "0123456789abcdefxABCDEFX"}


@given(ADDRESSES, BASES, st.sampled_from(["", ".", ".."]), st.booleans())
@example(0x0A000005, ["{}"] * 4, "", False)
def test_only_the_usual_spelling_of_an_address_is_a_host(number, bases, end, is_wide):
    usual = str(ipaddress.IPv4Address(number))
    name = spelled(number, bases)
    assert socket.inet_aton(name) == number.to_bytes(4, "big")
    name = (name.translate(WIDE) if is_wide else name) + end
    assert is_usable(name) is (name == usual and leads_to_a_host(usual))


@given(
    st.one_of(
        st.text("0123456789.xabcf:%_-", max_size=20), st.from_regex(r"[0-9a-fx]{1,4}([.:]{1,2}[0-9a-fx]{1,4}){0,7}")
    )
)
def test_what_the_machine_takes_for_an_address_is_that_address(name):
    """Held against the machine's own reading, which asks no name server here."""
    try:
        found = socket.getaddrinfo(name, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    if is_usable(name):
        address = ipaddress.ip_address(name)
        assert {each[4][0] for each in found} == {str(address)}
        assert not (address.is_loopback or address.is_unspecified)


LOCAL = st.sampled_from(["localhost", "localhost4", "localhost6", "LOCALHOST", "Localho\u017ft"])


@given(LOCAL, st.sampled_from(["", ".localdomain", ".localdomain4", ".example.com"]), st.sampled_from(["", ".", "..."]))
def test_no_name_of_the_machine_itself_is_a_host(first, rest, end):
    assert not is_usable(first + rest + end) and not is_usable(f"x.{first}{end}")


NAMES = st.one_of(
    st.sampled_from(
        [
            "web-01",
            "WEB-01",
            "web-01.",
            "computer_2",
            "computer_2_",
            "{{ 7*7 }}",
            "a b",
            "all",
            "10.0.0.1",
            "127.1",
            "x",
            "x.",
        ]
    ),
    st.text(st.characters(codec=None), max_size=4),
)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8), st.lists(NAMES, max_size=2), st.sets(NAMES, max_size=3))
def test_every_host_has_a_name_of_its_own_that_leads_to_it(pairs, others, groups):
    computers = [
        Computer({"ID": number, "hostName": host, "displayName": display})
        for number, (host, display) in enumerate(pairs, 1)
    ]
    known = [*computers, *(Computer({"ID": number, "hostName": host}) for number, host in enumerate(others, 100))]
    made = HostNames(computers, known, groups)
    keys = [key_of(one.host_name) for one in known]
    assert len({key_of(name) for name in made.names}) == len(made.names) == len(computers)
    for computer, name in zip(computers, made.names):
        assert name not in groups
        leads = is_usable(computer.host_name) and keys.count(key_of(computer.host_name)) == 1
        assert (computer in made.unusual) is (name != computer.host_name or not leads)
        assert (computer.id in made.addresses) is (leads and name != computer.host_name)
        if name == computer.host_name or re.fullmatch(f"computer_{computer.id}_*", name):
            continue
        # A display name leads to no other computer, either.
        assert name == computer.display_name and is_usable(name) and key_of(name) not in keys


def test_the_name_of_a_host_without_one():
    assert fallback(7, lambda name: name in ("computer_7", "computer_7_")) == "computer_7__"
