# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merges two versions of a common text: one differs in content, the other one only in layout."""

from __future__ import annotations

import difflib
import re
import typing as t

# Texts with more lines are compared with a faster method, which may find more differences.
_MANY_LINES = 2000

# The indentation of a line, and whether a list item begins there.
Level = t.Tuple[int, bool]


def merged(text: str, base: str, after: str) -> str:
    """C(text) with all changes from C(base) to C(after). If both differ from C(base), C(after) wins.

    Comments of removed lines stay.
    """
    mine, old, new = (whole.split("\n") for whole in (text, base, after))
    ours = _blocks(old, mine)
    theirs = _blocks(old, new)
    lines: list[str] = []
    levels: dict[Level, int] = {}
    at_old = at_mine = at_new = 0
    for start, end in [*_common(ours, theirs), (len(old), len(old))]:
        to_mine = _mapped(ours, start, len(old), len(mine))
        to_new = _mapped(theirs, start, len(old), len(new))
        was, is_mine, is_new = old[at_old:start], mine[at_mine:to_mine], new[at_new:to_new]
        lines += _stretch(is_mine, was, is_new, levels) if is_new != was else is_mine
        if len(is_mine) == len(was):
            _see(levels, is_mine, was)
        lines += mine[to_mine : to_mine + end - start]
        _see(levels, old[start:end], old[start:end])
        at_old, at_mine, at_new = end, to_mine + end - start, to_new + end - start
    return "\n".join(lines)


def with_line_ends(raw: str, text: str) -> str:
    """C(text), whose lines end with a line feed only, with the line ends of C(raw) for the lines that C(raw) has."""
    parts = re.split("(\r?\n)", raw)
    old, ends, new = parts[::2], [*parts[1::2], ""], text.split("\n")
    usual = max(("\n", "\r\n"), key=ends.count)
    if "\r\n" not in ends:
        return text
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    rest = min(len(old), len(new)) - same
    same_behind = next((number for number in range(rest) if old[-1 - number] != new[-1 - number]), rest)
    kept = {number: ends[number] for number in range(same)}
    kept.update((len(new) - 1 - number, ends[len(old) - 1 - number]) for number in range(same_behind))
    for start, start_new, length in _blocks(old[same : len(old) - same_behind], new[same : len(new) - same_behind]):
        kept.update((same + start_new + number, ends[same + start + number]) for number in range(length))
    last = len(new) - 1
    return "".join(line + ((kept.get(number) or usual) if number < last else "") for number, line in enumerate(new))


def _stretch(mine: list[str], old: list[str], new: list[str], levels: dict[Level, int]) -> list[str]:
    """Merge lines that differ: lines of C(new) that only differ in layout become lines of C(mine).

    C(levels): by level in C(old), the extra indentation of the last such line in C(mine).
    """
    merged: list[str] = []
    alike = len(mine) == len(old)
    for what, start, end, start_new, end_new in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if alike:
            _see(levels, mine[start:end], old[start:end])
        if what == "equal" and alike:
            merged += mine[start:end]
            continue
        for line in new[start_new:end_new]:
            inside = _indentation(line)
            further = levels.get(_level(line), 0)
            merged.append(f"{' ' * max(0, inside + further)}{line[inside:]}" if line[inside:] else line)
        if what != "equal":
            merged += [line for line in old[start:end] if line.lstrip().startswith("#") and line not in new]
    return merged


def _see(levels: dict[Level, int], mine: list[str], old: list[str]) -> None:
    for one, other in zip(mine, old):
        if other.strip() and not other.lstrip().startswith("#"):
            levels[_level(other)] = _indentation(one) - _indentation(other)


def _level(line: str) -> Level:
    return _indentation(line), line.lstrip(" ").startswith("- ")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _blocks(old: list[str], other: list[str]) -> list[tuple[int, int, int]]:
    """The runs of equal lines in both texts: where each starts in both, and how many lines it has."""
    if old == other:
        return [(0, 0, len(old))]
    many = len(old) + len(other) > _MANY_LINES
    return [
        block for block in difflib.SequenceMatcher(None, old, other, autojunk=many).get_matching_blocks() if block[2]
    ]


def _common(first: list[tuple[int, int, int]], second: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The runs of old lines that both other texts have."""
    found, one, two = [], 0, 0
    while one < len(first) and two < len(second):
        start = max(first[one][0], second[two][0])
        ends = first[one][0] + first[one][2], second[two][0] + second[two][2]
        if start < min(ends):
            found.append((start, min(ends)))
        if ends[0] < ends[1]:
            one += 1
        else:
            two += 1
    return found


def _mapped(blocks: list[tuple[int, int, int]], line: int, last: int, last_of_other: int) -> int:
    """The line in the other text for a line that both have, or the end."""
    if line == last:
        return last_of_other
    return next(other + line - start for start, other, length in blocks if start <= line < start + length)
