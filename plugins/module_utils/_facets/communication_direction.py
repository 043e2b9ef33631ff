# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Communication direction: whether agents connect to the manager, the manager to agents, or both."""

from __future__ import annotations

import typing as t

from .._basis.text import enumerated, literal
from .._fleet.alike import Alike, alike
from .._fleet.catalogue import COMMUNICATION_DIRECTION, INHERITED, Setting, Value
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target, appliances_among, macs_among
from .._fleet.outlook import Outlook
from .._manager.kinds import POLICY
from .._vendor.communication import AGENT_INITIATED, BIDIRECTIONAL, DIRECTIONS
from .._vendor.deployment import CLOUD
from .facet import Scope, SettingsFacet, SettingsWish, Wishes, labels_of, subject_of
from .step import SHIELDS, Refusal, Said, Step


class CommunicationDirection(SettingsFacet):
    """macOS agents can only initiate (source: the vendor's page), so any other direction for them is refused."""

    name = "communication_direction"
    settings = (COMMUNICATION_DIRECTION,)
    arguments = {
        "direction": {"type": "str", "required": True, "choices": [*DIRECTIONS, INHERITED]},
        "accept_inherited": {"type": "bool", "default": False},
    }

    def __init__(self, deployment: str) -> None:
        super().__init__(deployment)
        # Why a target's present direction cannot be declared, filled when first needed; C(None) if it can.
        self._refused_today: dict[Target, str | None] | None = None

    def wish(self, options: t.Mapping[str, t.Any], _scope: Scope) -> SettingsWish:
        return SettingsWish.of({COMMUNICATION_DIRECTION: options["direction"]}, options.get("accept_inherited"))

    def steps(self, outlook: Outlook, wishes: Wishes[SettingsWish]) -> t.Iterator[Said]:
        refused = self._refused(outlook, wishes)
        for target in outlook.from_the_top(refused):
            yield Refusal(subject_of(target), self.name, refused[target])
        accepted = {target: wish for target, wish in wishes.items() if target not in refused} if refused else wishes
        steps = {(step.subject.type, step.subject.id): step for step in self.setting_steps(outlook, accepted)}
        needs = _shields(outlook, steps)
        shielding = {needed for of_step in needs.values() for needed in of_step}
        for step in steps.values():
            if step.after == AGENT_INITIATED or step.id in shielding:
                yield step._replace(stage=SHIELDS)
            else:
                shields = tuple(sorted(needs.get(step.id, ())))
                yield step._replace(needs=shields + _restrictions(outlook, _target(outlook.fleet, step)))

    def _refused(self, outlook: Outlook, wishes: Wishes[SettingsWish]) -> dict[Target, str]:
        """The targets whose direction would reach a macOS agent that cannot take it, and why."""
        refused: dict[Target, str] = {}
        groups = outlook.alike(wishes)
        # A refused step does not shield any agent, so the remaining steps are checked again without it.
        while more := self._refused_of(outlook, groups):
            refused.update(more)
            groups = alike({one: wish for one, wish in wishes.items() if one not in refused})
        return refused

    def _refused_of(self, outlook: Outlook, groups: t.Collection[Alike[SettingsWish]]) -> dict[Target, str]:
        """The targets that are refused, without looking at what other refusals lead to."""
        wanted = Outlook(outlook.fleet)
        for group in groups:
            # In a group of computers that are alike, only those on macOS are checked one by one.
            each = group.targets if isinstance(group.first, Policy) or group.first.is_macos else [group.first]
            wanted.set_all(each, COMMUNICATION_DIRECTION, _direction(group.wish))
        return {**self._unfit_for_macs(wanted, groups), **_unrestricted(outlook, wanted, groups)}

    def _unfit_for_macs(self, wanted: Outlook, groups: t.Iterable[Alike[SettingsWish]]) -> dict[Target, str]:
        risky = [
            target
            for group in groups
            if _direction(group.wish) != AGENT_INITIATED
            and not _only_inherits(group)
            and (not isinstance(group.first, Computer) or group.first.is_macos)
            and wanted.effective(group.first, COMMUNICATION_DIRECTION)[0] != AGENT_INITIATED
            for target in group.targets
        ]
        macs_of = _macs_by_policy(wanted, {target.id for target in risky if isinstance(target, Policy)})
        refused: dict[Target, str] = {}
        for target in risky:
            macs = [target] if isinstance(target, Computer) else macs_of.get(target.id, [])
            if macs:
                direction = wanted.effective(target, COMMUNICATION_DIRECTION)[0]
                what = direction or "the default, which the manager does not say,"
                refused[target] = (
                    f"agents on macOS only support {AGENT_INITIATED}; {what} would reach"
                    f" {enumerated([mac.label for mac in macs])}. Give {'it' if len(macs) == 1 else 'them'}"
                    f" {AGENT_INITIATED}, by an override or by a policy, or leave this target out"
                )
        return refused

    def undeclarable(self, outlook: Outlook, target: Target, setting: Setting, value: Value) -> str | None:
        if value not in DIRECTIONS:
            return f"{setting.option} is {literal(value)}, which is not one of {', '.join(DIRECTIONS)}"
        if value == AGENT_INITIATED or (isinstance(target, Computer) and not target.is_macos):
            return None
        if self._refused_today is None:
            fleet = outlook.fleet
            known: list[Target] = [*fleet.policies.values(), *fleet.read_computers]
            today = {one: one.overrides.get(setting) for one in known}
            wishes = {
                one: SettingsWish.of({setting: direction}, False)
                for one, direction in today.items()
                if direction in DIRECTIONS
            }
            self._refused_today = {**self._refused_of(outlook, alike(wishes))}
        if target not in self._refused_today:
            # The direction reaches the same agents whether it is set on this target or inherited.
            declared = {target: SettingsWish.of({setting: value}, True)} if setting not in target.overrides else {}
            self._refused_today[target] = self._refused_of(outlook, alike(declared)).get(target)
        refused = self._refused_today[target]
        return refused and f"{setting.option} is {literal(value)}, but {refused}"

    def warnings(self, outlook: Outlook, wishes: Wishes[SettingsWish]) -> list[str]:
        told = []
        groups = outlook.alike(wishes)
        leaving = [
            target
            for group in groups
            if self.deployment == CLOUD and _direction(group.wish) not in (AGENT_INITIATED, INHERITED)
            for target in group.targets
        ]
        if leaving:
            told.append(
                f"In the cloud the vendor strongly recommends keeping {AGENT_INITIATED}; this task declares another"
                f" direction for {labels_of(leaving)}"
            )
        # Each policy is a group of its own.
        listening = [
            group.first
            for group in groups
            if isinstance(group.first, Policy)
            and outlook.effective(group.first, COMMUNICATION_DIRECTION)[0] != AGENT_INITIATED
        ]
        unknown = _macs_of_unseen_policies(outlook, listening)
        if unknown:
            told.append(
                f"agents on macOS only support {AGENT_INITIATED}, and it is not known whether this task's direction reaches"
                f" {enumerated([mac.label for mac in unknown])}, since the manager does not show all policies above to this"
                " API key"
            )
        initiating = [one for group in groups if _direction(group.wish) == AGENT_INITIATED for one in group.targets]
        appliances = _appliances(outlook, initiating)
        if appliances:
            told.append(
                f"virtual appliances can only be {BIDIRECTIONAL}, says the vendor; {AGENT_INITIATED} would reach"
                f" {enumerated([appliance.label for appliance in appliances])}"
            )
        return told


