# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall rules and lists that a new manager has."""

from __future__ import annotations

import typing as t

# ID, name, items. The rules below refer to some of the IDs.
IP_LISTS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (1, "Ingress Filters", ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4")),
    (3, "Internal IP Ranges", ("10.0.0.0/8", "172.16.0.0/255.240.0.0", "192.168.0.0/16")),
    (4, "Domain Controllers", ("10.0.1.10", "10.0.1.11 # standby", "10.1.1.10 - 10.1.1.12")),
    (7, "Off Domain IPs", ("203.0.113.0/24", "2001:db8::/32")),
)
MAC_LISTS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (1, "Routers", ("00-00-5E-00-53-01", "00-00-5E-00-53-02 # standby")),
    (2, "Load Balancers", ("00:00:5E:00:53:10", "00:00:5E:00:53:11")),
)
PORT_LISTS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (1, "HTTP", ("80", "443", "8080-8081")),
    (2, "Active Directory", ("88", "135", "389", "445", "464", "636", "3268-3269")),
    (4, "Remote Access", ("22", "3389 # Remote Desktop")),
    (11, "Deep Security Agent", ("4118",)),
    (12, "Deep Security Agent and Relay", ("4117-4118", "4122")),
    (14, "Databases", ("1433", "1521", "3306", "5432")),
)

# Seen on managers, with these IDs.
_SEEN: dict[int, dict[str, t.Any]] = {
    20: {
        "name": "Deep Security Agent",
        "action": "allow",
        "priority": "0",
        "protocol": "tcp",
        "destinationPortType": "port-list",
        "destinationPortListID": 11,
    },
    22: {
        "name": "Allow Deep Security as a Service inbound communications",
        "action": "allow",
        "protocol": "tcp",
        "sourceIPType": "masked-ip",
        "sourceIPValue": "192.0.2.0",
        "sourceIPMask": "255.255.255.0",
        "sourcePortType": "multiple",
        "sourcePortMultiple": ["4118"],
    },
    27: {
        "name": "Deny Internal IP Ranges",
        "action": "deny",
        "priority": "4",
        "sourceIPType": "ip-list",
        "sourceIPListID": 3,
    },
}

# Service, protocol, ports. Each service gets an incoming and an outgoing rule.
_SERVICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("HTTP", "tcp", ("80", "8080")),
    ("HTTPS", "tcp", ("443",)),
    ("SSH", "tcp", ("22",)),
    ("Remote Desktop", "tcp", ("3389",)),
    ("FTP", "tcp", ("20-21",)),
    ("SMTP", "tcp", ("25", "587")),
    ("POP3", "tcp", ("110", "995")),
    ("IMAP", "tcp", ("143", "993")),
    ("DNS", "tcp-udp", ("53",)),
    ("NTP", "udp", ("123",)),
    ("SNMP", "udp", ("161-162",)),
    ("Syslog", "udp", ("514",)),
    ("LDAP", "tcp", ("389", "636")),
    ("Kerberos", "tcp-udp", ("88",)),
    ("NetBIOS", "tcp-udp", ("137-139",)),
    ("SMB", "tcp", ("445",)),
    ("NFS", "tcp-udp", ("111", "2049")),
    ("MySQL", "tcp", ("3306",)),
    ("PostgreSQL", "tcp", ("5432",)),
    ("Oracle SQL", "tcp", ("1521",)),
    ("Microsoft SQL", "tcp", ("1433",)),
    ("Redis", "tcp", ("6379",)),
    ("Elasticsearch", "tcp", ("9200", "9300")),
    ("Kafka", "tcp", ("9092",)),
    ("Kubernetes API", "tcp", ("6443",)),
    ("Kubelet", "tcp", ("10250",)),
    ("WinRM", "tcp", ("5985-5986",)),
    ("Jenkins", "tcp", ("8080", "50000")),
    ("Zabbix Agent", "tcp", ("10050",)),
    ("VNC", "tcp", ("5900-5901",)),
)


def _rules() -> tuple[tuple[int, dict[str, t.Any]], ...]:
    rules = dict(_SEEN)
    free = (number for number in range(1, 1000) if number not in _SEEN and number % 9)
    for service, protocol, ports in _SERVICES:
        common = {"protocol": protocol, "destinationPortType": "multiple", "destinationPortMultiple": list(ports)}
        rules[next(free)] = {**common, "name": service, "action": "allow", "direction": "incoming"}
        rules[next(free)] = {
            **common,
            "name": f"{service} (outgoing)",
            "action": "force-allow",
            "priority": "2",
            "direction": "outgoing",
        }
    return tuple(sorted(rules.items()))


RULES = _rules()
