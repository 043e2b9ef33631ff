# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Which policies and computers a task is about."""

    DOCUMENTATION = r"""
options:
  policies:
    description:
      - Policies, each by its name (text) or ID (number).
    type: list
    elements: raw
  computers:
    description:
      - Computers, each by its host name or else its display name (text), or its ID (number).
      - A name that several computers share is an error that names them.
      - Up to ten are searched for. For more, the list of all computers is read, 5,000 per request.
    type: list
    elements: raw
  computers_query:
    description:
      - A JMESPath expression over the list of all computers that returns the wanted ones. Each has C(id), C(host_name),
        C(display_name), C(platform), C(agent_version), C(policy) and C(group), all text except C(id), and empty instead
        of null. O(workload_security.agent.computer_info#module:query) has the same fields.
      - For example V([?starts_with(platform, 'Ubuntu'\) && policy == 'Linux Server']), or V([]) for all.
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not have is
        an error, and so is a policy or group that does not exist in a comparison by V(==) or V(!=).
    type: str
  allow_missing:
    description:
      - Whether policies and computers that are named may be missing from the manager, and policies and groups that
        O(computers_query) compares with. Then a warning names them, and the task goes on without them.
      - By default an error names all that are missing, and the nearest names, before anything is written.
    type: bool
    default: false
  allow_empty:
    description:
      - Whether nothing may be selected, by O(computers_query) or by all of these options together. By default that is
        an error.
    type: bool
    default: false
"""
