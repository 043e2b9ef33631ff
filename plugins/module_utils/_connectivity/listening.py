# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on the agents' port of this host, and from where connections to it stand: Linux says so to everybody."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

_LISTEN = "0A"
# Bytes of a table; a line has 150, so these are some hundred thousand connections.
_LONGEST = 64 * 1024 * 1024


class Listening(NamedTuple):
    """addresses: where it listens. peers: who is connected, or was until some moments ago; ``None`` if unknown."""

    port: int
    listens: bool
    addresses: List[str]
    peers: Optional[List[str]]

    def as_dict(self) -> Dict[str, Any]:
        """For the module's result."""
        return dict(port=self.port, listens=self.listens, addresses=self.addresses, connected_from=self.peers)


def read_listening(port: int, tables: Tuple[str, ...] = TABLES) -> Listening:
    """Read the system's tables; where there are none, try to connect from the host to itself."""
    addresses: Dict[str, None] = {}
    peers: Dict[str, None] = {}
    known, hidden = False, False
    for table in tables:
        try:
            with open(table, encoding="ascii") as file:
                lines = file.read(_LONGEST).splitlines()[1:]
        except FileNotFoundError:
            continue  # that of IPv6 is missing where that is switched off
        except (OSError, ValueError):
            hidden = True
            continue
        known = True
        for local, remote, state in (line.split()[1:4] for line in lines):
            if int(local.partition(":")[2], 16) == port:
                if state == _LISTEN:
                    addresses[_address(local)] = None
                else:
                    peers[_address(remote)] = None
    if not known:
        return Listening(port, _answers(port), [], None)
    return Listening(port, bool(addresses), list(addresses), None if hidden else list(peers))


def _address(entry: str) -> str:
    """The address of an entry such as ``0100007F:1016``: words of 32 bits as this machine keeps them."""
    data = bytes.fromhex(entry.partition(":")[0])
    if sys.byteorder == "little":
        data = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    # A listener for both versions of IP sees IPv4 in the form of IPv6.
    return str(getattr(address, "ipv4_mapped", None) or address)


def _answers(port: int) -> bool:
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, port), timeout=1).close()
            return True
        except OSError:
            pass
    return False
