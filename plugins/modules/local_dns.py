#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_dns
short_description: Keep the names that agents need in the place where their hosts look them up
version_added: 1.0.0
description:
  - Agents look for the manager by its host name. Agents that initiate communication, and agents that communicate in
    both directions, are cut off if that name cannot be resolved.
  - Keeps the records of host names in one of four places, and leaves everything else in that place alone. Each of
    O(hostnames) gets exactly the given addresses or alias there, or none at all.
  - A change counts only when the place itself shows it. A name server is asked, and if it does not give the expected
    answer, its file is restored.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.attributes
attributes:
  check_mode:
    support: full
    details:
      - Whether a name server accepts the change is only known once it was made.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - dnspython >= 2.3, if O(rfc2136) is used
  - gssapi, if O(rfc2136.authentication=gss_tsig)
options:
  state:
    description:
      - "V(present): the place holds exactly the given records for each host name."
      - "V(absent): it holds none for them. O(addresses), O(cname) and O(ttl) are ignored."
    type: str
    choices: [present, absent]
    default: present
  hostnames:
    description:
      - The host names. An on-premises manager has one.
      - C(localhost) and the other loopback names are refused.
      - Required if O(region) is not set.
    type: list
    elements: str
  region:
    description:
      - A region of the cloud, such as V(us-1). Adds the names of its manager and its relays to O(hostnames), as
        P(workload_security.agent.required_hostnames#filter) lists them.
      - Names that the vendor does not document for a region, such as C(agent-comm) in V(trend-us-1), get no records. A
        warning tells which these are; they can be named in O(hostnames).
      - These names are public. A place for them is needed where hosts cannot ask public name servers, or must reach the
        manager another way, such as through a proxy.
    type: str
  addresses:
    description:
      - The IPv4 and IPv6 addresses that each name is to have.
      - Needed with O(state=present), if O(cname) is not set.
    type: list
    elements: str
  cname:
    description:
      - The name that each name becomes an alias of. Only for O(rfc2136).
    type: str
  ttl:
    description:
      - How many seconds resolvers may cache an answer. Only for O(rfc2136) and O(unbound).
      - If not set, a name that has records keeps theirs, and one that has none gets 3600.
    type: int
  hosts_file:
    description:
      - The hosts file of the host that the module runs on.
      - The records lie in one block, which comes first in the file and is marked. All other bytes of the file stay as
        they are. When the last record is removed, so is the block.
      - The file is replaced in one step, and keeps its owner, mode, access control list and security context. If it is
        a symbolic link, the file that it points to is replaced. A file that cannot be replaced, as in containers, is an
        error, or is written in place with O(hosts_file.unsafe_writes).
      - A run that is killed may leave a hidden file next to this one. The next run removes it. This also holds for
        O(unbound) and O(dnsmasq).
      - The block must not hold anything else. A block that is broken, occurs twice or holds other lines is refused.
      - If the comments at the top of the file say that it is regenerated, as those of cloud-init do, a warning says
        what to change instead. Another warning appears if an address resolves back to another name because of the
        block.
    type: dict
    suboptions:
      path:
        description:
          - The file.
        type: path
        default: /etc/hosts
      replace_conflicts:
        description:
          - Whether lines outside the block count as well. If V(true), a name is removed from a line that contradicts
            its records, and the block repeats nothing that a line says already. Other names on such a line, and its
            comment, stay.
          - If V(false), lines outside the block stay as they are. Those that contradict it are reported, with a
            warning, because resolvers use them in addition to the block, or instead of it.
        type: bool
        default: false
      unsafe_writes:
        description:
          - Whether a file that cannot be replaced is written in place. This is what F(/etc/hosts) in a container needs,
            as it is a mount there.
          - Then a program may read half of the file, and a run that is killed may leave half of it. Runs of this module
            wait for each other.
          - If the environment variable E(ANSIBLE_UNSAFE_WRITES) is set on the host, its value is the default.
        type: bool
        default: false
  rfc2136:
    description:
      - A zone of a primary name server that accepts dynamic updates (RFC 2136). Runs on any machine that reaches the
        server, usually with C(delegate_to=localhost).
      - Use this place for Windows hosts. The zone may be one of Active Directory.
      - The update names what was read before as its prerequisite, so that a change by somebody else in between is not
        overwritten.
      - Records of other types than A, AAAA and CNAME are left alone. A name that has some cannot become an alias.
    type: dict
    suboptions:
      server:
        description:
          - Name or address of the primary server.
        type: str
        required: true
      port:
        description:
          - Port of the server, for UDP and TCP.
        type: int
        default: 53
      zone:
        description:
          - The zone that holds the host names.
          - If not set, the server is asked for it.
        type: str
      authentication:
        description:
          - How the server authenticates updates.
          - "V(none): by the address that an update comes from."
          - "V(tsig): by the signature of a shared key. Set O(rfc2136.key_file), or O(rfc2136.key_name) and
            O(rfc2136.key_secret). Queries are signed as well."
          - "V(gss_tsig): by the signature of a Kerberos principal, whose ticket comes from O(rfc2136.keytab),
            O(rfc2136.ticket_cache), or the environment. Active Directory requires this if a zone accepts I(secure only)
            dynamic updates. Updates go over TCP. Queries are not signed, because Active Directory answers them for
            everybody."
          - If not set, V(tsig) if a key is given, and V(none) otherwise.
        type: str
        choices: [none, tsig, gss_tsig]
      key_name:
        description:
          - Name of the key that signs updates (TSIG). With O(rfc2136.key_file), which of its keys to use.
        type: str
      key_secret:
        description:
          - The key's secret, in base64. Blanks and newlines around it are ignored.
          - Needed with O(rfc2136.key_name), if O(rfc2136.key_file) is not set.
        type: str
      key_algorithm:
        description:
          - The key's algorithm. V(hmac-md5) needs O(rfc2136.allow_hmac_md5).
          - If not set, the one in O(rfc2136.key_file), or V(hmac-sha256).
        type: str
        choices: [hmac-md5, hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
      key_file:
        description:
          - A file on the machine that the module runs on, with the key's name, algorithm and secret, as
            C(tsig-keygen) and C(rndc-confgen) write it and C(nsupdate -k) reads it, V(key "name" { algorithm ...;
            secret "..."; };).
          - Either file of a pair that older versions of C(dnssec-keygen) created, V(K*.key) or V(K*.private), is also
            accepted.
        type: path
      allow_hmac_md5:
        description:
          - Whether a key with the algorithm V(hmac-md5) may sign. MD5 is broken, and RFC 8945 forbids its use. Use this
            only for servers that accept nothing else.
        type: bool
        default: false
      principal:
        description:
          - The principal that signs with O(rfc2136.authentication=gss_tsig), such as V(ansible@CORP.EXAMPLE.COM).
          - If not set, the first in O(rfc2136.keytab), or that of the ticket cache.
        type: str
      keytab:
        description:
          - A file on the machine that the module runs on, with the keys of O(rfc2136.principal). Tickets that are
            obtained with it are not stored.
        type: path
      ticket_cache:
        description:
          - Where C(kinit) stores the tickets, such as V(/tmp/krb5cc_1000), V(KCM:) or V(KEYRING:persistent:1000).
          - If neither this nor O(rfc2136.keytab) is set, the defaults of Kerberos are used, which C(KRB5CCNAME) and
            C(KRB5_CLIENT_KTNAME) in the environment can change.
        type: str
      server_name:
        description:
          - The server's full host name. It becomes part of the Kerberos service name, such as
            C(DNS/dc1.corp.example.com).
          - If not set, O(rfc2136.server) is used. Required if that is an address.
        type: str
      protocol:
        description:
          - How to reach the server. Messages that do not fit into V(udp) go over TCP.
        type: str
        choices: [udp, tcp]
        default: udp
      timeout:
        description:
          - How many seconds the server may take for one answer. From 0.1 to 60.
        type: float
        default: 5
  unbound:
    description:
      - A file with local data of the Unbound on the host that the module runs on, usually a site's resolver. Unbound's
        configuration has to include it.
      - C(unbound-checkconf) checks the whole configuration with the new file before the file is put in place. Then
        Unbound loads it, and its answers are checked.
      - Unbound is told to load it by C(unbound-control). If remote control is off, a signal goes to the process that
        the PID file names, or else to the process that listens on O(unbound.address) and O(unbound.port). The last
        resort is C(systemctl reload) or C(rc-service reload).
      - All other names, including those below the host names, are looked up as before. If a host name has no IPv6
        address here, Unbound answers that it has none. The same is true for IPv4.
    type: dict
    suboptions:
      path:
        description:
          - The file, which holds nothing else. It stays when the last record is removed, because the configuration may
            name it.
        type: path
        default: /etc/unbound/unbound.conf.d/workload_security_agent.conf
      configuration:
        description:
          - The main file of Unbound's configuration. Includes are resolved as Unbound does it, with C(*), C(?), C([])
            and C({}), and relative to the folder in its option C(directory).
        type: path
        default: /etc/unbound/unbound.conf
      address:
        description:
          - Address at which this Unbound answers.
        type: str
        default: 127.0.0.1
      port:
        description:
          - Port at which this Unbound answers.
        type: int
        default: 53
  dnsmasq:
    description:
      - A hosts file of the dnsmasq on the host that the module runs on. Its configuration has to name the file, or the
        folder that it lies in, with C(addn-hosts) or C(hostsdir).
      - First, a second dnsmasq is started for a moment on the loopback interface, and has to answer from the new file.
        Only then is the file put in place. A signal makes dnsmasq load it, and its answers are checked.
      - C(pihole-FTL), the dnsmasq in Pi-hole, is recognized by the name of its process, or by the folder
        F(/etc/pihole). It reads hosts files in F(/etc/pihole/hosts), so set O(dnsmasq.path) to a file there. It cannot
        be started a second time, so the running server tries the file, which is removed again if the answers are wrong.
      - With C(localise-queries), dnsmasq may answer only those addresses that are on the subnet of O(dnsmasq.address).
        Such an answer is accepted if it holds only given addresses, and these are nearer to O(dnsmasq.address) than the
        missing ones. If a server answers at C(127.0.0.1), too, it must answer all of them.
      - If a name has only IPv4 addresses here, dnsmasq forwards questions for its IPv6 addresses, and the other way
        around. If the servers that it forwards to know the name as well, give all its addresses, IPv4 and IPv6.
    type: dict
    suboptions:
      path:
        description:
          - The file, which holds nothing else. Its folder must exist.
        type: path
        default: /etc/dnsmasq.hosts/workload_security_agent
      pid_file:
        description:
          - The file that holds the process ID of dnsmasq.
          - If not set, F(/run/dnsmasq/dnsmasq.pid), F(/run/dnsmasq.pid) or F(/run/pihole-FTL.pid).
          - If it names no process of dnsmasq, the signal goes to the process that listens on O(dnsmasq.address) and
            O(dnsmasq.port).
        type: path
      address:
        description:
          - Address at which this dnsmasq answers.
        type: str
        default: 127.0.0.1
      port:
        description:
          - Port at which this dnsmasq answers.
        type: int
        default: 53
notes:
  - Exactly one of O(hosts_file), O(rfc2136), O(unbound) and O(dnsmasq) is needed. An empty dictionary uses its
    defaults.
  - Needs C(become) if the files belong to C(root). O(hosts_file), O(unbound) and O(dnsmasq) need only Python on the
    host. They do not support Windows.
  - A name server has to be running, also for O(state=absent). If an earlier run was interrupted, so that the server
    does not answer from the file yet, the file is loaded again.
seealso:
  - plugin: workload_security.agent.required_hostnames
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Let hosts find the manager without any name server
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10, 2001:db8::10]
    hosts_file: {}
  become: true

- name: Do the same where older lines may name the manager's old address
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10]
    hosts_file:
      replace_conflicts: true
  become: true

