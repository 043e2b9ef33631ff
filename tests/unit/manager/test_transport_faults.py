# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the transport makes of managers, proxies and networks that misbehave."""

from __future__ import annotations

import gzip
import select
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import Connection
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.unit.manager.conftest import KEY
from tests.unit.manager.https_server import Server, cut_after, cut_before, cut_in_body, raw, reply, silence

HTML = b"<html><head><title> Bad\n Gateway </title></head><body>" + b"x" * 10**5 + b"</body></html>"
REFUSAL = reply({"message": "Too many API requests"}, 429)
DONE = reply({"ID": 1})

READ = ("read", "GET", "/policies/1")
SEARCH = ("read", "POST", "/computers/search")
MODIFY = ("write", "POST", "/policies/1")
DELETE = ("write", "DELETE", "/firewallrules/1")
CREATE = ("create", "/firewallrules", {"name": "x"})
REPEATABLE = [READ, SEARCH, MODIFY, DELETE]
ALL = [*REPEATABLE, CREATE]


def call(it, request):
    return getattr(it.transport, request[0])(*request[1:])


def fails(it, request, kind):
    """The error that the request ends with; also, that it is as clean as all of them must be."""
    with pytest.raises(errors.ManagerError) as caught:
        call(it, request)
    error = caught.value
    assert error.__class__ is kind
    assert error.path in request and error.path in str(error)
    assert error.as_failure() == {
        "code": kind.code,
        "message": str(error),
        "method": "POST" if request is CREATE else request[1],
        "path": error.path,
        "status": error.status,
    }
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.as_failure()) + repr(vars(error))
    assert KEY not in shown and KEY.partition(":")[2] not in shown
    assert error.__cause__ is None and error.__context__ is None
    return error


# 429


@pytest.mark.parametrize("request_", ALL)
def test_a_burst_of_429_is_waited_out(manager, request_):
    it = manager(REFUSAL, REFUSAL, REFUSAL, DONE)
    assert call(it, request_) == {"ID": 1}
    assert it.clock.sleeps == [2, 4, 8]
    assert it.transport.requests_sent == 4


@pytest.mark.parametrize("request_", ALL)
def test_a_whole_minute_of_429_is_waited_out(manager, clock, request_):
    end = clock.now + 60

    def count(handler, request):
        (REFUSAL if clock.now < end else DONE)(handler, request)

    it = manager(count)
    assert call(it, request_) == {"ID": 1}
    assert end <= clock.now < end + 21


@pytest.mark.parametrize("request_", ALL)
def test_endless_429_is_given_up_after_five_minutes(manager, clock, request_):
    it = manager(REFUSAL)
    error = fails(it, request_, errors.RateLimited)
    assert 300 <= clock.now - 1000 < 325
    assert (error.status, error.message, error.outcome_unknown) == (429, "Too many API requests", False)
    assert "requests_per_minute" in str(error)


@pytest.mark.parametrize(
    "header, wait",
    [("7", 7), (" 7 ", 7), ("120", 120), ("86400", 120), ("9" * 60, 120), ("0", 2), ("-5", 2), ("soon", 2), ("", 2)]
    + [("9" * 5000, 2), ("1.5", 2), ("NaN", 2), ("Fri, 99 Foo 2026 00:00:00 GMT", 2), ("\x80", 2)]
    + [("Thu, 01 Jan 1970 00:00:00 GMT", 2), ("Fri, 31 Dec 9999 23:59:59 GMT", 120)],
)
def test_retry_after_is_honored_and_bounded(manager, header, wait):
    it = manager(reply({}, 429, Retry_After=header), DONE)
    call(it, READ)
    assert it.clock.sleeps == [wait]


@pytest.mark.parametrize("ahead", [-86400, -3, 0, 3, 86400])
def test_retry_after_as_a_date_counts_by_the_managers_own_clock(manager, clock, ahead):
    now = clock.time() + 200_000 + ahead
    dates = {"Date": formatdate(now, usegmt=True), "Retry_After": formatdate(now + 30, usegmt=True)}
    it = manager(reply({}, 429, **dates), DONE)
    call(it, READ)
    assert it.clock.sleeps == [30]


