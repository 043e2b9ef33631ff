# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipients that one scheduled task can send policies to: one computer, a policy, a group, or all computers."""

from __future__ import annotations

import typing as t

from .._basis.text import quoted
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer
from .._manager.errors import Forbidden, NotFound


class Recipients(t.NamedTuple):
    """A choice of computers that the manager offers: C(computer_filter) for its API, C(words) for people.

    C(others): how many other agents also get their policy.
    """

    computer_filter: t.Mapping[str, t.Any]
    words: str
    others: int = 0


def narrowest(fleet: Fleet, chosen: t.Collection[Computer]) -> Recipients:
    """The smallest choice that the manager offers and that includes all of these computers (at least one).

    For more than one computer, this lists all computers, policies and groups. Raises C(ManagerError).
    """
    if len(chosen) == 1:
        (computer,) = chosen
        return Recipients({"type": "computer", "computerID": computer.id}, computer.label)
    everybody = [computer for computer in fleet.list_computers() if computer.has_agent]
    best = Recipients({"type": "all-computers"}, "all computers", len(everybody) - len(chosen))
    for choices in (_by_policy, _by_group):
        if not best.others:
            break
        for computer_filter, words, holds in choices(fleet, chosen):
            others = sum(map(holds, everybody)) - len(chosen)
            if others < best.others:
                best = Recipients(computer_filter, words, others)
    return best


Choice = t.Tuple[t.Dict[str, t.Any], str, t.Callable[[Computer], bool]]


def _by_policy(fleet: Fleet, chosen: t.Collection[Computer]) -> t.Iterator[Choice]:
    """The policies that all of these computers have, directly or as a parent of their policy."""
    first, *_others = chosen
    for policy in fleet.lineage(first):
        own = {policy.id}
        below = own | fleet.policies_below(own)
        for kind, ids, words in (
            ("computers-using-policy", own, policy.label),
            ("computers-using-policy-or-subpolicy", below, f"{policy.label} and those below"),
        ):
            if all(computer.policy_id in ids for computer in chosen):
                yield {"type": kind, "policyID": policy.id}, words, _has("policy_id", ids)


def _by_group(fleet: Fleet, chosen: t.Collection[Computer]) -> t.Iterator[Choice]:
    """The groups that contain all of these computers, also in subgroups; none if the API key may not see groups."""
    try:
        tree = fleet.group_tree
    except (Forbidden, NotFound):
        return
    first, *_others = chosen
    group = first.group_id or 0
    seen: set[int] = set()
    while group in tree and group not in seen:
        seen.add(group)
        label = f"group {quoted(fleet.groups[group], 100)} (ID {group})"
        for kind, ids, words in (
            ("computers-in-group", {group}, label),
            ("computers-in-group-or-subgroup", fleet.groups_within([group]), f"{label} and those below"),
        ):
            if all(computer.group_id in ids for computer in chosen):
                yield {"type": kind, "computerGroupID": group}, words, _has("group_id", ids)
        group = tree[group][1] or 0


def _has(attribute: str, ids: t.Collection[int]) -> t.Callable[[Computer], bool]:
    return lambda computer: getattr(computer, attribute) in ids
