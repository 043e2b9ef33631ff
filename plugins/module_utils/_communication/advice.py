# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice that saves overrides: finds those that all computers of a policy have with the same value."""

from __future__ import annotations

import typing as t

from .._basis.text import in_words, shown
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target


class Advice(t.NamedTuple):
    """An override that every computer of a policy has. Set on the policy, it would be a single one."""

    policy: Policy
    facet: str
    key: str
    value: t.Any
    computers: int
    saved: int

    @property
    def sentence(self) -> str:
        """The whole advice on one line."""
        return (
            f"all {self.computers} computers below the {self.policy.label} have {self.facet}: {shown(self.key, 100)}"
            f" {shown(in_words(self.value), 100)} as overrides of their own; set on the policy and inherited, that saves"
            f" {self.saved} override{'' if self.saved == 1 else 's'}"
        )


def advise(
    fleet: Fleet, looked_at: t.Container[Target], own: t.Mapping[Target, t.Mapping[tuple[str, str], t.Any]]
) -> list[Advice]:
    """Find policies whose computers all override a value in the same way.

    If this is true for a policy and policies above it, the topmost one is named.
    """
    below: dict[int, list[Computer]] = {}
    for computer in fleet.computers.values() if own else ():
        below.setdefault(computer.policy_id or 0, []).append(computer)
    children: dict[int, list[Policy]] = {}
    for policy in fleet.policies.values() if own else ():
        above = policy.parent_id if policy.parent_id in fleet.policies else None
        children.setdefault(above or 0, []).append(policy)
    # By policy and override: the number of computers with the same value, and the value; C(None) if not all have it.
    same: dict[int, dict[tuple[str, str], tuple[int, t.Any] | None]] = {}
    keys = {key for target, values in own.items() if isinstance(target, Computer) for key in values}

    def count(policy: Policy) -> None:
        for child in children.get(policy.id, ()):
            count(child)
        direct = below.get(policy.id, [])
        found: dict[tuple[str, str], tuple[int, t.Any] | None] = {}
        # A single computer without overrides rules a policy out, and is soon found below most policies.
        if any(computer not in own for computer in direct):
            same[policy.id] = dict.fromkeys(keys)
            return
        for key in keys:
            values = [own.get(computer, {}).get(key) if computer in looked_at else None for computer in direct]
            parts: list[tuple[int, t.Any] | None] = [(1, value) if value is not None else None for value in values]
            parts += [
                same[child.id][key]
                for child in children.get(policy.id, ())
                if key not in own.get(child, {}) and same[child.id][key] != (0, None)
            ]
            agreeing = {None if part is None else part[1] for part in parts}
            if not parts:
                found[key] = (0, None)
            elif len(agreeing) == 1 and None not in agreeing:
                found[key] = (sum(part[0] for part in parts if part), agreeing.pop())
            else:
                found[key] = None
        same[policy.id] = found

    def told(policy: Policy, key: tuple[str, str]) -> t.Iterator[Advice]:
        found = same[policy.id][key]
        if found is not None and found[0] > 1 and policy in looked_at:
            number, value = found
            setting = next((one for one in (policy, *fleet.lineage(policy)) if key in own.get(one, {})), None)
            needless = setting is policy or (setting is not None and own[setting][key] == value)
            yield Advice(policy, *key, value, number, number if needless else number - 1)
            return
        for child in children.get(policy.id, ()):
            yield from told(child, key)

    roots = children.get(0, [])
    for policy in roots:
        count(policy)
    advice = [one for policy in roots for key in sorted(keys) for one in told(policy, key)]
    return sorted(advice, key=lambda one: (-one.saved, one.policy.id, one.facet, one.key))
