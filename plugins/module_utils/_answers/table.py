# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of comma-separated values for spreadsheets. No cell can become a formula."""

from __future__ import annotations

import csv
import io
import re
import typing as t
from functools import lru_cache

from .._basis.text import shown

# Where a spreadsheet would read the rest of a cell as a formula or a command: at its start, and after characters that
# end a cell in some spreadsheets. East Asian full width characters count, too.
_FORMULA = re.compile(r'((?:^|[;,|])[\s"]*)(?=[=+\-@|%＝＋－＠｜％])')

Value = t.Union[str, int, None]


def as_csv(columns: t.Sequence[str], rows: t.Iterable[str]) -> str:
    """A table with a header; each row is one or more C(cells) with commas between."""
    return "".join([f"{row}\n" for row in (cells(columns), *rows)])


def cells(values: t.Iterable[Value]) -> str:
    """Some cells of a row. Every text is in quotes, so that no other separator ends a cell.

    Text that would become a formula gets an apostrophe before it.
    """
    text = io.StringIO()
    row = csv.writer(text, lineterminator="", quoting=csv.QUOTE_NONNUMERIC)
    row.writerow([_cell(value) if isinstance(value, str) else value for value in values])
    return text.getvalue()


@lru_cache(maxsize=10_000)
def _cell(text: str) -> str:
    return _FORMULA.sub(r"\1'", shown(text))
