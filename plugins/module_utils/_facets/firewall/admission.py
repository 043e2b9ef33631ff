# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom firewall rules admit, worked out from the addresses and MACs in them, not from the kind of their source.

If something cannot be read, such as an item of a list, or a missing list, this is reported, and never counts as a
limit.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..._basis.address_set import EVERYTHING, AddressSet, Counts
from ..._basis.addresses import Span, listed_ip_span, mac, without_comment
from ..._basis.text import enumerated, quoted, shown
from ..._fleet.shared_objects import SharedObjects
from ..._manager.kinds import IP_LIST, Kind

# The most MACs and ranges of addresses that a result names.
MOST = 20

# Finds the list with an ID, or returns none.
FindList = t.Callable[[int], t.Optional[t.Dict[str, t.Any]]]


class Way(t.NamedTuple):
    """A way in: from these addresses, and with C(macs) only by these MACs, or with C(but) only by other MACs."""

    addresses: AddressSet
    macs: frozenset[str] | None = None
    but: bool = False

    @property
    def by_mac_only(self) -> bool:
        """Whether only the MAC limits who may come this way."""
        return self.macs is not None and not self.but and self.addresses.counts.everybody


@dataclass(frozen=True)
class Admitted:
    """Whom one rule admits, or several rules together: everybody who matches one of the ways.

    If C(untold) has reasons, others may be admitted, too.
    """

    ways: tuple[Way, ...] = ()
    untold: tuple[str, ...] = ()

    def __or__(self, other: Admitted) -> Admitted:
        return all_of((self, other))

    @cached_property
    def addresses(self) -> AddressSet:
        """The admitted addresses, maybe only for some MACs. MACs that are admitted from any address do not count."""
        return AddressSet.of(span for way in self.ways if not way.by_mac_only for span in way.addresses.spans)

    @property
    def macs(self) -> frozenset[str]:
        """The MACs that are admitted from practically any address."""
        return frozenset().union(*(way.macs or () for way in self.ways if way.by_mac_only))

    @property
    def counts(self) -> Counts:
        """How many addresses are admitted."""
        return self.addresses.counts

    @property
    def everybody(self) -> bool | None:
        """Whether practically everybody is admitted; C(None) if that is unknown."""
        return True if self.counts.everybody else None if self.untold else False

    def within(self, other: Admitted) -> bool:
        """Whether C(other) admits everybody whom this admits; false if that is unknown."""
        plain = AddressSet.of(span for way in other.ways if way.macs is None for span in way.addresses.spans)
        return not self.untold and all(way in other.ways or plain.holds(way.addresses) for way in self.ways)

    @cached_property
    def texts(self) -> list[str]:
        """The admitted sources, for people: at most C(MOST) items, and one for each further kind of MACs."""
        plain = AddressSet.of(span for way in self.ways if way.macs is None for span in way.addresses.spans)
        row = plain.texts(MOST)
        limited = [way for way in self.ways if way.macs]
        for way in limited[:MOST]:
            macs = enumerated(sorted(way.macs or ()))
            by = f"by any MAC but {macs}" if way.but else f"by MAC {macs} only"
            row.append(f"{'; '.join(way.addresses.texts(MOST))}, {by}")
        return [*row, f"{len(limited) - MOST} more by certain MACs"] if len(limited) > MOST else row


def all_of(several: t.Iterable[Admitted]) -> Admitted:
    """Everybody whom any of these admits."""
    parts = list(several)
    return Admitted(
        tuple(way for one in parts for way in one.ways), tuple(reason for one in parts for reason in one.untold)
    )


def admitted_by(rule: dict[str, t.Any], ip_list: FindList, mac_list: FindList) -> Admitted:
    """Whom a rule's sources admit. Lists are looked up if the rule names them."""
    addresses, untold = _addresses(rule, ip_list)
    macs, but, more = _macs(rule, mac_list)
    reasons = tuple(reason for reason in (untold, more) if reason)
    # If the MACs are unknown, nobody is known to be admitted.
    ways = (Way(addresses, macs, but),) if addresses and not more else ()
    return Admitted(ways, reasons)


def other_users(shared: SharedObjects, kind: Kind, list_id: int, own_rule_id: int | None) -> list[str]:
    """The names of the rules that use an IP or MAC list as their source or destination, except our own rule."""
    key = "IPListID" if kind is IP_LIST else "MACListID"
    return sorted(
        str(rule.get("name"))
        for rule_id, rule in shared.rules.items()
        if rule_id != own_rule_id and list_id in (rule.get(f"source{key}"), rule.get(f"destination{key}"))
    )


def shared_list(shared: SharedObjects, kind: Kind, existing: dict[str, t.Any], own_rule_id: int | None) -> str | None:
    """Why a list that is not ours must not be changed: other rules use it. C(None) if none does."""
    users = other_users(shared, kind, existing["ID"], own_rule_id)
    if not users:
        return None
    option = "ip_list_name" if kind is IP_LIST else "mac_list_name"
    return (
        f"the {kind.noun} {quoted(existing.get('name'))} (ID {existing['ID']}) was not made by this collection, and"
        f" changing it would also change whom these rules mean: {enumerated([quoted(name) for name in users])}; name"
        f" another list in option {option}, or set allow_shared_lists=true if you want that"
    )


