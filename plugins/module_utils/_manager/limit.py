# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an attempt may take as a whole, and how much may come in, whatever the other side does.

A time limit on each wait is none on the sum of them: a reply that comes a byte at a time never meets it. Sockets ask
their connection's C(Limit) before each wait, and tell it what came in.
"""

from __future__ import annotations

import math
import typing as t

if t.TYPE_CHECKING:
    from .gate import Clock

# A reply may take ten times the option C(timeout), and longer as it grows: a second for so many bytes on the wire.
# A page of 20 MiB needs a line of 256 kbit/s, or of a tenth of that where it comes compressed.
PATIENCE_FACTOR = 10
SLOWEST = 32 * 2**10
# Bytes on the wire up to the body: the status, headers, and any number of interim replies before them.
LARGEST_HEAD = 2**20
# Bytes on the wire, and bytes of a body when it is unpacked. The largest page that the API can have is 5,000 policies
# with a value for each of the 219 settings, about 75 bytes each, which is 82 million bytes; 5,000 computers with the
# settings that they usually override make about 20 MiB.
LARGEST_REPLY = 128 * 2**20


class TooSlow(TimeoutError):
    """The time is over although the other side never stopped for long."""


class TooLarge(OSError):
    """More came in than a reply can have."""


class Timed(t.Protocol):
    """A socket with a limit on each wait, in seconds."""

    def gettimeout(self) -> float | None:
        """The limit, None for none."""

    def settimeout(self, value: float | None, /) -> None:
        """Set the limit."""


class Limit:
    """The limits of one connection, for connecting and then anew for each exchange on it."""

    def __init__(self, clock: Clock, timeout: float, ends_at: float = math.inf) -> None:
        """C(timeout): the option, in seconds. C(ends_at): the task's deadline, in the clock's monotonic seconds.

        What is under way at the deadline has C(timeout) to come to its end.
        """
        self._clock = clock
        self._timeout = timeout
        self._ends_at = ends_at
        self.start_connecting()

    def start_connecting(self) -> None:
        """The handshakes begin: all of them take no longer than the option C(timeout)."""
        self._start(self._timeout)

    def start_exchange(self) -> None:
        """A request is sent, and its reply is to follow."""
        self._start(PATIENCE_FACTOR * self._timeout)

    def head_ended(self) -> None:
        """The status and the headers are read, and the body is to follow."""
        self._in_head = False

    def before_wait(self, socket: Timed) -> None:
        """Let the socket wait no longer than there is time left. Raises C(TooSlow)."""
        now = self._clock.monotonic()
        end = min(
            self._started + self._seconds + self._received / SLOWEST,
            max(self._started, self._ends_at) + self._timeout,
        )
        if now >= end:
            raise TooSlow(f"the reply had not come to its end after {now - self._started:.0f} seconds")
        current = socket.gettimeout()
        if current is None or end - now < current:
            socket.settimeout(end - now)

    def received(self, count: int) -> None:
        """So many bytes came in. Raises C(TooLarge), or C(TooSlow) where still no reply has begun."""
        self._received += count
        if self._in_head and self._received > LARGEST_HEAD:
            raise TooSlow(f"after {LARGEST_HEAD} bytes, the head of the reply had not come to its end")
        if self._received > LARGEST_HEAD + LARGEST_REPLY:
            raise TooLarge(f"the reply is larger than {LARGEST_REPLY} bytes")

    def _start(self, seconds: float) -> None:
        self._started = self._clock.monotonic()
        self._seconds = seconds
        self._received = 0
        self._in_head = True
