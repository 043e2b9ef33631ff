# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A number of computers, or a percentage of them."""

from __future__ import annotations

import re
import typing as t

from .._basis.errors import OptionError

if t.TYPE_CHECKING:
    from fractions import Fraction

_BOUND = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?) *(?P<percent>%?)", re.ASCII)


class Bound(t.NamedTuple):
    """How many of all computers are done at the end of a wave: C(number) computers, or percent."""

    text: str
    number: Fraction
    is_percent: bool

    @classmethod
    def of(cls, option: str, given: t.Any) -> Bound:
        """Read a value such as C(10) or C(1 %). Raises C(OptionError)."""
        # The import takes 3 ms, and most documents have no waves.
        from fractions import Fraction

        text = "" if isinstance(given, bool) else str(given).strip()
        found = _BOUND.fullmatch(text)
        right = "it must be a number of computers, such as 10, or a percentage, such as 1 %"
        if not found:
            raise OptionError(option, given, right)
        number, is_percent = Fraction(found["number"]), bool(found["percent"])
        if not number or (number > 100 if is_percent else number.denominator > 1):
            raise OptionError(option, given, f"{right}, more than 0 and no more than 100 %")
        return cls(f"{found['number']} %" if is_percent else found["number"], number, is_percent)

    def out_of(self, total: int) -> int:
        """The number of computers out of C(total), rounded up."""
        most = -(-self.number * total // 100) if self.is_percent else self.number
        return min(int(most), total)
