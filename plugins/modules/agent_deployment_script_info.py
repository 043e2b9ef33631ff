#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_deployment_script_info
short_description: Read the manager's script that installs and activates agents
version_added: 1.0.0
description:
  - Returns the deployment script that the manager makes for a platform. Run on a computer, it downloads the agent from
    the manager, installs it, and has it activate itself. M(workload_security.agent.agent_initiated_activation) controls
    whether the manager accepts it.
  - The script may hold secrets, such as the activation token and a proxy's password, in forms that are not documented.
    It is returned only to a task with C(no_log=true). Any other task warns, and gets no part of it, only that the
    manager created it and how long it is.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
options:
  platform:
    description:
      - Which computers the script is for.
    type: str
    required: true
    choices: [linux, windows, solaris, aix]
  activate:
    description:
      - Whether the script also activates the agent.
    type: bool
    default: true
  policy:
    description:
      - The policy that the computer gets, by its name (text) or ID (number). Without it, the manager decides.
      - Only with O(activate=true).
    type: raw
  computer_group:
    description:
      - The group that the computer goes to, by its path such as V(Data center/Web) (text) or its ID (number).
      - Only with O(activate=true).
    type: raw
  relay_group_id:
    description:
      - ID of the relay group that the agent gets its updates from. The manager's API cannot find it by its name.
      - Only with O(activate=true).
    type: int
  manager_proxy_id:
    description:
      - ID of the proxy through which the agent reaches the manager. The manager's API cannot find it by its name.
    type: int
  relay_proxy_id:
    description:
      - ID of the proxy through which the agent reaches its relays. The manager's API cannot find it by its name.
    type: int
  validate_manager_certificate:
    description:
      - Whether the script downloads the agent only from a manager whose certificate the computer trusts.
    type: bool
    default: true
  validate_signature:
    description:
      - Whether the script checks the digital signature of the agent that it downloaded.
    type: bool
    default: false
notes:
  - Whether a read-only API key may read scripts is not documented.
seealso:
  - module: workload_security.agent.agent_initiated_activation
"""

EXAMPLES = r"""
---
- name: Install and activate agents
  hosts: new_servers
  become: true
  tasks:
    - name: Fetch the script, with its secrets
      workload_security.agent.agent_deployment_script_info:
        url: https://dsm.example.com:4119
        platform: linux
        policy: Linux Server
        computer_group: Data center/Web
      delegate_to: localhost
      become: false
      run_once: true
      register: deployment
      no_log: true

    # From standard input, which no list of processes shows, and in braces, which Bash reads to their end before it runs
    # anything, so that no command in them can swallow the rest.
    - name: Run it
      ansible.builtin.command:
        cmd: /bin/bash
        stdin: |
          {
          {{ deployment.script }}
          }
        creates: /opt/ds_agent/dsa_control
      no_log: true

    - name: Or keep it for later
      ansible.builtin.copy:
        content: "{{ deployment.script }}"
        dest: /usr/local/sbin/install_agent.sh
        owner: root
        group: root
        mode: "0700"
      no_log: true
"""

RETURN = r"""
---
script:
  description:
    - The whole script.
  returned: if the task has C(no_log=true)
  type: str
  sample: |
    #!/bin/bash
    /opt/ds_agent/dsa_control -r
    /opt/ds_agent/dsa_control -a dsm://dsm.example.com:4120/ "policyid:7"
complete:
  description: Whether RV(script) is returned. It is returned as a whole, or not at all.
  returned: success
  type: bool
  sample: true
lines:
  description:
    - How many lines the script has.
    - A digest is not returned, because the password of a proxy could be guessed by trying it against that.
  returned: success
  type: int
  sample: 71
platform:
  description: Which computers it is for, as in O(platform).
  returned: success
  type: str
  sample: linux
activate:
  description: Whether it activates the agent, as in O(activate).
  returned: success
  type: bool
  sample: true
failure:
  description:
    - Why the task failed. C(code) is one word to test for, such as V(bad_option), V(forbidden), V(bad_reply).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: policy}
"""

from ..module_utils._activation.deployment_script import SCRIPT_ARGUMENTS, ScriptAsked, read_script, without_script
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

WORK = of_reading(SCRIPT_ARGUMENTS, ScriptAsked.from_options, read_script, without_script)


def main() -> None:
    """Read the options, read the script, return it."""
    run_module(WORK)


if __name__ == "__main__":
    main()
