#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: firewall_restriction
short_description: Restrict who may connect to the agents' port
version_added: 1.0.0
description:
  - The manager opens the agents' port (4118) to everybody with a hidden firewall rule of priority 4 and action bypass.
    A rule with certain properties replaces it. This module keeps that rule, the IP and MAC lists of those who may
    connect, and the rule's assignment to policies and computers.
  - It refuses a restriction that shuts the manager out, or that admits practically everybody. It warns if the
    restriction has no effect because the firewall is off, the network engine is in tap mode, or agents do not listen.
    It also warns if other rules that replace the hidden one admit everybody, alone or together.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.policies
  - workload_security.agent.targets.computers_by_name
  - workload_security.agent.targets.computers
  - workload_security.agent.run
  - workload_security.agent.run.slice
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - "V(present): keeps the rule, its lists, and its assignment to each target."
      - "V(assigned): keeps the rule assigned to each target, whatever the rule is and whoever made it. It must exist.
        A warning says if it restricts nothing. This is how a complete snapshot keeps rules
        that cannot be declared."
      - "V(absent): unassigns the rule from each target. Once no policy or computer has it, the rule and its lists are
        deleted, but only if this collection created them. To find that out, the assignments of the whole fleet are
        read."
    type: str
    choices: [present, assigned, absent]
    default: present
  rule_name:
    description:
      - Name of the firewall rule. An existing rule with this name is changed to what is declared.
    type: str
    default: "Agent port: named sources only"
  action:
    description:
      - Action of the rule. All pages of the vendor agree that V(bypass) replaces the hidden rule; only one page says so
        of V(force_allow).
    type: str
    choices: [bypass, force_allow]
    default: bypass
  port:
    description:
      - The port on which agents listen, from V(1) to V(65535).
    type: int
    default: 4118
  port_list:
    description:
      - Name of a port list on the manager that contains O(port). It becomes the rule's destination instead of the port
        alone.
      - Only one page of the vendor says that a port list is accepted here.
    type: str
  source_ips:
    description:
      - Who may connect, as addresses (V(192.0.2.7)), networks (V(192.0.2.0/24), V(2001:db8::/32)) or ranges
        (V(192.0.2.10 - 192.0.2.20)).
      - If O(source_macs) is also given, a connection must match one of each.
      - Addresses that together admit practically everybody (a quarter of IPv4, or a V(/5) of IPv6) are refused unless
        O(allow_everybody=true).
      - Nothing is silently ignored. A comment (V(# text)), the zone of an address (V(%eth0)) and an IPv4 address
        written as IPv6 are errors.
    type: list
    elements: str
  ip_list_name:
    description:
      - Name of the IP list that holds O(source_ips). By default the name of the rule, followed by V((IPs\)).
      - An existing list with this name is changed to what is declared, but see O(allow_shared_lists).
    type: str
  source_macs:
    description:
      - Who may connect, as MAC addresses in any usual notation. For connections from other networks, agents see the MAC
        of the last router.
      - Put them in quotes. Without quotes, YAML reads V(52:54:00:12:34:56) as a number, which is an error here.
    type: list
    elements: str
  mac_list_name:
    description:
      - Name of the MAC list that holds O(source_macs). By default the name of the rule, followed by V((MACs\)).
    type: str
  manager_addresses:
    description:
      - The addresses, networks or ranges from which the manager connects to agents. O(source_ips) must admit them all,
        so that the restriction cannot shut the manager out.
    type: list
    elements: str
  manager_region:
    description:
      - A region of the cloud. O(source_ips) must admit the subnets published for it. They may change; the vendor's page
        on port numbers has the current ones.
    type: str
  manager_macs:
    description:
      - "The MACs from which the manager's packets reach the agents: the manager's own, or those of the last router.
        O(source_macs) must hold them all."
    type: list
    elements: str
  allow_manager_lockout:
    description:
      - Whether the restriction may shut the manager out. Then O(manager_addresses), O(manager_region) and
        O(manager_macs) are not needed.
    type: bool
    default: false
  allow_everybody:
    description:
      - Whether O(source_ips) may admit practically everybody. Then the rule restricts nothing.
    type: bool
    default: false
  allow_shared_lists:
    description:
      - Whether to change an IP or MAC list that this collection did not create, even if other rules use it and change
        their meaning with it. By default this is refused, and the rules are named.
    type: bool
    default: false
  warn_above_ipv4_prefix:
    description:
      - Warn if O(source_ips) admit more IPv4 addresses than a network with a prefix of this length has, from V(0),
        which never warns, to V(32).
    type: int
    default: 8
  warn_above_ipv6_prefix:
    description:
      - The same for IPv6, from V(0) to V(128).
    type: int
    default: 32
  accept_inherited:
    description:
      - Whether to accept a rule that a target inherits from its policies, instead of assigning it to the target itself.
    type: bool
    default: false
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.communication_info
    description: Shows, for every rule that concerns the port, whether it replaces the hidden one.
"""

EXAMPLES = r"""
---
- name: Only the manager and the administrators' network reach the agents
  workload_security.agent.firewall_restriction:
    url: https://dsm.example.com:4119
    policies: [Linux Server, Windows Server]
    source_ips: [192.0.2.10, 198.51.100.0/24]
    manager_addresses: [192.0.2.10]

- name: Open the port again
  workload_security.agent.firewall_restriction:
    url: https://dsm.example.com:4119
    policies: [Linux Server, Windows Server]
    state: absent
"""

RETURN = r"""
---
summary:
  description: One line that counts what changed, what was as declared, and what failed.
  returned: when the manager could be read
  type: str
  sample: "changed communication_direction: direction agent_initiated for 1028 computers; 12 computers as declared"
plan:
  description:
    - What was changed, or in check mode, what would be. Changes that differ only in their targets are one group.
    - If a group has very many names, some are left out; C(count) counts all of them. O(list_targets) returns all names.
  returned: when the manager could be read
  type: list
  elements: dict
  contains:
    facet:
      description: Which facet.
      type: str
      returned: always
    option:
      description: Which option of the facet, or the name of the firewall rule that is assigned or taken away.
      type: str
      returned: always
    before:
      description: What was set on the targets, or V(inherited) if nothing was.
      type: raw
      returned: always
    effective_before:
      description:
        - What was effective for the targets, as C(value), and where that was set, as C(source). V(here) is the target
          itself. C(value) is null if the manager does not say.
      type: dict
      returned: always
    after:
      description: What is set on them now.
      type: raw
      returned: always
    why:
      description: What made the change necessary.
      type: str
      returned: always
    policies:
      description: The names of the policies.
      type: list
      elements: str
      returned: always
    computers:
      description: The names of the computers.
      type: list
      elements: str
      returned: always
    count:
      description: How many policies and computers there are.
      type: int
      returned: always
  sample:
    - facet: heartbeat
      option: interval
      before: inherited
      effective_before: {value: 5, source: "policy 'Base Policy' (ID 1)"}
      after: 10
      why: interval is not set here; 5 is inherited from the policy 'Base Policy' (ID 1)
      policies: [Linux Server]
      computers: []
      count: 1
later:
  description:
    - How many C(steps) of the plan are left to another task, of how many C(targets), and which C(objects) (rules and
      lists, the first 20 of C(objects_count)) are left.
  returned: when the task carries out a part of the plan
  type: dict
  sample: {steps: 2, targets: 0, objects: ["firewall rule 'Plant' (ID 31)", "IP list 'Plant (IPs)' (ID 7)"], objects_count: 2}
digest:
  description: A short name for the content of the plan, including what failed. Equal plans have equal digests.
  returned: when the manager could be read
  type: str
  sample: 1f0d7a35c2f4b8e9
objects:
  description: Firewall rules and lists that were created, changed or deleted, with C(before), C(after) and C(why).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
counts:
  description:
    - How many targets were C(changed) and C(unchanged), and how many entries the full list of RV(failed_targets) has.
  returned: when the manager could be read
  type: dict
  sample: {changed: 1, unchanged: 2, failed: 0}
changed_targets:
  description: The targets that were changed, by C(type), C(id) and C(name).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: [{type: policy, id: 7, name: Linux Server}]
unchanged_targets:
  description: How many targets were as declared, and with O(list_targets) their names as C(policies) and C(computers).
  returned: when the manager could be read
  type: dict
  sample: {count: 2}
failed_targets:
  description:
    - The targets, rules and lists that failed, each with the C(facet), the C(reason) in words, and if the manager
      refused it, its answer as C(failure). What is not listed here is done.
    - C(state) is V(not_done), V(not_known) if a change may have been made and this could not be checked, or
      V(not_tried) if something failed that had to come first, or if the run stopped.
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
truncated:
  description: Whether lists in this result were cut. RV(counts) and the C(count) of each group are always complete.
  returned: when lists were cut
  type: bool
  sample: true
requests:
  description: How many requests the task has C(sent), and how many of them were C(writes).
  returned: when the manager could be read
  type: dict
  sample: {sent: 9, writes: 0}
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed before anything was written
  type: dict
  sample: {code: bad_option, option: policies, message: "option 'policies': it must ..."}
"""

from ..module_utils._task.converging import of_facet
from ..module_utils._task.module import run_module

WORK = of_facet("firewall_restriction")


def main() -> None:
    """Read the options, converge, report."""
    run_module(WORK)


if __name__ == "__main__":
    main()