- name: Do the same in a container, where the file is a mount
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10]
    hosts_file:
      unsafe_writes: true

- name: Put the name into the site's zone
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10]
    ttl: 300
    rfc2136:
      server: ns1.example.com
      key_name: ansible
      key_secret: "{{ lookup('ansible.builtin.env', 'TSIG_SECRET') }}"
  delegate_to: localhost
  run_once: true

- name: Do the same with the key in a file of the controller, as tsig-keygen makes it
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10]
    rfc2136:
      server: ns1.example.com
      key_file: /etc/ansible/dns.key
  delegate_to: localhost
  run_once: true

- name: Put the name into a zone of Active Directory that takes secure updates only, as an account with a keytab
  workload_security.agent.local_dns:
    hostnames: [dsm.corp.example.com]
    addresses: [192.0.2.10]
    rfc2136:
      server: dc1.corp.example.com
      authentication: gss_tsig
      principal: ansible@CORP.EXAMPLE.COM
      keytab: /etc/ansible/ansible.keytab
  delegate_to: localhost
  run_once: true

- name: Point the names of the cloud to a proxy, on the site's resolvers
  workload_security.agent.local_dns:
    region: us-1
    addresses: [192.0.2.20]
    unbound: {}
  become: true

- name: Do the same on a Pi-hole
  workload_security.agent.local_dns:
    hostnames: [dsm.example.com]
    addresses: [192.0.2.10]
    dnsmasq:
      path: /etc/pihole/hosts/workload_security_agent
  become: true

