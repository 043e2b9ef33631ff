# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall rule and the lists that a restriction shares among its targets.

What is made here carries a mark in its description, so that taking a restriction away deletes what was made and
nothing else.
"""

from __future__ import annotations

import typing as t

from ..._basis.addresses import holds_port, ip_span, ip_text, mac, normalized
from ..._basis.text import enumerated
from ..._fleet.fleet import Fleet, Target
from ..._manager.client import FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST, Kind
from ..facet import ObjectChange, Refused
from .restriction import Restriction

MARK = "Managed by workload_security.agent"


def needed_objects(fleet: Fleet, restriction: Restriction, rule: dict | None) -> list[ObjectChange]:
    """What must be made or changed: lists first, then C(rule), the restriction's rule if there is one.

    Raises C(Refused) when the port list that it names will not do.
    """
    changes = []
    references: dict[str, tuple[Kind, str]] = {}
    ids: dict[tuple[Kind, str], int] = {}
    for kind, name, items in restriction.lists:
        references["sourceIPListID" if kind is IP_LIST else "sourceMACListID"] = (kind, name)
        existing = find_named(fleet.ip_lists if kind is IP_LIST else fleet.mac_lists, name)
        if existing:
            ids[(kind, name)] = existing["ID"]
        wanted = [ip_text(item) if kind is IP_LIST else item for item in items]
        changes.append(
            _object_change(kind, name, existing, _items_differ(wanted, ip_span if kind is IP_LIST else mac), {})
        )
    if restriction.port_list is not None:
        port_list = find_named(fleet.port_lists, restriction.port_list)
        if port_list is None:
            raise Refused(f"the port list '{restriction.port_list}' does not exist on the manager")
        if not holds_port(port_list.get("items") or [], restriction.port):
            raise Refused(
                f"the port list '{restriction.port_list}' does not hold the agents' port {restriction.port}:"
                f" {enumerated([str(item) for item in port_list.get('items') or []])}"
            )
        references["destinationPortListID"] = (PORT_LIST, restriction.port_list)
        ids[(PORT_LIST, restriction.port_list)] = port_list["ID"]
    differences = _rule_differs(_rule_fields(restriction), references)
    changes.append(_object_change(FIREWALL_RULE, restriction.rule_name, rule, differences, ids, references))
    return [change for change in changes if change is not None]


def deletable_rules(fleet: Fleet, targets_of: dict[str, set[Target]]) -> list[ObjectChange]:
    """The rules that are ours and that nobody has once these targets, by rule name, have let go of them.

    Needs the whole fleet's assignments.
    """
    deletions = []
    for rule in fleet.rules.values():
        if rule["name"] not in targets_of or not _is_ours(rule):
            continue
        fleet.read_overrides(fleet.list_computers())
        everyone = [*fleet.policies.values(), *fleet.computers.values()]
        holders = {target for target, held in fleet.rule_states(everyone, rule["ID"]).items() if held}
        if not holders - targets_of[rule["name"]]:
            deletions.append(_deletion(FIREWALL_RULE, rule, "no policy and no computer has it any more"))
    return deletions


def deletable_lists(fleet: Fleet, restriction: Restriction, rules_gone: set[int]) -> list[ObjectChange]:
    """The restriction's lists that are ours and that no rule uses once these rules are gone.

    Raises C(Refused) when several lists share a name.
    """
    deletions = []
    for kind, known, name, key in (
        (IP_LIST, fleet.ip_lists, restriction.ip_list_name, "IPListID"),
        (MAC_LIST, fleet.mac_lists, restriction.mac_list_name, "MACListID"),
    ):
        found = find_named(known, name)
        users = [
            other
            for other in fleet.rules.values()
            if other["ID"] not in rules_gone
            and found
            and found["ID"] in (other.get(f"source{key}"), other.get(f"destination{key}"))
        ]
        if found and _is_ours(found) and not users:
            deletions.append(_deletion(kind, found, "no rule uses it any more"))
    return deletions


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
        # Without a schedule or a context: a restriction that holds for some hours or places only is none.
        "scheduleID": 0,
        "contextID": 0,
    }
    if restriction.port_list is None:
        return {**fields, "destinationPortType": "multiple", "destinationPortMultiple": [str(restriction.port)]}
    return {**fields, "destinationPortType": "port-list"}


# What a rule has that lacks a field (source: replies captured from a manager).
_UNSET = {"scheduleID": 0, "contextID": 0, "anyFlags": True}


def _rule_differs(
    fields: dict[str, t.Any], references: dict[str, tuple[Kind, str]]
) -> t.Callable[[dict, dict[tuple[Kind, str], int]], dict]:
    def differences(current: dict, ids: dict[tuple[Kind, str], int]) -> dict:
        wanted = {**fields, **{key: ids.get(reference) for key, reference in references.items()}}
        return {key: value for key, value in wanted.items() if _rule_field(current, key) != _comparable(value)}

    return differences


def _rule_field(rule: dict, key: str) -> t.Any:
    value = rule.get(key)
    if value is None:
        value = _UNSET.get(key, False if key.endswith("Not") else None)
    return _comparable(value)


def _comparable(value: t.Any) -> t.Any:
    return frozenset(str(item).replace(" ", "") for item in value) if isinstance(value, list) else value


def _items_differ(
    wanted: list[str], parse: t.Callable[[str], t.Any]
) -> t.Callable[[dict, dict[tuple[Kind, str], int]], dict]:
    def differences(current: dict, ids: dict[tuple[Kind, str], int]) -> dict:
        items = current.get("items")
        same = isinstance(items, list) and normalized(items, parse) == normalized(wanted, parse)
        return {} if same else {"items": wanted}

    return differences


def _object_change(
    kind: Kind,
    name: str,
    existing: dict | None,
    differences: t.Callable[[dict, dict[tuple[Kind, str], int]], dict],
    ids: dict[tuple[Kind, str], int],
    references: dict[str, tuple[Kind, str]] | None = None,
) -> ObjectChange | None:
    fields = differences(existing or {}, ids)
    if existing and not fields:
        return None
    # Shown by name: a list that is yet to be made has no ID.
    named = {key: f"{kind.noun} '{name}'" for key, (kind, name) in (references or {}).items() if key in fields}
    return ObjectChange(
        kind,
        name,
        existing,
        {key: existing.get(key) for key in fields} if existing else None,
        {**fields, **named},
        f"{', '.join(sorted(fields))} differ{'s' if len(fields) == 1 else ''}" if existing else "it does not exist",
        differences,
        {"name": name, "description": f"{MARK}: who may connect to the agents' port"},
        frozenset((references or {}).values()),
    )


def _deletion(kind: Kind, existing: dict, why: str) -> ObjectChange:
    return ObjectChange(kind, str(existing["name"]), existing, existing, None, why, lambda current, ids: {})


def find_named(known: dict[int, dict], name: str) -> dict | None:
    """The object of that name, or none; raises C(Refused) where several share it."""
    found = [item for item in known.values() if item.get("name") == name]
    if len(found) > 1:
        raise Refused(f"the name '{name}' is used by several objects: IDs {', '.join(str(i['ID']) for i in found)}")
    return found[0] if found else None


def _is_ours(item: dict) -> bool:
    return str(item.get("description") or "").startswith(MARK)
