# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One of several parts of the work: its number, and the number of parts."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError

# Documented in plugins/doc_fragments/run.py.
SLICE_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "slice": {
        "type": "dict",
        "options": {"number": {"type": "int", "required": True}, "of": {"type": "int", "required": True}},
    },
}

# With more slices, each would have less than one request per minute.
_MOST = 100


class Slice(t.NamedTuple):
    """The slice C(number), counted from 1. C(of): the number of slices."""

    number: int
    of: int

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None) -> Slice | None:
        """The option C(slice), C(None) if it is not given. Raises C(OptionError)."""
        if options is None:
            return None
        number, of = options["number"], options["of"]
        if not 1 <= of <= _MOST:
            raise OptionError("slice.of", of, f"it must be how many slices there are, from 1 to {_MOST}")
        if not 1 <= number <= of:
            raise OptionError("slice.number", number, f"it must be the number of a slice, from 1 to {of}")
        return cls(number, of)
