# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files: those that options name are found before anything is done, and all are read with a bound.

Neither a pipe nor a device is waited for, and nothing is read without end. Files are replaced as a whole: at any moment
the old one or the new one is there, and never a part of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import tempfile
import time
from io import FileIO
from typing import BinaryIO, Callable, Iterator, Optional, Tuple

from .errors import OptionError
from .text import shown

_PART = 1024 * 1024

# Bytes of the table of mounts; on hosts of many containers it has some megabytes.
_LONGEST_MOUNTS = 64 * 1024 * 1024

# What is in the name of every temporary file of ours, and in nobody else's.
_MARK = ".workload_security_agent_"
# Bytes of a file's name that come before it, so that the whole is no longer than names can be.
_LONGEST_NAME = 150

# Seconds to wait for another run that is about to replace a file, which takes a moment.
_TURN = 30.0
_PAUSE = 0.05

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
        raise OSError(errno.EINVAL, "This is not a path") from error
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


def replace_whole(
    path: str,
    content: bytes,
    permit: Optional[Callable[[int, str], None]] = None,
    check: Optional[Callable[[], None]] = None,
) -> None:
    """Let a file hold this, on the disk, too; at any moment the old file or the whole new one is there.

    It is readable for its owner only, unless C(permit), given the open new file and its path, says otherwise. C(check)
    is called when no other run of ours replaces a file of that folder; what it raises leaves the old file there.
    Where C(path) is a symbolic link, the file that it leads to is replaced. Raises C(OSError), then it is as it was; so
    for what is there and is no regular file, such as a named pipe or a device.
    """
    target = _target(path)
    _refuse(no_regular_file(target))
    # Its mode is 0600 from the beginning.
    with temporary(target) as (file, candidate):
        file.write(content)
        if permit:
            permit(file.fileno(), candidate)
        file.flush()
        os.fsync(file.fileno())
        with _turn_in(os.path.dirname(target)):
            if check:
                check()
            os.rename(candidate, target)


def overwrite_whole(path: str, before: bytes, content: bytes, check: Callable[[], None]) -> None:
    """Write into a file of lines that holds C(before), for one that cannot be replaced, such as a mount in a container.

    Readers may see a part of it, and a run that is killed may leave one. What cannot be written as a whole, as where the
    disk is full, is taken back. C(check) is called when no other run of ours writes the file; what it raises leaves the
    file as it is. Raises C(OSError).
    """
    target = _target(path)
    _refuse(no_regular_file(target))
    with _turn_in(os.path.dirname(target)), open(target, "r+b", buffering=0) as file:
        # The folder's lock is no use where several containers have the same file mounted.
        _lock(file.fileno(), path)
        check()
        try:
            _fill(file, content)
        except OSError:
            # It has its room on the disk already.
            _fill(file, before)
            raise


def _fill(file: FileIO, content: bytes) -> None:
    # Whoever looks, or ends this run, before what is left of the old lines is cut off, finds empty lines there.
    rest = memoryview(content.ljust(os.fstat(file.fileno()).st_size, b"\n"))
    file.seek(0)
    while rest:
        rest = rest[file.write(rest) :]
    file.truncate(len(content))
    os.fsync(file.fileno())


def is_mount(path: str) -> bool:
    """Whether a file is a mount of its own, as in containers; C(False) where that cannot be told."""
    try:
        target = os.fsencode(_target(path))
        mounts = read_whole("/proc/self/mountinfo", _LONGEST_MOUNTS)
    except OSError:
        return False
    # The fifth word of a line is the place; blanks and such in it are octal escapes.
    places = [line.split(b" ")[4:5] for line in mounts.split(b"\n")]
    return [re.sub(rb"[ \t\n\\]", lambda byte: b"\\%03o" % byte[0][0], target)] in places


def keep_whole(path: str, content: bytes, check_mode: bool) -> bool:
    """As C(replace_whole), if the file does not hold this already; nothing is written in check mode.

    Returns whether the file changes, or would. Raises C(OSError).
    """
    try:
        changes = read_beginning(path, len(content) + 1) != content
    except FileNotFoundError:
        changes = True
    if not check_mode:
        if changes:
            replace_whole(path, content)
        else:
            tidy(path)
    return changes


@contextlib.contextmanager
def temporary(path: str) -> Iterator[Tuple[BinaryIO, str]]:
    """A new file beside the one at C(path), and its own path; at the end it is removed, if it is still there.

    It is in the same folder, as only there it can take that file's place, and hidden from servers that read folders.
    Those that runs left behind which were killed are removed. Raises C(OSError) where it cannot be made.
    """
    target = _target(path)
    folder = os.path.dirname(target)
    with _turn_in(folder):
        _sweep(target)
        handle, candidate = tempfile.mkstemp(prefix=_prefix(target), dir=folder)
        # Locked as long as this run goes on: so others know that it was not left behind. Not all file systems can.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(handle, "wb") as file:
        try:
            yield file, candidate
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(candidate)


def tidy(path: str) -> None:
    """Remove what C(temporary) has made beside this file in runs that were killed, as far as this user may."""
    with contextlib.suppress(OSError):
        target = _target(path)
        # Nobody is made to wait where there is nothing to do.
        if any(_is_temporary(name, target) for name in os.listdir(os.path.dirname(target))):
            with _turn_in(os.path.dirname(target)):
                _sweep(target)


def _target(path: str) -> str:
    """Where a path leads. Raises C(OSError) for what is no path."""
    try:
        return os.path.realpath(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, "This is not a path") from error


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


def _lock(handle: int, path: str) -> None:
    # Whoever may read a folder or a file may lock it, and for ever.
    deadline = time.monotonic() + _TURN
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OSError(
                    errno.ETIMEDOUT,
                    f"another process has kept {shown(path)} locked for {_TURN:g} seconds",
                ) from None
            time.sleep(_PAUSE)
        except OSError:
            return  # some file systems have no locks
