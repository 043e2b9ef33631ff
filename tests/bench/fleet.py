# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on a lab's manager, and the document that declares how it communicates."""

from __future__ import annotations

import typing as t

from tests.lab.manager.process import LabManager

MODULE = "workload_security.agent.communication_profile"
RULE = "Agent port: named sources only"

HEARTBEAT = {
    "interval": 5,
    "missed_before_alert": 3,
    "maximum_clock_change": 30,
    "raise_offline_errors_for_inactive_vms": True,
}
RESTRICTION = {"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.10"]}

# Agents on macOS only accept the direction agent_initiated. The seeded fleet has a branch of policies for them.
MACS = "[?starts_with(platform, 'macOS')]"
SERVERS = "[?!starts_with(platform, 'macOS')]"

# Values that somebody sets by hand. Every setting differs from the declared one.
BY_HAND = {
    "platformSettingHeartbeatInterval": {"value": "60 Minutes"},
    "platformSettingHeartbeatMissedAlertThreshold": {"value": "5"},
    "platformSettingHeartbeatInactiveVmOfflineAlertEnabled": {"value": "false"},
    "platformSettingHeartbeatLocalTimeShiftAlertThreshold": {"value": "Unlimited"},
    "platformSettingAgentCommunicationsDirection": {"value": "Agent/Appliance Initiated"},
}


class DeclaredFleet:
    """All policies, by name, and all computers, by query, with all facets declared for each of them.

    Settings may be inherited from a policy. C(inherited_rule): whether the firewall rule may be inherited, too. If not,
    it must be assigned directly to each target.
    """

    def __init__(self, lab: LabManager, *, inherited_rule: bool = True) -> None:
        self.lab = lab
        self.inherited_rule = inherited_rule
        names = [
            policy["name"] for policy in lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"]
        ]
        self.macs = [name for name in names if name.startswith("macOS")]
        self.servers = [name for name in names if not name.startswith("macOS")]

    def facets(self, direction: str) -> dict[str, dict[str, t.Any]]:
        """The options of each facet."""
        return {
            "heartbeat": {**HEARTBEAT, "accept_inherited": True},
            "communication_direction": {"direction": direction, "accept_inherited": True},
            "firewall_restriction": {**RESTRICTION, "accept_inherited": self.inherited_rule},
        }

    def profiles(self, *facets: str, computers: bool = True) -> list[dict[str, t.Any]]:
        """The document with the given facets, by default all three, and with or without the computers."""
        branches = (
            ("servers", self.servers, SERVERS, "bidirectional"),
            ("macs", self.macs, MACS, "agent_initiated"),
        )
        return [
            {
                "name": name,
                "policies": policies,
                **({"computers_query": query} if computers else {}),
                **{facet: one for facet, one in self.facets(direction).items() if not facets or facet in facets},
            }
            for name, policies, query, direction in branches
        ]

    def profiles_of_overrides(self) -> list[dict[str, t.Any]]:
        """The document with everything set directly on each target, so that all of them change in all facets."""
        profiles = self.profiles()
        for profile in profiles:
            for facet in self.facets("bidirectional"):
                profile[facet] = {**profile[facet], "accept_inherited": False}
        return profiles

    def task(self, *facets: str, computers: bool = True) -> dict[str, t.Any]:
        """The document as a task."""
        return {MODULE: {"profiles": self.profiles(*facets, computers=computers)}}

    def some_servers(self, number: int) -> list[int]:
        """IDs of C(number) computers without macOS, spread over the first 5,000 computers."""
        found = self.lab.api("POST", "/computers/search", {"maxItems": 5000}, {"expand": "none"})["computers"]
        servers = [item["ID"] for item in found if not item["platform"].startswith("macOS")]
        return servers[:: max(len(servers) // number, 1)][:number] if number else []
