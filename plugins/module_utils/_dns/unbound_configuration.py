# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The future configuration of Unbound, for its checker."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Match, Optional, Tuple

from .._basis.files import read_whole
from .._basis.text import quoted, shown
from .errors import DnsError
from .patterns import HAS_PATTERN, TooMany, found_by

# How Unbound splits its files. Only two words matter: the one that includes files, and the one that names the folder in
# which relative paths begin.
_STRING = r"""(?:"(?:[^"\n\r\\]|\\[^\n])*"|(?:[^'" \t\r\n\\]|\\[^\n])+)"""
_WORD = re.compile(
    rf"""(?P<lead>include(?:-toplevel)?:)[ \t\r\n]*(?P<name>{_STRING})"""
    rf"""|directory:(?:[ \t\r\n]|\#[^\n]*\n)*(?P<folder>{_STRING}|'(?:[^'\n\r\\]|\\[^\n])*')"""
    r"""|[ \t\r\n]+|\#[^\n]*|"(?:[^"\n\r\\]|\\[^\n])*"|'(?:[^'\n\r\\]|\\[^\n])*'"""
    r"""|(?:[^:'" \t\r\n\\]|\\[^\n])*:|(?:[^:'" \t\r\n\\]|\\[^\n])+|[\s\S]""",
)

# Limits: bytes of one file, bytes of the whole configuration, and how deep files include each other. Real ones have a
# few kilobytes, and a depth of two.
_LONGEST = 16 * 1024 * 1024
_DEEPEST = 30
# The limit for reading files. If the folder changes again and again, the same files are read again each time.
_MOST_READS = 10_000


def configuration_with(path: str, ours: str, text: str) -> Optional[str]:
    """The configuration file at C(path), with the text where it includes the file C(ours), which need not exist.

    Included files that lead to ours are expanded; other includes stay. C(None) if ours is not included. Raises
    C(DnsError) for a file that cannot be read, and for includes without end.
    """
    return _Expansion(ours, text).of(os.path.abspath(path), [])


def files_of(path: str, ours: str) -> List[str]:
    """The configuration file at C(path) and what it includes, without the file C(ours), by their real paths.

    Some of them may not exist. Raises C(DnsError) as C(configuration_with).
    """
    expansion = _Expansion(ours, "")
    expansion.of(os.path.abspath(path), [])
    return expansion.files


class _Expansion:
    def __init__(self, ours: str, text: str) -> None:
        self._ours = os.path.realpath(ours)
        self._text = text
        # The folder in which relative paths begin: where Unbound was started, until the option directory names another.
        self._folder = "/"
        # The results for files that were already read, by their real path and the folder before them: the text, and the
        # folder after them. Many files may include the same one.
        self._known: Dict[Tuple[str, str], Tuple[Optional[str], str]] = {}

    @property
    def files(self) -> List[str]:
        return sorted({real for real, _folder in self._known})

    def of(self, path: str, within: List[str]) -> Optional[str]:
        """The text of a file that is included by the files in C(within), the main file first."""
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
        # Only a regular file can include others: not a device, a folder, or a missing file.
        if len(within) > 1 and not os.path.isfile(path):
            return None
        content = _content(path)
        # Block lists are such files.
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
        """The text that replaces a directive; C(None) if it does not lead to our file."""
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
    # For Unbound, NUL ends a text.
    return (text[1:-1] if text[0] in "'\"" else text).partition("\0")[0]


def _include(lead: str, file: str) -> str:
    if re.search(r'["\r\n]|\\\Z', file):
        raise DnsError("unreadable", f"the file {quoted(file)} has a name that cannot be included by itself")
    # Escaped, because a name with such characters would count as a pattern.
    name = re.sub(r"[*?\[{~\\]", r"\\\g<0>", file) if HAS_PATTERN.search(file) else file
    return f'{lead} "{name}"'


def _content(path: str) -> str:
    try:
        return read_whole(path, _LONGEST).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DnsError("unreadable", f"cannot read {shown(path)}: {error.strerror}") from error
