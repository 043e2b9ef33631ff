# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are numbers within a range, mainly ports: one check, and one way to say what would be right."""

from __future__ import annotations

from typing import TypeVar

from .errors import OptionError

Number = TypeVar("Number", int, float)


def in_range(option: str, value: Number, least: float, most: float, meaning: str, hint: str = "") -> Number:
    """The value, from C(least) to C(most). Raises C(OptionError); C(meaning) says what it is, such as "a port"."""
    # Written so that "not a number" fails, too.
    if not least <= value <= most:
        raise _out_of_range(option, value, least, most, meaning, hint)
    return value


def whole_number(option: str, given: object, least: int, most: int, meaning: str, hint: str = "") -> int:
    """Like C(in_range), for a whole number that is not checked yet: it may be text, or not a number at all."""
    try:
        number = int(str(given))
    except ValueError:
        raise _out_of_range(option, given, least, most, meaning, hint) from None
    return in_range(option, number, least, most, meaning, hint)


def port_number(option: str, given: object, hint: str = "") -> int:
    """A port of TCP or UDP. Raises C(OptionError)."""
    return whole_number(option, given, 1, 65535, "a port", hint)


def _out_of_range(option: str, value: object, least: float, most: float, meaning: str, hint: str) -> OptionError:
    return OptionError(option, value, f"it must be {meaning} from {least} to {most}{hint}")