def _addresses(rule: dict[str, t.Any], ip_list: FindList) -> tuple[AddressSet, str | None]:
    """The addresses that are known, and the reason if not all of them are."""
    kind = _kind(rule, "sourceIP")
    negated = rule.get("sourceIPNot")
    if not isinstance(negated, (bool, type(None))):
        return AddressSet(), f"sourceIPNot is {quoted(negated, 60)}"
    if kind == "any":
        return (AddressSet(), "its source is any, negated") if negated else (EVERYTHING, None)
    try:
        items = _ip_items(rule, kind, ip_list)
    except _Untold as error:
        return AddressSet(), str(error)
    spans: list[Span] = []
    unreadable = None
    for item in items:
        try:
            spans.append(listed_ip_span(item))
        except ValueError as error:
            unreadable = f"its source {quoted(item, 60)} cannot be read: {error}"
    if not spans:
        return AddressSet(), unreadable or "its source is an empty list, and what that admits is not documented"
    named = AddressSet.of(spans)
    if not negated:
        return named, unreadable
    # The complement of only the readable items could be too large.
    return (AddressSet(), unreadable) if unreadable else (named.complement(), None)


class _Untold(Exception):
    """Why a rule's sources are unknown."""


def _kind(rule: dict[str, t.Any], prefix: str) -> t.Any:
    """The type of a rule's source. Managers fill in C(any). Values without a type are unknown."""
    kind = rule.get(f"{prefix}Type")
    if kind is None and not any(rule.get(f"{prefix}{key}") for key in _VALUES):
        return "any"
    return kind


_VALUES = ("Value", "Mask", "RangeFrom", "RangeTo", "Multiple", "ListID")


def _ip_items(rule: dict[str, t.Any], kind: t.Any, ip_list: FindList) -> list[str]:
    """The sources that a rule names, each spelled like a list's item. Raises C(_Untold)."""
    if kind == "ip-list":
        return _listed(rule.get("sourceIPListID"), ip_list, "IP list")
    if kind == "multiple":
        return _items(rule.get("sourceIPMultiple"), "sourceIPMultiple")
    if kind == "single":
        return [_one(rule, "sourceIPValue")]
    if kind == "masked-ip":
        return [f"{_one(rule, 'sourceIPValue')}/{_one(rule, 'sourceIPMask')}"]
    if kind == "range":
        return [f"{_one(rule, 'sourceIPRangeFrom')} - {_one(rule, 'sourceIPRangeTo')}"]
    raise _Untold(f"its type of source {quoted(kind, 60)} is not known")


def _macs(rule: dict[str, t.Any], mac_list: FindList) -> tuple[frozenset[str] | None, bool, str | None]:
    """The MACs that a rule names (C(None): any), whether all other MACs are meant, and why this is unknown."""
    kind = _kind(rule, "sourceMAC")
    negated = rule.get("sourceMACNot")
    if not isinstance(negated, (bool, type(None))):
        return None, False, f"sourceMACNot is {quoted(negated, 60)}"
    if kind == "any":
        return None, False, "its source MAC is any, negated" if negated else None
    try:
        if kind == "mac-list":
            items = _listed(rule.get("sourceMACListID"), mac_list, "MAC list")
        elif kind == "multiple":
            items = _items(rule.get("sourceMACMultiple"), "sourceMACMultiple")
        elif kind == "single":
            items = [_one(rule, "sourceMACValue")]
        else:
            raise _Untold(f"its type of source MAC {quoted(kind, 60)} is not known")
    except _Untold as error:
        return None, False, str(error)
    macs = set()
    for item in items:
        try:
            macs.add(mac(item))
        except ValueError as error:
            return None, False, f"its source MAC {quoted(item, 60)} cannot be read: {error}"
    if not macs:
        return None, False, "its source is an empty list of MACs, and it is not documented which ones that admits"
    return frozenset(macs), bool(negated), None


def _one(rule: dict[str, t.Any], key: str) -> str:
    value = rule.get(key)
    if not isinstance(value, str) or not without_comment(value):
        raise _Untold(f"its {key} is {'missing' if value is None else quoted(value, 60)}")
    return without_comment(value)


def _listed(list_id: t.Any, find: FindList, noun: str) -> list[str]:
    found = find(list_id) if isinstance(list_id, int) and not isinstance(list_id, bool) else None
    if found is None:
        raise _Untold(f"its {noun} with ID {shown(list_id)} is not on the manager, or not shown to this API key")
    return _items(found.get("items"), f"{noun} {quoted(found.get('name'))}")


def _items(items: t.Any, what: str) -> list[str]:
    """The items of a list, without comments and empty items. Raises C(_Untold) if this is not a list of items."""
    if not isinstance(items, list):
        raise _Untold(f"its {what} has no items that can be read")
    for item in items:
        if not isinstance(item, str):
            raise _Untold(f"its {what} has the item {quoted(item, 60)}, which is not text")
    return [bare for bare in map(without_comment, items) if bare]
