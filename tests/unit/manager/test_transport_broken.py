# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever comes in as a reply, what goes out is an answer or a C(ManagerError)."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.unit.manager.conftest import KEY, FakeClock
from tests.unit.manager.https_server import Server, raw, reply
from tests.unit.manager.test_transport_faults import ALL, CREATE, DELETE, DONE, MODIFY, READ, call, fails

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

BROKEN = {
    "a chunk of -5 bytes": CHUNKED + b'-5\r\n{"ID": 1}\r\n0\r\n\r\n',
    "a chunk of -1 bytes": CHUNKED + b'-1\r\n{"ID": 1}\r\n0\r\n\r\n',
    "a second chunk of -1 bytes": CHUNKED + b'1\r\n{\r\n-1\r\n"ID": 1}\r\n0\r\n\r\n',
    "a chunk of no number": CHUNKED + b'x\r\n{"ID": 1}\r\n0\r\n\r\n',
    "a chunk of a size without end": CHUNKED + b"f" * 70000 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk of a size beyond memory": CHUNKED + b'ffffffffffffffff\r\n{"ID": 1}\r\n0\r\n\r\n',
    "a chunk without its end": CHUNKED + b'9\r\n{"ID": 1}',
    "chunks without the last": CHUNKED + b'9\r\n{"ID": 1}\r\n',
    "a trailer without end": CHUNKED + b'9\r\n{"ID": 1}\r\n0\r\nX: ' + b"y" * 70000,
    "chunks that are none": CHUNKED + b'{"ID": 1}',
    "a status of words": b"HTTP/1.1 two hundred\r\n\r\n",
    "a status of five digits": b"HTTP/1.1 20000 OK\r\n\r\n",
    "a negative status": b"HTTP/1.1 -200 OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "another protocol": b"HTTP/9.9 200 OK\r\n\r\n",
    "an empty line": b"\r\n",
    "NUL": b"\x00" * 100,
    "a line without end": b"HTTP/1.1 200 " + b"x" * 70000,
    "a header line without end": OK + b"X: " + b"y" * 70000,
    "lengths that contradict": OK + b"Content-Length: 9, 8\r\n\r\n" + b'{"ID": 1}',
    "a body shorter than its length": OK + b'Content-Length: 99999999999999999999\r\n\r\n{"ID": 1}',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_reply_is_a_broken_connection(manager, data):
    it = manager(raw(data), DONE, concurrency=1)
    assert fails(it, CREATE, errors.ConnectionFailed).outcome_unknown
    assert call(it, READ) == {"ID": 1}


ODD = {
    "NUL in a header": OK + b"X: a\x00b\r\nContent-Length: 9\r\n\r\n",
    "control characters in headers": OK + b"X: \x01\x1b\x7f\x0b\r\nRetry-After: \x1b\r\nContent-Length: 9\r\n\r\n",
    "bytes beyond ASCII in headers": OK + b"X: \xff\xfe\r\nDate: \xff\r\nContent-Length: 9\r\n\r\n",
    "a header without a colon": OK + b"X y\r\nContent-Length: 9\r\n\r\n",
    "a length in words": OK + b"Content-Length: nine\r\n\r\n",
    "a negative length": OK + b"Content-Length: -9\r\n\r\n",
    "a length of 5,000 digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "an unknown transfer encoding": OK + b"Transfer-Encoding: x\r\n\r\n",
    "an old protocol": b"HTTP/1.0 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("head", ODD.values(), ids=ODD)
@pytest.mark.parametrize("request_", ALL)
def test_an_odd_head_is_an_answer(manager, request_, head):
    it = manager(raw(head + b'{"ID": 1}'))
    try:
        assert call(it, request_) == {"ID": 1}
    except errors.ManagerError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("status", [100, 101, 102, 199, 299, 600, 999])
@pytest.mark.parametrize("request_", [READ, MODIFY, DELETE])
def test_a_status_that_says_nothing_is_no_success(manager, request_, status):
    it = manager(raw(f"HTTP/1.1 {status} Odd\r\nContent-Length: 9\r\n\r\n".encode() + b'{"ID": 1}'))
    if status == 299:
        assert call(it, request_) == {"ID": 1}
    else:
        with pytest.raises(errors.ManagerError):
            call(it, request_)


@pytest.mark.parametrize("interim", [(100,), (102,), (103,), (103, 100, 199, 103)], ids=str)
@pytest.mark.parametrize("request_", ALL)
def test_the_reply_is_what_follows_interim_ones(manager, request_, interim):
    before = b"".join(b"HTTP/1.1 %d Wait\r\nLink: </x>\r\n\r\n" % status for status in interim)

    def act(handler, request):
        handler.wfile.write(before)
        DONE(handler, request)

    it = manager(act, reply({"ID": 2}), concurrency=1)
    assert call(it, request_) == {"ID": 1}
    # On the same connection, where nothing is left over.
    assert it.transport.read("GET", "/other") == {"ID": 2}
    assert (it.server.accepted, len(it.server.requests)) == (1, 2)


def test_another_protocol_than_asked_for_leaves_open_what_was_done(manager):
    it = manager(raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), DONE)
    error = fails(it, CREATE, errors.ConnectionFailed)
    assert error.outcome_unknown and "101" in error.message


@pytest.mark.parametrize("path", ["/policies/\x00", "/policies/\r\nX: y", "/policies/é\ud800", "/policies/ ?a#b"])
def test_a_path_may_hold_anything(manager, path):
    it = manager(reply(status=404))
    with pytest.raises(errors.NotFound) as caught:
        it.transport.read("GET", path)
    assert str(caught.value).isprintable()
    (request,) = it.server.requests
    assert request.target.isprintable() and " " not in request.target and "X" not in dict(request.headers)


PAGE = json.dumps({"policies": [{"ID": number, "name": f"a {number}"} for number in range(3)]}).encode()
PACKED = gzip.compress(PAGE)
GOOD = [
    OK + f"Content-Length: {len(PAGE)}\r\nDate: Sun, 01 Mar 2026 10:00:00 GMT\r\n\r\n".encode() + PAGE,
    OK + f"Content-Encoding: gzip\r\nContent-Length: {len(PACKED)}\r\n\r\n".encode() + PACKED,
    CHUNKED + b"10\r\n" + PAGE[:16] + b"\r\n" + f"{len(PAGE) - 16:x}\r\n".encode() + PAGE[16:] + b"\r\n0\r\n\r\n",
    OK + b"\r\n" + PAGE,
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 429 Slow\r\nRetry-After: Sun, 01 Mar 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 400 Bad\r\nContent-Length: 17\r\n\r\n{"message": "no"}',
    b"HTTP/1.1 302 There\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 None\r\n\r\n",
]
TOKENS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b"-",
    b"-1",
    b"-5\r\n",
    b":",
    b",",
    b"0",
    b"f" * 20,
    b"9" * 5000,
    b"{",
]
TOKENS += [
    b"[" * 2000,
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Length: 5\r\n",
    b"NaN",
]
TOKENS += [
    b"\\u0000",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Encoding: br\r\n",
    b"Retry-After: 1e9\r\n",
    b"; x=",
    b" ",
]
PIECES = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8))


