# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of fields in replies, so that code that uses the fields need not check them again."""

from __future__ import annotations

import typing as t

# In the vendor's SDK, IDs are signed 64-bit numbers.
LARGEST_ID = 2**63 - 1


class Shape(t.NamedTuple):
    """The type of a field that is present and not null: in words, and as a test of a value."""

    words: str
    holds: t.Callable[[t.Any], bool]
    # The test of many values at once, if that is faster. None of them is null.
    all_hold: t.Callable[[list[t.Any]], bool] | None = None

    def holds_of_all(self, values: list[t.Any]) -> bool:
        """Whether all of these values, none of which is null, pass the test."""
        return self.all_hold(values) if self.all_hold else all(map(self.holds, values))


def is_number(value: t.Any, least: int) -> bool:
    """Whether a value is a whole number that can be an ID, and at least C(least). Booleans are not numbers here."""
    return value.__class__ is int and least <= value <= LARGEST_ID


def are_numbers(values: t.Collection[t.Any], least: int) -> bool:
    """Whether all of the values are such numbers."""
    return set(map(type, values)) <= {int} and (not values or (least <= min(values) and max(values) <= LARGEST_ID))


def any_given(values: t.Collection[t.Any]) -> bool:
    """Whether any of the values is not null."""
    return [*values].count(None) != len(values)


def _is_text_or_nothing(value: t.Any) -> bool:
    return value is None or isinstance(value, str)


def _is_list_of(holds: t.Callable[[t.Any], bool]) -> t.Callable[[t.Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _are_settings(value: t.Any) -> bool:
    return isinstance(value, dict) and all(
        entry is None or (isinstance(entry, dict) and _is_text_or_nothing(entry.get("value")))
        for entry in value.values()
    )


TEXT = Shape("text", lambda value: isinstance(value, str), lambda values: set(map(type, values)) <= {str})
FLAG = Shape("true or false", lambda value: isinstance(value, bool))
REFERENCE = Shape("an ID, or 0 for none", lambda value: is_number(value, 0), lambda values: are_numbers(values, 0))
IDS = Shape("a list of IDs", _is_list_of(lambda value: is_number(value, 1)))
TEXTS = Shape("a list of texts", _is_list_of(lambda value: isinstance(value, str)))
SETTINGS = Shape("an object of settings, each with a text as its value", _are_settings)
STATUS = Shape(
    "an object, its agentStatus a text and its agentStatusMessages a list of texts",
    lambda value: (
        isinstance(value, dict)
        and _is_text_or_nothing(value.get("agentStatus"))
        and (value.get("agentStatusMessages") is None or TEXTS.holds(value["agentStatusMessages"]))
    ),
)
TASKS = Shape(
    "an object, its agentTasks a list of texts",
    lambda value: isinstance(value, dict) and (value.get("agentTasks") is None or TEXTS.holds(value["agentTasks"])),
)
SCHEDULE = Shape(
    "an object, its recurrenceType a text",
    lambda value: isinstance(value, dict) and _is_text_or_nothing(value.get("recurrenceType")),
)
SEND_POLICY = Shape(
    "an object, its computerFilter an object",
    lambda value: (
        isinstance(value, dict) and (value.get("computerFilter") is None or isinstance(value["computerFilter"], dict))
    ),
)
FIREWALL = Shape(
    "an object, its state a text and its ruleIDs a list of IDs",
    lambda value: (
        isinstance(value, dict)
        and _is_text_or_nothing(value.get("state"))
        and (value.get("ruleIDs") is None or IDS.holds(value["ruleIDs"]))
    ),
)


def what_is(value: t.Any) -> str:
    """Only the kind of a value, because a value in a wrong place may be a secret."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    words = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return words.get(type(value), "something else")
