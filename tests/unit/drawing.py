# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A helper for property tests that draw examples."""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st

T = t.TypeVar("T")


def pick(draw: t.Callable[[st.SearchStrategy[int]], int], choices: t.Sequence[T]) -> T:
    """Draw one of the choices, if these differ between examples.

    A strategy for them would have to be created for each example, which takes longer than drawing. C(draw): the
    function that Hypothesis passes to a composite strategy, or the method of its data.
    """
    return choices[draw(st.integers(0, len(choices) - 1))]
