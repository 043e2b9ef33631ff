# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every facet is: options in, a wish per target, and the changes that bring the manager to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from itertools import compress

from .._basis.errors import OptionError
from .._fleet.catalogue import INHERITED, Setting, Value
from .._fleet.fleet import Fleet
from .._fleet.objects import Target
from .._manager.client import Kind


class Refused(Exception):
    """A wish that must not be carried out on a target; the text says why and what to do."""


class Conflict(Exception):
    """Two wishes that cannot both come true; the text says in what they differ."""


@dataclass(frozen=True)
class Scope:
    """Where options come from: C(path) is their place in the task, C(deployment) is C(cloud) or C(on_premises)."""

    path: str
    deployment: str

    def error(self, option: str, value: t.Any, right: str) -> OptionError:
        """An error about one option, named by its whole path; C(right) completes "it must be"."""
        return self.fault(option, value, f"it must be {right}")

    def fault(self, option: str, value: t.Any, sentence: str) -> OptionError:
        """The same in a sentence of its own."""
        return OptionError(f"{self.path}.{option}" if self.path else option, value, sentence)


@dataclass(eq=False)
class ObjectChange:
    """A firewall rule or list that must be made or changed before targets are written, or deleted after.

    C(differences(current, ids)) gives the fields to send so that C(current) becomes what is wanted; none when it is.
    It serves planning, sending and checking the reply alike. C(ids) maps (kind, name) to IDs of other objects.
    """

    kind: Kind
    name: str
    existing: dict[str, t.Any] | None
    before: dict[str, t.Any] | None
    after: dict[str, t.Any] | None
    why: str
    differences: t.Callable[[dict, dict[tuple[Kind, str], int]], dict]
    on_create: dict[str, t.Any] = field(default_factory=dict)
    # Objects that must be as wanted before this one is written.
    needs: frozenset[tuple[Kind, str]] = frozenset()

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.kind.noun} '{self.name}'" + (f" (ID {self.existing['ID']})" if self.existing else "")

    @property
    def reference(self) -> dict[str, t.Any]:
        """How results name it."""
        reference = {"type": self.kind.noun.lower().replace(" ", "_"), "name": self.name}
        return {**reference, "id": self.existing["ID"]} if self.existing else reference


@dataclass(eq=False)
class Change:
    """What one facet changes on one target: settings to write, or rules to assign and to take away.

    C(before), C(after) and C(why) have an entry for each of its items, in their order.
    """

    facet: str
    target: Target
    before: dict[str, t.Any]
    after: dict[str, t.Any]
    why: list[str]
    settings: dict[Setting, Value] = field(default_factory=dict)
    assign: str | None = None
    unassign: tuple[str, ...] = ()

    @property
    def items(self) -> list[Setting | str]:
        """What can come true or fail by itself: the settings, or the names of the rules."""
        return [*(self.settings or self.before)]

    def part(self, kept: t.Container[Setting | str]) -> Change:
        """This change with some of its items only."""
        chosen = [item in kept for item in self.items]
        return replace(
            self,
            before=dict(compress(self.before.items(), chosen)),
            after=dict(compress(self.after.items(), chosen)),
            why=list(compress(self.why, chosen)),
            settings=dict(compress(self.settings.items(), chosen)),
            assign=self.assign if self.assign in kept else None,
            unassign=tuple(rule for rule in self.unassign if rule in kept),
        )


class Facet:
    """One thing that can be declared of a target. A new facet is a subclass in a file of its own."""

    name: t.ClassVar[str]
    arguments: t.ClassVar[dict[str, dict]]

    def wish(self, options: dict, scope: Scope) -> t.Any:
        """Options to what is wanted; raises C(OptionError) for what can never be right."""
        raise NotImplementedError

    def merge(self, first: t.Any, second: t.Any) -> t.Any:
        """Both wishes for one target in one; raises C(Conflict)."""
        raise NotImplementedError

    def check_together(self, wishes: t.Iterable[t.Any]) -> None:
        """Raise C(Conflict) when wishes for different targets exclude each other."""

    def prepare(self, fleet: Fleet, wishes: dict[Target, t.Any]) -> Preparation:
        """What concerns several targets at once: shared objects, and targets that must be left alone."""
        return Preparation()

    def plan(self, fleet: Fleet, target: Target, wish: t.Any) -> Change | None:
        """The change for one target; C(None) when it is as wanted. Raises C(Refused)."""
        raise NotImplementedError

    def guard(self, fleet: Fleet, wishes: dict[Target, t.Any], changing: t.Container[Target]) -> dict[Target, str]:
        """After all facets planned: targets that must not be written after all, each with the reason."""
        return {}

    def warnings(self, fleet: Fleet, wishes: dict[Target, t.Any], deployment: str) -> list[str]:
        """What the operator should know although it is no error."""
        return []

    def describe(self, fleet: Fleet, target: Target) -> dict[str, t.Any]:
        """The facet of a target as it is: override, effective value, and where that is set."""
        raise NotImplementedError


@dataclass
class Preparation:
    """What C(Facet.prepare) found."""

    objects: list[ObjectChange] = field(default_factory=list)
    deletions: list[ObjectChange] = field(default_factory=list)
    refused: dict[Target, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WantedSettings:
    """Settings with the value wanted for each, and those for which an equal inherited value is fine."""

    values: dict[Setting, Value]
    inherited_accepted: frozenset[Setting]


class SettingsFacet(Facet):
    """A facet made of settings alone; C(options) names the option of each setting."""

    options: t.ClassVar[dict[Setting, str]]

    def wanted(self, values: dict[Setting, Value], accept_inherited: bool) -> WantedSettings:
        """The wish of these values."""
        return WantedSettings(values, frozenset(values) if accept_inherited else frozenset())

    def merge(self, first: WantedSettings, second: WantedSettings) -> WantedSettings:
        for setting in first.values.keys() & second.values.keys():
            if first.values[setting] != second.values[setting]:
                raise Conflict(
                    f"{self.name}.{self.options[setting]} is to be {first.values[setting]!r} and"
                    f" {second.values[setting]!r}"
                )
        both = first.values.keys() & second.values.keys()
        accepted = (first.inherited_accepted | second.inherited_accepted) - {
            setting
            for setting in both
            if setting not in first.inherited_accepted or setting not in second.inherited_accepted
        }
        return WantedSettings({**first.values, **second.values}, accepted)

    def plan(self, fleet: Fleet, target: Target, wish: WantedSettings) -> Change | None:
        before, after, why, settings = {}, {}, [], {}
        for setting, value in wish.values.items():
            override = target.overrides.get(setting)
            if override == value or (override is None and value == INHERITED):
                continue
            inherited, source = (None, "") if override is not None else fleet.inherited(target, setting)
            if override is None and inherited == value and setting in wish.inherited_accepted:
                continue
            option = self.options[setting]
            settings[setting] = value
            before[option] = INHERITED if override is None else override
            after[option] = value
            if override is not None:
                why.append(f"{option} is set to {override!r} here")
            elif inherited is None:
                why.append(f"{option} is not set here")
            else:
                why.append(f"{option} is not set here; {inherited!r} is inherited from the {source}")
        if not settings:
            return None
        for setting, value in settings.items():
            fleet.plan_setting(target, setting, value)
        return Change(self.name, target, before, after, why, settings)

    def describe(self, fleet: Fleet, target: Target) -> dict[str, t.Any]:
        described = {}
        for setting, option in self.options.items():
            value, source = fleet.effective(target, setting)
            described[option] = {
                "override": fleet.override(target, setting),
                "effective": value,
                "inherited_from": None if source == target.label else source,
            }
        return described
