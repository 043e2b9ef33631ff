# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewall restriction: who may connect to the agents' port.

A hidden rule opens the port to everybody. A rule of ours replaces it. This facet manages that rule, its IP and MAC
lists, and its assignments.
"""

from __future__ import annotations

import typing as t
from itertools import groupby
from operator import itemgetter

from ..._basis.text import enumerated, quoted
from ..._fleet.catalogue import COMMUNICATION_DIRECTION
from ..._fleet.fleet import OBJECTS, Fleet
from ..._fleet.objects import Computer, Policy, Target
from ..._fleet.outlook import Guard, Outlook
from ..._fleet.shared_objects import SharedObjects
from ..._manager.kinds import FIREWALL_RULE, IP_LIST, MAC_LIST, PORT_LIST, Kind
from ..._vendor.communication import AGENT_PORT
from ..facet import NOTHING, Conflict, Facet, Options, Restated, Scope, Undeclared, Wishes, labels_of, subject_of
from ..step import (
    ASSIGN,
    ASSIGNMENTS,
    DELETE,
    HERE,
    TYPES,
    UNASSIGN,
    UNASSIGNMENTS,
    Effective,
    Refusal,
    Said,
    Step,
    step_id,
)
from .description import (
    RulesThere,
    describe_restriction,
    opening_candidates,
    openings,
    restricts_nothing,
    without_effect,
)
from .guarding import Closing, Needed, guard_of
from .later import Later
from .restriction import ACTIONS, DEFAULT_RULE_NAME, PREFIX_LIMIT_ARGUMENTS, PRESENT, STATES, Restriction, Wish
from .shared_objects import FACET, Unfit, deletable_lists, deletable_rule, find_named, needed_objects
from .snapshot import adapted, options_of, restricting_rules

ASSIGNED, NOT_ASSIGNED = "assigned", "not assigned"


class FirewallRestriction(Facet[Wish]):
    """The rule that replaces the hidden one, its lists, and its assignments."""

    name = FACET
    # The sources that may connect can only be declared together.
    divisible = False
    arguments = {
        "state": {"type": "str", "choices": list(STATES), "default": PRESENT},
        "rule_name": {"type": "str", "default": DEFAULT_RULE_NAME},
        "action": {"type": "str", "choices": list(ACTIONS), "default": "bypass"},
        "port": {"type": "int", "default": AGENT_PORT},
        "port_list": {"type": "str"},
        "source_ips": {"type": "list", "elements": "str"},
        "ip_list_name": {"type": "str"},
        "source_macs": {"type": "list", "elements": "str"},
        "mac_list_name": {"type": "str"},
        "manager_addresses": {"type": "list", "elements": "str"},
        "manager_region": {"type": "str"},
        "manager_macs": {"type": "list", "elements": "str"},
        "allow_manager_lockout": {"type": "bool", "default": False},
        "allow_everybody": {"type": "bool", "default": False},
        "allow_shared_lists": {"type": "bool", "default": False},
        **PREFIX_LIMIT_ARGUMENTS,
        "accept_inherited": {"type": "bool", "default": False},
    }

    def __init__(self, deployment: str) -> None:
        super().__init__(deployment)
        # Values that many steps share, kept once.
        self._shared: dict[Effective, Effective] = {}
        self._candidates: dict[int, frozenset[int]] = {}
        self._openings: dict[frozenset[int], list[str]] = {}
        self._there = RulesThere()
        # From C(learn): the rules and lists as declared restrictions will leave them, and by type and ID of a target, the
        # names of the rules that a plan which is to be undone has assigned to it.
        self._later: Later | None = None
        self._undone: dict[tuple[str, int | None], set[str]] = {}
        # Rules that restrict, or may restrict, the port after that, and all rules that we have created. Filled when first
        # needed.
        self._restricting: frozenset[int] | None = None
        self._absent: dict[int, Restriction] = {}
        self._untold: dict[str, int] = {}
        self._needed = Needed()
        # For each rule that no document can declare, and the reason: the labels of its targets.
        self._undeclarable: dict[tuple[str, str], list[str]] = {}
        # By ID, the options of every restricting rule, or why there are none.
        self._restating: dict[int, Options | str] | None = None
        # By name of the rule, the options that a document has for it. Two different versions are refused.
        self._canonical: dict[str, Options] = {}

    # -- options

    def wish(self, options: t.Mapping[str, t.Any], scope: Scope) -> Wish:
        return (Restriction.from_options(options, scope),)

    def merge(self, first: Wish, second: Wish) -> Wish:
        present = {restriction for restriction in (*first, *second) if restriction.present and restriction.described}
        if len(present) > 1:
            raise Conflict(f"{self.name} is to admit {' and also '.join(sorted(one.summary for one in present))}")
        # If one wish only assigns a rule and the other one also describes it, the latter wins.
        wishes = sorted((*first, *second), key=lambda one: one.described)
        both = {(one.rule_name, one.present): one for one in wishes}
        strict = {(one.rule_name, one.present): one for one in wishes if not one.accept_inherited}
        merged = tuple({**both, **strict}.values())
        for name in sorted(name for name, is_present in both if is_present and (name, False) in both):
            raise Conflict(f"{self.name} with rule {quoted(name, 100)} is declared both present and absent")
        return merged

    def check_together(self, wishes: t.Iterable[Wish]) -> None:
        by_rule: dict[str, Restriction] = {}
        by_list: dict[tuple[Kind, str], tuple[t.Any, ...]] = {}
        for restriction in (one for wish in wishes for one in wish if one.present and one.described):
            other = by_rule.setdefault(restriction.rule_name, restriction)
            if other != restriction:
                raise Conflict(
                    f"{self.name} rule {quoted(restriction.rule_name, 100)} is to admit {other.summary} and also"
                    f" {restriction.summary}; give one of them another rule_name"
                )
            for kind, name, items in restriction.lists:
                if by_list.setdefault((kind, name), items) != items:
                    raise Conflict(f"the {kind.noun} '{name}' is to hold different items; name another one")

    # -- plan

    def reads(self, _fleet: Fleet, wishes: Wishes[Wish]) -> t.Iterable[str]:
        yield OBJECTS[FIREWALL_RULE]
        # Many targets share few wishes.
        some = {id(wish): wish for wish in wishes.values()}.values()
        for restriction in dict.fromkeys(one for wish in some for one in wish if one.present and one.described):
            yield from (OBJECTS[kind] for kind, _name, _items in restriction.lists)
            if restriction.port_list is not None:
                yield OBJECTS[PORT_LIST]

    def foresee(self, outlook: Outlook, wishes: Wishes[Wish]) -> None:
        """Look at the rules and lists, and tell the outlook what guards the port of each target."""
        groups = outlook.alike(wishes)
        self._needed = needed = Needed.of(outlook.fleet, groups)
        restricting = {one for one in needed.targets_of if one.present and needed.restricts(outlook.fleet, one)}
        # Restrictions are equal whether or not an inherited one is enough, but their guards differ.
        guards: dict[tuple[Restriction, bool], Guard] = {}
        for group in groups:
            for restriction in group.wish:
                if restriction not in restricting:
                    continue
                if group.first in needed.refused:
                    for target in group.targets:
                        told = f"the restriction of the {target.label} is refused: {needed.refused[target]}"
                        outlook.guard([target], Guard(lacking=told))
                    continue
                key = restriction, restriction.accept_inherited
                if key not in guards:
                    guards[key] = guard_of(restriction, needed.writes[restriction.rule_name])
                outlook.guard(group.targets, guards[key])

    def steps(self, outlook: Outlook, wishes: Wishes[Wish]) -> t.Iterator[Said]:
        outlook.foresee()
        fleet, needed = outlook.fleet, self._needed
        for target in outlook.from_the_top(needed.refused):
            yield Refusal(subject_of(target), self.name, needed.refused[target])
        yield from needed.objects.values()
        leaving: list[tuple[Target, str]] = []
        for targets in self._from_the_top(outlook, wishes):
            assigned = self._assigned(outlook, targets, wishes)
            for target in targets:
                for restriction in wishes[target]:
                    name = restriction.rule_name
                    is_assigned = (target, name) in assigned
                    if restriction.present and not is_assigned:
                        yield from self._arrival(outlook, target, restriction)
                    elif is_assigned and not restriction.present:
                        outlook.assign(target, name, False)
                        leaving.append((target, name))
        unassignments: dict[str, list[str]] = {}
        staying: set[str] = set()
        closing = Closing(outlook, outlook.planned(COMMUNICATION_DIRECTION) if leaving else ())
        for target, name in leaving:
            said = self._departure(outlook, closing, target, name)
            if isinstance(said, Step):
                unassignments.setdefault(name, []).append(said.id)
            else:
                staying.add(name)
            yield said
        yield from self._deletions(fleet, unassignments, staying)

    def _from_the_top(self, outlook: Outlook, wishes: Wishes[Wish]) -> t.Iterator[list[Target]]:
        """All targets that may need steps, in batches from the top down, so that all above a batch is planned."""
        fleet, refused = outlook.fleet, self._needed.refused
        groups = outlook.alike(wishes)
        firsts = [group.first for group in groups if group.first not in refused]
        policies = outlook.from_the_top(one for one in firsts if isinstance(one, Policy))
        for _depth, equally_deep in groupby(policies, key=lambda policy: len(fleet.lineage(policy))):
            yield list(equally_deep)
        computers: list[Target] = []
        for group in groups:
            if not isinstance(group.first, Computer):
                continue
            targets = [target for target in group.targets if target not in refused] if refused else group.targets
            if all(self._is_inherited(outlook, group.first, restriction) for restriction in group.wish):
                for restriction in group.wish:
                    self._rely(outlook, targets, restriction.rule_name)
            else:
                computers += targets
        yield outlook.from_the_top(computers)

    def _rely(self, outlook: Outlook, targets: t.Sequence[Target], name: str) -> None:
        """Note that an inherited rule is enough for these targets, which inherit it from the same policy."""
        giver = outlook.giver(targets[0], name, self._needed.rule_id(name)) if targets else None
        if giver and outlook.is_planned(giver, name):
            outlook.rely(targets, step_id(ASSIGN, *giver.identity, name))

    def _is_inherited(self, outlook: Outlook, target: Target, restriction: Restriction) -> bool:
        """Whether a target inherits a rule, and that is enough."""
        if not (restriction.present and restriction.accept_inherited):
            return False
        name = restriction.rule_name
        return outlook.giver(target, name, self._needed.rule_id(name)) is not None

    def _assigned(self, outlook: Outlook, targets: t.Iterable[Target], wishes: Wishes[Wish]) -> set[tuple[Target, str]]:
        """The assignments of rules in the wishes, present or absent, to these targets themselves: target and rule name.

        A target that inherits a rule, if that is enough, is not asked.
        """
        doubtful: dict[str, list[Target]] = {}
        for target in targets:
            for restriction in wishes[target]:
                name = restriction.rule_name
                if self._needed.rule_id(name) is not None and not self._is_inherited(outlook, target, restriction):
                    doubtful.setdefault(name, []).append(target)
        found: set[tuple[Target, str]] = set()
        for name, some in doubtful.items():
            states = outlook.fleet.assignments.states(some, t.cast(int, self._needed.rule_id(name)))
            found.update((target, name) for target, is_assigned in states.items() if is_assigned)
        return found

    def _arrival(self, outlook: Outlook, target: Target, restriction: Restriction) -> t.Iterator[Step]:
        """The step that assigns a rule, unless it is inherited and that is enough."""
        name = restriction.rule_name
        rule_id = self._needed.rule_id(name)
        giver = outlook.giver(target, name, rule_id)
        if giver and restriction.accept_inherited:
            self._rely(outlook, [target], name)
            return
        how = "inherited, but not assigned here" if giver else "not assigned here"
        outlook.assign(target, name, True)
        step = self._assignment(outlook, target, ASSIGN, name, rule_id, f"the rule {quoted(name, 100)} is {how}")
        yield step._replace(needs=self._needed.writes[name])

    def _departure(self, outlook: Outlook, closing: Closing, target: Target, name: str) -> Said:
        """The step that unassigns a rule. It waits until its replacement is there, or until no agent listens."""
        guard = outlook.guarded(target)
        if guard.lacking is not None:
            return Refusal(subject_of(target), self.name, f"the rule {quoted(name, 100)} stays, since {guard.lacking}")
        why = f"the rule {quoted(name, 100)} is assigned here"
        step = self._assignment(outlook, target, UNASSIGN, name, self._needed.rule_id(name), why)
        return step._replace(needs=guard.needs or closing.needs(target))

    def _assignment(
        self, outlook: Outlook, target: Target, action: str, name: str, rule_id: int | None, why: str
    ) -> Step:
        before, after, stage = NOT_ASSIGNED, ASSIGNED, ASSIGNMENTS
        if action == UNASSIGN:
            before, after, stage = ASSIGNED, NOT_ASSIGNED, UNASSIGNMENTS
        giver = outlook.today.giver(target, name, rule_id)
        if before == ASSIGNED:
            effective = Effective(ASSIGNED, HERE)
        else:
            effective = Effective(ASSIGNED, giver.label) if giver else Effective(NOT_ASSIGNED, HERE)
        effective = self._shared.setdefault(effective, effective)
        return Step(action, subject_of(target), self.name, name, before, effective, after, why, stage, rule_id)

    def _deletions(
        self, fleet: Fleet, unassignments: t.Mapping[str, list[str]], staying: t.Collection[str]
    ) -> t.Iterator[Step]:
        """The deletions of what is no longer used: rules, then their lists."""
        targets_of, rules, refused = self._needed.targets_of, self._needed.rules, self._needed.refused
        kept_rules = {one.rule_name for one in targets_of if one.present}.union(staying)
        kept_lists = {(TYPES[kind], name) for one in targets_of if one.present for kind, name, _items in one.lists}
        letting_go: dict[str, set[Target]] = {}
        for restriction, targets in targets_of.items():
            # Without a rule of that name, not even C(None), several have it.
            if restriction.rule_name in rules and restriction.rule_name not in kept_rules:
                # A refused target keeps the rule, if it has it.
                leaving = (target for target in targets if target not in refused)
                letting_go.setdefault(restriction.rule_name, set()).update(leaving)
        gone: dict[int, Step] = {}
        for name, holders in letting_go.items():
            rule = rules[name]
            step = rule and deletable_rule(fleet, rule, holders, unassignments.get(name, ()))
            if rule and step:
                gone[rule["ID"]] = step
        yield from gone.values()
        rewritten = {
            step.subject.id: step
            for step in self._needed.objects.values()
            if step.subject.kind is FIREWALL_RULE and step.subject.id is not None
        }
        lists: dict[str, Step] = {}
        for restriction in targets_of:
            name = restriction.rule_name
            rule = rules.get(name)
            if name in letting_go and (rule is None or rule["ID"] in gone):
                try:
                    lists.update((step.id, step) for step in deletable_lists(fleet, restriction, gone, rewritten))
                except Unfit:
                    # If several lists have the name, it is unknown which one is ours, so all of them stay.
                    continue
        yield from (step for step in lists.values() if (step.subject.type, step.subject.name) not in kept_lists)

    def warnings(self, outlook: Outlook, wishes: Wishes[Wish]) -> list[str]:
        fleet = outlook.fleet
        restricted = [
            (group, present[-1])
            for group in outlook.alike(wishes)
            if (present := [one for one in group.wish if one.present])
        ]
        idle: dict[str, list[Target]] = {}
        changing = outlook.changing
        for group, _restriction in restricted:
            # Targets of a group differ if another facet sets something on them.
            alone = [target for target in group.targets if target in changing] if changing else []
            alike = [target for target in group.targets if target not in changing] if alone else group.targets
            for some in (alike, *([target] for target in alone)):
                if some and (reason := without_effect(outlook, some[0])):
                    idle.setdefault(reason, []).extend(some)
        undone: dict[str, list[Target]] = {}
        own = {
            one: frozenset(rule_id for rule_id, rule in fleet.rules.items() if rule["name"] == one.rule_name)
            for one in {one for _group, one in restricted}
        }
        # If a rule is only declared by name, it is not declared whom it admits.
        useless = {
            one: sentence
            for one in own
            if not one.described
            and not self._needed.writes.get(one.rule_name)
            and (there := self._needed.rules.get(one.rule_name))
            and (sentence := restricts_nothing(fleet, there))
        }
        for group, restriction in restricted:
            if restriction in useless:
                undone.setdefault(useless[restriction], []).extend(group.targets)
            others = self._others(fleet, restriction.port) - own[restriction]
            for target in group.targets if others else ():
                for sentence in self._undoing(fleet, target, others):
                    undone.setdefault(sentence, []).append(target)
        return (
            [
                f"{self.name} has no effect where {reason}: {labels_of(some)}"
                for reason, some in sorted(idle.items(), key=itemgetter(0))
            ]
            + [
                f"{self.name} {sentence}, on {labels_of(some)}"
                for sentence, some in sorted(undone.items(), key=itemgetter(0))
            ]
            # Equal restrictions may differ in their limits, and many targets share the same one.
            + sorted(
                {told for one in {id(one): one for _group, one in restricted}.values() if (told := one.width_warning)}
            )
        )

    # -- what nobody declared

    def learn(self, fleet: Fleet, wishes: Wishes[Wish], undone: t.Sequence[Step]) -> None:
        self._later = Later(fleet, wishes)
        for step in undone:
            if step.action == ASSIGN:
                self._undone.setdefault(step.subject[:2], set()).add(step.key)

    def undeclared(self, outlook: Outlook, target: Target, wish: Wish | None) -> Undeclared[Wish] | None:
        fleet = outlook.fleet
        if self._restricting is None:
            self._restricting = restricting_rules(self._later or fleet)
        undone = self._undone.get(target.identity, ())
        if not self._restricting and not undone:
            return None
        possible = fleet.assignments.possible(target)
        there = possible & self._restricting
        if undone:
            there |= {rule_id for rule_id in possible if fleet.rules.get(rule_id, {}).get("name") in undone}
        if not there:
            return None
        declared = {one.rule_name for one in wish or ()}
        found: dict[int, str] = {}
        for rule_id in sorted(there):
            name = str(fleet.rules[rule_id]["name"])
            if name in declared:
                continue
            state = fleet.assignments.assigned_here(target, rule_id)
            if state is None:
                self._untold[name] = self._untold.get(name, 0) + 1
            elif state:
                found[rule_id] = name
        if not found:
            return None
        steps = tuple(
            self._assignment(outlook, target, UNASSIGN, name, rule_id, f"the rule {quoted(name, 100)} is assigned here")
            for rule_id, name in found.items()
        )
        others = {rule_id: name for rule_id, name in found.items() if name not in undone}
        lasting = self._lasting(self._later or fleet, others, any(one.present for one in wish or ()))
        for rule_id, reason in lasting.items():
            told = self._undeclarable.setdefault((found[rule_id], reason), [])
            told.append(target.label)
        return Undeclared(tuple(self._gone(fleet, rule_id) for rule_id in found if rule_id not in lasting), steps)

    def _lasting(self, shared: SharedObjects, found: t.Mapping[int, str], is_declared: bool) -> dict[int, str]:
        """The undeclared rules that stay on a target in any case, because no document can declare them; and why.

        C(is_declared): whether a restriction is declared for the target. A target can only have one.
        """
        options = self._options_by_rule(shared)
        lasting = {rule_id: reason for rule_id in found if isinstance(reason := options.get(rule_id), str)}
        if len(found) > 1 and not is_declared:
            names = enumerated([quoted(name, 100) for name in found.values()])
            several = f"a target can have one restriction, and several rules restrict it: {names}"
            lasting = {rule_id: lasting.get(rule_id, several) for rule_id in found}
        return lasting

    def _gone(self, fleet: Fleet, rule_id: int) -> Restriction:
        """The wish that a rule of the manager, and its own lists, no longer exist."""
        if rule_id not in self._absent:
            rule = fleet.rules[rule_id]
            name = str(rule["name"])
            ips = fleet.ip_lists.get(rule.get("sourceIPListID") or 0, {})
            macs = fleet.mac_lists.get(rule.get("sourceMACListID") or 0, {})
            self._absent[rule_id] = Restriction(
                name, False, str(ips.get("name") or f"{name} (IPs)"), str(macs.get("name") or f"{name} (MACs)")
            )
        return self._absent[rule_id]

    def leftovers(
        self, outlook: Outlook, wishes: Wishes[Wish], targets: t.Iterable[Target], reviewed: t.Sequence[Step]
    ) -> dict[Target, Wish]:
        fleet = outlook.fleet
        deleted = [step for step in reviewed if step.action == DELETE]
        named = {one.rule_name for wish in wishes.values() for one in wish}
        found: dict[Target, Wish] = {}

        def list_of(rule: Step, kind: Kind, key: str) -> str | None:
            used = (rule.before or {}).get(key)
            return next((one.subject.name for one in deleted if one.subject[:2] == (TYPES[kind], used)), None)

        for step in deleted:
            name = step.subject.name
            rules = [number for number, rule in fleet.rules.items() if rule["name"] == name]
            if step.subject.kind is not FIREWALL_RULE or name in named or len(rules) > 1:
                continue
            ips = list_of(step, IP_LIST, "sourceIPListID") or f"{name} (IPs)"
            macs = list_of(step, MAC_LIST, "sourceMACListID") or f"{name} (MACs)"
            for target in targets:
                if not rules or fleet.assignments.told(target, rules[0]) is False:
                    found[target] = (*found.get(target, ()), Restriction(name, False, ips, macs))
                    break
        return found

    def given_back(
        self, wishes: Wishes[Wish], targets: t.Iterable[Target], undone: t.Sequence[Step]
    ) -> dict[Target, Wish]:
        # A snapshot only has rules that restrict the port, or may do so.
        taken = [step for step in undone if step.action == UNASSIGN]
        if not taken:
            return {}
        by_identity: dict[tuple[str, int | None], Target] = {target.identity: target for target in targets}
        found: dict[Target, Wish] = {}
        for step in taken:
            target = by_identity.get(step.subject[:2])
            if target and all(one.rule_name != step.key for one in wishes.get(target, ())):
                assigned = self.wish(self.filled({"rule_name": step.key, "state": ASSIGNED}), Scope(self.name))
                found[target] = (*found.get(target, ()), *assigned)
        return found

    def notes(self) -> list[str]:
        way_out = ["State absent with its rule_name takes it away"]
        return [
            f"{self.name}: {count} policies and computers inherit the rule {quoted(name, 100)}, and whether it is assigned"
            " to them as well cannot be seen in the manager's lists. It counts as inherited"
            for name, count in self._untold.items()
        ] + [
            f"{self.name}: the rule {quoted(name, 100)} is not declared, and stays on {enumerated(labels, 3)}, since no"
            f" document can declare it: {'. '.join([reason, *(way_out if name == name.strip() else ())])}"
            for (name, reason), labels in self._undeclarable.items()
        ]

    def describe(self, outlook: Outlook, target: Target) -> dict[str, t.Any]:
        return describe_restriction(outlook, target, self._there)

    # -- what is there already

    def title(self, options: Options) -> str:
        filled = self.filled(options)
        return f"{'no ' if filled['state'] == 'absent' else ''}rule {filled['rule_name']}"

    def restated(self, outlook: Outlook, target: Target, declared: t.Sequence[tuple[Options, Wish]]) -> Restated:
        fleet = outlook.fleet
        rules = self._options_by_rule(fleet)
        here = sorted(fleet.assignments.possible(target) & rules.keys()) if rules else []
        if not here and not declared:
            return NOTHING
        assigned: dict[int, Options | str] = {}
        left_out = []
        for number in here:
            name = quoted(fleet.rules[number].get("name"), 100)
            is_assigned = fleet.assignments.assigned_here(target, number)
            if is_assigned is None:
                left_out.append(
                    f"whether the rule {name}, which is inherited, is assigned here, too, only a request for each"
                    " target could tell"
                )
            elif is_assigned:
                assigned[number] = rules[number]
        own = {
            str(fleet.rules[number].get("name")): ASSIGNED
            for number, found in assigned.items()
            if not isinstance(found, str)
        }
        told = [
            f"the rule {quoted(fleet.rules[number].get('name'), 100)}: {reason}"
            for number, reason in assigned.items()
            if isinstance(reason, str)
        ]
        one = next(iter(assigned.values())) if len(assigned) == 1 else None
        options = None if isinstance(one, str) else self._as_declared(one)
        restated, kept = self._restated(outlook, target, declared, options)
        if len(assigned) > 1 and not told:
            names = enumerated([quoted(fleet.rules[number].get("name"), 100) for number in assigned])
            told = [f"a target can have one restriction, and several rules restrict it: {names}"]
        if kept is None:
            left_out += told
        elif any(fleet.rules[number].get("name") != kept for number in assigned):
            left_out.append(
                f"more than one rule restricts it, and only {quoted(kept, 100)} is declared: undeclared=remove would take"
                " away the others"
            )
        added = options or {} if kept is None else {}
        as_it_is = () if declared or added else tuple(self._as_it_is(fleet, number) for number in assigned)
        return Restated(tuple(restated), added, own, tuple(left_out), tuple(filter(None, as_it_is)))

    def _as_it_is(self, fleet: Fleet, rule_id: int) -> Options | None:
        """The options that keep a rule assigned, whatever it is; C(None) if its name does not lead to it."""
        name = str(fleet.rules[rule_id].get("name"))
        alike = [rule for rule in fleet.rules.values() if rule.get("name") == name]
        return {"rule_name": name, "state": "assigned"} if len(alike) == 1 and name == name.strip() else None

    def _restated(
        self,
        outlook: Outlook,
        target: Target,
        declared: t.Sequence[tuple[Options, Wish]],
        own: Options | None,
    ) -> tuple[list[Options], str | None]:
        """The new options of each declaration, and the name of the rule in the restriction that they then declare."""
        restated: list[Options] = [{}] * len(declared)
        kept: Restriction | None = None
        for number, (options, (restriction,)) in enumerate(declared):
            if restriction.present and kept in (None, restriction) and self._stands(outlook, target, restriction):
                restated[number], kept = options, restriction
                if restriction.described:
                    self._canonical.setdefault(restriction.rule_name, options)
        for number, (options, (restriction,)) in enumerate(declared):
            if not restriction.present and self._is_gone(outlook, target, restriction):
                if kept is None or kept.rule_name != restriction.rule_name:
                    restated[number] = options
            elif own is not None and kept is None:
                restated[number] = adapted(options, own, self.filled)
                (kept,) = self.wish(self.filled(restated[number]), Scope(self.name))
                self._canonical.setdefault(kept.rule_name, restated[number])
        return restated, kept.rule_name if kept else None

    def _options_by_rule(self, shared: SharedObjects) -> dict[int, Options | str]:
        if self._restating is None:
            self._restating = {}
            for number in restricting_rules(shared):
                try:
                    self._restating[number] = options_of(shared, shared.rules[number], self.filled)
                except Unfit as unfit:
                    self._restating[number] = str(unfit)
        return self._restating

    def _as_declared(self, options: Options | None) -> Options | None:
        """The options of a rule, spelled as in the document if it declares the rule."""
        if options is None:
            return None
        return self._canonical.get(str(self.filled(options)["rule_name"]), options)

    def _stands(self, outlook: Outlook, target: Target, restriction: Restriction) -> bool:
        """Whether a restriction of a target would need no write."""
        fleet = outlook.fleet
        canonical = self._canonical.get(restriction.rule_name)
        if canonical is not None and self.wish(self.filled(canonical), Scope(self.name)) != (restriction,):
            return False
        try:
            rule = find_named(fleet, FIREWALL_RULE, restriction.rule_name)
            if rule is None or (restriction.described and needed_objects(fleet, restriction)):
                return False
        except Unfit:
            return False
        if fleet.assignments.states([target], rule["ID"])[target]:
            return True
        return restriction.accept_inherited and outlook.giver(target, restriction.rule_name, rule["ID"]) is not None

    def _is_gone(self, outlook: Outlook, target: Target, restriction: Restriction) -> bool:
        """Whether the absence of a rule on a target would need no write and no deletion."""
        fleet = outlook.fleet
        try:
            rule = find_named(fleet, FIREWALL_RULE, restriction.rule_name)
            if rule is None:
                return not deletable_lists(fleet, restriction, {}, {})
        except Unfit:
            return False
        if fleet.assignments.states([target], rule["ID"])[target]:
            return False
        return deletable_rule(fleet, rule, {target}, ()) is None

    # -- effect

    def _others(self, fleet: Fleet, port: int) -> frozenset[int]:
        """All rules that can open a port."""
        if port not in self._candidates:
            self._candidates[port] = opening_candidates(fleet, port)
        return self._candidates[port]

    def _undoing(self, fleet: Fleet, target: Target, others: frozenset[int]) -> list[str]:
        """The rules among these others that a target has and that undo a restriction."""
        others = others & fleet.assignments.effective(target)
        if others not in self._openings:
            self._openings[others] = openings(fleet, others)
        return self._openings[others]
