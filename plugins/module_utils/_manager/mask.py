# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the API key out of everything that leaves this package, even if a manager echoes it."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote

MASK = "********"

# ASCII characters in the escaped form that JSON also allows.
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_ESCAPED_BYTES = re.compile(_ESCAPED.pattern.encode())

# The same as html.escape, whose import takes 2 ms because it loads the names of all characters.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

# Masking a shorter text would mask unrelated text, and protect nothing.
_SHORTEST = 8


class Mask:
    """Replaces the API key and its secret part, in every spelling that is likely to come back."""

    def __init__(self, key: str) -> None:
        self._spellings = spellings(key)
        # This part is the same in all spellings, so it is searched first.
        self._core = max(re.findall("[0-9A-Za-z]+", key.rpartition(":")[2] or key), key=len, default="")

    def text(self, text: str) -> str:
        """A text for people, without the key."""
        plain = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
        masked = _replaced(plain, self._spellings)
        return _replaced(text, self._spellings) if masked == plain else masked

    def is_in(self, text: str) -> bool:
        """Whether a text contains the key. A very short key may be a common word, and is not searched."""
        return any(spelling in text for spelling in self._spellings if len(spelling) >= _SHORTEST)

    def may_be_in(self, body: bytes) -> bool:
        """Whether a JSON body may contain the key. Fast; sometimes true without the key, never false with it."""
        # Most bodies have no backslash at all, and searching one character is much faster than several.
        return self._core.encode() in body or (b"\\" in body and _ESCAPED_BYTES.search(body) is not None)

    def value(self, value: t.Any) -> t.Any:
        """A parsed JSON value, with the key masked in all names and texts, unless the key may be a common word."""
        return self._value(value, [spelling for spelling in self._spellings if len(spelling) >= _SHORTEST])

    def _value(self, value: t.Any, secrets: list[str]) -> t.Any:
        if isinstance(value, str):
            return _replaced(value, secrets) if self._core in value else value
        if isinstance(value, dict):
            return {self._value(name, secrets): self._value(item, secrets) for name, item in value.items()}
        return [self._value(item, secrets) for item in value] if isinstance(value, list) else value


def _replaced(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def spellings(key: str) -> list[str]:
    """The key and its secret part as they look in text, URL, HTML and JSON, longest first, so that no part is left."""
    found = {
        spell(part)
        for part in (key, key.rpartition(":")[2])
        for spell in (
            str,
            quote,
            lambda text: quote(text, safe=""),
            lambda text: text.translate(_HTML),
            lambda text: json.dumps(text)[1:-1],
        )
    }
    return sorted((s for s in found if s == key or len(s) >= _SHORTEST), key=len, reverse=True)
