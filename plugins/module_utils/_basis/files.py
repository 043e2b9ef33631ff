# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files: those that options name are found before anything is done, and all are read with a bound.

Neither a pipe nor a device is waited for, and nothing is read without end.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from typing import Callable, Optional

from .errors import OptionError

_PART = 1024 * 1024

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def readable_file(option: str, path: str, holds: str) -> str:
    """The absolute path of a file that an option names, and that can be read.

    C(~), C(~user) and environment variables stand for what they do in a shell, for modules and plugins alike; a relative
    path begins at the working directory. C(holds): what is in the file, for the error.
    Raises C(OptionError).
    """
    try:
        whole = os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
        can_be_read = os.path.isfile(whole) and os.access(whole, os.R_OK)
    except (OSError, ValueError):  # no working directory; or NUL, or what the file system's encoding does not have
        whole, can_be_read = path, False
    if not can_be_read:
        raise OptionError(option, whole, f"it must be a readable file with {holds}")
    return whole


def no_regular_file(path: str) -> Optional[str]:
    """What there is in place of a regular file, such as C(a named pipe); C(None) where there is one, or nothing.

    Where C(path) is a symbolic link, what it leads to counts. Raises C(OSError) where that cannot be told.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    return _kind(mode)


def _kind(mode: int) -> Optional[str]:
    return next((kind for is_one, kind in _KINDS if is_one(mode)), None)


def _refuse(kind: Optional[str]) -> None:
    if kind:
        raise OSError(errno.EINVAL, f"It is {kind}, not a regular file")


def read_whole(path: str, longest: int) -> bytes:
    """The content of a regular file. Raises C(OSError), also for one of more than C(longest) bytes."""
    content = read_beginning(path, longest + 1)
    if len(content) > longest:
        raise OSError(errno.EFBIG, f"It is longer than {longest} bytes")
    return content


def read_beginning(path: str, longest: int) -> bytes:
    """The first C(longest) bytes of a regular file. Raises C(OSError), also for what is no file, and no path."""
    try:
        _refuse(no_regular_file(path))
        # Without O_NONBLOCK, a pipe that is there by now would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "This is no path") from error
    with open(handle, "rb") as file:
        _refuse(_kind(os.fstat(handle).st_mode))
        parts = []
        # In parts, as a file that says how long it is may lie.
        while longest > 0:
            part = file.read(min(_PART, longest))
            if not part:
                break
            parts.append(part)
            longest -= len(part)
    return b"".join(parts)


def replace_whole(path: str, content: bytes, permit: Optional[Callable[[int], None]] = None) -> None:
    """Let a file hold this; at any moment the old file or the whole new one is there.

    It is readable for its owner only, unless C(permit), given the open new file, says otherwise.
    Where C(path) is a symbolic link, the file that it leads to is replaced. Raises C(OSError), then it is as it was; so
    for what is there and is no regular file, such as a named pipe or a device.
    """
    target = os.path.realpath(path)
    _refuse(no_regular_file(target))
    handle, candidate = tempfile.mkstemp(prefix=".workload_security_agent_", dir=os.path.dirname(target))
    try:
        # Files of that function have the mode 0600.
        with open(handle, "wb") as file:
            file.write(content)
            if permit:
                permit(handle)
            file.flush()
            os.fsync(handle)
        os.rename(candidate, target)
    except BaseException:
        os.unlink(candidate)
        raise
