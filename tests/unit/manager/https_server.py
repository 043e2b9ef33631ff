# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small HTTPS server that answers or misbehaves as a test tells it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import typing as t
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """A request that came in."""

    method: str
    target: str
    headers: t.Any
    body: bytes
    connection: tuple[str, int]


class Handler(BaseHTTPRequestHandler):
    """Does what the next action of the script says. The last action is repeated forever."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, self.headers, self.rfile.read(length), self.client_address)
        self.server.next_action(request)(self, request)

    do_GET = do_POST = do_PUT = do_DELETE = respond

    def log_message(self, *_arguments: object) -> None:
        pass

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole reply in one piece."""
        self.wfile.write(self.head(status, {"Content-Length": str(len(body)), **headers}) + body)

    def head(self, status: int, headers: dict[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def drop(self, *, reset: bool = False) -> None:
        """End the connection, with a TCP reset if wanted."""
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


Action = t.Callable[[Handler, Request], None]


def reply(body: t.Any = None, status: int = 200, **headers: str) -> Action:
    """A proper reply. C(body) is an object for JSON, or bytes. Underscores in header names become dashes."""
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: handler.send(status, content, fields)


def raw(data: bytes) -> Action:
    """Exactly these bytes, and then the end of the connection."""

    def act(handler: Handler, request: Request) -> None:
        handler.wfile.write(data)
        handler.drop()

    return act


def cut_before(*, reset: bool = False) -> Action:
    """The request is read, but not a single byte is sent back."""
    return lambda handler, request: handler.drop(reset=reset)


def cut_in_body(status: int = 200) -> Action:
    """The reply ends in the middle of its body."""
    return raw(f"HTTP/1.1 {status} OK\r\nContent-Length: 100\r\n\r\n".encode() + b'{"ID": 1')


def cut_after(body: t.Any) -> Action:
    """A whole reply, after which the connection ends without announcement."""

    def act(handler: Handler, request: Request) -> None:
        reply(body)(handler, request)
        handler.drop()

    return act


class Drip:
    """An action that sends the head, and then the same piece again and again. C(pause) is called before each piece.

    C(cut_off) is set after the other side has closed the connection before the end of the reply.
    """

    def __init__(self, head: bytes, piece: bytes, pause: t.Callable[[], object]) -> None:
        self.cut_off = threading.Event()
        self._head = head
        self._piece = piece
        self._pause = pause

    def __call__(self, handler: Handler, request: Request) -> None:
        self.send(handler.connection)

    def send(self, connection: socket.socket) -> None:
        """Send until the other side closes the connection, or until it is clear that it never will."""
        try:
            connection.sendall(self._head)
            for _each in range(10**6):
                self._pause()
                connection.sendall(self._piece)
        except OSError:
            self.cut_off.set()


def silence(event: threading.Event) -> Action:
    """Nothing is sent back until the event is set."""

    def act(handler: Handler, request: Request) -> None:
        event.wait(10)
        handler.drop()

    return act


class Server(ThreadingHTTPServer):
    """Context manager: the server on a free port of 127.0.0.1 or ::1."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext | None, *actions: Action, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), Handler)
        self.context = context
        self.script = list(actions) or [reply()]
        self.requests: list[Request] = []
        self.accepted = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def next_action(self, request: Request) -> Action:
        with self._lock:
            self.requests.append(request)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def finish_request(self, request: socket.socket, client_address: t.Any) -> None:
        """In the connection's own thread: the TLS handshake, then its requests."""
        with self._lock:
            self.accepted += 1
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, *_arguments: object) -> None:
        # These tests are about clients that close connections.
        pass

    @property
    def port(self) -> int:
        return self.server_address[1]

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
