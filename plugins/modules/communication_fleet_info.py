#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_fleet_info
short_description: Report how a whole fleet communicates with its manager
version_added: 1.0.0
description:
  - Reads all policies and computers, and reports which direction, heartbeat and restriction of the agents' port are set
    where, which policies and computers override them, to whom the port is open, and which agents have not
    communicated with the manager for longer than two heartbeats.
  - Without O(computer_groups), O(computers_matching) and O(computers_query), it looks at all computers.
  - Everything is counted, for the whole fleet, and for each policy, group and platform. RV(targets_csv) lists the
    computers one by one; M(workload_security.agent.communication_info) returns all details of a few of them.
  - What the manager does not report is null, and nothing is guessed.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.computers
options:
  computers_most:
    description:
      - How many computers to list in RV(computers), with the most urgent ones first. RV(targets_csv) has all of them.
    type: int
    default: 2000
  rule_overrides:
    description:
      - Whether to ask each policy that has a rule for the agents' port whether it overrides properties of the rule,
        with one request each, for at most 200 policies. By default, rules are taken as they are defined.
      - What a single computer overrides of a rule is not looked at here.
        M(workload_security.agent.communication_info) does that.
    type: bool
    default: false
notes:
  - The module sends two requests for every 5,000 computers, and one each for policies, groups, rules and lists.
  - The clock of the machine that the module runs on decides which agents are silent.
seealso:
  - module: workload_security.agent.communication_info
  - module: workload_security.agent.agent_cipher_info
"""

EXAMPLES = r"""
---
- name: Count how the agents of a manager communicate
  workload_security.agent.communication_fleet_info:
    url: https://dsm.example.com:4119
    computers_most: 0
  register: stock

- name: Fail if agents' ports are open to anybody
  ansible.builtin.assert:
    that: stock.summary.agent_port.open == 0
    fail_msg: "{{ stock.ports | selectattr('agent_port', 'eq', 'open') | to_nice_yaml }}"

- name: Keep the list of computers
  ansible.builtin.copy:
    content: "{{ stock.targets_csv }}"
    dest: /srv/reports/dsm.csv
    mode: "0600"
"""

RETURN = r"""
---
manager:
  description: URL of the manager.
  returned: success
  type: str
  sample: https://dsm.example.com:4119/api
read_at:
  description: When the fleet was read, in UTC, by the clock of the machine that the module runs on.
  returned: success
  type: str
  sample: "2026-06-12T08:15:00Z"
rule_overrides:
  description: Whether policies were asked for properties of rules that they override.
  returned: success
  type: bool
summary:
  description:
    - How many C(policies) and C(computers) there are, and how many of them override something (C(overriding_policies),
      C(overriding)).
    - C(directions) counts computers by effective direction, with V(unknown) where the manager does not say.
    - C(agent_port) counts computers by the state of their agents' port, which is V(restricted) to some addresses or
      MACs, V(open) to practically everybody, V(not_listening) where agents initiate the communication, or V(unknown).
    - C(contact) counts computers by their last communication, V(heard) within two heartbeats, V(silent) for longer,
      V(never), V(no_agent), or V(unknown) where the manager does not say how long a heartbeat is.
  returned: success
  type: dict
  sample:
    policies: 40
    overriding_policies: 12
    computers: 300
    directions: {bidirectional: 265, manager_initiated: 10, agent_initiated: 25, unknown: 0}
    agent_port: {restricted: 240, open: 35, not_listening: 25, unknown: 0}
    contact: {heard: 290, silent: 7, never: 1, no_agent: 2, unknown: 0}
    overriding: 9
heartbeats:
  description:
    - Each effective heartbeat that there is, by its C(interval) in minutes and C(missed_before_alert), with the number
      of C(computers), up to five of their names as C(examples), and the paths of the C(policies) that have it.
  returned: success
  type: list
  elements: dict
directions:
  description: The same for each effective C(direction).
  returned: success
  type: list
  elements: dict
ports:
  description:
    - The same for each way in which the agents' port is open. C(agent_port) is one of the states in RV(summary),
      C(admitted) says who may connect, and C(why) says why the port is not restricted, or why that is not known.
  returned: success
  type: list
  elements: dict
  sample:
    - agent_port: restricted
      admitted: 192.0.2.10, 198.51.100.0/24
      why: null
      computers: 240
      policies: [Base Policy/Linux Server]
      examples: [web-01.example.com, web-02.example.com]
overrides:
  description:
    - What is set on policies and computers themselves. Each has the C(facet), C(option) and C(value), what the target
      would have without it (C(inherits)), the paths of the C(policies), the number of C(computers), and up to five of
      their names as C(examples). Rules for the agents' port that are assigned to a target itself are among them, with
      V(rule) as the option.
  returned: success
  type: list
  elements: dict
  sample:
    - facet: heartbeat
      option: interval
      value: 5
      inherits: 10
      policies: [Base Policy/Linux Server]
      computers: 3
      examples: [web-01.example.com]
breakdowns:
  description:
    - The counts of RV(summary) for each C(policy) (by its path), C(group) (by its path) and C(platform) (without
      builds and kernels), each with its C(name), null for computers without one, or if the API key may not see it.
  returned: success
  type: dict
policies:
  description:
    - All policies from the top down, as RV(computers) are, with the number of C(computers) right below each.
  returned: success
  type: list
  elements: dict
computers:
  description: The most urgent computers, as many as O(computers_most) says.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(computer), or V(policy) in RV(policies).
      type: str
      returned: always
    id:
      description: ID on the manager.
      type: int
      returned: always
    name:
      description: Host name, or display name if there is no host name.
      type: str
      returned: always
    policy:
      description:
        - Name of the policy. C(policy_path), C(group_path), C(host_name), C(display_name), C(platform),
          C(agent_version) and C(last_agent_communication) are as in
          RV(workload_security.agent.communication_info#module:targets).
      type: str
      returned: always
    platform_name:
      description: The platform without builds and kernels.
      type: str
      returned: always
    contact:
      description: One of the states in RV(summary). Null for policies.
      type: str
      returned: always
    direction:
      description:
        - The effective direction. C(direction_set_by) says where it is set, which is V(here), a policy,
          V(default policy) or V(unknown).
      type: str
      returned: always
    interval:
      description:
        - The effective interval of heartbeats in minutes, with C(interval_set_by), and C(missed_before_alert) with
          C(missed_before_alert_set_by).
      type: int
      returned: always
    agent_port:
      description: The state of the agents' port, with C(admitted) and C(why), as in RV(ports).
      type: str
      returned: always
    overrides:
      description: What is set on the target itself, each in a few words.
      type: list
      elements: str
      returned: always
targets_csv:
  description:
    - All policies and computers as a table of comma-separated values with a header.
    - All text is in quotes. An apostrophe is put before anything that a spreadsheet would take for a formula, also
      after a C(;), C(,) or C(|) within a text, because some spreadsheets take that for the end of a cell.
  returned: success
  type: str
failure:
  description:
    - Why nothing was read. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: computers_query}
"""

from ..module_utils._answers.fleet_communication import FLEET_ARGUMENTS, FleetAsked, read_fleet
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

WORK = of_reading(FLEET_ARGUMENTS, FleetAsked.from_options, read_fleet)


def main() -> None:
    """Read the options, read the fleet, count it."""
    run_module(WORK)


if __name__ == "__main__":
    main()
