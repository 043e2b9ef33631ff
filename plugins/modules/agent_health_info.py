#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_health_info
short_description: See whether agents are online and have their policies, for monitoring
version_added: 1.0.0
description:
  - Counts agents that are offline or silent, have communication errors, or have not taken their policy, and returns a
    line in the format of Nagios and similar systems.
  - Without O(computer_groups), O(computers_matching) and O(computers_query), it checks all computers.
  - Each agent counts for at most one problem, the first that applies of V(offline), V(errors), V(silent) and
    V(not_arrived).
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
  silent_after:
    description:
      - After how many minutes without communication an agent counts as silent. Set it to more than two heartbeats.
    type: int
    default: 30
  not_arrived_after:
    description:
      - After how many minutes a policy counts as not arrived, counted from when the manager was to send it.
    type: int
    default: 60
  warning:
    description:
      - How many agents with a problem make RV(state) V(WARNING). Each value is a number of agents, such as V(1), a
        percentage of the agents that are checked, such as V(2.5%), or V(never).
    type: dict
    suboptions:
      offline:
        description: Agents that the manager calls offline.
        type: str
        default: "1"
      errors:
        description: Agents with a communication error in their status.
        type: str
        default: "1"
      silent:
        description: Agents that have not communicated for longer than O(silent_after).
        type: str
        default: "1"
      not_arrived:
        description: Agents that have not taken their policy for longer than O(not_arrived_after).
        type: str
        default: "1"
  critical:
    description:
      - The same for V(CRITICAL).
    type: dict
    suboptions:
      offline:
        description: Agents that the manager calls offline.
        type: str
        default: 10%
      errors:
        description: Agents with a communication error in their status.
        type: str
        default: 10%
      silent:
        description: Agents that have not communicated for longer than O(silent_after).
        type: str
        default: 10%
      not_arrived:
        description: Agents that have not taken their policy for longer than O(not_arrived_after).
        type: str
        default: 10%
  computers_most:
    description:
      - How many computers with a problem to list in RV(computers), with the most urgent ones first.
    type: int
    default: 100
notes:
  - The module sends one request for every 5,000 computers, and one each for policies and groups if a query uses them.
  - The clock of the machine that the module runs on decides which agents are silent.
  - The module does not fail because of agents with a problem. Test RV(status), or use the playbook C(health).
seealso:
  - module: workload_security.agent.communication_fleet_info
  - module: workload_security.agent.policy_sending
"""

EXAMPLES = r"""
---
- name: Check the agents of a manager
  workload_security.agent.agent_health_info:
    url: https://dsm.example.com:4119
    silent_after: 25
    warning: {offline: "5", silent: 1%}
    critical: {offline: 5%, silent: 5%}
  register: health

- name: Show the line for monitoring
  ansible.builtin.debug:
    var: health.line

- name: Fail if the state is critical or unknown
  ansible.builtin.assert:
    that: health.status < 2
    fail_msg: "{{ health.line }}"
"""

RETURN = r"""
---
manager:
  description: URL of the manager.
  returned: success
  type: str
  sample: https://dsm.example.com:4119/api
read_at:
  description: When the agents were checked, in UTC, by the clock of the machine that the module runs on.
  returned: success
  type: str
  sample: "2026-06-12T08:15:00Z"
status:
  description:
    - V(0) for OK, V(1) for WARNING, V(2) for CRITICAL, V(3) for UNKNOWN, as monitoring systems number them.
  returned: success
  type: int
  sample: 1
state:
  description:
    - The same as a word. V(UNKNOWN) if there is no agent to check, or if the manager says too little about an agent and
      no threshold is reached.
  returned: success
  type: str
  sample: WARNING
line:
  description: One line with the state, what is wrong, and after a vertical bar, the numbers with their thresholds.
  returned: success
  type: str
  sample: "WARNING - 298 of 300 agents are well, 2 offline (web-01, web-02)|agents=300;;;0 offline=2;1;30;0;300"
agents:
  description: How many agents were checked.
  returned: success
  type: int
  sample: 300
counts:
  description:
    - How many agents are C(well), how many have each problem, for how many the manager says too little (C(unknown)),
      and how many computers have no agent (C(no_agent)).
  returned: success
  type: dict
  sample: {well: 298, offline: 2, errors: 0, silent: 0, not_arrived: 0, unknown: 0, no_agent: 4}
troubles:
  description:
    - The 20 most frequent problems (C(trouble)), each with the manager's own text as C(status), the number of
      C(computers), and up to five of their names as C(examples).
  returned: success
  type: list
  elements: dict
  sample:
    - trouble: errors
      status: Unable to resolve hostname
      computers: 7
      examples: [web-01.example.com]
computers:
  description: The most urgent computers with a problem, at most O(computers_most) of them.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: Always V(computer).
      type: str
      returned: always
    id:
      description: ID on the manager.
      type: int
      returned: always
    name:
      description: Host name, or display name if there is none.
      type: str
      returned: always
    trouble:
      description: One of those in RV(counts).
      type: str
      returned: always
    status:
      description: The manager's text about the problem, null if there is none.
      type: str
      returned: always
    silent_for:
      description: Minutes since the agent last communicated, null if the manager does not say.
      type: int
      returned: always
    not_arrived_for:
      description: Minutes since its policy was to be sent, null if none is being sent.
      type: int
      returned: always
    last_agent_communication:
      description:
        - When it last communicated, when its policy was last to be sent (C(last_send_policy_request)), and when it last
          took it (C(last_send_policy_success)), in UTC.
      type: str
      returned: always
failure:
  description:
    - Why nothing was read. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: timed_out}
"""

from ..module_utils._answers.health import HEALTH_ARGUMENTS, HealthAsked, read_health
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

WORK = of_reading(HEALTH_ARGUMENTS, HealthAsked.from_options, read_health)


def main() -> None:
    """Read the options, look at the agents, say how they are."""
    run_module(WORK)


if __name__ == "__main__":
    main()
