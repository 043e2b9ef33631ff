# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What progress says, and the arithmetic of the time left, with a clock that only the test moves."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager.progress import (
    PLANNING,
    READING,
    WAITING,
    WRITING,
    Progress,
    _duration,
)


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        raise AssertionError("progress never waits")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def answer(progress: Progress, clock: HandClock, count: int, seconds_each: float = 0.0) -> None:
    for _number in range(count):
        progress.sent()
        clock.now += seconds_each
        progress.accepted()


def test_before_anything_is_known(clock):
    assert Progress(clock).line == "reading: 0 so far, 0 failed; 0 requests in the last minute"


def test_reading_without_an_end_that_is_known(clock):
    progress = Progress(clock)
    with progress.stage(READING, "computers") as stage:
        answer(progress, clock, 1, 2.0)
        stage.advance(5000)
        assert progress.line == "reading computers: 5000 so far, 0 failed; 1 request in the last minute"


def test_writing_at_its_own_pace(clock):
    """118 done and 2 failed in a minute: 380 are left for the next three and a bit."""
    progress = Progress(clock)
    with progress.stage(WRITING, total=500) as stage:
        for number in range(120):
            answer(progress, clock, 1, 0.5)
            stage.advance(failed=number < 2)
        assert progress.seconds_left() == pytest.approx(190)
        assert progress.line == (
            "writing: 118 of 500 done, 2 failed; 119 requests in the last minute; about 4 min left"
        )


def test_the_pace_that_the_user_set_is_a_limit(clock):
    """Ten writes at once, and then one each 0.6 s: the limit tells the time left from the start."""
    progress = Progress(clock, requests_per_minute=100)
    with progress.stage(WRITING, total=500) as stage:
        assert progress.seconds_left() == pytest.approx(300)
        answer(progress, clock, 10)
        stage.advance(10)
        assert progress.seconds_left() == pytest.approx(294)
        assert progress.line == (
            "writing: 10 of 500 done, 0 failed; 10 requests in the last minute; at most 100 a minute"
            " (requests_per_minute); about 5 min left"
        )


def test_a_slow_manager_takes_longer_than_the_limit_allows(clock):
    progress = Progress(clock, requests_per_minute=1000)
    with progress.stage(WRITING, total=100) as stage:
        answer(progress, clock, 10, 5.0)
        stage.advance(10)
        assert progress.seconds_left() == pytest.approx(450)


def test_a_limit_shows_where_the_manager_refuses(clock):
    """500 requests in ten seconds, then 429: what is left takes as many minutes as it has times 500 requests."""
    progress = Progress(clock)
    with progress.stage(WRITING, total=2000) as stage:
        answer(progress, clock, 500, 0.02)
        stage.advance(500)
        assert progress.seconds_left() == pytest.approx(30)
        progress.sent()
        progress.refused(clock.now + 12)
        assert progress.seconds_left() == pytest.approx(180)
        assert progress.line == (
            "writing: 500 of 2000 done, 0 failed; 501 requests in the last minute; waiting 12 s, since the manager"
            " refuses more for now (429); about 3 min left"
        )
        clock.now += 12
        assert "the manager takes about 500 a minute" in progress.line
        clock.now += 60
        assert "; 0 requests in the last minute; the manager takes about 500 a minute;" in progress.line


def test_the_smaller_limit_counts(clock):
    for paced, told, left in (
        (100, "at most 100 a minute (requests_per_minute)", 60),
        (1000, "about 300 a minute", 20),
    ):
        progress = Progress(clock, requests_per_minute=paced)
        with progress.stage(WRITING, total=100):
            answer(progress, clock, 300)
            progress.refused(clock.now)
            assert told in progress.line
            assert progress.seconds_left() == pytest.approx(left)
        clock.now += 1000


def test_a_manager_that_refuses_from_the_start(clock):
    progress = Progress(clock)
    with progress.stage(WRITING, total=10):
        progress.sent()
        progress.refused(clock.now + 2)
        assert progress.seconds_left() == pytest.approx(600)


def test_each_write_may_need_several_requests(clock):
    progress = Progress(clock, requests_per_minute=60)
    with progress.stage(WRITING, total=100) as stage:
        answer(progress, clock, 30)
        stage.advance(10)
        assert progress.seconds_left() == pytest.approx(270)


