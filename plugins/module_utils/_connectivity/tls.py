# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TLS handshake like an agent's, which also reads the certificates that the server sends.

It goes up to TLS 1.2, the latest version that agents are documented to speak. In TLS 1.2, certificates are not
encrypted, so they can be read on every version of Python, whether or not this host trusts them.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._basis.text import shown
from .certificates import Certificate, read_certificate

# How a handshake failed if there was no certificate.
CLOSED = "closed"
SILENT = "silent"
NOT_TLS = "not_tls"
REFUSED = "refused"

_ALERT_RECORD, _HANDSHAKE_RECORD = 0x15, 0x16
_SERVER_HELLO, _CERTIFICATE = 2, 11
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2"}

# Limits: bytes until the handshake is done, and certificates of a chain. 5,000 and 3 are usual.
_LONGEST = 256 * 1024
_MOST_CERTIFICATES = 10


class Handshake(NamedTuple):
    """What a handshake showed about a server.

    trusted: whether a CA of this host vouches for the certificate; C(None) if the connection did not get that far.
    failed: one of the words above if no certificate came, with C(error) in words. A server that sends its certificate
    and then ends the handshake, because it wants the agent's certificate, has not failed.
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
    """One context for all handshakes, with this host's CAs. Managers may use old versions and suites."""
    context = ssl.create_default_context()
    # Our own code compares the name, so that a wrong name and a wrong issuer are separate errors.
    context.check_hostname = False
    # Since Python 3.13, certificates of CAs that break some rules would otherwise not be trusted.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    except ssl.SSLError:
        pass  # TLS libraries other than OpenSSL have no security levels
    return context


def shake_hands(connection: socket.socket, name: str, context: ssl.SSLContext, deadline: float) -> Handshake:
    """Offer TLS on a connection, until C(deadline) (C(time.monotonic())). No answer makes this raise an error."""
    began = time.monotonic()
    received, sent = bytearray(), bytearray()
    trusted: Optional[bool] = None
    untrusted_because = failed = problem = None
    try:
        _handshake(connection, name, context, deadline, received, sent)
    except ssl.SSLCertVerificationError as error:
        trusted, untrusted_because = False, error.verify_message
    # Servers may say that they close, with an alert.
    except (_Closed, ssl.SSLZeroReturnError):
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
        # OpenSSL verifies the certificates before it sends its next message.
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
    """Whether this begins like an answer to a ClientHello. OpenSSL's messages about other answers help little."""
    # In all versions, the first of the two version numbers is 3.
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
        # Zero would mean not to wait at all, which raises another error.
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
    """Whether the handshake went on after the first record, the ClientHello. An alert does not count."""
    end = 5 + int.from_bytes(sent[3:5], "big")
    return sent[end : end + 1] == bytes([_HANDSHAKE_RECORD])


def _read(received: bytes) -> Tuple[Optional[str], Optional[int], List[bytes]]:
    """The version, the cipher suite and the certificates that a server sent; empty if they did not arrive."""
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
    """The complete handshake messages, up to where encryption begins."""
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
    """The items of a list, each with its length in three bytes before it."""
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
