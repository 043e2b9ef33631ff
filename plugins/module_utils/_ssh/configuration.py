# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration file of OpenSSH's client says of one server: ssh_config(5), as paramiko reads it."""

from __future__ import annotations

import glob
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any, Iterator, Optional
from urllib.parse import unquote

from .._basis.errors import MissingLibrary, OptionError
from .._basis.files import read_whole
from .._basis.text import shown
from .errors import said

# Bytes of one file.
_LARGEST = 2**20
# How deep files may include each other, as in OpenSSH.
_DEEPEST = 16
_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(?:host|match)\b", re.IGNORECASE)
_JUMP = re.compile(r"(?:(?P<user>.*)@)?(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^:/\[\]]*))(?::(?P<port>[0-9]*))?")
_URI = re.compile(f"ssh://{_JUMP.pattern}/?")


@dataclass(frozen=True)
class Configured:
    """What is said of a server; C(None) where nothing is.

    identity: the first of the private keys that is there. jump: C([USER@]HOST[:PORT]) of the one step in front of it.
    """

    host: str
    port: Optional[str] = None
    user: Optional[str] = None
    identity: Optional[str] = None
    jump: Optional[str] = None


def look_up(option: str, path: str, alias: str) -> Configured:
    """What the file says of a server that is called C(alias) there.

    Raises C(OptionError) for what cannot be read, or not be done, and C(MissingLibrary) without paramiko.
    """
    try:
        from paramiko.config import SSHConfig
    except ImportError as error:
        raise MissingLibrary("paramiko", str(error)) from error
    try:
        found: Any = SSHConfig.from_text("\n".join(_lines(path))).lookup(alias)
    except Exception as error:  # beside its own errors, ImportError for Match exec, and what getpass and shlex raise
        raise OptionError(option, path, f"it cannot be read for {shown(alias)}: {said(error)}") from None
    # As with OpenSSH, the first of them that applies switches off the other.
    way = next((key for key in found if key in ("proxycommand", "proxyjump")), "")
    jump = found.get(way)
    if way == "proxycommand" and jump is not None:
        raise OptionError(
            option, path, f"it has a ProxyCommand for {shown(alias)}, which is not supported; use ProxyJump"
        )
    if jump is not None and "," in jump:
        must = f"its ProxyJump for {shown(alias)} is {shown(jump)}, and no more than one further server is supported"
        raise OptionError(option, path, must)
    identities = [os.path.expanduser(identity) for identity in found.get("identityfile", ())]
    return Configured(
        found["hostname"],
        found.get("port"),
        found.get("user"),
        next(filter(os.path.isfile, identities), None),
        None if jump is None or jump.lower() == "none" else jump,
    )


def parts_of(jump: str) -> Configured:
    """The parts of C([USER@]HOST[:PORT]), or the same as C(ssh://), empty where it is none."""
    is_uri = jump.startswith("ssh://")
    found = (_URI if is_uri else _JUMP).fullmatch(jump)
    if found is None:
        return Configured("")
    # Only in a URI does a percent sign not stand for itself.
    user = unquote(found["user"] or "") if is_uri else found["user"]
    return Configured(found["address"] or found["name"] or "", found["port"] or None, user or None)


def _lines(path: str, depth: int = 0) -> Iterator[str]:
    """The lines of a file, with those of files that it includes in their places."""
    if depth > _DEEPEST:
        raise OSError(f"{path} is included by itself")
    # What the lines after an included file belong to again.
    block = "Host *"
    for line in read_whole(path, _LARGEST).decode("utf-8", "replace").splitlines():
        included = _INCLUDE.match(line)
        if not included:
            block = line if _BLOCK.match(line) else block
            yield line
            continue
        for pattern in shlex.split(included[1], comments=True):
            # As for a user's own file: what is relative begins in the folder of OpenSSH.
            where = os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern))
            for each in sorted(glob.glob(where)):
                yield from _lines(each, depth + 1)
        yield block
