# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a whole attempt may take, and how many bytes it may receive, whatever the other side does.

A limit on each wait does not limit their sum: a reply that comes byte by byte never reaches it. Sockets ask their
connection's C(Limit) before each wait, and report received bytes to it.
"""

from __future__ import annotations

import math
import typing as t

if t.TYPE_CHECKING:
    from .gate import Clock

# A reply may take ten times the option C(timeout), plus one second for each this many bytes on the wire. A page of 20
# MiB then needs a line of 256 kbit/s, or a tenth of that if it is compressed.
PATIENCE_FACTOR = 10
SLOWEST = 32 * 2**10
# Bytes on the wire up to the body: the status, headers, and any number of interim replies before them.
LARGEST_HEAD = 2**20
# Bytes on the wire, and bytes of an unpacked body. The largest page of the API is 5,000 policies with a value for each
# of the 219 settings, about 75 bytes each, which is 82 million bytes. 5,000 computers with their usual overrides are
# about 20 MiB.
LARGEST_REPLY = 128 * 2**20


class TooSlow(TimeoutError):
    """The time is over, although the other side never paused for long."""


class TooLarge(OSError):
    """More bytes came in than a reply can have."""


class Timed(t.Protocol):
    """A socket with a limit on each wait, in seconds."""

    def gettimeout(self) -> float | None:
        """The limit, None for none."""

    def settimeout(self, value: float | None, /) -> None:
        """Set the limit."""


class Limit:
    """The limits of one connection: for connecting, and then again for each exchange."""

    def __init__(self, clock: Clock, timeout: float, ends_at: float = math.inf) -> None:
        """C(timeout): the option, in seconds. C(ends_at): the task's deadline, in the clock's monotonic seconds.

        An exchange that is running at the deadline has C(timeout) seconds to end.
        """
        self._clock = clock
        self._timeout = timeout
        self._ends_at = ends_at
        self.start_connecting()

    def start_connecting(self) -> None:
        """The handshakes begin. All of them together may take as long as the option C(timeout)."""
        self._start(self._timeout)

    def start_exchange(self) -> None:
        """A request is sent, and its reply will follow."""
        self._start(PATIENCE_FACTOR * self._timeout)

    def head_ended(self) -> None:
        """The status and the headers are read, and the body will follow."""
        self._in_head = False

    def before_wait(self, socket: Timed) -> None:
        """Limit the socket's next wait to the time that is left. Raises C(TooSlow)."""
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
        """C(count) bytes came in. Raises C(TooLarge), or C(TooSlow) if no reply has begun yet."""
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