@pytest.mark.parametrize("date", [None, "yesterday", ""])
def test_retry_after_as_a_date_counts_by_our_clock_where_the_manager_says_no_time(manager, clock, date):
    dates = {"Retry_After": formatdate(clock.time() + 30, usegmt=True), **({} if date is None else {"Date": date})}
    it = manager(reply({}, 429, **dates), DONE)
    call(it, READ)
    assert it.clock.sleeps == [30]


@pytest.mark.parametrize("date, wait", [("Thu, 01 Jan 1970 00:00:00 GMT", 120), ("Fri, 31 Dec 9999 23:59:59 GMT", 2)])
def test_a_date_of_the_manager_that_makes_no_sense_is_bounded(manager, date, wait):
    it = manager(reply({}, 429, Date=date, Retry_After="Sun, 01 Mar 2026 10:00:00 GMT"), DONE)
    call(it, READ)
    assert it.clock.sleeps == [wait]


def test_threads_that_are_refused_together_wait_together(manager):
    barrier = threading.Barrier(8, timeout=60)

    def refuse(handler, request):
        # Eight requests are under way before any of them is answered.
        barrier.wait()
        REFUSAL(handler, request)

    it = manager(*[refuse] * 8, DONE, concurrency=8)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _n: call(it, READ), range(8))) == [{"ID": 1}] * 8
    assert it.transport.requests_sent == 16
    assert set(it.clock.sleeps) == {2}


def test_a_refusal_holds_back_requests_that_start_later(manager, clock):
    gate = manager(DONE).transport._gate
    first, second = gate.enter(), gate.enter()
    gate.refused(first, 30)
    # Told to others, a shorter wait does not take back the longer one.
    gate.refused(second, 10)
    assert gate.enter() == clock.now == 1030


def test_threads_on_their_way_do_not_make_the_wait_grow(manager, clock):
    it = manager(DONE)
    gate = it.transport._gate
    starts = [gate.enter() for _each in range(8)]
    for start in starts:
        gate.refused(start, None)
    assert gate.enter() == 1002.0
    assert clock.sleeps == [2]


def test_after_a_success_the_wait_starts_small_again(manager):
    it = manager(REFUSAL, REFUSAL, DONE, REFUSAL, DONE)
    call(it, READ)
    call(it, READ)
    assert it.clock.sleeps == [2, 4, 2]


def test_jitter_spreads_the_waits(manager):
    it = manager(REFUSAL, reply(status=429, Retry_After="10"), reply(status=500), DONE)
    it.transport._random = it.transport._gate._random = lambda: 1.0
    call(it, READ)
    assert it.clock.sleeps == [2.5, 11, 0.75]


# 5xx


BODIES = [
    (HTML, "an HTML page titled 'Bad Gateway'"),
    (b"<!DOCTYPE html><p>no title", "an HTML page"),
    (b'{"message": "Internal \\u001b[31m error"}', "Internal \\x1b[31m error"),
    (b'{"errors": ["one", {"message": "two"}]}', "one; two"),
    (b'{"error": {"message": "legacy"}}', "legacy"),
    (b'{"unknown": 1}', '{"unknown": 1}'),
    (b"", "an empty body"),
    (b"plain\r\ntext \xff", "plain text \ufffd"),
    (b"[" * 50000, "[" * 499 + "…"),
    (b"<title" * 10000, "an HTML page"),
]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body, message", BODIES)
def test_a_server_error_is_repeated_then_told(manager, status, body, message):
    it = manager(reply(body, status))
    error = fails(it, READ, errors.Unavailable)
    assert (error.status, error.message, error.outcome_unknown) == (status, message, False)
    assert it.clock.sleeps == [0.5, 1, 2, 4]
    assert it.transport.requests_sent == 5


@pytest.mark.parametrize("request_", REPEATABLE)
@pytest.mark.parametrize("body", [HTML, b"{}", b""])
def test_a_passing_server_error_goes_unnoticed(manager, request_, body):
    it = manager(reply(body, 502), reply(body, 503), DONE)
    assert call(it, request_) == {"ID": 1}
    assert it.clock.sleeps == [0.5, 1]


