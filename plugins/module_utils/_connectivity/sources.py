# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where this host looks names up: nsswitch.conf, resolv.conf and the hosts file, read as glibc reads them."""

from __future__ import annotations

import ipaddress
import re
from typing import Collection, Dict, List, NamedTuple, Optional, Tuple

HOSTS_FILE = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
NSSWITCH_CONF = "/etc/nsswitch.conf"

# Bytes of a file; block lists in hosts files have some millions.
_LONGEST = 16 * 1024 * 1024
# glibc asks no more servers than these, whatever the file says.
_MOST_SERVERS = 3


class HostsLine(NamedTuple):
    """A line of the hosts file, counted from 1, that gives a name an address."""

    line: int
    address: str


class Sources(NamedTuple):
    """How names are looked up.

    services: of nsswitch.conf, such as ``files`` and ``dns``, in their order. servers: addresses of name servers.
    search: domains to try. ndots: a name with fewer dots is tried with these domains first. hosts: by name.
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
        """The names that DNS is asked for, one after the other, to find this one."""
        extended = [f"{name}.{domain}" for domain in self.search]
        return [name, *extended] if name.count(".") >= self.ndots else [*extended, name]


def read_sources(
    names: Collection[str],
    hosts_file: str = HOSTS_FILE,
    resolv_conf: str = RESOLV_CONF,
    nsswitch_conf: str = NSSWITCH_CONF,
) -> Sources:
    """Read the host's files, of the hosts file only what it says of these names, which are in lower case.

    What is missing or cannot be read counts as empty, as it does for the resolver.
    """
    servers, search, ndots = _resolver(_lines(resolv_conf))
    return Sources(_services(_lines(nsswitch_conf)), servers, search, ndots, _hosts(_lines(hosts_file), names))


def _lines(path: str) -> List[str]:
    try:
        with open(path, "rb") as file:
            # Each byte becomes a character, so that nothing in a comment can fail.
            return file.read(_LONGEST).decode("latin-1").split("\n")
    except OSError:
        return []


def _services(lines: List[str]) -> List[str]:
    for line in lines:
        name, _colon, value = line.partition("#")[0].partition(":")
        if name.strip() == "hosts":
            # What is in brackets says what to do after a service, and is none.
            return re.sub(r"\[[^]]*\]", " ", value).split()
    return ["files", "dns"]


def _resolver(lines: List[str]) -> Tuple[List[str], List[str], int]:
    servers: List[str] = []
    search: List[str] = []
    ndots = 1
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and _address(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = [domain.strip(".").lower() for domain in words[1:] if domain.strip(".")]
        elif words[0] == "options":
            for option in words[1:]:
                match = re.fullmatch(r"ndots:(\d{1,3})", option, re.ASCII)
                # glibc takes no more than 15.
                ndots = min(int(match.group(1)), 15) if match else ndots
    # Without any, the resolver asks the host itself.
    return servers[:_MOST_SERVERS] or ["127.0.0.1"], search, ndots


def _hosts(lines: List[str], names: Collection[str]) -> Dict[str, List[HostsLine]]:
    hosts: Dict[str, List[HostsLine]] = {name: [] for name in names}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].lower().split()
        for name in hosts.keys() & words[1:]:
            address = _address(words[0])
            if address:
                hosts[name].append(HostsLine(number, address))
    return hosts


def _address(text: str) -> Optional[str]:
    """An address as the resolver spells it; ``None`` for what is none."""
    plain, percent, zone = text.partition("%")
    try:
        return f"{ipaddress.ip_address(plain)}{percent}{zone}"
    except ValueError:
        return None
