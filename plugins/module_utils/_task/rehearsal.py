# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rehearsals for agents that will initiate but have only answered so far: they must connect while they still listen.

An agent that stops listening and cannot find its manager is lost for good. So it is made bidirectional first.
"""

from __future__ import annotations

import typing as t

from .._communication.waves import END_OF_TRIAL, OF_TRIAL, Branch, Key, Wave
from .._facets.step import SET, Step
from .._fleet.catalogue import COMMUNICATION_DIRECTION, INHERITED
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Target
from .._fleet.outlook import Outlook
from .._vendor.communication import AGENT_INITIATED, BIDIRECTIONAL, MANAGER_INITIATED

Result = t.Dict[str, t.Any]


class Rehearsals:
    """The targets of a plan that make agents initiate which only the manager has called until now.

    C(computers): the computers of the plan, with their overrides. C(branches): every policy. C(tried): targets that a
    trial switches first.
    """

    def __init__(
        self,
        fleet: Fleet,
        steps: t.Sequence[Step],
        computers: t.Iterable[Computer],
        branches: t.Mapping[int, Branch],
        tried: t.Iterable[int] = (),
    ) -> None:
        today, later = Outlook(fleet), Outlook(fleet)
        known: dict[str, t.Mapping[int, Target]] = {"policy": fleet.policies, "computer": fleet.computers}
        switching = {
            (step.subject.type, step.subject.id or 0): step
            for step in steps
            if step.action == SET and step.key == COMMUNICATION_DIRECTION.option
        }
        for (kind, number), step in switching.items():
            later.set(known[kind][number], COMMUNICATION_DIRECTION, step.after)
        macs = {computer.id for computer in computers if computer.is_macos}
        self._before: dict[Key, t.Any] = {}
        for (kind, number), step in switching.items():
            target = known[kind][number]
            # Agents on macOS only support that they initiate.
            has_macs = not macs.isdisjoint(branches[number].computers if kind == "policy" else (number,))
            if (
                not has_macs
                and _direction(today, target) == MANAGER_INITIATED
                and _direction(later, target) == AGENT_INITIATED
            ):
                self._before[kind, number] = step.before
        self._agents = {
            computer.id
            for computer in computers
            if _direction(today, computer) == MANAGER_INITIATED and _direction(later, computer) == AGENT_INITIATED
        }
        self._branches = branches
        self._tried: dict[Key, t.Any] = {("computer", number): INHERITED for number in tried}

    def of(self, wave: Wave) -> Result | None:
        """What a wave must try first: profiles that let agents initiate, profiles that revert this, and whom to judge.

        C(None) if there is nothing to try, or if no agent can be judged.
        """
        if wave.kind == END_OF_TRIAL:
            return None
        before = self._tried if wave.kind == OF_TRIAL else self._before
        keys: list[Key] = [("policy", number) for number in wave.policies]
        keys += [("computer", number) for number in wave.computers]
        targets = [key for key in keys if key in before]
        reached: set[int] = set()
        for kind, number in targets:
            reached.update(self._branches[number].computers if kind == "policy" else (number,))
        agents = reached & self._agents
        if wave.kind != OF_TRIAL:
            # These agents already initiate by then, whatever happens to their policy.
            agents = {number for number in agents if ("computer", number) not in self._tried}
        judged = [number for number in wave.judged if number in agents]
        if not judged:
            return None
        by_value: dict[str, list[Key]] = {}
        for key in targets:
            by_value.setdefault(before[key], []).append(key)
        return {
            "judged": judged,
            "profiles": [_profile("agents initiate while they listen", targets, BIDIRECTIONAL)],
            "back": [_profile(f"direction {value} as before", some, value) for value, some in by_value.items()],
        }


def _direction(outlook: Outlook, target: Target) -> t.Any:
    return outlook.effective(target, COMMUNICATION_DIRECTION)[0]


def _profile(name: str, targets: t.Sequence[Key], direction: str) -> Result:
    return {
        "name": name,
        "policies": [number for kind, number in targets if kind == "policy"],
        "computers": [number for kind, number in targets if kind == "computer"],
        "communication_direction": {"direction": direction},
    }
