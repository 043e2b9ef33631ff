# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole: at any moment the old one or the new one is there, and never a part of it.

Files that cannot be replaced, such as mounts in containers, are written in place where that is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from typing import BinaryIO, Iterator, Mapping, Optional, Tuple

from .._basis import files
from .._basis.errors import OptionError
from .._basis.files import overwrite_whole, read_whole, replace_whole
from .._basis.text import shown
from .errors import DnsError

_NEW_FILE_MODE = 0o644

# Bytes of a file. Block lists in hosts files have some ten million.
_LONGEST = 256 * 1024 * 1024

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


# What refuses a new file or its place, but maybe not to write the file that is there: a mount, a folder that is mounted
# read only, or one that this user may not write to.
_IRREPLACEABLE = (errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV)


class Irreplaceable(DnsError):
    """A new file cannot take the place of one that can be written all the same."""


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
    file that it leads to is replaced. Raises C(DnsError), then the file is as it was; C(Irreplaceable) where C(overwrite)
    may do it.
    """
    target = os.path.realpath(path)

    def permit(handle: int, candidate: str) -> None:
        if before is None:
            os.fchmod(handle, _NEW_FILE_MODE)
            return
        owner = os.stat(target)
        os.fchown(handle, owner.st_uid, owner.st_gid)
        shutil.copystat(target, candidate)
        os.utime(candidate)

    try:
        replace_whole(target, after, permit, lambda: _expect(path, before))
    except OSError as error:
        failed = _failed("unwritable", "write", path, error)
        if before is not None and error.errno in _IRREPLACEABLE and os.access(target, os.W_OK):
            raise Irreplaceable(failed.code, str(failed)) from error
        raise failed from error


def expect_writable(path: str) -> None:
    """Raise what C(replace) is known to raise here, without a try; for check mode.

    A folder that is missing is no reason: an earlier task of the same run may make it.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    mount = files.is_mount(target)
    if not mount and (os.access(folder, os.W_OK) or not os.path.exists(folder)):
        return
    number = errno.EROFS if os.statvfs(target if mount else folder).f_flag & os.ST_RDONLY else errno.EACCES
    failed = _failed("unwritable", "write", path, OSError(number, os.strerror(number)))
    if not os.access(target, os.W_OK):
        raise failed
    told = f"cannot write {shown(path)}: it is a mount of its own, as in containers" if mount else str(failed)
    raise Irreplaceable(failed.code, told)


def overwrite(path: str, before: bytes, after: bytes) -> None:
    """Like C(replace), but write into the file: readers may see a part of it, and a run that is killed may leave one.

    Raises C(DnsError), then the file is as it was.
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
    """A new file beside the one at C(path), and its own path. Raises C(DnsError) where it cannot be made."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(files.temporary(path))
        except OSError as error:
            raise _failed("unwritable", "write next to", path, error) from error
        yield made


def remove(path: str) -> None:
    """Remove a file that C(replace) has made. Raises C(DnsError)."""
    try:
        os.unlink(path)
    except OSError as error:
        raise _failed("unwritable", "remove", path, error) from error


def _failed(code: str, what: str, path: str, error: OSError) -> DnsError:
    advice = f" ({_ADVICE[error.errno]})" if error.errno in _ADVICE else ""
    return DnsError(code, f"cannot {what} {shown(path)}: {error.strerror}{advice}")
