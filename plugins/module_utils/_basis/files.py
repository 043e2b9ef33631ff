# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files: those that options name are checked before anything else is done, and all reading has a limit.

Reading never waits for a pipe or a device, and never goes on without end. Files are replaced as a whole: at any moment
there is the complete old file or the complete new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import struct
import sys
import tempfile
import time
from io import FileIO
from typing import BinaryIO, Callable, Iterator, Optional, Tuple, Union

from .errors import OptionError
from .text import shown

_PART = 1024 * 1024

# FS_IOC_GETFLAGS, and FS_IMMUTABLE_FL or FS_APPEND_FL, of Linux. Where the first number means nothing, it is an error.
_GET_FLAGS = 2 << 30 | struct.calcsize("l") << 16 | 0x6601
_IMMUTABLE = 0x10 | 0x20

# Bytes of the table of mounts. On hosts with many containers it has a few megabytes.
_LONGEST_MOUNTS = 64 * 1024 * 1024

# Part of the name of every temporary file of ours, and of no other file.
_MARK = ".workload_security_agent_"
# At most this many bytes of a file's name are put before the mark, so that the temporary name is not too long.
_LONGEST_NAME = 150

# Seconds to wait for another run that is replacing a file, which usually takes a moment.
_TURN = 30.0
_PAUSE = 0.05

# The name of a file's access control list among its extended attributes, on Linux.
_ACCESS = "system.posix_acl_access"

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def readable_file(option: str, path: str, holds: str) -> str:
    """The absolute path of a readable file that an option names.

    C(~), C(~user) and environment variables are expanded as in a shell, for modules and plugins alike. A relative path
    begins at the working directory. C(holds): what the file contains, for the error message. Raises C(OptionError).
    """
    try:
        whole = os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
        can_be_read = os.path.isfile(whole) and os.access(whole, os.R_OK)
    except (OSError, ValueError):  # no working directory; or NUL, or a character that the file system cannot encode
        whole, can_be_read = path, False
    if not can_be_read:
        raise OptionError(option, whole, f"it must be a readable file with {holds}")
    return whole


def no_regular_file(path: str) -> Optional[str]:
    """What is there instead of a regular file, such as C(a named pipe); C(None) for a regular file or nothing.

    Symbolic links are followed. A path such as C(plans/) is that of a folder, also if there is nothing yet. Raises
    C(OSError) if the file's type cannot be found out.
    """
    if os.path.basename(path) in ("", "."):
        return "a folder"
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
    """The first C(longest) bytes of a regular file. Raises C(OSError), also for anything else than a regular file."""
    try:
        _refuse(no_regular_file(path))
        # If the file has become a pipe meanwhile, open() would wait without O_NONBLOCK.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "This is not a path") from error
    with open(handle, "rb") as file:
        _refuse(_kind(os.fstat(handle).st_mode))
        parts = []
        # In parts, because a file's size, as the system reports it, may be wrong.
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
    """Write a file so that at any moment the old file or the whole new one is there, on the disk, too.

    It is readable for its owner only, unless C(permit), given the open new file and its path, says otherwise. C(check)
    is called while no other run of ours can replace a file of that folder; if it raises an error, the old file stays.
    If C(path) is a symbolic link, the file that it points to is replaced. Raises C(OSError) and leaves everything
    unchanged, also if there is something else than a regular file, such as a named pipe or a device.
    """
    target = _target(path)
    _refuse(no_regular_file(path) or no_regular_file(target))
    # The new file has mode 0600 from the beginning.
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


def keep_permissions(handle: int, path: str) -> None:
    """Give a new file the owner, mode and access control list of the file at C(path).

    Without the list, the mode would say more than the file allows. C(handle) is the new file, as C(permit) of
    C(replace_whole) gets it. Raises C(OSError).
    """
    there = os.stat(path)
    os.fchown(handle, there.st_uid, there.st_gid)
    if has_access_list(handle):
        # It comes from the folder's default, and may let in others.
        os.removexattr(handle, _ACCESS)
    os.fchmod(handle, stat.S_IMODE(there.st_mode))
    if has_access_list(path):
        os.setxattr(handle, _ACCESS, os.getxattr(path, _ACCESS))


def has_access_list(path: Union[int, str]) -> bool:
    """Whether a file has an access control list, beyond its mode; C(False) if its file system has none."""
    try:
        return hasattr(os, "listxattr") and _ACCESS in os.listxattr(path)
    except OSError:
        return False


def overwrite_whole(path: str, before: bytes, content: bytes, check: Callable[[], None]) -> None:
    """Write into a file of lines that cannot be replaced, such as a mount in a container, and that holds C(before).

    Readers may see a partly written file, and a killed run may leave one. If the whole content cannot be written, for
    example because the disk is full, the old content is restored. C(check) is called while no other run of ours can
    write the file; if it raises an error, the file stays as it is. Raises C(OSError).
    """
    target = _target(path)
    _refuse(no_regular_file(path) or no_regular_file(target))
    with _turn_in(os.path.dirname(target)), open(target, "r+b", buffering=0) as file:
        # Several containers may have mounted the same file; a lock of the folder would not help then.
        _lock(file.fileno(), path)
        check()
        try:
            _fill(file, content)
        except OSError:
            # The old content already has its space on the disk.
            _fill(file, before)
            raise


def _fill(file: FileIO, content: bytes) -> None:
    # Until the rest of the old lines is cut off, it is empty lines, in case somebody reads the file or kills this run.
    rest = memoryview(content.ljust(os.fstat(file.fileno()).st_size, b"\n"))
    file.seek(0)
    while rest:
        rest = rest[file.write(rest) :]
    file.truncate(len(content))
    os.fsync(file.fileno())


