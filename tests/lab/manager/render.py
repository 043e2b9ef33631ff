# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and computers as the manager shows them. Parts are encoded once, and combined for each page."""

from __future__ import annotations

import typing as t

import orjson

from tests.lab.manager import heartbeats, sending, settings
from tests.lab.manager.message import ApiError
from tests.lab.manager.state import Computer, Policy, State
from tests.lab.manager.switches import Switches

# The modules other than the firewall. They are always off here.
OTHER_MODULES = (
    "antiMalware",
    "webReputation",
    "activityMonitoring",
    "intrusionPrevention",
    "integrityMonitoring",
    "logInspection",
    "applicationControl",
    "SAP",
)
MODULES = ("firewall", *OTHER_MODULES)
PARTS = ("computerStatus", "tasks", "computerSettings", "interfaces", *MODULES)

_SUMMARIES = (
    "azureARMVirtualMachineSummary",
    "azureVMVirtualMachineSummary",
    "ec2VirtualMachineSummary",
    "noConnectorVirtualMachineSummary",
    "vmwareVMVirtualMachineSummary",
    "vcloudVMVirtualMachineSummary",
    "workspaceVirtualMachineSummary",
    "gcpVirtualMachineSummary",
)
# All values of C(expand) in the vendor's SDK. Parts that a physical computer does not have expand to nothing.
_EXPANSIONS: dict[str, tuple[str, ...]] = {
    **{name: () for name in ("none", "securityUpdates", "ESXSummary", "allVirtualMachineSummaries", *_SUMMARIES)},
    **{name: (name,) for name in PARTS},
    "allSecurityModules": MODULES,
    "all": PARTS,
}

_BASIC_KEYS = ("hostName", "displayName", "description", "lastIPUsed", "platform", "groupID", "policyID", "relayListID")
_SPELLED = (settings.HEARTBEAT_INTERVAL, settings.CLOCK_CHANGE, settings.DIRECTION)
_STATEFUL_CONFIGURATION_ID = 1

Parts = tuple[str, ...]


def parts_of(expand: list[str]) -> Parts:
    """The parts that C(expand) asks for, all parts if it is left out; raises C(ApiError)."""
    wanted: set[str] = set()
    for name in expand or ["all"]:
        if name not in _EXPANSIONS:
            raise ApiError(400, f"Invalid value for query parameter expand: {name}")
        wanted.update(_EXPANSIONS[name])
    return tuple(part for part in PARTS if part in wanted)


