#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: policy_info
short_description: Read policies of the manager
version_added: 1.0.0
description:
  - Returns policies as the manager's API gives them, or what a JMESPath expression makes of them.
  - Without O(policies), O(below), O(policies_matching) and O(policies_query), these are all policies. An empty list is
    an error, unless O(allow_empty=true).
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.policies
options:
  expand:
    description:
      - What to return in addition to the basics such as C(name) and C(parentID). The manager always sends all of it.
    type: list
    elements: str
    default: []
    choices:
      - settings
      - interfaceTypes
      - antiMalware
      - webReputation
      - activityMonitoring
      - firewall
      - intrusionPrevention
      - integrityMonitoring
      - logInspection
      - applicationControl
      - SAP
  overrides:
    description:
      - Whether to return only what is set on the policy itself, instead of what is effective.
    type: bool
    default: false
  query:
    description:
      - A JMESPath expression over the list of policies. Then RV(result) is returned in place of RV(policies).
      - Each policy has the fields of the manager's API, its C(path) such as V(Base Policy/Linux/Web), and also, if the
        expression names them, C(id), C(name) and C(parent), the name of the parent policy, empty if there is none.
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that policies do not have is
        an error.
    type: str
seealso:
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Read policies
  workload_security.agent.policy_info:
    url: https://dsm.example.com:4119
    query: "[?parentID==`1`].name"
  register: found

- name: Read the policies below one, however deep
  workload_security.agent.policy_info:
    url: https://dsm.example.com:4119
    below: [Linux Server]
  register: found

- name: Name the policies right below the base policy
  workload_security.agent.policy_info:
    url: https://dsm.example.com:4119
    query: "[?parent == 'Base Policy'].name"
  register: found
"""

RETURN = r"""
---
policies:
  description:
    - The policies, in the words of the manager's API, and of each its C(path), the names from the topmost policy down
      to its own, such as V(Base Policy/Linux/Web).
  returned: when O(query) is not given
  type: list
  elements: dict
  sample: [{ID: 7, name: Linux Server, parentID: 1, path: Base Policy/Linux Server}]
result:
  description: What O(query) returns.
  returned: when O(query) is given
  type: raw
  sample: [Linux Server]
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: policies, message: "option 'policies': it must ..."}
"""

from ..module_utils._answers.info import POLICY_PARTS, ObjectsAsked, read_objects
from ..module_utils._fleet.targets import MISSING_ARGUMENTS, POLICY_ARGUMENTS
from ..module_utils._manager.kinds import POLICY
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

ARGUMENTS = {
    **POLICY_ARGUMENTS,
    **MISSING_ARGUMENTS,
    "expand": {"type": "list", "elements": "str", "choices": list(POLICY_PARTS), "default": []},
    "overrides": {"type": "bool", "default": False},
    "query": {"type": "str"},
}
WORK = of_reading(ARGUMENTS, lambda params, _deployment: ObjectsAsked.from_options(POLICY, params), read_objects)


def main() -> None:
    """Read the options, read the policies, return them."""
    run_module(WORK)


if __name__ == "__main__":
    main()
