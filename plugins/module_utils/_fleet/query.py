# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath: expressions over computers and over replies of the manager."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .fleet import Fleet
from .objects import Computer

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError as error:
    JMESPATH_IMPORT_ERROR: ImportError | None = error
else:
    JMESPATH_IMPORT_ERROR = None

# What a query sees of a computer. Never null, so that functions of text always work.
FIELDS = ("id", "host_name", "display_name", "platform", "agent_version", "policy", "group")

_EXAMPLE = dict(zip(FIELDS, (1, "web-01.example.com", "web-01", "macOS 14", "20.0.2.1390", "Base Policy", "Computers")))


class Query:
    """A JMESPath expression, checked before anything is sent: C(OptionError) if it can never select computers."""

    def __init__(self, expression: str, option: str, *, selects: bool = False) -> None:
        self.expression = expression
        self.option = option
        try:
            self._compiled = jmespath.compile(expression)
        except JMESPathError as error:
            raise OptionError(option, expression, f"it must be a JMESPath expression: {_reason(error)}") from None
        if selects:
            self._ids([_EXAMPLE])

    def select(self, fleet: Fleet, rows: list[dict] | None = None) -> list[Computer]:
        """The computers of the fleet that the expression returns, each once.

        C(rows): those of C(computer_rows), where several queries share them.
        """
        if rows is None:
            rows = computer_rows(fleet, [self])
        return [fleet.computers[number] for number in dict.fromkeys(self._ids(rows))]

    def evaluate(self, data: t.Any) -> t.Any:
        """What the expression makes of any data. Raises C(OptionError)."""
        try:
            return self._compiled.search(data)
        except JMESPathError as error:
            raise OptionError(self.option, self.expression, f"it must fit the data: {_reason(error)}") from None

    def _ids(self, rows: list[dict]) -> list[int]:
        fields = _fields_of_filter(self._compiled.parsed)
        selected = self.evaluate(rows) if fields is None else self._filtered(rows, fields)
        known = {row["id"] for row in rows}
        if isinstance(selected, list) and all(isinstance(row, dict) and row.get("id") in known for row in selected):
            return [row["id"] for row in selected]
        raise OptionError(
            self.option,
            self.expression,
            "it must return a list of computers, each with its id, such as [?starts_with(platform, 'Ubuntu')];"
            f" it returns {str(selected)[:100]!r} ({type(selected).__name__})",
        )

    def _filtered(self, rows: list[dict], fields: list[str]) -> list[dict]:
        """A filter's rows, with its condition asked once for each combination of values that it looks at."""
        verdicts: dict[tuple, bool] = {}
        selected = []
        for row in rows:
            seen = tuple([row[field] for field in fields])
            verdict = verdicts.get(seen)
            if verdict is None:
                verdict = verdicts[seen] = bool(self.evaluate([row]))
            if verdict:
                selected.append(row)
        return selected

    @property
    def names_group(self) -> bool:
        """Whether the expression looks at the group, which costs a request to know."""
        return _names_group(self._compiled.parsed)


def computer_rows(fleet: Fleet, queries: t.Iterable[Query]) -> list[dict[str, t.Any]]:
    """Every computer as these queries see it."""
    groups = fleet.groups if any(query.names_group for query in queries) else {}
    return [_row(fleet, computer, groups) for computer in fleet.list_computers()]


def _names_group(expression: dict) -> bool:
    return any(node["type"] == "field" and node["value"] == "group" for node in _nodes(expression))


def _nodes(node: dict) -> t.Iterator[dict]:
    yield node
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _nodes(child)


def _fields_of_filter(expression: dict) -> list[str] | None:
    """The fields that a plain filter, C([?condition]), looks at; C(None) for any other expression.

    Most queries are such filters over few distinct values, and JMESPath takes 10 microseconds for a condition.
    """
    if expression["type"] != "filter_projection":
        return None
    rows, result, condition = expression["children"]
    nodes = list(_nodes(condition))
    whole_row = any(node["type"] in ("current", "identity") for node in nodes)
    if rows["type"] != "identity" or result["type"] != "identity" or whole_row:
        return None
    fields = {node["value"] for node in nodes if node["type"] == "field"}
    return sorted(fields) if fields <= set(FIELDS) else None


def _row(fleet: Fleet, computer: Computer, groups: t.Mapping[int, str]) -> dict[str, t.Any]:
    policy = fleet.policies.get(computer.policy_id) if computer.policy_id else None
    return {
        "id": computer.id,
        "host_name": computer.host_name,
        "display_name": computer.display_name,
        "platform": computer.platform,
        "agent_version": computer.agent_version,
        "policy": policy.name if policy else "",
        "group": groups.get(computer.group_id or 0, ""),
    }


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
