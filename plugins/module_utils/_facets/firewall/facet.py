# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall restriction: who may connect to the agents' port.

The port is opened to the world by a hidden rule. A rule of ours replaces it; that rule, its IP and MAC lists and its
assignments are kept here.
"""

from __future__ import annotations

import typing as t

from ..._basis.text import enumerated, quoted
from ..._fleet.catalogue import (
    AGENT_INITIATED,
    AGENT_PORT,
    COMMUNICATION_DIRECTION,
    FIREWALL_STATE,
    NETWORK_ENGINE_MODE,
)
from ..._fleet.fleet import Fleet
from ..._fleet.objects import Target
from ..._fleet.outlook import Outlook
from ..._manager.client import FIREWALL_RULE, Kind
from ..facet import Conflict, Facet, Scope, Wishes, subject_of
from ..step import ASSIGN, ASSIGNMENTS, HERE, TYPES, UNASSIGN, UNASSIGNMENTS, WRITE, Effective, Refusal, Said, Step
from .hidden_rule import admits_anybody, concerns_port, judge
from .restriction import ACTIONS, DEFAULT_RULE_NAME, Restriction
from .shared_objects import FACET, Unfit, deletable_lists, deletable_rule, find_named, needed_objects

# What is wanted of one target: at most one present restriction, and any number of absent ones.
Wish = t.Tuple[Restriction, ...]

ASSIGNED, NOT_ASSIGNED = "assigned", "not assigned"


class FirewallRestriction(Facet[Wish]):
    """The rule that replaces the hidden one, its lists, and its assignments."""

    name = FACET
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

    def __init__(self, deployment: str) -> None:
        super().__init__(deployment)
        # What many steps say alike, kept once.
        self._shared: dict[Effective, Effective] = {}
        self._opening_by_port: dict[int, frozenset[int]] = {}

    # -- options

    def wish(self, options: t.Mapping[str, t.Any], scope: Scope) -> Wish:
        return (Restriction.from_options(options, scope),)

    def merge(self, first: Wish, second: Wish) -> Wish:
        present = {restriction for restriction in (*first, *second) if restriction.present}
        if len(present) > 1:
            raise Conflict(f"{self.name} is to admit {' and also '.join(sorted(one.summary for one in present))}")
        both = {(one.rule_name, one.present): one for one in (*first, *second)}
        strict = {(one.rule_name, one.present): one for one in (*first, *second) if not one.accept_inherited}
        merged = tuple({**both, **strict}.values())
        if any((one.rule_name, False) in both for one in present):
            raise Conflict(
                f"{self.name} with rule {quoted(next(iter(present)).rule_name, 100)} is to be present and absent"
            )
        return merged

    def check_together(self, wishes: t.Iterable[Wish]) -> None:
        by_rule: dict[str, Restriction] = {}
        by_list: dict[tuple[Kind, str], tuple[t.Any, ...]] = {}
        for restriction in (one for wish in wishes for one in wish if one.present):
            other = by_rule.setdefault(restriction.rule_name, restriction)
            if other != restriction:
                raise Conflict(
                    f"{self.name} rule {quoted(restriction.rule_name, 100)} is to admit {other.summary} and also"
                    f" {restriction.summary}; give one of them another rule_name"
                )
            for kind, name, items in restriction.lists:
                if by_list.setdefault((kind, name), items) != items:
                    raise Conflict(f"the {kind.noun} '{name}' is to hold different items; name another one")

    # -- plan

    def steps(self, outlook: Outlook, wishes: Wishes[Wish]) -> t.Iterator[Said]:
        fleet = outlook.fleet
        targets_of: dict[Restriction, list[Target]] = {}
        for target, wish in wishes.items():
            for restriction in wish:
                targets_of.setdefault(restriction, []).append(target)
        refused: dict[Target, str] = {}
        # By ID, since restrictions can share lists.
        objects: dict[str, Step] = {}
        rules: dict[str, dict[str, t.Any] | None] = {}
        assigned: set[tuple[Target, str]] = set()
        for restriction, targets in targets_of.items():
            name = restriction.rule_name
            try:
                rules[name] = find_named(fleet, FIREWALL_RULE, name)
                if restriction.present:
                    objects.update((step.id, step) for step in needed_objects(fleet, restriction))
            except Unfit as unfit:
                refused.update(dict.fromkeys(targets, str(unfit)))
                continue
            if rule := rules[name]:
                states = fleet.rule_states(targets, rule["ID"])
                assigned.update((target, name) for target, is_assigned in states.items() if is_assigned)
        for target, reason in refused.items():
            yield Refusal(subject_of(target), self.name, reason)
        yield from objects.values()
        kept = {target: wish for target, wish in wishes.items() if target not in refused}
        unassignments: dict[str, list[str]] = {}
        for target in outlook.from_the_top(kept):
            for step in self._assignments(outlook, target, kept[target], rules, assigned, objects):
                if step.action == UNASSIGN:
                    unassignments.setdefault(step.key, []).append(step.id)
                yield step
        yield from self._deletions(fleet, targets_of, refused, rules, unassignments)

    def _assignments(
        self,
        outlook: Outlook,
        target: Target,
        wish: Wish,
        rules: t.Mapping[str, dict[str, t.Any] | None],
        assigned: t.Container[tuple[Target, str]],
        objects: t.Container[str],
    ) -> t.Iterator[Step]:
        """Rules that the new one replaces stay until it is there."""
        needs: tuple[str, ...] = ()
        for restriction in sorted(wish, key=lambda one: not one.present):
            name = restriction.rule_name
            is_assigned = (target, name) in assigned
            if is_assigned == restriction.present:
                continue
            rule = rules.get(name)
            rule_id = rule["ID"] if rule else None
            if restriction.present:
                giver = outlook.giver(target, name, rule_id)
                if giver and restriction.accept_inherited:
                    continue
                why = f"the rule {quoted(name, 100)} is " + (
                    "inherited, but not assigned here" if giver else "not assigned here"
                )
                written = f"{WRITE} firewall_rule {name}"
                step = self._assignment(outlook, target, ASSIGN, name, rule_id, why)
                step = step._replace(needs=(written,) if written in objects else ())
                needs = (step.id,)
            else:
                why = f"the rule {quoted(name, 100)} is assigned here"
                step = self._assignment(outlook, target, UNASSIGN, name, rule_id, why)._replace(needs=needs)
            outlook.assign(target, name, restriction.present)
            yield step

    def _assignment(
        self, outlook: Outlook, target: Target, action: str, name: str, rule_id: int | None, why: str
    ) -> Step:
        before, after, stage = NOT_ASSIGNED, ASSIGNED, ASSIGNMENTS
        if action == UNASSIGN:
            before, after, stage = ASSIGNED, NOT_ASSIGNED, UNASSIGNMENTS
        giver = outlook.today.giver(target, name, rule_id)
        if before == ASSIGNED:
            effective = Effective(ASSIGNED, HERE)
        else:
            effective = Effective(ASSIGNED, giver.label) if giver else Effective(NOT_ASSIGNED, HERE)
        effective = self._shared.setdefault(effective, effective)
        return Step(action, subject_of(target), self.name, name, before, effective, after, why, stage, rule_id)

    def _deletions(
        self,
        fleet: Fleet,
        targets_of: t.Mapping[Restriction, list[Target]],
        refused: t.Container[Target],
        rules: t.Mapping[str, dict[str, t.Any] | None],
        unassignments: t.Mapping[str, list[str]],
    ) -> t.Iterator[Step]:
        """What nobody uses any more: rules, then their lists."""
        kept_rules = {one.rule_name for one in targets_of if one.present}
        kept_lists = {(TYPES[kind], name) for one in targets_of if one.present for kind, name, _items in one.lists}
        letting_go: dict[str, set[Target]] = {}
        for restriction, targets in targets_of.items():
            if restriction.rule_name not in kept_rules and not any(target in refused for target in targets):
                letting_go.setdefault(restriction.rule_name, set()).update(targets)
        gone: dict[int, Step] = {}
        for name, holders in letting_go.items():
            rule = rules[name]
            step = rule and deletable_rule(fleet, rule, holders, unassignments.get(name, ()))
            if rule and step:
                gone[rule["ID"]] = step
        yield from gone.values()
        lists: dict[str, Step] = {}
        for restriction in targets_of:
            name = restriction.rule_name
            rule = rules.get(name)
            if name in letting_go and (rule is None or rule["ID"] in gone):
                try:
                    lists.update((step.id, step) for step in deletable_lists(fleet, restriction, gone))
                except Unfit:
                    # Several lists share the name: which one is ours cannot be told, and both stay.
                    continue
        yield from (step for step in lists.values() if (step.subject.type, step.subject.name) not in kept_lists)

    def warnings(self, outlook: Outlook, wishes: Wishes[Wish]) -> list[str]:
        fleet = outlook.fleet
        restricted = {target: one for target, wish in wishes.items() for one in wish if one.present}
        idle: dict[str, list[str]] = {}
        for target in restricted:
            reason = without_effect(outlook, target)
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
            f"{self.name} is undone by the rule {quoted(name, 100)}, which admits anybody to the agents' port, on"
            f" {enumerated(labels)}"
            for name, labels in open_rules.items()
        ]

    def describe(self, outlook: Outlook, target: Target) -> dict[str, t.Any]:
        fleet = outlook.fleet
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
            "without_effect_because": without_effect(outlook, target),
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
        return self._opening_by_port[restriction.port] - {
            rule_id for rule_id, rule in fleet.rules.items() if rule["name"] == restriction.rule_name
        }


def without_effect(outlook: Outlook, target: Target) -> str | None:
    """Why no firewall rule matters on a target now; C(None) when one does, or when the manager does not say."""
    if outlook.effective(target, COMMUNICATION_DIRECTION)[0] == AGENT_INITIATED:
        return "agents initiate and do not listen"
    if outlook.effective(target, FIREWALL_STATE)[0] == "off":
        return "the firewall is off"
    if outlook.effective(target, NETWORK_ENGINE_MODE)[0] == "tap":
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
