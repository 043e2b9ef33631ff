# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain values from what a template hands over, which may be subclasses that carry tags."""

from __future__ import annotations

from typing import List, Optional, Sequence

# A boolean is an integer to Python, so it comes first.
_KINDS = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a string"),
    (dict, "a dictionary"),
    ((list, tuple), "a list"),
    (type(None), "null"),
)


def plain_text(value: object, meaning: str) -> str:
    """The value as a plain string; a C(TypeError) that says what was expected where it is none."""
    if isinstance(value, str):
        return str(value)
    hint = ", put it in quotes" if _kind(value) == "a number" else ""
    raise TypeError(f"expected {meaning} as a string, got {_kind(value)}{hint}")


def items(given: Optional[Sequence[object]]) -> List[str]:
    """The items of an option that is a list of texts, none where it is not given.

    Ansible splits "a, b" at the comma and leaves the blank to the second item.
    """
    return [str(item).strip(" \t\n") for item in given or ()]


def plain_bool(value: object, meaning: str) -> bool:
    """The value as a boolean; a C(TypeError) that says what was expected where it is none."""
    if isinstance(value, bool):
        return value
    raise TypeError(f"expected {meaning} as a boolean, got {_kind(value)}")


def _kind(value: object) -> str:
    return next((word for kind, word in _KINDS if isinstance(value, kind)), "something else")
