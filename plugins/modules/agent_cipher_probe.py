#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: agent_cipher_probe
short_description: Find by TLS handshakes which TLS versions and cipher suites agents or managers accept
version_added: 1.0.0
description:
  - Connects to the port of an agent or a manager and offers TLS versions and cipher suites until the server has named
    all that it accepts. Reports how they differ from what is documented for the agent's version.
  - Connects directly, or through the host's SSH server to the agent's own loopback, which works where the agent's port
    is restricted.
  - It also offers what is outdated, such as TLS 1.0 and 3DES, whatever the OpenSSL of this machine allows. SSL 3.0 and
    earlier are not offered.
  - No handshake is finished. Nothing is decrypted, and no certificate is verified or needed.
  - A server that breaks the protocol, is silent or never stops sending takes a limited time and does not fail the task.
    RV(targets[].state) says what it did.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
requirements:
  - paramiko >= 3.4.1, if O(targets[].ssh) is used
options:
  targets:
    description:
      - The ports to ask.
      - Each needs O(targets[].host) or O(targets[].ssh).
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description:
          - Name or address of the host, as the machine that connects to it sees it. With O(targets[].ssh), that is the
            SSH server.
          - If not set, V(127.0.0.1) with O(targets[].ssh), which is the SSH server itself.
        type: str
      port:
        description:
          - TCP port. Agents listen on 4118, managers on 4119 and 4120.
        type: int
        default: 4118
      agent_version:
        description:
          - Version or release of the agent, such as V(20.0.0.8438) or V(11.0 Update 6), to compare with what is
            documented for it.
          - If not set, nothing is compared.
        type: str
      server_name:
        description:
          - Name that the handshake calls the server (SNI).
          - If not set, O(targets[].host), unless it is an address.
        type: str
      ssh:
        description:
          - An SSH server that makes the connections. It must allow TCP forwarding.
          - Targets with equal values share one session. Passwords are not supported.
        type: dict
        suboptions:
          host:
            description:
              - Name or address of the SSH server.
            type: str
            required: true
          port:
            description:
              - Port of the SSH server.
              - If not set, the port in C(ssh_config) is used, or else 22.
            type: int
          user:
            description:
              - User to log in as.
              - If not set, the user in C(ssh_config) is used, or else the user who runs the module.
            type: str
          private_key:
            description:
              - Path of a private key without a passphrase, RSA, ECDSA or Ed25519, in the format of OpenSSH, in PEM or
                in PKCS#8.
              - If not set, the key in C(ssh_config) is used, or else the keys in the SSH agent.
            type: path
          known_hosts:
            description:
              - Path of the file that holds the SSH server's host key. A server whose key is missing there, or differs,
                is refused. Nothing is ever added to the file.
              - It is read as OpenSSH reads it, including hashed names, wildcards and C(@revoked), but without support
                for host certificates. A line with C(@cert-authority) does not let a server through.
            type: path
            default: ~/.ssh/known_hosts
          ssh_config:
            description:
              - Path of a configuration file of OpenSSH, such as V(~/.ssh/config), in which C(host) is looked up,
                usually as an alias. C(HostName), C(Port), C(User), the first C(IdentityFile) that exists, and
                C(ProxyJump) to one other server are read from it, unless an option here says otherwise. The host keys
                of both servers must be in C(known_hosts).
              - Needs paramiko, which reads C(Host), C(Match) and C(Include). C(ProxyCommand) is refused. If a private
                key has a passphrase, the SSH agent must have that key.
              - If not set, no such file is read.
            type: path
  versions:
    description:
      - TLS versions to offer, from V(TLSv1.0) to V(TLSv1.3).
      - If not set, all of these.
    type: list
    elements: str
  suites:
    description:
      - Cipher suites to offer, by IANA name, by code point such as V(0xC02F), or by the OpenSSL name of a suite that
        agents use.
      - If not set, all suites for servers with an RSA or ECDSA certificate or with none, about 130.
    type: list
    elements: str
  timeout:
    description:
      - How many seconds one handshake may take, from the connection to the answer. From 0.1 to 60.
      - A target that is silent the first time is not asked again, so it costs this much.
    type: float
    default: 5
  target_timeout:
    description:
      - How many seconds one target may take in total. From 0.1 to 600.
      - What has been found until then is reported, with RV(targets[].complete=false).
      - An agent is asked some 10 times, a manager with many suites some 50 times. Each takes two round trips.
    type: float
    default: 10
  concurrency:
    description:
      - How many targets to ask at a time. From 1 to 256.
      - For every O(concurrency) targets, the task takes at most O(target_timeout). With the defaults, 500 targets take
        50 seconds at most, also if none answers.
    type: int
    default: 100
