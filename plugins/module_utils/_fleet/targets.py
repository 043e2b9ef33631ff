# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets: from names, IDs and a query to policies and computers of the manager."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass
from functools import cached_property, partial

from .._basis.errors import OptionError
from .._basis.text import LONGEST, can_be_written, enumerated, quoted, shown
from .._manager.errors import ManagerError
from .fleet import Fleet
from .nearest import suggestion
from .objects import Computer, Policy, Target
from .query import Query, computer_rows, no_such

# Up to so many computers are searched by name; more are found by listing the fleet, 5,000 to a request.
SEARCHED_AT_MOST = 10

TARGET_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "policies": {"type": "list", "elements": "raw"},
    "computers": {"type": "list", "elements": "raw"},
    "computers_query": {"type": "str"},
    "allow_missing": {"type": "bool", "default": False},
    "allow_empty": {"type": "bool", "default": False},
}

Key = t.Union[str, int]
T = t.TypeVar("T", bound=Target)

# The largest ID that is sent: what a manager can keep in 64 bits.
_LARGEST_ID = 2**63 - 1

_MUST = "it must hold names (text) or IDs (whole numbers above 0)"

# How many missing names of one option an error has, and for how many of them the nearest ones are looked up.
_NAMED_AT_MOST = 100
_SUGGESTED_AT_MOST = 10


@dataclass(frozen=True)
class Unresolved:
    """A name or ID that nothing has, and why: of a C(policy), a C(computer) or a C(group) of computers."""

    type: str
    key: Key
    reason: str


@dataclass(frozen=True)
class Selector:
    """Which targets are meant: names (str) and IDs (int), and a query over computers.

    C(path): the options that hold it, such as C(profiles[servers]), for errors. C(allow_missing): whether a name may be
    one that nothing has; C(allow_empty): whether nothing at all may be selected.
    """

    policies: tuple[Key, ...] = ()
    computers: tuple[Key, ...] = ()
    query: Query | None = None
    path: str = ""
    allow_missing: bool = False
    allow_empty: bool = False

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], path: str) -> Selector:
        """Read the options of C(TARGET_ARGUMENTS). Raises C(OptionError)."""
        prefix = f"{path}." if path else ""
        given = options.get("computers_query")
        selector = cls(
            read_keys(options.get("policies"), f"{prefix}policies"),
            read_keys(options.get("computers"), f"{prefix}computers"),
            None if given is None else Query(str(given), f"{prefix}computers_query"),
            path,
            bool(options.get("allow_missing")),
            bool(options.get("allow_empty")),
        )
        if not (selector.policies or selector.computers or selector.query):
            must = "targets must be named by policies, computers or computers_query"
            if options.get("policies") is None and options.get("computers") is None:
                raise OptionError(path or "policies", None, must)
            if not selector.allow_empty:
                raise OptionError(path or "policies", None, f"{must}; empty lists need allow_empty: true")
        return selector

    def option(self, name: str) -> str:
        """How errors call one of its options."""
        return f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True)
class _Problem:
    """The parts of an C(OptionError)."""

    option: str
    value: t.Any
    text: str


