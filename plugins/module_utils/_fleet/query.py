# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries: JMESPath expressions that select computers."""

from __future__ import annotations

import typing as t

from .._basis.text import quoted
from .expression import Expression, kind_of, nodes
from .fleet import Fleet
from .nearest import suggestion
from .objects import Computer, Policy

if t.TYPE_CHECKING:
    from .expression import Node

# What a query sees of a computer. Never null, so that functions of text always work.
FIELDS = ("id", "host_name", "display_name", "platform", "agent_version", "policy", "group", "group_path")

# Both hold the path of the group, the first for queries from before the second.
GROUP_FIELDS = ("group", "group_path")

# No two values are one object, so that it can be told which of them an expression compares.
EXAMPLE: dict[str, t.Any] = {
    "id": 4118,
    "host_name": "web-01.example.com",
    "display_name": "web-01",
    "platform": "macOS 14",
    "agent_version": "20.0.2.1390",
    "policy": "Base Policy",
    "group": "Computers",
    "group_path": "Computers/Web",
}


class Query:
    """An expression, checked before anything is sent: C(OptionError) if it can never select computers."""

    def __init__(self, expression: str, option: str) -> None:
        self.expression = Expression(expression, option)
        self._compared = self.expression.inspect(EXAMPLE, "computers")
        self._ids([EXAMPLE])

    def select(self, fleet: Fleet, rows: list[dict[str, t.Any]] | None = None) -> list[Computer]:
        """The computers of the fleet that the expression returns, each once.

        C(rows): those of C(computer_rows), where several queries share them. Raises C(OptionError).
        """
        if rows is None:
            rows = computer_rows(fleet, [self])
        return [fleet.computers[number] for number in dict.fromkeys(self._ids(rows))]

    def missing(self, fleet: Fleet) -> list[tuple[str, str, t.Collection[str]]]:
        """What the expression compares and the manager does not have: C(policy) or C(group), its name, and all names."""
        return missing_names(self._compared, fleet)

    def _ids(self, rows: list[dict[str, t.Any]]) -> list[int]:
        fields = _fields_of_filter(self.expression.parsed)
        selected = self.expression.evaluate(rows) if fields is None else self._filtered(rows, fields)
        known = {row["id"] for row in rows}
        if isinstance(selected, list) and all(_is_row(item, known) for item in selected):
            return [row["id"] for row in selected]
        raise self.expression.error(
            "it must return a list of computers, each with its id, such as [?starts_with(platform, 'Ubuntu')];"
            f" it returns {kind_of(selected)}{' of other things' if isinstance(selected, list) else ''}"
        )

    def _filtered(self, rows: list[dict[str, t.Any]], fields: list[str]) -> list[dict[str, t.Any]]:
        """A filter's rows, with its condition asked once for each combination of values that it looks at."""
        verdicts: dict[tuple[t.Any, ...], bool] = {}
        selected = []
        for row in rows:
            seen = tuple([row[field] for field in fields])
            verdict = verdicts.get(seen)
            if verdict is None:
                verdict = verdicts[seen] = bool(self.expression.evaluate([row]))
            if verdict:
                selected.append(row)
        return selected


def computer_rows(fleet: Fleet, queries: t.Iterable[Query]) -> list[dict[str, t.Any]]:
    """Every computer as these queries see it. The groups cost a request, if one of them looks at the group."""
    groups = fleet.groups if any(looks_at_group(query.expression) for query in queries) else {}
    return [computer_row(computer, fleet.policies, groups) for computer in fleet.list_computers()]


def computer_row(computer: Computer, policies: t.Mapping[int, Policy], groups: t.Mapping[int, str]) -> dict[str, t.Any]:
    """A computer as queries see it, given policies and groups by ID."""
    policy = policies.get(computer.policy_id) if computer.policy_id else None
    group_path = groups.get(computer.group_id or 0, "")
    return {
        "id": computer.id,
        "host_name": computer.host_name,
        "display_name": computer.display_name,
        "platform": computer.platform,
        "agent_version": computer.agent_version,
        "policy": policy.name if policy else "",
        "group": group_path,
        "group_path": group_path,
    }


def looks_at_group(expression: Expression) -> bool:
    """Whether the expression can be about the group, which costs a request."""
    return any(map(expression.looks_at, GROUP_FIELDS))


def missing_names(compared: t.Iterable[tuple[str, str]], fleet: Fleet) -> list[tuple[str, str, t.Collection[str]]]:
    """Of fields and what they are compared with: the policies and groups that do not exist, with all that do."""
    result: list[tuple[str, str, t.Collection[str]]] = []
    for field, name in dict.fromkeys(compared):
        if field == "policy":
            names = {policy.name for policy in fleet.policies.values()}
        elif field in GROUP_FIELDS:
            names = set(fleet.groups.values())
        else:
            continue
        # An empty text is that of computers without one.
        if name and name not in names:
            result.append((field, name, names))
    return result


def no_such(field: str, name: str, known: t.Collection[str]) -> str:
    """That the manager has none of that name in this field, with the nearest ones."""
    noun = "group of computers" if field in GROUP_FIELDS else field
    return f"the manager has no {noun} {quoted(name)}{suggestion(name, known)}"


def _is_row(item: t.Any, known: t.Container[int]) -> bool:
    number = item.get("id") if isinstance(item, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and number in known


def _fields_of_filter(expression: Node) -> list[str] | None:
    """The fields that a plain filter, C([?condition]), looks at; C(None) for any other expression.

    Most queries are such filters over few distinct values, and JMESPath takes 10 microseconds for a condition.
    """
    if expression["type"] != "filter_projection":
        return None
    rows, result, condition = expression["children"]
    below = list(nodes(condition))
    whole_row = any(node["type"] in ("current", "identity") for node in below)
    if rows["type"] != "identity" or result["type"] != "identity" or whole_row:
        return None
    fields = {node["value"] for node in below if node["type"] == "field"}
    return sorted(fields) if fields <= set(FIELDS) else None
