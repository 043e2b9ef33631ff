# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Which policies and computers a task is about."""

    # For every module that takes one of the others.
    DOCUMENTATION = r"""
options:
  allow_missing:
    description:
      - Whether to continue if something that is named does not exist on the manager, including what a query compares
        with, and patterns that match nothing. Then a warning names it.
      - By default, this is an error, which names everything that is missing, and the most similar names, before
        anything is written.
    type: bool
    default: false
  allow_empty:
    description:
      - Whether it is acceptable that a query, a pattern or a group selects nothing, that there is nothing below a
        policy, or that all of these options together select nothing. By default, this is an error.
    type: bool
    default: false
"""

    POLICIES = r"""
options:
  policies:
    description:
      - Policies, each by its name (text) or ID (number). Case matters.
      - V(all), not in a list, stands for all policies. To name a policy that is called V(all), use a list, V([all]).
    type: raw
  below:
    description:
      - Selects all policies below these, at any depth. Each is given by its name (text) or ID (number), and is not
        selected itself, unless it is below another one.
    type: list
    elements: raw
  policies_matching:
    description:
      - Shell patterns. They select all policies whose names match one of them.
      - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Case
        matters.
    type: list
    elements: str
  policies_query:
    description:
      - A JMESPath expression that selects policies from the list of all of them. Each has C(id), a number, and as text
        C(name), C(parent) (the name of its parent policy), C(path) (such as V(Base Policy/Linux/Web)) and
        C(description). Missing text is empty, not null.
      - For example V([?starts_with(path, 'Base Policy/Linux/'\) && contains(description, 'PCI'\)]).
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that policies do not have is
        an error, and so is a policy or path that does not exist in a comparison by V(==) or V(!=).
    type: str
"""

    # By itself, since agent_cipher_info has another option of that name.
    COMPUTERS_BY_NAME = r"""
options:
  computers:
    description:
      - Computers, each by its host name or else its display name (text), or its ID (number). If no name matches
        exactly, case is ignored.
      - A name that several computers share is an error that names them.
      - Up to ten are searched for. For more, or if a search does not find one, the list of all computers is read, 5,000
        per request.
    type: list
    elements: raw
"""

    COMPUTERS = r"""
options:
  computer_groups:
    description:
      - Groups of computers, each by its path such as V(Data center/Web) (text) or its ID (number). Selects all
        computers in these groups and in the groups below them.
    type: list
    elements: raw
  computers_matching:
    description:
      - Shell patterns. Each selects all computers whose host names match it, or if there are none, those whose display
        names match it.
      - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Case does
        not matter.
    type: list
    elements: str
  computers_query:
    description:
      - A JMESPath expression that selects computers from the list of all of them. Each has C(id), a number, and as text
        C(host_name), C(display_name), C(platform), C(platform_family), C(agent_version), C(last_ip), C(policy),
        C(policy_path) and C(group_path). Missing text is empty, not null.
        O(workload_security.agent.computer_info#module:query) has the same fields.
      - C(platform_family) is V(linux), V(windows), V(macos), V(solaris), V(aix) or V(other). C(last_ip) is the address
        that the agent used last. C(group) is the same as C(group_path).
      - Besides JMESPath's own functions, there are C(version_lt), C(version_le), C(version_gt), C(version_ge) and
        C(version_eq), which compare two versions, such as V(version_lt(agent_version, '20.0.2'\)). If there is no
        agent, or a version cannot be read, the comparison is neither true nor false. By itself, neither it nor its
        negation with V(!) selects the computer. A warning counts these computers. V(in_network(last_ip, '10.0.0.0/8'\))
        tells whether an address is in a network or range, or in one of a list of them. V(lower(host_name\)) is text in
        lower case.
      - For example V([?starts_with(platform, 'Ubuntu'\) && policy == 'Linux Server']), or V([]) for all.
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not have is
        an error, and so is a policy, path or group that does not exist in a comparison by V(==) or V(!=).
    type: str
"""