notes:
  - Runs where it can reach the ports, most often with C(connection=local) or C(delegate_to=localhost). Without
    O(targets[].ssh) it needs nothing but Python, so it can also run on the agent's host, against V(127.0.0.1).
  - An agent has to listen to be asked. One that initiates all communication does not.
  - The system bounds how long it takes to look up a name; O(timeout) does not.
seealso:
  - module: workload_security.agent.agent_cipher_facts
  - module: workload_security.agent.agent_cipher_info
"""

EXAMPLES = r"""
---
- name: Ask an agent, and compare with what is documented for its version
  workload_security.agent.agent_cipher_probe:
    targets:
      - host: web1.example.com
        agent_version: 20.0.0.8438
  delegate_to: localhost
  register: probed

- name: Fail if the agent differs from what is documented
  ansible.builtin.assert:
    that: probed.targets[0].documented.agrees is true

- name: Ask an agent whose port only the manager reaches, through SSH
  workload_security.agent.agent_cipher_probe:
    targets:
      - ssh:
          host: web1.example.com
          user: ops
          private_key: ~/.ssh/id_ed25519
  delegate_to: localhost

- name: Find out whether the manager still accepts TLS 1.0 or 3DES
  workload_security.agent.agent_cipher_probe:
    targets:
      - host: dsm.example.com
        port: 4120
  delegate_to: localhost
  register: manager

- name: Fail if it does
  ansible.builtin.assert:
    that:
      - manager.targets[0].state == 'answered'
      - manager.targets[0].complete
      - "'TLSv1.0' not in manager.targets[0].weak_versions"
      - "'TLS_RSA_WITH_3DES_EDE_CBC_SHA' not in manager.targets[0].suites"
