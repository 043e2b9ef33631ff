# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole: at any moment the old one or the new one is there, and never a part of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from typing import Iterator, Optional

from .errors import DnsError

_NEW_FILE_MODE = 0o644

# What is behind a refusal, and what to do about it.
_ADVICE = {
    errno.EACCES: "this user may not; use become",
    errno.EPERM: "this user may not, or the file is immutable (chattr -i)",
    errno.EROFS: "the file system is mounted read only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EBUSY: "it is a mount of its own, as in containers; change the file that is mounted there",
    errno.ENOENT: "its folder does not exist",
}


def read(path: str) -> Optional[bytes]:
    """The content of a regular file, ``None`` where there is none. Raises ``DnsError`` for what cannot be read."""
    try:
        # Without O_NONBLOCK, a pipe would be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DnsError("unreadable", f"{path} is not a regular file")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("unreadable", "read", path, error) from error


def replace(path: str, before: Optional[bytes], after: bytes) -> None:
    """Let a file that holds ``before`` (``None``: that is not there) hold ``after``, on the disk, too.

    Owner, mode, access control list and security context stay as they are; where ``path`` is a symbolic link, the
    file that it leads to is replaced. Raises ``DnsError``, then the file is as it was.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        # In the same folder, as only there it can take the file's place, and hidden from servers that read folders.
        handle, candidate = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=folder)
    except OSError as error:
        raise _failed("unwritable", "write beside", path, error) from error
    try:
        with open(handle, "wb") as file:
            file.write(after)
            if before is None:
                os.fchmod(file.fileno(), _NEW_FILE_MODE)
            else:
                owner = os.stat(target)
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                shutil.copystat(target, candidate)
                os.utime(candidate)
            file.flush()
            os.fsync(file.fileno())
        with _turn_in(folder):
            if read(target) != before:
                raise DnsError("changed_meanwhile", f"{path} was changed by somebody else at the same time; run again")
            os.rename(candidate, target)
    except OSError as error:
        raise _failed("unwritable", "write", path, error) from error
    finally:
        if os.path.exists(candidate):
            os.unlink(candidate)


def remove(path: str) -> None:
    """Remove a file that ``replace`` has made. Raises ``DnsError``."""
    try:
        os.unlink(path)
    except OSError as error:
        raise _failed("unwritable", "remove", path, error) from error


@contextlib.contextmanager
def _turn_in(folder: str) -> Iterator[None]:
    """Let no other run step in between a look at a file and its replacement; then the folder is on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems can do neither.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _failed(code: str, what: str, path: str, error: OSError) -> DnsError:
    advice = f" ({_ADVICE[error.errno]})" if error.errno in _ADVICE else ""
    return DnsError(code, f"cannot {what} {path}: {error.strerror}{advice}")