def resolve(fleet: Fleet, selectors: t.Sequence[Selector]) -> list[tuple[list[Target], list[Unresolved]]]:
    """The targets of each selector, each once, policies first; and what is missing where that is allowed.

    The fleet is listed only if a selector needs it. Raises one C(OptionError) for all names that are missing or that
    several have, and for all selections of nothing, of all selectors.
    """
    keys = {key for selector in selectors for key in selector.computers}
    queries = [selector.query for selector in selectors if selector.query]
    rows = computer_rows(fleet, queries) if queries else []
    if keys and (queries or len(keys) > SEARCHED_AT_MOST):
        find_computer = _index(fleet.list_computers(), ("host_name", "display_name"), fleet.computers)
    else:
        find_computer = partial(_searched, fleet)
    found_computers = {key: _exactly_or_stripped(find_computer, key) for key in keys}
    policies = fleet.policies if any(selector.policies for selector in selectors) else {}
    find_policy = _index(policies.values(), ("name",), policies)
    result = []
    problems: list[_Problem] = []
    names = _Names(fleet)
    for selector in selectors:
        targets: dict[Target, None] = {}
        unresolved: list[Unresolved] = []
        wrong_before = len(problems)
        named: tuple[tuple[str, str, t.Mapping[Key, t.Sequence[Target]]], ...] = (
            ("policy", "policies", {key: _exactly_or_stripped(find_policy, key) for key in selector.policies}),
            ("computer", "computers", {key: found_computers[key] for key in selector.computers}),
        )
        for kind, option, found in named:
            targets.update({same[0]: None for same in found.values() if len(same) == 1})
            missing = [key for key, same in found.items() if not same]
            if selector.allow_missing:
                unresolved += [
                    Unresolved(kind, key, f"the manager has no {kind} of that {_word(key)}") for key in missing
                ]
            elif missing:
                problems.append(_missing(selector.option(option), kind, missing, names))
            problems += [
                _Problem(selector.option(option), key, _ambiguous(same)) for key, same in found.items() if len(same) > 1
            ]
        if selector.query:
            selected, missing_in_query, wrong = _queried(selector, selector.query, fleet, rows)
            targets.update(dict.fromkeys(selected))
            unresolved += missing_in_query
            problems += wrong
        elif not (targets or selector.allow_empty or len(problems) > wrong_before):
            text = "nothing that is named here exists; allow_empty: true allows that"
            problems.append(_Problem(selector.path or "policies", None, text))
        result.append((list(targets), unresolved))
    if problems:
        first, *others = problems
        raise OptionError(
            first.option,
            first.value,
            "; ".join([first.text, *(str(OptionError(one.option, one.value, one.text)) for one in others)]),
        )
    return result


def missing_told(missing: t.Iterable[Unresolved], lead: str) -> list[str]:
    """What to warn of: one line for each kind of what is missing, with the first ones of many.

    C(lead): what is without them, such as C(profile 'Servers' is kept without).
    """
    by_kind: dict[str, list[Unresolved]] = {}
    for one in missing:
        by_kind.setdefault(one.type, []).append(one)
    told = []
    for kind, (first, *others) in by_kind.items():
        if others:
            what = {"policy": "policies", "computer": "computers"}.get(kind, f"values of {kind}")
            names = enumerated([_shown(one.key, 100) for one in (first, *others)])
            told.append(f"{lead} {1 + len(others)} {what} that the manager does not have: {names}")
        else:
            told.append(f"{lead} {kind} {quoted(first.key)}: {first.reason}")
    return told


def _queried(
    selector: Selector, query: Query, fleet: Fleet, rows: list[dict[str, t.Any]]
) -> tuple[list[Computer], list[Unresolved], list[_Problem]]:
    option, expression = selector.option("computers_query"), query.expression.text
    unresolved = [Unresolved(field, name, no_such(field, name, known)) for field, name, known in query.missing(fleet)]
    selected = query.select(fleet, rows)
    problems = []
    if unresolved and not selector.allow_missing:
        problems = [
            _Problem(option, expression, f"{one.reason}; allow_missing: true allows that") for one in unresolved
        ]
    elif not (selected or selector.allow_empty):
        text = f"it selects none of the {len(rows)} computers that the manager lists; allow_empty: true allows that"
        problems = [_Problem(option, expression, text)]
    return selected, unresolved, problems


