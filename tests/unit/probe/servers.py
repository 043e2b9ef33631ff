# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on loopback for TLS handshakes: OpenSSL, GnuTLS, tlslite-ng, and some that misbehave."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence

import pytest
import trustme
from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

from ansible_collections.workload_security.agent.plugins.module_utils._probe.offered import OFFERED
from ansible_collections.workload_security.agent.plugins.module_utils._probe.probe import Inquiry, Listener, probe_all

ALL_VERSIONS = ("1.0", "1.1", "1.2", "1.3")
WIRE = {"1.0": (3, 1), "1.1": (3, 2), "1.2": (3, 3), "1.3": (3, 4)}


class Certificate:
    """A certificate for localhost with an RSA key, in files and in the form that tlslite-ng needs."""

    def __init__(self, folder: Path) -> None:
        issued = trustme.CA().issue_cert("localhost", key_type=trustme.KeyType.RSA)
        self.key = folder / "key.pem"
        self.certificate = folder / "certificate.pem"
        issued.private_key_pem.write_to_path(str(self.key))
        issued.cert_chain_pems[0].write_to_path(str(self.certificate))
        self.chain = X509CertChain()
        self.chain.parsePemList(self.certificate.read_text())
        self.parsed_key = parsePEMKey(self.key.read_text(), private=True)


class Server:
    """A port of 127.0.0.1, and a function that gets each connection in a separate thread."""

    def __init__(self, handle: Callable[[socket.socket], object]) -> None:
        self._handle = handle
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.settimeout(10)
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        # The errors of TLS libraries about clients that leave after the first message do not matter here.
        with contextlib.suppress(Exception), connection:
            self._handle(connection)

    def close(self) -> None:
        # Closing alone does not wake a thread in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], object]) -> Iterator[Server]:
    """A server that hands each connection to a function."""
    server = Server(handle)
    try:
        yield server
    finally:
        server.close()


def drain(connection: socket.socket) -> None:
    """Send nothing until the other side closes the connection."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def openssl_context(certificate: Certificate, ciphers: str, versions: Sequence[str] = ALL_VERSIONS) -> ssl.SSLContext:
    """A server context with exactly these TLS versions, and with these ciphers in OpenSSL's form."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.options |= sum(
        flag
        for version, flag in zip(
            ALL_VERSIONS, (ssl.OP_NO_TLSv1, ssl.OP_NO_TLSv1_1, ssl.OP_NO_TLSv1_2, ssl.OP_NO_TLSv1_3)
        )
        if version not in versions
    )
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def openssl_server(context: ssl.SSLContext) -> contextlib.AbstractContextManager[Server]:
    """A server with Python's ssl module, which uses OpenSSL."""
    return serving(lambda connection: context.wrap_socket(connection, server_side=True))


def old_server(
    certificate: Certificate,
    ciphers: Sequence[str],
    macs: Sequence[str],
    exchanges: Sequence[str] = ("rsa",),
    versions: tuple[str, str] = ("1.0", "1.0"),
) -> contextlib.AbstractContextManager[Server]:
    """A server with tlslite-ng and the given algorithms, from the first of the versions to the second."""
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = WIRE[versions[0]], WIRE[versions[1]]
    settings.cipherNames = list(ciphers)
    settings.macNames = list(macs)
    settings.keyExchangeNames = list(exchanges)
    settings.versions = [version for version in settings.versions if version <= settings.maxVersion]

    def handle(connection: socket.socket) -> None:
        TLSConnection(connection).handshakeServer(
            certChain=certificate.chain, privateKey=certificate.parsed_key, settings=settings
        )

    return serving(handle)


@contextlib.contextmanager
def gnutls_server(certificate: Certificate, priority: str) -> Iterator[int]:
    """Run gnutls-serv with a priority string. Yields its port."""
    program = shutil.which("gnutls-serv")
    if program is None:
        pytest.skip("gnutls-serv is needed: install gnutls-bin")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(program, "--port", str(port), "--quiet", "--priority", priority),
            *("--x509certfile", str(certificate.certificate), "--x509keyfile", str(certificate.key)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _attempt in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def probe(*ports: int, **changes: object) -> list[dict]:
    """Probe ports of 127.0.0.1 for everything. C(changes) are fields of the inquiry or of the target."""
    target = {name: changes.pop(name) for name in list(changes) if name in Listener._fields}
    asked = Inquiry(ALL_VERSIONS, tuple(OFFERED), timeout=5, target_timeout=60, concurrency=4)._replace(**changes)
    return probe_all([Listener("127.0.0.1", port, **target) for port in ports], asked)