- name: Take the name away again
  workload_security.agent.local_dns:
    state: absent
    hostnames: [dsm.example.com]
    dnsmasq:
      path: /etc/dnsmasq.hosts/workload_security_agent
  become: true
"""

RETURN = r"""
---
before:
  description: The records of the host names that the place held, sorted.
  returned: success
  type: list
  elements: dict
  sample: []
  contains: &record
    name:
      description: The host name, in lower case and without a final dot.
      returned: always
      type: str
      sample: dsm.example.com
    type:
      description: V(A), V(AAAA) or V(CNAME).
      returned: always
      type: str
      sample: A
    value:
      description: The address, or the name that this is an alias of.
      returned: always
      type: str
      sample: 192.0.2.10
    ttl:
      description: How many seconds it may be cached, V(null) in hosts files.
      returned: always
      type: int
      sample: 3600
records:
  description: The records of the host names that the place holds now, or in check mode would hold, sorted.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: dsm.example.com, type: A, value: 192.0.2.10, ttl: 3600}
  contains: *record
conflicts:
  description:
    - With O(hosts_file), the lines outside the block that contradict RV(records). This lists all of them; the warning
      names only ten.
  returned: success
  type: list
  elements: dict
  sample: []
  contains:
    name:
      description: The host name.
      returned: always
      type: str
      sample: dsm.example.com
    type:
      description: V(A) or V(AAAA).
      returned: always
      type: str
      sample: A
    value:
      description: The address in the line.
      returned: always
      type: str
      sample: 192.0.2.9
    line:
      description: The number of the line, from 1, before any change.
      returned: always
      type: int
      sample: 4
    text:
      description:
        - The line, at most 500 characters of it. Invisible characters appear as in Python, such as C(\x1b), except
          tabs.
      returned: always
      type: str
      sample: 192.0.2.9 dsm.example.com old-dsm
    replaced:
      description: Whether the name is removed from the line.
      returned: always
      type: bool
      sample: false