def test_retry_after_of_a_503_is_honored(manager):
    it = manager(reply(status=503, Retry_After="30"), DONE)
    call(it, READ)
    assert it.clock.sleeps == [30]


@pytest.mark.parametrize("request_", [MODIFY, DELETE])
def test_a_write_that_only_met_server_errors_may_have_happened(manager, request_):
    error = fails(manager(reply(status=500)), request_, errors.Unavailable)
    assert error.outcome_unknown
    assert "it is not known whether the change was made" in str(error)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_create_is_not_repeated_after_a_server_error(manager, status):
    it = manager(reply(HTML, status), DONE)
    assert fails(it, CREATE, errors.Unavailable).outcome_unknown
    assert (len(it.server.requests), it.clock.sleeps) == (1, [])


# Refusals


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.ManagerError),
        (409, errors.ManagerError),
        (413, errors.ManagerError),
    ],
)
@pytest.mark.parametrize("request_", ALL)
def test_a_refusal_is_final(manager, request_, status, kind):
    it = manager(reply({"message": "Not authorized to delete computers"}, status))
    error = fails(it, request_, kind)
    assert (error.status, error.message) == (status, "Not authorized to delete computers")
    assert not error.outcome_unknown
    assert it.transport.requests_sent == 1
    assert str(error).startswith(f"{error.method} {error.path} at https://127.0.0.1:{it.server.port}/api failed, ")


def test_a_refusal_whose_text_breaks_off_is_still_that_refusal(manager):
    it = manager(cut_in_body(403))
    assert fails(it, MODIFY, errors.Forbidden).message == "an empty body"


def test_a_refusal_after_a_broken_attempt_leaves_the_outcome_open(manager):
    it = manager(cut_before(), reply({"message": "no"}, 403))
    assert fails(it, MODIFY, errors.Forbidden).outcome_unknown


def test_attempts_that_are_never_sent_do_not_settle_an_earlier_one(manager):
    it = manager(cut_before())
    real = it.server.finish_request

    def take_only_the_first(request, address):
        if it.server.requests:
            request.close()
        else:
            real(request, address)

    it.server.finish_request = take_only_the_first
    assert fails(it, MODIFY, errors.ConnectionFailed).outcome_unknown
    assert (len(it.server.requests), it.transport.requests_sent) == (1, 5)


def test_the_object_of_a_repeated_delete_is_gone(manager):
    for broken in (cut_before(), cut_in_body(), reply(status=502)):
        it = manager(broken, reply({"message": "The firewall rule does not exist."}, 404))
        assert call(it, DELETE) is None
        assert it.transport.requests_sent == 2


def test_a_delete_that_was_certainly_not_done_before_reports_404(manager):
    it = manager(REFUSAL, reply({"message": "The firewall rule does not exist."}, 404))
    assert not fails(it, DELETE, errors.NotFound).outcome_unknown


# Connections that break

CUTS = {
    "before the reply": cut_before(),
    "before the reply, by a reset": cut_before(reset=True),
    "in the head": raw(b"HTTP/1.1 200 O"),
    "in the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Len"),
    "in the body": cut_in_body(),
    "in a chunk": raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"ID'),
    "garbage": raw(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "contradictory lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}"),
    "too many headers": raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("request_", REPEATABLE)
def test_a_broken_connection_is_repeated(manager, request_, cut):
    it = manager(cut, cut, DONE)
    assert call(it, request_) == {"ID": 1}
    assert it.clock.sleeps == [0.5, 1]
    assert it.transport.requests_sent == 3


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_create_is_sent_once_and_left_open(manager, cut):
    it = manager(cut, DONE)
    assert fails(it, CREATE, errors.ConnectionFailed).outcome_unknown
    assert (len(it.server.requests), it.clock.sleeps) == (1, [])
    assert (it.transport.requests_sent, it.transport.writes_sent) == (1, 1)


@pytest.mark.parametrize("request_", REPEATABLE)
def test_a_connection_that_keeps_breaking_is_given_up(manager, request_):
    it = manager(cut_before())
    error = fails(it, request_, errors.ConnectionFailed)
    assert error.outcome_unknown == (request_[0] == "write")
    assert (len(it.server.requests), it.clock.sleeps) == (5, [0.5, 1, 2, 4])


