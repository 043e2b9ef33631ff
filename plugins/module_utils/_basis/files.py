# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that options name: found before anything is sent, and read with a bound."""

from __future__ import annotations

import os
import stat

from .errors import OptionError


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


def read_bounded(path: str, most: int) -> bytes:
    """What is in an ordinary file of at most C(most) bytes. Never waits, as it would for a FIFO.

    Raises C(OSError), whose C(strerror) says what is wrong, and C(ValueError) for a path that cannot be.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no ordinary file")
        content = b"" if found.st_size > most else file.read(most + 1)
    if max(found.st_size, len(content)) > most:
        raise OSError(0, f"it has more than {most} bytes")
    return content
