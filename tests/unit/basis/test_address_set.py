# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of addresses, held against sets of single addresses at both ends of IPv4 and IPv6."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.address_set import (
    EVERYTHING,
    AddressSet,
    Counts,
    PrefixLimit,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.addresses import Span, ip_span

BITS = {4: 32, 6: 128}
Point = t.Tuple[int, int]

# The addresses that the model knows: eight at each end, and one for all that lie between.
POINTS: list[Point] = [
    (version, number)
    for version, bits in BITS.items()
    for number in (*range(8), 1 << (bits - 1), *range((1 << bits) - 8, 1 << bits))
]


@st.composite
def spans(draw: t.Any) -> Span:
    """A span from any of the model's points to any other: it has what lies between, or not."""
    version = draw(st.sampled_from((4, 6)))
    numbers = [number for known, number in POINTS if known == version and number != 1 << (BITS[version] - 1)]
    first, last = sorted((draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))))
    return version, first, last


several = st.lists(spans(), max_size=6)


def naive(members: t.Iterable[Span]) -> set[Point]:
    return {(version, n) for version, n in POINTS if any(v == version and a <= n <= b for v, a, b in members)}


def size(points: set[Point], version: int) -> int:
    middle = (1 << BITS[version]) - 16
    return sum(middle if number == 1 << (BITS[version] - 1) else 1 for known, number in points if known == version)


@given(several)
def test_spans_are_sorted_disjoint_and_apart(members: list[Span]) -> None:
    found = AddressSet.of(members).spans
    assert naive(found) == naive(members)
    assert all(one[0] < other[0] or one[2] + 1 < other[1] for one, other in zip(found, found[1:]))


@given(several, several)
def test_union_and_containment(one: list[Span], other: list[Span]) -> None:
    first, second = AddressSet.of(one), AddressSet.of(other)
    assert naive((first | second).spans) == naive(one) | naive(other)
    assert (first | second) == (second | first) == AddressSet.of([*other, *one])
    assert first.holds(second) == (naive(other) <= naive(one))
    assert (first | second).holds(first) and first.holds(AddressSet())
    assert bool(first) == bool(naive(one))


@given(several)
def test_complement(members: list[Span]) -> None:
    some = AddressSet.of(members)
    assert naive(some.complement().spans) == set(POINTS) - naive(members)
    assert some.complement().complement() == some
    assert some | some.complement() == EVERYTHING


@given(several)
def test_counts(members: list[Span]) -> None:
    some = AddressSet.of(members)
    assert some.counts == Counts(size(naive(members), 4), size(naive(members), 6))
    others = some.complement().counts
    assert (some.counts.ipv4 + others.ipv4, some.counts.ipv6 + others.ipv6) == (1 << 32, 1 << 128)


def of(*items: str) -> AddressSet:
    return AddressSet.of(map(ip_span, items))


@pytest.mark.parametrize(
    ("items", "everybody"),
    [
        (["0.0.0.0/0"], True),
        (["::/0"], True),
        (["0.0.0.0/1", "128.0.0.0/1"], True),
        (["0.0.0.0 - 255.255.255.255"], True),
        (["0.0.0.0 - 10.0.0.0", "10.0.0.2 - 255.255.255.255"], True),
        (["0.0.0.0/2"], True),
        (["2000::/3"], True),
        (["2000::/4"], True),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], False),
        (["0.0.0.0/3"], False),
        (["fc00::/7", "fe80::/10"], False),
        (["2001:db8::/32"], False),
        ([], False),
    ],
)
def test_who_is_practically_everybody(items: list[str], everybody: bool) -> None:
    assert of(*items).counts.everybody is everybody


@pytest.mark.parametrize(
    ("items", "above"),
    [
        (["10.0.0.0/8"], False),
        (["10.0.0.0/8", "11.0.0.0"], True),
        (["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16"], False),
        (["2001:db8::/32"], False),
        (["2001:db8::/31"], True),
        (["0.0.0.0/0"], True),
    ],
)
def test_more_than_a_network(items: list[str], above: bool) -> None:
    assert of(*items).counts.above(PrefixLimit()) is above
    assert not of(*items).counts.above(PrefixLimit(0, 0))
    assert of(*items).counts.above(PrefixLimit(32, 128))


@pytest.mark.parametrize(
    ("some", "texts"),
    [
        (of(), []),
        (EVERYTHING, ["all IPv4 addresses", "all IPv6 addresses"]),
        (of("192.0.2.0/25", "192.0.2.128/25", "2001:db8::1"), ["192.0.2.0/24", "2001:db8::1"]),
        (of("192.0.2.1 - 192.0.2.9"), ["192.0.2.1 - 192.0.2.9"]),
        (of("10.0.0.1").complement(), ["all IPv6 addresses", "all IPv4 addresses but 10.0.0.1"]),
        (of("10.0.0.1", "2000::/3").complement(), ["all IPv4 addresses but 10.0.0.1", "all IPv6 addresses but 2000::/3"]),
    ],
)  # fmt: skip
def test_texts(some: AddressSet, texts: list[str]) -> None:
    assert sorted(some.texts()) == sorted(texts)


def test_texts_are_bounded() -> None:
    many = of(*(f"10.0.{high}.{low}" for high in range(200) for low in range(0, 200, 2)))
    assert len(many.texts()) == 20 and many.texts()[-1] == "19981 more ranges"
    (text,) = AddressSet.of([*many.complement().spans[:-1]]).texts()
    assert text.startswith("all IPv4 addresses but 10.0.0.0, 10.0.0.2,") and text.endswith(" and 19990 more")


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (Counts(0, 0), "no addresses"),
        (Counts(1, 0), "1 IPv4 address"),
        (Counts(1 << 32, 1 << 128), "4,294,967,296 IPv4 addresses and 2^128 IPv6 addresses"),
        (Counts(0, (1 << 64) + 1), "more than 2^64 IPv6 addresses"),
    ],
)
def test_counts_in_words(counts: Counts, text: str) -> None:
    assert counts.text == text
    assert counts.as_dict() == {"ipv4": counts.ipv4, "ipv6": counts.ipv6}
