# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network that all hosts are on: a bridge in the controller's namespace, and nothing beyond it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

# Reserved for network tests (RFC 2544) and for documentation (RFC 3849). No router forwards them.
_IPV4 = ipaddress.ip_network("198.18.0.0/16")
_IPV6 = ipaddress.ip_network("2001:db8::/64")

CONTROLLER_ADDRESS = str(_IPV4[1])

# Commands for C(ip -batch) in the controller's namespace. No machine waits for the detection of duplicate addresses.
BRIDGE = f"""\
link set lo up
link add lab type bridge mcast_snooping 0
address add {_IPV4[1]}/{_IPV4.prefixlen} dev lab
address add {_IPV6[1]}/{_IPV6.prefixlen} dev lab nodad
link set lab up
"""


@dataclass(frozen=True)
class Port:
    """The place of one machine on the bridge; C(number) counts from 1."""

    number: int

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return str(_IPV4[10 + self.number])

    @property
    def address6(self) -> str:
        """Its IPv6 address."""
        return str(_IPV6[10 + self.number])

    @property
    def mac(self) -> str:
        """Its MAC address, from a range that no vendor uses."""
        return "02:00:" + _IPV4[10 + self.number].packed.hex(":")

    def plug_in(self, pid: int) -> str:
        """Commands for C(ip -batch) in the controller's namespace: a cable to the namespace of the process C(pid)."""
        return f"""\
link add port{self.number} type veth peer name eth0 address {self.mac} netns {pid}
link set port{self.number} master lab up
"""

    def pull_out(self) -> str:
        """Commands for C(ip -batch) in the controller's namespace: remove the cable."""
        return f"link delete port{self.number}\n"

    def configure(self) -> str:
        """Commands for C(ip -batch) in the machine."""
        return f"""\
address add {self.address}/{_IPV4.prefixlen} dev eth0
address add {self.address6}/{_IPV6.prefixlen} dev eth0 nodad
link set eth0 up
"""
