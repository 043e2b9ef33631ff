#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_direction
short_description: Keep the communication direction of policies and computers
version_added: 1.0.0
description:
  - Sets whether agents connect to the manager, the manager to agents, or both, on base policies, sub-policies and
    single computers, or lets them inherit it.
  - One task handles a whole fleet. A target that is as declared costs no request of its own, and each changed one costs
    one write.
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
  direction:
    description:
      - "V(bidirectional): agents send heartbeats, and listen for the manager."
      - "V(manager_initiated): the manager connects to agents, also for heartbeats."
      - "V(agent_initiated): agents connect to the manager and do not listen. A change of their settings reaches them at
        their next heartbeat."
      - "V(inherited): removes what is set on the target, so that the parent policy's value holds."
      - Agents on macOS only support V(agent_initiated). Any other direction that would reach one fails the task, which
        names the computers.
      - In the cloud the vendor strongly recommends keeping V(agent_initiated). A task that changes it warns.
    type: str
    required: true
    choices: [bidirectional, manager_initiated, agent_initiated, inherited]
  accept_inherited:
    description:
      - Whether to accept a direction that a target inherits, if it is the declared one, instead of setting it on the
        target itself.
    type: bool
    default: false
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Switch all agents to agent initiated
  workload_security.agent.communication_direction:
    url: https://dsm.example.com:4119
    policies: [Base Policy]
    direction: agent_initiated

- name: Remove what sub-policies set themselves
  workload_security.agent.communication_direction:
    url: https://dsm.example.com:4119
    policies: [Linux Server, Windows Server]
    direction: inherited
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

WORK = of_facet("communication_direction")


def main() -> None:
    """Read the options, converge, report."""
    run_module(WORK)


if __name__ == "__main__":
    main()