class _Names:
    """What policies and computers are called, read when the first name is missing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @cached_property
    def policy(self) -> dict[int, tuple[str, ...]]:
        """Names of policies by ID."""
        return {number: (policy.name,) for number, policy in self._fleet.policies.items()}

    @cached_property
    def computer(self) -> dict[int, tuple[str, ...]]:
        """Host names and display names of computers by ID; of those that are known, if the manager does not list them."""
        with contextlib.suppress(ManagerError):
            self._fleet.list_computers()
        return {number: (one.host_name, one.display_name) for number, one in self._fleet.computers.items()}


def _missing(option: str, kind: str, keys: list[Key], names: _Names) -> _Problem:
    known: dict[int, tuple[str, ...]] = getattr(names, kind)
    hints = [_hint(key, kind, known) for key in keys[:_SUGGESTED_AT_MOST]]
    scope = "What the role of the API key may not see is not found either"
    if len(keys) == 1:
        return _Problem(option, keys[0], f"the manager has no {kind} of that {_word(keys[0])}{hints[0]}. {scope}")
    hints += [""] * (len(keys) - len(hints))
    row = enumerated(
        [f"{_shown(key)} ({hint.removeprefix('; ')})" if hint else _shown(key) for key, hint in zip(keys, hints)],
        _NAMED_AT_MOST,
    )
    plural = {"policy": "policies", "computer": "computers"}[kind]
    return _Problem(option, None, f"the manager has none of these {len(keys)} {plural}: {row}. {scope}")


def _hint(key: Key, kind: str, known: t.Mapping[int, tuple[str, ...]]) -> str:
    if isinstance(key, int):
        same = any(str(key) in of_one for of_one in known.values())
        return f"; there is one of that name: write '{key}' in quotes, since a number is an ID" if same else ""
    digits = key.strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) in known:
        name = next(filter(None, known[int(digits)]), "")
        return f"; the {kind} {quoted(name)} has that ID: write {digits} as a number, in a list and without quotes"
    return suggestion(key, (name for of_one in known.values() for name in of_one))


def _ambiguous(found: t.Sequence[Target]) -> str:
    return f"{len(found)} have that name: {enumerated([_candidate(target) for target in found])}. Name one by its ID"


def _candidate(target: Target) -> str:
    if isinstance(target, Policy):
        return f"ID {target.id}"
    return (
        f"ID {target.id} (display name {quoted(target.display_name)}, {shown(target.platform) or 'unknown platform'})"
    )


def _word(key: Key) -> str:
    return "ID" if isinstance(key, int) else "name"


def _shown(key: Key, longest: int = LONGEST) -> str:
    return f"ID {key}" if isinstance(key, int) else quoted(key, longest)


def _searched(fleet: Fleet, key: Key) -> list[Computer]:
    """The computers of that ID or name, without reading the fleet."""
    if isinstance(key, int):
        computer = fleet.search_computer_id(key)
        return [computer] if computer else []
    return fleet.search_computers("hostName", key) or fleet.search_computers("displayName", key)


def _exactly_or_stripped(find: t.Callable[[Key], t.Sequence[T]], key: Key) -> t.Sequence[T]:
    """What has that very name, or else the name without blanks around it.

    Ansible splits C("A, B") at its comma and leaves the blank; that it was text cannot be seen any more.
    """
    found = find(key)
    bare = key.strip() if isinstance(key, str) else key
    return found if found or bare == key else find(bare)


def _index(targets: t.Iterable[T], fields: tuple[str, ...], by_id: t.Mapping[int, T]) -> t.Callable[[Key], list[T]]:
    by_field: list[dict[str, list[T]]] = [{} for field in fields]
    for target in targets:
        for index, field in zip(by_field, fields):
            index.setdefault(getattr(target, field), []).append(target)

    def find(key: Key) -> list[T]:
        if isinstance(key, int):
            return [by_id[key]] if key in by_id else []
        return next((index[key] for index in by_field if key in index), [])

    return find


def read_keys(given: t.Any, option: str) -> tuple[Key, ...]:
    """Names (str) and IDs (int) as an option holds them, each once. Raises C(OptionError) for anything else."""
    if given is not None and not isinstance(given, (list, tuple)):
        raise OptionError(option, given, "it must be a list of names (text) or IDs (whole numbers above 0)")
    # Plain types: since ansible-core 2.19 values can be tagged subclasses.
    return tuple(dict.fromkeys(_key(item, option) for item in given or ()))


def _key(item: t.Any, option: str) -> Key:
    if isinstance(item, bool) or not isinstance(item, (int, str)):
        kind = {type(None): "null", bool: "a boolean; a name of that kind needs quotes"}.get(
            type(item), "something else"
        )
        raise OptionError(option, _writable(item), f"{_MUST}, and not {kind}")
    if isinstance(item, int):
        if not 0 < item <= _LARGEST_ID:
            raise OptionError(
                option, _writable(item), f"{_MUST}, and no ID is above {_LARGEST_ID}; a name of digits needs quotes"
            )
        return int(item)
    if not item.strip():
        raise OptionError(option, item, f"{_MUST}, and not an empty name, as a comma too many makes one")
    if not can_be_written(item):
        raise OptionError(option, item, f"{_MUST}, and a name must be text that can be written in UTF-8")
    return str(item)


def _writable(item: t.Any) -> t.Any:
    try:
        str(item)
    except ValueError:
        # Python refuses to write out numbers of thousands of digits.
        return "a number of thousands of digits"
    return item
