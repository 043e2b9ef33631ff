# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to one name server: what it says is understood, and whatever else comes costs a bounded time."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import typing as t

import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._dns import wire
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from tests.unit.dns.name_server import answered, server

NAME = "dsm.example.com"
A = Record(NAME, "A", "192.0.2.7", 300)


def whole(query: bytes) -> t.Iterable[bytes]:
    """The usual answer."""
    return [answered(query, (NAME, 300, "IN", "A", "192.0.2.7"))]


def ask(port: int, type: str = "A", timeout: float = 5) -> wire.Response:
    return wire.look_up("127.0.0.1", NAME, type, timeout, port)


@pytest.mark.parametrize(
    ("type", "value", "host"),
    [("A", "192.0.2.7", "127.0.0.1"), ("AAAA", "2001:db8::7", "::1"), ("CNAME", "a.example.com.", "127.0.0.1")],
)
def test_a_record_over_ipv4_and_ipv6(type: str, value: str, host: str) -> None:
    rrset = (NAME, 300, "IN", type, value)
    with server(lambda query: [answered(query, rrset)], host=host) as port:
        assert wire.look_up(host, NAME, type, 5, port) == wire.Response(
            "NOERROR", [Record(NAME, type, value.rstrip("."), 300)]
        )


def test_the_question_is_one_that_another_library_reads() -> None:
    seen = []

    def keep(query: bytes) -> t.Iterable[bytes]:
        seen.append(dns.message.from_wire(query))
        return whole(query)

    with server(keep) as port:
        wire.look_up("127.0.0.1", NAME + ".", "AAAA", 5, port)
    (query,) = seen
    assert query.question[0].to_text() == f"{NAME}. IN AAAA"
    assert query.flags == dns.flags.RD


def test_a_chain_and_what_does_not_belong_to_it() -> None:
    rrsets = [
        (NAME, 60, "IN", "CNAME", "lb.example.net."),
        ("lb.example.net", 30, "IN", "A", "192.0.2.8", "192.0.2.9"),
        ("lb.example.net", 30, "IN", "TXT", '"A 192.0.2.66"'),
    ]
    with server(lambda query: [answered(query, *rrsets)]) as port:
        response = ask(port)
    assert response.code == "NOERROR"
    assert sorted(response.records) == [
        Record(NAME, "CNAME", "lb.example.net", 60),
        Record("lb.example.net", "A", "192.0.2.8", 30),
        Record("lb.example.net", "A", "192.0.2.9", 30),
    ]


@pytest.mark.parametrize(("rcode", "code"), [(3, "NXDOMAIN"), (2, "SERVFAIL"), (5, "REFUSED"), (11, "11")])
def test_codes(rcode: int, code: str) -> None:
    with server(lambda query: [answered(query, rcode=rcode)]) as port:
        assert ask(port) == wire.Response(code, [])


def test_a_server_that_refuses_may_leave_the_question_out() -> None:
    with server(lambda query: [query[:2] + struct.pack("!5H", 0x8005, 0, 0, 0, 0)]) as port:
        assert ask(port) == wire.Response("REFUSED", [])


def test_what_is_truncated_is_asked_for_over_tcp() -> None:
    many = [f"192.0.2.{number}" for number in range(1, 200)]

    def by_stream(query: bytes) -> t.Iterable[bytes]:
        reply = answered(query, (NAME, 1, "IN", "A", *many))
        data = struct.pack("!H", len(reply)) + reply
        return [data[:1], data[1:700], data[700:]]

    with server(lambda query: [answered(query, flags=dns.flags.TC)], by_stream) as port:
        assert sorted(record.value for record in ask(port).records) == sorted(many)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"\0"],
        [b"\0\x20", b"short"],
        [b"\0\0"],
        [struct.pack("!H", 30) + b"not an answer to any question."],
    ],
)
def test_broken_answers_over_tcp(parts: list[bytes]) -> None:
    with server(lambda query: [answered(query, flags=dns.flags.TC)], lambda query: parts) as port:
        with pytest.raises(wire.DnsMalformed):
            ask(port)


def test_what_answers_another_question_is_passed_over() -> None:
    def noise(query: bytes) -> t.Iterable[bytes]:
        answer = whole(query)[0]
        wrong_number = bytes([answer[0] ^ 1]) + answer[1:]
        other = dns.message.make_query("evil.example.com", "A", id=int.from_bytes(query[:2], "big"))
        other_name = answered(other.to_wire(), ("evil.example.com", 1, "IN", "A", "192.0.2.66"))
        no_question = query[:2] + struct.pack("!5H", 0x8000, 0, 0, 0, 0)
        return [b"", b"x", query, wrong_number, other_name, no_question, answer]

    with server(noise) as port:
        assert ask(port) == wire.Response("NOERROR", [A])


