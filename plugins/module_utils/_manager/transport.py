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

from .._basis.signals import leave_signals
from .errors import DeadlinePassed, ManagerError, RateLimited, Unavailable, error_for_status
from .gate import Clock, Gate, SystemClock
from .limit import PATIENCE_FACTOR
from .mask import Mask
from .parser import PageParser
from .pool import Pool
from .progress import Progress
from .reply import Failure, Reply

if t.TYPE_CHECKING:
    from .connection import Connection

# How often a request is sent if the reply is 5xx or if there is none.
ATTEMPTS = 5
# Seconds before the second attempt; doubled before each further one.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
# How many reads may run ahead at once. A further connection needs handshakes, which take longer than a short list.
AHEAD = 3
# How many seconds a request may get only 429 before it is given up.
PATIENCE = 300.0

Query = t.Union[t.Mapping[str, str], t.Iterable[t.Tuple[str, str]], None]
Object = t.Dict[str, t.Any]
# What identifies a request: method, target and payload.
_Asked = t.Tuple[str, str, t.Optional[bytes]]


class Transport:
    """Sends requests to one manager, from any number of threads, until it is closed.

    Every method returns the parsed JSON object, or raises a C(ManagerError). Neither contains the API key, even if the
    server's text does.

    Everything has a time limit. An attempt may take the option C(timeout) for connecting and for each wait for data,
    and ten times as long from the request to the end of the reply, plus one second for each 32 KiB received. A failed
    request is not tried again when ten minutes plus ten times C(timeout) have passed since the first attempt. After the
    option C(deadline), nothing is sent, and running requests have C(timeout) to end.
    """

    def __init__(
        self, connection: Connection, *, clock: Clock | None = None, random: t.Callable[[], float] = _random.random
    ) -> None:
        """C(clock): the machine's by default. C(random) returns numbers from 0 to 1. The deadline counts from now.

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
        # Reads that run ahead, by their request, and their threads; and reads that wait for the very first answer.
        # Managers lock a key after a few requests with a wrong one, so only one request is sent before that answer.
        self._begun: dict[_Asked, Future[Object]] = {}
        self._waiting: dict[_Asked, _Request] = {}
        self._has_answered = False
        self._ahead_lock = threading.Lock()
        self._ahead: ThreadPoolExecutor | None = None
        self._most_ahead = min(AHEAD, connection.concurrency)
        self.progress = Progress(clock, connection.requests_per_minute)

    def shows_key(self, text: str) -> bool:
        """Whether a text that will be kept contains the API key, in any spelling."""
        return self._mask.is_in(text)

    @property
    def requests_sent(self) -> int:
        """How many requests were started, counting each attempt."""
        return self._requests_sent

    @property
    def requests(self) -> dict[str, int]:
        """Both counts for results."""
        return {"sent": self.requests_sent, "writes": self.writes_sent}

    @property
    def writes_sent(self) -> int:
        """How many of the requests could change something on the manager."""
        return self._writes_sent

    def read(
        self, method: str, path: str, *, query: Query = None, body: t.Any = None, as_page: PageParser | None = None
    ) -> Object:
        """Send a request that changes nothing, such as a search. It is repeated while that may help.

        C(as_page): what parses the reply if it is a page as expected; see C(parser.page_parser).
        """
        request = self._request(method, path, query, body, writes=False, repeatable=True, as_page=as_page)
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

    def ahead(
        self, method: str, path: str, *, query: Query = None, body: t.Any = None, as_page: PageParser | None = None
    ) -> None:
        """Start a read in a thread, after the manager's first answer. The caller must be sure to call C(read) with the
        same arguments: that call gets this read's result or error, and sends nothing.
        """
        request = self._request(method, path, query, body, writes=False, repeatable=True, as_page=as_page)
        with self._ahead_lock:
            self._waiting[request.asked] = request
        if self._has_answered:
            self._begin()

    def _begin(self) -> None:
        """Start the waiting reads, in their order."""
        with self._ahead_lock:
            if not self._waiting:
                return
            if self._ahead is None:
                self._ahead = ThreadPoolExecutor(self._most_ahead, initializer=leave_signals)
            for asked, request in self._waiting.items():
                self._begun[asked] = self._ahead.submit(self._object, request)
            self._waiting.clear()

    def write(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> Object | None:
        """Send a request that has the same effect if it is sent twice. It is repeated while that may help.

        A DELETE may return None. If a repeated DELETE finds no object, it has succeeded. If an error has
        C(outcome_unknown), the manager may have done it anyway.
        """
        return self._converse(self._request(method, path, query, body, writes=True, repeatable=True))

    def create(self, path: str, body: t.Any) -> Object:
        """Send a POST that creates an object. Only repeated if the manager cannot have seen it, or refused it with 429.

        If the error has C(outcome_unknown), the object may exist.
        """
        return self._object(self._request("POST", path, None, body, writes=True, repeatable=False))

    @contextlib.contextmanager
    def threads(self, count: int) -> t.Iterator[ThreadPoolExecutor]:
        """C(count) threads to send requests from. They end with the block, and work that has not started is dropped.

        If an alarm or another error ends the block, nothing more is sent, and waiting threads are woken.
        """
        pool = ThreadPoolExecutor(count, initializer=leave_signals)
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
        """The clock of the task. Use C(pause) to wait."""
        return self._clock

    def pause(self, seconds: float) -> None:
        """Wait for this many seconds, or until the task's deadline, after which the next request fails."""
        self._gate.wait(seconds)

    def close(self) -> None:
        """Close all connections. Reads that run ahead and have not ended are given up."""
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
        self,
        method: str,
        path: str,
        query: Query,
        body: t.Any,
        *,
        writes: bool,
        repeatable: bool,
        as_page: PageParser | None = None,
    ) -> _Request:
        target = self._base_path + path
        if query:
            target += "?" + _encoded(tuple(query.items() if isinstance(query, Mapping) else query))
        payload = None if body is None else json.dumps(body).encode()
        return _Request(method, path, target, payload, writes, repeatable, as_page)

    def _object(self, request: _Request) -> Object:
        parsed = self._converse(request)
        if parsed is None:
            raise AssertionError("only the reply to a DELETE may be empty")
        return parsed

    def _converse(self, request: _Request) -> Object | None:
        """Send the request until there is an answer, or until further attempts cannot help."""
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
        """Make all requests wait after a 429. Raise an error if this request has waited too long."""
        request.last = refusal = Failure(RateLimited, reply.explanation(), 429)
        if request.refused_since is None:
            request.refused_since = started
        if self._clock.monotonic() - request.refused_since >= PATIENCE or self._lasted(request) >= self._longest:
            raise self._error(request, refusal)
        self._gate.refused(started, reply.retry_after)
        self.progress.refused(self._gate.opens_at)

    def _understood(self, request: _Request, reply: Reply) -> Object | None | Failure:
        """What the reply means for this request."""
        if reply.is_success:
            may_be_empty = request.method == "DELETE" and request.writes
            parsed = reply.parsed(may_be_empty=may_be_empty, as_page=request.as_page)
            if isinstance(parsed, dict) and self._mask.may_be_in(reply.body):
                parsed = self._mask.value(parsed)
            return parsed
        if reply.status == 404 and request.method == "DELETE" and request.doubt:
            return None
        kind = error_for_status(reply.status)
        down = kind is Unavailable
        return Failure(kind, reply.explanation(), reply.status, down, not down, reply.retry_after)

    def _failed(self, request: _Request, failure: Failure) -> None:
        """Wait before the next attempt, or raise the failure if another attempt cannot help."""
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


# Cached, because most requests of a task have the same few queries.
@functools.lru_cache(maxsize=1000)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)


@dataclass
class _Request:
    """A request, and the state of its attempts."""

    method: str
    path: str
    target: str
    payload: bytes | None
    writes: bool
    repeatable: bool
    as_page: PageParser | None = None
    first_started: float = math.inf
    failures: int = 0
    # The time since which it has only got 429.
    refused_since: float | None = None
    # Whether an attempt failed in a way that leaves open whether the manager has done what was requested.
    doubt: bool = False
    last: Failure | None = None

    @property
    def asked(self) -> _Asked:
        """What identifies the request."""
        return self.method, self.target, self.payload

    def tried(self, started: float) -> None:
        """An attempt began at this time."""
        self.first_started = min(self.first_started, started)
