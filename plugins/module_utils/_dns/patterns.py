# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a pattern finds, like the C library's glob as Unbound uses it: with braces, and in the same order."""

from __future__ import annotations

import os
import re
from typing import Iterator, List, Optional, Pattern, Tuple

# A name without any of these characters is the name of one file.
HAS_PATTERN = re.compile(r"[*?\[{~]")

# The most files that one pattern may find, and the most alternatives that it may have. Real patterns find a few
# hundred.
MOST_FILES = 10_000

# Bytes. The longest path that systems accept.
_LONGEST = 4096

_CLASSES = {
    **{"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "lower": "a-z", "upper": "A-Z"},
    **{"space": " \\t\\n\\r\\f\\v", "blank": " \\t", "xdigit": "0-9A-Fa-f", "punct": "!-/:-@\\[-`{-~"},
}

# Inside a bracket: a class, or a character or range of characters.
_MEMBER = re.compile(r"\[:(?P<class>[a-z]+):\]|(?P<from>\\.|[^\\])(?:-(?P<to>\\.|[^\]\\]))?", re.DOTALL)


class TooMany(Exception):
    """A pattern finds more than C(MOST_FILES) files."""


class _Unreadable(Exception):
    """A folder that is searched for files cannot be read."""


def found_by(pattern: str, folder: str, ours: str) -> List[str]:
    """The paths that a pattern finds, starting in a folder, as if the file C(ours), a real path, existed.

    The paths of one alternative in braces are sorted, and come before those of the next one. If a folder cannot be
    read, the pattern counts as the name of a file, as in Unbound. Raises C(TooMany).
    """
    found: List[str] = []
    for number, alternative in enumerate(_alternatives(pattern)):
        try:
            found += sorted(_paths(alternative, folder, ours))
        except _Unreadable:
            return [os.path.join(folder, pattern)]
        if max(len(found), number) > MOST_FILES:
            raise TooMany(MOST_FILES)
    return found


def _alternatives(pattern: str) -> Iterator[str]:
    """The patterns without braces that a pattern with braces stands for."""
    todo = [pattern] if len(pattern) <= _LONGEST else []
    while todo:
        if len(todo) > MOST_FILES:
            raise TooMany(MOST_FILES)
        whole = todo.pop()
        braces = _braces(whole)
        if braces is None:
            yield whole
        else:
            begin, *cuts = braces
            parts = [whole[one + 1 : other] for one, other in zip([begin, *cuts], cuts)]
            todo += [whole[:begin] + part + whole[cuts[-1] + 1 :] for part in reversed(parts)]


def _braces(pattern: str) -> Optional[List[int]]:
    """Where the first brace, its commas and its closing brace are; C(None) if no brace closes it."""
    places: List[int] = []
    depth = 0
    for found in re.finditer(r"\\.|[{},]", pattern, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(found[0], 0) if places or found[0] == "{" else 0
        if (found[0] == "{" and not places) or (places and found[0] == "," and depth == 1):
            places.append(found.start())
        elif places and depth == 0:
            return [*places, found.start()]
    return None


def _paths(pattern: str, folder: str, ours: str) -> List[str]:
    found = ["/" if pattern.startswith("/") else folder]
    exact = True
    for part in filter(None, pattern.split("/")):
        if re.search(r"[*?\[]", re.sub(r"\\.", "", part, flags=re.DOTALL)):
            # After a part that is a pattern, only existing folders count.
            found = [path for path in found if exact or os.path.isdir(path)]
            exact = False
            units = _units(part)
            found = [
                os.path.join(path, name)
                for path in found
                for name in _names(path, ours)
                if (name[0] != "." or part.startswith((".", "\\."))) and _fits(name, units)
            ]
        else:
            found = [os.path.join(path, re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)) for path in found]
        if len(found) > MOST_FILES:
            raise TooMany(MOST_FILES)
    if pattern.endswith("/"):
        return [path for path in found if os.path.isdir(path)]
    return [path for path in found if os.path.lexists(path) or os.path.realpath(path) == ours]


def _names(folder: str, ours: str) -> List[str]:
    try:
        names = os.listdir(folder)
    except NotADirectoryError:
        return []
    except (OSError, ValueError) as error:
        raise _Unreadable from error
    if os.path.realpath(folder) == os.path.dirname(ours) and os.path.basename(ours) not in names:
        names.append(os.path.basename(ours))
    return names


def _units(part: str) -> List[Optional[Pattern[str]]]:
    """What each character of a name must be; C(None) stands for any number of any characters."""
    units: List[Optional[Pattern[str]]] = []
    at = 0
    # After the last closing bracket, no bracket is complete, so the characters after it need no search.
    closing = [found.start() for found in re.finditer(r"\\.|\]", part, re.DOTALL) if found[0] == "]"]
    last = closing[-1] if closing else -1
    while at < len(part):
        bracket = _bracket(part, at) if part[at] == "[" and at < last else None
        if part[at] == "*":
            units.append(None)
        elif part[at] == "?":
            units.append(re.compile(".", re.DOTALL))
        elif bracket:
            at, unit = bracket
            units.append(unit)
            continue
        else:
            at += part[at] == "\\" and at + 1 < len(part)
            units.append(re.compile(re.escape(part[at])))
        at += 1
    return units


def _bracket(part: str, begin: int) -> Optional[Tuple[int, Pattern[str]]]:
    """Where the bracket that begins here ends, and what matches it; C(None) if nothing closes it."""
    not_these = part[begin + 1 : begin + 2] in ("!", "^")
    first = begin + 1 + not_these
    members, at, known = "", first, True
    while True:
        found = _MEMBER.match(part, at)
        if found is None:
            return None
        if found["from"] == "]" and at > first:
            body = f"[{'^' if not_these else ''}{members}]" if members else "." if not_these else "(?!)"
            return at + 1, re.compile(body if known else "(?!)", re.DOTALL)
        at = found.end()
        if found["class"] is not None:
            # A bracket with an unknown class matches nothing.
            known = known and found["class"] in _CLASSES
            members += _CLASSES.get(found["class"], "")
            continue
        low, high = ((found[side] or found["from"])[-1] for side in ("from", "to"))
        # A range that ends before it begins is empty.
        members += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""


def _fits(name: str, units: List[Optional[Pattern[str]]]) -> bool:
    """Whether a name matches the units, in no more steps than the product of both lengths."""
    at = unit = 0
    star = resume = -1
    while at < len(name):
        expected = units[unit] if unit < len(units) else re.compile(r"(?!)")
        if expected is None:
            star, resume = unit, at
            unit += 1
        elif expected.match(name, at):
            at += 1
            unit += 1
        elif star >= 0:
            resume += 1
            at, unit = resume, star + 1
        else:
            return False
    return all(expected is None for expected in units[unit:])
