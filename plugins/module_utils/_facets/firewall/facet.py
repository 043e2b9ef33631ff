# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall restriction: who may connect to the agents' port.

The port is opened to the world by a hidden rule. A rule of ours replaces it; that rule, its IP and MAC lists and its
assignments are kept here.
"""

from __future__ import annotations

import typing as t

from ..._basis.text import enumerated
from ..._fleet.catalogue import (
    AGENT_INITIATED,
    AGENT_PORT,
    COMMUNICATION_DIRECTION,
    FIREWALL_STATE,
    NETWORK_ENGINE_MODE,
)
from ..._fleet.fleet import Fleet
from ..._fleet.objects import Target
from ..._manager.client import Kind
from ..facet import Change, Conflict, Facet, ObjectChange, Preparation, Refused, Scope
from .hidden_rule import admits_anybody, concerns_port, judge
from .restriction import ACTIONS, DEFAULT_RULE_NAME, Restriction
from .shared_objects import deletable_lists, deletable_rules, find_named, needed_objects

# What is wanted of one target: at most one present restriction, and any number of absent ones.
Wish = t.Tuple[Restriction, ...]


class FirewallRestriction(Facet):
    """The rule that replaces the hidden one, its lists, and its assignments."""

    name = "firewall_restriction"
    arguments = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "rule_name": {"type": "str", "default": DEFAULT_RULE_NAME},
        "action": {"type": "str", "choices": list(ACTIONS), "default": "bypass"},
        "port": {"type": "int", "default": AGENT_PORT},
        "port_list": {"type": "str"},
        "source_ips": {"type": "list", "elements": "str"},
        "ip_list_name": {"type": "str"},
        "source_macs": {"type": "list", "elements": "str"},
        "mac_list_name": {"type": "str"},
        "manager_addresses": {"type": "list", "elements": "str"},
        "manager_region": {"type": "str"},
        "manager_macs": {"type": "list", "elements": "str"},
        "allow_manager_lockout": {"type": "bool", "default": False},
        "accept_inherited": {"type": "bool", "default": False},
    }

    def __init__(self) -> None:
        self._assigned: dict[tuple[str, Target], bool] = {}
        # By rule name: its ID if it exists, and by policy whether the plan assigns it or takes it away.
        self._rule_ids: dict[str, int] = {}
        self._planned: dict[tuple[str, Target], bool] = {}
        self._opening_by_port: dict[int, frozenset[int]] = {}

    # -- options

    def wish(self, options: dict, scope: Scope) -> Wish:
        return (Restriction.from_options(options, scope),)

    def merge(self, first: Wish, second: Wish) -> Wish:
        present = {restriction for restriction in (*first, *second) if restriction.present}
        if len(present) > 1:
            raise Conflict(f"{self.name} is to admit {' and also '.join(sorted(one.summary for one in present))}")
        both = {(one.rule_name, one.present): one for one in (*first, *second)}
        strict = {(one.rule_name, one.present): one for one in (*first, *second) if not one.accept_inherited}
        merged = tuple({**both, **strict}.values())
        if any((one.rule_name, False) in both for one in present):
            raise Conflict(f"{self.name} with rule '{next(iter(present)).rule_name}' is to be present and absent")
        return merged

    def check_together(self, wishes: t.Iterable[Wish]) -> None:
        by_rule: dict[str, Restriction] = {}
        by_list: dict[tuple[Kind, str], tuple] = {}
        for restriction in (one for wish in wishes for one in wish if one.present):
            other = by_rule.setdefault(restriction.rule_name, restriction)
            if other != restriction:
                raise Conflict(
                    f"{self.name} rule '{restriction.rule_name}' is to admit {other.summary} and also"
                    f" {restriction.summary}; give one of them another rule_name"
                )
            for kind, name, items in restriction.lists:
                if by_list.setdefault((kind, name), items) != items:
                    raise Conflict(f"the {kind.noun} '{name}' is to hold different items; name another one")

    # -- plan

    def prepare(self, fleet: Fleet, wishes: dict[Target, Wish]) -> Preparation:
        preparation = Preparation()
        targets_of: dict[Restriction, list[Target]] = {}
        for target, wish in wishes.items():
            for restriction in wish:
                targets_of.setdefault(restriction, []).append(target)
        kept_rules = {restriction.rule_name for restriction in targets_of if restriction.present}
        kept_lists = {(kind, name) for one in targets_of if one.present for kind, name, _items in one.lists}
        letting_go: dict[str, set[Target]] = {}
        for restriction, targets in targets_of.items():
            if restriction.rule_name not in kept_rules:
                letting_go.setdefault(restriction.rule_name, set()).update(targets)
        rules_gone = deletable_rules(fleet, letting_go) if letting_go else []
        gone_ids = {change.existing["ID"] for change in rules_gone}
        # By kind and name, since restrictions can share lists. Rules go before the lists that they use.
        objects: dict[tuple[Kind, str], ObjectChange] = {}
        deletions = {(change.kind, change.name): change for change in rules_gone}
        for restriction, targets in targets_of.items():
            try:
                rule = find_named(fleet.rules, restriction.rule_name)
                if restriction.present:
                    for change in needed_objects(fleet, restriction, rule):
                        objects.setdefault((change.kind, change.name), change)
                elif restriction.rule_name in letting_go and (rule is None or rule["ID"] in gone_ids):
                    for change in deletable_lists(fleet, restriction, gone_ids):
                        if (change.kind, change.name) not in kept_lists:
                            deletions[(change.kind, change.name)] = change
            except Refused as refusal:
                preparation.refused.update({target: str(refusal) for target in targets})
                continue
            if rule:
                self._rule_ids[restriction.rule_name] = rule["ID"]
                for target, assigned in fleet.rule_states(targets, rule["ID"]).items():
                    self._assigned[(restriction.rule_name, target)] = assigned
        preparation.objects += objects.values()
        preparation.deletions += deletions.values()
        return preparation

    def plan(self, fleet: Fleet, target: Target, wish: Wish) -> Change | None:
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        why = []
        assign: str | None = None
        unassign: list[str] = []
        for restriction in wish:
            assigned = self._assigned.get((restriction.rule_name, target), False)
            if assigned == restriction.present:
                continue
            if restriction.present:
                inherited = self._inherits(fleet, target, restriction.rule_name)
                if inherited and restriction.accept_inherited:
                    continue
                assign = restriction.rule_name
                why.append(
                    f"the rule '{restriction.rule_name}' is "
                    + ("inherited, but not assigned here" if inherited else "not assigned here")
                )
            else:
                unassign.append(restriction.rule_name)
                why.append(f"the rule '{restriction.rule_name}' is assigned here")
            self._planned[(restriction.rule_name, target)] = restriction.present
            before[restriction.rule_name] = "assigned" if assigned else "not assigned"
            after[restriction.rule_name] = "assigned" if restriction.present else "not assigned"
        if not why:
            return None
        return Change(self.name, target, before, after, why, assign=assign, unassign=tuple(unassign))

    def _inherits(self, fleet: Fleet, target: Target, rule_name: str) -> bool:
        """Whether a target has the rule through its policies, with what is planned for them taken as done."""
        rule_id = self._rule_ids.get(rule_name)
        return any(
            self._planned.get((rule_name, policy), rule_id in policy.rule_ids) for policy in fleet.lineage(target)
        )

    def warnings(self, fleet: Fleet, wishes: dict[Target, Wish], deployment: str) -> list[str]:
        restricted = {target: one for target, wish in wishes.items() for one in wish if one.present}
        idle: dict[str, list[str]] = {}
        for target in restricted:
            reason = without_effect(fleet, target)
            if reason:
                idle.setdefault(reason, []).append(target.label)
        open_rules: dict[str, list[str]] = {}
        for target, restriction in restricted.items():
            opening = self._opening(fleet, restriction)
            for rule_id in opening & (target.rule_ids | fleet.inherited_rule_ids(target)) if opening else ():
                open_rules.setdefault(str(fleet.rules[rule_id].get("name")), []).append(target.label)
        return [
            f"{self.name} has no effect where {reason}: {enumerated(labels)}" for reason, labels in idle.items()
        ] + [
            f"{self.name} is undone by the rule '{name}', which admits anybody to the agents' port, on"
            f" {enumerated(labels)}"
            for name, labels in open_rules.items()
        ]

    def describe(self, fleet: Fleet, target: Target) -> dict[str, t.Any]:
        direct = {rule_id for rule_id in target.rule_ids if rule_id not in fleet.inherited_rule_ids(target)}
        for rule_id in target.rule_ids - direct:
            if rule_id in fleet.rules and fleet.rule_states([target], rule_id)[target]:
                direct.add(rule_id)
        described = []
        for rule_id in sorted(target.rule_ids | fleet.inherited_rule_ids(target)):
            rule = fleet.rules.get(rule_id)
            if rule is None or not concerns_port(rule, AGENT_PORT, fleet.port_list):
                continue
            verdict = judge(rule, AGENT_PORT, fleet.port_list)
            described.append(
                {
                    "id": rule_id,
                    "name": rule.get("name"),
                    "action": rule.get("action"),
                    "assigned_here": rule_id in direct,
                    "inherited_from": [policy.label for policy in fleet.lineage(target) if rule_id in policy.rule_ids],
                    "replaces_hidden_rule": verdict.replaces,
                    "basis": verdict.basis,
                    "failing_conditions": verdict.failing,
                    "admits_anybody": admits_anybody(rule),
                    "source_ips": _items(fleet.ip_lists, rule, "sourceIP"),
                    "source_macs": _items(fleet.mac_lists, rule, "sourceMAC"),
                }
            )
        replacing = [rule for rule in described if rule["replaces_hidden_rule"]]
        return {
            "rules": described,
            "hidden_rule_replaced": bool(replacing)
            or (None if any(rule["replaces_hidden_rule"] is None for rule in described) else False),
            "restricted": bool(replacing) and not any(rule["admits_anybody"] for rule in replacing),
            "without_effect_because": without_effect(fleet, target),
        }

    # -- effect

    def _opening(self, fleet: Fleet, restriction: Restriction) -> frozenset[int]:
        """Other rules that replace the hidden rule and admit anybody."""
        if restriction.port not in self._opening_by_port:
            self._opening_by_port[restriction.port] = frozenset(
                rule_id
                for rule_id, rule in fleet.rules.items()
                if rule.get("priority") == "4"
                and rule.get("action") in ACTIONS.values()
                and admits_anybody(rule)
                and judge(rule, restriction.port, fleet.port_list).replaces is not False
            )
        return self._opening_by_port[restriction.port] - {self._rule_ids.get(restriction.rule_name)}


def without_effect(fleet: Fleet, target: Target) -> str | None:
    """Why no firewall rule matters on a target now; C(None) when one does, or when the manager does not say."""
    if fleet.effective(target, COMMUNICATION_DIRECTION)[0] == AGENT_INITIATED:
        return "agents initiate and do not listen"
    if fleet.effective(target, FIREWALL_STATE)[0] == "off":
        return "the firewall is off"
    if fleet.effective(target, NETWORK_ENGINE_MODE)[0] == "tap":
        return "the network engine is in tap mode"
    return None


def _items(known: dict[int, dict], rule: dict, side: str) -> t.Any:
    """A rule's sources as the console shows them: a list's items, or the values in the rule itself."""
    kind = rule.get(f"{side}Type", "any")
    if kind == "any":
        return None
    if kind in ("ip-list", "mac-list"):
        return (known.get(rule.get(f"{side}ListID") or 0) or {}).get("items")
    keys = ("Value", "Mask", "RangeFrom", "RangeTo", "Multiple")
    return [rule[f"{side}{key}"] for key in keys if rule.get(f"{side}{key}") is not None]
