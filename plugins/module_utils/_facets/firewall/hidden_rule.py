# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a firewall rule replaces the hidden rule that opens the agents' port, and which condition fails.

Source: the vendor's page on agent communication, which names the conditions; two other pages of the vendor name fewer
actions and no port lists. So each answer says which pages it is based on.
"""

from __future__ import annotations

import typing as t

from ..._basis.addresses import holds_port, without_comment
from ..._basis.text import enumerated, quoted, shown

# Finds the port list with an ID, or returns none.
FindList = t.Callable[[int], t.Optional[t.Dict[str, t.Any]]]

ALL_PAGES = "all_pages"
COMMUNICATION_PAGE = "communication_page"
UNDOCUMENTED = "undocumented"


class Condition(t.NamedTuple):
    """One condition of the vendor's page. C(holds) is C(None) if no page tells; C(basis) names the pages."""

    name: str
    needed: str
    found: str
    holds: bool | None
    basis: str = ALL_PAGES


class Match(t.NamedTuple):
    """How one rule matches the conditions for replacing the hidden one. C(replaces) is C(None) if no page tells."""

    conditions: tuple[Condition, ...]

    @property
    def replaces(self) -> bool | None:
        """True if every condition holds, False if one certainly fails."""
        if any(condition.holds is False for condition in self.conditions):
            return False
        return None if any(condition.holds is None for condition in self.conditions) else True

    @property
    def basis(self) -> str:
        """The weakest basis among the conditions."""
        weakest = (UNDOCUMENTED, COMMUNICATION_PAGE)
        return next((b for b in weakest if any(c.basis == b for c in self.conditions)), ALL_PAGES)

    @property
    def failing(self) -> list[str]:
        """The conditions that do not certainly hold, as sentences."""
        return [
            f"{condition.name} is {condition.found}, not {condition.needed}"
            + ("; whether that is enough is not documented" if condition.holds is None else "")
            for condition in self.conditions
            if condition.holds is not True
        ]


def match_of(rule: dict[str, t.Any], port: int, port_lists: FindList) -> Match:
    """Compare a rule with the page's conditions for the agents' C(port). C(port_lists) finds a port list by its ID."""
    return Match(
        (
            _action(shown(rule.get("action"))),
            _equal("priority", rule, "priority", "4"),
            _equal("packet direction", rule, "direction", "incoming"),
            _equal("frame type", rule, "frameType", "ip", negated="frameNot"),
            _equal("protocol", rule, "protocol", "tcp", negated="protocolNot"),
            _destination_port(rule, port, port_lists),
            _always(rule),
        )
    )


def concerns_port(rule: dict[str, t.Any], port: int, port_lists: FindList) -> bool:
    """Whether a rule is, or may be, about incoming traffic to the agents' port at all."""
    if rule.get("direction") != "incoming" or rule.get("protocol", "any") not in ("tcp", "tcp-udp", "any"):
        return False
    if rule.get("frameType", "any") not in ("ip", "ipv4", "ipv6", "any"):
        return False
    kind = rule.get("destinationPortType", "any")
    return kind == "any" or bool(rule.get("destinationPortNot")) or _holds(rule, port, port_lists) is not False


def _action(action: str) -> Condition:
    basis = COMMUNICATION_PAGE if action == "force-allow" else ALL_PAGES
    return Condition("action", "bypass or force-allow", action, action in ("bypass", "force-allow"), basis)


def _equal(name: str, rule: dict[str, t.Any], key: str, needed: str, negated: str | None = None) -> Condition:
    found = shown(rule.get(key, "any"))
    if negated and rule.get(negated):
        return Condition(name, needed, f"anything but {found}", False)
    return Condition(name, needed, found, found == needed)


def _destination_port(rule: dict[str, t.Any], port: int, port_lists: FindList) -> Condition:
    needed = f"port {port}, or a port list that holds it"
    kind = rule.get("destinationPortType", "any")
    if rule.get("destinationPortNot"):
        return Condition("destination port", needed, "negated", False)
    if kind == "port-list":
        list_id = rule.get("destinationPortListID")
        text = f"port list {quoted(_port_list(rule, port_lists).get('name', list_id))}"
        holds = _holds(rule, port, port_lists)
        if holds is None:
            return Condition("destination port", needed, f"{text}, whose ports are not shown", None, UNDOCUMENTED)
        return Condition("destination port", needed, text, holds, COMMUNICATION_PAGE)
    if kind == "multiple":
        items = [without_comment(str(item)) for item in _listed(rule.get("destinationPortMultiple"))]
        if items == [str(port)]:
            return Condition("destination port", needed, f"port {port}", True)
        holds = None if holds_port(items, port) else False
        return Condition(
            "destination port",
            needed,
            f"ports {enumerated([shown(item) for item in items]) or 'none'}",
            holds,
            UNDOCUMENTED,
        )
    return Condition("destination port", needed, shown(kind), False)


def _holds(rule: dict[str, t.Any], port: int, port_lists: FindList) -> bool | None:
    """Whether the destination ports hold the port; C(None) if their list is not on the manager, or not shown."""
    if rule.get("destinationPortType") == "port-list":
        items = _port_list(rule, port_lists).get("items")
        return holds_port(items, port) if isinstance(items, list) else None
    return holds_port(_listed(rule.get("destinationPortMultiple")), port)


def _port_list(rule: dict[str, t.Any], port_lists: FindList) -> dict[str, t.Any]:
    list_id = rule.get("destinationPortListID")
    return (port_lists(list_id) or {}) if isinstance(list_id, int) and list_id else {}


def _listed(items: t.Any) -> list[t.Any]:
    return items if isinstance(items, list) else []


def _always(rule: dict[str, t.Any]) -> Condition:
    limits = [
        word
        for word, limited in (
            ("a schedule", rule.get("scheduleID")),
            ("a context", rule.get("contextID")),
            # Negated, any of these is limited: to nothing, where all were meant.
            ("TCP flags", rule.get("anyFlags") is False or rule.get("TCPNot")),
            ("source ports", rule.get("sourcePortType", "any") != "any" or rule.get("sourcePortNot")),
            ("destination addresses", rule.get("destinationIPType", "any") != "any" or rule.get("destinationIPNot")),
            ("destination MACs", rule.get("destinationMACType", "any") != "any" or rule.get("destinationMACNot")),
        )
        if limited
    ]
    # No page says what happens if a rule meets the six conditions, but only applies to some traffic or at some hours.
    return Condition(
        "validity",
        "all TCP traffic at all times",
        f"limited by {' and '.join(limits)}" if limits else "unlimited",
        None if limits else True,
        UNDOCUMENTED if limits else ALL_PAGES,
    )