"""

RETURN = r"""
---
targets:
  description: The outcome for each target, in the order of O(targets).
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host.
      returned: always
      type: str
      sample: web1.example.com
    port:
      description: The port.
      returned: always
      type: int
      sample: 4118
    ssh_host:
      description: The SSH server that made the connections, or V(null).
      returned: always
      type: str
    state:
      description:
        - "V(answered): it accepts a version and a suite."
        - "V(refused): it accepts none, and said so by an alert or by closing the connection."
        - "V(not_tls): what it says is not TLS."
        - "V(no_answer): it, or the network, stays silent."
        - "V(unreachable): it could not be asked, because nothing listens, there is no route, or SSH does not let
          through."
      returned: always
      type: str
      sample: answered
    detail:
      description: The same in words, with the reason.
      returned: always
      type: str
      sample: accepts TLSv1.2
    complete:
      description:
        - Whether it has answered everything. If V(false), it may accept more than was found.
      returned: always
      type: bool
      sample: true
    versions:
      description: Its answer to each TLS version that was to be offered, from V(TLSv1.0) to V(TLSv1.3).
      returned: always
      type: dict
      sample:
        TLSv1.2:
          state: accepted
          suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
          order: server
          complete: true
          detail: accepted
        TLSv1.3:
          state: refused
          suites: []
          order: null
          complete: true
          detail: alert protocol_version
      contains:
        state:
          description: V(accepted), V(refused), V(not_tls), V(no_answer), V(unreachable) or V(not_asked).
          returned: always
          type: str
        suites:
          description: IANA names of the suites that it accepts, in the order in which it chose them.
          returned: always
          type: list
          elements: str
        order:
          description:
            - Whose preference that order is, V(server) or V(client). With V(client) the server has none, and the
              suites are in the order in which they were offered.
            - V(null) if there are fewer than two suites, or if this is not known.
          returned: always
          type: str
        complete:
          description: Whether it has refused all other suites.
          returned: always
          type: bool
        detail:
          description: The reason.
          returned: always
          type: str
    suites:
      description: The suites of all versions, those of the newest version first.
      returned: always
      type: list
      elements: str
      sample: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
    weak:
      description: Those of the suites that are weak, each with its reasons.
      returned: always
      type: dict
      sample: {}
    weak_versions:
      description: The accepted TLS versions that are weak, each with the reason.
      returned: always
      type: dict
      sample: {}
    documented:
      description: How this differs from what is documented, or V(null) without O(targets[].agent_version).
      returned: always
      type: dict
      contains:
        agent_version:
          description: The version that was given.
          returned: always
          type: str
          sample: 20.0.0.8438
        state:
          description: Whether suites are V(documented), V(undocumented) or V(ambiguous) for this version.
          returned: always
          type: str
          sample: documented
        certainty:
          description:
            - How certain it is that these suites are documented for this version, V(confirmed), V(likely),
              V(inferred) or V(unknown).
          returned: always
          type: str
          sample: confirmed
        reason:
          description: The range of releases that the vendor's page lists the suites for, or the nearest ranges.
          returned: always
          type: str
        source:
          description: The vendor's page that this comes from, or V(null) if this is not the version of an agent.
          returned: always
          type: str
        suites:
          description: The documented suites.
          returned: always
          type: list
          elements: str
        agrees:
          description:
            - Whether the target accepts exactly the documented suites, and no TLS version against the documentation.
            - V(null) if this is not known, because no suites are documented, because not all of them were offered in
              all their versions, or because not everything was answered.
          returned: always
          type: bool
          sample: true
        missing:
          description: Documented suites that it does not accept. Empty if not everything was answered.
          returned: always
          type: list
          elements: str
        additional:
          description: Accepted suites that are not documented. Empty if none are.
          returned: always
          type: list
          elements: str
        not_offered:
          description: Documented suites that O(suites) and O(versions) leave out, so nothing is known about them.
          returned: always
          type: list
          elements: str
        missing_versions:
          description: TLS versions that are documented, and refused.
          returned: always
          type: list
          elements: str
        additional_versions:
          description: TLS versions that are documented as not supported, and accepted.
          returned: always
          type: list
          elements: str
states:
  description: How many targets have each state.
  returned: success
  type: dict
  sample: {answered: 497, no_answer: 2, unreachable: 1}
failure:
  description:
    - Why nothing was asked. C(code) is one word to test for, V(bad_option) or V(missing_library).
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: suites, message: "option 'suites' is 'RC5': it must be ..."}
"""

import collections

from ..module_utils._basis.errors import Problem
from ..module_utils._basis.libraries import import_problem, require
from ..module_utils._basis.module import Module
from ..module_utils._probe.options import ARGUMENTS, read_options
from ..module_utils._probe.probe import probe_all


def main() -> None:
    """Read the options, ask all targets."""
    module = Module(ARGUMENTS)
    try:
        targets, inquiry = read_options(module.params)
        if any(target.ssh for target in targets):
            require({"paramiko": import_problem("paramiko")})
    except Problem as error:
        module.fail(error)
    results = probe_all(targets, inquiry)
    states = collections.Counter(result["state"] for result in results)
    module.exit_json(changed=False, targets=results, states=dict(states))


if __name__ == "__main__":
    main()
