#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_cipher_facts
short_description: Find a host's agent, its TLS cipher suites, and when it last contacted its manager
version_added: 1.0.0
description:
  - Finds the agent that is installed on the host, without the manager, and sets the facts
    C(ansible_facts.workload_security_agent).
  - The agent's version comes from the host's package data (rpm, dpkg, Solaris, AIX or macOS), or from the agent itself
    (C(dsa_query)). Its release, cipher suites and TLS versions are those that are documented for that version. No
    connection is made. To find what an agent really accepts, use M(workload_security.agent.agent_cipher_probe).
  - The manager that the agent is activated against comes from the agent itself. Only C(root) may ask it, and only
    while its service runs; otherwise RV(ansible_facts.workload_security_agent.activation) is V(unknown).
  - The agent also says when it last had a session with its manager. An agent whose own state is C(green) may have had
    none for hours, so RV(ansible_facts.workload_security_agent.healthy) is V(true) only if the last session was less
    than two heartbeats ago.
  - It needs no options, so it can be one of the modules that gather facts. See the examples.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
options:
  heartbeat_interval:
    description:
      - How many minutes the manager lets pass from one heartbeat of this agent to the next. From 1 to 1440.
      - In the cloud this is fixed at V(10).
    type: int
    default: 10
attributes:
  facts:
    description: Action returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Not for Windows hosts. For one, the task fails before it connects, and says so. Use
        M(workload_security.agent.agent_cipher_info) for these, which reads the versions of all agents from the manager.
      - If it is one of the modules that gather facts, set it for other hosts only.
notes:
  - How the databases of dpkg, Solaris, AIX and macOS hold the version is not documented, nor is the name of the receipt
    on macOS. They are read as tolerantly as possible. Values that are not known are V(null), and
    RV(ansible_facts.workload_security_agent.sources) says which sources were read and what went wrong.
  - With the communication direction C(manager_initiated), an agent may not count the sessions that the manager starts.
    The vendor does not say.
  - On macOS, the vendor does not support C(dsa_query), so the manager is unknown there.
  - According to the vendor's table of platforms, no agent supports TLS 1.2 on CloudLinux 5 and Ubuntu 10.04. This
    module does not take the platform into account.
seealso:
  - module: workload_security.agent.agent_cipher_info
  - plugin: workload_security.agent.agent_cipher_suites
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Find the agent
  workload_security.agent.agent_cipher_facts:
  become: true

- name: Fail unless the agent has been in contact with its manager recently
  ansible.builtin.assert:
    that: ansible_facts.workload_security_agent.healthy is true
    fail_msg: "{{ ansible_facts.workload_security_agent.healthy_reason }}"

- name: Fail if a manager that requires TLS 1.2 would cut off the agent
  ansible.builtin.assert:
    that: ansible_facts.workload_security_agent.version is workload_security.agent.agent_supports_tls('1.2')
  when: ansible_facts.workload_security_agent.version is not none

