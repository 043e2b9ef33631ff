# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface of all facets: options in, a wish per target, and the steps that fulfill the wishes."""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass, field
from functools import lru_cache

from .._basis.errors import OptionError
from .._basis.text import enumerated, in_words, literal
from .._fleet.catalogue import INHERITED, Setting, Value
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .step import HERE, SET, SETTINGS, Effective, Said, Step, Subject, step_id

Wish = t.TypeVar("Wish")
Wishes = t.Mapping[Target, Wish]
Options = t.Mapping[str, t.Any]


class Conflict(Exception):
    """Two wishes contradict each other. The text says how they differ."""


class Scope(t.NamedTuple):
    """Where options come from. C(path) is their place in the task."""

    path: str = ""

    def error(self, option: str, value: t.Any, right: str) -> OptionError:
        """An error about one option, named by its whole path; C(right) completes "it must be"."""
        return self.fault(option, value, f"it must be {right}")

    def fault(self, option: str, value: t.Any, sentence: str) -> OptionError:
        """Like C(error), but with a whole sentence."""
        return OptionError(self.named(option), value, sentence)

    def named(self, option: str) -> str:
        """The option's whole path, for errors."""
        return f"{self.path}.{option}" if self.path else option


@dataclass(frozen=True)
class Undeclared(t.Generic[Wish]):
    """Overrides that are not declared: a wish without them, and the steps that would remove them."""

    wish: Wish
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Restated:
    """What a document must declare for one facet of a target so that applying the document changes nothing.

    declared: what each of its declarations becomes: the very same options if they are true, empty if none of them can
    stay. added: overrides of the target that none of the declarations has. own: all overrides of the target that can be
    declared, by option or name of a rule. left_out: overrides that cannot be declared, and why. as_it_is: options, for
    separate profiles, that keep overrides unchanged which cannot be declared.
    """

    declared: tuple[Options, ...] = ()
    added: Options = field(default_factory=dict)
    own: t.Mapping[str, t.Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    as_it_is: tuple[Options, ...] = ()


# Shared by all targets without overrides, which are most of a fleet.
NOTHING = Restated()


class Facet(t.Generic[Wish]):
    """One thing that can be declared for a target. A new facet is a subclass in its own file.

    C(divisible): whether each of its options can be declared by a separate profile. C(nothing): options that are true
    for every target without overrides; empty if there are none.
    """

    name: t.ClassVar[str]
    arguments: t.ClassVar[dict[str, dict[str, t.Any]]]
    divisible: t.ClassVar[bool] = True
    nothing: t.ClassVar[Options] = {}

    def __init__(self, deployment: str) -> None:
        """C(deployment): C(cloud) or C(on_premises)."""
        self.deployment = deployment

    def wish(self, options: t.Mapping[str, t.Any], scope: Scope) -> Wish:
        """The wish of these options. Raises C(OptionError) for options that can never be right."""
        raise NotImplementedError

    def merge(self, first: Wish, second: Wish) -> Wish:
        """Merge two wishes for one target. Raises C(Conflict)."""
        raise NotImplementedError

    def check_together(self, wishes: t.Iterable[Wish]) -> None:
        """Raise C(Conflict) if wishes for different targets exclude each other."""

    def reads(self, fleet: Fleet, wishes: Wishes[Wish]) -> t.Iterable[str]:
        """The parts of the fleet that C(steps) will need, in the words of C(Fleet.begin). Reads nothing."""
        return ()

    def foresee(self, outlook: Outlook, wishes: Wishes[Wish]) -> None:
        """Tell the outlook what the steps of other facets must wait for before they may open a port."""

    def steps(self, outlook: Outlook, wishes: Wishes[Wish]) -> t.Iterator[Said]:
        """Everything to write, and every target that must be left alone. Adds its steps to the outlook."""
        raise NotImplementedError

    def learn(self, fleet: Fleet, wishes: Wishes[Wish], undone: t.Sequence[Step]) -> None:
        """Look at what is declared for all targets, before C(undeclared) is asked about each of them.

        C(undone): the steps of a plan that is to be undone.
        """

    def undeclared(self, outlook: Outlook, target: Target, wish: Wish | None) -> Undeclared[Wish] | None:
        """The overrides of a target that its wish, if any, does not mention; C(None) if there are none."""
        raise NotImplementedError

    def leftovers(
        self, outlook: Outlook, wishes: Wishes[Wish], targets: t.Iterable[Target], reviewed: t.Sequence[Step]
    ) -> dict[Target, Wish]:
        """Wishes for what a reviewed plan deletes and C(undeclared) does not find again, since no target has it anymore.

        They are added to the wishes of any of the targets.
        """
        return {}

    def given_back(
        self, wishes: Wishes[Wish], targets: t.Iterable[Target], undone: t.Sequence[Step]
    ) -> dict[Target, Wish]:
        """Wishes for what a plan that is to be undone took from targets, and that no snapshot can have."""
        return {}

    def notes(self) -> list[str]:
        """Remarks about what C(undeclared) has found and that is not drift."""
        return []

    def warnings(self, outlook: Outlook, wishes: Wishes[Wish]) -> list[str]:
        """What the operator should know although it is not an error."""
        return []

    def describe(self, outlook: Outlook, target: Target) -> dict[str, t.Any]:
        """The present state of a target's facet: override, effective value, and where the value is set."""
        raise NotImplementedError

    def restated(self, outlook: Outlook, target: Target, declared: t.Sequence[tuple[Options, Wish]]) -> Restated:
        """The overrides of a target in terms of options, compared with what a document already declares for it.

        C(declared): the options and the wish of each declaration of this target. The outlook must have no steps.
        """
        raise NotImplementedError

    def title(self, options: Options) -> str:
        """What options declare, in a few words."""
        return ", ".join(f"{name} {in_words(value)}" for name, value in options.items() if name != "accept_inherited")

    def filled(self, options: Options) -> dict[str, t.Any]:
        """The options with defaults added, as Ansible passes them to a module."""
        return {**{name: argument.get("default") for name, argument in self.arguments.items()}, **options}


class SettingsWish(t.NamedTuple):
    """Settings with their wanted values, and the settings for which an equal inherited value is enough."""

    values: t.Mapping[Setting, Value]
    inherited_accepted: frozenset[Setting]

    @classmethod
    def of(cls, values: t.Mapping[Setting, Value], accept_inherited: object) -> SettingsWish:
        """The wish for these values."""
        return cls(values, frozenset(values) if accept_inherited else frozenset())


class SettingsFacet(Facet[SettingsWish]):
    """A facet that only consists of settings."""

    settings: t.ClassVar[tuple[Setting, ...]]

    def __init__(self, deployment: str) -> None:
        super().__init__(deployment)
        # Why a value cannot be declared, worked out once.
        self._undeclarable: dict[tuple[Setting, Value], str | None] = {}

    def merge(self, first: SettingsWish, second: SettingsWish) -> SettingsWish:
        both = first.values.keys() & second.values.keys()
        for setting in both:
            if first.values[setting] != second.values[setting]:
                raise Conflict(
                    f"one declares {self.name}.{setting.option} as {literal(first.values[setting])}, the other as"
                    f" {literal(second.values[setting])}"
                )
        accepted = (first.inherited_accepted | second.inherited_accepted) - {
            setting
            for setting in both
            if setting not in first.inherited_accepted or setting not in second.inherited_accepted
        }
        return SettingsWish({**first.values, **second.values}, accepted)

    def reads(self, fleet: Fleet, wishes: Wishes[SettingsWish]) -> t.Iterable[str]:
        # If a top policy has no override, only the default policy tells its value.
        for policy in fleet.policies_read:
            wish = wishes.get(policy)
            if wish and policy.above is None:
                for setting, value in wish.values.items():
                    if value != INHERITED and setting not in policy.overrides:
                        return ("default_settings",)
        return ()

    def steps(self, outlook: Outlook, wishes: Wishes[SettingsWish]) -> t.Iterator[Said]:
        yield from self.setting_steps(outlook, wishes)

    def setting_steps(self, outlook: Outlook, wishes: Wishes[SettingsWish]) -> t.Iterator[Step]:
        """A step for each setting that differs from the wish, from the top of the tree down."""
        groups = outlook.alike(wishes)
        for policy in outlook.from_the_top(group.first for group in groups if isinstance(group.first, Policy)):
            yield from self._steps_of(outlook, policy, wishes[policy])
        for group in groups:
            for setting in group.wish.inherited_accepted:
                above = _above_that_is_enough(outlook, group.first, setting, group.wish)
                if above is not None:
                    outlook.rely(group.targets, step_id(SET, *above.identity, setting.option))
        # The policies are planned by now, so it is known what computers inherit.
        differing = [
            computer
            for group in groups
            if isinstance(group.first, Computer)
            and not all(_holds(outlook, group.first, setting, group.wish) for setting in group.wish.values)
            for computer in group.targets
        ]
        for computer in outlook.from_the_top(differing):
            yield from self._steps_of(outlook, computer, wishes[computer])

    def _steps_of(self, outlook: Outlook, target: Target, wish: SettingsWish) -> t.Iterator[Step]:
        subject = None
        for setting, value in wish.values.items():
            if _holds(outlook, target, setting, wish):
                continue
            override = target.overrides.get(setting)
            outlook.set(target, setting, value)
            subject = subject or subject_of(target)
            before = INHERITED if override is None else override
            held = outlook.today.effective(target, setting) if override is None else (override, HERE)
            effective, why = _told(setting, override, *held)
            yield Step(SET, subject, self.name, setting.option, before, effective, value, why, SETTINGS)

    def undeclared(
        self, outlook: Outlook, target: Target, wish: SettingsWish | None
    ) -> Undeclared[SettingsWish] | None:
        if not target.overrides:
            return None
        found = [
            setting
            for setting in self.settings
            if setting in target.overrides and not (wish and setting in wish.values)
        ]
        found = [setting for setting in found if self.is_drift(target, setting, target.overrides[setting])]
        if not found:
            return None
        subject, steps = subject_of(target), []
        for setting in found:
            override = target.overrides[setting]
            effective, why = _told(setting, override, override, HERE)
            steps.append(Step(SET, subject, self.name, setting.option, override, effective, INHERITED, why, SETTINGS))
        return Undeclared(SettingsWish.of(dict.fromkeys(found, INHERITED), False), tuple(steps))

    def is_drift(self, _target: Target, _setting: Setting, _value: Value) -> bool:
        """Whether an undeclared override may be called drift."""
        return True

    def restated(
        self, outlook: Outlook, target: Target, declared: t.Sequence[tuple[Options, SettingsWish]]
    ) -> Restated:
        if not declared and not target.overrides:
            return NOTHING
        own: dict[str, Value] = {}
        left_out = []
        for setting in self.settings:
            value = target.overrides.get(setting)
            reason = None if value is None else self.undeclarable(outlook, target, setting, value)
            if reason:
                left_out.append(reason)
            elif value is not None:
                own[setting.option] = value
        added = dict(own)
        restated = [dict(options) for options, _wish in declared]
        for setting in self.settings:
            saying = [number for number, (_options, wish) in enumerate(declared) if setting in wish.values]
            if not saying:
                continue
            added.pop(setting.option, None)
            if len({declared[number][1].values[setting] for number in saying}) == 1 and all(
                self._stays(outlook, target, setting, declared[number][1]) for number in saying
            ):
                continue
            for number in saying:
                if target.overrides.get(setting) is None:
                    restated[number][setting.option] = INHERITED
                elif setting.option in own:
                    restated[number][setting.option] = own[setting.option]
                else:
                    del restated[number][setting.option]
        some = {setting.option for setting in self.settings}
        return Restated(tuple(one if some & one.keys() else {} for one in restated), added, own, tuple(left_out))

    def _stays(self, outlook: Outlook, target: Target, setting: Setting, wish: SettingsWish) -> bool:
        """Whether one setting of a wish would need no write, and would not be refused."""
        value = wish.values[setting]
        return _holds(outlook, target, setting, wish) and (
            value == INHERITED or self.undeclarable(outlook, target, setting, value) is None
        )

    def undeclarable(self, outlook: Outlook, target: Target, setting: Setting, value: Value) -> str | None:
        """Why the value of a target, its own or inherited, cannot be declared; C(None) if it can."""
        key = (setting, value)
        if key not in self._undeclarable:
            try:
                declared = self.wish(self.filled({setting.option: value}), Scope(self.name)).values[setting]
            except OptionError as error:
                self._undeclarable[key] = str(error)
            else:
                told = f"{setting.option} is {literal(value)}, which is none of its values"
                self._undeclarable[key] = None if declared == value else told
        return self._undeclarable[key]

    def describe(self, outlook: Outlook, target: Target) -> dict[str, t.Any]:
        described = {}
        for setting in self.settings:
            value, source = outlook.effective(target, setting)
            described[setting.option] = {
                "override": outlook.override(target, setting),
                "effective": value,
                "inherited_from": None if source == target.label else source,
            }
        return described


def _holds(outlook: Outlook, target: Target, setting: Setting, wish: SettingsWish) -> bool:
    """Whether one setting of a wish would need no write."""
    override, value = target.overrides.get(setting), wish.values[setting]
    if override is None:
        accepted = setting in wish.inherited_accepted and outlook.inherited(target, setting)[0] == value
        return value == INHERITED or accepted
    return override == value


def _above_that_is_enough(outlook: Outlook, target: Target, setting: Setting, wish: SettingsWish) -> Policy | None:
    """The policy whose planned value is enough for the wish, although it is not there yet."""
    if wish.values[setting] == INHERITED or target.overrides.get(setting) is not None:
        return None
    return outlook.planned_above(target, setting) if _holds(outlook, target, setting, wish) else None


# Kept, since many steps share these values: a plan can have hundreds of thousands of steps.
@lru_cache(maxsize=None)
def _told(setting: Setting, override: Value | None, value: Value | None, source: str) -> tuple[Effective, str]:
    """The effective value before a step, and why the step is needed."""
    option = setting.option
    if override is not None:
        return Effective(override, HERE), f"{option} is set to {literal(override)} here"
    if value is None:
        return Effective(None, source), f"{option} is not set here"
    return Effective(value, source), f"{option} is not set here; {literal(value)} is inherited from the {source}"


def labels_of(targets: t.Sequence[Target], most: int = 10) -> str:
    """Targets separated by commas, policies first and by ID. If there are many, the first ones and how many more."""
    first = heapq.nsmallest(most, targets, key=lambda target: (isinstance(target, Computer), target.id))
    return enumerated([target.label for target in first], most, len(targets))


def subject_of(target: Target) -> Subject:
    """The subject of a step on this target."""
    return Subject(*target.identity, target.name)
