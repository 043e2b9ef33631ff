# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that name one object: a policy, an IP list, a group of computers."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._basis.text import enumerated
from .._manager.kinds import Kind
from .names import Key, read_keys
from .nearest import suggestion


def read_key(params: t.Mapping[str, t.Any], option: str) -> Key | None:
    """The name or ID in an option, C(None) if it is not given. Raises C(OptionError)."""
    given = params.get(option)
    return None if given is None else read_keys([given], option)[0]


def resolve_one(option: str, key: Key, kind: Kind, names: t.Mapping[int, str]) -> int:
    """The ID of the only object with that name or ID. C(names): the names of all objects, by ID.

    Raises C(OptionError) if there is none or more than one.
    """
    found = [number for number, name in names.items() if key == (number if isinstance(key, int) else name)]
    if len(found) == 1:
        return found[0]
    if not found:
        if isinstance(key, int):
            raise OptionError(option, key, f"the manager has no {kind.noun} of that ID")
        near = suggestion(key, names.values())
        raise OptionError(option, key, f"the manager has no {kind.noun} of that name{near}")
    ids = enumerated([f"ID {number}" for number in found])
    raise OptionError(option, key, f"{len(found)} have that name: {ids}. Name one by its ID")
