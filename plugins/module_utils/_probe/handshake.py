# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first messages of a TLS handshake: the ClientHello, and what a server answers.

Written by hand, because the usual TLS libraries cannot offer old suites and versions (OpenSSL has neither 3DES nor, by
default, TLS 1.0), and because a "yes" or "no" needs one message and no cryptography. A handshake never goes further.
RFC 5246 (TLS 1.2), RFC 8446 (TLS 1.3), RFC 8422 (elliptic curves), RFC 5746 (renegotiation).
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple, Optional, Sequence, Tuple

# The kinds of replies. A server that closes the connection without an answer has most likely refused, too.
ACCEPTED = "accepted"
REFUSED = "refused"
CLOSED = "closed"
NOT_TLS = "not_tls"

# A ServerHello has a few hundred bytes. A server that sends more before its end does not speak TLS.
LONGEST_REPLY = 16384

_WIRE_VERSIONS = {"1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304}
_VERSION_NAMES = {0x0300: "SSL 3.0", **{code: f"TLS {name}" for name, code in _WIRE_VERSIONS.items()}}

_ALERT_RECORD = 21
_HANDSHAKE_RECORD = 22
_SERVER_HELLO = 2

_SERVER_NAME = 0
_SUPPORTED_GROUPS = 10
_EC_POINT_FORMATS = 11
_SIGNATURE_ALGORITHMS = 13
_EXTENDED_MASTER_SECRET = 23
_SUPPORTED_VERSIONS = 43
_KEY_SHARE = 51
_RENEGOTIATION_INFO = 0xFF01

_X25519 = 29
# x25519, secp256r1, secp384r1, secp521r1, x448.
_CURVES = (_X25519, 23, 24, 25, 30)
# ffdhe2048 to ffdhe4096. Before TLS 1.3, a server uses its own group, unless the client offers some (RFC 7919).
_FINITE_FIELDS = (256, 257, 258)
# ECDSA, RSA-PSS, Ed25519, Ed448, RSA PKCS#1: with SHA-2, then ECDSA and RSA with SHA-1, for old certificates.
_SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0807, 0x0808),
    *(0x0401, 0x0501, 0x0601, 0x0203, 0x0201),
)

_WARNING = 1
_CLOSE_NOTIFY = 0
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    47: "illegal_parameter",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
}


class Reply(NamedTuple):
    """What a server answers to a ClientHello: the kind, a sentence, and the accepted suite's code point, if any."""

    kind: str
    detail: str
    suite: int = -1


def not_tls(why: str) -> Reply:
    """The reply for a server that does not speak TLS."""
    return Reply(NOT_TLS, f"does not speak TLS: {why}")


def _vector(width: int, content: bytes) -> bytes:
    """The content with its length before it, in C(width) bytes."""
    return len(content).to_bytes(width, "big") + content


def _numbers(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"!{len(numbers)}H", *numbers)


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!H", kind) + _vector(2, content)


def client_hello(version: str, suites: Sequence[int], server_name: Optional[str] = None) -> bytes:
    """The record that offers one version of TLS (C(1.0) to C(1.3)) and these suites, by code point.

    C(server_name) must be ASCII, and must not be an address.
    """
    is_1_3 = version == "1.3"
    groups = _CURVES + (_FINITE_FIELDS if is_1_3 else ())
    extensions = b""
    if server_name:
        extensions += _extension(_SERVER_NAME, _vector(2, b"\0" + _vector(2, server_name.encode("ascii"))))
    extensions += _extension(_SUPPORTED_GROUPS, _vector(2, _numbers(groups)))
    extensions += _extension(_EC_POINT_FORMATS, b"\1\0")
    if version >= "1.2":
        extensions += _extension(_SIGNATURE_ALGORITHMS, _vector(2, _numbers(_SIGNATURES)))
    if is_1_3:
        extensions += _extension(_SUPPORTED_VERSIONS, _vector(1, _numbers([_WIRE_VERSIONS[version]])))
        # Any 32 bytes are a public key of this curve; its private key is never needed.
        share = _numbers([_X25519]) + _vector(2, os.urandom(32))
        extensions += _extension(_KEY_SHARE, _vector(2, share))
    else:
        extensions += _extension(_EXTENDED_MASTER_SECRET, b"")
        extensions += _extension(_RENEGOTIATION_INFO, b"\0")
    # TLS 1.3 looks like the resumption of a session of TLS 1.2, so that middleboxes let it pass.
    session = os.urandom(32) if is_1_3 else b""
    body = (
        _numbers([min(_WIRE_VERSIONS[version], _WIRE_VERSIONS["1.2"])])
        + os.urandom(32)
        + _vector(1, session)
        + _vector(2, _numbers(suites))
        + b"\1\0"  # no compression
        + _vector(2, extensions)
    )
    # The record's own version is always 3.1, because old servers expect it.
    return b"\x16\x03\x01" + _vector(2, b"\x01" + _vector(3, body))


