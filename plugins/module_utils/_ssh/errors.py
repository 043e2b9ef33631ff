# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of SSH, in words for people. Text from a server or a library is made one line that is safe to show."""

from __future__ import annotations

from .._basis.text import one_line

# Characters of a whole message, which names servers, files and keys, and quotes.
_LONGEST = 1500


class SshError(Exception):
    """Something was refused, or broke. The text says what and why. C(permanent): another attempt would fail, too."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(one_line(message, _LONGEST))
        self.permanent = permanent


class Refused(SshError):
    """The server answered that it will not or cannot make a connection."""


class SessionEnded(ConnectionResetError):
    """The session that carried a connection has ended. This says nothing about the other end of the connection."""


def said(error: BaseException) -> str:
    """What an error says, or its type if it says nothing."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(words) or ("the connection ended" if isinstance(error, EOFError) else type(error).__name__)
