# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection from an SSH server to another host, as a socket."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator, Optional, Protocol

from .errors import SessionEnded, said


class Limit(Protocol):
    """Limits the time and size of a connection."""

    def before_wait(self, sock: Any) -> None:
        """Set how long the socket may wait now, or raise an C(OSError) if the time is over."""

    def received(self, count: int) -> None:
        """C(count) bytes were received."""


class Channel:
    """paramiko's channel with the methods of a socket that TLS and HTTP use. It closes when its last reader closes.

    All its errors are C(OSError), as with a socket; C(SessionEnded) if the whole session has ended.
    """

    def __init__(self, channel: Any, server: str) -> None:
        """C(server): what messages call the SSH server."""
        self._channel = channel
        self._server = server
        # As in socket.socket: makefile() increases this counter, and closing its file decreases it.
        self._io_refs = 0
        self._closed = False
        # The limit of the whole connection. It is asked before each wait, and informed about received bytes.
        self.limit: Optional[Limit] = None

    def settimeout(self, seconds: Optional[float]) -> None:
        """Set how many seconds each of the other methods may wait, None for no limit."""
        self._channel.settimeout(seconds)

    def gettimeout(self) -> Optional[float]:
        """The seconds that C(settimeout) has set."""
        seconds: Optional[float] = self._channel.gettimeout()
        return seconds

    def recv(self, size: int) -> bytes:
        """At most C(size) bytes; empty at the end of the connection."""
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
        """Whether the channel is open in both directions, and no unexpected bytes have come in."""
        channel = self._channel
        return not (channel.closed or channel.eof_received or channel.recv_ready())

    def close(self) -> None:
        """Close the channel, or leave that to the last file that was made from it."""
        self._closed = True
        if self._io_refs <= 0:
            # If the session has ended, the channel cannot send its end, and need not.
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
        except Exception as error:  # EOFError and SSHException, if the session has just ended
            raise SessionEnded(f"the session with {self._server} ended: {said(error)}") from None
