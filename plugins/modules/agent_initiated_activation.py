#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_initiated_activation
short_description: Keep the manager's settings for agent-initiated activation
version_added: 1.0.0
description:
  - Keeps the manager's system settings for agent-initiated activation, in which agents ask the manager to activate
    them, instead of the manager asking the agents. Agents that initiate the communication need it.
  - The settings apply to the whole manager. Only the options that are set are compared and changed, all of them in one
    request.
  - The activation token that a manager on the premises can ask for is a secret. It is neither read nor set.
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
    support: full
  idempotent:
    support: full
options:
  allow:
    description:
      - Whose agents may activate themselves.
      - "V(any_computer): every agent that reaches the manager. The vendor advises against it where that could be
        anybody, such as agents from the Internet."
      - "V(existing_computers): the agents of computers that the manager already lists."
      - "V(ip_list): agents whose address is on O(ip_list)."
      - "V(nobody): none. Agents that are active stay active."
    type: str
    choices: [any_computer, existing_computers, ip_list, nobody]
  policy:
    description:
      - The policy for a computer whose agent does not ask for one, by its name (text) or ID (number), or V(none).
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
      - What happens to an agent whose computer has the same name as another one.
      - "V(reactivate_existing_computer): it is activated as the existing computer."
      - "V(activate_new_computer): a second computer of the same name is created."
      - "V(do_not_allow_activation): it is refused."
    type: str
    choices: [reactivate_existing_computer, activate_new_computer, do_not_allow_activation]
  host_name_by_agent:
    description:
      - Whether an agent may specify the host name by which the manager lists its computer.
    type: bool
  reactivate_cloned:
    description:
      - Whether agents that were cloned with their machine are activated again, each as a computer of its own.
    type: bool
  reactivate_unknown:
    description:
      - Whether agents that were once active, and whose computer the manager no longer lists, are activated again.
    type: bool
notes:
  - Which value of the manager's setting stands for V(nobody) is not documented. The likely ones are tried, one request
    each, until one is accepted. The task fails unless the manager then says that nobody is allowed.
seealso:
  - module: workload_security.agent.agent_deployment_script_info
  - module: workload_security.agent.communication_direction
"""

EXAMPLES = r"""
---
- name: Let agents of our networks activate themselves, with a first policy
  workload_security.agent.agent_initiated_activation:
    url: https://dsm.example.com:4119
    allow: ip_list
    ip_list: Our networks
    policy: Base Policy
    duplicate_host_name: reactivate_existing_computer
    host_name_by_agent: true

- name: Let no more agents activate themselves
  workload_security.agent.agent_initiated_activation:
    url: https://dsm.example.com:4119
    allow: nobody
"""

RETURN = r"""
---
before:
  description: What was set on the manager, option by option. V(null) if it has no value.
  returned: when the manager could be read
  type: dict
  sample: {allow: any_computer, ip_list: none, policy: none}
after:
  description: What is set now, or in check mode, would be. A value that the manager did not keep is left out.
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
      V(not_kept) for values that the manager accepted but did not keep, with the C(options) that it concerns.
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: ip_list}
"""

from ..module_utils._activation.activation import ACTIVATION_ARGUMENTS, ActivationWish, keep_activation
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_keeping

WORK = of_keeping(ACTIVATION_ARGUMENTS, ActivationWish.from_options, keep_activation)


def main() -> None:
    """Read the options, bring the settings to them, report."""
    run_module(WORK)


if __name__ == "__main__":
    main()
