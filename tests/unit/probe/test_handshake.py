# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two messages, against tlslite-ng's own reading of them, and against anything at all."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlslite.constants import ExtensionType
from tlslite.extensions import SrvSupportedVersionsExtension
from tlslite.messages import ClientHello, ServerHello
from tlslite.utils.codec import Parser

from ansible_collections.workload_security.agent.plugins.module_utils._probe.handshake import (
    ACCEPTED,
    LONGEST_REPLY,
    NOT_TLS,
    REFUSED,
    client_hello,
    read_reply,
)

VERSIONS = ("1.0", "1.1", "1.2", "1.3")
WIRE = {"1.0": (3, 1), "1.1": (3, 2), "1.2": (3, 3), "1.3": (3, 4)}
SUITES = (0xC02F, 0x000A, 0x1301)
HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"


def record(content: bytes, kind: int = 22) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(content)) + content


def server_hello(version: str, suite: int, *, session: bytes = b"", wire: tuple[int, int] | None = None) -> bytes:
    """The message as tlslite-ng writes it."""
    legacy = min(wire or WIRE[version], (3, 3))
    extensions = None
    if version == "1.3":
        extensions = [SrvSupportedVersionsExtension().create(WIRE["1.3"])]
    hello = ServerHello().create(legacy, bytearray(range(32)), bytearray(session), suite, extensions=extensions)
    return bytes(hello.write())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [None, "agent.example.com"])
def test_another_library_reads_the_offer(version: str, name: str | None) -> None:
    sent = client_hello(version, SUITES, name)
    kind, wire, length = struct.unpack_from("!BHH", sent)
    assert (kind, wire, length) == (22, 0x0301, len(sent) - 5)
    parser = Parser(bytearray(sent[5:]))
    assert parser.get(1) == 1
    hello = ClientHello().parse(parser)
    assert parser.getRemainingLength() == 0
    assert hello.client_version == min(WIRE[version], (3, 3))
    assert tuple(hello.cipher_suites) == SUITES
    assert hello.server_name == (name or "").encode()
    offered = hello.getExtension(ExtensionType.supported_versions)
    assert (offered.versions if offered else None) == ([WIRE["1.3"]] if version == "1.3" else None)
    share = hello.getExtension(ExtensionType.key_share)
    assert ([len(entry.key_exchange) for entry in share.client_shares] if share else None) == (
        [32] if version == "1.3" else None
    )
    assert (hello.getExtension(ExtensionType.signature_algorithms) is not None) == (version >= "1.2")
    assert 29 in hello.getExtension(ExtensionType.supported_groups).groups


def test_every_offer_is_new() -> None:
    assert client_hello("1.2", SUITES) != client_hello("1.2", SUITES)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("session", [b"", b"s" * 32])
def test_an_acceptance_in_pieces(version: str, session: bytes) -> None:
    message = server_hello(version, 0xC02F, session=session)
    whole = record(message)
    for end in range(len(whole)):
        assert read_reply(whole[:end], version, SUITES) is None
    answer = read_reply(whole, version, SUITES)
    assert (answer.kind, answer.suite) == (ACCEPTED, 0xC02F)
    # In records of its own making, and with other messages behind it in the same record.
    pieces = b"".join(record(message[start : start + 7]) for start in range(0, len(message), 7))
    assert read_reply(pieces, version, SUITES) == answer
    assert read_reply(record(message + b"\x0b\0\0\1\0")[: len(whole)], version, SUITES) == answer
    assert read_reply(whole + HANDSHAKE_FAILURE, version, SUITES) == answer


def test_a_request_for_another_key_is_an_acceptance_too() -> None:
    magic = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    message = server_hello("1.3", 0x1301)
    answer = read_reply(record(message[:6] + magic + message[38:]), "1.3", SUITES)
    assert (answer.kind, answer.suite) == (ACCEPTED, 0x1301)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (HANDSHAKE_FAILURE, "handshake_failure"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "protocol_version"),
        (b"\x15\x03\x00\x00\x02\x01\x00", "close_notify"),
        (b"\x15\x03\x03\x00\x02\x02\xfe", "254"),
        # The name is not known, says a warning: only what follows is the answer.
        (b"\x15\x03\x03\x00\x02\x01\x70" + HANDSHAKE_FAILURE, "handshake_failure"),
        (record(server_hello("1.1", 0x000A)), "TLS 1.1"),
        (record(server_hello("1.0", 0x000A, wire=(3, 0))), "SSL 3.0"),
    ],
)
def test_refusals(data: bytes, word: str) -> None:
    answer = read_reply(data, "1.2", SUITES)
    assert answer.kind == REFUSED
    assert word in answer.detail


def test_a_warning_alone_is_no_answer() -> None:
    warning = b"\x15\x03\x03\x00\x02\x01\x70"
    assert read_reply(warning, "1.2", SUITES) is None
    assert read_reply(warning + record(server_hello("1.2", 0xC02F)), "1.2", SUITES).kind == ACCEPTED


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2p1",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x02",
        b"\x15\x03\x03\x00\x03\x02\x28\x00",
        b"\x16\x03\x03\x00\x00",
        b"\x16\x03\x03\xff\xff",
        record(b"\x01\x00\x00\x00"),
        record(b"\x02\xff\xff\xff"),
        record(b"\x02\x00\x00\x00"),
        record(b"\x02\x00\x00\x23" + b"\x03\x03" + bytes(32) + b"\xff"),
        # An extension that claims more than there is.
        record(b"\x02\x00\x00\x2b" + b"\x03\x03" + bytes(32) + b"\x00\xc0\x2f\x00\x00\x04\x00\x2b\x00"),
        # What was not offered.
        record(server_hello("1.2", 0x0035)),
        record(server_hello("1.3", 0xC02F)),
        record(server_hello("1.2", 0xC02F, wire=(3, 9)).replace(b"\x03\x03", b"\x03\x09", 1)),
    ],
)
def test_what_is_not_tls(data: bytes) -> None:
    answer = read_reply(data, "1.2", SUITES)
    assert answer.kind == NOT_TLS
    assert answer.detail.isprintable()
    assert answer.suite == -1


@given(data=st.binary(max_size=200), version=st.sampled_from(VERSIONS))
def test_any_bytes_get_an_answer_or_need_more(data: bytes, version: str) -> None:
    for content in (data, record(data), record(b"\2" + data), record(b"\2\0" + struct.pack("!H", len(data)) + data)):
        answer = read_reply(content, version, SUITES)
        assert answer is None or (answer.detail.isprintable() and len(answer.detail) < 200)


@given(st.data())
def test_a_damaged_acceptance_is_never_another_suite(data: st.DataObject) -> None:
    whole = bytearray(record(server_hello("1.3", 0x1301)))
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[position] = data.draw(st.integers(0, 255))
    answer = read_reply(bytes(whole), "1.3", SUITES)
    assert answer is None or answer.kind != ACCEPTED or answer.suite in SUITES


def test_no_answer_is_longer_than_is_read() -> None:
    endless = record(b"\2\0\x40\0" + bytes(100)) + record(bytes(LONGEST_REPLY)) * 2
    assert read_reply(endless, "1.2", SUITES).kind == NOT_TLS