def test_case_of_the_name_does_not_matter() -> None:
    def louder(query: bytes) -> t.Iterable[bytes]:
        return [whole(query)[0].replace(b"\3dsm\7example", b"\3DSM\7eXample")]

    with server(louder) as port:
        assert ask(port).records == [A]


def test_a_lost_datagram_is_sent_again() -> None:
    queries = []

    def second_time(query: bytes) -> t.Iterable[bytes]:
        queries.append(query)
        return whole(query) if len(queries) > 1 else []

    with server(second_time) as port:
        assert ask(port, timeout=3).records == [A]
    assert queries == queries[:1] * 2


@pytest.mark.parametrize("noisy", [False, True])
def test_silence_takes_its_time_and_no_more(noisy: bool) -> None:
    with server(lambda query: [b"noise"] * 50 * noisy) as port:
        began = time.monotonic()
        with pytest.raises(wire.DnsTimeout, match="no answer from 127.0.0.1 port .* within 0.3 seconds"):
            ask(port, timeout=0.3)
        assert 0.3 <= time.monotonic() - began < 20


def test_silence_over_tcp_is_in_the_same_time() -> None:
    stop = threading.Event()

    def wait(query: bytes) -> t.Iterable[bytes]:
        yield b"\0"
        stop.wait(10)

    with server(lambda query: [answered(query, flags=dns.flags.TC)], wait) as port:
        with pytest.raises(wire.DnsTimeout):
            ask(port, timeout=0.3)
        stop.set()


def test_nobody_there_is_told_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        ask(port, timeout=30)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ns1.example.com", NAME, "A"),
        ("127.0.0.1", "", "A"),
        ("127.0.0.1", "a..b", "A"),
        ("127.0.0.1", ".", "A"),
        ("127.0.0.1", "x" * 64, "A"),
        ("127.0.0.1", ".".join(["abcdefg"] * 32), "A"),
        ("127.0.0.1", "bücher.example", "A"),
        ("127.0.0.1", NAME, "TXT"),
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError):
        wire.look_up(*arguments, 1, 9)


HEAD = struct.pack("!6H", 7, 0x8000, 1, 1, 0, 0) + b"\3dsm\0" + struct.pack("!2H", 1, 1)


def record(name: bytes, kind: int, data: bytes, ttl: int = 5) -> bytes:
    return HEAD + name + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def test_names_that_nobody_should_print() -> None:
    reply = record(b"\xc0\x0c", 5, b"\6A.\x1b\\\0\xff\0", ttl=2**31)
    assert wire._read(reply).records == [Record("dsm", "CNAME", "a\\046\\027\\092\\000\\255", 0)]


@pytest.mark.parametrize(
    "reply",
    [
        HEAD,
        record(b"\xc0\x11", 1, b"\0" * 4)[:-1],
        record(b"\xc0\x0c", 1, b"\0" * 16),
        record(b"\xc0\x0c", 28, b"\0" * 4),
        record(b"\xc0\x0c", 1, b""),
        record(b"\xc0\x15", 1, b"\0" * 4),  # to itself
        record(b"\xc0\x17\xc0\x15", 1, b"\0" * 4),  # forward
        record(b"\xc0\x02", 1, b"\0" * 4),  # into the header
        record(b"\x80", 1, b"\0" * 4),
        record(b"\x3f" + b"a" * 63 + b"\xc0\x15", 1, b"\0" * 4),  # in a circle
        record((b"\x3f" + b"a" * 63) * 4 + b"\0", 1, b"\0" * 4),
        record(b"\xc0\x0c", 5, b"\3abc"),
        record(b"\xc0\x0c", 5, b"\xc0\x0c\0"),
    ],
)
def test_broken_messages(reply: bytes) -> None:
    with pytest.raises(wire.DnsMalformed):
        wire._read(reply)


@settings(max_examples=300)
@given(st.binary(min_size=12, max_size=600))
def test_any_bytes_are_read_or_refused(reply: bytes) -> None:
    with contextlib.suppress(wire.DnsMalformed):
        wire._read(reply)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject) -> None:
    query = dns.message.make_query(NAME, "A").to_wire()
    rrsets = [(NAME, 60, "IN", "CNAME", "lb.example.com."), ("lb.example.com", 30, "IN", "A", "192.0.2.8")]
    reply = bytearray(answered(query, *rrsets))
    for _time in range(data.draw(st.integers(1, 4))):
        reply[data.draw(st.integers(4, len(reply) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.DnsMalformed):
        wire._read(bytes(reply))
