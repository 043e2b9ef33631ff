# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules and lists as declared restrictions will leave them."""

from __future__ import annotations

import typing as t

from ..._fleet.fleet import Fleet
from ..._fleet.shared_objects import resolved
from ..._manager.kinds import FIREWALL_RULE, PORT_LIST, Item, Kind
from .restriction import Restriction
from .shared_objects import Unfit, needed_objects


class Later:
    """What a fleet's C(SharedObjects) will be. Rules and lists that will be made have IDs below 0."""

    def __init__(self, fleet: Fleet, wishes: t.Mapping[t.Any, tuple[Restriction, ...]]) -> None:
        self._fleet = fleet
        self._objects: dict[Kind, dict[int, Item]] = {}
        described: dict[str, dict[int, Restriction]] = {}
        # Many targets share one wish.
        for wish in {id(wish): wish for wish in wishes.values()}.values():
            for one in wish:
                if one.present and one.described:
                    described.setdefault(one.rule_name, {})[id(one)] = one
        made: dict[tuple[str, str], int] = {}
        for alike in described.values():
            try:
                steps = [step for one in alike.values() for step in needed_objects(fleet, one)]
            except Unfit:
                # The targets of these are refused, and nothing is written.
                continue
            for step in steps:
                number = step.subject.id
                if number is None:
                    number = made.setdefault((step.subject.type, step.subject.name), -1 - len(made))
                objects = self._objects.setdefault(step.subject.kind, {**fleet.objects(step.subject.kind)})
                fields = {key: resolved(value, made) for key, value in step.after.items()}
                objects[number] = {"ID": number, "name": step.subject.name, **objects.get(number, {}), **fields}

    @property
    def rules(self) -> dict[int, Item]:
        """Every firewall rule by its ID."""
        return self.objects(FIREWALL_RULE)

    def port_list(self, list_id: int) -> Item | None:
        """The port list with that ID, or none."""
        return self.objects(PORT_LIST).get(list_id)

    def objects(self, kind: Kind) -> dict[int, Item]:
        """Every rule or list of one kind by its ID. What is not written is read when first needed."""
        return self._objects.get(kind) or self._fleet.objects(kind)
