# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain values from the values of templates, which may be tagged subclasses."""

from __future__ import annotations

from typing import List, Optional, Sequence

# In Python, a boolean is also an integer, so it comes first.
_KINDS = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a string"),
    (dict, "a dictionary"),
    ((list, tuple), "a list"),
    (type(None), "null"),
)


def plain_text(value: object, meaning: str) -> str:
    """The value as a plain string. Raises a C(TypeError) that says what was expected."""
    if isinstance(value, str):
        return str(value)
    hint = ", put it in quotes" if kind_of(value) == "a number" else ""
    raise TypeError(f"expected {meaning} as a string, got {kind_of(value)}{hint}")


def items(given: Optional[Sequence[object]]) -> List[str]:
    """The items of an option that is a list of texts; empty if it is not given.

    Ansible splits "a, b" at the comma and leaves the blank in the second item.
    """
    return [str(item).strip(" \t\n") for item in given or ()]


def plain_bool(value: object, meaning: str) -> bool:
    """The value as a boolean. Raises a C(TypeError) that says what was expected."""
    if isinstance(value, bool):
        return value
    raise TypeError(f"expected {meaning} as a boolean, got {kind_of(value)}")


def kind_of(value: object) -> str:
    """What a value is, in the words of YAML."""
    return next((word for kind, word in _KINDS if isinstance(value, kind)), "something else")
