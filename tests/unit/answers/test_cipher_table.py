# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of computers: whatever their names are, and whoever opens it, no cell is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._answers.cipher_fleet import _as_csv
from ansible_collections.workload_security.agent.plugins.module_utils._answers.table import as_csv
from ansible_collections.workload_security.agent.plugins.module_utils._answers.table import cells as cells_of

TEXTS = ("name", "display_name", "policy", "policy_path", "group_path", "platform", "agent_version")
FORMULAS = tuple("=+-@|%＝＋－＠｜％")
DIALECTS = [
    {"delimiter": delimiter, **more}
    for delimiter in (",", ";", "\t", "|")
    for more in ({}, {"quoting": csv.QUOTE_NONE}, {"doublequote": False}, {"skipinitialspace": True})
]
HOSTILE = st.text(st.sampled_from([*"=+-@|%＝＋｜;,\t\r\n\"' a1\ufeff\u00a0"]), max_size=12) | st.text(max_size=12)


def table(*names: str, requirement: str = "required") -> str:
    fate = {"outcomes": {requirement: "kept"}}
    fate |= {part: {requirement: None} for part in ("upgrades", "newest_upgrades", "sources")}
    rows = [{"id": number, **dict.fromkeys(TEXTS, name), **fate} for number, name in enumerate(names, 1)]
    return _as_csv(rows, [requirement])


def cells(text: str, **dialect: object) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), strict=False, **dialect))  # type: ignore[arg-type]


@settings(max_examples=150)
@given(names=st.lists(HOSTILE, min_size=1, max_size=3), requirement=HOSTILE)
def test_no_cell_is_a_formula_in_any_dialect(names: list[str], requirement: str) -> None:
    text = table(*names, requirement=requirement)
    for dialect in DIALECTS:
        for row in cells(text, **dialect):
            for cell in row:
                assert not cell.strip().strip("\ufeff").startswith(FORMULAS), (dialect, cell)
    assert [len(row) for row in cells(text)] == [12] * (len(names) + 1)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("web-01", "web-01"),
        ("a;=1+1", "a;'=1+1"),
        ('a; "=1+1', "a; \"'=1+1"),
        (" @SUM(A1)", " '@SUM(A1)"),
        ("a,+1|cmd", "a,'+1|cmd"),
        ("a\t=1", "a\\t=1"),
        ("＝1", "'＝1"),
        ("%PATH%", "'%PATH%"),
    ],
)
def test_names_stay_as_they_are_but_for_an_apostrophe(name: str, cell: str) -> None:
    assert cells(table(name))[1] == ["1", *[cell] * len(TEXTS), "kept", "", "", ""]


def test_texts_are_in_quotes_and_numbers_are_not() -> None:
    assert table("a;b").splitlines()[1] == ",".join(["1", *['"a;b"'] * len(TEXTS), '"kept"', *['""'] * 3])


@given(st.lists(st.lists(HOSTILE | st.integers() | st.none(), min_size=2, max_size=4), max_size=3))
def test_a_row_is_written_as_python_writes_it_in_whatever_pieces(rows: list[list[str | int | None]]) -> None:
    text = as_csv(["a"], [f"{cells_of(row[:1])},{cells_of(row[1:])}" for row in rows])
    read = list(csv.reader(io.StringIO(text)))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for cell_texts, row in zip(read, [["a"], *rows]):
        writer.writerow([value if isinstance(value, int) else cell for cell, value in zip(cell_texts, row)])
    assert len(read) == len(rows) + 1 and written.getvalue() == text
