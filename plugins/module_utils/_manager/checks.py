# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what a reply holds is what it must be: an object of its C(Kind), settings, or the IDs of assigned rules."""

from __future__ import annotations

import typing as t

from .errors import BadReply
from .kinds import COMPUTER, Kind
from .shapes import IDS, SETTINGS, any_given, are_numbers, is_number, what_is


def all_fit(kind: Kind, items: list[t.Any], *, overrides: bool, checked: bool) -> bool:
    """Whether C(check) would accept all items. Checks field by field, in a third of the time; false if in doubt.

    C(checked): their fields were already checked.
    """
    if not checked and not set(map(type, items)) <= {dict}:
        return False
    without_overrides = kind == COMPUTER and overrides
    if without_overrides:
        # As in C(check): a computer without overrides has a null ID, or nothing at all. Most have nothing else.
        items = [item for item in items if item and ("ID" not in item or any_given(item.values()))]
    numbers = [item.get("ID") for item in items]
    if without_overrides and None in numbers:
        numbers = [number for item, number in zip(items, numbers) if number is not None or "ID" not in item]
    if not are_numbers(numbers, 1):
        return False
    for name, shape in () if checked else kind.fields.items():
        if not shape.holds_of_all([value for item in items if (value := item.get(name)) is not None]):
            return False
    nameless = [] if overrides else items
    for name in kind.named_by:
        nameless = [item for item in nameless if item.get(name) is None]
    return not nameless


def check(
    kind: Kind,
    item: t.Any,
    method: str,
    path: str,
    *,
    overrides: bool,
    object_id: int | None = None,
    doubt: bool = False,
) -> None:
    """Raise C(BadReply) unless this is an object of the kind, with the ID if one is given.

    C(doubt): it was written, and may be there. Replies about overrides may lack names. A computer without overrides may
    be an object with only null properties.
    """

    def bad(message: str) -> BadReply:
        return BadReply(method, path, message=message, outcome_unknown=doubt)

    if not isinstance(item, dict):
        raise bad(f"a {kind.noun} must be an object, and is {what_is(item)}")
    number = item.get("ID")
    without_overrides = kind == COMPUTER and overrides and number is None and ("ID" in item or not item)
    if not (without_overrides or is_number(number, 1)):
        came = what_is(number) if "ID" in item else "not there"
        raise bad(f"the 'ID' of a {kind.noun} must be a whole number above 0, and is {came}")
    if object_id is not None and number not in (object_id, None):
        raise bad(f"{kind.noun} {object_id} was asked for, and {kind.noun} {number} came")
    for name, shape in kind.fields.items():
        value = item.get(name)
        if value is not None and not shape.holds(value):
            raise bad(f"'{name}' of {kind.noun} {number} must be {shape.words}, and is {what_is(value)}")
    if not overrides and all(item.get(name) is None for name in kind.named_by):
        raise bad(f"{kind.noun} {number} has no {' and no '.join(map(repr, kind.named_by))}")


def checked_settings(method: str, path: str, reply: dict[str, t.Any], *, doubt: bool = False) -> dict[str, t.Any]:
    """The settings in a reply, at least one. C(doubt): they were written, and may be there. Raises C(BadReply)."""
    if not reply or not SETTINGS.holds(reply):
        message = f"the reply must be {SETTINGS.words}, and at least one, and is not"
        raise BadReply(method, path, message=message, outcome_unknown=doubt)
    return reply


def checked_rule_ids(method: str, path: str, reply: dict[str, t.Any] | None) -> set[int]:
    """The rules in a reply about assignments. Without any, the reply may omit the list, but must be empty.

    Raises C(BadReply).
    """
    ids = (reply or {}).get("assignedRuleIDs")
    if reply and "assignedRuleIDs" not in reply:
        raise BadReply(method, path, message="the reply has no 'assignedRuleIDs'", outcome_unknown=method != "GET")
    if ids is not None and not IDS.holds(ids):
        message = f"'assignedRuleIDs' must be {IDS.words}, and is {what_is(ids)}"
        raise BadReply(method, path, message=message, outcome_unknown=method != "GET")
    return set(ids or ())
