# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pool of kept-alive TLS connections to the manager, and the result of a single attempt."""

from __future__ import annotations

import contextlib
import http.client
import math
import re
import socket
import ssl
import threading
import time
import typing as t
import weakref
from urllib.parse import urlsplit

from .._basis.errors import MissingLibrary
from . import limit as limits
from . import reply as replies
from .errors import (
    BadReply,
    ConnectionFailed,
    JumpHostError,
    ProxyRefused,
    ProxyUnauthorized,
    TimedOut,
    UntrustedCertificate,
)
from .jump_host import Tunnel, TunneledConnection, TunnelError
from .limit import Limit, TooLarge, TooSlow
from .reply import Failure, Reply

# The first version that limits decompression in every way of reading (CVE-2025-66418, CVE-2025-66471, CVE-2026-21441,
# CVE-2026-44432).
URLLIB3_NEEDED = "urllib3 >= 2.7"
URLLIB3_IMPORT_ERROR: str | None = None
try:
    import urllib3
    from urllib3 import exceptions as http_errors
    from urllib3.connection import HTTPSConnection
    from urllib3.util import Retry, Timeout
    from urllib3.util.connection import allowed_gai_family

    # urllib3 documents this name, but does not declare it.
    _installed: str = urllib3.__version__  # type: ignore[attr-defined]
    if tuple(map(int, re.findall("[0-9]+", _installed)[:2])) < (2, 7):
        raise ImportError(f"version {_installed} is installed, 2.7 or later is needed")
except ImportError as import_error:
    URLLIB3_IMPORT_ERROR = str(import_error)
    if not t.TYPE_CHECKING:
        HTTPSConnection = object

if t.TYPE_CHECKING:
    from .connection import Connection
    from .gate import Clock
    from .proxy import Proxy

VERSION = "1.0.0-rc.3"

_PIECE = 2**20
# The encodings that we request. Others, and chains of encodings, are refused unread.
_ENCODINGS = ("", "identity", "gzip", "x-gzip")
# OpenSSL's errors for bytes that are not TLS at all, such as plain HTTP.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")

# The status of the standard, and tinyproxy's answer to a wrong password.
_PROXY_UNAUTHORIZED = (407, 401)


