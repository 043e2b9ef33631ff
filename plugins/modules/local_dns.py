#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_dns
short_description: Keep the names that agents need in the place where their hosts look them up
version_added: 0.1.0
description:
  - Agents look for the manager by its host name. Agents that initiate communication, and agents that communicate in
    both directions, are cut off if that name cannot be resolved.
  - Keeps the records of host names in one of four places, and leaves everything else in that place alone. Each named
    host name gets exactly the given addresses or alias there, or none at all.
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
      - The host names. A manager on the premises has one.
      - C(localhost) and the other names of the loopback are refused.
      - Required if O(region) is not set.
    type: list
    elements: str
  region:
    description:
      - A region of the cloud, such as V(us-1). Adds the names of its manager and its relays to O(hostnames), as
        P(workload_security.agent.required_hostnames#filter) lists them.
      - Names that the vendor does not document for a region, as C(agent-comm) in V(trend-us-1), get no records. A
        warning tells which these are; they can be named in O(hostnames).
      - These names are public. A place for them is needed where hosts cannot ask public name servers, or must reach
        the manager by another way, such as a proxy.
    type: str
  addresses:
    description:
      - The IPv4 and IPv6 addresses that each name is to have.
      - Needed with O(state=present), if O(cname) is not set.
    type: list
    elements: str
  cname:
    description:
      - The name of which each name becomes an alias. Only for O(rfc2136).
    type: str
  ttl:
    description:
      - For how many seconds an answer may be remembered. Only for O(rfc2136) and O(unbound).
      - If not set, a name that has records keeps theirs, and one that has none gets 3600.
    type: int
  hosts_file:
    description:
      - The hosts file of the host that the module runs on.
      - The records lie in one block, which comes first in the file and is marked. All other bytes of the file stay as
        they are. When the last record goes, so does the block.
      - The file is replaced in one step, and keeps its owner, mode, access control list and security context. Where it
        is a symbolic link, the file that it leads to is replaced. A file that cannot be replaced, as in containers, is
        an error, or is written in place with O(hosts_file.unsafe_writes).
      - A run that is killed may leave a hidden file next to this one. The next run removes it. This also holds for
        O(unbound) and O(dnsmasq).
      - The block must not hold anything else. A block that is broken, twice there or holds other lines is refused.
      - A warning tells where the comments at the top of the file say that it is regenerated, as those of cloud-init do,
        and what to change instead. Another one tells where an address resolves back to another name because of the
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
          - Whether lines outside of the block count as well. Then a name is taken out of a line that says something
            else of it, and the block holds nothing that a line says as well. Other names on such a line, and its
            comment, stay.
          - If V(false), lines outside of the block stay as they are. Those that contradict are reported, with a
            warning, since resolvers add what they say, or take it instead.
        type: bool
        default: false
      unsafe_writes:
        description:
          - Whether a file that cannot be replaced is written in place. This is what F(/etc/hosts) in a container needs,
            as it is a mount there.
          - Then a program may read half of the file, and a run that is killed may leave half of it. Runs of this module
            take turns.
          - If the environment variable E(ANSIBLE_UNSAFE_WRITES) is set on the host, it is the default.
        type: bool
        default: false
  rfc2136:
    description:
      - A zone of a primary name server that takes dynamic updates (RFC 2136). Runs anywhere that reaches the server,
        most often with C(delegate_to=localhost).
      - This is the place for Windows hosts. The zones of an Active Directory are among those that it can be.
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
          - How the server knows who makes an update.
          - "V(none): by the address that it comes from."
          - "V(tsig): by the signature of a key that it shares, which O(rfc2136.key_file), or O(rfc2136.key_name) and
            O(rfc2136.key_secret), name. Questions are signed as well."
          - "V(gss_tsig): by the signature of a principal of Kerberos, whose ticket comes from O(rfc2136.keytab),
            O(rfc2136.ticket_cache), or the environment. This is what DNS of Active Directory wants where a zone takes
            I(secure only) updates. Updates go over TCP. Questions are not signed, as Active Directory answers everybody's."
          - If not set, V(tsig) with a key, and V(none) without.
        type: str
        choices: [none, tsig, gss_tsig]
      key_name:
        description:
          - Name of the key that signs updates (TSIG). With O(rfc2136.key_file), which of its keys to take.
        type: str
      key_secret:
        description:
          - The key's secret, in base64. Blanks and newlines around it do not count.
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
          - Either file of a pair that older versions of C(dnssec-keygen) made, V(K*.key) or V(K*.private), is taken, too.
        type: path
      allow_hmac_md5:
        description:
          - Whether a key of the algorithm V(hmac-md5) may sign. MD5 is broken, and RFC 8945 forbids its use. This is for
            servers that take nothing else.
        type: bool
        default: false
      principal:
        description:
          - The principal that signs with O(rfc2136.authentication=gss_tsig), as V(ansible@CORP.EXAMPLE.COM).
          - If not set, the first in O(rfc2136.keytab), or that of the ticket cache.
        type: str
      keytab:
        description:
          - A file on the machine that the module runs on, with the keys of O(rfc2136.principal). Tickets that are got with
            it are kept nowhere.
        type: path
      ticket_cache:
        description:
          - Where the tickets are that C(kinit) has got, as V(/tmp/krb5cc_1000), V(KCM:) or V(KEYRING:persistent:1000).
          - If neither this nor O(rfc2136.keytab) is set, what Kerberos itself takes, which C(KRB5CCNAME) and
            C(KRB5_CLIENT_KTNAME) in the environment tell.
        type: str
      server_name:
        description:
          - The server's full host name, of which Kerberos's name of its service is made, C(DNS/dc1.corp.example.com).
          - If not set, O(rfc2136.server). Needed where that is an address.
        type: str
      protocol:
        description:
          - How to reach the server. What does not fit into V(udp) goes over TCP.
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
      - C(unbound-checkconf) reads the whole configuration with the new file before that is put in place. Then Unbound
        loads it, and its answers are checked.
      - Unbound is told to load it by C(unbound-control). If remote control is off, a signal goes to the process that the
        PID file names, or else to the one that listens at O(unbound.address) and O(unbound.port). The last resort is
        C(systemctl reload) or C(rc-service reload).
      - All other names, including those below the host names, are looked up as before. If a host name has no IPv6
        address here, Unbound answers that it has none. The same holds for IPv4.
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
          - The main file of Unbound's configuration. Includes are found as Unbound finds them, with C(*), C(?), C([]) and
            C({}), and from the folder on that its option C(directory) names.
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
      - First, a second dnsmasq is started for a moment on the loopback, and has to answer from the new file. Only then is
        the file put in place. A signal makes dnsmasq load it, and its answers are checked.
      - C(pihole-FTL), the dnsmasq in Pi-hole, is told by the name of its process, or by the folder F(/etc/pihole). It
        reads hosts files in F(/etc/pihole/hosts), so set O(dnsmasq.path) to a file there. It cannot be started a second
        time, so the file is tried by the server itself, and removed again if the answers are wrong.
      - With C(localise-queries), dnsmasq may answer only those addresses that are on the subnet of O(dnsmasq.address).
        Such an answer is believed if it holds no other address than the given ones, and these are nearer to
        O(dnsmasq.address) than the missing ones. If a server answers at C(127.0.0.1), too, it must answer all of them.
      - If a name has only IPv4 addresses here, dnsmasq forwards questions for its IPv6 addresses, and the other way
        around. If the servers that it forwards to know the name as well, give all its addresses, IPv4 and IPv6.
    type: dict
    suboptions:
      path:
        description:
          - The file, which holds nothing else. Its folder has to be there.
        type: path
        default: /etc/dnsmasq.hosts/workload_security_agent
      pid_file:
        description:
          - The file that holds the number of dnsmasq's process.
          - If not set, F(/run/dnsmasq/dnsmasq.pid), F(/run/dnsmasq.pid) or F(/run/pihole-FTL.pid).
          - If it names no process of dnsmasq, the signal goes to the process that listens at O(dnsmasq.address) and
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
  - Exactly one of O(hosts_file), O(rfc2136), O(unbound) and O(dnsmasq) is needed. An empty dictionary takes its
    defaults.
  - Needs C(become) where the files belong to C(root). O(hosts_file), O(unbound) and O(dnsmasq) need nothing but Python
    on the host. They are not for Windows.
  - A name server has to run, also for O(state=absent). Where an earlier run was cut short, so that the file holds what
    the server does not answer yet, the file is loaded again.
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
      description: For how many seconds it may be remembered, V(null) in hosts files.
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
    - With O(hosts_file), what lines outside of the block say against RV(records). All of it, while the warning names
      ten lines.
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
      description: The address that the line says.
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
        - The line, at most 500 characters of it. What cannot be seen appears as in Python, such as C(\x1b). A tab is a
          tab.
      returned: always
      type: str
      sample: 192.0.2.9 dsm.example.com old-dsm
    replaced:
      description: Whether the name is taken out of the line.
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
        - V(bad_option), for a value that cannot be right.
        - V(unreadable) or V(unwritable), for a file. V(changed_meanwhile), if somebody else wrote it at the same time.
          V(broken_block) or V(not_ours), if the file holds something that would be overwritten. V(not_kept), if it does
          not hold what was written.
        - V(no_server), if no name server answers, V(not_included), V(refused) or V(not_reloaded), if it will not load
          the file, V(other_answer), if it then answers something else. V(no_program) or V(no_answer), if one of its
          programs is missing or hangs.
        - O(rfc2136) has more of them, such as V(concurrent_change). V(refused) means that who makes the update has no right
          to the name, V(bad_time) that clocks differ. Where an update gets no answer that can be believed,
          the records are read again. RV(failure.message) then says that the change was not made, or, where they
          cannot be read, that it is not known whether it was.
        - With O(rfc2136.authentication=gss_tsig), V(no_ticket), if there is none or it has expired, V(bad_keytab),
          V(unknown_principal), if the KDC does not know who asks, V(unknown_service) or V(wrong_realm), if it does not
          know the server, V(no_kdc), if none answers, V(bad_key), if the server does not accept the ticket,
          V(no_gss_tsig), if it takes none, V(missing_library), and V(kerberos) for all else that Kerberos refuses.
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