def _direction(wish: SettingsWish) -> Value:
    return wish.values[COMMUNICATION_DIRECTION]


def _only_inherits(group: Alike[SettingsWish]) -> bool:
    """Whether nothing is to be written to these targets: they have no override, and are to have none."""
    return _direction(group.wish) == INHERITED and group.first.overrides.get(COMMUNICATION_DIRECTION) is None


def _opens(today: Outlook, later: Outlook, target: Target) -> bool:
    """Whether the agents of a target begin to listen; true if the manager does not tell the present direction."""
    return (
        today.effective(target, COMMUNICATION_DIRECTION)[0] in (AGENT_INITIATED, None)
        and later.effective(target, COMMUNICATION_DIRECTION)[0] != AGENT_INITIATED
    )


def _unrestricted(outlook: Outlook, wanted: Outlook, groups: t.Iterable[Alike[SettingsWish]]) -> dict[Target, str]:
    """The targets whose agents would begin to listen although their declared restriction is refused."""
    refused = {}
    for group in groups:
        if _only_inherits(group):
            # What opens the port is written above, and is refused there.
            continue
        for target in group.targets if _opens(outlook.today, wanted, group.first) else ():
            lacking = outlook.guarded(target).lacking
            if lacking is not None:
                refused[target] = f"their agents would listen on a port that is open to anybody, since {lacking}"
    return refused


def _restrictions(outlook: Outlook, target: Target) -> tuple[str, ...]:
    """The steps that restrict the port, and must come before agents begin to listen on it."""
    return outlook.guarded(target).needs if _opens(outlook.today, outlook, target) else ()


