#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: policy_sending
short_description: Send policies to agents now, and wait until they have arrived
version_added: 1.0.0
description:
  - Makes the manager send policies to the agents of the chosen computers, with one scheduled task that runs once. The
    manager's API offers no other way.
  - With O(wait), it checks these computers until each has taken its policy or is known to be offline, or until the time
    is up.
  - Agents that the manager can reach get their policy at once. Agents that initiate the communication take their policy
    at their next heartbeat. RV(expected_within) says how long that can take.
  - Choosing a policy means all computers that have it or a policy below it, because a change of the policy reaches them
    all.
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
      - Whether to send the policies. With V(false), nothing is written, and O(wait) waits for policies that the manager
        sends automatically, such as after a change of a policy.
    type: bool
    default: true
  include_others:
    description:
      - A scheduled task sends to one computer, to the computers of one policy or group, with or without those below it,
        or to all. If none of these is exactly the chosen computers, V(true) sends to the smallest one that includes
        them, and therefore to other computers as well. RV(others) counts these.
      - By default, that is an error, which names this choice and says how many other computers it includes.
      - The other computers get what is set for them on the manager, including changes that somebody is holding back for
        a maintenance window.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the policies have arrived. The task fails if one of them has not.
      - The task does not wait for agents that are offline, and does not fail because of them. RV(counts) counts them as
        C(offline).
    type: bool
    default: false
  wait_timeout:
    description:
      - How many minutes to wait at most. The default is RV(expected_within), or 60 if that is not known.
    type: int
  wait_interval:
    description:
      - How many seconds to wait between two checks. Each check takes one request for every 5,000 computers.
    type: int
    default: 30
  list_targets:
    description:
      - Whether RV(computers) names every computer with its state.
    type: bool
    default: false
notes:
  - The API key needs the right to create scheduled tasks.
  - A manager removes the scheduled task once it has run. If it does not, this module does, at the end of O(wait) or in
    the next run. Their names start with C(workload_security.agent:). Other tasks are left alone.
  - If a run was interrupted, run it again. If it left a scheduled task behind that has not run yet, that one is used.
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

- name: Wait for what the manager sends automatically, an hour at most
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
    - "V(sent): the manager has accepted the scheduled task. V(not_sent): none was created, as in check mode.
      V(may_be_sent): the manager's answer was an error or was lost, and nothing shows whether the scheduled task was
      created."
  returned: success, and where policies were sent
  type: str
  sample: sent
sent_to:
  description: Who gets policies from the scheduled task, null if nothing is sent.
  returned: success, and where policies were sent
  type: str
  sample: policy 'Linux Web Server' (ID 12) and those below
sent:
  description: How many of the chosen computers the policy is sent to, or would be sent to in check mode.
  returned: success, and where policies were sent
  type: int
  sample: 118
others:
  description: How many other computers are also sent their policy, see O(include_others).
  returned: success, and where policies were sent
  type: int
  sample: 0
expected_within:
  description:
    - How many minutes it can take until agents that initiate the communication have taken their policy. This is the
      longest heartbeat interval of the chosen computers, which is 10 minutes in the cloud. Null if the manager does not
      say.
  returned: success, and where policies were sent
  type: int
  sample: 10
counts:
  description:
    - How far the policies have come, as numbers of computers.
    - C(arrived) have taken their policy since. C(offline) have not, because their agent is offline; they take it when
      they are back online. C(failed) have not, because of an error between manager and agent; RV(failures) says why.
    - C(waiting) have not yet, but still may, or have taken it since the last check; without O(wait), these are all
      computers. For C(unknown), the manager does not say when their policy was to be sent. C(no_agent) have no agent,
      and nothing is sent to them.
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
    - The 20 most frequent C(status) texts that the manager shows for computers that are C(failed), each with the number
      of C(computers) and up to five of their names as C(examples).
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
  description: How often the computers were checked.
  returned: success, and where policies were sent
  type: int
  sample: 5
waited:
  description: How many seconds passed from the first check to the last one.
  returned: success, and where policies were sent
  type: int
  sample: 120
waited_at_most:
  description: How many minutes it would have waited at most.
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

from ..module_utils._sending.result import SENDING_ARGUMENTS, SendingAsked, send_policies
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_keeping

WORK = of_keeping(SENDING_ARGUMENTS, SendingAsked.from_options, send_policies)


def main() -> None:
    """Read the options, let the manager send policies, wait for them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
