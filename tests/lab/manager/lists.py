# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP, MAC and port lists: named lists of items. The console shows each item as one line."""

from __future__ import annotations

import typing as t

from tests.lab.manager.items import bare, normal_ip, normal_mac, normal_ports, spell_mac
from tests.lab.manager.message import ApiError, Call, text
from tests.lab.manager.resources import PlainResource
from tests.lab.manager.search import Field
from tests.lab.manager.state import Table


class ListResource(PlainResource):
    """A kind of list."""

    properties = frozenset({"ID", "name", "description", "items"})
    fields = {
        "name": Field("string", lambda item: item["name"]),
        "description": Field("string", lambda item: item["description"]),
    }
    # The properties of rules that may contain the ID of such a list.
    rule_keys: t.ClassVar[tuple[str, str]]

    def normal(self, item: str) -> str:
        """An item in its shortest wording; raises C(ValueError)."""
        raise NotImplementedError

    def shown(self, item: dict[str, t.Any]) -> dict[str, t.Any]:
        """A list with its items in the form that the switches ask for."""
        items = item["items"]
        if self.switches["list_items"] == "reordered":
            items = sorted(items, reverse=items == sorted(items))
        elif self.switches["list_items"] == "normalized":
            items = list(dict.fromkeys(self.normal(bare(entry)) for entry in items if bare(entry)))
        return {**item, "items": items}

    def create(self, call: Call, written: dict[str, t.Any]) -> dict[str, t.Any]:
        """Add a new list."""
        self._check_name(written, required=True)
        number = self.table.next_id
        return self.table.add(
            number, self._checked({"name": "", "description": "", "items": []}, written) | {"ID": number}
        )

    def modify(self, call: Call, item: dict[str, t.Any], written: dict[str, t.Any]) -> None:
        """Change a list. If the write has items, they replace the old ones."""
        self._check_name(written, item["ID"])
        item.update(self._checked(item, written))

    def _checked(self, item: dict[str, t.Any], written: dict[str, t.Any]) -> dict[str, t.Any]:
        items = written.get("items", item["items"])
        if not isinstance(items, list) or not all(isinstance(entry, str) for entry in items):
            raise ApiError(400, "Invalid value for items: must be a list of strings")
        for entry in items:
            try:
                if bare(entry):
                    self.normal(bare(entry))
            except ValueError:
                raise ApiError(400, f"Invalid value for items: {entry}") from None
        return {
            "name": text(written, "name", item["name"]),
            "description": text(written, "description", item["description"]),
            "items": list(items),
        }

    def remove(self, item: dict[str, t.Any]) -> None:
        """Delete a list that no rule uses, or also remove it from rules that use it."""
        if self.switches["delete_in_use"] == "rejected":
            self._depended_on(item["ID"], self.state.user_of_list(self.rule_keys, item["ID"]))
        self.state.forget_list(self.rule_keys, item["ID"])
        self.table.remove(item["ID"])


class IpLists(ListResource):
    """Lists of IP addresses, prefixes and ranges."""

    noun = "IP list"
    plural = "IP lists"
    envelope = "ipLists"
    rule_keys = ("sourceIPListID", "destinationIPListID")
    normal = staticmethod(normal_ip)

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the lists."""
        return self.state.ip_lists


class MacLists(ListResource):
    """Lists of MAC addresses."""

    noun = "MAC list"
    plural = "MAC lists"
    envelope = "macLists"
    rule_keys = ("sourceMACListID", "destinationMACListID")
    normal = staticmethod(normal_mac)

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the lists."""
        return self.state.mac_lists

    def shown(self, item: dict[str, t.Any]) -> dict[str, t.Any]:
        """A list with its items in the form that the switches ask for."""
        shown = super().shown(item)
        return {**shown, "items": [spell_mac(entry, self.switches) for entry in shown["items"]]}


class PortLists(ListResource):
    """Lists of ports and ranges of ports."""

    noun = "port list"
    plural = "port lists"
    envelope = "portLists"
    rule_keys = ("sourcePortListID", "destinationPortListID")
    normal = staticmethod(normal_ports)

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the lists."""
        return self.state.port_lists
