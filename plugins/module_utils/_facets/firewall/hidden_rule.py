# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a firewall rule replaces the hidden rule that opens the agents' port, and which condition fails.

Source: the vendor's page on agent communication, which names the conditions; two other pages of the vendor name fewer
actions and no port lists. So an answer says on which pages it rests.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._basis.addresses import holds_port, without_comment

ALL_PAGES = "all_pages"
COMMUNICATION_PAGE = "communication_page"
UNDOCUMENTED = "undocumented"


@dataclass(frozen=True)
class Condition:
    """One condition of the vendor's page: C(holds) is C(None) where no page tells; C(basis) names the pages."""

    name: str
    needed: str
    found: str
    holds: bool | None
    basis: str = ALL_PAGES


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one rule: C(replaces) is C(None) where no page tells."""

    conditions: tuple[Condition, ...]

    @property
    def replaces(self) -> bool | None:
        """True when every condition holds, False when one fails for sure."""
        if any(condition.holds is False for condition in self.conditions):
            return False
        return None if any(condition.holds is None for condition in self.conditions) else True

    @property
    def basis(self) -> str:
        """The weakest ground that the verdict needs."""
        weakest = (UNDOCUMENTED, COMMUNICATION_PAGE)
        return next((b for b in weakest if any(c.basis == b for c in self.conditions)), ALL_PAGES)

    @property
    def failing(self) -> list[str]:
        """The conditions that do not hold for sure, as sentences."""
        return [
            f"{condition.name} is {condition.found}, not {condition.needed}"
            + ("; whether that will do is not documented" if condition.holds is None else "")
            for condition in self.conditions
            if condition.holds is not True
        ]


def judge(rule: dict, port: int, port_lists: t.Callable[[int], dict | None]) -> Verdict:
    """Hold a rule against the page's conditions for the agents' C(port). C(port_lists) finds a port list by its ID."""
    return Verdict(
        (
            _action(str(rule.get("action"))),
            _equal("priority", rule, "priority", "4"),
            _equal("packet direction", rule, "direction", "incoming"),
            _equal("frame type", rule, "frameType", "ip", negated="frameNot"),
            _equal("protocol", rule, "protocol", "tcp", negated="protocolNot"),
            _destination_port(rule, port, port_lists),
            _always(rule),
        )
    )


def concerns_port(rule: dict, port: int, port_lists: t.Callable[[int], dict | None]) -> bool:
    """Whether a rule is about incoming traffic to the agents' port at all."""
    if rule.get("direction") != "incoming" or rule.get("protocol", "any") not in ("tcp", "tcp-udp", "any"):
        return False
    if rule.get("frameType", "any") not in ("ip", "ipv4", "ipv6", "any"):
        return False
    kind = rule.get("destinationPortType", "any")
    return kind == "any" or bool(rule.get("destinationPortNot")) or _holds(rule, port, port_lists)


def admits_anybody(rule: dict) -> bool:
    """Whether a rule limits neither source addresses nor source MACs."""
    return rule.get("sourceIPType", "any") == "any" and rule.get("sourceMACType", "any") == "any"


def _action(action: str) -> Condition:
    basis = COMMUNICATION_PAGE if action == "force-allow" else ALL_PAGES
    return Condition("action", "bypass or force-allow", action, action in ("bypass", "force-allow"), basis)


def _equal(name: str, rule: dict, key: str, needed: str, negated: str | None = None) -> Condition:
    found = str(rule.get(key, "any"))
    if negated and rule.get(negated):
        return Condition(name, needed, f"anything but {found}", False)
    return Condition(name, needed, found, found == needed)


def _destination_port(rule: dict, port: int, port_lists: t.Callable[[int], dict | None]) -> Condition:
    needed = f"port {port}, or a port list that holds it"
    kind = rule.get("destinationPortType", "any")
    if rule.get("destinationPortNot"):
        return Condition("destination port", needed, "negated", False)
    if kind == "port-list":
        found = port_lists(rule.get("destinationPortListID") or 0) or {}
        text = f"port list '{found.get('name', rule.get('destinationPortListID'))}'"
        return Condition("destination port", needed, text, _holds(rule, port, port_lists), COMMUNICATION_PAGE)
    if kind == "multiple":
        items = [without_comment(str(item)) for item in rule.get("destinationPortMultiple") or []]
        if items == [str(port)]:
            return Condition("destination port", needed, f"port {port}", True)
        holds = None if holds_port(items, port) else False
        return Condition("destination port", needed, f"ports {', '.join(items) or 'none'}", holds, UNDOCUMENTED)
    return Condition("destination port", needed, str(kind), False)


def _holds(rule: dict, port: int, port_lists: t.Callable[[int], dict | None]) -> bool:
    if rule.get("destinationPortType") == "port-list":
        return holds_port((port_lists(rule.get("destinationPortListID") or 0) or {}).get("items") or [], port)
    return holds_port(rule.get("destinationPortMultiple") or [], port)


def _always(rule: dict) -> Condition:
    limits = [
        word
        for word, limited in (
            ("a schedule", rule.get("scheduleID")),
            ("a context", rule.get("contextID")),
            ("TCP flags", rule.get("anyFlags") is False),
            ("source ports", rule.get("sourcePortType", "any") != "any"),
            ("destination addresses", rule.get("destinationIPType", "any") != "any"),
            ("destination MACs", rule.get("destinationMACType", "any") != "any"),
        )
        if limited
    ]
    # No page says what a rule does that meets the six conditions but holds for some traffic or some hours only.
    return Condition(
        "validity",
        "all TCP traffic at all times",
        f"limited by {' and '.join(limits)}" if limits else "unlimited",
        None if limits else True,
        UNDOCUMENTED if limits else ALL_PAGES,
    )
