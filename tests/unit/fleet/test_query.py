# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.query import FIELDS, Query

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
    "[?nothing == 'x']",
    "[?platform=='web'][]",
    "reverse([?policy=='Base Policy'])",
    "sort_by(@, &host_name)[:3]",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_selects_what_jmespath_selects(expression):
    """Also where conditions are asked once for equal rows."""

    @given(ROWS)
    def check(rows):
        assert Query(expression, "query", selects=True)._ids(rows) == [
            row["id"] for row in jmespath.search(expression, rows)
        ]

    check()


@pytest.mark.parametrize("expression", ["[?platform==", "[].host_name", "length(@)", "[?starts_with(id, 'x')]", "`1`"])
def test_what_can_never_select_computers(expression):
    with pytest.raises(OptionError, match="option 'query'"):
        Query(expression, "query", selects=True)


def test_only_a_query_that_names_the_group_costs_its_request():
    assert Query("[?group=='x'].id | [0]", "query").names_group
    assert not Query("[?policy=='group']", "query").names_group
