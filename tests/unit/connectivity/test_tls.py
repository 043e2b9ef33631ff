# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes with real servers on loopback, and with whatever else may sit on a port."""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import tls
from tests.unit.connectivity.servers import NAME, server_context, tls_server
from tests.unit.probe.servers import serving


def shake(port: int, context: ssl.SSLContext | None = None, name: str = NAME, timeout: float = 10) -> tls.Handshake:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        return tls.shake_hands(connection, name, context or tls.client_context(), time.monotonic() + timeout)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA(organization_name="The CA")


@pytest.fixture(scope="module")
def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """A context for which the host trusts the CA."""
    context = tls.client_context()
    ca.configure_trust(context)
    return context


def test_a_server_that_the_host_trusts(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    with tls_server(server_context(NAME, "192.0.2.7", ca=ca)) as server:
        shown = shake(server.port, trusting)
    assert (shown.failed, shown.error, shown.trusted, shown.untrusted_because) == (None, None, True, None)
    assert shown.version == "TLSv1.2"
    assert re.fullmatch(r"ECDHE-RSA-\w+-GCM-SHA\d+|ECDHE-RSA-CHACHA20-POLY1305", str(shown.cipher))
    assert shown.chain[0].names == [NAME, "192.0.2.7"]
    result = shown.as_dict(NAME)
    assert result["name_matches"] is True and "O=The CA" in result["issuer"]
    assert shown.as_dict("other.example.com")["name_matches"] is False


def test_the_whole_chain_is_seen_in_order(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    with tls_server(server_context(NAME, ca=ca.create_child_ca())) as server:
        shown = shake(server.port, trusting)
    assert len(shown.chain) == 2 and shown.trusted
    assert shown.chain[0].issuer == shown.chain[1].subject
    assert shown.chain[1].issuer == shake_root(ca)


def shake_root(ca: trustme.CA) -> str:
    """The subject of the CA, as a certificate of it says."""
    return tls.read_certificate(ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())).subject


def test_a_server_that_the_host_does_not_trust_is_seen_all_the_same() -> None:
    with tls_server(server_context(NAME)) as server:
        shown = shake(server.port)
    assert (shown.failed, shown.trusted) == (None, False)
    assert "issuer certificate" in str(shown.untrusted_because)
    assert shown.version == "TLSv1.2" and shown.cipher and shown.chain[0].names == [NAME]


def test_an_old_server(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    context = server_context(NAME, ca=ca)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with tls_server(context) as server:
        shown = shake(server.port, trusting)
    assert (shown.version, shown.cipher, shown.trusted) == ("TLSv1.0", "AES128-SHA", True)


def test_a_server_that_wants_the_agents_certificate_has_not_failed(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    context = server_context(NAME, ca=ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca.cert_pem.bytes().decode())
    with tls_server(context) as server:
        shown = shake(server.port, trusting)
    assert (shown.failed, shown.trusted) == (None, True)
    assert shown.chain[0].names == [NAME]
    assert "handshake failure" in str(shown.error)


def test_a_server_of_newer_versions_only() -> None:
    context = server_context(NAME)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with tls_server(context) as server:
        shown = shake(server.port)
    assert (shown.failed, shown.chain, shown.trusted) == (tls.REFUSED, [], None)
    assert "protocol version" in str(shown.error)


def reset(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    ("handle", "failed", "error"),
    [
        (lambda c: c.recv(1000), tls.CLOSED, "closes the connection in the middle of the handshake"),
        (
            lambda c: c.recv(1000) and c.sendall(b"\x15\x03\x03\x00\x02\x01\x00"),
            tls.CLOSED,
            "closes the connection in the middle of the handshake",
        ),
        (reset, tls.CLOSED, "breaks the connection"),
        (lambda c: c.recv(100000) and c.recv(1), tls.SILENT, "does not answer the handshake"),
        (lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b"), tls.NOT_TLS, "HTTP/1.1 400 Bad Request"),
        (lambda c: c.sendall(b"\x15\3\3\0\2\2\x28"), tls.REFUSED, "handshake failure"),
        (lambda c: [c.sendall(b"\x16\3\3\0\4\1" + b"\xff" * 3) for _n in range(99999)], tls.REFUSED, ""),
    ],
)
def test_what_is_no_sound_server(handle: t.Callable, failed: str, error: str) -> None:
    with serving(handle) as server:
        began = time.monotonic()
        # Only silence takes as long as it may.
        shown = shake(server.port, timeout=1 if failed == tls.SILENT else 60)
    assert shown.failed == failed and error in str(shown.error)
    assert (shown.chain, shown.version, shown.trusted) == ([], None, None)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("first", [b"\x16\x05\x05\x00\x05hello", b"\x15\x00\x00\x00\x02..", b"\x16\xff"])
def test_what_openssl_calls_a_wrong_version_is_no_tls(first: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(first + bytes(20))

    with serving(handle) as server:
        shown = shake(server.port)
    assert shown.failed == tls.NOT_TLS
    assert str(shown.error).startswith("does not speak TLS: it answers ")


def test_a_handshake_without_end() -> None:
    # A message of 16 megabytes, in records that are all sound.
    def handle(connection: socket.socket) -> None:
        connection.sendall(b"\x16\3\3\x40\0\2\xff\xff\xff" + b"\0" * 16380)
        while True:
            connection.sendall(b"\x16\3\3\x40\0" + b"\0" * 16384)

    with serving(handle) as server:
        shown = shake(server.port)
    assert shown.failed in (tls.NOT_TLS, tls.REFUSED)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read(received: bytes, framed: bool) -> None:
    data = b"\x16\3\3" + len(received).to_bytes(2, "big") + received if framed else received
    _version, _suite, certificates = tls._read(data)
    assert len(certificates) <= 10


def test_a_certificate_that_cannot_be_read_is_a_fault() -> None:
    body = b"\0\0\7\0\0\4\x30\2\5\0"
    message = b"\x0b" + len(body).to_bytes(3, "big") + body
    hello = b"\2\0\0\x26\3\3" + os.urandom(32) + b"\0\xc0\x2f\0"
    records = b"".join(b"\x16\3\3" + len(part).to_bytes(2, "big") + part for part in (hello, message))
    with serving(lambda connection: (connection.recv(1000), connection.sendall(records))) as server:
        shown = shake(server.port)
    assert (shown.failed, shown.chain) == (tls.REFUSED, [])
    assert "certificate that cannot be read" in str(shown.error)
    assert (shown.version, shown.cipher) == ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256")


def test_the_hosts_own_cas_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: trustme.CA) -> None:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with tls_server(server_context(NAME, ca=ca)) as server:
        assert shake(server.port).trusted is True


def test_a_certificate_that_openssl_did_not_come_to_judge_is_not_trusted() -> None:
    """One that is read here, and that OpenSSL cannot make sense of: whoever opens TLS could send it."""
    der = ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert(NAME).cert_chain_pems[0].bytes().decode())
    broken = der.replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030177"))
    assert broken != der
    size = len(broken).to_bytes(3, "big")
    body = (len(broken) + 3).to_bytes(3, "big") + size + broken
    hello = b"\2\0\0\x26\3\3" + os.urandom(32) + b"\0\xc0\x2b\0"
    parts = (hello, b"\x0b" + len(body).to_bytes(3, "big") + body)
    records = b"".join(b"\x16\3\3" + len(part).to_bytes(2, "big") + part for part in parts)
    context = tls.client_context()
    for leave in (True, False):
        # Cut short before it is whole, too: a server that says no more.
        with serving(lambda c, leave=leave: (c.recv(1000), c.sendall(records), leave or c.recv(1))) as server:
            shown = shake(server.port, context, timeout=3)
        assert shown.chain and shown.chain[0].names == [NAME]
        assert shown.trusted is not True, shown
