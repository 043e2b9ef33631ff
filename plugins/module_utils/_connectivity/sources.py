# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where this host looks names up: nsswitch.conf, resolv.conf and the hosts file, read as glibc reads them."""

from __future__ import annotations

import ipaddress
import re
from typing import Collection, Dict, List, NamedTuple, Optional, Tuple

from .._basis.files import read_beginning

HOSTS_FILE = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
NSSWITCH_CONF = "/etc/nsswitch.conf"

# Bytes of a file. Block lists in hosts files have a few million.
_LONGEST = 16 * 1024 * 1024
# glibc asks no more servers than these, whatever the file says.
_MOST_SERVERS = 3


# The zone of an IPv6 address, which is the name of a network interface.
_ZONE = re.compile(r"[!-$&-.0-~]{1,15}")


class HostsLine(NamedTuple):
    """A line of the hosts file, counted from 1, that gives a name an address."""

    line: int
    address: str


class Sources(NamedTuple):
    """How names are looked up.

    services: from nsswitch.conf, such as C(files) and C(dns), in their order. servers: addresses of name servers.
    search: domains to append. ndots: a name with fewer dots is first tried with these domains. hosts: lines of the
    hosts file, by name.
    """

    services: List[str]
    servers: List[str]
    search: List[str]
    ndots: int
    hosts: Dict[str, List[HostsLine]]

    @property
    def asks_dns(self) -> bool:
        """Whether name servers are asked at all: by the resolver itself, or by systemd-resolved."""
        return not {"dns", "resolve"}.isdisjoint(self.services)

    def candidates(self, name: str) -> List[str]:
        """The names that DNS is asked for, one after the other, to resolve this name."""
        extended = [f"{name}.{domain}" for domain in self.search]
        return [name, *extended] if name.count(".") >= self.ndots else [*extended, name]


def read_sources(
    names: Collection[str],
    hosts_file: str = HOSTS_FILE,
    resolv_conf: str = RESOLV_CONF,
    nsswitch_conf: str = NSSWITCH_CONF,
) -> Sources:
    """Read the host's files; from the hosts file only the lines for these names, which are in lower case.

    A file that is missing or cannot be read counts as empty, as it does for the resolver.
    """
    servers, search, ndots = _resolver(_lines(resolv_conf))
    return Sources(_services(_lines(nsswitch_conf)), servers, search, ndots, _hosts(_lines(hosts_file), names))


def _lines(path: str) -> List[bytes]:
    try:
        content = read_beginning(path, _LONGEST)
    except OSError:
        return []
    lines = content.split(b"\n")
    # The resolver reads a line up to NUL.
    return [line.partition(b"\0")[0] for line in lines] if b"\0" in content else lines


def _words(line: bytes) -> List[str]:
    # Split as bytes, because the resolver treats characters that are white space only in Unicode as part of a word.
    # Each byte becomes one character, so decoding cannot fail.
    return [word.decode("latin-1") for word in line.split()]


def _services(lines: List[bytes]) -> List[str]:
    # Of several lines, the last one counts.
    for line in reversed(lines):
        name, _colon, value = line.partition(b"#")[0].partition(b":")
        if name.strip() == b"hosts":
            # Text in brackets is not a service. It says what to do after one.
            return _words(re.sub(rb"\[[^][]*\]", b" ", value))
    return ["files", "dns"]


def _resolver(lines: List[bytes]) -> Tuple[List[str], List[str], int]:
    servers: List[str] = []
    search: List[str] = []
    ndots = 1
    for line in lines:
        # In this file, the resolver accepts no blank before the first word, and takes a carriage return, as files from
        # Windows have it, for a part of the last one: then it does not ask that server.
        keyword, *words = re.split("[ \t]+", line.decode("latin-1").rstrip(" \t"))
        if not words:
            continue
        if keyword == "nameserver" and _address(words[0]):
            servers.append(words[0])
        elif keyword in ("search", "domain"):
            domains = words if keyword == "search" else words[:1]
            search = [domain.strip(".").lower() for domain in domains if domain.strip(".")]
        elif keyword == "options":
            for option in words:
                match = re.fullmatch(r"ndots:(\d{1,3})", option, re.ASCII)
                # glibc limits this to 15.
                ndots = min(int(match.group(1)), 15) if match else ndots
    # Without any server, the resolver asks the host itself.
    return servers[:_MOST_SERVERS] or ["127.0.0.1"], search, ndots


def _hosts(lines: List[bytes], names: Collection[str]) -> Dict[str, List[HostsLine]]:
    hosts: Dict[str, List[HostsLine]] = {name: [] for name in names}
    # Compared as bytes, because a file may have millions of lines for other names.
    wanted = {name.encode("utf-8", "surrogateescape"): found for name, found in hosts.items()}
    for number, line in enumerate(lines, 1):
        words = line.partition(b"#")[0].lower().split()
        for name in wanted.keys() & words[1:]:
            address = _address(words[0].decode("latin-1"))
            # The resolver does not accept a zone here either.
            if address and "%" not in address:
                wanted[name].append(HostsLine(number, address))
    return hosts


def _address(text: str) -> Optional[str]:
    """An address as the resolver spells it; C(None) if the text is not an address."""
    plain, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        return None
    try:
        return f"{ipaddress.ip_address(plain)}{percent}{zone}"
    except ValueError:
        return None