@pytest.mark.parametrize("request_", ALL)
def test_a_connection_that_ends_after_a_reply_costs_nothing(manager, request_):
    it = manager(cut_after({"ID": 1}))
    for number in range(1, 4):
        assert call(it, request_) == {"ID": 1}
        # The end of the connection has come in before the next request is sent.
        assert _ended(it)
        assert (it.server.accepted, it.transport.requests_sent) == (number, number)
    assert it.clock.sleeps == []


def _ended(it):
    """Wait until the end of the connection in the pool has come in."""
    (connection,) = filter(None, it.transport._pool._pool.pool.queue)
    return connection.is_closed or select.select([connection.sock], [], [], 5)[0]


def test_broken_connections_give_their_place_back(manager):
    it = manager(*CUTS.values(), reply(b"\x1f\x8bnot gzip", Content_Encoding="gzip"), DONE, concurrency=1)
    for _each in CUTS:
        fails(it, CREATE, errors.ConnectionFailed)
    fails(it, READ, errors.BadReply)
    assert call(it, READ) == {"ID": 1}


@pytest.fixture
def nobody():
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("request_", ALL)
def test_nobody_listens(manager, nobody, request_):
    it = manager()
    it.transport._pool._pool.port = nobody
    error = fails(it, request_, errors.ConnectionFailed)
    assert "Connection refused" in error.message
    assert not error.outcome_unknown
    assert it.clock.sleeps == [0.5, 1, 2, 4]


def test_an_older_error_of_the_caller_is_not_taken_for_the_cause(manager, nobody):
    it = manager()
    it.transport._pool._pool.port = nobody
    with pytest.raises(errors.ConnectionFailed, match="Connection refused"):
        try:
            raise KeyError("older")
        except KeyError:
            call(it, READ)


def test_a_name_that_does_not_exist(manager, monkeypatch):
    def unknown(*_arguments):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    it = manager(url="https://dsm.example:4119/api")
    error = fails(it, CREATE, errors.ConnectionFailed)
    assert "Name or service not known" in error.message
    assert (error.outcome_unknown, it.transport.requests_sent) == (False, 5)


@pytest.mark.parametrize("request_", ALL)
def test_no_tls_on_the_port(manager, request_):
    it = manager(context=None)
    error = fails(it, request_, errors.ConnectionFailed)
    assert error.message.startswith("there is no TLS on that port")
    assert not error.outcome_unknown
    assert it.server.requests == []


@pytest.mark.parametrize("request_", ALL)
def test_a_handshake_that_breaks_off_is_repeated_even_for_a_create(manager, request_):
    it = manager(DONE)
    real = it.server.finish_request

    def hang_up_twice(request, address):
        if it.server.accepted < 2:
            it.server.accepted += 1
            request.close()
        else:
            real(request, address)

    it.server.finish_request = hang_up_twice
    assert call(it, request_) == {"ID": 1}
    assert it.clock.sleeps == [0.5, 1]
    assert len(it.server.requests) == 1


@pytest.mark.parametrize("problem", [TimeoutError("timed out"), ConnectionRefusedError(111, "Connection refused")])
@pytest.mark.parametrize("is_last_good", [True, False])
def test_the_addresses_of_a_name_share_the_time(manager, monkeypatch, is_last_good, problem):
    connect, look_up, waited = socket.socket.connect, socket.getaddrinfo, []
    addresses = ["192.0.2.1", "192.0.2.2", "127.0.0.1" if is_last_good else "192.0.2.3"]

    def several(host, *words, **more):
        if host != "localhost":
            return look_up(host, *words, **more)
        (found,) = look_up("127.0.0.1", *words, **more)
        return [(*found[:4], (address, *found[4][1:])) for address in addresses]

    def connect_to_the_last(connection, address):
        if address[0].startswith("192.0.2."):
            waited.append(connection.gettimeout())
            raise problem
        connect(connection, address)

    monkeypatch.setattr(socket, "getaddrinfo", several)
    monkeypatch.setattr(socket.socket, "connect", connect_to_the_last)
    server = manager(DONE)
    it = manager(url=f"https://localhost:{server.server.port}/api", timeout=9)
    if is_last_good:
        assert call(it, CREATE) == {"ID": 1}
        # Once connected, every wait may take the whole time again.
        (connection,) = it.transport._pool._made
        assert connection.sock.gettimeout() == 9
    else:
        kind = errors.TimedOut if isinstance(problem, TimeoutError) else errors.ConnectionFailed
        assert not fails(it, CREATE, kind).outcome_unknown
        assert it.transport.requests_sent == 5
    # The connections fail at once here, so that nearly all of the time is left for those that follow.
    assert waited[0] <= 3 and waited[1] <= 4.5


