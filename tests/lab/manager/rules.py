# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall rules, without the overrides of policies and computers."""

from __future__ import annotations

import typing as t

from tests.lab.manager.message import Call
from tests.lab.manager.resources import PlainResource
from tests.lab.manager.rule_fields import CHOICES, END_PREFIXES, FLAGS, PROPERTIES, checked, shown_rule
from tests.lab.manager.search import Field
from tests.lab.manager.state import Table


class FirewallRules(PlainResource):
    """Firewall rules."""

    noun = "firewall rule"
    plural = "firewall rules"
    envelope = "firewallRules"
    properties = PROPERTIES
    fields = {
        **{key: Field("string", lambda rule, key=key: rule[key]) for key in ("name", "description")},
        **{key: Field("choice", lambda rule, key=key: rule[key]) for key in CHOICES},
        **{
            f"{prefix}Type": Field("choice", lambda rule, key=f"{prefix}Type": rule[key])
            for prefix, _kind in END_PREFIXES
        },
        **{
            f"{prefix}ListID": Field("numeric", lambda rule, key=f"{prefix}ListID": rule.get(key))
            for prefix, _kind in END_PREFIXES
        },
        **{key: Field("boolean", lambda rule, key=key: rule[key]) for key in (*FLAGS, "anyFlags")},
    }

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the rules."""
        return self.state.rules

    def shown(self, item: dict[str, t.Any]) -> dict[str, t.Any]:
        """A rule as replies show it."""
        return shown_rule(item, self.switches)

    def create(self, call: Call, written: dict[str, t.Any]) -> dict[str, t.Any]:
        """Add a new rule."""
        self._check_name(written, required=True)
        rule = checked({}, written, self.state, self.switches) | {"ID": self.table.next_id}
        return self.table.add(rule["ID"], rule)

    def modify(self, call: Call, item: dict[str, t.Any], written: dict[str, t.Any]) -> None:
        """Change a rule."""
        self._check_name(written, item["ID"])
        rule = checked(item, written, self.state, self.switches) | {"ID": item["ID"]}
        item.clear()
        item.update(rule)

    def remove(self, item: dict[str, t.Any]) -> None:
        """Delete a rule that is not assigned, or also remove its assignments."""
        if self.switches["delete_in_use"] == "rejected":
            self._depended_on(item["ID"], self.state.user_of_rule(item["ID"]))
        self.state.forget_rule(item["ID"])
