# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries over computers: what they select, and what can never be meant."""

from __future__ import annotations

import re

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.query import FIELDS, Query, Table

WORDS = st.sampled_from(["", "web", "web-01", "macOS 14", "Ubuntu Linux 22", "Base Policy"])
ROWS = st.lists(st.tuples(*(WORDS for field in FIELDS[1:])), max_size=12).map(
    lambda values: [dict(zip(FIELDS, (number, *row))) for number, row in enumerate(values, 1)]
)
EXPRESSIONS = [
    "[]",
    "[*]",
    "@",
    "[?platform=='macOS 14']",
    "[?starts_with(platform, 'Ubuntu') && policy == 'Base Policy']",
    "[?!contains(host_name, 'web') || group == '']",
    "[?id > `3`]",
    "[?host_name]",
    "[?host_name == display_name] | [:2]",
    "[?contains(['web', ''], display_name)]",
    "[?length(@) > `2`]",
    "[?agent_version < '20']",
    "[?platform=='web'][]",
    "reverse([?policy=='Base Policy'])",
    "sort_by(@, &host_name)[:3]",
    "[].{id: id, hostname: host_name}[?hostname == 'web']",
    "[?@.policy == 'Base Policy']",
    "[?contains(values(@), 'web')]",
]


@given(ROWS)
def test_a_query_selects_what_jmespath_selects(rows):
    """Also where conditions are asked once for equal rows. To draw these takes longer than to ask."""
    for expression in EXPRESSIONS:
        selected = [row["id"] for row in jmespath.search(expression, rows)]
        assert Query(expression, "query").select(Table.of(FIELDS, rows)) == selected, expression


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "[?platform==",
        "[].host_name",
        "length(@)",
        "[?starts_with(id, 'x')]",
        "`1`",
        "[].{id: @}",
        "[].{id: `true`}",
        "[].{id: `1e0`}",
        "&host_name",
        "[&host_name]",
    ],
)
def test_what_can_never_select_computers(expression):
    with pytest.raises(OptionError, match="option 'query'"):
        Query(expression, "query")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("[?hostname == 'x']", "computers have no field 'hostname'; nearest: 'host_name'"),
        ("[?hostName == 'x']", "computers have no field 'hostName'; nearest: 'host_name'"),
        ("[?platfrom == 'x']", "computers have no field 'platfrom'; nearest: 'platform'"),
        ("[?id > `3` || platfrom != 'x']", "no field 'platfrom'"),
        ("[?policy == 'x' && platfrom == 'y']", "no field 'platfrom'"),
        ("[?!(policy == 'x')] | [?platfrom == 'y']", "no field 'platfrom'"),
        ('[?policy == "Linux Server"]', "no field 'Linux Server'; JMESPath takes \"...\" for the name of a field"),
        ("[?contains(['a', \"b\"], policy)]", "no field 'b'; JMESPath takes \"...\""),
        ("sort_by(@, &hostname)", "no field 'hostname'; nearest: 'host_name'"),
        ("[?map(&hostname, [@])]", "no field 'hostname'"),
        ("max_by(@, &id).hostname", "no field 'hostname'"),
        ("[].{id: id, name: hostname}", "no field 'hostname'"),
        ("[].[id, hostname]", "no field 'hostname'"),
        ("[5].hostname", "no field 'hostname'"),
        ("[2:].hostname", "no field 'hostname'"),
        ("[?not_null(hostname, host_name) == 'x']", "no field 'hostname'"),
        ("[].{id: id, name: host_name}[?hostname == 'x']", "the objects made there have no field 'hostname'"),
        ("[?policy.name == 'x']", "'name' is asked of text, which has no fields"),
        ("computers[?policy == 'x']", "'computers' is asked of a list, which has no fields"),
        ("[?policy == 'x'][:3]", "[:3] is asked of each item of a list, and not of the list; that is | [:3]"),
        ("[?policy == 'x'][0]", "[0] is asked of each item of a list, and not of the list; that is | [0]"),
        ("[?policy == 'x'][::-1]", "[::-1] is asked of each item of a list, and not of the list; that is | [::-1]"),
        ("[?policy[0] == 'x']", "[0] is asked of each item"),
        ("[?policy != null]", "no field 'null'; the value stands in backticks: `null`"),
        ("[?id == '41']", 'id is a number and is never equal to text, "41"'),
        ("[?'41' != id]", "id is a number and is never equal to text"),
        ("[?policy != `null`]", "policy is text and is never equal to null"),
        ("[?group != `7`]", "group is text and is never equal to a number"),
        ("[?agent_version < `20`]", "text can be compared with text ('20') only, and numbers with numbers (`20`)"),
        ("[?policy == 'x' && id < '2']", "text can be compared with text"),
        ("[::0]", "step"),
        ("(" * 2000 + "[]" + ")" * 2000, "nested too deep"),
        ("|".join(["@"] * 5000), "nested too deep"),
        ("[?" + "==".join(["id"] * 30) + "]", "it must"),
        ("[" + "9" * 5000 + "]", "it must be a JMESPath expression"),
        ("[?id == `" + "9" * 5000 + "`]", "id is a number and is never equal to text"),
        ("[?floor(`1e999`) == id]", "it must fit the data"),
        ("[?nobody(id)]", "nobody"),
        ("[?policy == 'x' && nobody(id)]", "nobody"),
        ("[?policy == 'x' && length(id, id)]", "length"),
        ("[?\ud800 == 'x']", "\\ud800"),
        ("[?policy == 'x\ud800' && x == 'y']", "\\ud800"),
        ("[?contains(platform, `1`)]", "it must fit the data"),
    ],
)
def test_what_an_expression_can_never_mean_is_said_before_anything_is_sent(expression, said):
    if expression.startswith("[?id=="):
        # Deep, but right: nothing is asked more than once.
        expression = f"{expression[:-1]}==nothing]"
        said = "no field 'nothing'"
    with pytest.raises(OptionError) as caught:
        Query(expression, "profiles[a].computers_query")
    assert said in str(caught.value)
    assert str(caught.value).startswith("option 'profiles[a].computers_query' is '")
    str(caught.value).encode()
    assert len(str(caught.value)) < 1500


