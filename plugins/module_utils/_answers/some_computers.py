# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The computers that an answer about a whole fleet is about: all of them, or those that options choose."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer
from .._fleet.targets import CHOSEN_COMPUTER_ARGUMENTS, MISSING_ARGUMENTS, Selector, chosen_by, missing_told, resolve

CHOOSING_ARGUMENTS = {**CHOSEN_COMPUTER_ARGUMENTS, **MISSING_ARGUMENTS}


def read_choice(params: t.Mapping[str, t.Any]) -> Selector | None:
    """The selector from the C(CHOOSING_ARGUMENTS), C(None) for all computers. Raises C(OptionError)."""
    choosing = {name: params.get(name) for name in CHOOSING_ARGUMENTS}
    return Selector.from_options(choosing, "") if chosen_by(choosing) else None


def at_most(number: int) -> int:
    """The value of C(computers_most), the most computers to list. Raises C(OptionError)."""
    if number < 0:
        raise OptionError("computers_most", number, "it must be a number of computers, 0 for none")
    return number


def choose(fleet: Fleet, selector: Selector | None) -> tuple[t.Collection[Computer], list[str]]:
    """The computers, and warnings. Raises C(OptionError), C(ManagerError)."""
    if selector is None:
        return fleet.list_computers(), []
    ((targets, missing),) = resolve(fleet, [selector])
    # These options select computers only.
    chosen = [target for target in targets if isinstance(target, Computer)]
    return chosen, [*missing_told(missing, "the result is without"), *fleet.warnings]