class Pool:
    """Connections to one manager, for any number of threads, until it is closed."""

    def __init__(self, connection: Connection, clock: Clock, ends_at: float = math.inf) -> None:
        """C(ends_at): the task's deadline. Raises C(MissingLibrary). Sends nothing yet."""
        if URLLIB3_IMPORT_ERROR is not None:
            raise MissingLibrary(URLLIB3_NEEDED, URLLIB3_IMPORT_ERROR)
        self._clock = clock
        self._proxy = connection.proxy
        # urllib3 declares them as text.
        self._options: dict[str, t.Any] = {
            "retries": Retry(False, redirect=False),
            "redirect": False,
            "preload_content": False,
        }
        self._tunnel = Tunnel(connection.jump_host, connection.timeout) if connection.jump_host else None
        self._made: weakref.WeakSet[_Limited] = weakref.WeakSet()
        self._made_lock = threading.Lock()
        self._pool = _connections(
            connection, self._tunnel, lambda: Limit(clock, connection.timeout, ends_at), self._remember
        )

    def cut(self) -> None:
        """End all connections at once. Threads that wait for a reply get an error."""
        with self._made_lock:
            connections = list(self._made)
        for made in connections:
            if isinstance(made.sock, socket.socket):
                with contextlib.suppress(OSError):
                    # Not the TLS socket's own method, which would remove the state that the reading thread uses.
                    socket.socket.shutdown(made.sock, socket.SHUT_RDWR)
        if self._tunnel is not None:
            self._tunnel.close()

    def _remember(self, made: _Limited) -> None:
        with self._made_lock:
            self._made.add(made)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def attempt(self, method: str, target: str, payload: bytes | None) -> Reply | Failure:
        """Send a request once. Failures are returned, because a raised error would keep its context in memory.

        Raises C(ClosedPoolError) if the pool is closed.
        """
        try:
            # Whatever the method. For those with a body, request() would copy the headers twice.
            response = self._pool.request_encode_url(method, target, body=t.cast(t.Any, payload), **self._options)
        except Exception as error:
            if isinstance(error, http_errors.ClosedPoolError):
                raise
            failure = _request_failure(error)
            if self._proxy is not None and failure.kind not in (ProxyRefused, ProxyUnauthorized):
                # The answer may be from the proxy instead of the manager, such as its own page or certificate.
                failure.message = f"{failure.message.rstrip('.')}, through {self._proxy}"
            return failure
        try:
            return self._reply(response)
        except Exception as error:
            return _body_failure(error, response.status)
        finally:
            # The rest would have to be read before the connection could be used again, so it is closed. Its place in
            # the pool must be freed in any case, or the pool would run empty.
            if not response.closed:
                response.close()
            response.release_conn()

    def _reply(self, response: urllib3.BaseHTTPResponse) -> Reply | Failure:
        headers = response.headers
        reply = Reply(
            response.status,
            replies.retry_after(headers.get("Retry-After"), headers.get("Date"), self._clock.time()),
            headers.get("Location", ""),
        )
        encoding = headers.get("Content-Encoding", "").strip()
        if encoding.lower() not in _ENCODINGS:
            # For a refusal, the status is enough without the text.
            fault = f"its body has the encoding {encoding}, and only gzip was asked for"
            return Failure(BadReply, fault, reply.status, final=True) if reply.is_success else reply
        if not reply.is_success:
            with contextlib.suppress(Exception):  # as in attempt(), and as above
                reply.body = _body(response, replies.LARGEST_ERROR_REPLY)
            return reply
        framed = response.chunked or response.length_remaining is not None
        reply.body = _body(response, limits.LARGEST_REPLY)
        if not framed and reply.broke_off():
            # Only the end of the connection marks the end of this reply, and it came too early.
            return Failure(ConnectionFailed, "the connection ended within the reply")
        return reply


class _KeepsLimit:
    """The methods of a socket that keeps its connection's limits."""

    limit: Limit | None = None

    def recv_into(self, *arguments: t.Any) -> int:
        """Like the method of every socket."""
        receive: t.Callable[..., int] = super().recv_into  # type: ignore[misc]
        if self.limit is None:
            return receive(*arguments)
        self.limit.before_wait(self)  # type: ignore[arg-type]
        count = receive(*arguments)
        self.limit.received(count)
        return count


class _LimitedSocket(_KeepsLimit, ssl.SSLSocket):
    """A TLS socket that keeps its connection's limits."""


class _ProxySocket(_KeepsLimit, socket.socket):
    """The socket to a proxy, until the manager behind the proxy is connected."""


