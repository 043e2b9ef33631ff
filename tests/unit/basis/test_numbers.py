# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of options: in their range, or an error that names the option, the value and the range."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.numbers import (
    in_range,
    port_number,
    whole_number,
)


@given(st.one_of(st.integers(), st.booleans(), st.none(), st.text(), st.floats(), st.lists(st.integers())))
def test_a_port_is_a_number_from_1_to_65535_or_an_error_that_says_so(value):
    try:
        port = port_number("manager.port", value, "; agents listen on 4118")
    except OptionError as error:
        assert str(error).startswith("option 'manager.port'")
        assert str(error).endswith(": it must be a port from 1 to 65535; agents listen on 4118")
        assert (
            isinstance(value, (bool, float, list))
            or value is None
            or not str(value).isdecimal()
            or not (1 <= int(value) <= 65535)
        )
    else:
        assert port == int(value) and 1 <= port <= 65535


@pytest.mark.parametrize("value", [0.0, 60.5, math.nan, math.inf, -math.inf])
def test_what_is_out_of_range_is_named_with_the_range(value):
    with pytest.raises(OptionError, match=r"option 'timeout' is '.*': it must be a number of seconds from 0.1 to 60$"):
        in_range("timeout", value, 0.1, 60, "a number of seconds")


def test_the_bounds_are_within():
    assert [whole_number("ttl", value, 0, 5, "a number") for value in (0, "5", " 3 ")] == [0, 5, 3]
