# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of Unbound as it will be, for its checker."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Match, Optional, Tuple

from .._basis.files import read_whole
from .._basis.text import quoted, shown
from .errors import DnsError
from .patterns import HAS_PATTERN, TooMany, found_by

# How Unbound splits its files. Only two words matter: the one that includes files, and the one that names the folder
# from which on relative paths begin.
_STRING = r"""(?:"(?:[^"\n\r\\]|\\[^\n])*"|(?:[^'" \t\r\n\\]|\\[^\n])+)"""
_WORD = re.compile(
    rf"""(?P<lead>include(?:-toplevel)?:)[ \t\r\n]*(?P<name>{_STRING})"""
    rf"""|directory:(?:[ \t\r\n]|\#[^\n]*\n)*(?P<folder>{_STRING}|'(?:[^'\n\r\\]|\\[^\n])*')"""
    r"""|[ \t\r\n]+|\#[^\n]*|"(?:[^"\n\r\\]|\\[^\n])*"|'(?:[^'\n\r\\]|\\[^\n])*'"""
    r"""|(?:[^:'" \t\r\n\\]|\\[^\n])*:|(?:[^:'" \t\r\n\\]|\\[^\n])+|[\s\S]""",
)

# Bytes of one file, and of all that is put together; and how deep files include others. Real ones have some kilobytes,
# and a depth of two.
_LONGEST = 16 * 1024 * 1024
_DEEPEST = 30
# How often files are read. From ever new folders, each would be read anew.
_MOST_READS = 10_000


def configuration_with(path: str, ours: str, text: str) -> Optional[str]:
    """The configuration file at C(path), with the text where it includes the file C(ours), which need not be there.

    Files that lead to ours are expanded; other includes stay. C(None) if ours is not included.
    Raises C(DnsError) for a file that cannot be read, and for includes without end.
    """
    return _Expansion(ours, text).of(os.path.abspath(path), [])


class _Expansion:
    def __init__(self, ours: str, text: str) -> None:
        self._ours = os.path.realpath(ours)
        self._text = text
        # Where relative paths begin: where Unbound was started, and from option directory on, there.
        self._folder = "/"
        # What has become of files that were met before, by their real paths and the folder before, and the folder
        # behind them: many may include the same.
        self._known: Dict[Tuple[str, str], Tuple[Optional[str], str]] = {}

    def of(self, path: str, within: List[str]) -> Optional[str]:
        """A file that is included by those that C(within) holds, from the main one on."""
        real = os.path.realpath(path)
        if real == self._ours:
            return self._text
        if real in within:
            raise DnsError("unreadable", f"the configuration of Unbound includes {shown(path)} in itself, without end")
        if len(within) >= _DEEPEST:
            raise DnsError("unreadable", f"{shown(path)} is included more than {_DEEPEST} files deep")
        before = self._folder
        if (real, before) not in self._known:
            if len(self._known) >= _MOST_READS:
                raise DnsError(
                    "unreadable", f"the configuration of Unbound includes files more than {_MOST_READS} times"
                )
            expanded = self._expanded(path, [*within, real])
            self._known[real, before] = expanded, self._folder
        expanded, self._folder = self._known[real, before]
        return expanded

    def _expanded(self, path: str, within: List[str]) -> Optional[str]:
        # What is no file, such as a device or a folder, can include nothing, nor can what is not there.
        if len(within) > 1 and not os.path.isfile(path):
            return None
        content = _content(path)
        # As block lists are.
        if "include" not in content and "directory" not in content:
            return None
        whole: List[str] = []
        length = 0
        leads_to_ours = False
        for word in _WORD.finditer(content):
            part = word[0]
            if word["folder"]:
                self._folder = os.path.join(self._folder, _unquoted(word["folder"]))
            elif word["lead"]:
                included = self._included(word, within)
                leads_to_ours = leads_to_ours or included is not None
                part = part if included is None else included
            whole.append(part)
            length += len(part)
            if length > _LONGEST:
                raise DnsError("unreadable", f"{shown(path)}, with what it includes, has more than {_LONGEST} bytes")
        return "".join(whole) if leads_to_ours else None

    def _included(self, directive: Match[str], within: List[str]) -> Optional[str]:
        """What to have in place of a directive; C(None) where it does not lead to our file."""
        name = os.path.expanduser(_unquoted(directive["name"]))
        files = [os.path.join(self._folder, name)] if name else []
        if HAS_PATTERN.search(name):
            try:
                files = found_by(name, self._folder, self._ours)
            except TooMany as error:
                raise DnsError(
                    "unreadable", f"the configuration of Unbound includes more than {error} files: {quoted(name)}"
                ) from error
        parts = [self.of(file, within) for file in files]
        if all(part is None for part in parts):
            return None
        return "".join(
            f"{_include(directive['lead'], file) if part is None else part}\n" for file, part in zip(files, parts)
        )


def _unquoted(text: str) -> str:
    # To Unbound, NUL is the end of a text.
    return (text[1:-1] if text[0] in "'\"" else text).partition("\0")[0]


def _include(lead: str, file: str) -> str:
    if re.search(r'["\r\n]|\\\Z', file):
        raise DnsError("unreadable", f"the file {quoted(file)} has a name that cannot be included by itself")
    # What looks like a pattern would be taken for one.
    name = re.sub(r"[*?\[{~\\]", r"\\\g<0>", file) if HAS_PATTERN.search(file) else file
    return f'{lead} "{name}"'


def _content(path: str) -> str:
    try:
        return read_whole(path, _LONGEST).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DnsError("unreadable", f"cannot read {shown(path)}: {error.strerror}") from error
