# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole: at any moment there is the complete old file or the complete new one.

Files that cannot be replaced, such as mounts in containers, are written in place if an option allows it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from typing import BinaryIO, Iterator, Mapping, Optional, Tuple

from .._basis import files
from .._basis.errors import OptionError
from .._basis.files import keep_permissions, overwrite_whole, read_whole, replace_whole
from .._basis.text import shown
from .errors import DnsError

_NEW_FILE_MODE = 0o644

# Bytes of a file. Block lists in hosts files have about ten million.
_LONGEST = 256 * 1024 * 1024

# The likely cause of a refusal, and what to do about it.
_ADVICE = {
    errno.EACCES: "this user may not; use become",
    errno.EPERM: "this user may not, or the file is immutable or append-only (chattr -ia)",
    errno.EROFS: "the file system is mounted read only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EBUSY: "it is a mount of its own, as in containers; change the file that is mounted there",
    errno.ENOENT: "its folder does not exist",
}


# Errors that prevent creating or moving a new file, while the existing file may be writable: the file is a mount, or
# the folder is mounted read-only or not writable for this user.
_IRREPLACEABLE = (errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV)


class Irreplaceable(DnsError):
    """A file cannot be replaced by a new one, but can be written."""


class Path(str):
    """The path of a file that an option names. Errors about the file have that option."""

    option: Optional[str] = None


def path_of(options: Mapping[str, str], name: str, place: str) -> Path:
    """A suboption that is the path of a file. Raises C(OptionError) if it cannot be one."""
    path = options[name]
    try:
        whole = os.fsencode(path)
    except UnicodeError:
        whole = b""
    if not whole or b"\0" in whole or whole.endswith(b"/"):
        raise OptionError(f"{place}.{name}", path, "it must be the path of a file")
    named = Path(path)
    named.option = f"{place}.{name}"
    return named


def read(path: str) -> Optional[bytes]:
    """The content of a regular file; C(None) if there is no file. Raises C(DnsError) if it cannot be read."""
    try:
        return read_whole(path, _LONGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("unreadable", "read", path, error) from error


def replace(path: str, before: Optional[bytes], after: bytes) -> None:
    """Replace the content C(before) of a file (C(None): there is no file) by C(after), and sync it to the disk.

    Owner, mode, access control list and security context stay as they are. If C(path) is a symbolic link, the file that
    it points to is replaced. Raises C(DnsError) and leaves the file unchanged; raises C(Irreplaceable) if C(overwrite)
    may work.
    """
    target = os.path.realpath(path)

    def permit(handle: int, candidate: str) -> None:
        if before is None:
            os.fchmod(handle, _NEW_FILE_MODE)
            return
        keep_permissions(handle, target)
        shutil.copystat(target, candidate)
        os.utime(candidate)

    try:
        replace_whole(target, after, permit, lambda: _expect(path, before))
    except OSError as error:
        failed = _failed("unwritable", "write", path, error)
        if before is not None and _may_be_written(target, error):
            raise Irreplaceable(failed.code, str(failed), failed.option) from error
        raise failed from error


def expect_writable(path: str) -> None:
    """Raise the error that C(replace) is sure to raise here, without trying it. For check mode.

    A missing folder is no error here: an earlier task of the same run may create it.
    """
    target = os.path.realpath(path)
    mount = files.is_mount(target)
    try:
        if mount:
            number = errno.EROFS if os.statvfs(target).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(number, os.strerror(number))
        files.expect_replaceable(target)
    except OSError as error:
        failed = _failed("unwritable", "write", path, error)
        if not _may_be_written(target, error):
            raise failed from error
        told = f"cannot write {shown(path)}: it is a mount of its own, as in containers" if mount else str(failed)
        raise Irreplaceable(failed.code, told, failed.option) from error


def _may_be_written(target: str, error: OSError) -> bool:
    """Whether a file that cannot be replaced, because of this error, may be written in place."""
    return error.errno in _IRREPLACEABLE and os.access(target, os.W_OK) and not files.is_immutable(target)


def overwrite(path: str, before: bytes, after: bytes) -> None:
    """Like C(replace), but write into the file: readers may see a partly written file, and a killed run may leave one.

    Raises C(DnsError) and leaves the file unchanged.
    """
    try:
        overwrite_whole(path, before, after, lambda: _expect(path, before))
    except OSError as error:
        raise _failed("unwritable", "write", path, error) from error


def _expect(path: str, content: Optional[bytes]) -> None:
    if read(path) != content:
        raise DnsError("changed_meanwhile", f"{shown(path)} was changed by somebody else at the same time; run again")


@contextlib.contextmanager
def temporary(path: str) -> Iterator[Tuple[BinaryIO, str]]:
    """A new file beside the one at C(path), and its own path. Raises C(DnsError) if it cannot be created."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(files.temporary(path))
        except OSError as error:
            raise _failed("unwritable", "write next to", path, error) from error
        yield made


def expect_temporary(path: str) -> None:
    """Raise the error that C(temporary) is sure to raise here, without trying it. For check mode."""
    try:
        files.expect_replaceable(os.path.join(os.path.dirname(os.path.realpath(path)), "new"))
    except OSError as error:
        raise _failed("unwritable", "write next to", path, error) from error


def remove(path: str) -> None:
    """Remove a file that C(replace) has created. A symbolic link to it stays. Raises C(DnsError)."""
    try:
        os.unlink(os.path.realpath(path))
    except OSError as error:
        raise _failed("unwritable", "remove", path, error) from error


def _failed(code: str, what: str, path: str, error: OSError) -> DnsError:
    advice = f" ({_ADVICE[error.errno]})" if error.errno in _ADVICE else ""
    option = path.option if isinstance(path, Path) else None
    return DnsError(code, f"cannot {what} {shown(path)}: {error.strerror}{advice}", option)
