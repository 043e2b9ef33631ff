# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing is endless, and nothing is larger than a reply of the manager can be."""

from __future__ import annotations

import gzip
import json
import math
import re
import resource
import socket
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager import limit as limit_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager import reply as reply_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.gate import SystemClock
from ansible_collections.workload_security.agent.plugins.module_utils._manager.limit import Limit, TooLarge, TooSlow
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.unit.manager.conftest import KEY
from tests.unit.manager.https_server import Drip, Server, raw, reply
from tests.unit.manager.test_transport_faults import CREATE, DONE, MODIFY, READ, call, fails

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# Of a body that unpacks to nothing: empty blocks, each of which says that another one follows.
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"

# Heads, and pieces that can come for ever.
ENDLESS = {
    "a body": (OK + b'Content-Length: 10000000000\r\n\r\n{"name": "', b"x"),
    "a body without a length": (OK + b'\r\n{"name": "', b"x"),
    "chunks": (CHUNKED + b'2\r\n{"\r\n', b"1\r\nx\r\n"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Trailer: 1\r\n"),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim replies with headers": (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
    "headers": (OK, b"X-Header: " + b"x" * 60000 + b"\r\n"),
    "empty blocks": (OK + b"Content-Encoding: gzip\r\n\r\n" + GZIP_HEAD, EMPTY_BLOCK),
}


@pytest.mark.parametrize("head, piece", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("request_", [READ, CREATE])
def test_a_reply_that_drips_for_ever_is_given_up(manager, clock, request_, head, piece):
    # A piece takes as long as all of it may, so that none of the limits on single waits is ever met.
    drip = Drip(head, piece, lambda: clock.advance(4))
    it = manager(drip, timeout=5)
    error = fails(it, request_, errors.TimedOut)
    assert error.outcome_unknown == (request_ is CREATE)
    assert drip.cut_off.wait(60)


@pytest.mark.slow
def test_a_reply_that_drips_is_given_up_by_the_clock_on_the_wall(certificates):
    drip = Drip(OK + b"Content-Length: 1000000\r\n\r\n", b"x", lambda: time.sleep(0.01))
    with Server(certificates.context, drip) as server:
        connection = Connection(
            url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path, timeout=0.5
        )
        with Transport(connection) as transport, pytest.raises(errors.TimedOut):
            transport.create("/policies", {})
        assert drip.cut_off.wait(60)


@pytest.mark.parametrize("request_", [READ, CREATE])
def test_a_handshake_that_drips_is_given_up(manager, request_):
    # The beginning of a record of 16 KiB, and then a byte of it at a time.
    drip = Drip(b"\x16\x03\x03\x40\x00", b"\x02", lambda: time.sleep(0.01))
    it = manager(timeout=0.2)
    it.server.finish_request = lambda connection, _address: drip.send(connection)
    error = fails(it, request_, errors.TimedOut)
    assert (error.message, error.outcome_unknown) == ("no connection could be made in time", False)
    assert drip.cut_off.wait(60)


@pytest.mark.parametrize("name", ["interim replies", "headers"])
def test_a_head_that_floods_is_given_up(manager, name):
    # Time stands still, so that only the number of bytes can end it. A hundred headers are too many for other reasons.
    head, piece = ENDLESS[name]
    drip = Drip(head, piece, lambda: None)
    assert fails(manager(drip), CREATE, errors.TimedOut).message.startswith("after 1048576 bytes, the head")
    assert drip.cut_off.wait(60)


@pytest.mark.parametrize("name", ["a body", "chunks", "trailers", "empty blocks"])
def test_a_body_that_floods_is_given_up(manager, monkeypatch, name):
    monkeypatch.setattr(limit_module, "LARGEST_REPLY", 10**5)
    head, piece = ENDLESS[name]
    drip = Drip(head, piece * 100, lambda: None)
    error = fails(manager(drip), MODIFY, errors.BadReply)
    assert (error.message, error.outcome_unknown) == ("its body is larger than 100000 bytes", True)
    assert drip.cut_off.wait(60)


def test_a_slow_line_brings_a_large_page_all_the_same(manager, clock, monkeypatch):
    real = Limit.received

    def slowly(self, count):
        clock.advance(count / 40_000)
        real(self, count)

    monkeypatch.setattr(Limit, "received", slowly)
    # It takes 25 seconds, and ten times the timeout are ten.
    it = manager(reply({"name": "x" * 10**6}), timeout=1)
    assert call(it, READ) == {"name": "x" * 10**6}
    assert it.transport.requests_sent == 1
    assert clock.now - 1000 > 25


class Socket:
    """The limit on each wait."""

    value: float | None = 5.0

    def gettimeout(self):
        return self.value

    def settimeout(self, value):
        self.value = value


def test_the_time_for_a_reply_grows_with_what_came(clock):
    limit, waiting = Limit(clock, 5.0), Socket()
    limit.start_exchange()
    limit.head_ended()
    clock.advance(40)
    limit.before_wait(waiting)
    assert waiting.value == 5
    clock.advance(7)
    limit.before_wait(waiting)
    assert waiting.value == 3
    limit.received(2**15)
    waiting.value = 5.0
    limit.before_wait(waiting)
    assert waiting.value == 4
    clock.advance(4)
    with pytest.raises(TooSlow, match="after 51 seconds"):
        limit.before_wait(waiting)
    limit.start_exchange()
    limit.before_wait(waiting)
    with pytest.raises(TooLarge):
        limit.head_ended()
        limit.received(2**28)


@pytest.mark.parametrize("passed, left", [(-30, 35), (-1, 6), (0, 5), (1000, 5)])
def test_what_is_under_way_at_the_deadline_has_one_more_timeout(clock, passed, left):
    limit, waiting = Limit(clock, 5.0, clock.now - passed), Socket()
    limit.start_exchange()
    waiting.value = None
    limit.before_wait(waiting)
    assert waiting.value == left


def test_all_attempts_together_come_to_an_end(manager, clock):
    def slow(handler, request):
        # One after the other takes almost all of its time, whether it is answered 500, 429 or not at all.
        clock.advance(290)
        [reply(status=500), reply(status=429), raw(b"")][len(it.server.requests) % 3](handler, request)

    it = manager(slow)
    with pytest.raises(errors.ManagerError):
        call(it, MODIFY)
    assert 900 <= clock.now - 1000 < 900 + 300


# Memory


def gzipped(body, times):
    """The beginning of a list in which a body is repeated, compressed without ever being there as a whole."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(map(packer.compress, [b'{"a": [', *[body] * times])) + packer.flush()


BOMBS = {
    "empty objects": b"{},",
    "empty lists": b"[],",
    "numbers": b"1,",
    "objects": b'{"a":1},',
    "openings": b'{"a":',
    "text": b"x,",
}


@pytest.mark.parametrize("piece", BOMBS.values(), ids=BOMBS)
def test_a_bomb_of_values_is_refused_before_any_is_made(manager, piece):
    times = (reply_module.MOST_MEMBERS // 10**4) + 2
    it = manager(reply(gzipped(piece * 10**4, times), Content_Encoding="gzip"))
    tracemalloc.start()
    try:
        error = fails(it, MODIFY, errors.BadReply)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.message == "its body has more than 4000000 values, which no page of the manager's API has"
    assert (error.status, error.outcome_unknown) == (200, True)
    assert peak < 5 * len(piece) * 10**4 * times + 10**7


@pytest.mark.parametrize(("piece", "mebibytes"), [(b"{},", 40), (b"x", 400)])
def test_a_bomb_goes_off_within_half_a_gibibyte(manager, piece, mebibytes):
    """By what the system counts: libraries that are not Python have memory, too."""
    it = manager(reply(gzipped(piece * (2**20 // len(piece)), mebibytes), Content_Encoding="gzip"))

    taken = int(re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + 2**29, before[1]))
    try:
        fails(it, MODIFY, errors.BadReply)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_the_largest_page_that_the_api_can_have_is_within_the_bounds():
    setting = '"platformSettingAgentSelfProtectionPasswordEnabled": {"value": "10 Minutes"}, '
    policy = {f"field{number}": [1, 2, 3] for number in range(25)}
    page = 5000 * (219 * len(setting) + len(json.dumps(policy)))
    assert page < limit_module.LARGEST_REPLY
    assert 5000 * (219 * 2 + 25 * 4) < reply_module.MOST_MEMBERS


def test_a_page_of_many_values_is_read(manager):
    page = {
        "policies": [{"ID": number, "settings": {str(n): {"value": "a"} for n in range(40)}} for number in range(5000)]
    }
    it = manager(reply(gzip.compress(json.dumps(page).encode(), 1), Content_Encoding="gzip"))
    assert call(it, READ) == page


@pytest.mark.parametrize(
    "encodings", ["gzip, gzip", ", ".join(["gzip"] * 1000), "br", "deflate", "zstd", "gzip,br", "x"]
)
@pytest.mark.parametrize("as_fields", [False, True])
def test_encodings_that_nobody_asked_for_are_not_unpacked(manager, encodings, as_fields):
    fields = encodings.split(", ") if as_fields else [encodings]
    head = OK + b"".join(f"Content-Encoding: {field}\r\n".encode() for field in fields[:90])
    it = manager(raw(head + b"Content-Length: 2\r\n\r\n{}"), DONE, concurrency=1)
    error = fails(it, MODIFY, errors.BadReply)
    assert error.message.startswith(f"its body has the encoding {encodings[:5]}")
    assert error.outcome_unknown
    assert call(it, READ) == {"ID": 1}


def test_a_refusal_with_such_an_encoding_is_still_that_refusal(manager):
    it = manager(reply({"message": "no"}, 403, Content_Encoding="br"))
    assert fails(it, READ, errors.Forbidden).status == 403


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b'\xef\xbb\xbf{"a": 2}', b' \n{"a":\t2} \r\n'])
def test_what_is_odd_but_json_is_taken(manager, body):
    assert call(manager(reply(body)), READ) == {"a": 2}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": ' + b"9" * 1000 + b"}",
        b'{"a": -' + b"9" * 10**6 + b"}",
        b'{"a": "\x01"}',
        '{"a": "é"}'.encode("utf-16"),
        '{"a": "é"}'.encode("latin-1"),
        b'{"a": ' * 10**5,
        b'{"a": ' * 500 + b"1" + b"}" * 500,
        b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
    ],
)
def test_what_only_looks_like_json_is_a_bad_reply(manager, body):
    error = fails(manager(reply(body)), READ, errors.BadReply)
    assert error.message.startswith(("its body is not JSON", "its body has more than 32 levels"))
    # The same where nothing but the end of the connection ends the reply.
    unframed = manager(raw(OK + b"\r\n" + body))
    with pytest.raises((errors.BadReply, errors.ConnectionFailed)):
        call(unframed, READ)


def test_a_reply_of_32_levels_is_taken(manager):
    body = b'{"a": ' * 32 + b"1" + b"}" * 32
    assert call(manager(reply(body)), READ) == json.loads(body)


def test_the_system_clock_is_the_machines():
    assert math.isclose(SystemClock.time(), time.time(), abs_tol=60)
    assert math.isclose(SystemClock.monotonic(), time.monotonic(), abs_tol=60)
    assert socket.getdefaulttimeout() is None
