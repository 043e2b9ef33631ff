# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches: criteria, wildcards, order and paging."""

from __future__ import annotations

import bisect
import operator
import re
import typing as t
from dataclasses import dataclass

from tests.lab.manager.message import ApiError
from tests.lab.manager.state import Table
from tests.lab.manager.switches import Switches

MAX_ITEMS = 5000

_FILTER_KEYS = {"maxItems", "searchCriteria", "sortByObjectID"}
_ORDER: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "less-than": operator.lt,
    "less-than-or-equal": operator.le,
    "equal": operator.eq,
    "greater-than-or-equal": operator.ge,
    "greater-than": operator.gt,
    "not-equal": operator.ne,
}
_EQUALITY = {name: _ORDER[name] for name in ("equal", "not-equal")}
_DATE_KEYS = {"firstDateValue", "firstDateInclusive", "lastDateValue", "lastDateInclusive"}
_TEST_KEYS = {
    "boolean": {"booleanTest"},
    "numeric": {"numericTest", "numericValue"},
    "string": {"stringTest", "stringValue", "stringWildcards"},
    "choice": {"choiceTest", "choiceValue"},
    "version": {"versionTest", "versionValue"},
    "id": {"idTest", "idValue"},
    "date": _DATE_KEYS,
    "null": {"nullTest"},
}

Predicate = t.Callable[[t.Any], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """A field that searches can test: C(kind) is string, choice, numeric, boolean, date or version."""

    kind: str
    get: t.Callable[[t.Any], t.Any]
    # If there is an index: the IDs of the objects with exactly that value, ascending.
    index: t.Callable[[str], list[int]] | None = None


def refused(reason: str) -> ApiError:
    """The error for a search that the manager does not accept."""
    return ApiError(400, f"Invalid SearchFilter: {reason}")


class Search:
    """A parsed search filter: where to look, the conditions, the order, and how many objects.

    Raises C(ApiError) for anything that is not a search filter.
    """

    def __init__(self, search_filter: dict[str, t.Any], fields: t.Mapping[str, Field], switches: Switches) -> None:
        if unknown := search_filter.keys() - _FILTER_KEYS:
            raise refused(f"unknown property: {sorted(unknown)[0]}")
        max_items = search_filter.get("maxItems", MAX_ITEMS)
        if max_items.__class__ is not int or not 1 <= max_items <= MAX_ITEMS:
            raise refused(f"maxItems must be between 1 and {MAX_ITEMS}")
        sorted_by_id = search_filter.get("sortByObjectID", False)
        if not isinstance(sorted_by_id, bool):
            raise refused("sortByObjectID must be true or false")
        criteria = search_filter.get("searchCriteria") or []
        if not isinstance(criteria, list) or not all(isinstance(criterion, dict) for criterion in criteria):
            raise refused("searchCriteria must be a list of objects")

        self.max_items = min(max_items, switches["largest_page"])
        self._ignores_case = switches["string_tests_ignore_case"]
        self._id_may_be_named = switches["id_criteria_field_name"] == "accepted"
        self._tests: list[Predicate] = []
        self._excluded: set[int] = set()
        self._indexed: list[list[int]] = []
        # The window of IDs: low <= ID < high.
        self._low: int = 0
        self._high: float = float("inf")
        id_tests = [self._add(criterion, fields) for criterion in criteria]
        self.descending = len(criteria) == 1 and not sorted_by_id and (id_tests[0] or "").startswith("less-than")
        # Whether the order of the results is documented.
        self.ordered = sorted_by_id or len(criteria) > 1 or any(id_tests)

    def run(self, table: Table[t.Any]) -> list[t.Any]:
        """The objects that were found, in order, at most as many as requested."""
        ids: t.Sequence[int] = min(self._indexed, key=len) if self._indexed else table.ids
        start = bisect.bisect_left(ids, self._low)
        end = bisect.bisect_left(ids, self._high)
        if not (self._tests or self._excluded):
            if self.descending:
                chosen = ids[max(start, end - self.max_items) : end][::-1]
            else:
                chosen = ids[start : min(end, start + self.max_items)]
            return [table.items[object_id] for object_id in chosen]
        found = []
        for position in range(end - 1, start - 1, -1) if self.descending else range(start, end):
            item = table.items[ids[position]]
            if ids[position] not in self._excluded and all(test(item) for test in self._tests):
                found.append(item)
                if len(found) == self.max_items:
                    break
        return found

    def _add(self, criterion: dict[str, t.Any], fields: t.Mapping[str, Field]) -> str | None:
        """Add one criterion. If it tests the ID, returns the test."""
        name = criterion.get("fieldName", "ID" if "idTest" in criterion else None)
        named = "fieldName" in criterion
        if name not in fields and (name != "ID" or (named and "idTest" in criterion and not self._id_may_be_named)):
            raise refused(f"unknown fieldName: {name}")
        keys = criterion.keys() - {"fieldName"}
        kind = next((kind for kind, known in _TEST_KEYS.items() if keys and keys <= known), None)
        if kind is None:
            raise refused(f"cannot tell the test of fieldName: {name}")
        if (name == "ID") != (kind == "id"):
            raise refused(f"{kind} test does not apply to fieldName: {name}")
        if kind == "id":
            return self._add_id_test(criterion)
        field = fields[name]
        if kind not in (field.kind, "null"):
            raise refused(f"{kind} test does not apply to fieldName: {name}")
        self._add_test(kind, field, criterion)
        return None

    def _add_id_test(self, criterion: dict[str, t.Any]) -> str:
        test = _one_of(criterion, "idTest", _ORDER)
        value = criterion.get("idValue")
        if value.__class__ is not int:
            raise refused("idValue must be an integer")
        if test == "not-equal":
            self._excluded.add(value)
            return test
        if test.startswith("greater-than") or test == "equal":
            self._low = max(self._low, value + (test == "greater-than"))
        if test.startswith("less-than") or test == "equal":
            self._high = min(self._high, value + (test != "less-than"))
        return test

    def _add_test(self, kind: str, field: Field, criterion: dict[str, t.Any]) -> None:
        get = field.get
        if kind == "null":
            wanted = _boolean(criterion, "nullTest")
            self._tests.append(lambda item: (get(item) is None) == wanted)
        elif kind == "boolean":
            wanted = _boolean(criterion, "booleanTest")
            self._tests.append(lambda item: bool(get(item)) == wanted)
        elif kind == "date":
            self._tests.append(_date_test(get, criterion))
        elif kind == "numeric":
            holds = _ORDER[_one_of(criterion, "numericTest", _ORDER)]
            number = criterion.get("numericValue")
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise refused("numericValue must be a number")
            self._tests.append(lambda item: holds(get(item) or 0, number))
        elif kind == "version":
            holds = _ORDER[_one_of(criterion, "versionTest", _ORDER)]
            version = _version(_text(criterion, "versionValue"))
            self._tests.append(lambda item: holds(_version(get(item)), version))
        elif kind == "choice":
            holds = _EQUALITY[_one_of(criterion, "choiceTest", _EQUALITY)]
            choice = _text(criterion, "choiceValue")
            self._tests.append(lambda item: holds(get(item), choice))
        else:
            self._add_string_test(field, criterion)

    def _add_string_test(self, field: Field, criterion: dict[str, t.Any]) -> None:
        get = field.get
        test = _one_of(criterion, "stringTest", _EQUALITY)
        text = _text(criterion, "stringValue")
        if self._ignores_case:
            text = text.casefold()
            get = _folded(get)
        if _boolean(criterion, "stringWildcards", True) and re.search("[%_]", text):
            matches = _like(text)
            wanted = test == "equal"
            self._tests.append(lambda item: bool(matches(get(item) or "")) == wanted)
        elif test == "equal" and field.index and not self._ignores_case:
            self._indexed.append(field.index(text))
            self._tests.append(lambda item: get(item) == text)
        else:
            holds = _EQUALITY[test]
            self._tests.append(lambda item: holds(get(item), text))


def _folded(get: t.Callable[[t.Any], t.Any]) -> t.Callable[[t.Any], t.Any]:
    def folded(item: t.Any) -> t.Any:
        text = get(item)
        return text.casefold() if isinstance(text, str) else text

    return folded


def _like(pattern: str) -> t.Callable[[str], t.Any]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.DOTALL).fullmatch


