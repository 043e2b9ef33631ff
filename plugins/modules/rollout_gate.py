#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_gate
short_description: Judge whether the agents of a wave are well after a change
version_added: 0.1.0
description:
  - Waits until every agent that a wave concerns has talked to the manager and taken its policy since the wave began, and
    fails if one does not within some heartbeats, is offline, has an error of communication, or an alert that it did not
    have before. What cannot be judged fails, too.
  - Before the wave, a task with O(judge=false) notes what is before. Only dates of the manager are compared, so that no
    other clock counts.
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
      - In check mode, it looks once, and does not fail.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  waves_file:
    description:
      - The file with the waves, which M(workload_security.agent.rollout_plan) wrote.
    type: path
    required: true
  wave:
    description:
      - The number of the wave, the first one being 1.
    type: int
    required: true
  before_file:
    description:
      - The file that keeps what is before the wave. One that is there is not written again.
    type: path
    required: true
  judge:
    description:
      - Whether to judge, or with V(false) to note what is before.
    type: bool
    default: true
  heartbeats:
    description:
      - How many heartbeats to wait at most. The longest interval of the computers counts, or 60 minutes where the manager
        does not tell it.
    type: int
    default: 3
  wait_interval:
    description:
      - How many seconds to wait between two looks. Each look costs one request for every 5,000 computers. What is wrong
        at one look fails the task if it still is at the next.
    type: int
    default: 30
seealso:
  - module: workload_security.agent.rollout_plan
  - module: workload_security.agent.policy_sending
"""

EXAMPLES = r"""
---
- name: Note what is before the first wave
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
    - How many agents have C(passed), have C(failed), are C(waiting), are C(unknown) as they cannot be judged, and how many
      computers are C(gone), which are not judged.
  returned: success, and where the wave does not pass
  type: dict
  sample: {passed: 90, failed: 0, waiting: 0, unknown: 0, gone: 0}
reasons:
  description:
    - Why agents did not pass. Each has the C(state), the C(reason), the C(count) of computers, and a few of their IDs as
      C(computer_ids).
  returned: success, and where the wave does not pass
  type: list
  elements: dict
looks:
  description: How often it looked.
  returned: success, and where the wave does not pass
  type: int
  sample: 4
waited:
  description: How many seconds it waited. C(waited_at_most) are minutes, and C(heartbeat) is the longest interval in
    minutes, null where the manager does not tell.
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
