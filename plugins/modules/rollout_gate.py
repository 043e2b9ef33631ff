#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_gate
short_description: Judge whether the agents of a wave are well after a change
version_added: 1.0.0
description:
  - Waits until every agent that a wave affects has contacted the manager and taken its policy since the wave began. It
    fails if an agent does not do so within O(heartbeats), is offline, has a communication error, or has an alert that
    it did not have before. If something cannot be judged, it also fails.
  - Before the wave, run it with O(judge=false), which saves the state of the agents. Only timestamps from the manager
    are compared, so no other clock matters.
  - Nothing is written to the manager.
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
    details:
      - In check mode, it checks the agents once, and does not fail.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  waves_file:
    description:
      - The file with the waves, which M(workload_security.agent.rollout_plan) has written.
    type: path
    required: true
  wave:
    description:
      - The number of the wave. The first one is 1.
    type: int
    required: true
  before_file:
    description:
      - The file with the state of the agents before the wave. If it exists, it is not written again.
    type: path
    required: true
  judge:
    description:
      - V(true) judges the agents. V(false) only saves their state in O(before_file).
    type: bool
    default: true
  heartbeats:
    description:
      - How many heartbeats to wait at most. The longest interval of the computers counts, or 60 minutes if the manager
        does not say.
    type: int
    default: 3
  wait_interval:
    description:
      - How many seconds to wait between two checks. Each check takes one request for every 5,000 computers. A problem
        fails the task if it is still there at the next check.
    type: int
    default: 30
seealso:
  - module: workload_security.agent.rollout_plan
  - module: workload_security.agent.policy_sending
"""

EXAMPLES = r"""
---
- name: Save the state of the agents before the first wave
  workload_security.agent.rollout_gate:
    url: https://dsm.example.com:4119
    waves_file: /srv/rollout/waves.json
    wave: 1
    before_file: /srv/rollout/before-1.json
    judge: false

- name: Judge the agents of the first wave
  workload_security.agent.rollout_gate:
    url: https://dsm.example.com:4119
    waves_file: /srv/rollout/waves.json
    wave: 1
    before_file: /srv/rollout/before-1.json
    heartbeats: 2
"""

RETURN = r"""
---
judged:
  description: How many agents the wave has to judge.
  returned: success, and where the wave does not pass
  type: int
  sample: 90
counts:
  description:
    - How many agents have C(passed), have C(failed), are C(waiting), are C(unknown) because they cannot be judged, and
      how many computers are C(gone) from the manager, which are not judged.
  returned: success, and where the wave does not pass
  type: dict
  sample: {passed: 90, failed: 0, waiting: 0, unknown: 0, gone: 0}
reasons:
  description:
    - Why agents did not pass. Each has the C(state), the C(reason), the C(count) of computers, and a few of their IDs
      as C(computer_ids).
  returned: success, and where the wave does not pass
  type: list
  elements: dict
looks:
  description: How often it checked the agents.
  returned: success, and where the wave does not pass
  type: int
  sample: 4
waited:
  description: How many seconds it waited. C(waited_at_most) are minutes, and C(heartbeat) is the longest interval in
    minutes, null if the manager does not say.
  returned: success, and where the wave does not pass
  type: int
  sample: 90
requests:
  description: The requests that the task sent.
  returned: success, and where the wave does not pass
  type: dict
  sample: {sent: 6, writes: 0}
failure:
  description:
    - Why it failed. C(code) is one word to test for, which is V(gate_failed), V(gate_unknown) where something cannot be
      judged, V(gate_timed_out), or another one such as V(bad_option) and V(unauthorized).
  returned: when the task failed
  type: dict
  sample: {code: gate_failed}
"""

from ..module_utils._task.module import run_module
from ..module_utils._task.rollout_gate import WORK


def main() -> None:
    """Look until all is well, or is not."""
    run_module(WORK)


if __name__ == "__main__":
    main()
