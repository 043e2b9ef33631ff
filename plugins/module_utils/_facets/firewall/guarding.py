# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restriction needs before it keeps anybody out, and which steps must wait for that."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..._basis.text import quoted
from ..._fleet.alike import Alike
from ..._fleet.catalogue import COMMUNICATION_DIRECTION
from ..._fleet.fleet import Fleet
from ..._fleet.objects import Target
from ..._fleet.outlook import Guard, Outlook
from ..._manager.kinds import FIREWALL_RULE
from ..._vendor.communication import AGENT_INITIATED
from ..step import ASSIGN, SET, Step, step_id
from .restriction import Restriction, Wish
from .shared_objects import Unfit, find_named, needed_objects
from .snapshot import restricting_rules


@dataclass(frozen=True)
class Needed:
    """The wanted rules and lists. If a restriction cannot be kept, its targets are refused.

    rules, writes: by the rule's name, the rule on the manager, and the IDs of the steps after which it admits the right
    sources. objects: these steps by ID, because restrictions can share lists.
    """

    targets_of: dict[Restriction, list[Target]] = field(default_factory=dict)
    rules: dict[str, dict[str, t.Any] | None] = field(default_factory=dict)
    writes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    objects: dict[str, Step] = field(default_factory=dict)
    refused: dict[Target, str] = field(default_factory=dict)

    @classmethod
    def of(cls, fleet: Fleet, groups: t.Collection[Alike[Wish]]) -> Needed:
        """Look at the rules and lists on the manager for the wishes of these groups. Raises C(ManagerError)."""
        needed = cls()
        for group in groups:
            for restriction in group.wish:
                needed.targets_of.setdefault(restriction, []).extend(group.targets)
        # Equal restrictions can differ in this option. Somebody else's list is only changed if all of them allow it.
        cautious = {one for group in groups for one in group.wish if not one.allow_shared_lists}
        # A restriction that creates a rule comes before one that only assigns it.
        for restriction, targets in sorted(needed.targets_of.items(), key=lambda one: not one[0].described):
            name = restriction.rule_name
            if restriction in cautious:
                restriction = replace(restriction, allow_shared_lists=False)
            try:
                needed.rules[name] = find_named(fleet, FIREWALL_RULE, name)
                if restriction.present and not restriction.described:
                    if needed.rules[name] is None and not needed.writes.get(name):
                        raise Unfit(f"the rule {quoted(name, 100)} does not exist, and state=assigned does not make it")
                    needed.writes.setdefault(name, ())
                elif restriction.present:
                    written = needed_objects(fleet, restriction)
                    needed.objects.update((step.id, step) for step in written)
                    needed.writes[name] = tuple(step.id for step in written)
            except Unfit as unfit:
                needed.refused.update(dict.fromkeys(targets, str(unfit)))
        return needed

    def restricts(self, fleet: Fleet, restriction: Restriction) -> bool:
        """Whether its rule restricts, or may restrict, the agents' port. One that is only assigned can be any rule."""
        name = restriction.rule_name
        is_made = restriction.described or bool(self.writes.get(name))
        return is_made or not (rule := self.rules.get(name)) or rule["ID"] in restricting_rules(fleet)

    def rule_id(self, name: str) -> int | None:
        """The ID of a wanted rule, C(None) if it does not exist yet."""
        rule = self.rules[name]
        return rule["ID"] if rule else None


def guard_of(restriction: Restriction, writes: tuple[str, ...]) -> Guard:
    """How a restriction guards a target. C(writes): the steps after which its rule admits the right sources."""
    name = restriction.rule_name
    return Guard(
        lambda target: (*writes, step_id(ASSIGN, *target.identity, name)),
        may_be_inherited=restriction.accept_inherited,
    )


class Closing:
    """Targets whose agents will stop listening. Until that is written, the restriction of their port must stay."""

    def __init__(self, outlook: Outlook, turned: t.Iterable[Target]) -> None:
        """C(turned): the targets whose direction will be written."""
        self._fleet = outlook.fleet
        # The steps by their target, and the steps below each policy.
        self._here: dict[Target, str] = {}
        self._below: dict[Target, list[str]] = {}
        for target in turned:
            before, after = (one.effective(target, COMMUNICATION_DIRECTION)[0] for one in (outlook.today, outlook))
            if after == AGENT_INITIATED != before:
                step = step_id(SET, *target.identity, COMMUNICATION_DIRECTION.option)
                self._here[target] = step
                for policy in self._fleet.lineage(target):
                    self._below.setdefault(policy, []).append(step)

    def needs(self, target: Target) -> tuple[str, ...]:
        """The steps after which all agents of this target, and below it, have stopped listening that should stop."""
        if not self._here:
            return ()
        places = (target, *self._fleet.lineage(target))
        return (*(self._here[place] for place in places if place in self._here), *self._below.get(target, ()))
