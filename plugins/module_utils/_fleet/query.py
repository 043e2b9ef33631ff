# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries: JMESPath expressions that select computers or policies."""

from __future__ import annotations

import typing as t
from functools import cached_property, partial
from itertools import compress
from operator import attrgetter, itemgetter

from .._agent.platforms import FAMILIES, family
from .._agent.versions import numbers
from .._basis.text import quoted
from .expression import Expression, kind_of, nodes
from .fleet import Fleet
from .nearest import suggestion
from .objects import Computer

if t.TYPE_CHECKING:
    from .expression import Node

Row = t.Dict[str, t.Any]

# The fields of a computer and of a policy in queries, each with an example. They are never null, so that text functions
# always work. No two values are the same object, so that it is known which of them an expression compares. C(group) and
# C(group_path) both have the path of the group; the former is for older queries.
EXAMPLE: Row = {
    "id": 4118,
    "host_name": "web-01.example.com",
    "display_name": "web-01",
    "platform": "macOS 14",
    "platform_family": "macos",
    "agent_version": "20.0.2.1390",
    "last_ip": "192.0.2.7",
    "policy": "Base Policy",
    "policy_path": "Base Policy/Macs",
    "group": "Computers",
    "group_path": "Computers/Web",
}
POLICY_EXAMPLE: Row = {
    "id": 4118,
    "name": "Linux Server",
    "parent": "Base Policy",
    "path": "Base Policy/Linux Server",
    "description": "Servers that run Linux",
}
FIELDS = tuple(EXAMPLE)
POLICY_FIELDS = tuple(POLICY_EXAMPLE)

GROUP_FIELDS = ("group", "group_path")
OF_POLICY = ("policy", "policy_path")

# The fields of computers and of policies that contain names: their noun for messages, and where the names come from.
Names = t.Mapping[str, t.Tuple[str, t.Callable[[Fleet], t.Collection[str]]]]


def _policy_names(fleet: Fleet) -> set[str]:
    return {policy.name for policy in fleet.policies.values()}


COMPUTER_NAMES: Names = {
    "platform_family": ("platform family", lambda _fleet: FAMILIES),
    "policy": ("policy", _policy_names),
    "policy_path": ("policy", lambda fleet: set(fleet.policy_paths.values())),
    **dict.fromkeys(GROUP_FIELDS, ("group of computers", lambda fleet: set(fleet.groups.values()))),
}
_POLICY_NAMES: Names = {
    "name": ("policy", _policy_names),
    "parent": ("policy", _policy_names),
    "path": ("policy", lambda fleet: set(fleet.policy_paths.values())),
}


class Missing(t.NamedTuple):
    """A name that an expression compares a field with and that does not exist. C(noun): the kind of object."""

    field: str
    noun: str
    name: str
    known: t.Collection[str]

    @property
    def reason(self) -> str:
        """The text that the manager has no such object, with the nearest names."""
        return f"the manager has no {self.noun} {quoted(self.name)}{suggestion(self.name, self.known)}"


class Table:
    """Objects in the form for queries, with a column for each field. A column is made when a query uses it."""

    def __init__(self, columns: t.Mapping[str, t.Callable[[], t.Iterable[t.Any]]]) -> None:
        """C(columns): the values of all objects, in one order; C(id) is one of the columns."""
        self._columns = columns
        self._made: dict[str, list[t.Any]] = {}

    @classmethod
    def of(cls, fields: t.Iterable[str], rows: t.Sequence[Row]) -> Table:
        """The table from rows that have these fields."""
        return cls({field: partial(map, itemgetter(field), rows) for field in fields})

    def __len__(self) -> int:
        return len(self.column("id"))

    def column(self, field: str) -> list[t.Any]:
        """The values of one field."""
        if field not in self._made:
            self._made[field] = list(self._columns[field]())
        return self._made[field]

    @cached_property
    def rows(self) -> list[Row]:
        """All fields of each object."""
        return [dict(zip(self._columns, values)) for values in zip(*map(self.column, self._columns))]


