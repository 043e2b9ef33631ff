# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TLS handshake as an agent makes it, with a look at the certificates that the server shows.

Up to TLS 1.2, which is what all agents are documented to speak. There the certificates pass in the clear, so that
they are seen whether or not this host trusts them, on every version of Python.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .._basis.text import shown
from .certificates import Certificate, read_certificate

# What a handshake came to, where no certificate came.
CLOSED = "closed"
SILENT = "silent"
NOT_TLS = "not_tls"
REFUSED = "refused"

_ALERT_RECORD, _HANDSHAKE_RECORD = 0x15, 0x16
_SERVER_HELLO, _CERTIFICATE = 2, 11
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2"}

# Bytes until the handshake is done, and certificates of a chain; usual are 5,000 and 3.
_LONGEST = 256 * 1024
_MOST_CERTIFICATES = 10


@dataclass(frozen=True)
class Handshake:
    """What was seen of a server.

    trusted: whether a CA of this host vouches for the certificate; C(None) if the connection did not get that far.
    failed: one of the words above if no certificate came, with C(error) in words. A server that shows its certificate
    and then ends the handshake, as it wants one of the agent's, has not failed.
    """

    version: Optional[str]
    cipher: Optional[str]
    chain: List[Certificate]
    trusted: Optional[bool]
    untrusted_because: Optional[str]
    failed: Optional[str]
    error: Optional[str]
    seconds: float

    def as_dict(self, name: str) -> Dict[str, Any]:
        """For the module's result."""
        leaf = self.chain[0] if self.chain else None
        return dict(
            version=self.version,
            cipher=self.cipher,
            names=leaf.names if leaf else [],
            name_matches=leaf.is_for(name) if leaf else None,
            issuer=leaf.issuer if leaf else None,
            chain=[certificate.as_dict() for certificate in self.chain],
            trusted=self.trusted,
            untrusted_because=self.untrusted_because,
            error=self.error,
            seconds=round(self.seconds, 3),
        )


def client_context() -> ssl.SSLContext:
    """One context for all handshakes, with this host's CAs. It takes old versions and suites, as managers may."""
    context = ssl.create_default_context()
    # The name is compared here, so that a wrong one and a wrong issuer are told apart.
    context.check_hostname = False
    # From Python 3.13 on, certificates of CAs that break some rules would count as not trusted.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    except ssl.SSLError:
        pass  # libraries other than OpenSSL have no such levels
    return context


def shake_hands(connection: socket.socket, name: str, context: ssl.SSLContext, deadline: float) -> Handshake:
    """Offer TLS to what is connected, until C(deadline) (C(time.monotonic())). Raises nothing for what comes back."""
    began = time.monotonic()
    received, sent = bytearray(), bytearray()
    trusted: Optional[bool] = None
    untrusted_because = failed = problem = None
    try:
        _handshake(connection, name, context, deadline, received, sent)
    except ssl.SSLCertVerificationError as error:
        trusted, untrusted_because = False, error.verify_message
    except _Closed:
        failed, problem = CLOSED, "closes the connection in the middle of the handshake"
    except ssl.SSLError as error:
        failed, problem = REFUSED, shown((error.reason or str(error)).lower().replace("_", " "))
    except _Endless:
        failed, problem = NOT_TLS, f"sends {len(received)} bytes without finishing the handshake"
    except socket.timeout:
        failed, problem = SILENT, "does not answer the handshake"
    except OSError as error:
        failed, problem = CLOSED, f"breaks the connection: {error.strerror or error}"
    version, suite, certificates = _read(bytes(received))
    chain = []
    for der in certificates:
        try:
            chain.append(read_certificate(der))
        except ValueError as error:
            failed, problem = REFUSED, f"shows a certificate that cannot be read: {error}"
            break
    if received and not _is_tls(received):
        failed, problem = NOT_TLS, f"does not speak TLS: it answers {shown(repr(bytes(received[:60])))}"
    if chain and trusted is None and _answered(bytes(sent)):
        # OpenSSL judges the certificates before it answers them.
        trusted = True
    return Handshake(
        version=version,
        cipher=_cipher_name(suite, context),
        chain=chain,
        trusted=trusted,
        untrusted_because=untrusted_because,
        failed=None if chain else failed,
        error=problem,
        seconds=time.monotonic() - began,
    )


def _is_tls(received: bytearray) -> bool:
    """Whether this begins as an answer to a greeting does. What OpenSSL says of others is of little help."""
    # All versions have 3 as the first of their two numbers.
    return received[0] in (_ALERT_RECORD, _HANDSHAKE_RECORD) and bytes(received[1:2]) in (b"", b"\3")


class _Closed(Exception):
    pass


class _Endless(Exception):
    pass


def _handshake(
    connection: socket.socket,
    name: str,
    context: ssl.SSLContext,
    deadline: float,
    received: bytearray,
    sent: bytearray,
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    while True:
        try:
            tls.do_handshake()
            return
        except ssl.SSLWantReadError:
            pass
        # Zero would mean not to wait at all, which is another error.
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        flight = outgoing.read()
        sent += flight
        connection.sendall(flight)
        data = connection.recv(16384)
        if not data:
            raise _Closed
        received += data
        if len(received) > _LONGEST:
            raise _Endless
        incoming.write(data)


def _answered(sent: bytes) -> bool:
    """Whether a handshake went on after the first record, which is the greeting; not so where an alert ended it."""
    end = 5 + int.from_bytes(sent[3:5], "big")
    return sent[end : end + 1] == bytes([_HANDSHAKE_RECORD])


def _read(received: bytes) -> Tuple[Optional[str], Optional[int], List[bytes]]:
    """The version, the cipher suite and the certificates in what a server sent; empty as far as they did not come."""
    version = suite = None
    certificates: List[bytes] = []
    for kind, body in _messages(received):
        if kind == _SERVER_HELLO and len(body) >= 38:
            version = _VERSIONS.get(int.from_bytes(body[:2], "big"))
            after_session = 35 + body[34]
            suite = int.from_bytes(body[after_session : after_session + 2], "big")
        elif kind == _CERTIFICATE:
            certificates = list(_vectors(body[3:]))[:_MOST_CERTIFICATES]
            break
    return version, suite, certificates


def _messages(received: bytes) -> Iterator[Tuple[int, bytes]]:
    """The handshake messages that came whole, up to where encryption begins."""
    handshake = bytearray()
    position = 0
    while position + 5 <= len(received) and received[position] == _HANDSHAKE_RECORD:
        length = int.from_bytes(received[position + 3 : position + 5], "big")
        handshake += received[position + 5 : position + 5 + length]
        position += 5 + length
    position = 0
    while position + 4 <= len(handshake):
        end = position + 4 + int.from_bytes(handshake[position + 1 : position + 4], "big")
        if end > len(handshake):
            return
        yield handshake[position], bytes(handshake[position + 4 : end])
        position = end


def _vectors(data: bytes) -> Iterator[bytes]:
    """The parts of a list, each of which has its length in three bytes before it."""
    position = 0
    while position + 3 <= len(data):
        end = position + 3 + int.from_bytes(data[position : position + 3], "big")
        yield data[position + 3 : end]
        position = end


def _cipher_name(suite: Optional[int], context: ssl.SSLContext) -> Optional[str]:
    """OpenSSL's name of a suite."""
    if suite is None:
        return None
    names = {cipher["id"] & 0xFFFF: cipher["name"] for cipher in context.get_ciphers()}
    return names.get(suite, f"0x{suite:04X}")
