# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath expressions: every error names the option, even errors that the library does not handle.

In JMESPath, a missing field is null, so a misspelled field selects nothing, or everything. If the shape of the data is
known, such fields are found by evaluating all branches of an expression on one example.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

from .._basis.errors import OptionError
from .._basis.text import one_line, quoted
from .functions import UNKNOWN, VERSION_FUNCTIONS, Functions, check_literal
from .nearest import suggestion

try:
    import jmespath
    from jmespath.exceptions import JMESPathTypeError
    from jmespath.lexer import Lexer
    from jmespath.visitor import Options, TreeInterpreter
except ImportError as import_error:
    JMESPATH_IMPORT_ERROR: str | None = str(import_error)
    if not t.TYPE_CHECKING:
        TreeInterpreter = object
else:
    JMESPATH_IMPORT_ERROR = None

if t.TYPE_CHECKING:
    # A name that only exists in the library's type stubs.
    from jmespath.visitor import _TreeNode

    Node = _TreeNode

_KINDS = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


# Functions that use all values of an object.
_OF_WHOLE_OBJECTS = ("values", "merge", "to_string")


class Expression:
    """A JMESPath expression from an option. Raises C(OptionError) if it is invalid."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.option = option
        self._functions = Functions()
        self._options = Options(custom_functions=self._functions)
        with self._answering("it must be a JMESPath expression"):
            self._compiled = jmespath.compile(text)
            below = list(nodes(self.parsed))
        self._fields = {node["value"] for node in below if node["type"] == "field"}
        self.compares_versions = any(
            node["type"] == "function_expression" and node["value"] in VERSION_FUNCTIONS for node in below
        )
        self._whole_rows = any(
            node["type"] == "value_projection"
            or (node["type"] == "function_expression" and node["value"] in _OF_WHOLE_OBJECTS)
            for node in below
        )

    @property
    def parsed(self) -> Node:
        """The library's syntax tree of the expression."""
        return self._compiled.parsed

    def looks_at(self, field: str) -> bool:
        """Whether the expression may use that field: it names the field, or uses all fields of something."""
        return self._whole_rows or field in self._fields

    @property
    def versions_unread(self) -> int:
        """How often our functions for versions got something else than a version in C(evaluate)."""
        return self._functions.unread

    def evaluate(self, data: t.Any) -> t.Any:
        """The expression's value for any data. Raises C(OptionError)."""
        with self._answering("it must fit the data"):
            if self.compares_versions:
                return _settled(_Interpreter(self._options).visit(self.parsed, data))
            return self._compiled.search(data, self._options)

    def result(self, data: t.Any) -> t.Any:
        """Like C(evaluate), but the value must be JSON: no reference to an expression (C(&name)), no infinity."""
        value = self.evaluate(data)
        with self._answering("it must return a value of JSON"):
            json.dumps(value, allow_nan=False)
        return value

    def inspect(
        self, row: dict[str, t.Any], what: str, why_not: t.Mapping[str, str] | None = None
    ) -> list[tuple[str, str]]:
        """Find conditions that can never be true for a list of such rows. Null in C(row) means a value of any shape.

        Returns the fields of a row that are compared with a text, by C(==) or C(!=), and the texts. Raises
        C(OptionError) for a field that does not exist, and for comparisons of a text with a number. C(what): what the
        rows are, in the plural. C(why_not): by field, why rows do not have fields that one might expect.
        """
        inspector = _Inspector(row, self._options)
        with self._answering("it must fit the data"):
            inspector.visit(self.parsed, [row])
        for node, (name, value) in inspector.missed.items():
            if node not in inspector.found:
                raise self.error(self._no_field(name, value, row, what, why_not or {}))
        for field, literal in inspector.compared:
            mine, other = kind_of(row[field]), kind_of(literal)
            if mine != other:
                raise self.error(
                    f"{field} is {mine} and is never equal to {other}, {one_line(json.dumps(literal), 60)};"
                    " text stands in single quotes, and numbers stand in backticks"
                )
        return [(field, literal) for field, literal in inspector.compared if isinstance(literal, str)]

    def error(self, what_would_be_right: str) -> OptionError:
        """The error for this wrong expression."""
        return OptionError(self.option, self.text, what_would_be_right)

    def _no_field(self, name: str, value: t.Any, row: dict[str, t.Any], what: str, why_not: t.Mapping[str, str]) -> str:
        if value is _Part:
            return f"{name} is asked of each item of a list, and not of the list; that is | {name}"
        if isinstance(value, list):
            return f"{quoted(name)} is asked of a list, which has no fields; [].{one_line(name, 60)} asks its items"
        if not isinstance(value, dict):
            return f"{quoted(name)} is asked of {kind_of(value)}, which has no fields"
        if value is row and name in why_not:
            return f"{what} have no field {quoted(name)} here: {why_not[name]}"
        of_what = what if value is row else "the objects made there"
        text = f"{of_what} have no field {quoted(name)}{suggestion(name, value)}"
        if any(
            token["type"] == "quoted_identifier" and token["value"] == name for token in Lexer().tokenize(self.text)
        ):
            text += "; JMESPath takes \"...\" for the name of a field, and '...' for text"
        elif name in ("null", "true", "false"):
            text += f"; the value stands in backticks: `{name}`"
        return text

    @contextlib.contextmanager
    def _answering(self, needed: str) -> t.Iterator[None]:
        try:
            yield
        except RecursionError:
            raise self.error(f"{needed}, and a simpler one: this is nested too deep") from None
        except OptionError:
            raise
        # The library does not catch Python's own errors: TypeError for "<" between text and number, ValueError for a
        # step of 0 and for very long numbers, OverflowError for infinity, and others in other releases.
        except Exception as error:  # noqa: BLE001
            raise self.error(f"{needed}: {_reason(error)}") from None


