# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets that are handled together, because they do not differ in anything that matters: most of a fleet."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass

from .._agent.platforms import is_macos
from .objects import Computer, Target

W = t.TypeVar("W")


@dataclass(frozen=True)
class Alike(t.Generic[W]):
    """Targets with the same wish, the same inherited values, and no settings of their own, on macOS all or none.

    They are computers directly below one policy; other targets form groups of one. Their assigned rules may differ.
    """

    wish: W
    targets: list[Target]

    @property
    def first(self) -> Target:
        """The target that represents all of them."""
        return self.targets[0]


def alike(wishes: t.Mapping[Target, W]) -> list[Alike[W]]:
    """The targets of these wishes in groups. Their overrides must have been read."""
    # By wish, and then by policy: a key of all that matters, for each computer of a fleet, takes twice the time.
    groups: defaultdict[int, defaultdict[t.Any, list[Target]]] = defaultdict(lambda: defaultdict(list))
    # All that planning asks of a platform.
    macs = {
        platform for platform in {one.platform for one in wishes if one.__class__ is Computer} if is_macos(platform)
    }
    for target, wish in wishes.items():
        if target.__class__ is Computer and not target.overrides:
            # Those on macOS have a key of their own.
            key = (target.policy_id,) if target.platform in macs else target.policy_id
            groups[id(wish)][key].append(target)
        else:
            groups[id(wish)][target].append(target)
    return [Alike(wishes[targets[0]], targets) for of_wish in groups.values() for targets in of_wish.values()]
