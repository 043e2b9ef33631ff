#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_document
short_description: Write what is set on the manager into a file, as a document
version_added: 1.0.0
description:
  - Writes what policies and computers have set themselves today, as profiles for
    M(workload_security.agent.communication_profile), into a file of variables on the host that the task runs on.
    Applying what was captured changes nothing.
  - Targets with equal overrides share a profile. A target is named by its name, or by its ID with a comment if others
    have that name, too, or if it has invisible characters.
  - A restriction is captured by its rule and its sources, whoever made them. What the options of
    M(workload_security.agent.firewall_restriction) cannot say exactly is left out, and is in RV(left_out) and in a
    comment at the end of the file. Properties of a rule that are overridden on a single policy or computer are not
    looked at.
  - If the file exists, its comments, order, anchors, quotes, vaulted values and other variables stay, and only what
    differs is changed. What a profile declares stays declared, with today's value, which is V(inherited) if nothing is
    set any more. If other values hold for some targets of a profile, these move to another profile; from a query they
    are excluded by their IDs.
  - Without any option that chooses targets, the whole manager is captured. Targets of the file's profiles are always
    brought up to date.
  - Values that are templates or are vaulted are not known here, and stay as they are.
  - Nothing is written to the manager, and a read-only API key is enough.
author:
  - The workload_security.agent contributors (@workload-security)
requirements:
  - ruamel.yaml >= 0.17.21
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
    support: full
options:
  path:
    description:
      - The file. It is replaced as a whole, and keeps its mode, owner and access control list. Missing folders are
        created.
    type: path
    required: true
  variable:
    description:
      - The variable of the file that holds the list of profiles.
    type: str
    default: communication_profiles
  facets:
    description:
      - Which facets to capture. Others stay as they are in the file.
    type: list
    elements: str
    choices: [heartbeat, communication_direction, firewall_restriction]
    default: [heartbeat, communication_direction, firewall_restriction]
  complete:
    description:
      - Whether to write a snapshot to return to, with M(workload_security.agent.communication_profile) or the playbook
        C(rollback). It names targets by their IDs, with their names in comments, so that they are found even if they
        have been renamed. It includes chosen targets on which nothing is set. Of rules that cannot be declared, it
        records the names (O(workload_security.agent.firewall_restriction#module:state=assigned)).
      - The file begins with C(communication_undeclared) and C(communication_scope), which make the role
        C(communication) remove whatever has been set on the targets since. Directions and heartbeat settings in
        RV(left_out) cannot be restored. Of rules in RV(left_out), only the assignments can be restored.
      - The file must not exist yet, because a snapshot is of one moment.
    type: bool
    default: false
seealso:
  - module: workload_security.agent.communication_profile
"""

EXAMPLES = r"""
---
- name: Keep what is set on the manager in the repository
  workload_security.agent.communication_document:
    url: https://dsm.example.com:4119
    path: "{{ playbook_dir }}/host_vars/dsm.example.com/communication.yml"

- name: The same for two policies, and only their heartbeat
  workload_security.agent.communication_document:
    url: https://dsm.example.com:4119
    path: "{{ playbook_dir }}/host_vars/dsm.example.com/communication.yml"
    policies: [Linux Server, Windows Server]
    facets: [heartbeat]
"""

RETURN = r"""
---
file:
  description: The file.
  returned: success
  type: str
  sample: /srv/ansible/host_vars/dsm.example.com/communication.yml
summary:
  description: One line that counts what was captured, what of the file changed, and what was left out.
  returned: success
  type: str
  sample: "1204 overrides of 640 targets; profiles: 7 added"
profiles:
  description: How many profiles were C(added), C(changed) and C(removed), and the C(count) of all that there are now.
  returned: success
  type: dict
  sample: {added: 7, changed: 0, removed: 0, count: 7}
targets:
  description: How many policies and computers have overrides that are in the file now.
  returned: success
  type: int
  sample: 640
overrides:
  description: How many overrides these are.
  returned: success
  type: int
  sample: 1204
left_out:
  description:
    - What is set but cannot be declared. Targets with the same entry are together.
  returned: success
  type: list
  elements: dict
  contains:
    facet:
      description: Which facet.
      type: str
      returned: always
    reason:
      description: What it is, and why it cannot be declared.
      type: str
      returned: always
    policies:
      description: The names of the first 20 policies.
      type: list
      elements: str
      returned: always
    computers:
      description: The names of the first 20 computers.
      type: list
      elements: str
      returned: always
    count:
      description: How many policies and computers there are.
      type: int
      returned: always
  sample:
    - facet: firewall_restriction
      reason: "the rule 'Agents at night': the options cannot say all of it: ... scheduleID differs"
      policies: [Linux Server]
      computers: []
      count: 1
advice:
  description:
    - Overrides that every computer below a policy carries. Set on the policy, and C(inherited) on the computers, they
      would be one. The largest saving is the first.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: The policy, by C(id) and C(name).
      type: dict
      returned: always
    facet:
      description: Which facet.
      type: str
      returned: always
    option:
      description: Which option of the facet, or the name of the firewall rule.
      type: str
      returned: always
    value:
      description: The value that they all have.
      type: raw
      returned: always
    computers:
      description: How many computers there are.
      type: int
      returned: always
    saved:
      description: How many overrides would be saved.
      type: int
      returned: always
  sample:
    - policy: {type: policy, id: 7, name: Linux Server}
      facet: heartbeat
      option: interval
      value: 10
      computers: 40
      saved: 39
requests:
  description: How many requests were C(sent) to the manager. None of them are C(writes).
  returned: success
  type: dict
  sample: {sent: 7, writes: 0}
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: path, message: "option 'path' is '...': it must ..."}
"""

from ..module_utils._communication.capture import CAPTURE_ARGUMENTS, CaptureWish, capture
from ..module_utils._communication.snapshot_file import RUAMEL_IMPORT_ERROR
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_keeping

WORK = of_keeping(CAPTURE_ARGUMENTS, CaptureWish.from_options, capture, {"ruamel.yaml": RUAMEL_IMPORT_ERROR})


def main() -> None:
    """Read the file, read the manager, write the file."""
    run_module(WORK)


if __name__ == "__main__":
    main()
