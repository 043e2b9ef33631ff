# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on the agents' port of this host, and who is connected to it. On Linux, every user may read this."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

_LISTEN = "0A"
# Addresses for documentation, which nobody has (RFC 5737, RFC 3849). The route to them is the default route.
_SOMEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
# Bytes of a table. A line has 150 bytes, so this is enough for several hundred thousand connections.
_LONGEST = 64 * 1024 * 1024


class Listening(NamedTuple):
    """What listens on a port of this host, seen from other hosts.

    listens: whether something listens where other hosts can reach it; C(None) if this is not known. A listener only on
    the loopback does not count: it is the agent's own, for its programs on this host. addresses: all addresses that are
    listened on. peers: who is connected, or was until a moment ago; C(None) if unknown.
    """

    port: int
    listens: Optional[bool]
    addresses: List[str]
    peers: Optional[List[str]]

    def as_dict(self) -> Dict[str, Any]:
        """For the module's result."""
        return dict(port=self.port, listens=self.listens, addresses=self.addresses, connected_from=self.peers)


def read_listening(port: int, tables: Tuple[str, ...] = TABLES) -> Listening:
    """Read the system's tables. If there are none, try to connect from the host to its own addresses."""
    addresses: Dict[str, None] = {}
    peers: Dict[str, None] = {}
    known, hidden = False, False
    for table in tables:
        try:
            with open(table, encoding="ascii") as file:
                lines = file.read(_LONGEST).splitlines()[1:]
        except FileNotFoundError:
            continue  # the table of IPv6 is missing if IPv6 is switched off
        except (OSError, ValueError):
            hidden = True
            continue
        known = True
        for line in lines:
            try:
                local, remote, state = line.split()[1:4]
                if int(local.partition(":")[2], 16) == port:
                    (addresses if state == _LISTEN else peers)[_address(local if state == _LISTEN else remote)] = None
            except ValueError:
                continue  # the last line, if the table was cut
    listens: Optional[bool] = any(not ipaddress.ip_address(address).is_loopback for address in addresses)
    if not listens and (hidden or not known):
        listens = _answers(port)
    return Listening(port, listens, list(addresses), list(peers) if known and not hidden else None)


def _address(entry: str) -> str:
    """The address of an entry such as C(0100007F:1016): words of 32 bits in this machine's byte order."""
    data = bytes.fromhex(entry.partition(":")[0])
    if sys.byteorder == "little":
        data = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    # A listener for both versions of IP sees IPv4 addresses in IPv6 form.
    return str(getattr(address, "ipv4_mapped", None) or address)


def _answers(port: int) -> Optional[bool]:
    """Whether a connection to this host's own addresses succeeds; C(None) if no such address is known."""
    addresses = _own_addresses()
    for address in addresses:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return True
        except OSError:
            pass
    return False if addresses else None


def _own_addresses() -> List[str]:
    """The addresses from which this host would connect to other hosts. Nothing is sent."""
    found = []
    for family, somewhere in _SOMEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as unsent:
                unsent.connect((somewhere, 9))
                found.append(str(unsent.getsockname()[0]))
        except OSError:
            pass  # this version of IP is not available, or there is no route
    return [address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback]