class _ProxyFailure(Exception):
    """No connection through the proxy. C(status): the proxy's answer, None if it did not answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _FinalResponse(http.client.HTTPResponse):
    """A reply that is not an interim one. The library takes any of those but 100 for the whole reply.

    The final reply would then be read as that to the connection's next request.
    """

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            read: t.Callable[[], tuple[str, int, str]] = super()._read_status  # type: ignore[misc]
            version, status, reason = read()
            if not 100 <= status < 200:
                return version, status, reason
            if status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("it changes to another protocol (101), which nobody asked for")
            http.client.parse_headers(self.fp)


class _Limited(HTTPSConnection):
    """A connection with limits. Errors from before and after the request was sent have different types."""

    response_class = _FinalResponse

    def __init__(
        self,
        *arguments: t.Any,
        limit: t.Callable[[], Limit],
        remember: t.Callable[[_Limited], None],
        **options: t.Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.limit = limit()
        remember(self)
        # The parts of a request, until it is complete.
        self._pieces: list[bytes] | None = None

    def connect(self) -> None:
        """Connect, with all handshakes."""
        self.limit.start_connecting()
        try:
            super().connect()
        except (ssl.SSLCertVerificationError, TunnelError, _ProxyFailure):
            raise
        except TimeoutError as error:
            raise http_errors.ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise http_errors.NewConnectionError(self, str(error)) from error

    def _new_conn(self) -> socket.socket:
        """A connection to the first address that accepts one. The addresses share the time that the library gives each."""
        name, seconds = self._dns_host, t.cast(float, self.timeout)
        try:
            found = socket.getaddrinfo(name, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return super()._new_conn()  # which says what is wrong
        addresses = list(dict.fromkeys(str(where[0]) for *_kind, where in found))
        end = time.monotonic() + seconds
        try:
            for number, address in enumerate(addresses, 1):
                self._dns_host = address
                self.timeout = max(0.001, (end - time.monotonic()) / (len(addresses) - number + 1))
                try:
                    connection = super()._new_conn()
                except (http_errors.NewConnectionError, http_errors.ConnectTimeoutError):
                    if number == len(addresses):
                        raise
                else:
                    connection.settimeout(seconds)
                    return connection
        finally:
            self._dns_host, self.timeout = name, seconds
        return super()._new_conn()

    def request(self, *arguments: t.Any, **options: t.Any) -> None:
        """Send a request, head and body at once, usually in one TLS record instead of two."""
        self.limit.start_exchange()
        pieces: list[bytes] = []
        self._pieces = pieces
        try:
            super().request(*arguments, **options)
        finally:
            self._pieces = None
        self.send(b"".join(pieces))

    def send(self, data: t.Any) -> None:
        """Send bytes, or keep them until the request is complete."""
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)

    def getresponse(self) -> t.Any:
        """The reply, up to its body."""
        response = super().getresponse()
        self.limit.head_ended()
        return response


class _DirectConnection(_Limited):
    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, _LimitedSocket):
            self.sock.limit = self.limit


class _ProxyConnection(_DirectConnection):
    """A connection through a proxy. The pool passes the proxy's address, and the headers for it."""

    def __init__(self, *arguments: t.Any, way: Proxy, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._through = way

    def _new_conn(self) -> socket.socket:
        try:
            connected = super()._new_conn()
        except http_errors.HTTPError as error:
            through = self._through.name if isinstance(error, http_errors.NameResolutionError) else self._through
            raise _ProxyFailure(f"{through} cannot be reached: {_reason(error)}") from error
        limited = _ProxySocket(fileno=connected.fileno())
        limited.settimeout(connected.gettimeout())
        connected.detach()
        limited.limit = self.limit
        return limited

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The library only gives the status as text. The proxy's own words are left out, because they may repeat
            # secrets.
            told = re.match("Tunnel connection failed: ([0-9]{3})", str(error))
            status = int(told[1]) if told else None
            if status is not None:
                said = f"answered {_status(status)}"
            else:
                said = f"did not answer: {_reason(error)}" if isinstance(error, OSError) else "does not speak HTTP"
            raise _ProxyFailure(f"{self._through} {said}", status) from error


class _JumpHostConnection(_Limited, TunneledConnection):
    pass


def _connections(
    connection: Connection,
    tunnel: Tunnel | None,
    limit: t.Callable[[], Limit],
    remember: t.Callable[[_Limited], None],
) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(connection.url)
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Content-Type": "application/json",
        "User-Agent": f"workload_security.agent/{VERSION}",
        **connection.headers(),
    }
    if not connection.validate_certs:
        # Our own warning reaches the user. The library's would only go to standard error.
        urllib3.disable_warnings(http_errors.InsecureRequestWarning)
    options: dict[str, t.Any] = {
        "maxsize": connection.concurrency,
        "block": True,
        "timeout": Timeout(connect=connection.timeout, read=connection.timeout),
        "ssl_context": _tls(connection),
    }
    host, port, proxy = parts.hostname or "", parts.port or 443, connection.proxy
    ways: dict[str, t.Any] = {"limit": limit, "remember": remember}
    if tunnel is not None:
        ways["tunnel"] = tunnel
    pool: urllib3.HTTPConnectionPool
    if proxy is None:
        pool = urllib3.HTTPSConnectionPool(host, port, **options)
        pool.ConnectionCls = _DirectConnection if tunnel is None else _JumpHostConnection
    else:
        # In some versions of Python, the library's own header has an IPv6 address without brackets.
        told = {"Host": f"[{host}]:{port}"} if ":" in host else {}
        pool = urllib3.ProxyManager(
            proxy.url, proxy_headers={**proxy.headers(), **told}, **options
        ).connection_from_host(host, port, "https")
        pool.ConnectionCls = _ProxyConnection
        ways["way"] = proxy
    pool.headers = headers
    # The library's pool managers only accept options of its own connections, which do not include these.
    pool.conn_kw.update(ways)
    return pool


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=connection.ca_path)
    context.sslsocket_class = _LimitedSocket
    # The same on every Python: since 3.13, certificates with formal faults are refused, and managers' self-signed ones
    # may have such faults. A manager's own certificate in ca_path is as good as its CA's.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _body(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """The decoded body; if it is longer than C(most), only its beginning, which is also longer than C(most)."""
    pieces = []
    size = 0
    asked = min(_PIECE, most + 1)
    while size <= most:
        piece = response.read(asked)
        pieces.append(piece)
        size += len(piece)
        if len(piece) < asked:
            break
    return b"".join(pieces)


