# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration file of OpenSSH's client says about one server: ssh_config(5), as paramiko reads it."""

from __future__ import annotations

import glob
import os
import re
import shlex
from typing import Any, Callable, List, NamedTuple, Optional
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
# The keywords that we use. Each has one value.
_VALUE = re.compile(r"(\s*(?:hostname|user|port|identityfile|proxyjump)(?:\s*=\s*|\s+))(.+)", re.IGNORECASE)
# A keyword without a meaning.
_MARK = "workloadsecurityagent"
# The keywords whose value is the whole rest of the line.
_COMMAND = re.compile(r"\s*(?:proxy|local|remote|knownhosts)command\b", re.IGNORECASE)
_JUMP = re.compile(r"(?:(?P<user>.*)@)?(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^:/\[\]]*))(?::(?P<port>[0-9]*))?")
_URI = re.compile(f"ssh://{_JUMP.pattern}/?")


class Configured(NamedTuple):
    """What the file says about a server; C(None) for anything that it does not say.

    identity: the first of the private keys that exists. jump: C([USER@]HOST[:PORT]) of the one server to jump through.
    """

    host: str
    port: Optional[str] = None
    user: Optional[str] = None
    identity: Optional[str] = None
    jump: Optional[str] = None


def look_up(option: str, path: str, alias: str) -> Configured:
    """What the file says about a server that it calls C(alias).

    Raises C(OptionError) for a file that cannot be read or that asks for something unsupported, and C(MissingLibrary)
    without paramiko.
    """
    try:
        from paramiko.config import SSHConfig
    except ImportError as error:
        raise MissingLibrary("paramiko", str(error)) from error

    def looked_up(lines: List[str]) -> Any:
        return SSHConfig.from_text("\n".join(lines)).lookup(alias)

    try:
        lines: List[str] = []
        _read(path, lines, looked_up)
        found = looked_up(lines)
    except Exception as error:  # beside its own errors, ImportError for Match exec, and what getpass and shlex raise
        raise OptionError(option, path, f"it cannot be read for {shown(alias)}: {said(error)}") from None
    # As in OpenSSH, the first of the two that applies switches off the other.
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
    """The parts of C([USER@]HOST[:PORT]), also with C(ssh://) in front; empty for any other text."""
    is_uri = jump.startswith("ssh://")
    found = (_URI if is_uri else _JUMP).fullmatch(jump)
    if found is None:
        return Configured("")
    # Only in a URI, percent signs are escapes.
    user = unquote(found["user"] or "") if is_uri else found["user"]
    return Configured(found["address"] or found["name"] or "", found["port"] or None, user or None)


def _before_comment(line: str) -> str:
    """The line up to the first word that begins with # outside of quotes."""
    quote, before = "", " "
    for place, letter in enumerate(line):
        if letter == "#" and not quote and before.isspace():
            return line[:place]
        if letter in ("'", '"') and quote in ("", letter):
            quote = "" if quote else letter
        before = letter
    return line


def _word(value: str) -> Optional[str]:
    """The word that OpenSSH reads from a value with quotes and backslashes; C(None) if there is not exactly one."""
    word = quote = ""
    for part in re.findall(r"\\[\"'\\ ]|.", value.strip()):
        if len(part) == 2 and not (quote and part[1] == " "):
            word += part[1]
        elif part in ("'", '"') and quote in ("", part):
            quote = "" if quote else part
        elif part == " " and not quote:
            return None
        else:
            word += part
    return None if quote else word


def _read(path: str, lines: List[str], found: Callable[[List[str]], Any], depth: int = 0) -> None:
    """Add the lines of a file and, in their places, the lines of included files, in a form that paramiko can read.

    C(found): returns what lines say about the server.
    """
    if depth > _DEEPEST:
        raise OSError(f"{path} is included by itself")
    # Whether the next lines are about the server; C(None) if that is not known yet.
    applies: Optional[bool] = True
    for line in read_whole(path, _LARGEST).decode("utf-8", "replace").splitlines():
        if not _COMMAND.match(line):
            # Paramiko would read a comment as part of the value.
            line = _before_comment(line)
        included = _INCLUDE.match(line)
        if not included:
            if _BLOCK.match(line):
                applies = None
                # For OpenSSH this is an ordinary character, but not for paramiko.
                line = line.replace("[", "[[]")
            lines.append(_with_quotes(line))
            continue
        if applies is None:
            applies = _MARK in found([*lines, f"{_MARK} yes"])
        if not applies:
            # Even a Host line of an included file only applies within the block that includes the file.
            continue
        for pattern in shlex.split(included[1], comments=True):
            # As for a user's own file: relative paths begin in OpenSSH's folder.
            where = os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern))
            for each in sorted(glob.glob(where)):
                _read(each, lines, found, depth + 1)
                lines.append("Host *")


def _with_quotes(line: str) -> str:
    """The line with its value in quotes, if we use its keyword. Quotes are all that paramiko removes from a value."""
    value = _VALUE.match(line)
    word = value and _word(value[2])
    return line if value is None or word is None else f'{value[1]}"{word}"'
