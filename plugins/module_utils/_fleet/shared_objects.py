# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall rules and lists, which targets share: how they differ from the wanted ones, whatever their spelling."""

from __future__ import annotations

import typing as t

from .._basis.addresses import ip_span, mac, normalized
from .._manager.kinds import IP_LIST, MAC_LIST, Item, Kind

MARK = "Managed by workload_security.agent"

Fields = t.Mapping[str, t.Any]
# IDs of rules and lists by type and name.
Ids = t.Mapping[t.Tuple[str, str], int]

# The values of fields that a rule lacks (source: replies captured from a manager).
_UNSET = {"scheduleID": 0, "contextID": 0, "anyFlags": True}


class SharedObjects(t.Protocol):
    """The rules and lists of a manager, by ID: those of a C(Fleet), or as a plan will leave them."""

    @property
    def rules(self) -> dict[int, Item]:
        """Every firewall rule."""

    def port_list(self, list_id: int) -> Item | None:
        """The port list with that ID, or none."""

    def objects(self, kind: Kind) -> dict[int, Item]:
        """Every rule or list of one kind."""


def reference(type_of_list: str, name: str, list_id: int | None) -> dict[str, t.Any]:
    """A reference to a list in a rule's wanted fields. C(list_id) is C(None) if the list does not exist yet."""
    return {"type": type_of_list, "name": name, "id": list_id}


def resolved(value: t.Any, ids: Ids) -> t.Any:
    """A wanted value in the manager's form: a reference becomes the ID."""
    return ids.get((value["type"], value["name"]), value["id"]) if isinstance(value, dict) else value


def new_object(name: str, fields: Fields) -> dict[str, t.Any]:
    """The body that creates a rule or list. Its description tells later runs that they may delete it."""
    return {"name": name, "description": f"{MARK}: who may connect to the agents' port", **fields}


def is_ours(item: Fields) -> bool:
    """Whether a rule or list was created by this collection."""
    return str(item.get("description") or "").startswith(MARK)


def differences(kind: Kind, current: Fields, wanted: Fields, ids: Ids) -> dict[str, t.Any]:
    """The fields to send so that C(current) becomes C(wanted); empty if nothing differs."""
    fields = {key: resolved(value, ids) for key, value in wanted.items()}
    if kind in (IP_LIST, MAC_LIST):
        return {} if _same_items(kind, current.get("items"), fields["items"]) else fields
    return {key: value for key, value in fields.items() if _rule_field(current, key) != _comparable(value)}


def _same_items(kind: Kind, items: t.Any, wanted: list[str]) -> bool:
    parse: t.Callable[[str], t.Any] = ip_span if kind is IP_LIST else mac
    return isinstance(items, list) and normalized(items, parse) == normalized(wanted, parse)


def _rule_field(rule: Fields, key: str) -> t.Any:
    value = rule.get(key)
    if value is None:
        value = _UNSET.get(key, False if key.endswith("Not") else None)
    return _comparable(value)


def _comparable(value: t.Any) -> t.Any:
    return frozenset(str(item).replace(" ", "") for item in value) if isinstance(value, list) else value
