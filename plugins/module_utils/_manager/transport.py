# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the manager: one pool of kept-alive connections, with waiting, retries and checks of the reply."""

from __future__ import annotations

import html
import json
import random as _random
import re
import ssl
import threading
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from .._basis.errors import MissingLibrary
from .errors import (
    BadReply,
    ConnectionFailed,
    JumpHostError,
    ManagerError,
    RateLimited,
    TimedOut,
    Unavailable,
    UntrustedCertificate,
    error_for_status,
)
from .jump_host import Tunnel, TunneledConnection, TunnelError

URLLIB3_IMPORT_ERROR: str | None = None
try:
    import urllib3
    from urllib3 import exceptions as http_errors
    from urllib3.connection import HTTPSConnection
    from urllib3.util import Retry, Timeout

    if int(urllib3.__version__.partition(".")[0]) < 2:
        raise ImportError(f"version {urllib3.__version__} is installed, 2.0 or later is needed")
except ImportError as import_error:
    URLLIB3_IMPORT_ERROR = str(import_error)
    HTTPSConnection = object

if t.TYPE_CHECKING:
    from .connection import Connection

VERSION = "0.1.0"

# How often a request is sent whose reply is 5xx or none at all.
ATTEMPTS = 5
# Seconds before the second attempt; doubled before each further one.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0

# The manager counts the requests of the last 60 seconds. Seconds after the first 429; doubled after each further one.
FIRST_WAIT = 2.0
LONGEST_WAIT = 20.0
# The longest Retry-After that is obeyed, in seconds.
LONGEST_RETRY_AFTER = 120.0
# How long one request meets nothing but 429 before it is given up, in seconds.
PATIENCE = 300.0

# A full page of 5,000 computers with their settings is about 20 MiB.
LARGEST_REPLY = 256 * 2**20
_LARGEST_ERROR_REPLY = 64 * 2**10
_PIECE = 2**20

Query = t.Union[t.Mapping[str, str], t.Iterable[t.Tuple[str, str]], None]


