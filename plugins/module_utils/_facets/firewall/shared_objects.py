# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall rule and the lists that a restriction's targets share: which to create, change or delete.

Rules and lists that we create have a mark in their description, so that removing a restriction deletes only those.
"""

from __future__ import annotations

import typing as t

from ..._basis.addresses import holds_port, ip_text
from ..._basis.text import enumerated
from ..._fleet.fleet import Fleet
from ..._fleet.objects import Target
from ..._fleet.shared_objects import SharedObjects, differences, is_ours, reference, resolved
from ..._manager.kinds import FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST, Kind
from ..step import DELETE, LISTS, LISTS_GONE, RULES, RULES_GONE, TYPES, UNLESS_USED, WRITE, Step, Subject
from .admission import shared_list
from .restriction import Restriction

FACET = "firewall_restriction"


class Unfit(Exception):
    """A rule or list on the manager prevents a restriction. The text says which one, and why."""


def needed_objects(shared: SharedObjects, restriction: Restriction) -> list[Step]:
    """The steps that create or change the lists and then the rule. Raises C(Unfit)."""
    steps = []
    rule = find_named(shared, FIREWALL_RULE, restriction.rule_name)
    references: dict[str, dict[str, t.Any]] = {}
    for kind, name, items in restriction.lists:
        existing = find_named(shared, kind, name)
        wanted: dict[str, t.Any] = {"items": [ip_text(item) if kind is IP_LIST else item for item in items]}
        step = _written(kind, name, existing, wanted, LISTS)
        if step and existing and not is_ours(existing) and not restriction.allow_shared_lists:
            reason = shared_list(shared, kind, existing, _id_of(rule))
            if reason:
                raise Unfit(reason)
        steps.append(step)
        key = "sourceIPListID" if kind is IP_LIST else "sourceMACListID"
        references[key] = reference(TYPES[kind], name, _id_of(existing))
    if restriction.port_list is not None:
        references["destinationPortListID"] = reference(
            TYPES[PORT_LIST], restriction.port_list, _port_list(shared, restriction)["ID"]
        )
    needs = tuple(step.id for step in steps if step)
    fields = {**_rule_fields(restriction), **references}
    steps.append(_written(FIREWALL_RULE, restriction.rule_name, rule, fields, RULES, needs))
    return [step for step in steps if step is not None]


def deletable_rule(
    fleet: Fleet, rule: dict[str, t.Any], letting_go: set[Target], needs: t.Iterable[str]
) -> Step | None:
    """The step that deletes a rule, if it is ours and no target except C(letting_go) has it."""
    if not is_ours(rule):
        return None
    holders = fleet.assignments.holders(rule["ID"], letting_go)
    if holders.known:
        return None
    step = _deleted(FIREWALL_RULE, rule, "no policy or computer has it anymore", RULES_GONE, tuple(needs))
    # Targets that inherit the rule from these may also have it assigned. This only shows after these have let go of it.
    return step if holders.complete else step._replace(key=UNLESS_USED)


def deletable_lists(
    fleet: Fleet, restriction: Restriction, rules_gone: t.Mapping[int, Step], rewritten: t.Mapping[int, Step]
) -> list[Step]:
    """The steps that delete the lists that are ours and that no rule will use. Raises C(Unfit).

    C(rules_gone): the steps that delete rules, and C(rewritten): those that change rules, by the rule's ID.
    """
    steps = []
    for kind, name, key in (
        (IP_LIST, restriction.ip_list_name, "IPListID"),
        (MAC_LIST, restriction.mac_list_name, "MACListID"),
    ):
        found = find_named(fleet, kind, name)
        if not found or not is_ours(found):
            continue
        users = {
            rule["ID"]
            for rule in fleet.rules.values()
            if found["ID"] in (rule.get(f"source{key}"), rule.get(f"destination{key}"))
        }
        leaving = {user for user in users if user in rewritten and _leaves(fleet.rules[user], rewritten[user], key)}
        if users <= rules_gone.keys() | leaving:
            needs = tuple(sorted((rewritten if user in leaving else rules_gone)[user].id for user in users))
            steps.append(_deleted(kind, found, "no rule uses it anymore", LISTS_GONE, needs))
    return steps


def _leaves(rule: dict[str, t.Any], step: Step, key: str) -> bool:
    """Whether a step gives a rule another list as its source, and the rule has none as its destination."""
    wanted = step.after.get(f"source{key}")
    return wanted is not None and resolved(wanted, {}) != rule.get(f"source{key}") and not rule.get(f"destination{key}")


def find_named(shared: SharedObjects, kind: Kind, name: str) -> dict[str, t.Any] | None:
    """The rule or list with that name, or none. Raises C(Unfit) if several have it."""
    found = [item for item in shared.objects(kind).values() if item["name"] == name]
    if len(found) > 1:
        ids = ", ".join(str(item["ID"]) for item in found)
        raise Unfit(f"the name '{name}' is used by several objects: IDs {ids}")
    return found[0] if found else None


def _port_list(shared: SharedObjects, restriction: Restriction) -> dict[str, t.Any]:
    name = restriction.port_list or ""
    found = find_named(shared, PORT_LIST, name)
    if found is None:
        raise Unfit(f"the port list '{name}' does not exist on the manager")
    items = found.get("items") or []
    if not holds_port(items, restriction.port):
        raise Unfit(
            f"the port list '{name}' does not hold the agents' port {restriction.port}: {enumerated([*map(str, items)])}"
        )
    return found


def _rule_fields(restriction: Restriction) -> dict[str, t.Any]:
    fields: dict[str, t.Any] = {
        "action": restriction.action,
        "priority": "4",
        "direction": "incoming",
        "frameType": "ip",
        "frameNot": False,
        "protocol": "tcp",
        "protocolNot": False,
        "sourceIPType": "ip-list" if restriction.ips else "any",
        "sourceIPNot": False,
        "sourceMACType": "mac-list" if restriction.macs else "any",
        "sourceMACNot": False,
        "sourcePortType": "any",
        "sourcePortNot": False,
        "destinationIPType": "any",
        "destinationIPNot": False,
        "destinationMACType": "any",
        "destinationMACNot": False,
        "destinationPortNot": False,
        "anyFlags": True,
        "TCPNot": False,
        # No schedule and no context: a restriction that only applies at some hours or places is none.
        "scheduleID": 0,
        "contextID": 0,
    }
    if restriction.port_list is None:
        return {**fields, "destinationPortType": "multiple", "destinationPortMultiple": [str(restriction.port)]}
    return {**fields, "destinationPortType": "port-list"}


def _id_of(existing: dict[str, t.Any] | None) -> int | None:
    return None if existing is None else int(existing["ID"])


def _written(
    kind: Kind,
    name: str,
    existing: dict[str, t.Any] | None,
    wanted: dict[str, t.Any],
    stage: int,
    needs: tuple[str, ...] = (),
) -> Step | None:
    """The step that creates or changes a rule or list; C(None) if it is already right."""
    fields = differences(kind, existing or {}, wanted, {})
    if existing and not fields:
        return None
    before = None if existing is None else {key: existing.get(key) for key in fields}
    differ = f"{', '.join(sorted(fields))} differ{'s' if len(fields) == 1 else ''}"
    subject = Subject(TYPES[kind], _id_of(existing), name)
    return Step(
        WRITE, subject, FACET, "", before, None, wanted, differ if existing else "it does not exist", stage, None, needs
    )


def _deleted(kind: Kind, existing: dict[str, t.Any], why: str, stage: int, needs: tuple[str, ...]) -> Step:
    subject = Subject(TYPES[kind], existing["ID"], existing["name"])
    return Step(DELETE, subject, FACET, "", existing, None, None, why, stage, None, needs)