def test_one_request_may_read_thousands(clock):
    progress = Progress(clock, requests_per_minute=60)
    with progress.stage(READING, "what computers have", 60_000) as stage:
        answer(progress, clock, 2, 1.0)
        stage.advance(10_000)
        assert progress.seconds_left() == pytest.approx(10)
        assert progress.line.startswith("reading what computers have: 10000 of 60000 done, 0 failed;")


def test_what_was_sent_again_is_counted(clock):
    progress = Progress(clock)
    progress.repeated()
    progress.repeated()
    assert "; 2 sent again after an error" in progress.line


def test_a_stage_within_another_ends_before_it(clock):
    progress = Progress(clock)
    with progress.stage(PLANNING, total=7):
        with progress.stage(READING, "firewall rules"):
            assert progress.line.startswith("reading firewall rules: 0 so far")
        assert progress.line == "planning: 0 of 7 done, 0 failed; 0 requests in the last minute"
    assert progress.line.startswith("reading: 0 so far")


def test_interrupted(clock):
    progress = Progress(clock)
    with progress.stage(READING, "computers") as stage:
        stage.advance(5000)
        assert progress.interrupted == (
            "interrupted while reading computers: 5000 so far, 0 failed; nothing was written, and the next run starts"
            " over"
        )
    with progress.stage(WRITING, total=9) as stage:
        stage.advance(3)
        stage.advance(failed=True)
        told = "interrupted while writing: 3 of 9 done, 1 failed; the next run continues with the rest"
        assert progress.interrupted == told
        with progress.stage(READING, "firewall rules"):
            assert progress.interrupted == told


def test_what_is_waited_for_is_told_in_its_own_words(clock):
    progress = Progress(clock)
    with progress.stage(WRITING, "a task", 1):
        pass
    with progress.stage(WAITING, "for policies", 9) as stage:
        stage.said = "waiting for policies: 3 left, until noon"
        stage.advance()
        assert progress.line == "waiting for policies: 3 left, until noon; 0 requests in the last minute"
        assert progress.seconds_left() is None
        with progress.stage(READING, "computers"):
            assert progress.interrupted == f"interrupted while {stage.said}; what was started continues"
    assert progress.interrupted.startswith("interrupted while writing a task")


def test_it_can_be_asked_where_a_lock_is_held(clock):
    """As by the handler of a signal, which comes between any two instructions of whoever holds it."""
    progress = Progress(clock)
    with progress.stage(WRITING, total=1) as stage:
        with progress._lock, stage._lock:
            assert progress.interrupted.startswith("interrupted while writing")


def test_many_threads_tell_it(clock):
    progress = Progress(clock)
    with progress.stage(WRITING, total=4000) as stage:

        def write() -> None:
            for _number in range(1000):
                progress.sent()
                progress.accepted()
                stage.advance()

        threads = [threading.Thread(target=write) for _number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress.line.startswith("writing: 4000 of 4000 done, 0 failed; 4000 requests in the last minute")
        assert progress.seconds_left() == 0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.2, "1 s"), (99, "99 s"), (99.5, "2 min"), (99 * 60, "99 min"), (100 * 60, "2 h"), (1e6, "278 h")],
)
def test_a_time_in_words(seconds, told):
    assert _duration(seconds) == told


@given(
    st.lists(
        st.sampled_from(["sent", "accepted", "refused", "repeated", "done", "failed", "second", "minute"]), max_size=60
    ),
    st.integers(0, 30),
    st.integers(0, 5),
)
def test_whatever_happens_there_is_a_line_with_no_time_below_nothing(events, total, paced):
    clock = HandClock()
    progress = Progress(clock, requests_per_minute=paced)
    with progress.stage(WRITING, total=total) as stage:
        for event in events:
            if event in ("second", "minute"):
                clock.now += {"second": 1, "minute": 60}[event]
            elif event == "refused":
                progress.refused(clock.now + 5)
            elif event in ("done", "failed"):
                stage.advance(failed=event == "failed")
            else:
                getattr(progress, event)()
            left = progress.seconds_left()
            assert left is None or left >= 0
            assert progress.line.startswith(f"writing: {stage.done} of {total} done, {stage.failed} failed; ")
            assert "\n" not in progress.line