def _one_of(criterion: dict[str, t.Any], key: str, allowed: t.Mapping[str, t.Any]) -> str:
    # If the test is left out, it is "equal", as the vendor's SDK documents.
    value = criterion.get(key, "equal")
    if value not in allowed:
        raise refused(f"{key} must be one of {', '.join(allowed)}")
    return value


def _text(criterion: dict[str, t.Any], key: str) -> str:
    value = criterion.get(key)
    if not isinstance(value, str):
        raise refused(f"{key} must be a string")
    return value


def _boolean(criterion: dict[str, t.Any], key: str, default: bool | None = None) -> bool:
    value = criterion.get(key, default)
    if not isinstance(value, bool):
        raise refused(f"{key} must be true or false")
    return value


def _version(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(".")))
    except ValueError:
        raise refused(f"not a version: {text}") from None


def _date_test(get: t.Callable[[t.Any], t.Any], criterion: dict[str, t.Any]) -> Predicate:
    tests: list[Predicate] = []
    for which, inside, at_the_edge in (("first", operator.gt, operator.ge), ("last", operator.lt, operator.le)):
        if f"{which}DateValue" in criterion:
            limit = criterion[f"{which}DateValue"]
            if limit.__class__ is not int:
                raise refused(f"{which}DateValue must be milliseconds since 1970")
            holds = at_the_edge if _boolean(criterion, f"{which}DateInclusive", False) else inside
            tests.append(lambda item, holds=holds, limit=limit: get(item) is not None and holds(get(item), limit))
    if not tests:
        raise refused("a date test needs firstDateValue or lastDateValue")
    return lambda item: all(test(item) for test in tests)
