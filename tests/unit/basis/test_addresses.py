# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.addresses import (
    given_ip_span,
    given_mac,
    holds_port,
    ip_span,
    ip_text,
    listed_ip_span,
    mac,
    normalized,
    uncovered,
)

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


# Made once: a strategy takes longer to make than to draw from.
VERSIONS = st.sampled_from((4, 6))
ADDRESSES = {version: st.ip_addresses(v=version) for version in (4, 6)}


@st.composite
def spans(draw):
    version = draw(VERSIONS)
    ends = sorted((draw(ADDRESSES[version]), draw(ADDRESSES[version])))
    return (version, int(ends[0]), int(ends[1]))


@given(spans())
def test_a_span_survives_being_written(span):
    assert ip_span(ip_text(span)) == span


@pytest.mark.parametrize(
    "spellings",
    [
        ("192.168.2.0/24", "192.168.2.0/255.255.255.0", "192.168.2.0 - 192.168.2.255", "192.168.2.0-192.168.2.255 # x"),
        ("10.0.0.1", "10.0.0.1/32", "10.0.0.1 - 10.0.0.1", " 10.0.0.1 # manager"),
        ("2001:db8::/64", "2001:DB8:0::/64", "2001:db8:: - 2001:db8::ffff:ffff:ffff:ffff"),
    ],
)
def test_every_documented_spelling_is_the_same_span(spellings):
    assert len({ip_span(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("10.0.0.0/33", "not an IP address"),
        ("10.0.0.0/-1", "not an IP address"),
        ("10.0.0", "not an IP address"),
        ("", "not an IP address"),
        ("# only a comment", "not an IP address"),
        ("host.example.com", "not an IP address"),
        ("10.0.0.5/24", "the network is 10.0.0.0/24"),
        ("10.0.0.9 - 10.0.0.1", "lower to a higher"),
        ("10.0.0.1 - ::1", "one IP version"),
        ("10.0.0.1 - 10.0.0.2 - 10.0.0.3", "not an IP address"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(item, reason):
    with pytest.raises(ValueError, match=reason):
        ip_span(item)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parsers(text):
    for parse in (ip_span, given_ip_span, listed_ip_span, mac, given_mac):
        try:
            parse(text)
        except ValueError:
            pass


@given(st.lists(spans(), max_size=6), addresses)
def test_uncovered_agrees_with_looking_at_one_address(admitted, address):
    span = (address.version, int(address), int(address))
    within = any(v == span[0] and first <= span[1] <= last for v, first, last in admitted)
    assert uncovered([span], admitted) == ([] if within else [span])


def test_neighbors_cover_together():
    halves = [ip_span("10.0.0.0/25"), ip_span("10.0.0.128/25")]
    assert uncovered([ip_span("10.0.0.0/24")], halves) == []
    assert uncovered([ip_span("10.0.0.0/23")], halves) == [ip_span("10.0.0.0/23")]
    assert uncovered([ip_span("::/0")], [ip_span("0.0.0.0/0")]) == [ip_span("::/0")]


@given(st.binary(min_size=6, max_size=6), st.sampled_from("-:"), st.booleans())
def test_every_spelling_of_a_mac_is_the_same(octets, separator, upper):
    text = octets.hex(separator)
    dotted = octets.hex()
    dotted = ".".join((dotted[:4], dotted[4:8], dotted[8:]))
    assert mac(text.upper() if upper else text) == mac(dotted) == octets.hex("-").upper()


@pytest.mark.parametrize(
    "item",
    [
        "",
        "0A-0F-FF-F0-A0",
        "0A-0F:FF-F0-A0-AF",
        "0G-0F-FF-F0-A0-AF",
        "0A0FFFF0A0AF0",
        "0A0FFF:F0A0AF",
        "００1122334455",
    ],
)
def test_what_is_no_mac_is_refused(item):
    with pytest.raises(ValueError, match="not a MAC address"):
        mac(item)


def test_port_lists_hold_ports_as_the_console_writes_them():
    items = ["80", "20-21", "3389 # Remote Desktop", "4000 - 4200", "nonsense", "# 9999"]
    assert [port for port in (19, 20, 21, 22, 80, 3389, 4118, 9999) if holds_port(items, port)] == [
        20,
        21,
        80,
        3389,
        4118,
    ]


@given(st.lists(spans(), max_size=5), st.randoms())
def test_lists_compare_without_order_repetition_and_comments(items, random):
    texts = [ip_text(span) for span in items]
    other = [f"{text}  # note" for text in texts + texts]
    random.shuffle(other)
    assert normalized(texts, ip_span) == normalized(other, ip_span)


def test_items_that_do_not_parse_still_count():
    assert normalized(["10.0.0.1", "odd"], ip_span) != normalized(["10.0.0.1"], ip_span)
    assert ipaddress.ip_address(ip_text(ip_span("10.0.0.1"))).version == 4


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        ("fe80::1%eth0", "leave out the zone behind '%'"),
        ("fe80::%eth0/64", "leave out the zone behind '%'"),
        ("fe80::1%eth0 - fe80::9%eth0", "leave out the zone behind '%'"),
        ("3232235521", "it is a number; 192.168.0.1 perhaps"),
        ("4294967296", "it is a number"),
        ("9" * 5000, "it is a number"),
        ("010.0.0.1", "without leading zeros"),
        ("10.0.0.01/32", "without leading zeros"),
        ("1.2.3", "it has less than four numbers"),
        ("10.5", "it has less than four numbers"),
        ("10.0.0.1 0", "not an IP address"),
        ("\u00a010.0.0.1", "not an IP address"),
        ("１０.0.0.1", "not an IP address"),
        ("10.0.0.0/２４", "not an IP address"),
        ("10.0.0.0 /24", "not an IP address"),
        ("10.0.0.0/0.0.0.255", "not an IP address"),
        ("10.0.0.0/255.0.255.0", "not an IP address"),
        ("10.0.0.0/ffff::", "not an IP address"),
        ("10.0.0.0/24/24", "not an IP address"),
        ("10.0.0.0/", "not an IP address"),
        ("/24", "not an IP address"),
        ("True", "not an IP address"),
    ],
)
def test_what_is_probably_the_matter_is_said(item, hint):
    for read in (ip_span, given_ip_span, listed_ip_span):
        with pytest.raises(ValueError, match="not an IP address.*" + hint if hint != "not an IP address" else hint):
            read(item)


def test_what_an_option_cannot_keep_is_refused():
    with pytest.raises(ValueError, match="a comment in an item cannot be kept"):
        given_ip_span("10.0.0.1 # manager")
    with pytest.raises(ValueError, match="written as IPv6; write 10.0.0.0/24"):
        given_ip_span("::ffff:10.0.0.0/120")
    with pytest.raises(ValueError, match="a comment in an item cannot be kept"):
        given_mac("0A-0F-FF-F0-A0-AF # router")
    assert given_ip_span("::/0") == ip_span("::/0") and given_ip_span(" 10.0.0.1\t") == ip_span("10.0.0.1")


def test_a_managers_list_is_read_as_the_manager_takes_it():
    assert listed_ip_span("10.0.0.5/24 # office") == ip_span("10.0.0.0/24")
    assert listed_ip_span("10.0.0.5/0.0.0.0") == ip_span("0.0.0.0/0")
    assert listed_ip_span("2001:db8::5/ffff:ffff::") == ip_span("2001:db8::/32")
    with pytest.raises(ValueError, match="not documented"):
        listed_ip_span("::ffff:10.0.0.1")


@given(st.ip_addresses(), st.data())
def test_masks_are_prefixes(address, data):
    assume(address.version == 4 or address.ipv4_mapped is None)
    length = data.draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network((address, length), strict=False)
    span = (address.version, int(network[0]), int(network[-1]))
    assert listed_ip_span(f"{address}/{length}") == listed_ip_span(f"{address}/{network.netmask}") == span


@pytest.mark.parametrize(
    "item", ["0A0FFFF0A0AF", "0a0fff-f0a0af", "0A0F.FFF0.A0AF", "a:f:FF:f0:A0:af", "A-F-FF-F0-A0-AF"]
)
def test_further_spellings_of_macs(item):
    assert mac(item) == given_mac(item) == "0A-0F-FF-F0-A0-AF"
    assert mac("0:14:4f:2:1a:b") == "00-14-4F-02-1A-0B"


@given(st.lists(st.integers(0, 59), min_size=5, max_size=5), st.integers(1, 99))
def test_a_mac_that_yaml_took_for_a_number_is_named(pairs, first):
    text = ":".join(f"{pair:02}" for pair in (first, *pairs))
    number = yaml.safe_load(text)
    if isinstance(number, int):
        with pytest.raises(ValueError, match=f"YAML makes of {text}, unless that is in quotes: '{text}'"):
            mac(str(number))
    else:
        assert mac(number)


@pytest.mark.parametrize("text", ["52:54:00:12:34:56", "10:10:10:10:10:10", "001122334455", "052:54:00:12:34:56"])
def test_macs_without_quotes_are_never_other_macs(text):
    try:
        assert mac(str(yaml.safe_load(text))) == mac(text)
    except ValueError as error:
        assert "YAML" in str(error) or "not a MAC address" in str(error)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("FF-FF-FF-FF-FF-FF", "group"),
        ("01:00:5e:00:00:01", "group"),
        ("33:33:00:00:00:01", "group"),
        ("00:00:00:00:00:00", "no sender"),
        ("0:0:0:0:0:0", "no sender"),
    ],
)
def test_macs_that_no_sender_has(item, reason):
    assert mac(item)
    with pytest.raises(ValueError, match=reason):
        given_mac(item)
