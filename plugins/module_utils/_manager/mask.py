# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API key kept out of all that leaves this package, also where a manager echoes it."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote

MASK = "********"

# Letters, digits and signs of ASCII as JSON may also write them.
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_ESCAPED_BYTES = re.compile(_ESCAPED.pattern.encode())

# What html.escape does, which would bring the names of all characters with it: 2 ms.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

# A shorter text would blacken what has nothing to do with the key, and protect nothing.
_SHORTEST = 8


class Mask:
    """Replaces the API key and its secret part, in every spelling that is likely to come back."""

    def __init__(self, key: str) -> None:
        self._spellings = spellings(key)
        # The same in all spellings, and so what to look for first.
        self._core = max(re.findall("[0-9A-Za-z]+", key.rpartition(":")[2] or key), key=len, default="")

    def text(self, text: str) -> str:
        """A text for people, without the key."""
        plain = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
        masked = _replaced(plain, self._spellings)
        return _replaced(text, self._spellings) if masked == plain else masked

    def is_in(self, text: str) -> bool:
        """Whether a text has the key in it. A very short key may be a common word, and is not looked for."""
        return any(spelling in text for spelling in self._spellings if len(spelling) >= _SHORTEST)

    def may_be_in(self, body: bytes) -> bool:
        """Whether the key can be in a body of JSON. Quick; true for some bodies without it, false for none with it."""
        # Most bodies have no backslash at all, and one character is found much faster than several.
        return self._core.encode() in body or (b"\\" in body and _ESCAPED_BYTES.search(body) is not None)

    def value(self, value: t.Any) -> t.Any:
        """A parsed value of JSON, with the key masked in all names and texts. A very short key is left, as it may be a
        common word."""
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
    """The key and its secret part, as they look in text, URL, HTML and JSON: the longest first, to leave no rest."""
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
