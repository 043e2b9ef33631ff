# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection from an SSH server to somewhere, as a socket."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator, Optional, Protocol

from .errors import SessionEnded, said


class Limit(Protocol):
    """What bounds a connection in time and size."""

    def before_wait(self, sock: Any) -> None:
        """Set how long the socket may wait now, or raise an C(OSError)."""

    def received(self, count: int) -> None:
        """So many bytes came in."""


class Channel:
    """paramiko's channel with those methods of a socket that TLS and HTTP use, closed when its last reader is.

    Whatever it raises is an C(OSError), as with a socket, and C(SessionEnded) where the whole session is gone.
    """

    def __init__(self, channel: Any, server: str) -> None:
        """C(server): what messages call the SSH server."""
        self._channel = channel
        self._server = server
        # As in socket.socket: makefile() counts up here, and its file counts down.
        self._io_refs = 0
        self._closed = False
        # Who bounds the whole connection: asked before each wait, and told what came.
        self.limit: Optional[Limit] = None

    def settimeout(self, seconds: Optional[float]) -> None:
        """How long each of the others may wait, None for ever."""
        self._channel.settimeout(seconds)

    def gettimeout(self) -> Optional[float]:
        """How long that is."""
        seconds: Optional[float] = self._channel.gettimeout()
        return seconds

    def recv(self, size: int) -> bytes:
        """At most C(size) bytes, none at the end of the connection."""
        if self.limit is not None:
            self.limit.before_wait(self)
        with self._as_socket_error():
            data: bytes = self._channel.recv(size)
        if self.limit is not None:
            self.limit.received(len(data))
        channel = self._channel
        if not data and size and not channel.eof_received and not channel.get_transport().is_active():
            raise SessionEnded(f"the session with {self._server} ended")
        return data

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        with self._as_socket_error():
            self._channel.sendall(data)

    @property
    def is_idle(self) -> bool:
        """Whether the channel is open in both directions, and nothing has come in that nobody asked for."""
        channel = self._channel
        return not (channel.closed or channel.eof_received or channel.recv_ready())

    def close(self) -> None:
        """Close the channel, or leave that to the last file made of it."""
        self._closed = True
        if self._io_refs <= 0:
            # A channel whose session is gone cannot say goodbye, and need not.
            with contextlib.suppress(OSError), self._as_socket_error():
                self._channel.close()

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed:
            self.close()

    @contextlib.contextmanager
    def _as_socket_error(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # EOFError and SSHException, where the session has just died
            raise SessionEnded(f"the session with {self._server} ended: {said(error)}") from error
