# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's computers as hosts of an inventory, in groups. All names from a manager count as hostile.

A host's variables are plain text, and no name becomes that of a host or group unless Ansible can work with it.
"""

from __future__ import annotations

import functools
import typing as t

from .._agent.platforms import FAMILIES, family
from .._agent.releases import describe
from .._agent.versions import NO_AGENT, parse
from .._basis.errors import OptionError
from .._basis.text import encodable, enumerated, quoted
from .._fleet.catalogue import COMMUNICATION_DIRECTION
from .._fleet.fleet import Fleet, Tree
from .._fleet.objects import Computer, Policy
from .._fleet.outlook import Outlook
from .._fleet.targets import TARGET_ARGUMENTS, Selector, Unresolved, chosen_by, missing_told, resolve
from .._manager.client import Client
from .host_names import RESERVED, HostNames, leads_to_a_host

POLICY = "policy"
COMPUTER_GROUP = "computer_group"
PLATFORM = "platform"
RELEASE = "release"
STATUS = "status"
DIRECTION = "direction"
# What hosts can be grouped by, with the prefix of the groups' names.
PREFIXES = {
    POLICY: "policy_",
    COMPUTER_GROUP: "computer_group_",
    PLATFORM: "platform_",
    RELEASE: "agent_",
    STATUS: "status_",
    DIRECTION: "direction_",
}
# All except those that need another request for the whole fleet.
GROUPED_BY = [kind for kind in PREFIXES if kind != DIRECTION]

# Documented in plugins/inventory/computers.py.
INVENTORY_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **TARGET_ARGUMENTS,
    "query": {"type": "str"},
    "group_by": {"type": "list", "elements": "str", "choices": list(PREFIXES), "default": GROUPED_BY},
    "group_prefixes": {
        "type": "dict",
        "options": {kind: {"type": "str", "default": prefix} for kind, prefix in PREFIXES.items()},
    },
}

# The prefix of all variables of a host, and the names of two of them.
VARIABLES = "workload_security_"
ID = "id"
HOST_NAME = "host_name"

# The most names in a warning.
MOST_NAMED = 3

# The values for unknown facts, and for computers without an agent.
UNKNOWN = "unknown"
NONE = "none"

Sanitize = t.Callable[[str], str]


class InventoryHost(t.NamedTuple):
    """A host: its name in the inventory, its ID on the manager, its groups, and its variables."""

    name: str
    id: int
    groups: list[str]
    variables: dict[str, t.Any]


class HostsAsked(t.NamedTuple):
    """Which computers become hosts, and the groups to make: C(prefixes) are by kind of group."""

    selector: Selector | None
    prefixes: t.Mapping[str, str]

    @classmethod
    def from_options(cls, params: t.Mapping[str, t.Any]) -> HostsAsked:
        """Read the options of the inventory plugin. Raises C(OptionError)."""
        query = params.get("query")
        if query is not None and params.get("computers_query") is not None:
            raise OptionError("query", query, "it is another name of computers_query; give one of them only")
        options = {**params, "computers_query": params.get("computers_query") if query is None else query}
        selector = Selector.from_options(options, "") if chosen_by(options) else None
        prefixes = {**PREFIXES, **{kind: str(prefix) for kind, prefix in (params.get("group_prefixes") or {}).items()}}
        return cls(selector, {kind: prefixes[kind] for kind in PREFIXES if kind in (params.get("group_by") or ())})


def read_hosts(client: Client, asked: HostsAsked, sanitize: Sanitize) -> dict[str, t.Any]:
    """Groups, each with its parent group (or C(None)), and C(hosts), an iterator that creates hosts one by one.

    sanitize: turns any text into a name for a group. Raises C(OptionError), C(ManagerError).
    """
    fleet = Fleet(client, parts=("computerStatus",) if STATUS in asked.prefixes else ())
    computers, absent = _chosen(fleet, asked.selector)
    # Read everything now, because there is no connection anymore when the hosts are created.
    _paths = fleet.policy_paths
    directions = Outlook(fleet) if DIRECTION in asked.prefixes else None
    if directions:
        fleet.begin(["default_settings"])
        fleet.read_overrides(computers)
        _defaults = fleet.default_settings
    groups = _Groups(fleet, asked.prefixes, sanitize, directions, computers)
    memberships = [groups.of(computer) for computer in computers]
    called = HostNames(computers, fleet.computers.values(), groups.names)
    warnings = missing_told(absent, "the inventory is without")
    if called.unusual:
        examples = enumerated([quoted(one.host_name, 60) for one in called.unusual[:MOST_NAMED]])
        warnings.append(
            f"{len(called.unusual)} of {len(computers)} computers have no host name that is usable in an inventory and"
            f" theirs alone, such as {examples}; their display names are used, or computer_ and their IDs"
        )
    return {
        "groups": groups.parents,
        "hosts": (
            InventoryHost(
                name,
                computer.id,
                membership,
                _variables(fleet, computer, called.addresses.get(computer.id), asked, directions),
            )
            for computer, name, membership in zip(computers, called.names, memberships)
        ),
        "warnings": [*warnings, *groups.warnings, *fleet.warnings],
    }


def _chosen(fleet: Fleet, selector: Selector | None) -> tuple[list[Computer], list[Unresolved]]:
    """The computers that are chosen, directly or by their policy, by ascending ID."""
    if selector is None:
        fleet.begin(["policies"])
    # This comes first: only full pages show that the manager does not shorten the pages of policies.
    everybody = fleet.list_computers() if selector is None or selector.chooses_policies else []
    if selector is None:
        return sorted(everybody, key=lambda one: one.id), []
    ((targets, absent),) = resolve(fleet, [selector])
    policies = {target.id for target in targets if isinstance(target, Policy)}
    chosen = {target.id: target for target in targets if isinstance(target, Computer)}
    chosen.update({one.id: one for one in everybody if one.policy_id in policies})
    return [chosen[number] for number in sorted(chosen)], absent


# -- variables


def _variables(
    fleet: Fleet, computer: Computer, address: str | None, asked: HostsAsked, directions: Outlook | None
) -> dict[str, t.Any]:
    policy = fleet.policies.get(computer.policy_id or 0)
    release = _release(computer.agent_version)[0]
    told: dict[str, t.Any] = {
        ID: computer.id,
        HOST_NAME: encodable(computer.host_name),
        "display_name": encodable(computer.display_name),
        "platform": encodable(computer.platform),
        "platform_family": family(computer.platform),
        "agent_version": encodable(computer.agent_version),
        "agent_release": release,
        # The address is for connections, so 127.0.0.1, which the manager may have for its own machine, is left out.
        "last_ip": computer.last_ip if leads_to_a_host(computer.last_ip) else "",
        "policy": encodable(policy.name) if policy else "",
        "policy_path": encodable(fleet.path(policy)) if policy else "",
    }
    if COMPUTER_GROUP in asked.prefixes:
        told["group_path"] = encodable(fleet.group_path(computer))
    if STATUS in asked.prefixes:
        told["status"] = encodable(computer.status)
        told["status_messages"] = [encodable(message) for message in computer.status_messages]
    if directions:
        told["direction"] = encodable(_direction(directions, computer))
    variables = {f"{VARIABLES}{key}": value for key, value in told.items()}
    if address is not None:
        variables["ansible_host"] = address
    return variables


@functools.lru_cache(maxsize=4096)
def _release(version: str) -> tuple[str, str]:
    """The release of an agent, empty if it is not known, and its release line, such as C(20)."""
    known = describe(version)
    return str(known["release"] or ""), str(known["release_line"] or "")


def _direction(directions: Outlook, computer: Computer) -> str:
    value, _source = directions.effective(computer, COMMUNICATION_DIRECTION)
    return "" if value is None else str(value)


# -- groups


class _Groups:
    """The groups of hosts, each with its parent group. Groups that no host needs are not created."""

    def __init__(
        self,
        fleet: Fleet,
        prefixes: t.Mapping[str, str],
        sanitize: Sanitize,
        directions: Outlook | None,
        computers: t.Sequence[Computer],
    ) -> None:
        self._prefixes = prefixes
        self._sanitize = sanitize
        self._directions = directions
        # The names of groups, by the kind and value that they stand for.
        self._names: dict[tuple[str, t.Any], str] = {}
        self.parents: dict[str, str | None] = {}
        # What groups of policies, computer groups and platforms are called, even if no host needs them today.
        self._possible = {self._called(PLATFORM, each) for each in FAMILIES} if PLATFORM in prefixes else set()
        self._renamed = 0
        if POLICY in prefixes:
            used = {computer.policy_id for computer in computers if computer.policy_id}
            self._tree(POLICY, fleet.policy_tree, used, lambda number: fleet.policies[number].name)
        if COMPUTER_GROUP in prefixes:
            used = {computer.group_id for computer in computers if computer.group_id}
            self._tree(COMPUTER_GROUP, fleet.group_tree, used, lambda number: fleet.groups[number])

    @property
    def names(self) -> set[str]:
        """The names that no host may have, or a play for a group without hosts would mean that host."""
        return self._possible.union(self.parents)

    @property
    def warnings(self) -> list[str]:
        """Warnings about the groups."""
        if not self._renamed:
            return []
        return [
            f"{self._renamed} groups would have a name that another one has, since names of groups have letters, digits"
            " and underscores only; the ID of the policy or group, or what it stands for, is added to theirs"
        ]

    def of(self, computer: Computer) -> list[str]:
        """The groups that directly contain a host."""
        found = [
            self._names.get((POLICY, computer.policy_id)),
            self._names.get((COMPUTER_GROUP, computer.group_id)),
        ]
        if PLATFORM in self._prefixes:
            found.append(self._named(PLATFORM, family(computer.platform)))
        if RELEASE in self._prefixes:
            found.append(self._release(computer.agent_version))
        if STATUS in self._prefixes:
            found.append(self._named(STATUS, computer.status or UNKNOWN))
        if self._directions:
            found.append(self._named(DIRECTION, _direction(self._directions, computer) or UNKNOWN))
        return [name for name in found if name]

    def _release(self, version: str) -> str:
        """The group of a release, below the group of its release line; the latter if the release is unknown."""
        owner = (RELEASE, version)
        if owner not in self._names:
            release, line = _release(version)
            of_line = self._named(RELEASE, line or (NONE if parse(version) == NO_AGENT else UNKNOWN))
            if release:
                of_line, above = self._named(RELEASE, release), of_line
                if of_line != above:
                    self.parents[of_line] = above
            self._names[owner] = of_line
        return self._names[owner]

    def _named(self, kind: str, text: str) -> str:
        owner = (f"{kind}, named", text)
        return self._names.get(owner) or self._claim(owner, self._called(kind, text), kind)

    def _called(self, kind: str, text: str) -> str:
        """The name of a group for this text, unless another group has it."""
        return self._sanitize(f"{self._prefixes[kind]}{text}") or "_"

    def _tree(self, kind: str, tree: Tree, used: t.Iterable[int], name_of: t.Callable[[int], str]) -> None:
        """Groups for these objects and their parents, each below the next. One link of a loop is left out."""
        self._possible.update(self._called(kind, name_of(number)) for number in tree)
        needed: set[int] = set()
        for number in used:
            above: int | None = number
            while above is not None and above in tree and above not in needed:
                needed.add(above)
                above = tree[above][1]
        below: dict[int, int] = {}
        for number in sorted(needed):
            self._claim((kind, number), self._called(kind, name_of(number)), str(number))
            parent = tree[number][1]
            if parent is not None and parent in needed and not _leads_to(below, parent, number):
                below[number] = parent
        for number, parent in below.items():
            self.parents[self._names[kind, number]] = self._names[kind, parent]

    def _claim(self, owner: tuple[str, t.Any], name: str, mark: str) -> str:
        """A name for a new group. The mark is appended if another group has the name."""
        if name in self.parents or name.casefold() in RESERVED:
            self._renamed += 1
            name = f"{name}_{mark}"
            while name in self.parents:
                name += "_"
        self._names[owner] = name
        self.parents[name] = None
        return name


def _leads_to(below: t.Mapping[int, int], start: int | None, end: int) -> bool:
    """Whether the way up through the parents leads from C(start) to C(end)."""
    while start is not None and start != end:
        start = below.get(start)
    return start == end