class SystemClock:
    """The machine's clock, in seconds. Everything here that waits or measures does so through such an object."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


class Transport:
    """Sends requests to one manager, from any number of threads, until it is closed.

    Every method returns the parsed JSON object, and raises a C(ManagerError) otherwise. No C(ManagerError) holds the
    API key, also where the server's text does.
    """

    def __init__(
        self, connection: Connection, *, clock: t.Any = SystemClock, random: t.Callable[[], float] = _random.random
    ) -> None:
        """C(clock) has C(monotonic) and C(sleep), in seconds; C(random) returns numbers from 0 to 1.

        Raises C(MissingLibrary). Sends nothing yet.
        """
        if URLLIB3_IMPORT_ERROR is not None:
            raise MissingLibrary("urllib3 >= 2.0", URLLIB3_IMPORT_ERROR)
        self._url = connection.url
        self._secrets = _spellings(connection.api_key)
        self._clock = clock
        self._random = random
        self._gate = _Gate(clock, random, connection.requests_per_minute)
        self._count_lock = threading.Lock()
        self._requests_sent = 0
        self._writes_sent = 0
        self._tunnel = Tunnel(connection.jump_host, connection.timeout) if connection.jump_host else None
        self._base_path = urlsplit(connection.url).path
        self._no_retries = Retry(False, redirect=False)
        self._pool = _pool(connection, self._tunnel)

    @property
    def requests_sent(self) -> int:
        """How many requests were started, each attempt counted."""
        return self._requests_sent

    @property
    def writes_sent(self) -> int:
        """How many of them could change something on the manager."""
        return self._writes_sent

    def read(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> dict[str, t.Any]:
        """A request that changes nothing, searches included. Repeated while there is hope."""
        return self._converse(method, path, query, body, writes=False, repeatable=True)

    def write(self, method: str, path: str, *, query: Query = None, body: t.Any = None) -> dict[str, t.Any] | None:
        """A request that may be sent twice with the effect of once. Repeated while there is hope.

        A DELETE may return None, and that its object is gone when it is repeated is a success. An error's
        C(outcome_unknown) tells that the manager may have done it all the same.
        """
        return self._converse(method, path, query, body, writes=True, repeatable=True)

    def create(self, path: str, body: t.Any) -> dict[str, t.Any]:
        """A POST that makes an object. Repeated only if the manager cannot have seen it, or refused it with 429.

        With C(outcome_unknown) in the error, the object may exist.
        """
        return self._converse("POST", path, None, body, writes=True, repeatable=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Transport to {self._url}>"

    def _converse(
        self, method: str, path: str, query: Query, body: t.Any, *, writes: bool, repeatable: bool
    ) -> dict[str, t.Any] | None:
        """Send the request until there is an answer, or no hope for one."""
        target = self._base_path + path
        if query:
            target += "?" + urlencode(list(query.items()) if isinstance(query, Mapping) else list(query))
        payload = None if body is None else json.dumps(body).encode()
        failures = 0
        refused_since: float | None = None
        # Whether an attempt failed in such a way that the manager may have done what was asked.
        doubt = False

        def error(kind: type[ManagerError], message: str, status: int | None = None) -> ManagerError:
            return kind(method, path, url=self._url, status=status, message=self._scrub(message), outcome_unknown=doubt)

        while True:
            started = self._gate.enter()
            self._count(writes)
            outcome = self._attempt(method, target, payload)

            if isinstance(outcome, _Reply) and outcome.status == 429:
                refused_since = started if refused_since is None else refused_since
                if self._clock.monotonic() - refused_since >= PATIENCE:
                    raise error(RateLimited, outcome.explanation(), 429)
                self._gate.refused(started, outcome.retry_after)
                continue
            refused_since = None

            if isinstance(outcome, _Reply):
                self._gate.accepted(started)
                if outcome.status < 300:
                    parsed, fault = _parse(outcome, may_be_empty=method == "DELETE")
                    if fault is None:
                        return parsed
                    doubt = writes
                    raise error(BadReply, fault, outcome.status)
                if outcome.status == 404 and method == "DELETE" and doubt:
                    return None
                kind = error_for_status(outcome.status)
                if kind is not Unavailable:
                    raise error(kind, outcome.explanation(), outcome.status)
                outcome = _Failure(kind, outcome.explanation(), outcome.status, retry_after=outcome.retry_after)

            doubt = doubt or (writes and outcome.maybe_done)
            failures += 1
            if outcome.final or failures >= ATTEMPTS or (outcome.maybe_done and not repeatable):
                raise error(outcome.kind, outcome.message, outcome.status)
            pause = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE) * (1 + self._random() / 2)
            self._clock.sleep(max(pause, outcome.retry_after or 0))

    def _attempt(self, method: str, target: str, payload: bytes | None) -> _Reply | _Failure:
        """Send the request once. What went wrong is returned, since a raised error would hold on to its context."""
        try:
            response = self._pool.request(
                method, target, body=payload, retries=self._no_retries, redirect=False, preload_content=False
            )
            reply = _Reply(
                response.status,
                _retry_after(response.headers.get("Retry-After")),
                response.headers.get("Location", ""),
            )
            framed = response.chunked or response.length_remaining is not None
        except TunnelError as error:
            return _Failure(JumpHostError, str(error), maybe_done=False, final=error.permanent)
        except http_errors.NewConnectionError as error:
            return _Failure(ConnectionFailed, _reason(error), maybe_done=False)
        except http_errors.ConnectTimeoutError:
            return _Failure(TimedOut, "no connection could be made in time", maybe_done=False)
        except http_errors.SSLError as error:
            if isinstance(error.args[0], ssl.SSLCertVerificationError):
                reason = error.args[0].verify_message or str(error.args[0])
                return _Failure(UntrustedCertificate, reason, maybe_done=False, final=True)
            return _Failure(ConnectionFailed, _reason(error))
        except http_errors.ReadTimeoutError:
            return _Failure(TimedOut, "the reply did not come in time")
        except http_errors.ClosedPoolError:
            raise
        except http_errors.HTTPError as error:
            return _Failure(ConnectionFailed, _reason(error))

        limit = LARGEST_REPLY if reply.status < 300 else _LARGEST_ERROR_REPLY
        try:
            reply.body = _body(response, limit)
        except http_errors.HTTPError as error:
            # The status of a refusal says enough without its text.
            if reply.status < 300:
                return _body_failure(error, reply.status)
        if reply.status < 300 and not framed and _broke_off(reply.body):
            # Nothing but the end of the connection marks the end of this reply, and that came too early.
            return _Failure(ConnectionFailed, "the connection ended within the reply")
        return reply

    def _count(self, writes: bool) -> None:
        with self._count_lock:
            self._requests_sent += 1
            self._writes_sent += writes

    def _scrub(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return text


@dataclass
class _Reply:
    """A status, and as much of the body as is of use. C(retry_after): seconds, None without such a header."""

    status: int
    retry_after: float | None = None
    location: str = ""
    body: bytes = b""

    def explanation(self) -> str:
        """What the reply says in words, in the server's own where it has some."""
        if self.location and 300 <= self.status < 400:
            return f"it points to {self.location}"
        return _explanation(self.body)