def _request_failure(error: Exception) -> Failure:
    """The failure for an exception before the head of a reply arrived."""
    if isinstance(error, TunnelError):
        return Failure(JumpHostError, str(error), maybe_done=False, final=error.permanent)
    if isinstance(error, _ProxyFailure):
        # The proxy would refuse again. 5xx may mean that it cannot reach the manager at the moment.
        refused = error.status is not None and error.status < 500
        kind = ProxyUnauthorized if error.status in _PROXY_UNAUTHORIZED else ProxyRefused
        return Failure(kind, str(error), maybe_done=False, final=refused)
    if isinstance(error, http_errors.NewConnectionError):
        return Failure(ConnectionFailed, _reason(error), maybe_done=False)
    if isinstance(error, http_errors.ConnectTimeoutError):
        return Failure(TimedOut, "no connection could be made in time", maybe_done=False)
    if isinstance(error, http_errors.SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError):
        reason = error.args[0].verify_message or str(error.args[0])
        return Failure(UntrustedCertificate, reason, maybe_done=False, final=True)
    if isinstance(error, http_errors.ReadTimeoutError):
        return Failure(TimedOut, _slowness(error, "the reply did not come in time"))
    if isinstance(error, http_errors.ProtocolError) and isinstance(error.args[-1], TimeoutError):
        return Failure(TimedOut, "the request could not be sent in time")
    # For some input, the parsers of this library and of the standard library raise other errors than their own.
    # ValueError, OverflowError and AttributeError have been seen.
    return Failure(ConnectionFailed, _reason(error))


def _body_failure(error: Exception, status: int) -> Failure:
    """The failure for an exception while the body of a successful reply was read."""
    if isinstance(error, http_errors.DecodeError):
        return Failure(BadReply, "its body cannot be decompressed", status, final=True)
    if isinstance(error, http_errors.ReadTimeoutError):
        return Failure(TimedOut, _slowness(error, "the reply did not come to its end in time"))
    if isinstance(error.__cause__, TooLarge):
        return Failure(BadReply, f"its body is larger than {limits.LARGEST_REPLY} bytes", status, final=True)
    return Failure(ConnectionFailed, _reason(error))


def _slowness(error: Exception, otherwise: str) -> str:
    return str(error.__cause__) if isinstance(error.__cause__, TooSlow) else otherwise


def _status(number: int) -> str:
    """An HTTP status with its meaning."""
    try:
        return f"{number} ({http.HTTPStatus(number).phrase})"
    except ValueError:
        return str(number)


def _reason(error: BaseException) -> str:
    """The innermost cause in words. urllib3 and http.client wrap it with the names of their objects."""
    while True:
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return f"there is no TLS on that port ({error.reason})"
        # Not __context__, which may be an older error that a caller is handling.
        cause = error.__cause__ or (error.args and error.args[-1])
        if not isinstance(cause, BaseException):
            return str(error) or type(error).__name__
        error = cause
