#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: computer_info
short_description: Read computers of the manager
version_added: 1.0.0
description:
  - Returns computers as the manager's API gives them, or what a JMESPath expression makes of them.
  - Without O(computers), O(computer_groups), O(computers_matching) and O(computers_query), these are all computers. An
    empty list is an error, unless O(allow_empty=true).
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.computers_by_name
  - workload_security.agent.targets.computers
options:
  expand:
    description:
      - What to read in addition to the basics such as C(hostName) and C(policyID). Each part makes the reply larger.
    type: list
    elements: str
    default: [none]
    choices:
      - none
      - computerStatus
      - tasks
      - securityUpdates
      - computerSettings
      - allSecurityModules
      - antiMalware
      - webReputation
      - activityMonitoring
      - firewall
      - intrusionPrevention
      - integrityMonitoring
      - logInspection
      - applicationControl
      - SAP
      - interfaces
      - ESXSummary
      - allVirtualMachineSummaries
      - azureARMVirtualMachineSummary
      - azureVMVirtualMachineSummary
      - ec2VirtualMachineSummary
      - noConnectorVirtualMachineSummary
      - vmwareVMVirtualMachineSummary
      - vcloudVMVirtualMachineSummary
      - workspaceVirtualMachineSummary
      - gcpVirtualMachineSummary
  overrides:
    description:
      - Whether to return only what is set on the computer itself, instead of what is effective.
    type: bool
    default: false
  query:
    description:
      - A JMESPath expression over the list of computers. Then RV(result) is returned in place of RV(computers).
      - Each computer has the fields of the manager's API, and also those that O(computers_query) has, with the same
        functions. So a C([?...]) that works here can be used there.
      - The latter are only read if the expression names them, and computers that are returned whole then have them,
        too. C(policy) and C(policy_path) together cost a request, and so does C(group_path).
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not have is
        an error, and so is a policy, path or group that does not exist in a comparison by V(==) or V(!=).
    type: str
seealso:
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Read computers
  workload_security.agent.computer_info:
    url: https://dsm.example.com:4119
    query: "[?policyID==`7`].hostName"
  register: found

- name: Read the computers of a site whose agents are old
  workload_security.agent.computer_info:
    url: https://dsm.example.com:4119
    computers_query: "[?in_network(last_ip, '10.7.0.0/16') && version_lt(agent_version, '20.0.1')]"
  register: found

- name: Try out a query for computers_query, and show a field of the manager's API next to the names
  workload_security.agent.computer_info:
    url: https://dsm.example.com:4119
    query: >-
      [?policy == 'Linux Server' && contains(platform, 'Ubuntu')].{name: host_name, group_path: group_path,
      heard: lastAgentCommunication}
  register: found
"""

RETURN = r"""
---
computers:
  description:
    - The computers, in the words of the manager's API. Unless O(overrides=true), each also has its C(group_path), the
      names of its group and those above it, such as V(Data center/Web). It is empty for a computer without a group, and
      null if the manager does not show its groups to this API key.
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{ID: 41, hostName: web-01.example.com, groupID: 12, group_path: Data center/Web}]
result:
  description: What O(query) returns.
  returned: when O(query) is given
  type: raw
  sample: [web-01.example.com]
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: computers, message: "option 'computers': it must ..."}
"""

from ..module_utils._answers.info import COMPUTER_PARTS, ObjectsAsked, read_objects
from ..module_utils._fleet.targets import COMPUTER_ARGUMENTS, MISSING_ARGUMENTS
from ..module_utils._manager.kinds import COMPUTER
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

ARGUMENTS = {
    **COMPUTER_ARGUMENTS,
    **MISSING_ARGUMENTS,
    "expand": {"type": "list", "elements": "str", "choices": list(COMPUTER_PARTS), "default": ["none"]},
    "overrides": {"type": "bool", "default": False},
    "query": {"type": "str"},
}
WORK = of_reading(ARGUMENTS, lambda params, _deployment: ObjectsAsked.from_options(COMPUTER, params), read_objects)


def main() -> None:
    """Read the options, read the computers, return them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
