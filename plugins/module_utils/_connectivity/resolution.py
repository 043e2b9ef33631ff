# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a name resolves to on this host, and which source says so.

The host's own resolver decides. Its name servers are also asked directly, because the resolver says neither which of
them answered nor why none of them did.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any, Dict, List, NamedTuple, Optional

from .._dns.records import ADDRESS_TYPES, Record
from .._dns.wire import NOERROR, look_up
from .background import in_background, wait_until
from .sources import HOSTS_FILE, HostsLine, Sources

# The possible sources of addresses.
HOSTS_FILE_SOURCE = "hosts_file"
DNS_SOURCE = "dns"
OTHER_SOURCE = "other"

# The name is an address, so there was no lookup.
ADDRESS_SOURCE = "address"


# The most addresses, records and lines that are shown for a name, which may have thousands.
_MOST = 50


class Said(NamedTuple):
    """What a name server said about a name: a code and records, or what went wrong when it was asked."""

    server: str
    name: str
    code: Optional[str]
    records: List[Record]
    error: Optional[str]
    seconds: float

    @property
    def addresses(self) -> List[str]:
        """The addresses among the records."""
        return [record.value for record in self.records if record.type in ADDRESS_TYPES]


class Resolution(NamedTuple):
    """The result for a name: addresses in the order in which a client tries them, or an error in words."""

    addresses: List[str]
    source: Optional[str]
    hosts_lines: List[HostsLine]
    answers: List[Said]
    error: Optional[str]
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """For the module's result."""
        return dict(
            addresses=self.addresses[:_MOST],
            source=self.source,
            hosts_file=[dict(path=HOSTS_FILE, **line._asdict()) for line in self.hosts_lines[:_MOST]],
            dns=[
                dict(
                    server=said.server,
                    name=said.name,
                    code=said.code,
                    records=[record.as_dict() for record in said.records[:_MOST]],
                    error=said.error,
                    seconds=round(said.seconds, 3),
                )
                for said in self.answers
            ],
            error=self.error,
            seconds=round(self.seconds, 3),
        )


class Lookup:
    """The lookup of a name in the background. It starts when this object is created."""

    def __init__(self, name: str, sources: Sources, timeout: float, dns_timeout: float) -> None:
        """The resolver has C(timeout) seconds, each name server has C(dns_timeout) seconds for all its questions."""
        self._name = name
        self._sources = sources
        self._timeout = timeout
        self._began = time.monotonic()
        self._is_address = _is_address(name)
        self._resolver = in_background(_resolve, name)
        self._servers = {
            server: in_background(_ask_server, server, sources.candidates(name), dns_timeout)
            for server in dict.fromkeys(sources.servers)
            if sources.asks_dns and not self._is_address
        }
        self._dns_deadline = self._began + dns_timeout

    def addresses(self) -> List[str]:
        """The addresses as soon as the resolver has them; empty if it has none or if the time is over."""
        found = wait_until(self._resolver, self._began + self._timeout)
        return found.addresses if found else []

    def result(self) -> Resolution:
        """Everything that is known. Waits until the name servers have answered or their time is over."""
        late = _Resolved([], f"no answer from the host's resolver within {self._timeout:.3g} seconds", self._timeout)
        found = wait_until(self._resolver, self._began + self._timeout) or late
        answers: List[Said] = []
        for asked in self._servers.values():
            # A server may use all its time, plus a moment.
            told = wait_until(asked, self._dns_deadline + 0.5)
            answers += told or []
        lines = self._sources.hosts.get(self._name, [])
        return Resolution(
            found.addresses, self._source(found.addresses, lines, answers), lines, answers, found.error, found.seconds
        )

    def _source(self, addresses: List[str], lines: List[HostsLine], answers: List[Said]) -> Optional[str]:
        if not addresses:
            return None
        if self._is_address:
            return ADDRESS_SOURCE
        if set(addresses) & {line.address for line in lines}:
            return HOSTS_FILE_SOURCE
        told = {address for said in answers for address in said.addresses}
        # Servers may answer every question with other addresses. If there is no other service, the source must be DNS.
        if told & set(addresses) or (told and set(self._sources.services) <= {"files", "dns"}):
            return DNS_SOURCE
        return OTHER_SOURCE


class _Resolved(NamedTuple):
    addresses: List[str]
    error: Optional[str]
    seconds: float


def _resolve(name: str) -> _Resolved:
    began = time.monotonic()
    addresses: Dict[str, None] = {}
    problem = None
    try:
        for _family, _kind, _protocol, _name, where in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
            addresses[str(where[0])] = None
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    return _Resolved(list(addresses), problem, time.monotonic() - began)


def _ask_server(server: str, names: List[str], timeout: float) -> List[Said]:
    """Ask for these names one after the other until one has an address, as the resolver does."""
    deadline = time.monotonic() + timeout
    answers: List[Said] = []
    for name in names:
        began = time.monotonic()
        code = None
        records: Dict[Record, None] = {}
        problem: Optional[Exception] = None
        try:
            for kind in ADDRESS_TYPES:
                answer = look_up(server, name, kind, max(0.001, deadline - time.monotonic()))
                code = answer.code
                records.update(dict.fromkeys(answer.records))
                if code != NOERROR:
                    break
        except (OSError, ValueError) as error:
            problem = error
        text = getattr(problem, "strerror", None) or str(problem) if problem else None
        said = Said(server, name, code, list(records), text, time.monotonic() - began)
        answers.append(said)
        if problem or said.addresses:
            break
    return answers


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
