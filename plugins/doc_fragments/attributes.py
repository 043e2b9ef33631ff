# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What the attributes mean. A module that uses this states its own support.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled and queried by the module has not changed in a relevant way.
"""

    # For modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    # For what can also run in Ansible's own process.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin of the same name, which does the same in Ansible's own process.
    support: full
    details:
      - A task runs in Ansible's own process, faster and with lines that show how far it is, if it runs on the
        controller (C(connection=local), or C(delegate_to=localhost)), as the user who runs Ansible, without C(async),
        and if Ansible's own Python has the libraries that are required.
      - Every other task runs as a module. Results are the same.
      - What runs in Ansible's own process is not written to the system's log as modules are.
  async:
    description: Supports being used with the C(async) keyword.
    support: full
    details:
      - It then runs as a module, and shows no progress.
  delegation:
    description: Can be used in conjunction with C(delegate_to) and related keywords.
    support: full
    details:
      - Delegated to another machine, it runs there as a module, and shows no progress.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/workload_security.agent.manager) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - workload_security.agent.manager
"""
