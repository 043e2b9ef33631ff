# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The future fleet, with the steps that are planned so far. It only exists while a plan is made.

Without steps, it is the present fleet.
"""

from __future__ import annotations

import operator
import typing as t
from collections import defaultdict
from functools import cached_property

from .alike import Alike, alike
from .catalogue import INHERITED, Setting, Value
from .fleet import Fleet
from .objects import Computer, Policy, Target

# The source of an effective value that no policy sets.
DEFAULT_POLICY = "default policy"
UNKNOWN_SOURCE = "unknown"

T = t.TypeVar("T", bound=Target)
W = t.TypeVar("W")


class Guard(t.NamedTuple):
    """What will restrict the agents' port of a target. Many targets can share one guard.

    needs: returns, for a target, the IDs of the steps that must have succeeded first. lacking: why there will be no
    restriction although one is declared; C(None) if there will be one. may_be_inherited: whether the guard of a policy
    above is enough.
    """

    needs: t.Callable[[Target], tuple[str, ...]] = lambda _target: ()
    lacking: str | None = None
    may_be_inherited: bool = False


class Guarded(t.NamedTuple):
    """The IDs of the steps that must have succeeded before a port may open; or why it must not open at all."""

    needs: tuple[str, ...] = ()
    lacking: str | None = None


_UNGUARDED = Guarded()


class Outlook:
    """A fleet, and the settings and rules that will be set on it.

    foresee: tells the outlook what steps that could open a port must wait for. It is called when this is first needed,
    because it may have to read from the manager.
    """

    def __init__(self, fleet: Fleet, foresee: t.Callable[[Outlook], None] | None = None) -> None:
        self.fleet = fleet
        self._foresee = foresee
        # One dictionary for each setting and each rule. Pairs as keys would take more memory than all the rest.
        self._settings: defaultdict[Setting, dict[Target, Value]] = defaultdict(dict)
        self._rules: defaultdict[str, dict[Target, bool]] = defaultdict(dict)
        # What a policy's ID says of all targets right below it: worked out once, not for each computer of a fleet.
        self._inherited: dict[tuple[int | None, Setting], tuple[Value | None, str]] = {}
        # The same for the rules that targets inherit.
        self._givers: dict[tuple[int | None, str], Policy | None] = {}
        # The noted guards; and the guards by target, filled when first needed, which most tasks never do.
        self._told_guards: list[tuple[t.Iterable[Target], Guard]] = []
        self._guards_known: dict[Target, Guard] = {}
        # The groups of targets, by the wishes of a facet, which do not change while a plan is made.
        self._alike: dict[int, tuple[t.Any, list[Alike[t.Any]]]] = {}
        # Targets for which an inherited value is enough, each group with the ID of the step that sets this value above.
        self.relying: list[tuple[t.Collection[Target], str]] = []
        # By policy, the guarded targets below it; C(None) until first needed.
        self._guards_below: defaultdict[Policy, list[Target]] | None = None

    @cached_property
    def today(self) -> Outlook:
        """The present fleet, without steps."""
        return Outlook(self.fleet)

    def alike(self, wishes: t.Mapping[Target, W]) -> list[Alike[W]]:
        """The targets of these wishes in groups, worked out once."""
        if id(wishes) not in self._alike:
            self._alike[id(wishes)] = wishes, self._grouped_before(wishes) or alike(wishes)
        return self._alike[id(wishes)][1]

    def _grouped_before(self, wishes: t.Mapping[Target, W]) -> list[Alike[W]] | None:
        """The groups from another facet's wishes for the same targets, if each of those goes with one wish here."""
        for others, groups in self._alike.values():
            if len(others) == len(wishes) and all(map(operator.is_, others, wishes)):
                ids = list(map(id, others.values()))
                matching = dict(zip(ids, wishes.values()))
                if all(map(operator.is_, map(matching.__getitem__, ids), wishes.values())):
                    return [Alike(matching[id(group.wish)], group.targets) for group in groups]
        return None

    def rely(self, targets: t.Collection[Target], step: str) -> None:
        """Note that these targets only are as declared once this step, by its ID, is done on a policy above."""
        self.relying.append((targets, step))

    # -- settings

    def set(self, target: Target, setting: Setting, value: Value) -> None:
        """Assume that the target is set to the value, which may be C(inherited)."""
        self._settings[setting][target] = value
        if isinstance(target, Policy):
            self._inherited.clear()

    def set_all(self, targets: t.Iterable[Target], setting: Setting, value: Value) -> None:
        """Like C(set), for many targets."""
        self._settings[setting].update(dict.fromkeys(targets, value))
        self._inherited.clear()

    @property
    def changing(self) -> t.AbstractSet[Target]:
        """All targets on which any setting will be written."""
        return frozenset().union(*self._settings.values())

    def planned(self, setting: Setting) -> t.Iterable[Target]:
        """The targets on which the setting will be written."""
        return self._settings[setting]

    def override(self, target: Target, setting: Setting) -> Value | None:
        """The target's own value; C(None) if it inherits."""
        value = self._settings[setting].get(target)
        if value is None:
            return target.overrides.get(setting)
        return None if value == INHERITED else value

    def inherited(self, target: Target, setting: Setting) -> tuple[Value | None, str]:
        """The value of a target without an override, and the policy that it is from; C(None) if it is unknown."""
        key = (target.above, setting)
        found = self._inherited.get(key)
        if found is None:
            found = self._inherited[key] = self._inherited_by(target, setting)
        return found

    def _inherited_by(self, target: Target, setting: Setting) -> tuple[Value | None, str]:
        for policy in self.fleet.lineage(target):
            value = self.override(policy, setting)
            if value is not None:
                return value, policy.label
        if self.fleet.unseen_above(target) is not None:
            return None, UNKNOWN_SOURCE
        value = self.fleet.default_settings.get(setting)
        return value, DEFAULT_POLICY if value is not None else UNKNOWN_SOURCE

    def planned_above(self, target: Target, setting: Setting) -> Policy | None:
        """The policy from which a target without an override will have its value, if that is written by a step."""
        planned = self._settings[setting]
        for policy in self.fleet.lineage(target) if planned else ():
            if self.override(policy, setting) is not None:
                return policy if policy in planned else None
        return None

    def is_planned(self, policy: Policy, rule_name: str) -> bool:
        """Whether a step assigns the rule to the policy."""
        return self._rules[rule_name].get(policy, False)

    def effective(self, target: Target, setting: Setting) -> tuple[Value | None, str]:
        """The effective value of a target, and where it is set."""
        value = self.override(target, setting)
        return (value, target.label) if value is not None else self.inherited(target, setting)

    # -- rules

    def assign(self, target: Target, rule_name: str, assigned: bool) -> None:
        """Assume that the rule is assigned to the target itself, or unassigned from it."""
        self._rules[rule_name][target] = assigned
        if isinstance(target, Policy):
            self._givers.clear()

    def giver(self, target: Target, rule_name: str, rule_id: int | None) -> Policy | None:
        """A policy from which a target inherits a rule, C(None) if it does not inherit it.

        It is the nearest policy to which the rule is certainly assigned. If pages do not tell for any policy, the
        policies are asked.
        """
        key = (target.above, rule_name)
        if key not in self._givers:
            self._givers[key] = self._giver(self.fleet.lineage(target), self._rules[rule_name], rule_id)
        return self._givers[key]

    def _giver(
        self, lineage: t.Sequence[Policy], planned: t.Mapping[Target, bool], rule_id: int | None
    ) -> Policy | None:
        doubtful = []
        for policy in lineage:
            given = planned.get(policy)
            if given is None and rule_id is not None:
                given = self.fleet.assignments.told(policy, rule_id)
                if given is None:
                    doubtful.append(policy)
            if given:
                return policy
        if not doubtful or rule_id is None:
            return None
        states = self.fleet.assignments.states(doubtful, rule_id)
        return next((policy for policy in doubtful if states[policy]), None)

    # -- who may connect

    def guard(self, targets: t.Sequence[Target], guard: Guard) -> None:
        """Note the declared restriction of the port of each target and of all targets below it.

        C(targets) must not change afterward.
        """
        self._told_guards.append((targets, guard))
        self._guards_below = None

    @property
    def _guards(self) -> dict[Target, Guard]:
        for targets, guard in self._told_guards:
            self._guards_known.update(dict.fromkeys(targets, guard))
        self._told_guards.clear()
        return self._guards_known

    def foresee(self) -> None:
        """Find out what steps must wait for, unless that was done already."""
        foresee, self._foresee = self._foresee, None
        if foresee:
            foresee(self)

    def guarded(self, target: Target) -> Guarded:
        """What must have succeeded before a write that would open the port of a target, or of one below it.

        These are the needs of the nearest guard at or above the target or, without one, of all guards below it. If a
        step is not in the plan, it is already done.
        """
        self.foresee()
        guards = self._guards
        if not guards:
            return _UNGUARDED
        lacking, needs = None, list[str]()
        for place in (target, *self.fleet.lineage(target)):
            found = guards.get(place)
            if found and found.lacking is None:
                needs += found.needs(place)
                if not found.may_be_inherited:
                    break
            elif found:
                lacking = lacking or found.lacking
        if needs:
            return Guarded(tuple(dict.fromkeys(needs)))
        below = self._below(target) if isinstance(target, Policy) else []
        lacking = lacking or next((reason for one in below if (reason := guards[one].lacking) is not None), None)
        if lacking or not below:
            return Guarded(lacking=lacking) if lacking else _UNGUARDED
        return Guarded(tuple(dict.fromkeys(need for one in below for need in guards[one].needs(one))))

    def _below(self, policy: Policy) -> list[Target]:
        if self._guards_below is None:
            self._guards_below = defaultdict(list)
            for target in self.from_the_top(self._guards):
                for above in self.fleet.lineage(target):
                    self._guards_below[above].append(target)
        return self._guards_below[policy]

    # -- order

    def from_the_top(self, targets: t.Iterable[T]) -> list[T]:
        """Parents before children, so that it is known what a child will inherit when it is planned."""
        targets = list(targets)
        depth = {target: len(self.fleet.lineage(target)) for target in targets if isinstance(target, Policy)}
        policies = sorted(depth, key=lambda policy: (depth[policy], policy.id))
        return policies + sorted((one for one in targets if isinstance(one, Computer)), key=lambda one: one.id)
