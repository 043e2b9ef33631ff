# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of Unbound as it will be, for its checker."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from typing import List, Optional

from .errors import DnsError

_INCLUDE = re.compile(r"""(?P<lead>\s*include(?:-toplevel)?:\s*)["']?(?P<pattern>[^\s"'#]+)""")


def configuration_with(path: str, ours: str, text: str) -> Optional[str]:
    """The configuration file at ``path``, with the text where it includes the file ``ours``, which need not be there.

    Files that lead to ours are expanded; other includes stay. ``None`` if ours is not included.
    Raises ``DnsError`` for a file that cannot be read.
    """
    if os.path.realpath(path) == os.path.realpath(ours):
        return text
    whole: List[str] = []
    leads_to_ours = False
    for line in _lines(path):
        directive = _INCLUDE.match(line)
        files = _included(directive["pattern"], ours) if directive else []
        expanded = [configuration_with(file, ours, text) for file in files]
        if directive is None or not any(part is not None for part in expanded):
            whole.append(line)
            continue
        leads_to_ours = True
        for file, part in zip(files, expanded):
            whole.append(f'{directive["lead"]}"{file}"\n' if part is None else f"{part}\n")
    return "".join(whole) if leads_to_ours else None


def _included(pattern: str, ours: str) -> List[str]:
    would_be = pattern.count("/") == ours.count("/") and fnmatch.fnmatchcase(ours, pattern)
    return sorted({*glob.glob(pattern), *([ours] if would_be else [])})


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return list(file)
    except OSError as error:
        raise DnsError("unreadable", f"cannot read {path}: {error.strerror}") from error