class _Interpreter(TreeInterpreter):
    """Evaluates like the library, except for unknown values: they stay unknown if they are negated or compared.

    In C(||) and C(&&), they only matter if the other side does not decide. So a filter leaves out computers with an
    unknown version, whether it asks for computers with an older version or for all others.
    """

    def visit_not_expression(self, node: Node, value: t.Any) -> t.Any:
        negated = self.visit(node["children"][0], value)
        return UNKNOWN if negated is UNKNOWN else super().visit_not_expression(_of_values(node, negated), None)

    def visit_and_expression(self, node: Node, value: t.Any) -> t.Any:
        left = self.visit(node["children"][0], value)
        if left is not UNKNOWN and _is_false(left):
            return left
        right = self.visit(node["children"][1], value)
        return UNKNOWN if left is UNKNOWN and not _is_false(right) else right

    def visit_or_expression(self, node: Node, value: t.Any) -> t.Any:
        left = self.visit(node["children"][0], value)
        if not _is_false(left):
            return left
        right = self.visit(node["children"][1], value)
        return UNKNOWN if left is UNKNOWN and _is_false(right) else right

    def visit_comparator(self, node: Node, value: t.Any) -> t.Any:
        sides = [self.visit(child, value) for child in node["children"]]
        if any(side is UNKNOWN for side in sides):
            return UNKNOWN
        return super().visit_comparator(_of_values(node, *sides), None)

    def visit_function_expression(self, node: Node, value: t.Any) -> t.Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        known = [False if argument is UNKNOWN else argument for argument in arguments]
        return super().visit_function_expression(_of_values(node, *known), None)


def _of_values(node: Node, *values: t.Any) -> Node:
    """The same node, applied to its children's values."""
    return {**node, "children": [{"type": "literal", "value": value, "children": []} for value in values]}


def _settled(value: t.Any) -> t.Any:
    """A result as JSON. Unknown values become false."""
    if value is UNKNOWN:
        return False
    if isinstance(value, dict):
        return {name: _settled(item) for name, item in value.items()}
    return [_settled(item) for item in value] if isinstance(value, list) else value


