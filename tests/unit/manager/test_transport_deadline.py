# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deadline of a task: what comes after it, and what is under way then."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.gate import Gate
from tests.unit.manager.https_server import Drip, cut_before, raw, reply
from tests.unit.manager.test_transport_faults import ALL, CREATE, DONE, MODIFY, READ, REFUSAL, call, fails

WRITES = [MODIFY, CREATE]


@pytest.mark.parametrize("request_", ALL)
def test_past_the_deadline_nothing_is_sent(manager, clock, request_):
    it = manager(DONE, deadline=5)
    clock.advance(299)
    assert call(it, request_) == {"ID": 1}
    clock.advance(1)
    error = fails(it, request_, errors.DeadlinePassed)
    assert (error.code, error.message) == ("deadline", "the deadline of 5 minutes has passed")
    assert (error.status, error.outcome_unknown) == (None, False)
    assert it.transport.requests_sent == len(it.server.requests) == 1


def test_without_a_deadline_there_is_none(manager, clock):
    it = manager(DONE)
    clock.advance(10**9)
    assert call(it, READ) == {"ID": 1}


@pytest.mark.parametrize("request_", ALL)
def test_a_429_is_waited_out_no_longer_than_to_the_deadline(manager, clock, request_):
    it = manager(reply({"message": "slower"}, 429, Retry_After="90"), deadline=1)
    error = fails(it, request_, errors.DeadlinePassed)
    assert it.clock.sleeps == [60]
    assert error.message == "the deadline of 1 minute has passed; the last answer was: 429, slower"
    assert not error.outcome_unknown
    assert it.transport.requests_sent == 1


@pytest.mark.parametrize("request_", [READ, MODIFY])
@pytest.mark.parametrize(
    "answer, said",
    [
        (reply({"message": "down"}, 503, Retry_After="100"), "503, down"),
        (cut_before(), ""),
    ],
)
def test_a_pause_is_no_longer_than_to_the_deadline(manager, clock, request_, answer, said):
    it = manager(answer, deadline=1)
    clock.advance(59.75)
    error = fails(it, request_, errors.DeadlinePassed)
    assert it.clock.sleeps == [0.25]
    assert f"the last answer was: {said}" in error.message
    # It was under way, and is not known to have failed.
    assert error.outcome_unknown == (request_ is MODIFY)


def test_the_pace_does_not_go_on_past_the_deadline(manager, clock):
    it = manager(DONE, deadline=1, requests_per_minute=1)
    clock.advance(30)
    assert call(it, READ) == {"ID": 1}
    fails(it, READ, errors.DeadlinePassed)
    assert it.clock.sleeps == [30]


@pytest.mark.parametrize("request_", ALL)
def test_an_answer_that_comes_just_after_the_deadline_counts(manager, clock, request_):
    def late(handler, request):
        clock.advance(20)
        DONE(handler, request)

    it = manager(late, deadline=1)
    clock.advance(50)
    assert call(it, request_) == {"ID": 1}


@pytest.mark.parametrize("request_", ALL)
def test_a_refusal_that_comes_after_the_deadline_is_that_refusal(manager, clock, request_):
    def late(handler, request):
        clock.advance(20)
        reply({"message": "no"}, 403)(handler, request)

    it = manager(late, deadline=1)
    clock.advance(50)
    assert not fails(it, request_, errors.Forbidden).outcome_unknown


@pytest.mark.parametrize("request_", [READ, *WRITES])
def test_what_still_drips_after_the_deadline_is_given_up(manager, clock, request_):
    drip = Drip(b'HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n{"a": "', b"x" * 5000, lambda: clock.advance(1))
    it = manager(drip, deadline=1)
    clock.advance(50)
    error = fails(it, request_, errors.DeadlinePassed)
    assert error.message.startswith("the deadline of 1 minute has passed; the last answer was: the reply ")
    assert error.outcome_unknown == (request_ in WRITES)
    assert it.transport.requests_sent == 1
    assert drip.cut_off.wait(60)


def test_a_write_in_doubt_stays_so_when_it_meets_429_up_to_the_deadline(manager, clock):
    it = manager(raw(b""), REFUSAL, deadline=1)
    assert fails(it, MODIFY, errors.DeadlinePassed).outcome_unknown


def test_whoever_waits_at_the_gate_is_woken_by_the_deadline(clock):
    gate = Gate(clock, lambda: 0.0, 0, clock.now + 10)
    gate.refused(gate.enter(), 120)
    assert not gate.deadline_passed
    assert gate.enter() is None
    assert clock.sleeps == [10]
    assert gate.deadline_passed
    gate.wait(5)
    assert clock.sleeps == [10]
