# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks whether parts that pages of overrides leave out really do not exist.

A page without any overrides looks like a page whose overrides got lost, which would lead to wrong writes. So one of its
objects is first read separately.
"""

from __future__ import annotations

import typing as t

from .._manager.client import Client
from .._manager.errors import BadReply, NotFound
from .._manager.kinds import COMPUTER, POLICY, Item, Kind

FIREWALL = "firewall"
SETTINGS_KEYS = {POLICY: "policySettings", COMPUTER: "computerSettings"}
# The parts of computers to request with overrides. Policies are always returned as a whole.
EXPANDED: dict[Kind, tuple[str, ...]] = {POLICY: (), COMPUTER: ("computerSettings", FIREWALL)}


class Doubts:
    """What pages of overrides lack, until one object was read separately. That is done at most once for each kind."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._doubts: dict[Kind, list[tuple[set[str], Item]]] = {POLICY: [], COMPUTER: []}
        self._settled: set[Kind] = set()

    def note(self, kind: Kind, page: t.Collection[Item]) -> None:
        """Record a page, and the parts that none of its objects has."""
        lack = _lacking(kind, page)
        if lack:
            self._doubts[kind].append((lack, _likeliest(kind, page)))

    def settle(self, kind: Kind, preferred: int | None = None) -> None:
        """Read the object that most likely has what its page lacks or, if the page does not tell, the C(preferred) one.
        Raises C(BadReply) if the object has it.
        """
        doubts = self._doubts[kind]
        if not doubts or kind in self._settled:
            return
        likeliest = _likeliest(kind, [item for _lack, item in doubts])
        lack = next(lack for lack, item in doubts if item is likeliest)
        asked = likeliest["ID"] if preferred is None or "value" in lack else preferred
        alone = read_alone(self._client, kind, asked, overrides=True)
        if alone is None:
            return
        lost = sorted(_parts(kind, alone) & lack)
        if lost:
            raise left_out(kind, lost, asked)
        self._settled.add(kind)


def read_alone(client: Client, kind: Kind, number: int, *, overrides: bool) -> Item | None:
    """One object with all parts that pages may lack; C(None) if it is gone."""
    try:
        return client.get(kind, number, overrides=overrides, expand=EXPANDED[kind])
    except NotFound:
        return None


def left_out(kind: Kind, parts: t.Iterable[str], asked: int) -> BadReply:
    """The error that pages lack parts that one object, read alone, has."""
    names = " and ".join(map(repr, parts))
    return BadReply(
        "POST",
        f"{kind.path}/search",
        message=f"its searches leave out {names}, which it returns for {kind.noun} {asked} alone, so it is not known what"
        " is inherited",
    )


def _lacking(kind: Kind, items: t.Collection[Item]) -> set[str]:
    """The parts that none of a page's objects has: settings, values although there are settings, firewall."""
    if not items:
        return set()
    expected = {SETTINGS_KEYS[kind], FIREWALL}
    if any(item.get(SETTINGS_KEYS[kind]) for item in items):
        expected.add("value")
    for item in items:
        expected -= _parts(kind, item)
        if not expected:
            break
    return expected


def _likeliest(kind: Kind, items: t.Collection[Item]) -> Item:
    """The object that most likely has overrides: the one with the most settings, or fields."""
    return max(items, key=lambda item: (len(item.get(SETTINGS_KEYS[kind]) or ()), _fields(item), -item["ID"]))


def _parts(kind: Kind, item: Item) -> set[str]:
    settings = item.get(SETTINGS_KEYS[kind])
    parts = set() if settings is None else {SETTINGS_KEYS[kind]}
    if any((entry or {}).get("value") is not None for entry in (settings or {}).values()):
        parts.add("value")
    return parts if item.get(FIREWALL) is None else {*parts, FIREWALL}


def _fields(item: Item) -> int:
    return sum(value is not None for value in item.values())