class _Part:
    """A placeholder for a value that is not a list, but has an item or a slice taken from it."""


class _Inspector(TreeInterpreter):
    """Evaluates all branches: both sides of a condition, rows that a filter leaves out, items beyond the example."""

    def __init__(self, row: dict[str, t.Any], options: Options) -> None:
        super().__init__(options)
        self._row = row
        self.found: set[int] = set()
        self.missed: dict[int, tuple[str, t.Any]] = {}
        self.compared: list[tuple[str, t.Any]] = []

    def visit_field(self, node: Node, value: t.Any) -> t.Any:
        name = node["value"]
        if isinstance(value, dict) and name in value:
            self.found.add(id(node))
            return value[name]
        if value is not None:
            self.missed.setdefault(id(node), (name, value))
        return None

    def visit_comparator(self, node: Node, value: t.Any) -> t.Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        # Each side is only evaluated once: with nested comparisons, the time would double with every level.
        sides = [(child["type"], self.visit(child, value)) for child in node["children"]]
        for (_type, mine), (other_type, literal) in (sides, sides[::-1]):
            field = next((name for name, one in self._row.items() if one is mine is not None), None)
            if field is not None and other_type == "literal":
                self.compared.append((field, literal))
        return self.COMPARATOR_FUNC[node["value"]](*[side for _type, side in sides])

    def visit_function_expression(self, node: Node, value: t.Any) -> t.Any:
        for child in node["children"]:
            if child["type"] == "literal":
                check_literal(node["value"], child["value"])
        try:
            return super().visit_function_expression(node, value)
        except JMESPathTypeError:
            # The value may have another type in data beyond the example, or after a condition.
            return None

    def visit_filter_projection(self, node: Node, value: t.Any) -> t.Any:
        base, result, condition = node["children"]
        items = self.visit(base, value)
        if not isinstance(items, list):
            return None
        for item in items:
            self.visit(condition, item)
        return [made for item in items if (made := self.visit(result, item)) is not None]

    def visit_or_expression(self, node: Node, value: t.Any) -> t.Any:
        left, right = [self.visit(child, value) for child in node["children"]]
        return right if _is_false(left) else left

    def visit_and_expression(self, node: Node, value: t.Any) -> t.Any:
        left, right = [self.visit(child, value) for child in node["children"]]
        return left if _is_false(left) else right

    def visit_index(self, node: Node, value: t.Any) -> t.Any:
        self._note_part(node, f"[{node['value']}]", value)
        item = super().visit_index(node, value)
        return value[0] if item is None and isinstance(value, list) and value else item

    def visit_slice(self, node: Node, value: t.Any) -> t.Any:
        first, last, step = ["" if number is None else number for number in node["children"]]
        self._note_part(node, f"[{first}:{last}{f':{step}' if step else ''}]", value)
        part = super().visit_slice(node, value)
        return part or value

    def _note_part(self, node: Node, part: str, value: t.Any) -> None:
        if isinstance(value, list):
            self.found.add(id(node))
        elif value is not None:
            self.missed.setdefault(id(node), (part, _Part))


def nodes(node: Node) -> t.Iterator[Node]:
    """The node, and all nodes below it."""
    yield node
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from nodes(child)


def _is_false(value: t.Any) -> bool:
    """Whether the value is false in JMESPath: false, null, and anything empty; 0 is true."""
    return value is None or value is False or value in ("", [], {})


def kind_of(value: t.Any) -> str:
    """The kind of a JSON value, in words."""
    return _KINDS.get(type(value), "null")


def _reason(error: Exception) -> str:
    if isinstance(error, JMESPathTypeError):
        types = " or ".join(error.expected_types)
        return f"{error.function_name}() takes {types}, and not {error.actual_type}"
    if isinstance(error, TypeError) and "not supported between" in str(error):
        return "text can be compared with text ('20') only, and numbers with numbers (`20`)"
    try:
        said = one_line(error, 300)
    except ValueError:
        # Python refuses to write numbers with thousands of digits.
        said = ""
    return said or type(error).__name__
