# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a request may start, by the user's limit per minute, the manager's pauses, and the task's deadline."""

from __future__ import annotations

import math
import threading
import time as _time
import typing as t

# Seconds to wait after the first 429, doubled after each further one. The manager counts the last 60 seconds.
FIRST_WAIT = 2.0
LONGEST_WAIT = 20.0
# The longest Retry-After that is obeyed, in seconds.
LONGEST_RETRY_AFTER = 120.0


class Clock(t.Protocol):
    """Waits and measures time, in seconds. Everything in this package does so through such an object."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary time, never going back."""

    def time(self) -> float:
        """Seconds since 1970."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for this many seconds, more than 0."""

    def wake(self) -> None:
        """Let nobody wait any more."""


class SystemClock:
    """The machine's clock, for one task."""

    monotonic = staticmethod(_time.monotonic)
    time = staticmethod(_time.time)

    def __init__(self) -> None:
        self._awake = threading.Event()

    def sleep(self, seconds: float, /) -> None:
        """Wait for this many seconds, or until C(wake) is called."""
        self._awake.wait(seconds)

    def wake(self) -> None:
        """Let nobody wait any more."""
        self._awake.set()


class Gate:
    """Every request waits here for its turn.

    A 429 for one request closes the gate for all, because the manager counts them together. After the deadline, no
    request enters, and waiting threads are woken.
    """

    def __init__(
        self, clock: Clock, random: t.Callable[[], float], requests_per_minute: int, ends_at: float = math.inf
    ) -> None:
        """C(random) returns numbers from 0 to 1; C(ends_at) is the deadline, in the clock's monotonic seconds."""
        self._clock = clock
        self._random = random
        self._interval = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._ends_at = ends_at
        self._lock = threading.Lock()
        self._next_start = -math.inf
        self._closed_at = -math.inf
        self._refusals = 0

    @property
    def deadline_passed(self) -> bool:
        """Whether no request may enter anymore."""
        return self._clock.monotonic() >= self._ends_at

    @property
    def opens_at(self) -> float:
        """When the next request may start, in the clock's monotonic seconds."""
        return self._next_start

    def enter(self) -> float | None:
        """Wait for the turn. Returns the time at which it came, None after the deadline."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                if now >= self._ends_at:
                    return None
                pause = self._next_start - now
                if pause <= 0:
                    if self._interval:
                        self._next_start = now + self._interval
                    return now
            self.wait(pause)

    def stop(self) -> None:
        """Let no request enter anymore, as after the deadline, and wake all waiting threads."""
        self._ends_at = -math.inf
        self._clock.wake()

    def wait(self, seconds: float) -> None:
        """Wait for this many seconds, or until the deadline."""
        pause = min(seconds, self._ends_at - self._clock.monotonic())
        if pause > 0:
            self._clock.sleep(pause)

    def refused(self, started: float, retry_after: float | None) -> None:
        """A request that entered at C(started) was answered 429."""
        with self._lock:
            # A 429 for a request from before the gate closed is no news, unless it says how long to wait.
            news = started > self._closed_at
            if not news and not retry_after:
                return
            self._refusals += news
            now = self._clock.monotonic()
            if retry_after:
                wait = min(retry_after + self._random(), LONGEST_RETRY_AFTER)
            else:
                wait = min(FIRST_WAIT * 2 ** (self._refusals - 1), LONGEST_WAIT) * (1 + self._random() / 4)
            self._closed_at = now
            self._next_start = max(self._next_start, now + wait)

    def accepted(self, started: float) -> None:
        """A request that entered at C(started) was answered with anything but 429."""
        if self._refusals and started > self._closed_at:
            with self._lock:
                self._refusals = 0
