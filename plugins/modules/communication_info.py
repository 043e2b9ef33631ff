#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_info
short_description: Show how policies and computers communicate with the manager
version_added: 1.0.0
description:
  - For each target and facet, shows what is set on the target itself, what is effective, and which policy it is
    inherited from. Each target comes with its policy, its group, its platform and its last communication.
  - For the firewall restriction, shows every assigned rule that concerns the agents' port, whether it replaces the
    hidden rule that opens the port to everybody, and if not, which of the vendor's conditions it fails.
  - Who may connect is worked out from the addresses that all of these rules together admit, including negated sources,
    ranges and masks. If that is not possible, for example because a list cannot be read, the result says so, and never
    that the port is restricted.
  - A target with a rule that replaces the hidden one, or may do so, costs one more request, since the properties of a
    rule can be overridden on a policy or computer. If there are more than 200 such targets, only the first 200 are
    checked, and for the others it is not known whether they are restricted.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.policies
  - workload_security.agent.targets.computers_by_name
  - workload_security.agent.targets.computers
options:
  facets:
    description:
      - Which facets to show.
    type: list
    elements: str
    choices: [heartbeat, communication_direction, firewall_restriction]
    default: [heartbeat, communication_direction, firewall_restriction]
  warn_above_ipv4_prefix:
    description:
      - Warn about targets whose rules admit more IPv4 addresses to the agents' port than a network with a prefix of
        this length has, from V(0) to V(32). With V(0), it only warns about those whose rules admit practically
        everybody.
    type: int
    default: 8
  warn_above_ipv6_prefix:
    description:
      - The same for IPv6, from V(0) to V(128).
    type: int
    default: 32
seealso:
  - module: workload_security.agent.communication_profile
"""

EXAMPLES = r"""
---
- name: Show who may reach the agents of this policy
  workload_security.agent.communication_info:
    url: https://dsm.example.com:4119
    policies: [Linux Server]
    facets: [firewall_restriction]
  register: communication

- name: Fail unless the port is known to be restricted
  ansible.builtin.assert:
    that: item.firewall_restriction.restricted is true
    fail_msg: "{{ item.name }}: {{ item.firewall_restriction.restricted_because }}"
  loop: "{{ communication.targets }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
---
targets:
  description: The targets with their facets.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(policy) or V(computer).
      type: str
      returned: always
    id:
      description: ID on the manager.
      type: int
      returned: always
    name:
      description: Name of the policy, or host name of the computer.
      type: str
      returned: always
    policy:
      description: Name of the computer's policy, or of the policy itself. Null for a computer without one.
      type: str
      returned: always
    policy_path:
      description: Its path, with the names of the policies above it.
      type: str
      returned: always
      sample: Base Policy/Linux Server
    group_path:
      description: Path of the computer's group. Null without one, for policies, and if the API key may not see groups.
      type: str
      returned: always
      sample: Tokyo/Front end
    host_name:
      description: Host name of the computer. Here and below, null if the manager does not say, and for policies.
      type: str
      returned: always
    display_name:
      description: Display name of the computer.
      type: str
      returned: always
    platform:
      description: Platform of the computer, in the manager's words.
      type: str
      returned: always
    agent_version:
      description: Version of its agent, V(0.0.0.0) without one.
      type: str
      returned: always
    last_agent_communication:
      description: When the manager last communicated with the agent, in UTC.
      type: str
      returned: always
      sample: "2026-06-12T08:15:00Z"
    heartbeat:
      description:
        - By option of M(workload_security.agent.heartbeat), the C(override) (null if none), the C(effective) value
          (null if the manager does not say), and C(inherited_from).
      type: dict
      returned: when asked for
    communication_direction:
      description: The same for C(direction).
      type: dict
      returned: when asked for
    firewall_restriction:
      description:
        - C(rules) are the assigned rules that concern the port, each with C(assigned_here) (null if only asking
          each target alone could tell, and they are many), C(inherited_from),
          C(replaces_hidden_rule) (null if the vendor does not document it), its C(basis) (V(all_pages) or
          V(communication_page) of the vendor, or V(undocumented)), and the C(failing_conditions).
        - For each rule, C(admitted) lists the sources that it admits, in about 40 items at most, C(admitted_addresses)
          counts them as addresses of C(ipv4) and C(ipv6), and C(admits_anybody) says whether they are practically all
          of IPv4 or of IPv6 (a quarter of IPv4, or a V(/5) of IPv6, or more). If that is not known,
          C(cannot_be_told_because) has the reason, and the others are null, or hold what is known.
        - C(overridden) says whether properties of the rule are overridden on this target or on a policy above it, null
          if that was not asked or not answered. Everything else describes the rule as it is on this target.
        - C(hidden_rule_replaced) says whether any rule replaces the hidden one, null if that is not known.
        - C(restricted) is true if the port is limited to some addresses or MACs. It is false if practically everybody
          may connect, because no rule replaces the hidden one, the rules together admit everybody, or the firewall has
          no effect. It is null if that is not known. C(restricted_because) says why it is not true.
        - C(admitted), C(admitted_addresses) and C(admitted_macs) are the same for all rules together.
          C(admitted_macs) has the C(count), and the C(first) 20, of those MACs that are admitted from any address. They
          are not in C(admitted_addresses).
        - C(notes) are sentences on the limits of the answer, for example that only MACs restrict who may connect, which
          works only within a network segment.
        - If no rule has an effect here, C(without_effect_because) says why.
      type: dict
      returned: when asked for
  sample:
    - type: policy
      id: 7
      name: Linux Server
      policy: Linux Server
      policy_path: Base Policy/Linux Server
      group_path: null
      host_name: null
      display_name: null
      platform: null
      agent_version: null
      last_agent_communication: null
      communication_direction:
        direction: {override: null, effective: bidirectional, inherited_from: "policy 'Base Policy' (ID 1)"}
      firewall_restriction:
        rules:
          - id: 70
            name: "Agent port: named sources only"
            action: bypass
            assigned_here: true
            inherited_from: []
            overridden: false
            replaces_hidden_rule: true
            basis: all_pages
            failing_conditions: []
            admits_anybody: false
            admitted: [192.0.2.10, 198.51.100.0/24]
            admitted_addresses: {ipv4: 257, ipv6: 0}
            cannot_be_told_because: null
            source_ips: [192.0.2.10, 198.51.100.0/24]
            source_macs: null
        hidden_rule_replaced: true
        restricted: true
        restricted_because: null
        admitted: [192.0.2.10, 198.51.100.0/24]
        admitted_addresses: {ipv4: 257, ipv6: 0}
        admitted_macs: {count: 0, first: []}
        notes: []
        without_effect_because: null
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: policies, message: "option 'policies': it must ..."}
"""

from ..module_utils._answers.communication import FACET_NAMES, CommunicationAsked, describe_communication
from ..module_utils._facets.firewall.restriction import PREFIX_LIMIT_ARGUMENTS
from ..module_utils._fleet.targets import TARGET_ARGUMENTS
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

ARGUMENTS = {
    **TARGET_ARGUMENTS,
    "facets": {"type": "list", "elements": "str", "choices": FACET_NAMES, "default": FACET_NAMES},
    **PREFIX_LIMIT_ARGUMENTS,
}
WORK = of_reading(ARGUMENTS, CommunicationAsked.from_options, describe_communication)


def main() -> None:
    """Read the options, read the targets, describe them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
