# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets of IP addresses, IPv4 and IPv6 side by side: joined, complemented, counted, and written for people."""

from __future__ import annotations

import typing as t

from .addresses import Span, ip_text, merged, uncovered
from .text import enumerated

# The number of bits of an address, by IP version.
_BITS = {4: 32, 6: 128}

# A set with at least this many addresses admits practically everybody: a quarter of IPv4 (a /2), and a /5 of IPv6,
# which is a quarter of what is routed (2000::/3). A set that leaves out only some addresses is larger, and the
# addresses of any site are far fewer.
_EVERYBODY_FROM = {4: 1 << 30, 6: 1 << 123}


class Counts(t.NamedTuple):
    """How many addresses of each IP version."""

    ipv4: int
    ipv6: int

    @property
    def everybody(self) -> bool:
        """Whether this is practically the whole of IPv4 or of IPv6."""
        return self.ipv4 >= _EVERYBODY_FROM[4] or self.ipv6 >= _EVERYBODY_FROM[6]

    def above(self, limit: PrefixLimit) -> bool:
        """Whether there are more addresses than in one network of the limit's size."""
        return self.ipv4 > 1 << (32 - limit.ipv4) or self.ipv6 > 1 << (128 - limit.ipv6)

    @property
    def text(self) -> str:
        """Both counts in words; very large numbers as a power of two."""
        parts = [
            f"{_number(count)} IPv{version} address{'' if count == 1 else 'es'}"
            for version, count in ((4, self.ipv4), (6, self.ipv6))
            if count
        ]
        return " and ".join(parts) or "no addresses"

    def as_dict(self) -> t.Dict[str, int]:
        """For results."""
        return {"ipv4": self.ipv4, "ipv6": self.ipv6}


class PrefixLimit(t.NamedTuple):
    """The largest networks, as prefix lengths, that cause no warning about their size."""

    ipv4: int = 8
    ipv6: int = 32

    @property
    def text(self) -> str:
        """Both limits in words."""
        return f"a /{self.ipv4} of IPv4 or a /{self.ipv6} of IPv6"


class AddressSet(t.NamedTuple):
    """A set of addresses. Its spans are sorted, and there is a gap between any two of them."""

    spans: t.Tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: t.Iterable[Span]) -> AddressSet:
        """The union of any spans."""
        return cls(tuple(merged(spans)))

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet.of(self.spans + other.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def holds(self, other: AddressSet) -> bool:
        """Whether all of the other set is in this one."""
        return not uncovered(other.spans, self.spans)

    def complement(self) -> AddressSet:
        """All other addresses of both IP versions."""
        others: t.List[Span] = []
        for version, bits in _BITS.items():
            start = 0
            for first, last in (span[1:] for span in self.spans if span[0] == version):
                if first > start:
                    others.append((version, start, first - 1))
                start = last + 1
            if start < 1 << bits:
                others.append((version, start, (1 << bits) - 1))
        return AddressSet(tuple(others))

    @property
    def counts(self) -> Counts:
        """How many addresses of each IP version the set has."""
        return Counts(*(sum(last - first + 1 for v, first, last in self.spans if v == version) for version in _BITS))

    def texts(self, most: int = 20) -> t.List[str]:
        """The set for people, at most C(most) items: ranges as ranges, and "all ... but ..." where that is shorter."""
        whole: t.List[str] = []
        parts: t.List[str] = []
        complement = self.complement()
        for version, bits in _BITS.items():
            spans = [span for span in self.spans if span[0] == version]
            left_out = [span for span in complement.spans if span[0] == version]
            family = f"all IPv{version} addresses"
            if not left_out:
                whole.append(family)
            elif sum(last - first + 1 for _v, first, last in spans) >= 1 << (bits - 1):
                whole.append(f"{family} but {enumerated([ip_text(span) for span in left_out])}")
            else:
                parts += [ip_text(span) for span in spans]
        row = whole + parts
        return row if len(row) <= most else [*row[: most - 1], f"{len(row) - most + 1} more ranges"]


EVERYTHING = AddressSet().complement()


def _number(count: int) -> str:
    if count < 1 << 48:
        return f"{count:,}"
    power = count.bit_length() - 1
    return f"2^{power}" if count == 1 << power else f"more than 2^{power}"
