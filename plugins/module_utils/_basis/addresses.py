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

_PAIRS = re.compile(r"[0-9A-Fa-f]{1,2}([-:])[0-9A-Fa-f]{1,2}(?:\1[0-9A-Fa-f]{1,2}){4}")
_HALVES = re.compile(r"[0-9A-Fa-f]{6}-?[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
_LEADING_ZERO = re.compile(r"(?<![0-9A-Fa-f.])0[0-9]+\.|\.0[0-9]+")
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")


# IPv4 addresses that are written as IPv6. The vendor does not say whom a rule admits with such an address.
_MAPPED = (6, 0xFFFF << 32, (0xFFFF << 32) + 0xFFFFFFFF)


def without_comment(item: str) -> str:
    """An item of a list without its C(# comment) and surrounding blanks."""
    return item.split("#", 1)[0].strip(" \t")


def ip_span(item: str) -> Span:
    """A single address, a network in prefix or mask form, or a range C(first - last), IPv4 or IPv6.

    A comment after it is ignored. Raises C(ValueError) that says what is wrong.
    """
    return _span(without_comment(item), host_bits=False)


def listed_ip_span(item: str) -> Span:
    """Like C(ip_span), as managers read an item of a list or rule: an address with a prefix means the whole network."""
    span = _span(without_comment(item), host_bits=True)
    if uncovered([span], [_MAPPED]):
        return span
    raise ValueError("it is an IPv4 address written as IPv6, and it is not documented which addresses that admits")


def given_ip_span(item: str) -> Span:
    """Like C(ip_span), for an option's value: parts that would get lost, such as a comment, are refused."""
    if "#" in item:
        raise ValueError(
            "a comment in an item cannot be kept: leave out what starts with '#', or put it behind the item as a"
            " comment of YAML"
        )
    span = ip_span(item)
    if not uncovered([span], [_MAPPED]):
        first, last = (bound & 0xFFFFFFFF for bound in span[1:])
        raise ValueError(f"it is an IPv4 address written as IPv6; write {ip_text((4, first, last))}")
    return span


def _span(text: str, *, host_bits: bool) -> Span:
    try:
        if "%" in text:
            raise ValueError
        if "-" in text:
            first, last = (ipaddress.ip_address(part.strip(" \t")) for part in text.split("-", 1))
        elif "/" in text:
            first, last = _network(*text.split("/", 1))
        else:
            first = last = ipaddress.ip_address(text)
        # Older releases of Python read such a number as decimal, other programs as octal.
        if _LEADING_ZERO.search(text):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"it is not an IP address, network or range, such as 192.0.2.7 or 192.0.2.0/24{_hint(text)}"
        ) from None
    if "/" in text and not host_bits and str(first) != str(ipaddress.ip_address(text.split("/", 1)[0])):
        raise ValueError(f"it has host bits set; the network is {ip_text((first.version, int(first), int(last)))}")
    if first.version != last.version or int(first) > int(last):
        raise ValueError("a range goes from a lower to a higher address of one IP version")
    return (first.version, int(first), int(last))


def _network(address: str, mask: str) -> t.Tuple[t.Any, t.Any]:
    """First and last address. A mask whose ones are not all at the front, such as 0.0.0.255, is refused."""
    inside = ipaddress.ip_address(address)
    bits = inside.max_prefixlen
    if re.fullmatch("[0-9]{1,3}", mask):
        zeros = bits - int(mask)
    else:
        ones = ipaddress.ip_address(mask)
        zeros = bin(int(ones)).count("0", 2) if int(ones) else bits
        if ones.version != inside.version or int(ones) != (1 << bits) - (1 << zeros):
            raise ValueError
    if not 0 <= zeros <= bits:
        raise ValueError
    first = int(inside) >> zeros << zeros
    return type(inside)(first), type(inside)(first | ((1 << zeros) - 1))


def _hint(text: str) -> str:
    """What is probably wrong with the text; empty if this is unclear."""
    if "%" in text:
        return ": leave out the zone behind '%', which only means something on one host"
    if re.fullmatch("[0-9]+", text):
        number = int(text) if len(text) < 11 else 1 << 32
        return f": it is a number; {ipaddress.IPv4Address(number)} perhaps?" if number < 1 << 32 else ": it is a number"
    if _LEADING_ZERO.search(text):
        return ": write its numbers without leading zeros, which some take for octal"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){1,2}", text):
        return ": it has less than four numbers"
    return ""