# Slow managers


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.slow
@pytest.mark.parametrize("request_", [READ, MODIFY])
def test_a_slow_reply_is_asked_for_again(manager, released, request_):
    it = manager(silence(released), DONE, timeout=2)
    assert call(it, request_) == {"ID": 1}
    assert it.clock.sleeps == [0.5]


@pytest.mark.slow
def test_a_manager_that_stays_silent_is_given_up(manager, released):
    it = manager(silence(released), timeout=1)
    assert fails(it, MODIFY, errors.TimedOut).outcome_unknown
    assert not fails(it, READ, errors.TimedOut).outcome_unknown
    assert it.transport.requests_sent == 10


def test_a_slow_create_is_left_open(manager, released):
    it = manager(silence(released), DONE, timeout=2)
    assert fails(it, CREATE, errors.TimedOut).outcome_unknown
    assert it.transport.requests_sent == 1


def test_a_reply_that_stops_halfway(manager, released):
    def stall(handler, request):
        handler.wfile.write(handler.head(200, {"Content-Length": "100"}) + b'{"ID"')
        silence(released)(handler, request)

    it = manager(stall, timeout=2)
    error = fails(it, CREATE, errors.TimedOut)
    assert error.outcome_unknown
    assert error.message == "the reply did not come to its end in time"


def test_a_request_that_nobody_takes(manager, released):
    it = manager(timeout=2)

    def deaf(request, _address):
        # It says hello, and reads nothing from then on.
        with it.server.context.wrap_socket(request, server_side=True):
            released.wait(60)

    it.server.finish_request = deaf
    with pytest.raises(errors.TimedOut) as caught:
        it.transport.create("/policies", {"name": "x" * 30_000_000})
    assert caught.value.outcome_unknown and caught.value.message == "the request could not be sent in time"


@pytest.mark.parametrize("request_", [READ, CREATE])
def test_a_handshake_that_nobody_answers(clock, request_):
    # The backlog takes the connection; no one ever reads from it.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        connection = Connection(url=f"https://127.0.0.1:{deaf.getsockname()[1]}/api", api_key=KEY)
        with Transport(replace(connection, timeout=0.1), clock=clock) as transport:
            with pytest.raises(errors.TimedOut, match="no connection could be made in time") as caught:
                getattr(transport, request_[0])(*request_[1:])
    assert not caught.value.outcome_unknown
    assert transport.requests_sent == 5


# Certificates


@pytest.mark.parametrize("request_", ALL)
def test_a_certificate_of_an_unknown_authority(manager, request_):
    it = manager(ca_path=None)
    error = fails(it, request_, errors.UntrustedCertificate)
    assert "ca_path" in str(error) and "validate_certs" in str(error)
    assert "certificate" in error.message
    assert (it.server.requests, it.clock.sleeps, it.transport.requests_sent) == ([], [], 1)
    assert not error.outcome_unknown


def test_a_certificate_for_another_name(manager, certificates):
    it = manager(context=certificates.for_names("elsewhere.example"))
    error = fails(it, READ, errors.UntrustedCertificate)
    assert "127.0.0.1" in error.message
    assert it.server.requests == []


# Replies that make no sense


UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("request_", ALL)
def test_a_reply_that_ends_with_its_connection(manager, request_):
    it = manager(raw(UNFRAMED + b'{"ID": 1}'))
    assert call(it, request_) == {"ID": 1}


def test_a_page_that_ends_with_its_connection_is_a_bad_reply(manager):
    it = manager(raw(UNFRAMED + HTML))
    assert fails(it, CREATE, errors.BadReply).outcome_unknown
    assert "HTML page" in fails(it, READ, errors.BadReply).message


