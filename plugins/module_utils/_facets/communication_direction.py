# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Communication direction: whether agents connect to the manager, the manager to agents, or both."""

from __future__ import annotations

import typing as t

from .._basis.text import enumerated
from .._fleet.catalogue import AGENT_INITIATED, COMMUNICATION_DIRECTION, DIRECTIONS, INHERITED
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._vendor.deployment import CLOUD
from .facet import Scope, SettingsFacet, WantedSettings


class CommunicationDirection(SettingsFacet):
    """macOS agents only initiate (source: the vendor's page): what would ask anything else of them is refused."""

    name = "communication_direction"
    options = {COMMUNICATION_DIRECTION: "direction"}
    arguments = {
        "direction": {"type": "str", "required": True, "choices": [*DIRECTIONS, INHERITED]},
        "accept_inherited": {"type": "bool", "default": False},
    }

    def wish(self, options: dict, scope: Scope) -> WantedSettings:
        direction = str(options.get("direction"))
        if direction not in (*DIRECTIONS, INHERITED):
            raise scope.error("direction", direction, f"one of {', '.join((*DIRECTIONS, INHERITED))}")
        return self.wanted({COMMUNICATION_DIRECTION: direction}, bool(options.get("accept_inherited")))

    def guard(
        self, fleet: Fleet, wishes: dict[Target, WantedSettings], changing: t.Container[Target]
    ) -> dict[Target, str]:
        risky = [
            target
            for target, wish in wishes.items()
            if wish.values[COMMUNICATION_DIRECTION] != AGENT_INITIATED
            and (wish.values[COMMUNICATION_DIRECTION] != INHERITED or target in changing)
            and (not isinstance(target, Computer) or target.is_macos)
            and fleet.effective(target, COMMUNICATION_DIRECTION)[0] not in (AGENT_INITIATED, None)
        ]
        reached = _macs_by_policy(fleet, {target.id for target in risky if isinstance(target, Policy)})
        refused = {}
        for target in risky:
            direction = fleet.effective(target, COMMUNICATION_DIRECTION)[0]
            macs = [target] if isinstance(target, Computer) else reached.get(target.id, [])
            if macs:
                refused[target] = (
                    f"agents on macOS only take {AGENT_INITIATED}; {direction} would reach"
                    f" {enumerated([mac.label for mac in macs])}. Give {'it' if len(macs) == 1 else 'them'}"
                    f" {AGENT_INITIATED}, by an override or by a policy, or leave this target out"
                )
        return refused

    def warnings(self, fleet: Fleet, wishes: dict[Target, WantedSettings], deployment: str) -> list[str]:
        if deployment != CLOUD:
            return []
        leaving = [
            target.label
            for target, wish in wishes.items()
            if wish.values[COMMUNICATION_DIRECTION] not in (AGENT_INITIATED, INHERITED)
        ]
        if not leaving:
            return []
        return [
            f"On the cloud the vendor strongly recommends to keep {AGENT_INITIATED}; this task declares another"
            f" direction for {enumerated(leaving)}"
        ]


def _macs_by_policy(fleet: Fleet, policy_ids: set[int]) -> dict[int, list[Computer]]:
    """The macOS computers whose direction each of these policies decides, with what is planned taken as done."""
    reached: dict[int, list[Computer]] = {}
    if not policy_ids:
        return reached
    below = [
        computer
        for computer in fleet.list_computers()
        if computer.is_macos and any(policy.id in policy_ids for policy in fleet.lineage(computer))
    ]
    fleet.read_overrides(below)
    for computer in below:
        for step in (computer, *fleet.lineage(computer)):
            if isinstance(step, Policy) and step.id in policy_ids:
                reached.setdefault(step.id, []).append(computer)
            if fleet.override(step, COMMUNICATION_DIRECTION) is not None:
                break
    return reached
