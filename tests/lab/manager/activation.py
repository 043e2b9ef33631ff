# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Activation from the agent: which agents the manager accepts, and as which computer."""

from __future__ import annotations

import ipaddress
import secrets
import typing as t
import uuid

from tests.lab.manager import settings
from tests.lab.manager.state import Agent, Computer, State

Parameters = t.Mapping[str, str]


class Refused(Exception):
    """The manager does not accept the agent. The text is for the agent."""


def activate(
    state: State, about: dict[str, str], parameters: Parameters, address: str, tenant: t.Mapping[str, str]
) -> Agent:
    """Accept an agent as a new or existing computer. Raises C(Refused), and then changes nothing.

    C(about): what the agent says about itself. C(parameters): those of C(dsa_control -a), keys in lower case.
    """
    _admit(state, parameters, address, tenant)
    named = state.system_settings[settings.ACTIVATION_HOST_NAME] == "true"
    host_name = (parameters.get("hostname") or about["hostName"]) if named else address
    computer = _existing(state, host_name)
    if computer is None and state.system_settings[settings.ACTIVATION_ENABLED] == settings.FOR_EXISTING_COMPUTERS:
        raise Refused(f"Agent-initiated activation is only allowed for existing computers: {host_name} is none")
    policy_id = _policy(state, parameters)
    group_id = _group(state, parameters)
    if computer is None:
        computer = Computer(state.computers.next_id, host_name)
        state.computers.add(computer.id, computer)
        state.computer_names_changed()
    computer.policy_id = policy_id or computer.policy_id
    computer.group_id = group_id or computer.group_id
    computer.relay_list_id = _number(parameters.get("relaygroupid", "")) or computer.relay_list_id
    computer.display_name = parameters.get("displayname", computer.display_name)
    computer.description = parameters.get("description", computer.description)
    computer.platform, computer.agent_version = about["platform"], about["version"]
    computer.host_guid = str(uuid.uuid4()).upper()
    computer.agent_finger_print = ":".join(about["certificate"][i : i + 2] for i in range(0, 40, 2)).upper()
    agent = Agent(
        computer.id,
        computer.host_guid,
        secrets.token_urlsafe(),
        about["certificate"],
        about["machine"],
        address,
    )
    state.agents[computer.id] = agent
    return agent


def may_return(state: State, about: dict[str, str]) -> bool:
    """Whether an unknown agent, or a clone of a known one, is accepted automatically."""
    cloned = any(agent.guid == about["guid"] for agent in state.agents.values())
    return state.system_settings[settings.REACTIVATE_CLONED if cloned else settings.REACTIVATE_UNKNOWN] == "true"


def _admit(state: State, parameters: Parameters, address: str, tenant: t.Mapping[str, str]) -> None:
    for name, value in tenant.items():
        if parameters.get(name.lower()) != value:
            raise Refused(f"Invalid {name}")
    token = state.system_settings[settings.ACTIVATION_TOKEN]
    if token and parameters.get("token") != token:
        raise Refused("Invalid token")
    allowed = state.system_settings[settings.ACTIVATION_ENABLED]
    if allowed == settings.FOR_COMPUTERS_ON_IP_LIST:
        found = state.ip_lists.get(_number(state.system_settings[settings.ACTIVATION_IP_LIST_ID]))
        if found is None or not any(_holds(item, address) for item in found["items"]):
            raise Refused(f"Agent-initiated activation is not allowed for {address}: it is not on the IP list")
    elif allowed == settings.NOT_ALLOWED:
        raise Refused("Agent-initiated activation is not allowed")


def _holds(item: str, address: str) -> bool:
    """Whether an item of an IP list contains an address."""
    text = item.split("#", 1)[0].replace(" ", "")
    if not text:
        return False
    first, dash, last = text.partition("-")
    found = ipaddress.ip_address(address)
    if not dash:
        return found in ipaddress.ip_network(text, strict=False)
    ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
    return found.version == ends[0].version and int(ends[0]) <= int(found) <= int(ends[1])


def _existing(state: State, host_name: str) -> Computer | None:
    """The existing computer with that name that the agent becomes, if any. Raises C(Refused) if that is not allowed."""
    computers = [state.computers.items[number] for number in state.computers_named("host_name", host_name)]
    waiting = [computer for computer in computers if not computer.has_agent]
    if waiting or not computers:
        return waiting[0] if waiting else None
    mode = state.system_settings[settings.ACTIVATION_DUPLICATE_MODE]
    if mode == settings.REACTIVATE_EXISTING:
        return computers[0]
    if mode == settings.ACTIVATE_NEW:
        return None
    raise Refused(f"A computer with the name {host_name} already exists")


def _policy(state: State, parameters: Parameters) -> int:
    """The ID of the policy that the agent asks for, otherwise of the policy for new agents, otherwise 0."""
    if "policyid" in parameters:
        number = _number(parameters["policyid"])
        if state.policies.get(number) is None:
            raise Refused(f"Policy {parameters['policyid']} does not exist")
        return number
    if "policy" in parameters:
        for policy in state.policies:
            if policy.name == parameters["policy"]:
                return policy.id
        raise Refused(f"Policy {parameters['policy']} does not exist")
    default = _number(state.system_settings[settings.ACTIVATION_POLICY_ID])
    return default if state.policies.get(default) else 0


def _group(state: State, parameters: Parameters) -> int:
    """The ID of the group that the agent asks for, 0 if it asks for none."""
    if "groupid" in parameters:
        number = _number(parameters["groupid"])
        if state.groups.get(number) is None:
            raise Refused(f"Group {parameters['groupid']} does not exist")
        return number
    if "group" in parameters:
        for group in state.groups:
            if group["name"] == parameters["group"]:
                return group["ID"]
        raise Refused(f"Group {parameters['group']} does not exist")
    return 0


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
