#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: manager_connectivity_info
short_description: Check whether an agent on this host can reach its manager, and if not, which step fails and why
version_added: 1.0.0
description:
  - Runs on the agent's host. For each name and port that an agent needs in its communication direction, it looks up the
    name, connects, and does a TLS handshake. It reports the outcome of each step and how long it took.
  - The host's own resolver decides what a name resolves to, as it does for the agent. The hosts file and the name
    servers are also asked, to find where the answer comes from.
  - With several managers, or nodes of one, all names must resolve and answer.
  - For the first step that fails, it names the likely cause, and the option or record that fixes it.
  - It also reports whether something listens on the agents' port, and who is connected to it.
  - If there is an agent, and the module runs as C(root), it asks the agent when it last had a session with its manager.
  - It needs only Python on the host. An agent and C(root) are not required. Nothing is sent after the handshakes.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.attributes
  - workload_security.agent.attributes.info_module
attributes:
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Not for Windows hosts.
options:
  region:
    description:
      - The region of the cloud, such as V(us-1). The names that the vendor lists for its agents are checked.
      - Either this or O(manager) is needed.
    type: str
  manager:
    description:
      - The managers, or the nodes of one, that agents connect to. Each is a host name or address, C(HOST:PORT), a URL
        such as V(https://dsm.example.com:4119), or the address that agents show, such as V(dsm://dsm.example.com:4120/)
        or the C(manager_url) of M(workload_security.agent.agent_cipher_facts). A host name of the cloud means its
        region.
      - For a URL of the console, or a host name alone, O(heartbeat_port) is also checked. But if one of the managers is
        an address for heartbeats (V(dsm://) or port 4120), URLs of the console are not checked for heartbeats, so the
        console may be on a separate host.
    type: list
    elements: str
  heartbeat_port:
    description:
      - The port on which O(manager) accepts heartbeats, if its address has no port for them. From 1 to 65535. A region
        has its own.
    type: int
    default: 4120
  heartbeat_interval:
    description:
      - How many minutes the manager lets pass from one heartbeat of this agent to the next. From 1 to 1440.
      - An agent is healthy if its last session with its manager was less than two heartbeats ago. In the cloud, the
        interval is fixed at V(10).
    type: int
    default: 10
  relays:
    description:
      - Host names or addresses of on-premises relays, which are checked on port 4122. A region has its own.
    type: list
    elements: str
    default: []
  direction:
    description:
      - The communication direction to check for, whether or not it is set today.
      - With V(bidirectional) and V(agent_initiated), the agent must reach the manager.
      - With V(manager_initiated), something must listen on the agents' port, and no connection from this host is
        required. Connections are tried anyway.
    type: str
    required: true
    choices: [bidirectional, manager_initiated, agent_initiated]
  checks:
    description:
      - What to look at.
      - "V(heartbeat): the names and ports of the managers, and the agents' port on this host."
      - "V(updates): in the cloud the region's relay, and the names outside of the region's own domain where agents get
        updates. On-premises, O(relays), which must be given. Relays are also checked with V(heartbeat)."
      - "V(revocation): in the cloud, the hosts with the lists of revoked certificates, over HTTP on port 80. An agent's
        host may need these lists before it trusts the cloud's certificates. The vendor does not document these hosts;
        they belong to Amazon's CA."
      - Only V(heartbeat) counts for RV(reachable). See RV(checks).
    type: list
    elements: str
    choices: [heartbeat, updates, revocation]
    default: [heartbeat]
  timeout:
    description:
      - How many seconds the whole check may take. From 1 to 300.
      - Looking up names gets 60 percent of it. A resolver waits 5 seconds for a name server that does not answer before
        it asks the next one, so with less than 9 seconds, a name that takes so long counts as one that does not
        resolve.
    type: float
    default: 10
notes:
  - An agent may be configured to use a proxy. This module connects directly, and does not test connections through a
    proxy.
  - Each agent in the cloud is assigned one of the numbered names, such as C(agents-003). Because it is not known which,
    all of them are required.
  - Four names that the vendor lists for all other regions are not documented for V(trend-us-1). There they are tried,
    not required, and marked with V(false) in RV(endpoints[].documented).
  - For some names, the vendor does not say what they are for. These are required, unless they are known to serve
    updates or detection.
  - Whether the manager can reach the agents' port cannot be seen from the host. RV(listening.connected_from) shows who
    is connected.
seealso:
  - module: workload_security.agent.local_dns
  - module: workload_security.agent.communication_info
  - module: workload_security.agent.agent_cipher_probe
"""

EXAMPLES = r"""
---
- name: Can an agent on this host initiate the communication with the manager?
  workload_security.agent.manager_connectivity_info:
    manager: https://dsm.example.com:4119
    direction: agent_initiated
  register: connectivity

- name: Fail if it cannot, and say what to do
  ansible.builtin.assert:
    that: connectivity.reachable
    fail_msg: "{{ connectivity.problems | selectattr('required') | map(attribute='remedy') | join('; ') }}"

- name: The same with three nodes, and a console on a separate host
  workload_security.agent.manager_connectivity_info:
    manager:
      - https://dsm.example.com:4119
      - dsm://node1.example.com:4120/
      - dsm://node2.example.com:4120/
      - dsm://node3.example.com:4120/
    direction: agent_initiated

- name: Check everything that an agent in the cloud needs, and whether it is in contact with its manager
  workload_security.agent.manager_connectivity_info:
    region: jp-1
    direction: agent_initiated
    checks: [heartbeat, updates, revocation]
    timeout: 30
  become: true
  register: everything

- name: Fail if any of it does not work
  ansible.builtin.assert:
    that:
      - everything.checks.values() is all
      - everything.agent.healthy is true
      - everything.agent.is_asked is true

- name: The same with a region of the cloud
  workload_security.agent.manager_connectivity_info:
    region: jp-1
    direction: agent_initiated
    timeout: 20
"""

RETURN = r"""
---
reachable:
  description:
    - Whether everything works that the direction requires, with all managers. V(null) if O(checks) does not have
      V(heartbeat).
  returned: success
  type: bool
  sample: false
checks:
  description:
    - For each of O(checks), whether it succeeds. That of V(heartbeat) is RV(reachable), the others need each of their
      names. Names for IPv6 alone do not count.
  returned: success
  type: dict
  sample: {heartbeat: true, updates: false}
managers:
  description: The outcome for each of O(manager), or for O(region).
  returned: success
  type: list
  elements: dict
  contains:
    manager:
      description: The manager as it was given, or V(null) for O(region).
      returned: always
      type: str
      sample: dsm://node1.example.com:4120/
    region:
      description: The region of the cloud, or V(null) on the premises.
      returned: always
      type: str
    reachable:
      description: Whether everything works that the direction requires of it. V(null) as in RV(reachable).
      returned: always
      type: bool
      sample: true
    problems:
      description: Those of RV(problems) that concern it.
      returned: always
      type: list
      elements: dict
agent:
  description: What the agent on this host says about itself.
  returned: success
  type: dict
  contains:
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
    is_asked:
      description:
        - Whether this manager has the host name of one of O(manager), or the region. V(null) if it is not known. A
          manager may have several names.
      returned: always
      type: bool
      sample: true
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
          is not known. With O(direction=manager_initiated), an old session also gives V(null), because the vendor does
          not say whether agents count sessions that the manager begins.
      returned: always
      type: bool
      sample: true
    healthy_reason:
      description: The reason for C(healthy).
      returned: always
      type: str
      sample: The last session with the manager is 5 minutes old, and the agent's state is green.
problems:
  description: Everything that does not work, whether it is required or not.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, or V(null) for the agents' port on this host.
      returned: always
      type: str
      sample: dsm.example.com
    port:
      description: The port.
      returned: always
      type: int
      sample: 4120
    check:
      description: Which of O(checks) it belongs to.
      returned: always
      type: str
      sample: heartbeat
    required:
      description: Whether the direction requires it.
      returned: always
      type: bool
      sample: true
    step:
      description:
        - The first step that fails, one of V(resolution), V(tcp), V(tls), V(certificate), or V(listening) for the
          agents' port.
      returned: always
      type: str
      sample: resolution
    cause:
      description: The likely cause.
      returned: always
      type: str
      sample: "no name server knows dsm.example.com: NXDOMAIN from 192.0.2.53"
    remedy:
      description: How to fix it.
      returned: always
      type: str
      sample: >-
        add an A or AAAA record for dsm.example.com to the site's DNS, or a line to /etc/hosts, for example with
        workload_security.agent.local_dns
endpoints:
  description: The outcome for each name and port.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      returned: always
      type: str
      sample: dsm.example.com
    port:
      description: The port.
      returned: always
      type: int
      sample: 4120
    check:
      description: Which of O(checks) it belongs to.
      returned: always
      type: str
      sample: heartbeat
    purpose:
      description: What agents need it for.
      returned: always
      type: str
      sample: activation, heartbeats and all other communication
    required:
      description: Whether the direction requires it.
      returned: always
      type: bool
      sample: true
    documented:
      description:
        - Whether the vendor lists it for this region, V(true) on the premises. If not, a name of the vendor's may not
          exist.
      returned: always
      type: bool
      sample: true
    resolution:
      description: What the name resolves to, and who says so.
      returned: always
      type: dict
      contains:
        addresses:
          description:
            - The addresses in the order in which a client tries them, at most 50. The first eight are tried here.
          returned: always
          type: list
          elements: str
          sample: [192.0.2.10]
        source:
          description:
            - Who gave the addresses, V(hosts_file), V(dns), V(other) for another service of C(nsswitch.conf) or for a
              local cache, or V(address) if the name is one. V(null) if there are none.
          returned: always
          type: str
          sample: dns
        hosts_file:
          description: The lines of the hosts file that name it, at most 50.
          returned: always
          type: list
          elements: dict
          contains:
            path:
              description: The file.
              returned: always
              type: str
              sample: /etc/hosts
            line:
              description: The number of the line, from 1.
              returned: always
              type: int
              sample: 7
            address:
              description: The address that it gives.
              returned: always
              type: str
              sample: 192.0.2.10
        dns:
          description:
            - What each name server of the host answers when it is asked directly. With search domains it is asked for
              more than one name.
          returned: always
          type: list
          elements: dict
          contains:
            server:
              description: Address of the name server.
              returned: always
              type: str
              sample: 192.0.2.53
            name:
              description: The name that it was asked for.
              returned: always
              type: str
              sample: dsm.example.com
            code:
              description: The code of its answer, such as V(NOERROR), V(NXDOMAIN) or V(REFUSED), or V(null).
              returned: always
              type: str
              sample: NOERROR
            records:
              description:
                - The A, AAAA and CNAME records in its answers, at most 50, each with C(name), C(type), C(value),
                  C(ttl).
              returned: always
              type: list
              elements: dict
              sample: [{name: dsm.example.com, type: A, value: 192.0.2.10, ttl: 300}]
            error:
              description: Why there is no answer, or V(null).
              returned: always
              type: str
            seconds:
              description: How long it took.
              returned: always
              type: float
              sample: 0.004
        error:
          description: What the resolver says if there are no addresses, or V(null).
          returned: always
          type: str
        seconds:
          description: How long the resolver took.
          returned: always
          type: float
          sample: 0.005
    tcp:
      description: The outcome of connecting to each address.
      returned: always
      type: list
      elements: dict
      contains:
        address:
          description: The address.
          returned: always
          type: str
          sample: 192.0.2.10
        connected:
          description: Whether the connection was made.
          returned: always
          type: bool
          sample: true
        error:
          description: Why not, or V(null).
          returned: always
          type: str
        seconds:
          description: How long it took.
          returned: always
          type: float
          sample: 0.001
    tls:
      description:
        - The outcome of a handshake up to TLS 1.2 on the first connection that was made. V(null) if none was made, and
          for what speaks no TLS.
      returned: always
      type: dict
      contains:
        version:
          description: The version that the server chose, or V(null).
          returned: always
          type: str
          sample: TLSv1.2
        cipher:
          description: OpenSSL's name of the cipher suite that the server chose, or V(null).
          returned: always
          type: str
          sample: ECDHE-RSA-AES256-GCM-SHA384
        names:
          description: The names that the certificate is for.
          returned: always
          type: list
          elements: str
          sample: [dsm.example.com]
        name_matches:
          description: Whether the name is one of them, or V(null) without a certificate.
          returned: always
          type: bool
          sample: true
        issuer:
          description: Who issued the certificate, or V(null).
          returned: always
          type: str
          sample: CN=dsm.example.com
        chain:
          description: The certificates that the server shows, at most ten, its own first.
          returned: always
          type: list
          elements: dict
          contains:
            subject:
              description: Whose it is.
              returned: always
              type: str
              sample: CN=dsm.example.com
            issuer:
              description: Who issued it.
              returned: always
              type: str
              sample: CN=dsm.example.com
            not_before:
              description: From when it is valid, in UTC.
              returned: always
              type: str
              sample: "2026-01-01T00:00:00Z"
            not_after:
              description: Until when it is valid, in UTC.
              returned: always
              type: str
              sample: "2036-01-01T00:00:00Z"
            sha256:
              description: Its fingerprint.
              returned: always
              type: str
        trusted:
          description:
            - Whether a CA of this host vouches for the certificate, or V(null) if the connection did not get that far.
            - A manager on the premises has a certificate of its own, which its agents trust after their activation, so
              V(false) is normal there. In the cloud, it is a fault.
          returned: always
          type: bool
          sample: false
        untrusted_because:
          description: Why not, or V(null).
          returned: always
          type: str
          sample: self-signed certificate
        error:
          description:
            - What went wrong with the handshake, or V(null). A manager that shows its certificate and then ends the
              handshake, as it asks for the agent's, is no fault.
          returned: always
          type: str
        seconds:
          description: How long it took.
          returned: always
          type: float
          sample: 0.012
    broken_step:
      description: The first step that fails, as in RV(problems[].step), or V(null).
      returned: always
      type: str
    cause:
      description: The likely cause, or V(null).
      returned: always
      type: str
    remedy:
      description: How to fix it, or V(null).
      returned: always
      type: str
listening:
  description: The agents' port on this host.
  returned: success
  type: dict
  contains:
    port:
      description: The port.
      returned: always
      type: int
      sample: 4118
    listens:
      description:
        - Whether something listens where other hosts can reach it. An address of the loopback alone does not count.
        - V(null) if this is not known, because the system has no C(/proc/net/tcp) and the host has no network
          connection.
      returned: always
      type: bool
      sample: true
    addresses:
      description:
        - The addresses on which it listens, including loopback addresses. Empty if the system does not say.
      returned: always
      type: list
      elements: str
      sample: [0.0.0.0]
    connected_from:
      description:
        - Addresses that are connected to the port, or were until some moments ago. V(null) if the system does
          not say, because it has no C(/proc/net/tcp).
      returned: always
      type: list
      elements: str
      sample: [192.0.2.10]
resolver:
  description: Where this host looks up names.
  returned: success
  type: dict
  contains:
    services:
      description: The services for hosts in C(/etc/nsswitch.conf), at most 20.
      returned: always
      type: list
      elements: str
      sample: [files, dns]
    servers:
      description: The name servers in C(/etc/resolv.conf) that are asked.
      returned: always
      type: list
      elements: str
      sample: [192.0.2.53]
    search:
      description: The domains to search, at most 20.
      returned: always
      type: list
      elements: str
      sample: [example.com]
seconds:
  description: How long everything took.
  returned: success
  type: float
  sample: 0.034
failure:
  description:
    - Why nothing was tried. C(code) is one word to test for, C(option) the option to look at.
  returned: when the task failed
  type: dict
  sample: {code: bad_option, option: region, message: "option 'region' is 'mars-1': it must be one of ..."}
"""


from ..module_utils._basis.errors import Problem
from ..module_utils._basis.module import Module
from ..module_utils._connectivity.check import check
from ..module_utils._connectivity.options import ARGUMENTS, ONE_OF, read_options, secrets_in


def main() -> None:
    """Read the options, try all endpoints."""
    module = Module(ARGUMENTS, required_one_of=[ONE_OF], mutually_exclusive=[ONE_OF])
    module.no_log_values.update(secrets_in(module.params))
    try:
        asked = read_options(module.params)
    except Problem as error:
        module.fail(error)
    checked = check(asked, module.params["direction"], module.params["timeout"])
    module.exit_json(changed=False, **checked._asdict())


if __name__ == "__main__":
    main()
