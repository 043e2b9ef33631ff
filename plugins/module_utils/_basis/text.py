# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for people: text from outside is made safe to show, and messages share their wording.

Text from a manager, an agent, a host or a server goes through C(shown), or through C(one_line) if it is running text,
before it is put into a message, a warning, a diff or a result. Comparisons use the original text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Mapping, Match, Optional, Sequence

# The longest text from outside that is shown, in characters.
LONGEST = 500

_LOWERED = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

# Lone surrogates, and characters that change the direction of text.
_TURNING = re.compile("[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: object, longest: int = LONGEST) -> str:
    """A name or value, exactly, on one line of at most C(longest) characters, with invisible characters escaped.

    Control and format characters (line breaks, escape sequences, right-to-left marks), lone surrogates, unassigned
    characters, and all white space except the blank appear as in Python: C(\\n), C(\\x1b), C(\\u202e), C(\\xa0).
    """
    whole = _written(text)
    visible = whole if whole.isascii() and whole.isprintable() else "".join(map(_visible, whole[: longest + 1]))
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def one_line(text: object, longest: int = LONGEST) -> str:
    """Running text from outside, such as a server's error: like C(shown), on one line, with white space collapsed."""
    # White space is collapsed before the text is cut. Ten times the limit is enough for that.
    return shown(" ".join(str(text)[: 10 * longest].split()), longest)


def in_json(text: object, longest: int) -> str:
    """Like C(shown), but at most this many characters when written as JSON, which escapes quotes and backslashes."""
    visible = shown(text, longest)
    while len(json.dumps(visible, ensure_ascii=False)) > longest:
        visible = shown(visible, len(visible) * 9 // 10)
    return visible


def lowered(name: str) -> str:
    """A name with A to Z in lower case, as DNS compares names. Other characters stay, such as a sharp s, unlike ss."""
    return name.translate(_LOWERED)


def quoted(value: object, longest: int = LONGEST) -> str:
    """A value for messages: in quotes, so that blanks at its ends can be seen."""
    return f"'{shown(value, longest)}'"


def literal(value: object) -> str:
    """A value as a programmer writes it, so that the text '5' and the number 5 differ; at most 100 characters."""
    return shown(repr(value), 100)


def in_words(value: object) -> str:
    """A value as documents have it: booleans are true or false, in lower case."""
    return _written(value).lower() if isinstance(value, bool) else _written(value)


def encodable(value: Any) -> Any:
    """A JSON value for a task's result: it can be written in UTF-8, and nothing in it looks like one of Ansible's tags.

    JSON escapes control characters itself, but not those that change the direction of text.
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
    """Whether text can be written in UTF-8, which has no lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def enumerated(names: Sequence[str], most: int = 10, count: Optional[int] = None) -> str:
    """Names separated by commas. If there are many, only the first ones, and how many more there are.

    C(count): the number of all names, if C(names) has only the first ones.
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
        # Python refuses to write numbers that have more than a few thousand digits.
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
