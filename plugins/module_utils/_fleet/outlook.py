# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fleet will look like with the steps that are planned so far. It exists only while a plan is made.

Without any step it is the fleet as it is.
"""

from __future__ import annotations

import operator
import typing as t
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from .alike import Alike, alike
from .catalogue import INHERITED, Setting, Value
from .fleet import Fleet
from .objects import Computer, Policy, Target

# Where an effective value comes from when no policy sets it.
DEFAULT_POLICY = "default policy"
UNKNOWN_SOURCE = "unknown"

T = t.TypeVar("T", bound=Target)
W = t.TypeVar("W")


@dataclass(frozen=True)
class Guard:
    """What will keep the agents' port of a target from anybody; many targets can share one.

    needs: of a target, the IDs of the steps that must have succeeded for that. lacking: why there will be nothing of the
    kind although it is declared; C(None) where there will. may_be_inherited: whether that of a policy above may do.
    """

    needs: t.Callable[[Target], tuple[str, ...]] = lambda _target: ()
    lacking: str | None = None
    may_be_inherited: bool = False


class Guarded(t.NamedTuple):
    """What must have succeeded before a port may open, as IDs of steps; or why it must not open at all."""

    needs: tuple[str, ...] = ()
    lacking: str | None = None


_UNGUARDED = Guarded()


class Outlook:
    """A fleet, and on top of it what is going to be set: settings and rules alike.

    foresee: tells the outlook, before any step that could open a port is said, what such steps have to wait for. It is
    called when that is first asked for, since it may have to read.
    """

    def __init__(self, fleet: Fleet, foresee: t.Callable[[Outlook], None] | None = None) -> None:
        self.fleet = fleet
        self._foresee = foresee
        # A dictionary for each setting and each rule: a key that is a pair would cost more memory than all the rest.
        self._settings: defaultdict[Setting, dict[Target, Value]] = defaultdict(dict)
        self._rules: defaultdict[str, dict[Target, bool]] = defaultdict(dict)
        # What a policy's ID says of all targets right below it: worked out once, not for each computer of a fleet.
        self._inherited: dict[tuple[int | None, Setting], tuple[Value | None, str]] = {}
        # The same of the rules that a target inherits.
        self._givers: dict[tuple[int | None, str], Policy | None] = {}
        # What was told of guards, and by target as soon as that is asked for: most tasks never ask.
        self._told_guards: list[tuple[t.Iterable[Target], Guard]] = []
        self._guards_known: dict[Target, Guard] = {}
        # By the wishes of a facet, which stay the same while a plan is made: their targets in groups.
        self._alike: dict[int, tuple[t.Any, list[Alike[t.Any]]]] = {}
        # By policy, the guards of what is below it; C(None) until it is asked for.
        self._guards_below: defaultdict[Policy, list[Target]] | None = None

    @cached_property
    def today(self) -> Outlook:
        """The fleet as it is."""
        return Outlook(self.fleet)

    def alike(self, wishes: t.Mapping[Target, W]) -> list[Alike[W]]:
        """All targets of these wishes in groups, made once."""
        if id(wishes) not in self._alike:
            self._alike[id(wishes)] = wishes, self._grouped_before(wishes) or alike(wishes)
        return self._alike[id(wishes)][1]

    def _grouped_before(self, wishes: t.Mapping[Target, W]) -> list[Alike[W]] | None:
        """The groups of the same targets by wishes of another facet, where each of those goes with one of these."""
        for others, groups in self._alike.values():
            if len(others) == len(wishes) and all(map(operator.is_, others, wishes)):
                pairs = set(zip(map(id, others.values()), map(id, wishes.values())))
                if len(pairs) == len({other for other, _wish in pairs}):
                    return [Alike(wishes[group.first], group.targets) for group in groups]
        return None

    # -- settings

    def set(self, target: Target, setting: Setting, value: Value) -> None:
        """Take it as done that the target is set to the value, which may be C(inherited)."""
        self._settings[setting][target] = value
        if isinstance(target, Policy):
            self._inherited.clear()

    def set_all(self, targets: t.Iterable[Target], setting: Setting, value: Value) -> None:
        """The same of many targets."""
        self._settings[setting].update(dict.fromkeys(targets, value))
        self._inherited.clear()

    @property
    def changing(self) -> t.AbstractSet[Target]:
        """All targets on which any setting is going to be written."""
        return frozenset().union(*self._settings.values())

    def planned(self, setting: Setting) -> t.Iterable[Target]:
        """The targets on which the setting is going to be written."""
        return self._settings[setting]

    def override(self, target: Target, setting: Setting) -> Value | None:
        """The target's own value; C(None) when it inherits."""
        value = self._settings[setting].get(target)
        if value is None:
            return target.overrides.get(setting)
        return None if value == INHERITED else value

    def inherited(self, target: Target, setting: Setting) -> tuple[Value | None, str]:
        """What a target without an override has, and from which policy; C(None) where the manager does not say."""
        key = (target.above, setting)
        found = self._inherited.get(key)
        if found is None:
            found = self._inherited[key] = self._inherited_from(self.fleet.lineage(target), setting)
        return found

    def _inherited_from(self, lineage: t.Iterable[Policy], setting: Setting) -> tuple[Value | None, str]:
        for policy in lineage:
            value = self.override(policy, setting)
            if value is not None:
                return value, policy.label
        value = self.fleet.default_settings.get(setting)
        return value, DEFAULT_POLICY if value is not None else UNKNOWN_SOURCE

    def effective(self, target: Target, setting: Setting) -> tuple[Value | None, str]:
        """The value that holds for a target, and where it is set."""
        value = self.override(target, setting)
        return (value, target.label) if value is not None else self.inherited(target, setting)

    # -- rules

    def assign(self, target: Target, rule_name: str, assigned: bool) -> None:
        """Take it as done that the rule is assigned to the target itself, or taken away from it."""
        self._rules[rule_name][target] = assigned
        if isinstance(target, Policy):
            self._givers.clear()

    def giver(self, target: Target, rule_name: str, rule_id: int | None) -> Policy | None:
        """A policy from which a target inherits a rule, C(None) where it does not.

        That is the nearest one of which it is sure that the rule is assigned to it. Where pages cannot tell of any, the
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
        """Note what is declared to keep the port of each target, and of all below it, from anybody.

        C(targets) must stay as they are.
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
        """Have it told what must be waited for, unless that was done."""
        foresee, self._foresee = self._foresee, None
        if foresee:
            foresee(self)

    def guarded(self, target: Target) -> Guarded:
        """What must have succeeded before anything is written that would open the port of a target or of one below it.

        That is what the nearest guard at the target or above it needs; where there is none, what all those below need. A
        step that is not in the plan is not missing: what it would do is done.
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
        """Parents before children, so that what a child will inherit is known when it is planned."""
        targets = list(targets)
        depth = {target: len(self.fleet.lineage(target)) for target in targets if isinstance(target, Policy)}
        policies = sorted(depth, key=lambda policy: (depth[policy], policy.id))
        return policies + sorted((one for one in targets if isinstance(one, Computer)), key=lambda one: one.id)
