# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""paramiko, the library for SSH, with what it lacks where many threads share a session, and a server is hostile."""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Dict, Optional, Tuple

from .._basis.errors import MissingLibrary
from .._basis.signals import leave_signals

# Bytes of a packet, as in OpenSSH. The library takes any length, up to 4 GiB.
_LONGEST_PACKET = 2**18


def library() -> Any:
    """paramiko. Raises C(MissingLibrary) without it."""
    # Imported here, because the import takes a quarter of a second and most users have no SSH server.
    try:
        import paramiko
    except ImportError as error:
        raise MissingLibrary("paramiko", str(error)) from error
    # Its threads log errors that the caller gets anyway. Without a handler, the log goes to standard error.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    return paramiko


def transport_over(connection: Any) -> Any:
    """The library's session over a connection, which it closes in the end. Nothing is sent yet."""
    paramiko: Any = library()

    class Packetizer(paramiko.packet.Packetizer):  # type: ignore[misc]
        """Reads no packet that is longer than any needs to be."""

        def read_all(self, size: int, check_rekey: bool = False) -> bytes:
            """Read so many bytes of a packet."""
            if size > _LONGEST_PACKET:
                raise paramiko.SSHException(f"it sends a packet of {size} bytes")
            data: bytes = super().read_all(size, check_rekey)
            return data

    def within_window(handle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """What handles a message for a connection, but keeps no more than the server was told that it may send."""

        def handle_within(channel: Any, message: Any) -> None:
            handle(channel, message)
            if len(channel.in_buffer) + len(channel.in_stderr_buffer) > channel.in_window_size:
                raise paramiko.SSHException("it sends more than it may")

        return handle_within

    class Transport(paramiko.Transport):  # type: ignore[misc]
        """A session that always ends, and in which each thread gets the answer to its own request for a connection."""

        _channel_handler_table = {
            kind: within_window(handle) for kind, handle in paramiko.Transport._channel_handler_table.items()
        }

        def __init__(self) -> None:
            # The library keeps one refusal for all threads. Where some are refused at once, one would get the reason of
            # another, and all others none.
            self._asked = threading.local()
            self._refusals: Dict[int, Tuple[int, str]] = {}
            super().__init__(connection, packetizer_class=Packetizer)

        def run(self) -> None:
            """What the session's own thread does. It leaves signals to the main thread."""
            leave_signals()
            try:
                super().run()
            except Exception:
                # When the connection ends, it falls over a channel that another thread has just begun to make. The
                # session would stay active for ever. The lock waits for that thread, and holds up others.
                with self.lock:
                    self.close()

        def refusal(self) -> Optional[Tuple[int, str]]:
            """The code and text with which the server refused this thread's last request for a connection, if it did."""
            return self._refusals.pop(getattr(self._asked, "channel", -1), None)

        def _next_channel(self) -> int:
            channel: int = super()._next_channel()
            self._asked.channel = channel
            return channel

        def _parse_channel_open_failure(self, message: Any) -> None:
            channel, reason = message.get_int(), message.get_int()
            message.rewind()
            self._refusals[channel] = reason, paramiko.common.CONNECTION_FAILED_CODE.get(reason, "(unknown code)")
            super()._parse_channel_open_failure(message)

    return Transport()
