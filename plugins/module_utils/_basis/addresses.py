# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP addresses, MAC addresses and ports as the manager's lists spell them: read, compared, checked for coverage."""

from __future__ import annotations

import ipaddress
import re
import typing as t

# First and last address of a range, with the IP version: comparable, and the same for every spelling.
Span = t.Tuple[int, int, int]

_MAC = re.compile(r"[0-9A-Fa-f]{2}([-:])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")


def without_comment(item: str) -> str:
    """An item of a list without its C(# comment) and surrounding blanks."""
    return item.split("#", 1)[0].strip()


def ip_span(item: str) -> Span:
    """A single address, a network in prefix or mask form, or a range C(first - last), IPv4 or IPv6.

    Raises C(ValueError) that says what is wrong with it.
    """
    text = without_comment(item)
    try:
        if "-" in text:
            first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-", 1))
        else:
            network = ipaddress.ip_network(text, strict=False)
            first, last = network.network_address, network.broadcast_address
    except ValueError:
        raise ValueError("it is no IP address, network or range, such as 192.0.2.7 or 192.0.2.0/24") from None
    if "/" in text and str(first) != str(ipaddress.ip_address(text.split("/", 1)[0])):
        raise ValueError(f"it has host bits set; the network is {network}")
    if first.version != last.version or int(first) > int(last):
        raise ValueError("a range goes from a lower to a higher address of one IP version")
    return (first.version, int(first), int(last))


def ip_text(span: Span) -> str:
    """The shortest spelling of a span that the manager documents."""
    version, first, last = span
    address = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    if first == last:
        return str(address(first))
    networks = list(ipaddress.summarize_address_range(address(first), address(last)))
    return str(networks[0]) if len(networks) == 1 else f"{address(first)} - {address(last)}"


def uncovered(wanted: t.Iterable[Span], admitted: t.Iterable[Span]) -> list[Span]:
    """The wanted spans that are not wholly within the union of the admitted ones."""
    merged: list[Span] = []
    for span in sorted(admitted):
        if merged and merged[-1][0] == span[0] and span[1] <= merged[-1][2] + 1:
            merged[-1] = (span[0], merged[-1][1], max(merged[-1][2], span[2]))
        else:
            merged.append(span)
    return [
        span
        for span in wanted
        if not any(whole[0] == span[0] and whole[1] <= span[1] and span[2] <= whole[2] for whole in merged)
    ]


def mac(item: str) -> str:
    """A MAC address as C(0A-0F-FF-F0-A0-AF), from any usual spelling. Raises C(ValueError)."""
    text = without_comment(item)
    if not _MAC.fullmatch(text):
        raise ValueError("it is no MAC address, such as 0A-0F-FF-F0-A0-AF")
    digits = re.sub(r"[-:.]", "", text).upper()
    return "-".join(digits[at : at + 2] for at in range(0, 12, 2))


def holds_port(items: t.Iterable[str], port: int) -> bool:
    """Whether a port list's items, such as C(80), C(20-21) and C(3389 # Remote Desktop), hold the port."""
    for item in items:
        match = _PORTS.fullmatch(without_comment(str(item)))
        if match and int(match[1]) <= port <= int(match[2] or match[1]):
            return True
    return False


def normalized(items: t.Iterable[str], parse: t.Callable[[str], t.Any]) -> frozenset:
    """A list's items for comparison: spelling, order, comments and repetitions do not matter."""
    result = set()
    for item in items:
        try:
            result.add(parse(str(item)))
        except ValueError:
            result.add(str(item))
    result.discard("")
    return frozenset(result)
