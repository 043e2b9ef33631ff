# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets: from names, IDs and a query to policies and computers of the manager."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._basis.errors import OptionError
from .._basis.text import enumerated
from .fleet import Fleet
from .objects import Computer, Policy, Target
from .query import Query, computer_rows

# Up to so many computers are searched by name; more are found by listing the fleet, 5,000 to a request.
SEARCHED_AT_MOST = 10

TARGET_ARGUMENTS: dict[str, dict] = {
    "policies": {"type": "list", "elements": "raw"},
    "computers": {"type": "list", "elements": "raw"},
    "computers_query": {"type": "str"},
}

Key = t.Union[str, int]


@dataclass(frozen=True)
class Unresolved:
    """A name or ID that is no target, and why."""

    type: str
    key: Key
    reason: str


@dataclass(frozen=True)
class Selector:
    """Which targets are meant: names (str) and IDs (int), and a query over computers."""

    policies: tuple[Key, ...]
    computers: tuple[Key, ...]
    query: Query | None

    @classmethod
    def from_options(cls, options: dict, path: str) -> Selector:
        """Read C(policies), C(computers) and C(computers_query). Raises C(OptionError)."""
        prefix = f"{path}." if path else ""
        given = options.get("computers_query")
        query = None if given is None else Query(str(given), f"{prefix}computers_query", selects=True)
        selector = cls(
            read_keys(options.get("policies"), f"{prefix}policies"),
            read_keys(options.get("computers"), f"{prefix}computers"),
            query,
        )
        if not (selector.policies or selector.computers or selector.query):
            raise OptionError(
                path or "policies", None, "targets must be named by policies, computers or computers_query"
            )
        return selector


def resolve(fleet: Fleet, selectors: t.Sequence[Selector]) -> list[tuple[list[Target], list[Unresolved]]]:
    """The targets of each selector, each once, policies first. The fleet is listed only if a selector needs it."""
    keys = {key for selector in selectors for key in selector.computers}
    queries = [selector.query for selector in selectors if selector.query]
    rows = computer_rows(fleet, queries) if queries else []
    if keys and (queries or len(keys) > SEARCHED_AT_MOST):
        find = _index(fleet.list_computers(), ("host_name", "display_name"), fleet.computers)
    else:

        def find(key: Key) -> list[Computer]:
            if isinstance(key, int):
                computer = fleet.search_computer_id(key)
                return [computer] if computer else []
            return fleet.search_computers("hostName", key) or fleet.search_computers("displayName", key)

    found_computers = {key: find(key) for key in keys}
    find_policy = None
    if any(selector.policies for selector in selectors):
        find_policy = _index(fleet.policies.values(), ("name",), fleet.policies)
    result = []
    for selector in selectors:
        targets: dict[Target, None] = {}
        unresolved: list[Unresolved] = []
        for key in selector.policies:
            _one("policy", key, find_policy(key), targets, unresolved)
        for key in selector.computers:
            _one("computer", key, found_computers[key], targets, unresolved)
        if selector.query:
            targets.update(dict.fromkeys(selector.query.select(fleet, rows)))
        result.append((list(targets), unresolved))
    return result


def _one(kind: str, key: Key, found: list, targets: dict[Target, None], unresolved: list[Unresolved]) -> None:
    if len(found) == 1:
        targets[found[0]] = None
    elif found:
        candidates = enumerated([_candidate(target) for target in found])
        unresolved.append(Unresolved(kind, key, f"{len(found)} have that name: {candidates}. Name one by its ID"))
    else:
        unresolved.append(Unresolved(kind, key, f"the manager has no {kind} of that {_word(key)}"))


def _candidate(target: Target) -> str:
    if isinstance(target, Policy):
        return f"ID {target.id}"
    return f"ID {target.id} (display name '{target.display_name}', {target.platform or 'unknown platform'})"


def _word(key: Key) -> str:
    return "ID" if isinstance(key, int) else "name"


def _index(targets: t.Iterable[Target], fields: tuple[str, ...], by_id: t.Mapping[int, Target]) -> t.Callable:
    by_field: list[dict[str, list]] = [{} for field in fields]
    for target in targets:
        for index, field in zip(by_field, fields):
            index.setdefault(getattr(target, field), []).append(target)

    def find(key: Key) -> list:
        if isinstance(key, int):
            return [by_id[key]] if key in by_id else []
        return next((index[key] for index in by_field if key in index), [])

    return find


def read_keys(given: t.Any, option: str) -> tuple[Key, ...]:
    """Names (str) and IDs (int) as an option holds them, each once. Raises C(OptionError) for anything else."""
    keys: list[Key] = []
    for item in given or ():
        if isinstance(item, bool) or not isinstance(item, (int, str)) or item in ("", 0):
            raise OptionError(option, item, "it must hold names (text) or IDs (whole numbers above 0)")
        # Plain types: since ansible-core 2.19 values can be tagged subclasses.
        keys.append(int(item) if isinstance(item, int) else str(item))
    return tuple(dict.fromkeys(keys))
