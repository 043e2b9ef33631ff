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
      - Whether what is named may be missing from the manager, including what a query compares with, and patterns that
        nothing matches. Then a warning names it, and the task goes on without it.
      - By default an error names all that is missing, and the nearest names, before anything is written.
    type: bool
    default: false
  allow_empty:
    description:
      - Whether nothing may be selected, by a query, by a pattern, below a policy, in a group, or by all of these options
        together. By default that is an error.
    type: bool
    default: false
"""

    POLICIES = r"""
options:
  policies:
    description:
      - Policies, each by its name (text) or ID (number). Upper and lower case differ.
      - V(all), as a word alone and not in a list, stands for all policies. A policy that is called so is named in a list,
        V([all]).
    type: raw
  below:
    description:
      - Policies, each by its name (text) or ID (number), of which those below are meant, their children, these
        policies' children, and so on. The named ones are not among them, unless one is below another.
    type: list
    elements: raw
  policies_matching:
    description:
      - Patterns as in a shell. All policies are meant whose names match one of them.
      - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Upper and
        lower case differ.
    type: list
    elements: str
  policies_query:
    description:
      - A JMESPath expression over the list of all policies that returns the wanted ones. Each has C(id), C(name),
        C(parent), the name of the policy that it is right below, C(path), such as V(Base Policy/Linux/Web), and
        C(description), all text except C(id), and empty instead of null.
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
      - Computers, each by its host name or else its display name (text), or its ID (number). If no name is the same to
        the letter, upper and lower case do not matter.
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
      - Groups of computers, each by its path such as V(Data center/Web) (text) or its ID (number). All computers in them
        are meant, and in the groups below them.
    type: list
    elements: raw
  computers_matching:
    description:
      - Patterns as in a shell. Each stands for all computers whose host names match it. If no host name does, it stands
        for those whose display names match it.
      - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Upper and
        lower case do not matter.
    type: list
    elements: str
  computers_query:
    description:
      - A JMESPath expression over the list of all computers that returns the wanted ones. Each has C(id), C(host_name),
        C(display_name), C(platform), C(platform_family), C(agent_version), C(last_ip), C(policy), C(policy_path) and
        C(group_path), all text except C(id), and empty instead of null.
        O(workload_security.agent.computer_info#module:query) has the same fields.
      - C(platform_family) is V(linux), V(windows), V(macos), V(solaris), V(aix) or V(other). C(last_ip) is the address
        that the agent used last. C(group) is the same as C(group_path).
      - Beside JMESPath's own functions, there are C(version_lt), C(version_le), C(version_gt), C(version_ge) and
        C(version_eq), which compare two versions, such as V(version_lt(agent_version, '20.0.2'\)). If one of them
        cannot be read, or there is no agent, they are neither true nor false, negated by V(!) or not, and alone select
        no such computer. A warning counts these computers. V(in_network(last_ip, '10.0.0.0/8'\)) tells whether an
        address is in a network or range, or in one of a list of them. V(lower(host_name\)) is text in lower case.
      - For example V([?starts_with(platform, 'Ubuntu'\) && policy == 'Linux Server']), or V([]) for all.
      - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not have is
        an error, and so is a policy, path or group that does not exist in a comparison by V(==) or V(!=).
    type: str
"""
