# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets that are handled together, because they do not differ in anything that matters: most of a fleet."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .objects import Computer, Target

W = t.TypeVar("W")


@dataclass(frozen=True)
class Alike(t.Generic[W]):
    """Targets with the same wish, the same inherited values, and no settings of their own, on macOS all or none.

    They are computers directly below one policy; other targets form groups of one. Their assigned rules may differ.
    """

    wish: W
    targets: list[Target] = field(default_factory=list)

    @property
    def first(self) -> Target:
        """The target that represents all of them."""
        return self.targets[0]


def alike(wishes: t.Mapping[Target, W]) -> list[Alike[W]]:
    """The targets of these wishes in groups. Their overrides must have been read."""
    groups: dict[t.Any, Alike[W]] = {}
    # All that planning asks of a platform, and of each only once: a fleet has dozens.
    on_macos: dict[str, bool] = {}
    for target, wish in wishes.items():
        key: t.Any = target
        if target.__class__ is Computer and not target.overrides:
            is_mac = on_macos.get(target.platform)
            if is_mac is None:
                is_mac = on_macos[target.platform] = target.is_macos
            key = (target.policy_id, is_mac, id(wish))
        group = groups.get(key)
        if group is None:
            group = groups[key] = Alike(wish)
        group.targets.append(target)
    return list(groups.values())
