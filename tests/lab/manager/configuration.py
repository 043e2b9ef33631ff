# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration for an agent: the effective settings, and the firewall rules with all that they refer to."""

from __future__ import annotations

import hashlib
import json
import typing as t

from tests.lab.manager import settings
from tests.lab.manager.rule_fields import rule_at
from tests.lab.manager.state import Agent, Computer, State
from tests.lab.manager.switches import Switches

# Conditions for replacing the hidden rule on which the vendor's pages disagree, by the agent's words for them.
_CONDITIONS = {
    "force_allow": "force_allow_replaces_hidden_rule",
    "port_list": "port_list_replaces_hidden_rule",
    "several_ports": "several_ports_replace_hidden_rule",
}


def configuration_of(state: State, computer: Computer, switches: Switches) -> dict[str, t.Any]:
    """The configuration of a computer's agent."""
    return {"settings": effective_settings(state, computer), "firewall": _firewall(state, computer, switches)}


def wants_update(state: State, agent: Agent, switches: Switches) -> bool:
    """Whether to send an agent its configuration: if it differs from the agent's, or if that was requested."""
    if agent.send_requested:
        return True
    computer = state.computers.items[agent.computer_id]
    policy = state.policies.get(computer.policy_id)
    if policy is not None and policy.auto_requires_update == "off":
        return False
    return fingerprint_of(configuration_of(state, computer, switches)) != agent.fingerprint


def effective_settings(state: State, computer: Computer) -> dict[str, str]:
    """The effective settings of a computer."""
    values = state.effective_settings(computer.policy_id) | computer.settings
    if state.deployment == settings.CLOUD:
        values |= {name: settings.SETTINGS[name].default for name in settings.FIXED_ON_CLOUD}
    return values


def fingerprint_of(configuration: dict[str, t.Any]) -> str:
    """The same fingerprint as the agent's: SHA-256 of the configuration's JSON, with sorted keys."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


def _firewall(state: State, computer: Computer, switches: Switches) -> dict[str, t.Any]:
    enabled = computer.firewall_state or state.effective_firewall_state(computer.policy_id)
    if enabled != "on":
        return {"state": "off"}
    rule_ids = state.effective_rules(computer.policy_id).union(computer.rule_ids)
    return {
        "state": "on",
        "rules": [
            _whole(state, rule_at(state, rule_id, computer.policy_id, computer.rule_overrides.get(rule_id)))
            for rule_id in sorted(rule_ids)
        ],
        "conditions": {word: switches[name] for word, name in _CONDITIONS.items()},
    }


def _whole(state: State, rule: dict[str, t.Any]) -> dict[str, t.Any]:
    """A rule, with the items of its lists."""
    tables = {"IP": state.ip_lists, "MAC": state.mac_lists, "Port": state.port_lists}
    items = {
        f"{side}{kind}ListItems": tables[kind].items[rule[f"{side}{kind}ListID"]]["items"]
        for side in ("source", "destination")
        for kind in tables
        if f"{side}{kind}ListID" in rule
    }
    return {**rule, **items}
