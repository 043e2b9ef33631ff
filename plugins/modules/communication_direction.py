#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_direction
short_description: Keep the communication direction of policies and computers
version_added: 0.1.0
description:
  - Sets whether agents connect to the manager, the manager to agents, or both, on base policies, sub-policies and
    single computers, or lets them inherit it.
  - One task takes a whole fleet; a target that is as declared costs no request of its own, and each changed one costs
    one write.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
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
      - V(bidirectional) agents send heartbeats, and listen for the manager.
      - V(manager_initiated) the manager connects to agents, heartbeats included.
      - V(agent_initiated) agents connect to the manager and do not listen. A change of their settings reaches them at
        their next heartbeat.
      - V(inherited) takes away what is set on the target, so that the parent policy's value holds.
      - Agents on macOS only take V(agent_initiated). Anything else that would reach one fails and names the computers.
      - On the cloud the vendor strongly recommends to keep V(agent_initiated); leaving it warns.
    type: str
    required: true
    choices: [bidirectional, manager_initiated, agent_initiated, inherited]
  accept_inherited:
    description:
      - Whether a direction that a target inherits is as good as the same direction set on the target itself.
    type: bool
    default: false
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Agents initiate, whatever their policy
  workload_security.agent.communication_direction:
    url: https://dsm.example.com:4119
    policies: [Base Policy]
    direction: agent_initiated

- name: What the sub-policies say about it goes away
  workload_security.agent.communication_direction:
    url: https://dsm.example.com:4119
    policies: [Linux Server, Windows Server]
    direction: inherited
"""

RETURN = r"""
---
plan:
  description: What each target's facets were changed from and to; in check mode, what they would be.
  returned: when the manager could be read
  type: list
  elements: dict
  contains:
    target:
      description: The policy or computer, by C(type), C(id) and C(name).
      type: dict
      returned: always
    profiles:
      description: The profiles that declared it.
      type: list
      elements: str
      returned: always
    facet:
      description: Which facet.
      type: str
      returned: always
    before:
      description: What was set on the target, option by option; V(inherited) where nothing was.
      type: dict
      returned: always
    after:
      description: What is set on it now.
      type: dict
      returned: always
    why:
      description: What made the change necessary.
      type: str
      returned: always
  sample:
    - target: {type: policy, id: 7, name: Linux Server}
      profiles: [communication_direction]
      facet: communication_direction
      before: {direction: bidirectional}
      after: {direction: agent_initiated}
      why: direction is set to 'bidirectional' here
objects:
  description: Firewall rules and lists that were made, changed or deleted, with C(before), C(after) and C(why).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
changed_targets:
  description: The targets that were changed, by C(type), C(id) and C(name).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: [{type: policy, id: 7, name: Linux Server}]
unchanged_targets:
  description: The targets that were as declared, how many, and by name.
  returned: when the manager could be read
  type: dict
  sample: {count: 2, policies: [Base Policy], computers: [web-01.example.com]}
failed_targets:
  description:
    - The targets, rules and lists that failed, each with the C(facet), the C(reason) in words, and as C(failure) the
      manager's answer where it was one. What is not listed here is done.
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
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
  sample: {code: bad_option, option: interval}
"""

from ..module_utils._task.module import run_facet


def main() -> None:
    """Read the options, converge, report."""
    run_facet("communication_direction")


if __name__ == "__main__":
    main()