failure:
  description: What went wrong.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - One word to test for.
        - "V(bad_option): an option has an invalid value."
        - "For files, V(unreadable): it cannot be read, by the module or by the name server. V(unwritable): it cannot be
          written. V(changed_meanwhile): somebody else wrote to it at the same time. V(broken_block) or V(not_ours): it
          holds something that would be overwritten. V(not_kept): it does not hold what was written."
        - "For name servers, V(no_server): none answers. V(not_included), V(refused) or V(not_reloaded): it does not
          load the file. V(other_answer): it loads the file, but answers something else. V(no_program) or V(no_answer):
          one of its programs is missing or hangs."
        - "O(rfc2136) has more of them. V(concurrent_change): somebody else changed the records. V(refused): the account
          or key has no right to the name. V(bad_time): clocks differ. If an update gets no valid answer, the records
          are read again. RV(failure.message) then says that the change was not made, or if they cannot be read, that it
          is not known whether it was made."
        - "With O(rfc2136.authentication=gss_tsig), V(no_ticket): there is no ticket, or it has expired. V(bad_keytab):
          the keytab cannot be used. V(unknown_principal): the KDC does not know the principal. V(unknown_service) or
          V(wrong_realm): the KDC does not know the server. V(no_kdc): no KDC answers. V(bad_key): the server does not
          accept the ticket. V(no_gss_tsig): the server does not support GSS-TSIG. V(missing_library): gssapi or
          dnspython is missing. V(kerberos): Kerberos refuses for another reason."
      returned: always
      type: str
      sample: other_answer
    option:
      description: The option to look at, or V(null).
      returned: always
      type: str
    message:
      description: The same as RV(ignore:msg).
      returned: always
      type: str
"""

from ..module_utils._dns.module import run


def main() -> None:
    """Run the module."""
    run()


if __name__ == "__main__":
    main()
