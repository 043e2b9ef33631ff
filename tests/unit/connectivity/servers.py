# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of connectivity share: TLS servers on loopback, and a resolver that knows the names from a test."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import typing as t

import trustme

from tests.unit.probe.servers import Server, serving

NAME = "dsm.example.com"


def server_context(*names: str, ca: trustme.CA | None = None) -> ssl.SSLContext:
    """The context of a server with a certificate for these names. By default, it is from a CA that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = ca.issue_cert(*names, key_type=trustme.KeyType.RSA) if ca else _untrusted(*names)
    certificate.configure_cert(context)
    return context


@functools.cache
def _untrusted(*names: str) -> trustme.LeafCert:
    # To make the key takes longer than most tests that use it.
    return trustme.CA().issue_cert(*names, key_type=trustme.KeyType.RSA)


def tls_server(context: ssl.SSLContext) -> contextlib.AbstractContextManager[Server]:
    """A server that finishes the handshake, and then waits until the client leaves."""

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    return serving(handle)


def resolving(monkeypatch: t.Any, names: dict[str, list[str]]) -> None:
    """Let this process resolve only these names, and addresses. All other names do not exist."""
    original = socket.getaddrinfo

    def fake(host: str, port: t.Any, *arguments: t.Any, **options: t.Any) -> list:
        if host in names:
            return [found for address in names[host] for found in original(address, port, *arguments, **options)]
        flags = options.pop("flags", 0) | socket.AI_NUMERICHOST
        return original(host, port, *arguments, flags=flags, **options)

    monkeypatch.setattr(socket, "getaddrinfo", fake)
