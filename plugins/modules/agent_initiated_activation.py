#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_initiated_activation
short_description: Keep who may activate agents from the agent's side, and how
version_added: 0.1.0
description:
  - Keeps the manager's system settings for agent-initiated activation, where agents ask the manager to take them on
    instead of the manager asking them. Agents that initiate the communication need it.
  - The settings hold for the whole manager. Only the options that are given are compared and changed, all of them in
    one request.
  - The activation token that a manager on the premises can ask for is a secret, and neither read nor set.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  allow:
    description:
      - Whose agents may activate themselves.
      - V(any_computer) takes on every agent that reaches the manager. The vendor advises against it where that could be
        anybody, such as agents from the Internet.
      - V(existing_computers) takes on the agents of computers that the manager already lists.
      - V(ip_list) takes on agents whose address is on O(ip_list).
      - V(nobody) takes on none. Agents that are active stay so.
    type: str
    choices: [any_computer, existing_computers, ip_list, nobody]
  policy:
    description:
      - The policy of a computer whose agent does not ask for one, by its name (text) or ID (number), or V(none).
      - A policy whose name is V(none) must be given by its ID.
    type: raw
  ip_list:
    description:
      - The IP list of O(allow=ip_list), by its name (text) or ID (number), or V(none).
      - Required with O(allow=ip_list) unless the manager has one set. With any other O(allow) it has no effect, and the
        task warns.
    type: raw
  duplicate_host_name:
    description:
      - What becomes of an agent whose computer's name is already that of another one.
      - V(reactivate_existing_computer) activates it as the computer that is there.
      - V(activate_new_computer) makes a second computer of the same name.
      - V(do_not_allow_activation) refuses it.
    type: str
    choices: [reactivate_existing_computer, activate_new_computer, do_not_allow_activation]
  host_name_by_agent:
    description:
      - Whether an agent may tell the host name by which the manager lists its computer.
    type: bool
  reactivate_cloned:
    description:
      - Whether agents that were cloned with their machine are activated anew, each as a computer of its own.
    type: bool
  reactivate_unknown:
    description:
      - Whether agents that were once active, and whose computer the manager no longer lists, are activated anew.
    type: bool
notes:
  - How a manager spells that nobody is allowed is not documented. The likely spellings are tried, one request each,
    until one is taken. The task fails unless the manager then says that nobody is allowed.
seealso:
  - module: workload_security.agent.agent_deployment_script_info
  - module: workload_security.agent.communication_direction
"""

EXAMPLES = r"""
---
- name: Agents of our networks activate themselves, with a policy to start with
  workload_security.agent.agent_initiated_activation:
    url: https://dsm.example.com:4119
    allow: ip_list
    ip_list: Our networks
    policy: Base Policy
    duplicate_host_name: reactivate_existing_computer
    host_name_by_agent: true

- name: The fleet is complete
  workload_security.agent.agent_initiated_activation:
    url: https://dsm.example.com:4119
    allow: nobody
"""

RETURN = r"""
---
before:
  description: What the manager had, option by option. V(null) where it has no value.
  returned: when the manager could be read
  type: dict
  sample: {allow: any_computer, ip_list: none, policy: none}
after:
  description: What it has now, or would have after check mode. A value that the manager did not keep is left out.
  returned: when the manager could be read
  type: dict
  sample: {allow: ip_list, ip_list: Our networks, policy: Base Policy}
requests:
  description: How many requests the task has C(sent), and how many of them were C(writes).
  returned: when the manager could be read
  type: dict
  sample: {sent: 4, writes: 1}
failure:
  description:
    - Why the task failed. C(code) is one word to test for, such as V(bad_option), V(forbidden), V(bad_request), or
      V(not_kept) for values that the manager took and did not keep, with the C(options) that it concerns.
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: ip_list}
"""

from ..module_utils._task.module import run_activation


def main() -> None:
    """Read the options, bring the settings to them, report."""
    run_activation()


if __name__ == "__main__":
    main()
