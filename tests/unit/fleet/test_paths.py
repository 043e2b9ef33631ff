# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths of policies and of computer groups: whatever is below what, and whatever it is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._fleet.fleet import paths

NAMES = st.text(st.characters(codec=None), max_size=5)
TREES = st.dictionaries(st.integers(1, 12), st.tuples(NAMES, st.one_of(st.none(), st.integers(1, 14))), max_size=12)


def test_names_from_the_topmost_one_down():
    tree = {1: ("Base Policy", None), 4: ("Linux", 1), 9: ("Web", 4), 10: ("Web", 1)}
    assert paths(tree) == {1: "Base Policy", 4: "Base Policy/Linux", 9: "Base Policy/Linux/Web", 10: "Base Policy/Web"}
    assert paths({}) == {}


def test_a_parent_that_is_not_shown_begins_no_path():
    assert paths({9: ("Web", 4)}) == {9: "Web"}


def test_a_circle_ends():
    assert paths({1: ("a", 2), 2: ("b", 1), 3: ("c", 3), 4: ("d", 1)}) == {1: "b/a", 2: "a/b", 3: "c", 4: "b/a/d"}


@given(TREES)
def test_any_tree_has_paths_that_end_in_the_names(tree):
    found = paths(tree)
    assert found.keys() == tree.keys()
    for number, (name, parent) in tree.items():
        assert found[number] == name or found[number].endswith(f"/{name}")
        if parent is None or parent not in tree:
            assert found[number] == name


@given(st.lists(NAMES, min_size=1, max_size=30))
def test_the_path_of_a_child_continues_that_of_its_parent(names):
    tree = {number: (name, number - 1 or None) for number, name in enumerate(names, 1)}
    found = paths(tree)
    assert found[len(names)] == "/".join(names)
