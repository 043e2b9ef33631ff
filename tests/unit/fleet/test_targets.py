# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that name targets, and the nearest names to one that does not exist."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.nearest import nearest, suggestion
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.targets import Selector, read_keys

ANY_TEXT = st.text(st.characters(codec=None), max_size=8)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=2)),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (True, "'True': it must hold names (text) or IDs (whole numbers above 0), and not a boolean"),
        (False, "'False': it must hold names"),
        (7.0, "'7.0': it must hold names"),
        (float("nan"), "'nan': it must hold names"),
        (None, "option 'policies': it must hold names (text) or IDs (whole numbers above 0), and not null"),
        ("", "'': it must hold names (text) or IDs (whole numbers above 0), and not an empty name"),
        (" \t", "' \\t': it must hold names (text) or IDs (whole numbers above 0), and not an empty name"),
        ("\xa0", "'\\xa0': it must hold names"),
        (0, "'0': it must hold names"),
        (-3, "'-3': it must hold names"),
        (2**63, f"'{2**63}': it must hold names (text) or IDs (whole numbers above 0), and no ID is above {2**63 - 1}"),
        pytest.param(10**5000, "'a number with thousands of digits': it must hold names", id="huge"),
        pytest.param([10**5000], "'a number with thousands of digits': it must hold names", id="huge in a list"),
        ("a\ud800", "'a\\ud800': it must hold names (text) or IDs (whole numbers above 0), and a name must be text"),
        (["a"], "'['a']': it must hold names"),
        ({"name": "a"}, "it must hold names"),
    ],
)
def test_what_is_no_name_and_no_id(item, said):
    with pytest.raises(OptionError) as caught:
        read_keys(["a", item], "policies")
    assert said in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("given_", ["a, b", 7, {"a": 1}, True, b"a"])
def test_what_is_no_list_of_names(given_):
    with pytest.raises(OptionError, match="it must be a list of names"):
        read_keys(given_, "policies")


def test_names_are_kept_exactly_and_each_once():
    assert read_keys(["a", " a", 7, "7", "a", 7], "policies") == ("a", " a", 7, "7")
    assert read_keys(None, "policies") == () == read_keys([], "policies")


@given(st.lists(ANYTHING, max_size=3))
def test_any_list_is_keys_or_an_answer(items):
    try:
        keys = read_keys(items, "policies")
    except OptionError as error:
        str(error).encode()
        assert str(error).startswith("option 'policies'")
    else:
        assert all(type(key) in (int, str) for key in keys)


def test_something_must_be_named():
    with pytest.raises(OptionError, match="^option 'policies': targets must be chosen by policies, computers or"):
        Selector.from_options({"allow_empty": True}, "")
    for options in ({"policies": []}, {"computers": [], "policies": None}, {"policies": [], "computers": []}):
        with pytest.raises(OptionError, match="^option 'profiles\\[a\\]': .*; empty lists need allow_empty: true$"):
            Selector.from_options(options, "profiles[a]")
        assert Selector.from_options({**options, "allow_empty": True}, "profiles[a]").computers == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linux server", ["Linux Server"]),
        ("Linux_Server", ["Linux Server"]),
        ("Linux Server ", ["Linux Server"]),
        ("Lnux Server", ["Linux Server"]),
        ("web-01", ["web-01.example.com"]),
        ("WEB-01.example.org", ["web-01.example.com"]),
        ("Zürich", []),
    ],
)
def test_the_nearest_names(name, expected):
    names = ["Linux Server", "web-01.example.com", "db-07.example.net", "", "Base Policy"]
    assert nearest(name, names)[: len(expected) or None] == expected
    assert suggestion(name, names).startswith(f"; nearest: '{expected[0]}'" if expected else "")


@given(ANY_TEXT, st.lists(ANY_TEXT, max_size=6))
def test_nearest_names_are_a_few_of_those_that_exist(name, names):
    found = nearest(name, names)
    assert len(found) <= 3 and set(found) <= set(names) - {""} and len(set(found)) == len(found)
    suggestion(name, names).encode()
