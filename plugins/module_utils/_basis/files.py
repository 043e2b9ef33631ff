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


def readable_file(option: str, path: str, holds: str) -> str:
    """The absolute path of a file that an option names, and that can be read.

    C(~), C(~user) and environment variables stand for what they do in a shell, for modules and plugins alike; a relative
    path begins at the working directory. C(holds): what is in the file, for the error.
    Raises C(OptionError).
    """
    try:
        whole = os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
        can_be_read = os.path.isfile(whole) and os.access(whole, os.R_OK)
    except ValueError:  # NUL, or what the file system's encoding does not have
        whole, can_be_read = path, False
    if not can_be_read:
        raise OptionError(option, whole, f"it must be a readable file with {holds}")
    return whole


def read_whole(path: str, longest: int) -> bytes:
    """The content of a regular file. Raises C(OSError), also for one of more than C(longest) bytes."""
    content = read_beginning(path, longest + 1)
    if len(content) > longest:
        raise OSError(errno.EFBIG, f"It is longer than {longest} bytes")
    return content


def read_beginning(path: str, longest: int) -> bytes:
    """The first C(longest) bytes of a regular file. Raises C(OSError), also for what is no file, and no path."""
    try:
        # Without O_NONBLOCK, a pipe would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "This is no path") from error
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "It is not a regular file")
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
    Where C(path) is a symbolic link, the file that it leads to is replaced. Raises C(OSError), then it is as it was.
    """
    target = os.path.realpath(path)
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
