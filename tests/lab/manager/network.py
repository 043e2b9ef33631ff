# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and listeners: one port for the API and one for agents, or, as on the cloud, one for both."""

from __future__ import annotations

import asyncio
import ssl
import typing as t
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.lab.manager.agents import CIPHERS
from tests.lab.manager.conversation import LONGEST_LINE

Talk = t.Callable[[asyncio.StreamReader, asyncio.StreamWriter], t.Awaitable[None]]
Factory = t.Callable[[], asyncio.BaseProtocol]


@dataclass(frozen=True)
class Tls:
    """The manager's TLS contexts: for clients of the API, and for agents of any age."""

    api: ssl.SSLContext
    agents: ssl.SSLContext | None


def make_tls(names: t.Sequence[str], ca_path: Path, *, agents: bool) -> Tls:
    """Create a certificate for these names, and a certificate authority for it, which is written to C(ca_path)."""
    authority = trustme.CA()
    # The cipher suites of older agents need an RSA key, but creating one takes time.
    kind = trustme.KeyType.RSA if agents else trustme.KeyType.ECDSA
    certificate = authority.issue_cert(*dict.fromkeys(names), key_type=kind)
    authority.cert_pem.write_to_path(str(ca_path))
    api = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Nobody resumes a session, so tickets would be useless work for every connection.
    api.num_tickets = 0
    certificate.configure_cert(api)
    if not agents:
        return Tls(api, None)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.set_ciphers(CIPHERS)
    certificate.configure_cert(old)
    return Tls(api, old)


def agents_protocol(talk: Talk) -> Factory:
    """A factory that creates a protocol for each connection of an agent."""

    def make() -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=LONGEST_LINE), talk)

    return make


class Doorman(asyncio.Protocol):
    """Passes a connection to the agents' side if the client asked for a host name for agents, otherwise to the API."""

    def __init__(self, tls: Tls, api: Factory, agents: Factory) -> None:
        self._tls = tls
        self._api = api
        self._agents = agents

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """After the handshake, let the right protocol take over."""
        for_agents = transport.get_extra_info("ssl_object").context is self._tls.agents
        protocol = self._agents() if for_agents else self._api()
        t.cast(asyncio.Transport, transport).set_protocol(protocol)
        protocol.connection_made(transport)


def tell_agents_by_name(tls: Tls) -> ssl.SSLContext:
    """The context of a port for both. For agents' host names, it switches to the context for agents."""

    def chosen(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name and name.startswith("agents"):
            connection.context = tls.agents

    tls.api.sni_callback = chosen
    return tls.api
