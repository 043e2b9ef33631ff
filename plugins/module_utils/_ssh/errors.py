# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with SSH, in words for people: of what a server or a library says, one line that can be shown."""

from __future__ import annotations

from .._basis.text import one_line

# Characters of a whole message, which names servers, files and keys, and quotes.
_LONGEST = 1500


class SshError(Exception):
    """Something was refused, or broke; the text says what and why. C(permanent): another attempt cannot do better."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(one_line(message, _LONGEST))
        self.permanent = permanent


class Refused(SshError):
    """The server answered that it does not make a connection, or cannot."""


class SessionEnded(ConnectionResetError):
    """The session in which a connection was has ended: that says nothing of what was connected to."""


def said(error: BaseException) -> str:
    """What an error says, or at least its kind."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(words) or type(error).__name__
