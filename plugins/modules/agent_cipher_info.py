#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_cipher_info
short_description: List a fleet's cipher suites, and which agents a stricter requirement would cut off
version_added: 1.0.0
description:
  - Reads the versions of all agents from the manager, and lists which TLS cipher suites they are documented to support,
    by computer, by release, and in total. It connects to no host.
  - Given the suites or the lowest TLS version that a manager will require, lists the agents that would be cut off,
    those for which this is not known, and for each the nearest later release that is documented to work.
  - An agent is kept if it shares B(at least one) suite with those that the manager will still accept, in a TLS version
    that the manager will still accept.
  - Without O(computer_groups), O(computers_matching) and O(computers_query), it checks all computers.
  - What the vendor's page does not cover is V(undocumented), and what may belong to more than one place on it is
    V(ambiguous). Nothing is guessed. If all of these places lead to the same answer, that is the answer.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.targets
  - workload_security.agent.targets.computers
options:
  require:
    description:
      - The requirements that the vendor's own scripts for strong cipher suites set on a manager, instead of
        O(required_suites) and O(minimum_tls).
    type: dict
    suboptions:
      preset:
        description:
          - "V(strong): C(EnableStrongCiphers.script), for a manager 10.0 from build 3367 or 11.x that is not in FIPS
            mode. Four suites with ECDHE, and TLS 1.2."
          - "V(strong_gcm): C(EnableStrongCiphers12.script), which the vendor publishes for manager, relays and agents
            from 12.0 on. Two suites with ECDHE and AES-GCM, and TLS 1.2."
          - The vendor's first script expects that strong suites have been added to the outbound suites of agents of
            10.0 and 11.0, but nobody has published which ones. So for agents of 10.0 (from Update 16 on) and 11.0 whose
            documented suites are not enough, it is not known whether they are kept.
        type: str
        required: true
        choices:
          - strong
          - strong_gcm
  required_suites:
    description:
      - The suites that the manager will still accept, each by its IANA name, OpenSSL name, or code point such as
        V(0xC0,0x2F). A suite that no agent is documented to use is an error; leave it out.
    type: list
    elements: str
  minimum_tls:
    description:
      - The lowest TLS version that the manager will still accept, such as V(1.2) or V(TLS 1.2).
      - No page of the vendor mentions TLS 1.3, so with V(1.3) hardly anything is known.
    type: str
  requirements:
    description:
      - Several requirements, checked against the same reading of the fleet, instead of O(require), O(required_suites)
        and O(minimum_tls).
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of the requirement in the result.
        type: str
        required: true
      preset:
        description:
          - See O(require.preset). It replaces O(requirements[].required_suites) and O(requirements[].minimum_tls).
        type: str
        choices:
          - strong
          - strong_gcm
      required_suites:
        description:
          - See O(required_suites).
        type: list
        elements: str
      minimum_tls:
        description:
          - See O(minimum_tls).
        type: str
  computers:
    description:
      - Which computers to list one by one. All counts in the result include all computers.
      - "V(lost): those that a requirement would cut off, and those for which this is not known."
      - "V(none): no computers, which keeps the result small, whatever the size of the fleet."
    type: str
    choices:
      - all
      - lost
      - none
    default: lost
  computers_format:
    description:
      - How to list them. V(list) gives RV(computers). V(csv) gives RV(computers_csv), a text for a file, which is much
        faster with tens of thousands of computers, since Ansible then does not look at each value.
    type: str
    choices:
      - list
      - csv
    default: list
  computers_most:
    description:
      - List at most this number of computers in RV(computers), with those first that the most requirements would cut
        off. With O(computers_format=csv), RV(computers) is then returned, too.
    type: int
notes:
  - The module sends one request for every 5,000 computers, and one each for policies and groups, whatever the
    options.
  - The vendor contradicts itself on TLS 1.2 in agents 9.5 and 9.6. Where this matters, it is not known whether they are
    kept.
  - The vendor's table of platforms says that TLS 1.2 is not supported on CloudLinux 5 and Ubuntu 10.04. Computers with
    these are cut off by a requirement that needs TLS 1.2, and no release is named for an upgrade.
  - The module does not check whether an agent of a release exists for a computer's platform. Builds that are known for
    only one platform name it.
  - An agent may be configured to accept other suites, for example in FIPS mode.
seealso:
  - module: workload_security.agent.computer_info
  - plugin: workload_security.agent.agent_cipher_suites
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Find the agents that would be cut off if the manager no longer accepted RSA key exchange
  workload_security.agent.agent_cipher_info:
    url: https://dsm.example.com:4119
    required_suites:
      - ECDHE-RSA-AES256-GCM-SHA384
      - ECDHE-RSA-AES128-GCM-SHA256
      - ECDHE-RSA-AES256-SHA384
      - ECDHE-RSA-AES128-SHA256
  register: without_rsa