class Query:
    """An expression about computers, checked before anything is sent: C(OptionError) if it can never select any."""

    what: t.ClassVar[str] = "computers"
    example: t.ClassVar[Row] = EXAMPLE
    names: t.ClassVar[Names] = COMPUTER_NAMES
    such_as: t.ClassVar[str] = "[?starts_with(platform, 'Ubuntu')]"

    def __init__(self, expression: str, option: str) -> None:
        self.expression = Expression(expression, option)
        self._compared = self.expression.inspect(self.example, self.what)
        # For how many objects of the last selection a version was needed but unknown.
        self.without_version = 0
        self.select(Table.of(self.example, [self.example]))

    def select(self, table: Table) -> list[int]:
        """The IDs of the objects that the expression returns, each once. Raises C(OptionError)."""
        fields = self._fields_of_filter(self.expression.parsed)
        return self._returned(table.rows) if fields is None else self._filtered(table, fields)

    def missing(self, fleet: Fleet) -> list[Missing]:
        """Names in the expression's comparisons that the manager does not have, such as a policy."""
        return missing_names(self._compared, fleet, self.names)

    def _returned(self, rows: t.Sequence[Row]) -> list[int]:
        """The IDs in the expression's value for all rows."""
        selected = self.expression.evaluate(rows)
        if self.expression.compares_versions:
            self.without_version = sum(numbers(row.get("agent_version", "")) is None for row in rows)
        known = {row["id"] for row in rows}
        if isinstance(selected, list) and all(_is_row(item, known) for item in selected):
            return list(dict.fromkeys(row["id"] for row in selected))
        raise self.expression.error(
            f"it must return a list of {self.what}, each with its id, such as {self.such_as};"
            f" it returns {kind_of(selected)}{' of other things' if isinstance(selected, list) else ''}"
        )

    def _filtered(self, table: Table, fields: list[str]) -> list[int]:
        """The IDs of a filter's rows. The condition is evaluated once per combination of the values that it uses."""
        ids = table.column("id")
        # Looking up a single text is many times faster than looking up a tuple with it.
        is_one = len(fields) == 1
        columns = [table.column(field) for field in fields]
        seen: list[t.Any] = columns[0] if is_one else list(zip(*columns)) if fields else [()] * len(ids)
        holds: dict[t.Any, bool] = {}
        without_version = set()
        for values in dict.fromkeys(seen):
            unread = self.expression.versions_unread
            row = dict(zip(fields, [values] if is_one else values))
            holds[values] = bool(self.expression.evaluate([row]))
            if self.expression.versions_unread > unread:
                without_version.add(values)
        self.without_version = sum(map(without_version.__contains__, seen)) if without_version else 0
        return list(compress(ids, map(holds.__getitem__, seen)))

    def _fields_of_filter(self, expression: Node) -> list[str] | None:
        """The fields that a plain filter, C([?condition]), uses; C(None) for any other expression.

        Most queries are such filters with few distinct values, and JMESPath takes 10 microseconds per condition.
        """
        if expression["type"] != "filter_projection":
            return None
        rows, result, condition = expression["children"]
        below = list(nodes(condition))
        whole_row = any(node["type"] in ("current", "identity") for node in below)
        if rows["type"] != "identity" or result["type"] != "identity" or whole_row:
            return None
        fields = {node["value"] for node in below if node["type"] == "field"}
        return sorted(fields) if fields <= set(self.example) else None


class PolicyQuery(Query):
    """Like C(Query), for policies."""

    what = "policies"
    example = POLICY_EXAMPLE
    names = _POLICY_NAMES
    such_as = "[?parent == 'Base Policy']"


def computer_table(fleet: Fleet, queries: t.Sequence[Query]) -> Table:
    """Every computer in the form for these queries. If a query uses the group, the groups need a request."""
    shown = Shown(fleet, [query.expression for query in queries])
    computers = fleet.list_computers()
    return Table({name: partial(map, value, computers) for name, value in shown.fields.items()})


def policy_table(fleet: Fleet, queries: t.Sequence[Query]) -> Table:
    """Every policy in the form for these queries."""
    described = any(query.expression.looks_at("description") for query in queries)
    descriptions = fleet.descriptions if described else {}
    return Table.of(
        POLICY_FIELDS,
        [
            {
                "id": policy.id,
                "name": policy.name,
                "parent": fleet.policies[policy.parent_id].name if policy.parent_id in fleet.policies else "",
                "path": fleet.path(policy),
                "description": descriptions.get(policy.id, ""),
            }
            for policy in fleet.policies.values()
        ],
    )


def looked_at(expressions: t.Sequence[Expression], fields: t.Iterable[str]) -> bool:
    """Whether any of the expressions uses any of these fields."""
    return any(expression.looks_at(field) for field in fields for expression in expressions)


class Shown:
    """Computers in the form for expressions. Fields that these do not use are not read, and are empty.

    C(fields): by name, the function that returns its value for a computer.
    """

    def __init__(self, fleet: Fleet, expressions: t.Sequence[Expression]) -> None:
        policies = fleet.policies if looked_at(expressions, OF_POLICY) else {}
        names = {number: policy.name for number, policy in policies.items()}
        policy_paths = fleet.policy_paths if looked_at(expressions, ["policy_path"]) else {}
        groups = fleet.groups if looked_at(expressions, GROUP_FIELDS) else {}

        def group_path(computer: Computer) -> str:
            return groups.get(computer.group_id or 0, "")

        self.fields: dict[str, t.Callable[[Computer], t.Any]] = {
            "id": attrgetter("id"),
            "host_name": attrgetter("host_name"),
            "display_name": attrgetter("display_name"),
            "platform": attrgetter("platform"),
            "platform_family": lambda computer: family(computer.platform),
            "agent_version": attrgetter("agent_version"),
            "last_ip": attrgetter("last_ip"),
            "policy": lambda computer: names.get(computer.policy_id or 0, ""),
            "policy_path": lambda computer: policy_paths.get(computer.policy_id or 0, ""),
            "group": group_path,
            "group_path": group_path,
        }

    def row(self, computer: Computer) -> Row:
        """The row of one computer."""
        return {name: value(computer) for name, value in self.fields.items()}


def missing_names(compared: t.Iterable[tuple[str, str]], fleet: Fleet, names: Names) -> list[Missing]:
    """The names that do not exist, among those that fields are compared with."""
    result: list[Missing] = []
    for field, name in dict.fromkeys(compared):
        # Empty text means computers or policies without a name in the field.
        if name and field in names:
            noun, known = names[field][0], names[field][1](fleet)
            if name not in known:
                result.append(Missing(field, noun, name, known))
    return result


def _is_row(item: t.Any, known: t.Container[int]) -> bool:
    number = item.get("id") if isinstance(item, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and number in known
