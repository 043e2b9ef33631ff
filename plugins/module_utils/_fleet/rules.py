# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which firewall rules policies and computers have, themselves or through their policies.

The vendor does not say whether pages of overrides list the rules that are assigned to an object, all that are effective
on it, or none. Where they list none, the pages of effective rules are read. Whether a rule that is effective is also
assigned where it is inherited anyway, pages of effective rules cannot tell: that is asked one by one, for the targets
of a task, and for anybody else only where there are few of them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from itertools import chain

from .._manager.client import Item
from .._manager.progress import READING
from .objects import Computer, Policy, Target

if t.TYPE_CHECKING:
    from .fleet import Fleet

# So many are asked one by one where pages do not tell and the task does not depend on it.
ASKED_AT_MOST = 10

# How many answers wait for one that takes longer: they are short.
_ANSWERS_HELD = 100


@dataclass(frozen=True)
class Holders:
    """Who has a rule assigned: C(known) for sure; others may have it, too, unless C(complete)."""

    known: frozenset[Target]
    complete: bool


class Assignments:
    """The firewall rules of a fleet's policies and computers. C(Target.rule_ids) is what was listed of them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # Whether any page of overrides listed a rule; whether one proved that only assigned ones are listed; and if
        # none are listed, whose effective rules were read.
        self._listed_with_overrides = False
        self._only_direct = False
        self._looked_at = 0
        self._effective_of: set[Target] | None = None
        # What a policy's ID says of all targets right below it: worked out once, not for each computer of a fleet.
        self._inherited: dict[int | None, frozenset[int]] = {}
        self._sources: dict[tuple[int | None, int], tuple[Policy, ...]] = {}
        self._asked: dict[Target, set[int]] = {}

    def listed(self, item: Item) -> frozenset[int]:
        """The rules that an object of a page of overrides lists."""
        rule_ids = listed_rules(item)
        self._listed_with_overrides = self._listed_with_overrides or bool(rule_ids)
        return rule_ids

    def inherited(self, target: Target) -> frozenset[int]:
        """The rules that a target has through its policies."""
        self._read([target])
        above = target.above
        if above not in self._inherited:
            rules = [policy.rule_ids for policy in self._fleet.lineage(target)]
            self._inherited[above] = frozenset().union(*rules)
        return self._inherited[above]

    def effective(self, target: Target) -> frozenset[int]:
        """All rules that a target has. Of a computer, C(Fleet.read_overrides) must have been told before."""
        self._read([target])
        return target.rule_ids | self.inherited(target)

    def possible(self, target: Target) -> frozenset[int]:
        """All rules that can be assigned to a target itself: no other ones are."""
        self._read([target])
        return target.rule_ids

    def states(self, targets: t.Iterable[Target], rule_id: int) -> dict[Target, bool]:
        """For each target, whether the rule is assigned to it directly, asked one by one where pages cannot tell."""
        told = self._told(list(targets), rule_id)
        self._ask(target for target, state in told.items() if state is None)
        return {target: rule_id in self._asked[target] if state is None else state for target, state in told.items()}

    def told(self, target: Target, rule_id: int) -> bool | None:
        """What pages tell of one target, without asking it; C(None) where they cannot tell."""
        return self._told([target], rule_id)[target]

    def assigned_here(self, target: Target, rule_id: int) -> bool | None:
        """The same of one target; C(None) where pages cannot tell, and too many have been asked already."""
        state = self.told(target, rule_id)
        if state is None and len(self._asked) < ASKED_AT_MOST:
            self._ask([target])
        return rule_id in self._asked[target] if state is None and target in self._asked else state

    def sources(self, target: Target, rule_id: int) -> tuple[Policy, ...]:
        """The policies from which a target has the rule, nearest first; without those of which pages cannot tell.

        The topmost one that has it is always told: it can have it from nowhere else.
        """
        place = (target.above, rule_id)
        if place not in self._sources:
            lineage = self._fleet.lineage(target)
            self._sources[place] = tuple(policy for policy in lineage if self.assigned_here(policy, rule_id))
        return self._sources[place]

    def holders(self, rule_id: int, apart_from: t.Collection[Target] = ()) -> Holders:
        """Who, of all policies and computers but some, has the rule assigned directly. Costs pages."""
        fleet = self._fleet
        everyone: list[Target] = [*fleet.policies.values(), *fleet.list_computers()]
        if self._pages_list_rules():
            fleet.read_overrides(everyone)
        aside = set(apart_from)
        told = self._told([target for target in everyone if target not in aside], rule_id)
        doubtful = [target for target, state in told.items() if state is None]
        known = {target for target, state in told.items() if state}
        if known or len(doubtful) > ASKED_AT_MOST:
            return Holders(frozenset(known), not doubtful)
        self._ask(doubtful)
        return Holders(frozenset(target for target in doubtful if rule_id in self._asked[target]), True)

    def _told(self, targets: list[Target], rule_id: int) -> dict[Target, bool | None]:
        """What pages tell of a direct assignment: C(None) where they cannot."""
        self._read(targets)
        only_direct = self._effective_of is None and self._pages_list_only_direct_rules()
        return {
            target: (
                (only_direct or rule_id not in self.inherited(target) or None) if rule_id in target.rule_ids else False
            )
            for target in targets
        }

    def _ask(self, targets: t.Iterable[Target]) -> None:
        """Ask what is assigned to these, one by one."""
        unasked = [target for target in targets if target not in self._asked]
        if not unasked:
            return
        client = self._fleet.client
        with client.transport.progress.stage(READING, "assigned rules", len(unasked)) as stage:

            def ask(target: Target) -> set[int]:
                assigned = client.assigned_rules(target.kind, target.id)
                stage.advance()
                return assigned

            self._fleet.in_parallel(ask, unasked, self._asked.__setitem__, held=_ANSWERS_HELD)

    def _pages_list_rules(self) -> bool:
        _policies = self._fleet.policies  # Read first: their page tells whether rules are listed.
        return self._listed_with_overrides and self._effective_of is None

    def _pages_list_only_direct_rules(self) -> bool:
        """An object whose page does not list a rule of its parents proves that pages list direct rules only."""
        fleet = self._fleet
        known = len(fleet.policies) + fleet.read_count
        # Asked of each target: only a look at what was not there at the last one may take as long as there are targets.
        if not self._only_direct and self._looked_at < known:
            self._looked_at = known
            targets: t.Iterable[Target] = chain(fleet.policies.values(), fleet.read_computers)
            self._only_direct = any(self.inherited(target) - target.rule_ids for target in targets)
        return self._only_direct

    def _read(self, targets: t.Iterable[Target]) -> None:
        """Read effective rules, if the pages of overrides list none: of these, and of all whose overrides were read."""
        if self._pages_list_rules():
            return
        fleet = self._fleet
        if self._effective_of is None:
            self._effective_of = set(fleet.policies.values())
            self._inherited.clear()
            for policy in fleet.policies.values():
                plain = fleet.plain_policies.get(policy.id)
                policy.rule_ids = plain.rule_ids if plain else frozenset()
        if all(target in self._effective_of for target in targets):
            return
        wanted = {target for target in targets if isinstance(target, Computer)}.union(fleet.read_computers)
        unread = wanted - self._effective_of

        def keep(page: list[Item]) -> None:
            for item in page:
                if item["ID"] in fleet.computers:
                    fleet.computers[item["ID"]].rule_ids = listed_rules(item)

        fleet.read_windows({target.id for target in unread}, keep, overrides=False, expand=("firewall",))
        self._effective_of |= unread


def listed_rules(item: Item) -> frozenset[int]:
    """The rules that an object of any page lists."""
    return frozenset((item.get("firewall") or {}).get("ruleIDs") or ())