class Renderer:
    """Turns objects into the form that replies have."""

    def __init__(self, state: State, switches: Switches) -> None:
        self.state = state
        self.switches = switches

    def wire(self, values: dict[str, str]) -> dict[str, dict[str, str]]:
        """Settings as they are sent, in the wording that the switches ask for."""
        shown = {name: {"value": value} for name, value in values.items()}
        for name in _SPELLED:
            if name in shown:
                shown[name] = {"value": settings.spell(name, values[name], self.switches)}
        return shown

    # -- policies

    def policy(self, policy: Policy, overrides: bool) -> dict[str, t.Any]:
        """A policy: with C(overrides) the values that it sets itself, otherwise the effective values."""
        shown: dict[str, t.Any] = {"name": policy.name, "description": policy.description, "ID": policy.id}
        if policy.parent_id:
            shown["parentID"] = policy.parent_id
        shown["recommendationScanMode"] = policy.recommendation_scan_mode
        shown["autoRequiresUpdate"] = policy.auto_requires_update
        if overrides:
            shown = self._beside_overrides(shown, "parentID")
            shown["policySettings"] = self.wire(policy.settings)
            shown["firewall"] = self._own_firewall(policy, policy.id)
            return shown
        shown["policySettings"] = self._policy_settings(policy.id)
        state = self.state.effective_firewall_state(policy.id)
        rule_ids = sorted(self.state.effective_rules(policy.id))
        status = {"status": "active", "statusMessage": f"On, {len(rule_ids)} rules"}
        shown["firewall"] = {
            "state": state,
            "moduleStatus": status if state == "on" else {"status": "inactive", "statusMessage": "Off"},
            "globalStatefulConfigurationID": _STATEFUL_CONFIGURATION_ID,
            "ruleIDs": rule_ids,
        }
        for module in OTHER_MODULES:
            shown[module] = {"state": "off", "moduleStatus": {"status": "inactive", "statusMessage": "Off"}}
        return shown

    def _policy_settings(self, policy_id: int) -> orjson.Fragment:
        key = ("encoded settings", policy_id)
        if key not in self.state.derived:
            encoded = orjson.dumps(self.wire(self.state.effective_settings(policy_id)))
            self.state.derived[key] = orjson.Fragment(encoded)
        return self.state.derived[key]

    def _own_firewall(self, target: Policy | Computer, policy_id: int) -> dict[str, t.Any]:
        shown: dict[str, t.Any] = {}
        if target.firewall_state:
            shown["state"] = target.firewall_state
        listed = self.switches["rule_ids_with_overrides"]
        if listed == "direct":
            shown["ruleIDs"] = list(target.rule_ids)
        elif listed == "effective":
            shown["ruleIDs"] = sorted(self.state.effective_rules(policy_id).union(target.rule_ids))
        return shown

    def _beside_overrides(self, basic: dict[str, t.Any], above: str) -> dict[str, t.Any]:
        """The basic properties of an object in a reply with overrides. C(above) is the key of the parent's ID."""
        match self.switches["override_replies"]:
            case "id_only":
                return {"ID": basic["ID"]}
            case "null_properties":
                return {**dict.fromkeys([*basic, above]), "ID": basic["ID"]}
            case "without_parent":
                return {name: value for name, value in basic.items() if name not in (above, "groupID")}
        return basic

    # -- computers

    def computers(self, computers: t.Iterable[Computer], parts: Parts, overrides: bool) -> list[bytes]:
        """Computers of a list, each encoded."""
        if not overrides:
            if not parts:
                return [computer.basic or self._basic(computer) for computer in computers]
            return [self._effective(computer, parts) for computer in computers]
        absent = self.switches["computer_without_overrides"]
        null = self._null(parts)
        encoded = []
        for computer in computers:
            if self._has_overrides(computer):
                encoded.append(self._own(computer, parts))
            elif absent == "null_object":
                encoded.append(null)
            elif absent == "id_only":
                encoded.append(b'{"ID":%d}' % computer.id)
        return encoded

    def computer(self, computer: Computer, parts: Parts, overrides: bool) -> bytes:
        """One computer, encoded. If a list would omit it, because it has no overrides, only its ID is left."""
        found = self.computers([computer], parts, overrides)
        return found[0] if found else b'{"ID":%d}' % computer.id

    def _has_overrides(self, computer: Computer) -> bool:
        if computer.settings or computer.firewall_state:
            return True
        listed = self.switches["rule_ids_with_overrides"]
        if listed == "absent":
            return False
        return bool(computer.rule_ids or (listed == "effective" and self.state.effective_rules(computer.policy_id)))

    def _null(self, parts: Parts) -> bytes:
        return orjson.dumps(dict.fromkeys((*_BASIC_KEYS, "agentVersion", "hostGUID", "ID", *parts)))

    def _basic(self, computer: Computer) -> bytes:
        shown: dict[str, t.Any] = {
            "hostName": computer.host_name,
            "displayName": computer.display_name,
            "description": computer.description,
            "lastIPUsed": computer.last_ip_used,
            "platform": computer.platform,
            "groupID": computer.group_id,
            "relayListID": computer.relay_list_id,
            "agentVersion": computer.agent_version,
            "hostGUID": computer.host_guid,
            "ID": computer.id,
        }
        if computer.policy_id or self.switches["no_policy_id"] == "zero":
            shown["policyID"] = computer.policy_id
        if computer.has_agent:
            shown["agentFingerPrint"] = computer.agent_finger_print
            shown.update(self._dates(computer))
        computer.basic = orjson.dumps(shown)
        return computer.basic

    def _dates(self, computer: Computer) -> dict[str, int | None]:
        """When the agent last communicated, when its policy was last requested, and when it last accepted it."""
        dates = {
            "lastAgentCommunication": computer.last_agent_communication,
            "lastSendPolicyRequest": computer.last_send_policy_request,
            "lastSendPolicySuccess": computer.last_send_policy_success,
        }
        if self.switches["date_unit"] == "seconds":
            dates = {name: date and date // 1000 for name, date in dates.items()}
        if self.switches["no_date"] == "null":
            return dates
        return {name: date for name, date in dates.items() if date is not None}

    def _own(self, computer: Computer, parts: Parts) -> bytes:
        shown: dict[str, t.Any] = {}
        if "computerSettings" in parts:
            shown["computerSettings"] = self.wire(computer.settings)
        if "firewall" in parts:
            shown["firewall"] = self._own_firewall(computer, computer.policy_id)
        basic = computer.basic or self._basic(computer)
        if self.switches["override_replies"] != "whole":
            basic = orjson.dumps(self._beside_overrides(orjson.loads(basic), "policyID"))
        return self._extended(basic, orjson.dumps(shown)[1:])

    def _effective(self, computer: Computer, parts: Parts) -> bytes:
        return self._extended(computer.basic or self._basic(computer), self._tail(computer, parts))

    @staticmethod
    def _extended(basic: bytes, tail: bytes) -> bytes:
        return basic if tail == b"}" else basic[:-1] + b"," + tail

    def _tail(self, computer: Computer, parts: Parts) -> bytes:
        """The expanded parts with the closing brace, the same for all computers without overrides under a policy."""
        own = computer.settings or computer.firewall_state or computer.rule_ids or computer.pending or computer.errors
        if own or computer.id in self.state.agents:
            return orjson.dumps({part: self._part(computer, part) for part in parts})[1:]
        key = ("encoded parts", computer.policy_id, computer.has_agent, parts)
        derived = self.state.derived
        if key not in derived:
            derived[key] = orjson.dumps({part: self._part(computer, part) for part in parts})[1:]
        return derived[key]

    def _part(self, computer: Computer, part: str) -> t.Any:
        if part == "computerSettings":
            if not computer.settings:
                return self._policy_settings(computer.policy_id)
            return self.wire(self.state.effective_settings(computer.policy_id) | computer.settings)
        if part == "firewall":
            return self._effective_firewall(computer)
        agent = self.state.agents.get(computer.id)
        if part == "computerStatus":
            if agent:
                return heartbeats.status_of(agent)
            return sending.status_of(computer)
        if part == "tasks":
            if agent:
                return heartbeats.tasks_of(self.state, agent, self.switches)
            return sending.tasks_of(self.state, computer)
        if part == "interfaces":
            return {"interfaces": []}
        return {"state": "off", "moduleStatus": _module_status(computer, "off", "Off")}

    def _effective_firewall(self, computer: Computer) -> dict[str, t.Any]:
        state = computer.firewall_state or self.state.effective_firewall_state(computer.policy_id)
        rule_ids = sorted(self.state.effective_rules(computer.policy_id).union(computer.rule_ids))
        message = f"On, {len(rule_ids)} rules" if state == "on" else "Off"
        return {
            "state": state,
            "moduleStatus": _module_status(computer, state, message),
            "globalStatefulConfigurationID": _STATEFUL_CONFIGURATION_ID,
            "ruleIDs": rule_ids,
        }


def _module_status(computer: Computer, state: str, message: str) -> dict[str, str]:
    if not computer.has_agent:
        return {"agentStatus": "inactive", "agentStatusMessage": "Not Activated"}
    return {"agentStatus": "active" if state == "on" else "inactive", "agentStatusMessage": message}