- name: Find the agents that would be cut off if the vendor's script for strong cipher suites ran on the manager
  workload_security.agent.agent_cipher_info:
    url: https://dsm.example.com:4119
    require:
      preset: strong

- name: List the computers, and the release that helps each
  ansible.builtin.debug:
    msg: "{{ item.name }} ({{ item.outcomes.required }}): {{ item.upgrades.required or 'no release is known to help' }}"
  loop: "{{ without_rsa.computers }}"
  loop_control:
    label: "{{ item.id }}"

- name: Count what two requirements mean, and read the fleet only once
  workload_security.agent.agent_cipher_info:
    url: https://dsm.example.com:4119
    computers: none
    requirements:
      - name: TLS 1.2
        minimum_tls: "1.2"
      - name: TLS 1.2 and AES-GCM
        minimum_tls: "1.2"
        required_suites: [ECDHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-AES128-GCM-SHA256]
"""

RETURN = r"""
---
manager:
  description: URL of the manager.
  returned: success
  type: str
  sample: https://dsm.example.com:4119/api
summary:
  description: How many C(computers) there are, and how many of them are in each state, as in RV(releases[].state).
  returned: success
  type: dict
  sample: {computers: 300, documented: 263, ambiguous: 9, undocumented: 26, unknown_version: 0, no_agent: 2}
suites:
  description: The ten suites that agents are documented to use.
  returned: success
  type: list
  elements: dict
  contains:
    iana:
      description: IANA name.
      type: str
      returned: always
      sample: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    openssl:
      description: OpenSSL name.
      type: str
      returned: always
      sample: ECDHE-RSA-AES128-GCM-SHA256
    code_point:
      description: Code point in the registry of IANA.
      type: str
      returned: always
      sample: "0xC0,0x2F"
    rfc:
      description: Number of the RFC that the registry refers to.
      type: int
      returned: always
      sample: 5289
    lowest_tls:
      description: The first TLS version that has it.
      type: str
      returned: always
      sample: "1.2"
    key_exchange:
      description: V(ECDHE) or V(RSA).
      type: str
      returned: always
    forward_secrecy:
      description: Whether it has forward secrecy.
      type: bool
      returned: always
    aead:
      description: Whether it is a cipher with authenticated encryption.
      type: bool
      returned: always
    recommended:
      description: The column of that name in the registry of IANA, V(Y), V(N), or V(D) for discouraged.
      type: str
      returned: always
    weak:
      description: Why it is weak. Empty if it is not.
      type: list
      elements: str
      returned: always
    computers:
      description: How many computers have an agent that is documented to use it.
      type: int
      returned: always