# As part of gathering facts: in ansible.cfg
#   [defaults]
#   facts_modules = smart, workload_security.agent.agent_cipher_facts
# or for some hosts, as a variable of the inventory:
#   ansible_facts_modules: [smart, workload_security.agent.agent_cipher_facts]
"""

RETURN = r"""
---
ansible_facts:
  description: The facts that this adds.
  returned: always
  type: complex
  contains:
    workload_security_agent:
      description: The agent of this host. Every key is always there.
      returned: always
      type: dict
      contains:
        installed:
          description: Whether there is an agent. Also V(false) if no source that could be asked knows one.
          returned: always
          type: bool
          sample: true
        version:
          description: The agent's version, or V(null) if no source tells it.
          returned: always
          type: str
          sample: 11.0.0.796
        version_source:
          description:
            - Where the version comes from, one of V(rpm), V(dpkg), V(pkg), V(pkginfo), V(lslpp), V(pkgutil) or
              V(dsa_query).
          returned: always
          type: str
          sample: rpm
        release:
          description: The release of this version, or V(null) if no public source names it.
          returned: always
          type: str
          sample: 11.0 Update 12
        release_certainty:
          description: How certain the release is, V(confirmed), V(likely), V(inferred) or V(unknown).
          returned: always
          type: str
          sample: confirmed
        release_reason:
          description: What the release rests on, or the nearest releases if it is unknown.
          returned: always
          type: str
        release_source:
          description: Where the release comes from, or V(null) if it is unknown.
          returned: always
          type: str
          sample: Vision One Server & Workload Protection documentation, agent platform compatibility (2025-12)
        suites:
          description: The cipher suites that are documented for this version, by their IANA names.
          returned: always
          type: list
          elements: str
          sample: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384]
        suites_state:
          description: Whether suites are V(documented), V(undocumented) or V(ambiguous) for this version.
          returned: always
          type: str
          sample: documented
        suites_certainty:
          description: How certain it is that this version has these suites, in the words of the release's certainty.
          returned: always
          type: str
          sample: confirmed
        suites_reason:
          description: The range of releases that the vendor's page lists them for, or the nearest ranges.
          returned: always
          type: str
        suites_source:
          description: The vendor's page that this comes from, or V(null) without a version.
          returned: always
          type: str
        weak:
          description: Those of the suites that are weak, each with its reasons.
          returned: always
          type: dict
          sample:
            TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384:
              - CBC with MAC-then-encrypt is open to padding oracles such as Lucky Thirteen (RFC 7457)
        tls:
          description: What is documented about each TLS version. Empty if the agent's version is not known.
          returned: always
          type: list
          elements: dict
          contains:
            version:
              description: The TLS version.
              returned: always
              type: str
              sample: TLS 1.2
            supported:
              description: Whether the agent speaks it, or V(null) if nothing says so.
              returned: always
              type: bool
            basis:
              description:
                - What this rests on, V(stated) by the vendor, V(implied) by the suites, or in V(conflict).
                - V(null) if nothing says so.
              returned: always
              type: str
            reason:
              description: A sentence.
              returned: always
              type: str
            source:
              description: The vendor's pages that say so, or V(null) if none does.
              returned: always
              type: str
        activation:
          description: Whether the agent is V(activated), V(not_activated), or V(unknown) if it cannot be asked.
          returned: always
          type: str
          sample: activated
        activation_reason:
          description: The reason for C(activation).
          returned: always
          type: str
        manager_url:
          description: The manager that the agent is activated against, or V(null).
          returned: always
          type: str
          sample: https://dsm.example.com:4120/
        agent_state:
          description: The agent's own word for the state it is in, or V(null). It says nothing about the manager.
          returned: always
          type: str
          sample: green
        last_session:
          description:
            - When the agent last had a session with its manager, in UTC.
            - V(null) if it never had one, or this is not known.
          returned: always
          type: str
          sample: "2026-11-26T09:12:44Z"
        last_session_age:
          description: How many seconds ago that was, by the agent's own clock, or V(null).
          returned: always
          type: int
          sample: 312
        healthy:
          description:
            - Whether the last session is younger than two heartbeats and the agent's state is C(green). V(null) if this
              is not known.
          returned: always
          type: bool
          sample: true
        healthy_reason:
          description: The reason for C(healthy).
          returned: always
          type: str
          sample: The last session with the manager is 5 minutes old, and the agent's state is green.
        sources:
          description: All sources, the most trusted first.
          returned: always
          type: list
          elements: dict
          contains:
            name:
              description: The program that was asked, or V(files) for the agent's own programs.
              returned: always
              type: str
              sample: rpm
            found:
              description: Whether it found an agent.
              returned: always
              type: bool
            told:
              description: The version as this source gives it, or the file that was found.
              returned: always
              type: str
              sample: 11.0.0-796.el7
            version:
              description: The version in it, or V(null).
              returned: always
              type: str
              sample: 11.0.0.796
            problem:
              description: What went wrong or does not fit, or V(null).
              returned: always
              type: str
failure:
  description:
    - Why nothing was looked for. C(code) is one word to test for, V(unsupported_platform) on Windows.
  returned: when the task failed
  type: dict
  sample: {code: unsupported_platform, message: agent_cipher_facts does not look for agents on Windows hosts. ...}
"""

import platform

from ..module_utils._agent.facts import facts_of
from ..module_utils._agent.installed import look, refusal
from ..module_utils._agent.status import INTERVAL, read_interval
from ..module_utils._basis.errors import Problem
from ..module_utils._basis.module import Module


def main() -> None:
    """Look for the agent and set the facts."""
    module = Module({"heartbeat_interval": INTERVAL})
    system = platform.system()
    problem = refusal(system)
    if problem:
        module.fail(problem)
    try:
        interval = read_interval(module.params["heartbeat_interval"])
    except Problem as error:
        module.fail(error)
    module.exit_json(changed=False, ansible_facts={"workload_security_agent": facts_of(look(system), interval)})


if __name__ == "__main__":
    main()
