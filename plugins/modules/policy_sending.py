#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: policy_sending
short_description: Send policies to agents now, and wait until they have arrived
version_added: 0.1.0
description:
  - Lets the manager send their policies to the agents of chosen computers, by one scheduled task that runs once. The
    manager's API has no other way.
  - With O(wait), it looks at these computers until each has taken its policy, is known to be offline, or the time is over.
  - The manager sends to the agents that it can reach at once. Agents that initiate the communication take their policy at
    their next heartbeat. RV(expected_within) says how long that can take.
  - A policy stands for all computers that have it or a policy below it, as a change of it reaches them all.
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
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - Each run sends the policies again, which does no harm.
options:
  send:
    description:
      - Whether to send at all. With V(false), O(wait) waits for what was sent before, such as by a policy that is sent
        by itself whenever it changes, and nothing is written.
    type: bool
    default: true
  include_others:
    description:
      - A scheduled task sends to one computer, to the computers of one policy or group, with or without those below it, or
        to all. Where none of these holds the chosen computers alone, V(true) sends to the narrowest that holds them, and so
        to other computers, too. RV(others) counts them.
      - By default that is an error that says which one it is, and how many others it holds.
      - Other computers get what is set for them on the manager, including changes that somebody else holds back until a
        maintenance window.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the policies have arrived. The task fails if one of them has not.
      - An agent that is offline is not waited for, and does not let the task fail. RV(counts) has such agents as C(offline).
    type: bool
    default: false
  wait_timeout:
    description:
      - How many minutes to wait at most. By default as long as RV(expected_within), or 60 where that is not known.
    type: int
  wait_interval:
    description:
      - How many seconds to wait between two looks. Each look costs one request for every 5,000 computers.
    type: int
    default: 30
  list_targets:
    description:
      - Whether RV(computers) names every computer with its state.
    type: bool
    default: false
notes:
  - The API key needs the right to create scheduled tasks.
  - A manager removes the scheduled task once it has run. Where it does not, this module does, at the end of O(wait) or in
    the next run. Their names start with C(workload_security.agent:). Other tasks are left alone.
  - A run that was interrupted can be repeated. A task that it left behind, and that has not run yet, is used again.
seealso:
  - module: workload_security.agent.communication_profile
  - module: workload_security.agent.agent_health_info
"""

EXAMPLES = r"""
---
- name: Send the policy of the web servers, and wait until all of them have it
  workload_security.agent.policy_sending:
    url: https://dsm.example.com:4119
    policies: [Linux Web Server]
    wait: true

- name: Send it to one computer
  workload_security.agent.policy_sending:
    url: https://dsm.example.com:4119
    computers: [web-01.example.com]

- name: Wait for what the manager sends by itself, an hour at most
  workload_security.agent.policy_sending:
    url: https://dsm.example.com:4119
    computer_groups: [Data center/Web]
    send: false
    wait: true
    wait_timeout: 60
    wait_interval: 60
"""

RETURN = r"""
---
manager:
  description: URL of the manager.
  returned: success, and where policies were sent
  type: str
  sample: https://dsm.example.com:4119/api
sending:
  description:
    - V(sent) if the manager has taken the scheduled task, V(not_sent) if it was given none, as in check mode, and
      V(may_be_sent) if its answer was an error or got lost, and nothing shows what became of the task.
  returned: success, and where policies were sent
  type: str
  sample: sent
sent_to:
  description: Whom the scheduled task sends to, null where nothing is sent.
  returned: success, and where policies were sent
  type: str
  sample: policy 'Linux Web Server' (ID 12) and those below
sent:
  description: To how many of the chosen computers the policy is sent, or would be in check mode.
  returned: success, and where policies were sent
  type: int
  sample: 118
others:
  description: How many other computers are sent their policy with them, see O(include_others).
  returned: success, and where policies were sent
  type: int
  sample: 0
expected_within:
  description:
    - Within how many minutes agents that initiate the communication can take their policy. It is the longest interval of
      heartbeats of the chosen computers, which is 10 minutes on the cloud. Null where the manager does not say.
  returned: success, and where policies were sent
  type: int
  sample: 10
counts:
  description:
    - How far the policies have come, as numbers of computers.
    - C(arrived) have taken their policy since. C(offline) have not, since their agent is offline; they take it when they
      are back. C(failed) have not, since manager and agent do not get along; RV(failures) says why.
    - C(waiting) may take it yet, or have taken it since the last look, which is all of them without O(wait). Of C(unknown)
      the manager does not say when their policy was to be sent. C(no_agent) have no agent, and nothing is sent to them.
  returned: success, and where policies were sent
  type: dict
  sample: {arrived: 115, waiting: 0, offline: 2, failed: 1, unknown: 0, no_agent: 0}
examples:
  description: Up to five names of the computers in each of these states.
  returned: success, and where policies were sent
  type: dict
  sample:
    arrived: [web-01.example.com, web-02.example.com]
    offline: [web-77.example.com]
failures:
  description:
    - Each C(status) that the manager shows of agents of the computers that are C(failed), with the number of C(computers) and up to five
      of their names as C(examples), the 20 most frequent ones.
  returned: success, and where policies were sent
  type: list
  elements: dict
  sample:
    - status: Communication error
      computers: 1
      examples: [web-12.example.com]
computers:
  description:
    - Every chosen computer with its C(type), C(id), C(name), its C(state), which is one of those in RV(counts),
      and the manager's text as C(status) where the state is V(offline) or V(failed).
  returned: if O(list_targets)
  type: list
  elements: dict
looks:
  description: How often the computers were looked at.
  returned: success, and where policies were sent
  type: int
  sample: 5
waited:
  description: How many seconds passed from the first look to the last one.
  returned: success, and where policies were sent
  type: int
  sample: 120
waited_at_most:
  description: How many minutes it would have waited.
  returned: if O(wait), and there is something to wait for
  type: int
  sample: 10
requests:
  description: How many requests were C(sent), and how many of them could change something (C(writes)).
  returned: success, and where policies were sent
  type: dict
  sample: {sent: 12, writes: 1}
failure:
  description:
    - Why the task failed. C(code) is one word to test for, such as V(bad_option), V(forbidden), V(not_arrived) or
      V(may_be_sent).
  returned: when the task failed
  type: dict
  sample: {code: not_arrived}
"""

from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_sending

WORK = of_sending()


def main() -> None:
    """Read the options, let the manager send policies, wait for them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