@st.composite
def mutated(draw):
    """A good reply with up to four changes: something put in, taken out, put in place, or the rest cut off."""
    data = draw(st.sampled_from(GOOD))
    for _each in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.sampled_from([start, start, start + 1, start + draw(st.integers(0, 40)), len(data)]))
        data = data[:start] + draw(PIECES) + data[end:]
    return data


@pytest.fixture(scope="module")
def fuzzed(certificates):
    """A server, and the one transport that has to survive everything that comes from it."""
    with Server(certificates.context) as server:
        connection = Connection(url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path)
        with Transport(connection, clock=FakeClock(), random=lambda: 0.0) as transport:
            yield server, transport


@settings(max_examples=300)
@given(data=st.one_of(mutated(), st.binary(max_size=200)), deletes=st.booleans())
def test_only_manager_errors_come_out(fuzzed, data, deletes):
    server, transport = fuzzed
    # After two such replies comes a good one, which must be understood as ever.
    server.script[:] = [raw(data), raw(data), DONE]
    try:
        answer = transport.write("DELETE", "/x") if deletes else transport.create("/x", {})
    except errors.ManagerError as error:
        assert str(error).isprintable()
    else:
        assert isinstance(answer, dict) or (answer is None and deletes)
        json.dumps(answer, allow_nan=False)
    server.script[:] = [DONE]
    assert transport.read("GET", "/x") == {"ID": 1}