def is_mount(path: str) -> bool:
    """Whether a file is a mount of its own, as in containers; C(False) if this is not known."""
    try:
        target = os.fsencode(_target(path))
        mounts = read_whole("/proc/self/mountinfo", _LONGEST_MOUNTS)
    except OSError:
        return False
    # The fifth word of a line is the mount point, with blanks and similar characters as octal escapes.
    places = [line.split(b" ")[4:5] for line in mounts.split(b"\n")]
    return [re.sub(rb"[ \t\n\\]", lambda byte: b"\\%03o" % byte[0][0], target)] in places


def is_immutable(path: str) -> bool:
    """Whether a file has an attribute that keeps even root from replacing it, of C(chattr +i) and C(chattr +a).

    C(False) if this is not known.
    """
    flags = bytearray(struct.calcsize("l"))
    # Neither a missing file nor a file system without attributes matters here.
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(handle, _GET_FLAGS, flags)
        finally:
            os.close(handle)
    # The system writes an int.
    return bool(int.from_bytes(flags[: struct.calcsize("i")], sys.byteorder) & _IMMUTABLE)


def expect_replaceable(path: str, keeps_owner: bool = True) -> None:
    """Raise the C(OSError) that C(replace_whole) is sure to raise here. For check mode.

    C(keeps_owner): whether it is called with C(keep_permissions). A missing folder is no error here: an earlier task of
    the same run may create it.
    """
    target = _target(path)
    folder = os.path.dirname(target)
    try:
        place = os.stat(folder)
    except FileNotFoundError:
        return
    number = 0
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
    elif is_immutable(target) or _is_of_others(target, place, keeps_owner):
        number = errno.EPERM
    if number:
        raise OSError(number, os.strerror(number))


def _is_of_others(target: str, folder: os.stat_result, keeps_owner: bool) -> bool:
    """Whether a file has an owner or group that this user cannot give to a new one, or that keeps it from the user."""
    user = os.geteuid()
    try:
        there = os.stat(target)
    except FileNotFoundError:
        return False
    if user == 0:
        return False
    if folder.st_mode & stat.S_ISVTX and user not in (there.st_uid, folder.st_uid):
        return True
    groups = {os.getegid(), *os.getgroups()}
    # A new file may get its folder's group. Outside of Linux, it always does.
    if folder.st_mode & stat.S_ISGID or not sys.platform.startswith("linux"):
        groups.add(folder.st_gid)
    return keeps_owner and (there.st_uid != user or there.st_gid not in groups)


def keep_whole(path: str, content: bytes, check_mode: bool) -> bool:
    """Like C(replace_whole), unless the file already has this content. In check mode, like C(expect_replaceable).

    Returns whether the file changes or would change. Raises C(OSError).
    """
    try:
        changes = read_beginning(path, len(content) + 1) != content
    except FileNotFoundError:
        changes = True
    if check_mode and changes:
        expect_replaceable(path, keeps_owner=False)
    elif changes:
        replace_whole(path, content)
    elif not check_mode:
        tidy(path)
    return changes


@contextlib.contextmanager
def temporary(path: str) -> Iterator[Tuple[BinaryIO, str]]:
    """A new file beside the one at C(path), with its own path. At the end it is removed if it still exists.

    It is in the same folder, because only there it can replace that file, and it is hidden from servers that read
    folders. Temporary files that killed runs left behind are removed. Raises C(OSError) if the file cannot be created.
    """
    target = _target(path)
    folder = os.path.dirname(target)
    with _turn_in(folder):
        _sweep(target)
        handle, candidate = tempfile.mkstemp(prefix=_prefix(target), dir=folder)
        # Locked while this run lasts, so that other runs know that the file is in use. Some file systems have no locks.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(handle, "wb") as file:
        try:
            yield file, candidate
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(candidate)


def tidy(path: str) -> None:
    """Remove files that C(temporary) created beside this file in runs that were killed, if this user may do so."""
    with contextlib.suppress(OSError):
        target = _target(path)
        # If there is nothing to remove, do not wait for the lock.
        if any(_is_temporary(name, target) for name in os.listdir(os.path.dirname(target))):
            with _turn_in(os.path.dirname(target)):
                _sweep(target)


def _target(path: str) -> str:
    """The file that a path leads to. Raises C(OSError) if it is not a path."""
    try:
        return os.path.realpath(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, "This is not a path") from error


def _prefix(target: str) -> str:
    name = os.fsdecode(os.fsencode(os.path.basename(target))[:_LONGEST_NAME])
    return f".{name}{_MARK}"


def _is_temporary(name: str, target: str) -> bool:
    prefix = _prefix(target)
    # These are the names that tempfile makes.
    return name.startswith(prefix) and re.fullmatch("[a-z0-9_]{8}", name[len(prefix) :]) is not None


def _sweep(target: str) -> None:
    """Remove the temporary files of runs that have ended. Call this only while holding the folder's lock."""
    folder = os.path.dirname(target)
    owners = {os.geteuid()}
    with contextlib.suppress(OSError):
        owners.add(os.stat(target).st_uid)
    for name in os.listdir(folder):
        if not _is_temporary(name, target):
            continue
        left = os.path.join(folder, name)
        # A file that cannot be opened, or that is in use, stays.
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
    """Lock a folder, so that no other run interferes between reading a file and replacing it; then sync the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        yield
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _lock(handle: int, path: str) -> None:
    # Anybody who may read a folder or a file can lock it, even forever.
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
