# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl
import threading
import typing as t
from contextlib import ExitStack
from dataclasses import replace

import pytest
import trustme

from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.unit.manager.https_server import Action, Server

KEY = "17:S3cret+Key/of=the&Manager"


class FakeClock:
    """A clock that only moves when somebody sleeps, and that remembers these times."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        """Seconds since 1970, which are a thousand more than C(monotonic)."""
        return self.now + 1000

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.advance(seconds)
        self.sleeps.append(seconds)

    def wake(self) -> None:
        """Nobody waits."""

    def advance(self, seconds: float) -> None:
        """Let time pass while nobody sleeps."""
        with self._lock:
            self.now += seconds


class Certificates:
    """A certificate authority, and a certificate for the servers."""

    def __init__(self, folder: t.Any) -> None:
        self.authority = trustme.CA()
        self.path = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.path)
        self.context = self.for_names("127.0.0.1", "::1", "localhost")

    def for_names(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Manager:
    """A server with scripted actions, and the transport to it."""

    def __init__(self, server: Server, connection: Connection, transport: Transport, clock: FakeClock) -> None:
        self.server = server
        self.connection = connection
        self.transport = transport
        self.clock = clock

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.target}" for request in self.server.requests]


@pytest.fixture
def manager(certificates: Certificates, clock: FakeClock) -> t.Iterator[t.Callable[..., Manager]]:
    """Starts a server that carries out the given actions, and connects to it. C(random) always returns 0."""
    with ExitStack() as stack:

        def start(*actions: Action, context: ssl.SSLContext | None = certificates.context, **options: t.Any) -> Manager:
            server = stack.enter_context(Server(context, *actions))
            connection = Connection(url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path)
            connection = replace(connection, **options)
            transport = Transport(connection, clock=clock, random=lambda: 0.0)
            stack.enter_context(transport)
            return Manager(server, connection, transport, clock)

        yield start
