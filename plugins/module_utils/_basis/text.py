# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for people: what comes from outside made safe to show, and the wording that messages share.

Whatever a manager, an agent, a host or a server has named or said goes through C(shown), or C(one_line) for running text,
on its way into a message, a warning, a diff or a result. It is kept as it came wherever it is compared.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Mapping, Match, Optional, Sequence

# The longest text from outside that is shown, in characters.
LONGEST = 500

_LOWERED = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

# Lone surrogates, and what turns the direction of text.
_TURNING = re.compile("[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: object, longest: int = LONGEST) -> str:
    """A name or value on one line, at most C(longest) characters of it, exactly, with what cannot be seen escaped.

    Control and format characters (line breaks, escape sequences, right-to-left marks), lone surrogates, unassigned
    characters, and every white space but the blank appear as in Python: C(\\n), C(\\x1b), C(\\u202e), C(\\xa0).
    """
    whole = _written(text)
    visible = whole if whole.isascii() and whole.isprintable() else "".join(map(_visible, whole[: longest + 1]))
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def one_line(text: object, longest: int = LONGEST) -> str:
    """Running text that somebody else wrote, such as a server's error: one line, as C(shown), white space folded."""
    # Folded before it is cut: ten times the bound is enough to look at.
    return shown(" ".join(str(text)[: 10 * longest].split()), longest)


def in_json(text: object, longest: int) -> str:
    """As C(shown), but at most so many characters once it is written as JSON, which escapes quotes and backslashes."""
    visible = shown(text, longest)
    while len(json.dumps(visible, ensure_ascii=False)) > longest:
        visible = shown(visible, len(visible) * 9 // 10)
    return visible


def lowered(name: str) -> str:
    """A name with A to Z in lower case, as DNS compares names: no two others become equal, such as ss and a sharp s."""
    return name.translate(_LOWERED)


def quoted(value: object, longest: int = LONGEST) -> str:
    """A value as messages repeat it: in quotes, so that blanks at its ends can be seen."""
    return f"'{shown(value, longest)}'"


def literal(value: object) -> str:
    """A value as a programmer writes it, so that the text '5' and the number 5 differ; at most 100 characters."""
    return shown(repr(value), 100)


def in_words(value: object) -> str:
    """A value as a document has it: a switch is true or false, in lower case."""
    return _written(value).lower() if isinstance(value, bool) else _written(value)


def encodable(value: Any) -> Any:
    """A value of JSON for a task's result: all of it can be written in UTF-8, and none of it is a tag of Ansible's.

    JSON escapes control characters by itself, but not those that turn the direction of text.
    """
    if isinstance(value, str):
        return value if value.isascii() else _TURNING.sub(_escaped, value)
    if isinstance(value, dict):
        return {
            encodable(str(name)): encodable(item)
            for name, item in value.items()
            if not str(name).startswith("__ansible_")
        }
    return [encodable(item) for item in value] if isinstance(value, (list, tuple)) else value


def can_be_written(text: str) -> bool:
    """Whether it is text at all: half a character cannot be written in UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def enumerated(names: Sequence[str], most: int = 10, count: Optional[int] = None) -> str:
    """Names in a row; of very many the first ones and how many more there are.

    C(count): of how many these are the first ones, where they are not all.
    """
    row = ", ".join(names[:most])
    count = len(names) if count is None else count
    return row if count <= most else f"{row} and {count - most} more"


def outline(tree: Mapping[str, Any], indent: int = 0) -> str:
    """Nested values as indented lines, one value to a line, for diffs that people read."""
    lines = []
    pad = "  " * indent
    for name, value in tree.items():
        if isinstance(value, dict):
            lines.append(f"{pad}{shown(name)}:\n{outline(value, indent + 1)}")
        elif isinstance(value, (list, tuple)):
            items = "".join(f"{pad}  - {shown(item)}\n" for item in value)
            lines.append(f"{pad}{shown(name)}:\n{items}")
        else:
            lines.append(f"{pad}{shown(name)}: {shown(in_words(value))}\n")
    return "".join(lines)


def _written(value: object) -> str:
    try:
        return str(value)
    except ValueError:
        # Python refuses to write numbers of more digits than some thousand.
        return "a number with thousands of digits"


def _escaped(found: Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _visible(character: str) -> str:
    # Cc, Cf, Cs, Co, Cn: control, format, surrogate, private and unassigned; Zl, Zp, Zs: separators.
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    code = ord(character)
    return _ESCAPES.get(character) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