@dataclass
class _Failure:
    """An attempt without a useful reply. C(final): another one cannot do better."""

    kind: type[ManagerError]
    message: str
    status: int | None = None
    maybe_done: bool = True
    final: bool = False
    retry_after: float | None = None


class _Gate:
    """Where every request waits for its turn: the pace that the user set, and the pauses that the manager asks for.

    One request that is told 429 closes the gate for all, since the manager counts them together.
    """

    def __init__(self, clock: t.Any, random: t.Callable[[], float], requests_per_minute: int) -> None:
        self._clock = clock
        self._random = random
        self._interval = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._lock = threading.Lock()
        self._next_start = float("-inf")
        self._closed_at = float("-inf")
        self._refusals = 0

    def enter(self) -> float:
        """Wait for the turn; returns the time at which it came."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                pause = self._next_start - now
                if pause <= 0:
                    if self._interval:
                        self._next_start = now + self._interval
                    return now
            self._clock.sleep(pause)

    def refused(self, started: float, retry_after: float | None) -> None:
        """A request that entered at C(started) was answered 429."""
        with self._lock:
            # Those that were on their way when the gate closed bring no news, unless they say how long to wait.
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


class _BeforeSending:
    """A connection whose faults before the request is sent are told from those after: by their type."""

    def connect(self) -> None:
        try:
            super().connect()
        except (ssl.SSLCertVerificationError, TunnelError):
            raise
        except TimeoutError as error:
            raise http_errors.ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise http_errors.NewConnectionError(self, str(error)) from error


class _DirectConnection(_BeforeSending, HTTPSConnection):
    pass


class _JumpHostConnection(_BeforeSending, TunneledConnection):
    pass


def _pool(connection: Connection, tunnel: Tunnel | None) -> urllib3.HTTPSConnectionPool:
    parts = urlsplit(connection.url)
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Content-Type": "application/json",
        "User-Agent": f"workload_security.agent/{VERSION}",
        **connection.headers(),
    }
    if not connection.validate_certs:
        # The connection's own warning reaches the user; this one would only reach standard error.
        urllib3.disable_warnings(http_errors.InsecureRequestWarning)
    pool = urllib3.HTTPSConnectionPool(
        parts.hostname,
        parts.port or 443,
        maxsize=connection.concurrency,
        block=True,
        timeout=Timeout(connect=connection.timeout, read=connection.timeout),
        headers=headers,
        ssl_context=_tls(connection),
        **({} if tunnel is None else {"tunnel": tunnel}),
    )
    pool.ConnectionCls = _DirectConnection if tunnel is None else _JumpHostConnection
    return pool


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=connection.ca_path)
    # The same on every Python: 3.13 began to refuse certificates for formal faults, which those that managers make for
    # themselves may have; and a manager's own certificate in ca_path is as good as its CA's.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _body(response: t.Any, limit: int) -> bytes:
    """The decoded body, or its beginning, longer than C(limit), where it is longer."""
    pieces = []
    size = 0
    complete = False
    try:
        while not complete and size <= limit:
            piece = response.read(min(_PIECE, limit + 1))
            complete = not piece
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)
    finally:
        # What is left would have to be read before the connection could be used again. Its place in the pool must be
        # given back in any case, or the pool would run dry.
        if not complete:
            response.close()
        response.release_conn()


def _body_failure(error: Exception, status: int) -> _Failure:
    if isinstance(error, http_errors.DecodeError):
        return _Failure(BadReply, "its body cannot be decompressed", status, final=True)
    if isinstance(error, http_errors.ReadTimeoutError):
        return _Failure(TimedOut, "the reply did not come to its end in time")
    return _Failure(ConnectionFailed, _reason(error))


def _parse(reply: _Reply, *, may_be_empty: bool) -> tuple[dict[str, t.Any] | None, str | None]:
    """The JSON object in a reply of success, and None; or None, and what is wrong with the reply."""
    if len(reply.body) > LARGEST_REPLY:
        return None, f"its body is larger than {LARGEST_REPLY} bytes"
    if may_be_empty and not reply.body.strip():
        return None, None
    try:
        parsed = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None, f"its body is not JSON: {_explanation(reply.body)}"
    if may_be_empty and parsed in (None, ""):
        return None, None
    if isinstance(parsed, dict):
        return parsed, None
    return None, f"its body is not a JSON object: {_explanation(reply.body)}"


def _broke_off(body: bytes) -> bool:
    """Whether there is less than a JSON object, and nothing else either."""
    if body[:1] not in (b"", b"{"):
        return False
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return True
    return False


def _explanation(body: bytes) -> str:
    """What a body that is not a proper reply says: neither cleaned nor shortened, which comes after scrubbing."""
    text = body[:_LARGEST_ERROR_REPLY].decode("utf-8", "replace")
    try:
        said = _message(json.loads(text))
    except (ValueError, RecursionError):
        said = ""
    if said:
        return said
    if re.match(r"\s*<", text):
        title = re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)
        return f"an HTML page titled '{title[1].strip()}'" if title else "an HTML page"
    return text.strip() or "an empty body"


def _message(parsed: t.Any) -> str:
    """The text in any of the forms that the manager's errors have been seen in."""
    if isinstance(parsed, str):
        return parsed
    if isinstance(parsed, list):
        return "; ".join(filter(None, map(_message, parsed)))
    if isinstance(parsed, dict):
        return next(filter(None, (_message(parsed.get(key)) for key in ("message", "errors", "error"))), "")
    return ""


def _retry_after(header: str | None) -> float | None:
    """The seconds in a Retry-After header, at most 120, whether given as a number or a date; None for no sense."""
    if header is None:
        return None
    try:
        return min(Retry().parse_retry_after(header), LONGEST_RETRY_AFTER)
    except (http_errors.HTTPError, ValueError, OverflowError, TypeError, IndexError):
        return None


def _reason(error: BaseException) -> str:
    """The innermost cause in words; urllib3 and http.client wrap it with the names of their objects."""
    while True:
        # Not __context__, which may be an older error that a caller is dealing with.
        cause = error.__cause__ or (error.args and error.args[-1])
        if not isinstance(cause, BaseException):
            return str(error) or type(error).__name__
        error = cause


def _spellings(key: str) -> list[str]:
    """The key and its secret part, as they look in text, URL, HTML and JSON: the longest first, to leave no rest."""
    spellings = {
        spell(part)
        for part in (key, key.rpartition(":")[2])
        for spell in (str, quote, lambda text: quote(text, safe=""), html.escape, lambda text: json.dumps(text)[1:-1])
    }
    # A part of two or three characters would blacken half of any text, and protect nothing.
    return sorted((s for s in spellings if s == key or len(s) >= 8), key=len, reverse=True)
