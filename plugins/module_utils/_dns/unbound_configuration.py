# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of Unbound as it will be, for its checker."""

from __future__ import annotations

import fnmatch
import glob
import itertools
import os
import re
from typing import Dict, List, Optional

from .._basis.files import read_whole
from .._basis.text import quoted, shown
from .errors import DnsError

_INCLUDE = re.compile(r"""(?P<lead>\s*include(?:-toplevel)?:\s*)["']?(?P<pattern>[^\s"'#\0]+)""")

# Bytes of one file, and of all that is put together; files that a pattern finds; and how deep files include others.
# Real ones have some kilobytes, some hundred files, and a depth of two.
_LONGEST = 16 * 1024 * 1024
_MOST_FILES = 10_000
_DEEPEST = 30


def configuration_with(path: str, ours: str, text: str) -> Optional[str]:
    """The configuration file at C(path), with the text where it includes the file C(ours), which need not be there.

    Files that lead to ours are expanded; other includes stay. C(None) if ours is not included.
    Raises C(DnsError) for a file that cannot be read, and for includes without end.
    """
    return _Expansion(ours, text).of(path, [])


class _Expansion:
    def __init__(self, ours: str, text: str) -> None:
        self._ours = ours
        self._is_ours = os.path.realpath(ours)
        self._text = text
        # What has become of files that were met before, by their real paths: many may include the same.
        self._known: Dict[str, Optional[str]] = {}

    def of(self, path: str, within: List[str]) -> Optional[str]:
        """A file that is included by those that C(within) holds, from the main one on."""
        real = os.path.realpath(path)
        if real == self._is_ours:
            return self._text
        if real in within:
            raise DnsError("unreadable", f"the configuration of Unbound includes {shown(path)} in itself, without end")
        if len(within) >= _DEEPEST:
            raise DnsError("unreadable", f"{shown(path)} is included more than {_DEEPEST} files deep")
        if real not in self._known:
            self._known[real] = self._expanded(path, [*within, real])
        return self._known[real]

    def _expanded(self, path: str, within: List[str]) -> Optional[str]:
        # What is no file, such as a device or a folder, can include nothing.
        if len(within) > 1 and os.path.exists(path) and not os.path.isfile(path):
            return None
        whole: List[str] = []
        length = 0
        leads_to_ours = False
        for line in _lines(path):
            parts = [line]
            directive = _INCLUDE.match(line)
            files = self._included(directive["pattern"]) if directive else []
            expanded = [self.of(file, within) for file in files]
            if directive and any(part is not None for part in expanded):
                leads_to_ours = True
                parts = [
                    _include(directive["lead"], file) if part is None else f"{part}\n"
                    for file, part in zip(files, expanded)
                ]
            whole += parts
            length += sum(map(len, parts))
            if length > _LONGEST:
                raise DnsError("unreadable", f"{shown(path)}, with what it includes, has more than {_LONGEST} bytes")
        return "".join(whole) if leads_to_ours else None

    def _included(self, pattern: str) -> List[str]:
        would_be = pattern.count("/") == self._ours.count("/") and fnmatch.fnmatchcase(self._ours, pattern)
        found = list(itertools.islice(glob.iglob(pattern), _MOST_FILES + 1))
        if len(found) > _MOST_FILES:
            raise DnsError(
                "unreadable", f"the configuration of Unbound includes more than {_MOST_FILES} files: {quoted(pattern)}"
            )
        return sorted({*found, *([self._ours] if would_be else [])})


def _include(lead: str, file: str) -> str:
    if re.search(r'["\n]', file):
        raise DnsError("unreadable", f"the file {quoted(file)} has a name that cannot be included by itself")
    return f'{lead}"{file}"\n'


def _lines(path: str) -> List[str]:
    try:
        content = read_whole(path, _LONGEST)
    except OSError as error:
        raise DnsError("unreadable", f"cannot read {shown(path)}: {error.strerror}") from error
    # As the checker reads them, to whom nothing else ends a line.
    *lines, last = content.decode("utf-8", "surrogateescape").split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])