releases:
  description:
    - Every range of releases on the vendor's page, even if no computer is in it, and what lies outside all ranges, from
      old to new.
  returned: success
  type: list
  elements: dict
  contains:
    release:
      description:
        - The range in the page's words, or a release line with its state, V(unknown version) or V(no agent).
      type: str
      returned: always
      sample: 11.0 up to Update 4
    state:
      description: V(documented), V(undocumented), V(ambiguous), V(unknown_version) or V(no_agent).
      type: str
      returned: always
    suites:
      description:
        - The documented suites by their IANA names, in the order of the page. Empty if they are not documented.
      type: list
      elements: str
      returned: always
    source:
      description: The vendor's page that lists the suites, or V(none) for a computer without an agent.
      type: str
      returned: always
    computers:
      description: How many computers are in it.
      type: int
      returned: always
    outcomes:
      description: By the name of each requirement, how many of these computers are C(kept), C(lost) and C(unknown).
      type: dict
      returned: always
      sample: {required: {kept: 12, lost: 0, unknown: 0}}
    versions:
      description:
        - The versions of these computers' agents. Each has C(agent_version), its C(release), C(release_certainty),
          C(suites_certainty), C(tls) and the number of C(computers); see the filters
          P(workload_security.agent.agent_release#filter) and P(workload_security.agent.agent_cipher_suites#filter).
      type: list
      elements: dict
      returned: always
requirements:
  description:
    - What each requirement means for the fleet. O(require), or O(required_suites) and O(minimum_tls) together, are one
      requirement with the name V(required).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    required_suites:
      description: The suites by their IANA names. Empty if any suite is accepted.
      type: list
      elements: str
      returned: always
    minimum_tls:
      description: The lowest TLS version, or V(none) if any version is accepted.
      type: str
      returned: always
    source:
      description:
        - The vendor's script that requires this, with O(require) or O(requirements[].preset). V(none) otherwise.
      type: str
      returned: always
      sample: github.com/deep-security/ops-tools, deepsecurity/manager/EnableStrongCiphers.script (2018)
    kept:
      description: How many computers are kept.
      type: int
      returned: always
    lost:
      description: How many computers would be cut off.
      type: int
      returned: always
    unknown:
      description: For how many computers this is not known.
      type: int
      returned: always
    causes:
      description:
        - Why, with the number of computers.
        - For those that would be cut off, V(no_shared_suite), V(tls_too_old) or V(platform).
        - For those for which it is not known, V(undocumented), V(ambiguous), V(conflict) between the vendor's pages,
          V(extendable) if the agent's list of suites can be extended by ones that nobody has published, V(no_agent) or
          V(unknown_version).
      type: dict
      returned: always
      sample: {no_shared_suite: 31, undocumented: 17, no_agent: 2}
    upgrades:
      description:
        - The releases that help those that are not kept, each the nearest one for a number of C(computers), with the
          C(builds) (C(version), C(platform)) that public sources name for it, and the C(newest) release that is known
          and documented to help as well.
      type: list
      elements: dict
      returned: always
      sample:
        - release: 11.0 Update 6
          builds: [{version: 11.0.0.582, platform: null}]
          newest: 20 LTS Update 2025-09-24
          computers: 31
    agents:
      description:
        - The agents that are not kept, lost ones first, each with C(agent_version), C(release), the number of
          C(computers), up to five of their names as C(examples), C(outcome), C(cause), the C(reason) in a sentence, the
          C(source) (the vendor's page or script that this comes from, if any), and the release to C(upgrade) to, if
          any, with the C(newest_upgrade).
      type: list
      elements: dict
      returned: always
breakdowns:
  description:
    - By V(policy) (by its path), V(group) (by its path) and V(platform) (without builds and kernels), a list of those
      that computers have, each with its C(name) (null for computers without one, or if the API key may not see it), the
      number of C(computers), and C(outcomes) as in RV(releases[].outcomes).
  returned: success
  type: dict
computers:
  description: The computers that O(computers) asks for.
  returned: when O(computers_format=list), or with O(computers_most)
  type: list
  elements: dict
  contains:
    id:
      description: ID on the manager.
      type: int
      returned: always
    name:
      description: Host name, or display name if there is no host name. Unprintable characters become spaces.
      type: str
      returned: always
    display_name:
      description: Display name.
      type: str
      returned: always
    policy:
      description: Name of its policy. Here and for the paths, null without one, or if the API key may not see them.
      type: str
      returned: always
    policy_path:
      description: Path of its policy.
      type: str
      returned: always
    group_path:
      description: Path of its group.
      type: str
      returned: always
    platform:
      description: Platform, in the manager's words. C(platform_name) has it without builds and kernels.
      type: str
      returned: always
    agent_version:
      description: Version of the agent, V(0.0.0.0) without one.
      type: str
      returned: always
    outcomes:
      description: By the name of each requirement, V(kept), V(lost) or V(unknown).
      type: dict
      returned: always
      sample: {required: lost}
    upgrades:
      description: By the name of each requirement, the release that meets it. V(none) if no release does, or if none is needed.
      type: dict
      returned: always
      sample: {required: 11.0 GA}
    newest_upgrades:
      description: The same for the newest known release that meets it.
      type: dict
      returned: always
      sample: {required: 20 LTS Update 2025-09-24}
    sources:
      description:
        - By the name of each requirement, the vendor's pages or script that the outcome comes from. V(none) if none
          says so.
      type: dict
      returned: always
      sample:
        required: >-
          Vision One documentation, Server & Workload Protection, communication between the manager and agents (2025-12)
computers_csv:
  description:
    - The same as a table of comma-separated values with a header. For each requirement there are four columns, of
      its name for the outcome, for the nearest and the newest release that saves it, and for the source.
    - All text is in quotes. An apostrophe is put before anything that a spreadsheet would take for a formula, also
      after a C(;), C(,) or C(|) within a text, because some spreadsheets take that for the end of a cell.
  returned: when O(computers_format=csv)
  type: str
failure:
  description:
    - Why nothing was read. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: minimum_tls}
"""

from ..module_utils._answers.cipher_fleet import CIPHER_ARGUMENTS, CiphersAsked, read_ciphers
from ..module_utils._task.module import run_module
from ..module_utils._task.work import of_reading

WORK = of_reading(CIPHER_ARGUMENTS, lambda params, _deployment: CiphersAsked.from_options(params), read_ciphers)


def main() -> None:
    """Read the options, read the computers, judge their agents."""
    run_module(WORK)


if __name__ == "__main__":
    main()
