# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task's progress, the limit that it waits for, and the time left: in numbers, never with names from outside."""

from __future__ import annotations

import contextlib
import math
import threading
import typing as t
from collections import deque

if t.TYPE_CHECKING:
    from .gate import Clock

READING = "reading"
PLANNING = "planning"
WRITING = "writing"
WAITING = "waiting"

# The manager counts the requests of this many seconds.
_MINUTE = 60.0
# From this number on, a time is shown in the next larger unit.
_MANY = 100


class Stage:
    """One thing that a task does, and how much of it is done. C(total) is None if it is not known yet."""

    def __init__(self, phase: str, what: str, total: int | None, started: float, accepted: int) -> None:
        """C(started): in seconds of the task's clock. C(accepted): how many requests were answered before."""
        self.phase, self.what, self.total = phase, what, total
        self.started, self.accepted_before = started, accepted
        self.done = self.failed = 0
        # Other words than the usual ones.
        self.said = ""
        self._lock = threading.Lock()

    def advance(self, count: int = 1, *, failed: bool = False) -> None:
        """C(count) more are done, or have failed. May be called from any thread."""
        with self._lock:
            if failed:
                self.failed += count
            else:
                self.done += count

    @property
    def told(self) -> str:
        """The stage in words: C(writing: 118 of 500 done, 2 failed)."""
        if self.said:
            return self.said
        of_all = "" if self.total is None else f" of {self.total}"
        counted = f": {self.done}{of_all}{' so far' if self.total is None else ' done'}"
        return f"{self.phase}{self.what and ' ' + self.what}{counted}, {self.failed} failed"


class Progress:
    """A task's progress. The engine updates it from any thread, and it can be read and shown at any time."""

    def __init__(self, clock: Clock, requests_per_minute: int = 0) -> None:
        """C(requests_per_minute): the option, 0 for no pacing."""
        self._clock = clock
        self._paced = requests_per_minute
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()
        self._accepted: deque[float] = deque()
        self._accepted_in_all = 0
        # How many requests per minute the manager accepted before it refused one, None until it refuses one.
        self._observed: int | None = None
        self._closed_until = -math.inf
        self._repeated = 0
        self._stage = Stage(READING, "", None, clock.monotonic(), 0)
        self._writing: Stage | None = None
        self._waiting: Stage | None = None

    # -- for the engine

    @contextlib.contextmanager
    def stage(self, phase: str, what: str = "", total: int | None = None) -> t.Iterator[Stage]:
        """The task does this until the end of the block, and then again what it did before."""
        before = self._stage
        stage = self._stage = Stage(phase, what, total, self._clock.monotonic(), self._accepted_in_all)
        if phase == WRITING:
            self._writing = stage
        elif phase == WAITING:
            self._waiting = stage
        try:
            yield stage
        finally:
            self._stage = before
            if phase == WAITING:
                self._waiting = None

    def sent(self) -> None:
        """A request is on its way."""
        with self._lock:
            self._sent.append(self._clock.monotonic())
            self._forget()

    def accepted(self) -> None:
        """A request was answered with anything but 429."""
        with self._lock:
            self._accepted.append(self._clock.monotonic())
            self._accepted_in_all += 1
            self._forget()

    def refused(self, closed_until: float) -> None:
        """A request was answered 429; the next one is sent at that time of the clock."""
        with self._lock:
            self._forget()
            self._observed = max(1, len(self._accepted))
            self._closed_until = closed_until

    def repeated(self) -> None:
        """A request failed and will be sent again."""
        with self._lock:
            self._repeated += 1

    # -- for display

    @property
    def line(self) -> str:
        """The whole progress on one line."""
        stage = self._stage
        now = self._clock.monotonic()
        with self._lock:
            self._forget()
            recent, repeated = len(self._sent), self._repeated
        parts = [
            stage.told,
            f"{recent} request{'s' * (recent != 1)} in the last minute",
            f"{repeated} sent again after an error" if repeated else "",
            self._limit_told(now),
        ]
        left = self.seconds_left()
        if left is not None:
            parts.append(f"about {_duration(left)} left")
        return "; ".join(filter(None, parts))

    @property
    def interrupted(self) -> str:
        """What is left undone if the task ends now. Takes no lock, so that a signal handler may call it."""
        if self._waiting is not None:
            return f"interrupted while {self._waiting.told}; what was started continues"
        if self._writing is not None:
            return f"interrupted while {self._writing.told}; the next run continues with the rest"
        stage = self._stage
        return f"interrupted while {stage.told}; nothing was written, and the next run starts over"

    def seconds_left(self) -> float | None:
        """Seconds until the stage ends, at its pace so far, but no less than the limit allows. None if unknown."""
        stage, now = self._stage, self._clock.monotonic()
        tried = stage.done + stage.failed
        if stage.total is None or stage.phase in (PLANNING, WAITING):
            return None
        remaining = max(0, stage.total - tried)
        limits = [limit for limit in (self._paced or None, self._observed) if limit is not None]
        times = []
        if tried:
            times.append(remaining * (now - stage.started) / tried)
        if limits:
            requests_each = (self._accepted_in_all - stage.accepted_before) / tried if tried else 1.0
            times.append(remaining * requests_each * _MINUTE / min(limits))
        return max(times, default=None)

    def _limit_told(self, now: float) -> str:
        wait = self._closed_until - now
        if wait > 0:
            return f"waiting {_duration(wait)}, since the manager refuses more for now (429)"
        if self._paced and (self._observed is None or self._paced <= self._observed):
            return f"at most {self._paced} a minute (requests_per_minute)"
        return "" if self._observed is None else f"the manager takes about {self._observed} a minute"

    def _forget(self) -> None:
        """Forget requests that are older than a minute."""
        since = self._clock.monotonic() - _MINUTE
        for times in (self._sent, self._accepted):
            while times and times[0] <= since:
                times.popleft()


def _duration(seconds: float) -> str:
    """A time in words, rounded up: 45 s, 12 min, 3 h."""
    for unit in ("s", "min"):
        if math.ceil(seconds) < _MANY:
            return f"{math.ceil(seconds)} {unit}"
        seconds /= 60
    return f"{math.ceil(seconds)} h"