def test_the_reply_to_a_delete_that_may_have_broken_off_is_not_believed(manager):
    it = manager(raw(UNFRAMED), reply(status=404))
    assert call(it, DELETE) is None
    assert it.transport.requests_sent == 2


@pytest.mark.parametrize(
    "body, message",
    [
        (HTML, "its body is not JSON: an HTML page titled 'Bad Gateway'"),
        (b"", "its body is not JSON: an empty body"),
        (b'{"ID": 1', 'its body is not JSON: {"ID": 1'),
        (b"\xff\xfe\xfa", "its body is not JSON: \ufffd\ufffd\ufffd"),
        (b"[" * 10**5, None),
        (b"1" * 5000, None),
        (b"null", "its body is not a JSON object: null"),
        (b'""', 'its body is not a JSON object: ""'),
        (b"[1, 2]", "its body is not a JSON object: [1, 2]"),
    ],
)
@pytest.mark.parametrize("request_", [READ, MODIFY, CREATE])
def test_a_success_that_is_none(manager, request_, body, message):
    it = manager(reply(body))
    error = fails(it, request_, errors.BadReply)
    assert error.message == message or message is None
    assert len(error.message) <= 500
    assert (error.status, error.outcome_unknown) == (200, request_ is not READ)
    assert it.transport.requests_sent == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"true", b'"text"'])
def test_a_delete_may_not_answer_just_anything(manager, body):
    assert fails(manager(reply(body)), DELETE, errors.BadReply).outcome_unknown


def test_a_body_that_cannot_be_decompressed(manager):
    broken = gzip.compress(b"{}" * 1000)[:20] + b"\x00" * 20
    it = manager(reply(broken, Content_Encoding="gzip"))
    assert fails(it, MODIFY, errors.BadReply).outcome_unknown
    assert it.transport.requests_sent == 1


# The key

SECRET = KEY.partition(":")[2]


@pytest.mark.parametrize(
    "answer, kind",
    [
        (reply({"message": f"Invalid API Key {KEY}!"}, 401), errors.Unauthorized),
        (reply({"message": f"Invalid API Key {SECRET}!"}, 401), errors.Unauthorized),
        (reply({"errors": [f"header {KEY}"]}, 400), errors.BadRequest),
        (reply(f"<title>{KEY}</title>".encode(), 502), errors.Unavailable),
        (reply(f"key: {KEY}".encode()), errors.BadReply),
        (reply(("x" * 490 + KEY).encode(), 403), errors.Forbidden),
        (reply(("\n" * 490 + KEY).encode(), 403), errors.Forbidden),
        (reply(b"17%3AS3cret%2BKey%2Fof%3Dthe%26Manager", 403), errors.Forbidden),
        (reply(b"17:S3cret+Key/of=the&amp;Manager", 403), errors.Forbidden),
        (reply(status=302, Location=f"https://elsewhere/{KEY}"), errors.Redirected),
        (raw(f"HTTP/1.1 {KEY}\r\n\r\n".encode()), errors.ConnectionFailed),
        (raw(f"{KEY}\r\n\r\n".encode()), errors.ConnectionFailed),
    ],
)
def test_a_key_that_the_server_echoes_goes_no_further(manager, answer, kind):
    error = fails(manager(answer), READ, kind)
    for piece in (KEY, SECRET, SECRET[:8], "S3cret"):
        assert piece not in str(error)


@given(st.text())
def test_a_server_text_is_one_short_printable_line(text):
    error = errors.BadRequest("GET", "/x", status=400, message=text)
    assert error.message.isprintable()
    assert len(error.message) <= 500
    assert error.message == " ".join(error.message.split())


def test_server_module_serves_what_the_tests_rely_on(certificates):
    # The request is complete before it is cut: otherwise the tests above would prove less than they say.
    with Server(certificates.context, cut_before()) as server:
        connection = Connection(url=f"https://127.0.0.1:{server.port}/api", api_key=KEY, ca_path=certificates.path)
        with Transport(connection) as transport, pytest.raises(errors.ConnectionFailed):
            transport.create("/policies", {"name": "x"})
        assert [request.body for request in server.requests] == [b'{"name": "x"}']
