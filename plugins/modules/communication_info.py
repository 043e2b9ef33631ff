#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_info
short_description: Show how policies and computers communicate with the manager
version_added: 0.1.0
description:
  - For each target and facet, shows what is set on the target itself, what is effective, and from which policy it is
    inherited.
  - For the firewall restriction, shows every assigned rule that concerns the agents' port, whether it replaces the
    hidden rule that opens the port to anybody, and if not, which of the vendor's conditions fails.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
options:
  facets:
    description:
      - Which facets to show.
    type: list
    elements: str
    choices: [heartbeat, communication_direction, firewall_restriction]
    default: [heartbeat, communication_direction, firewall_restriction]
seealso:
  - module: workload_security.agent.communication_profile
"""

EXAMPLES = r"""
---
- name: Who may reach the agents of this policy
  workload_security.agent.communication_info:
    url: https://dsm.example.com:4119
    policies: [Linux Server]
    facets: [firewall_restriction]
  register: communication
"""

RETURN = r"""
---
targets:
  description: The targets with their facets.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(policy) or V(computer).
      type: str
      returned: always
    id:
      description: ID on the manager.
      type: int
      returned: always
    name:
      description: Name of the policy, or host name of the computer.
      type: str
      returned: always
    heartbeat:
      description:
        - By option of M(workload_security.agent.heartbeat), the C(override) (null if none), the C(effective) value
          (null if the manager does not say), and C(inherited_from).
      type: dict
      returned: when asked for
    communication_direction:
      description: The same for C(direction).
      type: dict
      returned: when asked for
    firewall_restriction:
      description:
        - C(rules) are the assigned rules that concern the port, each with C(assigned_here), C(inherited_from),
          C(replaces_hidden_rule) (null where the vendor documents no answer), its C(basis) (V(all_pages) or
          V(communication_page) of the vendor, or V(undocumented)), and the C(failing_conditions).
        - C(hidden_rule_replaced) and C(restricted) sum them up; C(without_effect_because) says why no rule matters
          here, if so.
      type: dict
      returned: when asked for
  sample:
    - type: policy
      id: 7
      name: Linux Server
      communication_direction:
        direction: {override: null, effective: bidirectional, inherited_from: "policy 'Base Policy' (ID 1)"}
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: interval}
"""

from ..module_utils._answers.info import FACET_NAMES, CommunicationWanted, describe_communication
from ..module_utils._facets.firewall.restriction import PREFIX_LIMIT_ARGUMENTS
from ..module_utils._fleet.targets import TARGET_ARGUMENTS
from ..module_utils._task.module import run_reading

ARGUMENTS = {
    **TARGET_ARGUMENTS,
    "facets": {"type": "list", "elements": "str", "choices": FACET_NAMES, "default": FACET_NAMES},
    **PREFIX_LIMIT_ARGUMENTS,
}


def main() -> None:
    """Read the options, read the targets, describe them."""
    run_reading(ARGUMENTS, CommunicationWanted.from_options, describe_communication)


if __name__ == "__main__":
    main()
