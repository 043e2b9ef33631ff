# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.addresses import (
    holds_port,
    ip_span,
    ip_text,
    mac,
    normalized,
    uncovered,
)

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@st.composite
def spans(draw):
    version = draw(st.sampled_from((4, 6)))
    ends = sorted((draw(st.ip_addresses(v=version)), draw(st.ip_addresses(v=version))))
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
        ("10.0.0.0/33", "no IP address"),
        ("10.0.0.0/-1", "no IP address"),
        ("10.0.0", "no IP address"),
        ("", "no IP address"),
        ("# only a comment", "no IP address"),
        ("host.example.com", "no IP address"),
        ("10.0.0.5/24", "the network is 10.0.0.0/24"),
        ("10.0.0.9 - 10.0.0.1", "lower to a higher"),
        ("10.0.0.1 - ::1", "one IP version"),
        ("10.0.0.1 - 10.0.0.2 - 10.0.0.3", "no IP address"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(item, reason):
    with pytest.raises(ValueError, match=reason):
        ip_span(item)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parsers(text):
    for parse in (ip_span, mac):
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


@pytest.mark.parametrize("item", ["", "0A-0F-FF-F0-A0", "0A-0F:FF-F0-A0-AF", "0G-0F-FF-F0-A0-AF", "0A0FFFF0A0AF0"])
def test_what_is_no_mac_is_refused(item):
    with pytest.raises(ValueError, match="no MAC address"):
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
