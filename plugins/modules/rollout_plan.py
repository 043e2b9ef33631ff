#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_plan
short_description: Divide a plan into waves
version_added: 1.0.0
description:
  - Reads a plan that M(workload_security.agent.communication_profile) has written, and divides it into waves, which
    P(workload_security.agent.rollout#role) carries out one after the other. Nothing is written to the manager.
  - Computers come first, because each can be changed by itself. However many come first, they are a fair sample of the
    policies in the plan, and within a policy, of the groups. The order is always the same.
  - Policies follow, those with the fewest computers below them first. A policy is one step, which changes all of these
    computers at once. The limit of a wave counts these computers, too, and a policy with more of them waits for a later
    wave.
  - If a computer or policy is to inherit a value again, it comes after the policy above it that changes.
  - If an existing rule or list changes, it changes for all targets that have it. It is written in the last wave, with
    all targets that need it.
  - Agents that were silent before, and computers without an agent, come last, because no gate can judge them. An agent
    counts as silent if its last communication is more than two heartbeats older than the most recent one of any agent.
    A policy comes with them if too many of the agents below it are silent, see O(max_silent_percentage).
  - If a profile has O(workload_security.agent.communication_profile#module:profiles[].try_on), the first waves are
    those of the trial, and the trial ends after the wave with the last of its policies. A trial that would not show
    what the change of the policy does is an error.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  plan_file:
    description:
      - The file of the plan, as O(workload_security.agent.communication_profile#module:plan_file) writes it.
    type: path
    required: true
  waves_file:
    description:
      - The file to write the waves to, as JSON. Only its owner can read it.
    type: path
    required: true
  waves:
    description:
      - Numbers of computers, such as V(10), or percentages of all, such as V(1 %). Each is a running total that
        includes the waves before. What is left after the last number is one more wave.
      - A dictionary is a wave that you name, with a C(name) and with targets as in
        O(workload_security.agent.communication_profile#module:profiles), such as C(computers), C(computer_groups) and
        C(policies). Targets that the plan does not change are left out, and so are those that have to wait.
    type: list
    elements: raw
    default: ["1", "1 %", "10 %", "100 %"]
  hosts:
    description:
      - The hosts that can be checked. Each is a list of the host's name and other names that its computer may have on
        the manager, as host name or display name. Case does not matter.
    type: list
    elements: list
    default: []
  max_silent_percentage:
    description:
      - How many percent of the agents below a policy may be silent, from 0 to 100, so that the others still represent
        them. With more, and if all of them are silent, the policy comes last, and no gate can judge it. The same
        applies to an existing rule or list that changes, and the agents that have it.
    type: int
    default: 50
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.rollout_gate
"""

EXAMPLES = r"""
---
- name: Plan
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    profiles: "{{ communication_profiles }}"
    plan_file: /srv/rollout/plan.json
  check_mode: true

- name: Divide the plan into waves, with the machines of the test laboratory first
  workload_security.agent.rollout_plan:
    url: https://dsm.example.com:4119
    plan_file: /srv/rollout/plan.json
    waves_file: /srv/rollout/waves.json
    waves:
      - name: laboratory
        computer_groups: [Laboratory]
      - 1 %
      - 10 %
"""

RETURN = r"""
---
digest:
  description: The digest of the plan.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f6071
waves_file:
  description: The file with the waves.
  returned: success
  type: str
  sample: /srv/rollout/waves.json
waves:
  description: The waves in their order. None is empty.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      returned: always
      type: str
      sample: computers, 10 %
    policies:
      description: How many policies change in it.
      returned: always
      type: int
      sample: 0
    computers:
      description: How many computers are themselves changed in it.
      returned: always
      type: int
      sample: 90
    concerned:
      description: How many computers it affects, including those below its policies.
      returned: always
      type: int
      sample: 90
    judged:
      description: How many of them have an agent that has communicated recently, so that the gate can judge it.
      returned: always
      type: int
      sample: 90
    everything:
      description: Whether it writes everything that is left of the plan, including rules and lists.
      returned: always
      type: bool
    blind:
      description: Whether it has targets whose agents cannot be judged.
      returned: always
      type: bool
    kind:
      description:
        - "C(plan): it is a part of the plan."
        - "C(trial): it is a part of the trial before that."
        - "C(end of trial): it removes what was tried."
      returned: always
      type: str
      sample: plan
hosts:
  description:
    - The hosts whose computers the plan may affect, each with its C(computer_id), its C(direction) after the plan, and
      the C(questions) to check before, which are V(agent_initiated) if its agent is to initiate and
      V(firewall_restriction) if its port is to be restricted.
  returned: success
  type: list
  elements: dict
  sample: [{name: web1, computer_id: 41, direction: agent_initiated, questions: [agent_initiated]}]
restriction:
  description:
    - Which addresses the document admits to the agents' port (C(source_ips)), and where the manager connects from
      (C(manager_addresses), C(region)). Null if profiles differ, or if there is no restriction.
  returned: success
  type: dict
requests:
  description: The requests that the task sent.
  returned: success
  type: dict
  sample: {sent: 6, writes: 0}
failure:
  description:
    - Why it failed. C(code) is one word to test for, such as V(bad_option), V(unwritable), V(unauthorized).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: plan_file}
"""

from ..module_utils._task.module import run_module
from ..module_utils._task.rollout import WORK


def main() -> None:
    """Read the plan, read the fleet, write the waves."""
    run_module(WORK)


if __name__ == "__main__":
    main()