FIELD_NAMES = st.sampled_from([*FIELDS, "hostname", "x", "nothing"])
LEAVES = st.one_of(
    FIELD_NAMES,
    st.sampled_from(["@", "'web'", "''", "`1`", "`null`", "`true`", '`[1, "a"]`', '`{"x": 1}`', "`1e999`", '"a b"']),
    st.sampled_from(["[]", "[*]", "*", "[0]", "[-1]", "[:2]", "[::0]", "[::-1]", '`"\\ud800"`']),
)
FUNCTIONS = (
    "abs avg contains ceil ends_with floor join keys length map max max_by merge min min_by not_null reverse sort sort_by"
    " starts_with sum to_array to_number to_string type values nobody"
).split()


def combined(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from(["==", "!=", "<", ">=", "&&", "||", "|", ".", "[]."]), inner).map("".join),
        inner.map("[?{}]".format),
        inner.map("({})".format),
        inner.map("!{}".format),
        inner.map("&{}".format),
        pair.map(lambda two: f"{two[0]}[?{two[1]}]"),
        pair.map(lambda two: f"[{two[0]}, {two[1]}]"),
        pair.map(lambda two: f"{{id: {two[0]}, x: {two[1]}}}"),
        st.tuples(st.sampled_from(FUNCTIONS), st.lists(inner, max_size=2)).map(
            lambda one: f"{one[0]}({', '.join(one[1])})"
        ),
        st.tuples(st.sampled_from(["sort_by", "min_by", "max_by"]), inner, inner).map(
            lambda one: f"{one[0]}({one[1]}, &{one[2]})"
        ),
        pair.map(lambda two: f"map(&{two[0]}, {two[1]})"),
    )


GRAMMAR = st.recursive(LEAVES, combined, max_leaves=8)
MUTATED = st.tuples(GRAMMAR, st.integers(0, 40), st.integers(0, 3), st.text(st.characters(codec=None), max_size=2)).map(
    lambda one: one[0][: one[1]] + one[3] + one[0][one[1] + one[2] :]
)


@given(st.one_of(GRAMMAR, MUTATED, st.text(st.characters(codec=None), max_size=20)), ROWS)
def test_no_expression_ends_otherwise_than_in_computers_or_in_an_answer(expression, rows):
    try:
        selected = Query(expression, "query").select(Table.of(FIELDS, rows))
    except OptionError as error:
        str(error).encode()
        assert "option 'query'" in str(error)
    else:
        assert set(selected) <= {row["id"] for row in rows}


CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(
            st.sampled_from(FIELDS[1:]), st.sampled_from(["==", "!=", "<"]), st.sampled_from(["'web'", "policy"])
        ).map("".join),
        st.sampled_from(FIELDS).map("not_null({})".format),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map("".join),
        inner.map("!({})".format),
        inner.map("length([@][?{}]) == `1`".format),
        inner.map("({{fld: {}}}).fld".format),
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.sampled_from(FIELDS[1:]), ROWS)
def test_a_field_that_does_not_exist_is_found_wherever_it_stands(condition, field, rows):
    """Of conditions that are right, any field is misspelt: none gets through, and before that all do."""
    assert Query(f"[?{condition}]", "query").select(Table.of(FIELDS, rows)) == [
        row["id"] for row in jmespath.search(f"[?{condition}]", rows)
    ]
    wrong = re.sub(rf"\b{field}\b", f"{field}s", condition)
    if wrong != condition:
        with pytest.raises(OptionError, match=f"computers have no field '{field}s'; nearest: '{field}'"):
            Query(f"[?{wrong}]", "query")


def test_only_a_query_that_looks_at_the_group_costs_its_request():
    assert Query("[?group=='x'] | [:1]", "query").expression.looks_at("group")
    assert Query("[?contains(values(@), 'x')]", "query").expression.looks_at("group")
    assert not Query("[?policy=='group']", "query").expression.looks_at("group")
