#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_plan
short_description: Cut a plan into waves
version_added: 0.1.0
description:
  - Reads a plan that M(workload_security.agent.communication_profile) wrote, and cuts it into waves, which
    P(workload_security.agent.rollout#role) carries out one after the other. Nothing is written to the manager.
  - Computers come first, since each is changed by itself. Any beginning of their order is a fair sample of the policies,
    and within a policy of the groups, that are in the plan. The order is always the same.
  - Policies follow, those with the fewest computers below first. A policy is one step, which concerns all of these
    computers at once. The limit of a wave is one of computers there, too, and a policy with more of them waits for a later
    wave.
  - Computers and policies that lose a value of their own, below a policy that changes, come after that policy.
  - Rules and lists that exist already change for all who have them. They are written in the last wave, with all targets
    that need them.
  - Agents that were silent before, and computers without an agent, come last, since no gate can judge them. An agent is
    silent if the manager heard it more than two heartbeats earlier than the one that it heard last. A policy comes with
    them if less than half of the agents below it were heard of since.
  - Where a profile has O(workload_security.agent.communication_profile#module:profiles[].try_on), the first waves are those
    of the trial, and the trial ends after the last of its policies. A trial that would not show what the change of the
    policy does is an error.
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
      - The file to write the waves to, as JSON, for its owner only.
    type: path
    required: true
  waves:
    description:
      - Numbers of computers, such as V(10), or parts of all, such as V(1 %), each of all that is done once the wave is.
        What is left after the last of them is one more wave.
      - A dictionary is a wave that you name, with a C(name) and with targets as in
        O(workload_security.agent.communication_profile#module:profiles), such as C(computers), C(computer_groups) and
        C(policies). What the plan does not change is left out of it, and so is what has to wait.
    type: list
    elements: raw
    default: ["1", "1 %", "10 %", "100 %"]
  hosts:
    description:
      - The hosts that can be asked. Each is a list of the host's name, and of others by which the manager may know its
        computer, as host name or display name, in whatever case.
    type: list
    elements: list
    default: []
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

- name: Cut the plan into waves, with machines of the test laboratory first
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
      description: How many computers change in it themselves.
      returned: always
      type: int
      sample: 90
    concerned:
      description: How many computers that concerns, those below its policies included.
      returned: always
      type: int
      sample: 90
    judged:
      description: How many of them have an agent that was heard of lately, so that the gate can judge it.
      returned: always
      type: int
      sample: 90
    everything:
      description: Whether all that is left of the plan is written with it, rules and lists included.
      returned: always
      type: bool
    blind:
      description: Whether it has a target of which no agent can be judged.
      returned: always
      type: bool
    kind:
      description: Whether it is a part of the C(plan), of a C(trial) before that, or the C(end of trial).
      returned: always
      type: str
      sample: plan
hosts:
  description:
    - The hosts whose computer the plan may concern, with its C(computer_id), its C(direction) once the plan is done, and
      the C(questions) to ask before, which are V(agent_initiated) if its agent is to initiate and V(firewall_restriction)
      if its port is to be restricted.
  returned: success
  type: list
  elements: dict
  sample: [{name: web1, computer_id: 41, direction: agent_initiated, questions: [agent_initiated]}]
restriction:
  description:
    - Whom the document admits to the agents' port (C(source_ips)), and from where the manager connects
      (C(manager_addresses), C(region)). Null where profiles differ, and without a restriction.
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