def ip_text(span: Span) -> str:
    """The shortest spelling of a span that the manager documents."""
    version, first, last = span
    address = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    if first == last:
        return str(address(first))
    networks = list(ipaddress.summarize_address_range(address(first), address(last)))
    return str(networks[0]) if len(networks) == 1 else f"{address(first)} - {address(last)}"


def merged(spans: t.Iterable[Span]) -> t.List[Span]:
    """The union of spans, sorted, with a gap between any two."""
    union: t.List[Span] = []
    for span in sorted(spans):
        if union and union[-1][0] == span[0] and span[1] <= union[-1][2] + 1:
            union[-1] = (span[0], union[-1][1], max(union[-1][2], span[2]))
        else:
            union.append(span)
    return union


def uncovered(wanted: t.Iterable[Span], admitted: t.Iterable[Span]) -> t.List[Span]:
    """The wanted spans that are not wholly within the union of the admitted ones."""
    union = merged(admitted)
    return [
        span
        for span in wanted
        if not any(whole[0] == span[0] and whole[1] <= span[1] and span[2] <= whole[2] for whole in union)
    ]


def mac(item: str) -> str:
    """A MAC address as C(0A-0F-FF-F0-A0-AF), from any usual spelling. A comment after it is ignored.

    Raises C(ValueError).
    """
    text = without_comment(item)
    if _PAIRS.fullmatch(text):
        digits = "".join(pair.zfill(2) for pair in re.split("[-:]", text))
    elif _HALVES.fullmatch(text):
        digits = re.sub("[-.]", "", text)
    else:
        raise ValueError(f"it is not a MAC address, such as 0A-0F-FF-F0-A0-AF{_mac_hint(text)}")
    digits = digits.upper()
    return "-".join(digits[at : at + 2] for at in range(0, 12, 2))


def given_mac(item: str) -> str:
    """Like C(mac), for an option's value that names a sender. Refuses comments and addresses that can never send."""
    if "#" in item:
        raise ValueError(
            "a comment in an item cannot be kept: leave out what starts with '#', or put it behind the item as a"
            " comment of YAML"
        )
    address = mac(item)
    if address == "00-00-00-00-00-00":
        raise ValueError("no sender has this address")
    if int(address[:2], 16) & 1:
        raise ValueError("it is the address of a group (multicast or broadcast), which no sender has")
    return address


# YAML reads six numbers with colons between them as one number in base 60, unless they are quoted.
_SEXAGESIMAL = range(60**5, 100 * 60**5)


def _mac_hint(text: str) -> str:
    """Which address a number probably was. Only a hint: 12 digits that begin with 0 become such numbers, too."""
    if not re.fullmatch("[0-9]{1,11}", text):
        return ""
    number, pairs = int(text), []
    if number in _SEXAGESIMAL:
        for _place in range(5):
            number, pair = divmod(number, 60)
            pairs.append(pair)
        was = ":".join(f"{pair:02}" for pair in (number, *reversed(pairs)))
        return f": it is a number, which YAML makes of {was}, unless that is in quotes: '{was}'"
    return ": it is a number, which YAML makes of some MAC addresses, unless they are in quotes"


def holds_port(items: t.Iterable[str], port: int) -> bool:
    """Whether a port list's items, such as C(80), C(20-21) and C(3389 # Remote Desktop), hold the port."""
    for item in items:
        match = _PORTS.fullmatch(without_comment(str(item)))
        if match and int(match[1]) <= port <= int(match[2] or match[1]):
            return True
    return False


def normalized(items: t.Iterable[str], parse: t.Callable[[str], t.Any]) -> t.FrozenSet[t.Any]:
    """A list's items for comparison: without differences in spelling, order, comments and repetitions."""
    result = set()
    for item in items:
        try:
            result.add(parse(str(item)))
        except ValueError:
            result.add(str(item))
    result.discard("")
    return frozenset(result)
