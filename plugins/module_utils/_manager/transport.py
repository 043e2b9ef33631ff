# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the manager: with waiting, retries, and checks of the reply."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import random as _random
import threading
import typing as t
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from .errors import DeadlinePassed, ManagerError, RateLimited, Unavailable, error_for_status
from .gate import Clock, Gate, SystemClock
from .limit import PATIENCE_FACTOR
from .mask import Mask
from .pool import Pool
from .progress import Progress
from .reply import Failure, Reply

if t.TYPE_CHECKING:
    from .connection import Connection

# How often a request is sent whose reply is 5xx or none at all.
ATTEMPTS = 5
# Seconds before the second attempt; doubled before each further one.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
# How many reads are begun ahead at once: a further connection costs its handshakes, which take longer than a short list.
AHEAD = 3
# How long one request meets nothing but 429 before it is given up, in seconds.
PATIENCE = 300.0

Query = t.Union[t.Mapping[str, str], t.Iterable[t.Tuple[str, str]], None]
Object = t.Dict[str, t.Any]
# What tells a request from others: method, target and payload.
_Asked = t.Tuple[str, str, t.Optional[bytes]]


class Transport:
    """Sends requests to one manager, from any number of threads, until it is closed.

    Every method returns the parsed JSON object, and raises a C(ManagerError) otherwise. Nothing of this holds the API
    key, also where the server's text does.

    Nothing is endless. An attempt takes the option C(timeout) for connecting and for each wait for data; and from the
    request to the end of the reply ten times as long, with one second more for each 32 KiB that come in. What fails is
    not tried again once ten minutes and another ten times C(timeout) have passed since the first attempt. With the
    option C(deadline), nothing is sent once it has passed, and what is under way then has C(timeout) to end.
    """

    def __init__(
        self, connection: Connection, *, clock: Clock | None = None, random: t.Callable[[], float] = _random.random
    ) -> None:
        """C(clock) is the machine's unless given. C(random) returns numbers from 0 to 1. The deadline counts from here.

        Raises C(MissingLibrary). Sends nothing yet.
        """
        clock = clock or SystemClock()
        self.url = connection.url
        self._base_path = urlsplit(connection.url).path
        self._mask = Mask(connection.api_key)
        self._clock = clock
        self._random = random
        self._deadline = connection.deadline
        self._longest = 2 * PATIENCE + PATIENCE_FACTOR * connection.timeout
        self._count_lock = threading.Lock()
        self._requests_sent = 0
        self._writes_sent = 0
        ends_at = clock.monotonic() + 60 * connection.deadline if connection.deadline else math.inf
        self._gate = Gate(clock, random, connection.requests_per_minute, ends_at)
        self._pool = Pool(connection, clock, ends_at)
        # Reads that were begun ahead, by what they ask for, and the threads that they run in; and those that wait for the
        # first answer of all: managers count requests with a wrong key, and lock a key after a few, so only one is sent.
        self._begun: dict[_Asked, Future[Object]] = {}
        self._waiting: dict[_Asked, _Request] = {}
        self._has_answered = False
        self._ahead_lock = threading.Lock()
        self._ahead: ThreadPoolExecutor | None = None
        self._most_ahead = min(AHEAD, connection.concurrency)
        self.progress = Progress(clock, connection.requests_per_minute)

    def shows_key(self, text: str) -> bool:
        """Whether a text that is about to be kept has the API key in it, in any spelling."""
        return self._mask.is_in(text)

    @property
    def requests_sent(self) -> int:
        """How many requests were started, each attempt counted."""
        return self._requests_sent

    @property
    def requests(self) -> dict[str, int]:
        """What results say of both."""
        return {"sent": self.requests_sent, "writes": self.writes_sent}

    @property
    def writes_sent(self) -> int:
        """How many of them could change something on the manager."""
        return self._writes_sent

    def read(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> Object:
        """A request that changes nothing, searches included. Repeated while there is hope."""
        request = self._request(method, path, query, body, writes=False, repeatable=True)
        with self._ahead_lock:
            begun = self._begun.pop(request.asked, None)
            self._waiting.pop(request.asked, None)
        if begun is not None:
            return begun.result()
        answer = self._object(request)
        if not self._has_answered:
            self._has_answered = True
            self._begin()
        return answer

    def ahead(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> None:
        """Begin a read in a thread, once the manager has answered any. It must be sure that C(read) will be called with the
        same: that gets what comes of it, be it an error, and sends nothing.
        """
        request = self._request(method, path, query, body, writes=False, repeatable=True)
        with self._ahead_lock:
            self._waiting[request.asked] = request
        if self._has_answered:
            self._begin()

    def _begin(self) -> None:
        """Begin the reads that wait, in their order."""
        with self._ahead_lock:
            if not self._waiting:
                return
            if self._ahead is None:
                self._ahead = ThreadPoolExecutor(max_workers=self._most_ahead)
            for asked, request in self._waiting.items():
                self._begun[asked] = self._ahead.submit(self._object, request)
            self._waiting.clear()

    def write(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> Object | None:
        """A request that may be sent twice with the effect of once. Repeated while there is hope.

        A DELETE may return None, and that its object is gone when it is repeated is a success. An error's
        C(outcome_unknown) tells that the manager may have done it all the same.
        """
        return self._converse(self._request(method, path, query, body, writes=True, repeatable=True))

    def create(self, path: str, body: t.Any) -> Object:
        """A POST that makes an object. Repeated only if the manager cannot have seen it, or refused it with 429.

        With C(outcome_unknown) in the error, the object may exist.
        """
        return self._object(self._request("POST", path, None, body, writes=True, repeatable=False))

    @contextlib.contextmanager
    def threads(self, count: int) -> t.Iterator[ThreadPoolExecutor]:
        """So many threads to send requests from. With the block, they end, and what they have not begun is not tried.

        Where an alarm or the like ends the block, nothing more is sent, and who waits for a turn is woken.
        """
        pool = ThreadPoolExecutor(max_workers=count)
        try:
            yield pool
        except Exception:
            raise
        except BaseException:
            self._gate.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    @property
    def clock(self) -> Clock:
        """What the task measures time by. To wait there is C(pause)."""
        return self._clock

    def pause(self, seconds: float) -> None:
        """Wait for so many seconds, or until the task's deadline, after which the next request fails."""
        self._gate.wait(seconds)

    def close(self) -> None:
        """Close all connections. What was begun ahead, and has not come, is given up."""
        if self._ahead is not None:
            self._gate.stop()
            self._pool.cut()
            self._ahead.shutdown(cancel_futures=True)
        self._pool.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Transport to {self.url}>"

    def _request(
        self, method: str, path: str, query: Query, body: t.Any, *, writes: bool, repeatable: bool
    ) -> _Request:
        target = self._base_path + path
        if query:
            target += "?" + _encoded(tuple(query.items() if isinstance(query, Mapping) else query))
        payload = None if body is None else json.dumps(body).encode()
        return _Request(method, path, target, payload, writes, repeatable)

    def _object(self, request: _Request) -> Object:
        parsed = self._converse(request)
        if parsed is None:
            raise AssertionError("only the reply to a DELETE may be empty")
        return parsed

    def _converse(self, request: _Request) -> Object | None:
        """Send the request until there is an answer, or no hope for one."""
        while True:
            started = self._gate.enter()
            if started is None:
                raise self._too_late(request)
            self._count(request.writes)
            outcome = self._pool.attempt(request.method, request.target, request.payload)
            request.tried(started)
            if isinstance(outcome, Reply) and outcome.status == 429:
                self._refused(request, outcome, started)
                continue
            request.refused_since = None
            self.progress.accepted()
            if isinstance(outcome, Reply):
                self._gate.accepted(started)
                answer = self._understood(request, outcome)
                if not isinstance(answer, Failure):
                    return answer
                outcome = answer
            self._failed(request, outcome)

    def _refused(self, request: _Request, reply: Reply, started: float) -> None:
        """Make all requests wait after a 429; raise it where this one has waited for long enough."""
        request.last = refusal = Failure(RateLimited, reply.explanation(), 429)
        if request.refused_since is None:
            request.refused_since = started
        if self._clock.monotonic() - request.refused_since >= PATIENCE or self._lasted(request) >= self._longest:
            raise self._error(request, refusal)
        self._gate.refused(started, reply.retry_after)
        self.progress.refused(self._gate.opens_at)

    def _understood(self, request: _Request, reply: Reply) -> Object | None | Failure:
        """What the reply is to this request."""
        if reply.is_success:
            parsed = reply.parsed(may_be_empty=request.method == "DELETE" and request.writes)
            if isinstance(parsed, dict) and self._mask.may_be_in(reply.body):
                parsed = self._mask.value(parsed)
            return parsed
        if reply.status == 404 and request.method == "DELETE" and request.doubt:
            return None
        kind = error_for_status(reply.status)
        down = kind is Unavailable
        return Failure(kind, reply.explanation(), reply.status, down, not down, reply.retry_after)

    def _failed(self, request: _Request, failure: Failure) -> None:
        """Wait before the next attempt; raise the failure where there is no hope for one."""
        request.last = failure
        request.doubt = request.doubt or (request.writes and failure.maybe_done)
        request.failures += 1
        if failure.final:
            raise self._error(request, failure)
        repeatable = request.repeatable or not failure.maybe_done
        if request.failures >= ATTEMPTS or not repeatable or self._lasted(request) >= self._longest:
            raise self._too_late(request) if self._gate.deadline_passed else self._error(request, failure)
        self.progress.repeated()
        pause = min(FIRST_PAUSE * 2 ** (request.failures - 1), LONGEST_PAUSE) * (1 + self._random() / 2)
        self._gate.wait(max(pause, failure.retry_after or 0))

    def _lasted(self, request: _Request) -> float:
        return self._clock.monotonic() - request.first_started

    def _too_late(self, request: _Request) -> ManagerError:
        minutes = f"{self._deadline} minute{'s' * (self._deadline != 1)}"
        met = "" if request.last is None else f"; the last answer was: {request.last.said()}"
        return self._error(request, Failure(DeadlinePassed, f"the deadline of {minutes} has passed{met}"))

    def _error(self, request: _Request, failure: Failure) -> ManagerError:
        return failure.kind(
            request.method,
            request.path,
            url=self.url,
            status=failure.status,
            message=self._mask.text(failure.message),
            outcome_unknown=request.doubt,
        )

    def _count(self, writes: bool) -> None:
        self.progress.sent()
        with self._count_lock:
            self._requests_sent += 1
            self._writes_sent += writes


# Most requests of a task have the same few queries.
@functools.lru_cache(maxsize=1000)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)


@dataclass
class _Request:
    """A request, and how it has gone so far."""

    method: str
    path: str
    target: str
    payload: bytes | None
    writes: bool
    repeatable: bool
    first_started: float = math.inf
    failures: int = 0
    # Since when it has met nothing but 429.
    refused_since: float | None = None
    # Whether an attempt failed in such a way that the manager may have done what was asked.
    doubt: bool = False
    last: Failure | None = None

    @property
    def asked(self) -> _Asked:
        """What tells it from others."""
        return self.method, self.target, self.payload

    def tried(self, started: float) -> None:
        """An attempt began at this time."""
        self.first_started = min(self.first_started, started)
