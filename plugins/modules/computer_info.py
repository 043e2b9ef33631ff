#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: computer_info
short_description: Read computers of the manager
version_added: 0.1.0
description:
  - Returns computers as the manager's API gives them, or what a JMESPath expression makes of them.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
options:
  computers:
    description:
      - Which computers to read, each by its name (text) or ID (number). All of them by default; an empty list is an
        error.
    type: list
    elements: raw
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
      - Each computer has the fields of the manager's API, and also those that C(computers_query) has in other modules,
        C(id), C(host_name), C(display_name), C(platform), C(agent_version), C(policy) and C(group), all text except
        C(id), and empty instead of null. So a C([?...]) that works here can be used there.
      - The latter are only read if the expression names them, and computers that are returned whole then have them,
        too. C(policy) and C(group) are names, and cost a request each.
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not have is
        an error, and so is a policy or group that does not exist in a comparison by V(==) or V(!=).
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

- name: Try out a query for computers_query, and show a field of the manager's API next to the names
  workload_security.agent.computer_info:
    url: https://dsm.example.com:4119
    query: >-
      [?policy == 'Linux Server' && contains(platform, 'Ubuntu')].{name: host_name, group: group,
      heard: lastAgentCommunication}
  register: found
"""

RETURN = r"""
---
computers:
  description: The computers, in the words of the manager's API.
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{ID: 41, hostName: web-01.example.com}]
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

from ..module_utils._answers.info import COMPUTER_PARTS, ObjectsWanted, read_objects
from ..module_utils._manager.client import COMPUTER
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

ARGUMENTS = {
    "computers": {"type": "list", "elements": "raw"},
    "expand": {"type": "list", "elements": "str", "choices": list(COMPUTER_PARTS), "default": ["none"]},
    "overrides": {"type": "bool", "default": False},
    "query": {"type": "str"},
}
WORK = of_reading(ARGUMENTS, lambda params, _deployment: ObjectsWanted.from_options(COMPUTER, params), read_objects)


def main() -> None:
    """Read the options, read the computers, return them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