def read_reply(data: bytes, version: str, suites: Sequence[int]) -> Optional[Reply]:
    """What a server answered to that offer, from the bytes received so far; C(None) while more are needed.

    Takes any bytes and raises nothing.
    """
    start = data
    handshake = b""
    while data:
        if data[0] not in (_ALERT_RECORD, _HANDSHAKE_RECORD) or data[1:2] not in (b"", b"\3"):
            return not_tls(f"it answers {start[:24]!r}")
        if len(data) < 5:
            return None
        kind, length = data[0], int.from_bytes(data[3:5], "big")
        if not 0 < length <= LONGEST_REPLY or (kind == _ALERT_RECORD and length != 2):
            return not_tls(f"it sends a TLS record of {length} bytes, which is not possible")
        content = data[5 : 5 + length]
        answer = None
        if kind == _HANDSHAKE_RECORD:
            handshake += content
            answer = _read_server_hello(handshake, version, suites)
        elif len(content) == length:
            answer = _read_alert(*content)
        if answer or len(content) < length:
            return answer
        data = data[5 + length :]
    return None


def _read_alert(level: int, code: int) -> Optional[Reply]:
    # A warning may come before a ServerHello, for example that the server does not know the name.
    if level == _WARNING and code != _CLOSE_NOTIFY:
        return None
    return Reply(REFUSED, f"alert {_ALERTS.get(code, code)}")


def _read_server_hello(message: bytes, version: str, suites: Sequence[int]) -> Optional[Reply]:
    if message and message[0] != _SERVER_HELLO:
        return not_tls(f"it begins its handshake with message {message[0]}, which is not a ServerHello")
    if len(message) < 4:
        return None
    length = int.from_bytes(message[1:4], "big")
    if length > LONGEST_REPLY:
        return not_tls(f"it sends a ServerHello of {length} bytes, which is not possible")
    if len(message) < 4 + length:
        return None
    try:
        chosen, suite = _chosen(message[4 : 4 + length])
    except (IndexError, struct.error):
        return not_tls("it sends a broken ServerHello")
    if chosen != _WIRE_VERSIONS[version]:
        name = _VERSION_NAMES.get(chosen)
        if name and chosen < _WIRE_VERSIONS[version]:
            return Reply(REFUSED, f"chooses {name}")
        return not_tls(f"it chooses version 0x{chosen:04X}, which was not offered")
    if suite not in suites:
        return not_tls(f"it chooses cipher suite 0x{suite:04X}, which was not offered")
    return Reply(ACCEPTED, "accepted", suite)


def _chosen(body: bytes) -> Tuple[int, int]:
    """The version and the suite in a ServerHello or HelloRetryRequest. In both, the server has chosen them."""
    (version,) = struct.unpack_from("!H", body)
    after_session = 35 + body[34]
    suite, _compression = struct.unpack_from("!HB", body, after_session)
    position = after_session + 5
    while position < len(body):
        kind, length = struct.unpack_from("!HH", body, position)
        if kind == _SUPPORTED_VERSIONS:
            (version,) = struct.unpack_from("!H", body, position + 4)
        position += 4 + length
    return version, suite
