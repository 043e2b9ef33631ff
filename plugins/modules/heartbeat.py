#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: heartbeat
short_description: Keep the heartbeat settings of policies and computers
version_added: 0.1.0
description:
  - Sets how often agents report to the manager and what raises an alert, on base policies, sub-policies and single
    computers, or lets them inherit it.
  - Only the options that are given are looked at. One task takes a whole fleet; a target that is as declared costs no
    request of its own, and each changed one costs one write.
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
  interval:
    description:
      - Minutes between heartbeats, from V(1) to V(43200), or V(inherited).
      - On premises only. On the cloud it is fixed at 10 minutes, and giving it is an error.
      - Which intervals a manager takes is nowhere documented; it has the last word.
    type: str
  missed_before_alert:
    description:
      - How many heartbeats may be missed before an alert is raised, V(unlimited), or V(inherited).
      - On premises only. On the cloud it is fixed at 2, and giving it is an error.
    type: str
  maximum_clock_change:
    description:
      - By how many minutes a computer's clock may change between heartbeats before an alert is raised,
        V(unlimited), or V(inherited).
      - On premises only; on the cloud, giving it is an error.
    type: str
  raise_offline_errors_for_inactive_vms:
    description:
      - Whether a virtual machine that is stopped raises an offline error, V(true), V(false), or V(inherited).
    type: str
  accept_inherited:
    description:
      - Whether a value that a target inherits is as good as the same value set on the target itself.
    type: bool
    default: false
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Raise an alert after five missed heartbeats, at one every ten minutes
  workload_security.agent.heartbeat:
    url: https://dsm.example.com:4119
    policies: [Base Policy]
    interval: 10
    missed_before_alert: 5

- name: Stopped virtual machines are no error in the test environment
  workload_security.agent.heartbeat:
    region: jp-1
    computers_query: "[?starts_with(host_name, 'test-')]"
    raise_offline_errors_for_inactive_vms: false

- name: Let one computer inherit its interval again
  workload_security.agent.heartbeat:
    url: https://dsm.example.com:4119
    computers: [web-01.example.com]
    interval: inherited
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
      profiles: [heartbeat]
      facet: heartbeat
      before: {interval: inherited}
      after: {interval: 10}
      why: interval is not set here; 5 is inherited from the policy 'Base Policy' (ID 1)
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
    run_facet("heartbeat")


if __name__ == "__main__":
    main()
