# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which firewall rules policies and computers have, directly or through their policies.

The vendor does not say whether pages of overrides list the rules that are assigned to an object, all effective rules,
or none. If they list none, the pages of effective rules are read. These do not tell whether an inherited rule is also
assigned directly. This is asked one by one for the targets of a task, and for other objects only if they are few.
"""

from __future__ import annotations

import typing as t
from itertools import chain

from .._manager.kinds import COMPUTER, LISTED_COMPUTER, POLICY, Item, Kind
from .._manager.progress import READING
from .left_out import left_out, read_alone
from .objects import NO_RULES, Computer, Policy, Target

if t.TYPE_CHECKING:
    from .fleet import Fleet

RULES = "ruleIDs"

# The most objects that are asked one by one if pages do not tell and the task does not depend on the answer.
ASKED_AT_MOST = 10

# How many answers may wait for a slower one. They are short.
_ANSWERS_HELD = 100


class Holders(t.NamedTuple):
    """The objects with a rule assigned: C(known) are certain. Unless C(complete), others may also have it."""

    known: frozenset[Target]
    complete: bool


class Assignments:
    """The firewall rules of a fleet's policies and computers. C(Target.rule_ids) are those that pages listed."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # Whether any page of overrides listed a rule; whether one proved that only assigned rules are listed; and, if
        # none are listed, the objects whose effective rules were read.
        self._listed_with_overrides = False
        self._only_direct = False
        # The kinds of which pages of overrides have lists of rules, maybe empty ones; for each other kind, an object that
        # has a firewall but no list; and whether one of these has a list if it is read alone.
        self._listing: set[Kind] = set()
        self._without_list: dict[Kind, int] = {}
        self._lists_lost = False
        # The kinds of which an object was read alone because its page of effective rules has no list.
        self._checked: set[Kind] = set()
        self._looked_at = 0
        self._effective_of: set[Target] | None = None
        # By the ID of a policy, for all targets directly below it: worked out once, not for each computer of a fleet.
        self._inherited: dict[int | None, frozenset[int]] = {}
        self._sources: dict[tuple[int | None, int], tuple[Policy, ...]] = {}
        self._asked: dict[Target, set[int]] = {}

    def listed(self, item: Item, kind: Kind) -> frozenset[int]:
        """The rules that an object in a page of overrides lists."""
        rule_ids = listed_rules(item)
        if lists_rules(item):
            self._listing.add(kind)
        elif item.get("firewall") is not None:
            self._without_list.setdefault(kind, item["ID"])
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
        """All rules that a target has. For computers, call C(Fleet.read_overrides) first."""
        self._read([target])
        return target.rule_ids | self.inherited(target)

    def possible(self, target: Target) -> frozenset[int]:
        """All rules that may be assigned to a target itself. No other rules are."""
        self._read([target])
        return target.rule_ids

    def states(self, targets: t.Iterable[Target], rule_id: int) -> dict[Target, bool]:
        """For each target, whether the rule is assigned to it directly, asked one by one if pages do not tell."""
        told = self._told(list(targets), rule_id)
        self._ask(target for target, state in told.items() if state is None)
        return {target: rule_id in self._asked[target] if state is None else state for target, state in told.items()}

    def told(self, target: Target, rule_id: int) -> bool | None:
        """Whether the rule is assigned directly, from pages only; C(None) if they do not tell."""
        return self._told([target], rule_id)[target]

    def assigned_here(self, target: Target, rule_id: int) -> bool | None:
        """The same for one target; C(None) if pages do not tell and too many targets were already asked."""
        state = self.told(target, rule_id)
        if state is None and len(self._asked) < ASKED_AT_MOST:
            self._ask([target])
        return rule_id in self._asked[target] if state is None and target in self._asked else state

    def sources(self, target: Target, rule_id: int) -> tuple[Policy, ...]:
        """The policies from which a target has the rule, nearest first, without those for which pages do not tell.

        The topmost policy with the rule is always included, because it cannot inherit the rule.
        """
        place = (target.above, rule_id)
        if place not in self._sources:
            lineage = self._fleet.lineage(target)
            self._sources[place] = tuple(policy for policy in lineage if self.assigned_here(policy, rule_id))
        return self._sources[place]

    def holders(self, rule_id: int, apart_from: t.Collection[Target] = ()) -> Holders:
        """The policies and computers, except some, to which the rule is assigned directly. This reads pages."""
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
        """Whether pages show a direct assignment; C(None) if they do not tell."""
        self._read(targets)
        only_direct = self._effective_of is None and self._pages_list_only_direct_rules()
        return {
            target: (
                (only_direct or rule_id not in self.inherited(target) or None) if rule_id in target.rule_ids else False
            )
            for target in targets
        }

    def _ask(self, targets: t.Iterable[Target]) -> None:
        """Ask for the assigned rules of these targets, one by one."""
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
        _policies = self._fleet.policies  # Read first, because their page tells whether rules are listed.
        if not self._listed_with_overrides or self._effective_of is not None:
            return False
        for kind in self._without_list.keys() - self._listing:
            # Another kind's pages list rules. This kind's objects may have none, or their pages may not tell.
            self._listing.add(kind)
            alone = read_alone(self._fleet.client, kind, self._without_list[kind], overrides=True)
            self._lists_lost = self._lists_lost or (alone is not None and lists_rules(alone))
        return not self._lists_lost

    def _pages_list_only_direct_rules(self) -> bool:
        """An object that does not list a rule of its parents proves that pages only list direct rules."""
        fleet = self._fleet
        known = len(fleet.policies) + fleet.read_count
        # This is called for each target, so it only looks through all targets if there are new ones since the last
        # time.
        if not self._only_direct and self._looked_at < known:
            self._looked_at = known
            targets: t.Iterable[Target] = chain(fleet.policies.values(), fleet.read_computers)
            self._only_direct = any(self.inherited(target) - target.rule_ids for target in targets)
        return self._only_direct

    def _read(self, targets: t.Iterable[Target]) -> None:
        """Read the effective rules of these and of all targets with read overrides, if pages of overrides list none."""
        if self._pages_list_rules():
            return
        fleet = self._fleet
        if self._effective_of is None:
            self._effective_of = set(fleet.policies.values())
            self._inherited.clear()
            plain = fleet.plain_policies
            self._check_lists(POLICY, {number: policy.rule_ids is not None for number, policy in plain.items()})
            for policy in fleet.policies.values():
                found = plain.get(policy.id)
                policy.rule_ids = (found.rule_ids if found else None) or NO_RULES
        if all(target in self._effective_of for target in targets):
            return
        wanted = {target for target in targets if isinstance(target, Computer)}.union(fleet.read_computers)
        unread = wanted - self._effective_of

        def keep(page: list[Item]) -> None:
            self._check_lists(COMPUTER, {item["ID"]: lists_rules(item) for item in page})
            for item in page:
                if item["ID"] in fleet.computers:
                    fleet.computers[item["ID"]].rule_ids = listed_rules(item)

        fleet.read_windows(
            {target.id for target in unread}, keep, overrides=False, expand=("firewall",), kind=LISTED_COMPUTER
        )
        self._effective_of |= unread

    def _check_lists(self, kind: Kind, page: t.Mapping[int, bool]) -> None:
        """Raise C(BadReply) if a page of effective rules has no list, although one of its objects, read alone, has one.

        C(page): whether each object of the page has a list.
        """
        if kind in self._checked or not page or any(page.values()):
            return
        self._checked.add(kind)
        asked = min(page)
        alone = read_alone(self._fleet.client, kind, asked, overrides=False)
        if alone is not None and lists_rules(alone):
            raise left_out(kind, [RULES], asked)


def lists_rules(item: Item) -> bool:
    """Whether an object in any page has a list of rules, maybe an empty one."""
    return (item.get("firewall") or {}).get(RULES) is not None


def listed_rules(item: Item) -> frozenset[int]:
    """The rules that an object in any page lists."""
    return frozenset((item.get("firewall") or {}).get(RULES) or ())
