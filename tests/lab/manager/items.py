# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Items of lists and rules: IP addresses, MAC addresses and ports, as they may be written and as they are shown."""

from __future__ import annotations

import ipaddress
import re

from tests.lab.manager.switches import Switches

_MAC = re.compile(r"[0-9A-Fa-f]{2}([-:])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}")
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")


def bare(item: str) -> str:
    """An item without its comment."""
    return item.split("#", 1)[0].strip()


def normal_ip(item: str) -> str:
    """An address, prefix or range in its shortest wording; raises C(ValueError)."""
    first, dash, last = item.partition("-")
    if dash:
        ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        if ends[0].version != ends[1].version or int(ends[0]) > int(ends[1]):
            raise ValueError(item)
        return f"{ends[0]}-{ends[1]}"
    if "/" in item:
        return str(ipaddress.ip_network(item, strict=False))
    return str(ipaddress.ip_address(item))


def normal_mac(item: str) -> str:
    """A MAC address in upper case; raises C(ValueError)."""
    if not _MAC.fullmatch(item):
        raise ValueError(item)
    return item.upper()


def normal_ports(item: str) -> str:
    """A port or range of ports without spaces; raises C(ValueError)."""
    match = _PORTS.fullmatch(item)
    ports = [int(port) for port in match.groups() if port] if match else []
    if not ports or ports != sorted(ports) or not 1 <= ports[0] <= ports[-1] <= 65535:
        raise ValueError(item)
    return "-".join(map(str, ports))


def spell_mac(item: str, switches: Switches) -> str:
    """An item of a MAC list, or a MAC address, with the separator from the switches."""
    separator = switches["mac_separator"]
    if separator == "as_written":
        return item
    address, sign, comment = item.partition("#")
    return re.sub("[-:]", separator, address) + sign + comment
