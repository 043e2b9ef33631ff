# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole: at any moment the old one or the new one is there, and never a part of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from typing import BinaryIO, Iterator, Mapping, Optional, Tuple

from .._basis.errors import OptionError
from .._basis.files import read_whole
from .._basis.text import shown
from .errors import DnsError

_NEW_FILE_MODE = 0o644

# Bytes of a file. Block lists in hosts files have some ten million.
_LONGEST = 256 * 1024 * 1024

# What is in the name of every temporary file of ours, and in nobody else's.
_MARK = ".workload_security_agent_"
# Bytes of a file's name that come before it, so that the whole is no longer than names can be.
_LONGEST_NAME = 150

# Seconds to wait for another run that is about to replace a file, which takes a moment.
_TURN = 30.0
_PAUSE = 0.05

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


def path_of(options: Mapping[str, str], name: str, place: str) -> str:
    """A suboption that is the path of a file. Raises C(OptionError) for what can be none."""
    path = options[name]
    try:
        whole = os.fsencode(path)
    except UnicodeError:
        whole = b""
    if not whole or b"\0" in whole:
        raise OptionError(f"{place}.{name}", path, "it must be the path of a file")
    return path


def read(path: str) -> Optional[bytes]:
    """The content of a regular file, C(None) where there is none. Raises C(DnsError) for what cannot be read."""
    try:
        return read_whole(path, _LONGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("unreadable", "read", path, error) from error


def replace(path: str, before: Optional[bytes], after: bytes) -> None:
    """Let a file that holds C(before) (C(None): that is not there) hold C(after), on the disk, too.

    Owner, mode, access control list and security context stay as they are; where C(path) is a symbolic link, the
    file that it leads to is replaced. Raises C(DnsError), then the file is as it was.
    """
    target = os.path.realpath(path)
    with temporary(path) as (file, candidate):
        try:
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
            with _turn_in(os.path.dirname(target)):
                if read(target) != before:
                    raise DnsError(
                        "changed_meanwhile", f"{shown(path)} was changed by somebody else at the same time; run again"
                    )
                os.rename(candidate, target)
        except OSError as error:
            raise _failed("unwritable", "write", path, error) from error


@contextlib.contextmanager
def temporary(path: str) -> Iterator[Tuple[BinaryIO, str]]:
    """A new file beside the one at C(path), and its own path; at the end it is removed, if it is still there.

    It is in the same folder, as only there it can take that file's place, and hidden from servers that read folders.
    Those that runs left behind which were killed are removed. Raises C(DnsError) where it cannot be made.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        with _turn_in(folder):
            _sweep(target)
            handle, candidate = tempfile.mkstemp(prefix=_prefix(target), dir=folder)
            # Locked as long as this run goes on: so others know that it was not left behind. Not all file systems can.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _failed("unwritable", "write next to", path, error) from error
    with open(handle, "wb") as file:
        try:
            yield file, candidate
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(candidate)


def tidy(path: str) -> None:
    """Remove what C(temporary) has made beside this file in runs that were killed, as far as this user may."""
    target = os.path.realpath(path)
    with contextlib.suppress(OSError, DnsError):
        # Nobody is made to wait where there is nothing to do.
        if any(_is_temporary(name, target) for name in os.listdir(os.path.dirname(target))):
            with _turn_in(os.path.dirname(target)):
                _sweep(target)


def remove(path: str) -> None:
    """Remove a file that C(replace) has made. Raises C(DnsError)."""
    try:
        os.unlink(path)
    except OSError as error:
        raise _failed("unwritable", "remove", path, error) from error


def _prefix(target: str) -> str:
    name = os.fsdecode(os.fsencode(os.path.basename(target))[:_LONGEST_NAME])
    return f".{name}{_MARK}"


def _is_temporary(name: str, target: str) -> bool:
    prefix = _prefix(target)
    # As tempfile makes them.
    return name.startswith(prefix) and re.fullmatch("[a-z0-9_]{8}", name[len(prefix) :]) is not None


def _sweep(target: str) -> None:
    """Remove the temporary files of runs that are gone; to be called in the folder's turn."""
    folder = os.path.dirname(target)
    owners = {os.geteuid()}
    with contextlib.suppress(OSError):
        owners.add(os.stat(target).st_uid)
    for name in os.listdir(folder):
        if not _is_temporary(name, target):
            continue
        left = os.path.join(folder, name)
        # Where it cannot be opened, or is in use, it stays.
        with contextlib.suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(handle)
                if stat.S_ISREG(status.st_mode) and status.st_uid in owners:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(left)
            finally:
                os.close(handle)


@contextlib.contextmanager
def _turn_in(folder: str) -> Iterator[None]:
    """Let no other run step in between a look at a file and its replacement; then the folder is on the disk, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        yield
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _lock(handle: int, folder: str) -> None:
    # Whoever may read the folder may lock it, and for ever.
    deadline = time.monotonic() + _TURN
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise DnsError(
                    "unwritable", f"another process has kept the folder {shown(folder)} locked for {_TURN:g} seconds"
                ) from error
            time.sleep(_PAUSE)
        except OSError:
            return  # some file systems have no locks


def _failed(code: str, what: str, path: str, error: OSError) -> DnsError:
    advice = f" ({_ADVICE[error.errno]})" if error.errno in _ADVICE else ""
    return DnsError(code, f"cannot {what} {shown(path)}: {error.strerror}{advice}")