def _target(fleet: Fleet, step: Step) -> Target:
    number = t.cast(int, step.subject.id)
    return fleet.policies[number] if step.subject.kind is POLICY else fleet.computers[number]


def _appliances(outlook: Outlook, targets: t.Collection[Target]) -> list[Computer]:
    """The virtual appliances that would get their direction from these targets."""
    fleet = outlook.fleet
    appliances = appliances_among([target for target in targets if isinstance(target, Computer)])
    # The fleet is only listed if a policy changes, so that checking a policy needs no extra requests.
    changing = {
        target.id
        for target in targets
        if isinstance(target, Policy) and target.overrides.get(COMMUNICATION_DIRECTION) != AGENT_INITIATED
    }
    below = [
        computer
        for computer in appliances_among(fleet.list_computers() if changing else ())
        if any(policy.id in changing for policy in fleet.lineage(computer))
    ]
    fleet.read_overrides(below)
    reached = [one for one in below if outlook.effective(one, COMMUNICATION_DIRECTION)[0] == AGENT_INITIATED]
    return sorted({*reached, *appliances}, key=lambda one: one.id)


def _macs_of_unseen_policies(outlook: Outlook, policies: t.Iterable[Policy]) -> list[Computer]:
    """The macOS computers whose direction may be decided by these policies, if these change: a policy is not shown."""
    fleet = outlook.fleet
    # As with Macs that are known to be below, the fleet is only listed if a policy changes.
    if set(outlook.planned(COMMUNICATION_DIRECTION)).isdisjoint(policies):
        return []
    macs = [mac for mac in macs_among(fleet.list_computers()) if fleet.unseen_above(mac) is not None]
    fleet.read_overrides(macs)
    return [mac for mac in macs if outlook.effective(mac, COMMUNICATION_DIRECTION)[0] is None]


def _macs_below(outlook: Outlook, policy_ids: set[int]) -> list[Computer]:
    """The macOS computers below these policies, with their overrides read."""
    if not policy_ids:
        return []
    fleet = outlook.fleet
    below = [
        computer
        for computer in macs_among(fleet.list_computers())
        if any(policy.id in policy_ids for policy in fleet.lineage(computer))
    ]
    fleet.read_overrides(below)
    return below


def _macs_by_policy(outlook: Outlook, policy_ids: set[int]) -> dict[int, list[Computer]]:
    """The macOS computers whose direction each of these policies decides."""
    reached: dict[int, list[Computer]] = {}
    for computer in _macs_below(outlook, policy_ids):
        for holder in _path(outlook.fleet, computer):
            if isinstance(holder, Policy) and holder.id in policy_ids:
                reached.setdefault(holder.id, []).append(computer)
            if outlook.override(holder, COMMUNICATION_DIRECTION) is not None:
                break
    return reached


def _path(fleet: Fleet, computer: Computer) -> tuple[Target, ...]:
    """The targets on which a computer's direction can be set, nearest first."""
    return (computer, *fleet.lineage(computer))


def _shields(outlook: Outlook, steps: t.Mapping[tuple[str, int | None], Step]) -> dict[str, set[str]]:
    """For each step that loosens the direction of a macOS agent, or above it: the steps that tighten it there.

    After all of the tightening steps, the agent has a direction that it supports, whichever of the loosening steps are
    done. Any agent that will initiate because of a value set above it also waits for that value, so that it does not
    listen in between.
    """
    fleet = outlook.fleet
    loosened = {key for key, step in steps.items() if not _tightens(step)}
    macs = _macs_below(outlook, {number for kind, number in loosened if kind == "policy" and number})
    macs += [fleet.computers[number] for kind, number in loosened if kind == "computer" and number in fleet.computers]
    needs: dict[str, set[str]] = {}
    for mac in dict.fromkeys(macs):
        if not mac.is_macos:
            continue
        path = [steps.get(holder.identity) for holder in _path(fleet, mac)]
        tightening = {step.id for step in path if step and _tightens(step)}
        for step in path:
            if step and tightening and not _tightens(step):
                needs.setdefault(step.id, set()).update(tightening)
    for step in steps.values():
        if step.after == INHERITED and not _tightens(step):
            lineage = fleet.lineage(_target(fleet, step))
            if tightening := {one.id for policy in lineage if (one := steps.get(policy.identity)) and _tightens(one)}:
                needs.setdefault(step.id, set()).update(tightening)
    return needs


def _tightens(step: Step) -> bool:
    """Whether the step makes agents initiate, or removes an override that keeps them from inheriting that."""
    return bool(step.after == AGENT_INITIATED or (step.after == INHERITED and step.before != AGENT_INITIATED))
