# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A trial: a plan's changes of a policy, made first as overrides on some computers below it, and then removed again.

A trial must show what the policy's change will do to the computer. If it cannot show that, it is refused.
"""

from __future__ import annotations

import json
import typing as t

from .._basis.errors import OptionError
from .._basis.text import enumerated, in_words, quoted
from .._communication.bound import Bound
from .._communication.document import REMOVE, Document, TryOn
from .._communication.waves import Place, fair_order
from .._facets.firewall.snapshot import restricting_rules
from .._facets.step import ASSIGN, SET, UNASSIGN, WRITE, Step, needed_by
from .._fleet.catalogue import BY_OPTION, COMMUNICATION_DIRECTION, INHERITED
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .._vendor.communication import AGENT_INITIATED, MANAGER_INITIATED

Options = t.Dict[str, t.Any]
# What to try on a computer: options, by facet.
Content = t.Dict[str, Options]
# The options that name what a restriction has created, so that it can be removed.
_NAMES = ("rule_name", "ip_list_name", "mac_list_name")


class Trial(t.NamedTuple):
    """Computers, what to try on them, and the policies that it is for, by their IDs.

    switched: computers whose agents only the manager has called until now, and that will initiate. profiles: a document
    that starts the trial. end: a document that ends it.
    """

    computers: frozenset[int]
    policies: frozenset[int]
    switched: frozenset[int]
    profiles: t.Sequence[Options]
    end: t.Sequence[Options]


def make_trial(
    outlook: Outlook,
    document: Document,
    options: t.Sequence[t.Mapping[str, t.Any]],
    steps: t.Sequence[Step],
    targets: t.Sequence[t.Sequence[Target]],
    tried_on: t.Mapping[int, t.Sequence[Computer]],
    places: t.Mapping[int, Place],
) -> Trial:
    """The trial for these steps of a document's plan.

    options: the options of the document's profiles. targets: the targets of each profile. tried_on: by the number of a
    profile, the computers to try it on. places: where each computer belongs, and whether its agent can be judged.
    Raises C(OptionError).
    """
    if tried_on and document.undeclared == REMOVE:
        raise OptionError(
            "plan_file", None, "its undeclared must not be remove if a profile has try_on, as it would remove the trial"
        )
    own = {
        (facet, target)
        for profile, found in zip(document.profiles, targets)
        for facet in profile.wishes
        for target in found
        if isinstance(target, Computer)
    }
    by_content: dict[str, list[int]] = {}
    computers: dict[int, Content] = {}
    policies: set[int] = set()
    for number, found in tried_on.items():
        profile = document.profiles[number]
        try_on = t.cast(TryOn, profile.try_on)
        change = _Change(outlook, steps, profile.wishes.keys(), targets[number], try_on.path)
        candidates = _Candidates(change, options[number], own, computers, places)
        for computer, tried in candidates.chosen(found, try_on.sample):
            computers[computer.id] = tried.content
            policies |= tried.policies
            by_content.setdefault(json.dumps(tried.content, sort_keys=True), []).append(computer.id)
    switched = {
        number
        for number, content in computers.items()
        if content.get("communication_direction", {}).get(COMMUNICATION_DIRECTION.option) == AGENT_INITIATED
        and outlook.effective(outlook.fleet.computers[number], COMMUNICATION_DIRECTION)[0] == MANAGER_INITIATED
    }
    profiles, end = [], []
    for count, (text, ids) in enumerate(by_content.items(), start=1):
        content = json.loads(text)
        profiles.append({"name": f"trial {count}", "computers": ids, **content})
        # A computer that is gone by then has nothing to remove.
        gone = {"name": f"end of trial {count}", "computers": ids, "allow_missing": True, "allow_empty": True}
        end.append({**gone, **{facet: _taken_away(facet, declared) for facet, declared in content.items()}})
    return Trial(frozenset(computers), frozenset(policies), frozenset(switched), profiles, end)


class _Tried(t.NamedTuple):
    """What to try on a computer, and the policies that it is for."""

    content: Content
    policies: set[int]


class _Candidates(t.NamedTuple):
    """Computers on which a profile's change may be tried.

    options: the options of the profile. own: what profiles declare for computers. taken: computers of other trials.
    """

    change: _Change
    options: t.Mapping[str, t.Any]
    own: t.Container[tuple[str, Target]]
    taken: t.Container[int]
    places: t.Mapping[int, Place]

    def chosen(self, found: t.Sequence[Computer], sample: Bound | None) -> list[tuple[Computer, _Tried]]:
        """The computers to try it on: all for which something changes, or as many of them as the sample needs.

        Raises C(OptionError) if a computer cannot be used, or if there are not enough computers.
        """
        if sample is None:
            return [(computer, tried) for computer in found for tried in [self.tried(computer)] if tried.content]
        by_id = {computer.id: computer for computer in found if self.change.concerns(computer)}
        most = sample.out_of(len(by_id))
        chosen: list[tuple[Computer, _Tried]] = []
        why_not = ""
        for number in fair_order(self.places[number] for number in by_id) if most else ():
            try:
                chosen.append((by_id[number], self.tried(by_id[number])))
            except OptionError as error:
                why_not = why_not or error.what_would_be_right
            if len(chosen) == most:
                return chosen
        if not most:
            return []
        raise OptionError(
            f"{self.change.option}.sample",
            sample.text,
            f"of {len(by_id)} computers, it takes {most}, and the change can be tried on {len(chosen)} of them; of another"
            f" one, {why_not}",
        )

    def tried(self, computer: Computer) -> _Tried:
        """What to try on a computer; nothing if nothing changes for it. Raises C(OptionError)."""
        content: Content = {}
        policies: set[int] = set()
        for policy, step in self.change.reaching(computer):
            if (step.facet, computer) in self.own:
                raise self.change.error(computer, f"a profile declares {step.facet} of it")
            if step.action == SET:
                self.change.check_setting(computer, policy, step)
                content.setdefault(step.facet, {})[step.key] = in_words(step.after)
            else:
                self.change.check_rule(computer, step)
                content[step.facet] = {**self.options[step.facet], "accept_inherited": False}
            policies.add(policy.id)
        if content and not self.places[computer.id].heard:
            raise self.change.error(computer, f"the agent of the {computer.label} was silent, and cannot be judged")
        if content and computer.id in self.taken:
            raise self.change.error(computer, "another profile is tried on it, too")
        return _Tried(content, policies)


def _taken_away(facet: str, declared: Options) -> Options:
    if facet == "firewall_restriction":
        return {"state": "absent", **{name: declared[name] for name in _NAMES if declared.get(name) is not None}}
    return dict.fromkeys(declared, INHERITED)


class _Change:
    """A plan's changes of the policies of one profile."""

    def __init__(
        self,
        outlook: Outlook,
        steps: t.Sequence[Step],
        facets: t.Container[str],
        targets: t.Iterable[Target],
        option: str,
    ) -> None:
        self._outlook, self.option = outlook, option
        self._by_id = {step.id: step for step in steps}
        self._policies = {target.id for target in targets if isinstance(target, Policy)}
        self._on_policies: dict[int, list[Step]] = {}
        # The settings that will be set, by type and ID of the target, and by option.
        self._set = {(*step.subject[:2], step.key) for step in steps if step.action == SET and step.after != INHERITED}
        for step in steps:
            if step.subject.type == "policy" and step.facet in facets and step.action in (SET, ASSIGN, UNASSIGN):
                self._on_policies.setdefault(step.subject.id or 0, []).append(step)

    def error(self, computer: Computer, why: str) -> OptionError:
        """The error that a trial on this computer would not show what the policy's change does."""
        return OptionError(
            self.option, computer.name, f"it must be computers on which the change can be tried, and {why}"
        )

    def concerns(self, computer: Computer) -> bool:
        """Whether a computer is below a changing policy of the profile."""
        above = self._outlook.fleet.lineage(computer)
        return any(policy.id in self._policies and policy.id in self._on_policies for policy in above)

    def reaching(self, computer: Computer) -> list[tuple[Policy, Step]]:
        """The changes for a computer by policies of the profile; for each option or rule, the nearest policy's."""
        lineage = self._outlook.fleet.lineage(computer)
        if not any(policy.id in self._policies for policy in lineage):
            raise self.error(computer, f"the {computer.label} is below no policy of the profile")
        found: dict[tuple[str, str], tuple[Policy, Step]] = {}
        for policy in lineage:
            for step in self._on_policies.get(policy.id, ()) if policy.id in self._policies else ():
                found.setdefault((step.facet, step.key), (policy, step))
        return list(found.values())

    def check_setting(self, computer: Computer, policy: Policy, step: Step) -> None:
        """Raise C(OptionError) if a setting of the policy does not reach the computer, or has no value of its own."""
        if step.after == INHERITED:
            raise self.error(computer, f"{step.key} of the {policy.label} goes back to what is set above it")
        today = self._outlook.effective(computer, BY_OPTION[step.key])[0]
        if step.after == AGENT_INITIATED and today == MANAGER_INITIATED and computer.is_macos:
            # The agent might then neither reach the manager nor be reachable, so it could not be switched back.
            why = "has never contacted the manager by itself, and a rehearsal is not possible on macOS"
            raise self.error(computer, f"the agent of the {computer.label} {why}")
        places: tuple[Target, ...] = (computer, *self._outlook.fleet.lineage(computer))
        for place in places:
            if place == policy:
                return
            is_set = self._outlook.override(place, BY_OPTION[step.key]) is not None
            if is_set or (*place.identity, step.key) in self._set:
                raise self.error(computer, f"{step.key} of the {computer.label} is set on the {place.label}")

    def check_rule(self, computer: Computer, step: Step) -> None:
        """Raise C(OptionError) if a rule on the computer would not have the same effect as on its policy."""
        fleet = self._outlook.fleet
        if step.action == UNASSIGN:
            raise self.error(computer, f"a computer cannot lose the rule {quoted(step.key, 100)} that its policy has")
        there = fleet.assignments.effective(computer) & restricting_rules(fleet)
        if there:
            names = enumerated([quoted(fleet.rules[rule_id].get("name"), 100) for rule_id in sorted(there)], 3)
            raise self.error(
                computer, f"the {computer.label} also keeps the rules that it has for the agents' port: {names}"
            )
        for need in needed_by([step], self._by_id):
            changed = self._by_id[need]
            if changed.action == WRITE and changed.subject.id is not None:
                raise self.error(computer, f"the {changed.subject.label} would change for all targets that have it")
