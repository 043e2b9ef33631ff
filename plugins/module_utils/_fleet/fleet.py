# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about the manager's policies and computers, read in pages, and only when needed.

Only overrides are read. Effective values are worked out here, along the chain computer, policy, parent policies,
default policy, so that no requests per object are needed.
"""

from __future__ import annotations

import bisect
import typing as t
from collections import deque
from concurrent.futures import Future
from functools import cached_property

from .._basis.interpreter import give_back
from .._manager.client import Client
from .._manager.errors import BadReply
from .._manager.kinds import (
    COMPUTER,
    COMPUTER_GROUP,
    FIREWALL_RULE,
    IP_LIST,
    LISTED_COMPUTER,
    MAC_LIST,
    POLICY,
    PORT_LIST,
    Item,
    Kind,
)
from .._manager.progress import READING
from .catalogue import FIREWALL_STATE, INHERITED, SETTINGS, Setting, Spelling, Value
from .left_out import EXPANDED, SETTINGS_KEYS, Doubts
from .objects import NO_OVERRIDES, Computer, Policy, Target
from .rules import Assignments, listed_rules, lists_rules

# From this number of computers on, the fleet takes so much memory that it is worth freeing it at once.
LARGE = 20_000

# How many pages are read at once, because managers take seconds for one. The task's connections also limit this.
READERS = 4

# The attributes of a fleet for its rules and lists.
OBJECTS = {FIREWALL_RULE: "rules", IP_LIST: "ip_lists", MAC_LIST: "mac_lists", PORT_LIST: "port_lists"}

# Lists that are read as a whole, by their attribute of a fleet: the kind, and the value of C(overrides).
_LISTS: dict[str, tuple[Kind, bool | None]] = {
    "policies": (POLICY, True),
    "group_tree": (COMPUTER_GROUP, None),
    **{name: (kind, None) for kind, name in OBJECTS.items()},
}

# Objects by ID, each with its name and the ID of its parent, if any.
Tree = t.Mapping[int, t.Tuple[str, t.Optional[int]]]

S = t.TypeVar("S")
T = t.TypeVar("T")


class PlainPolicy(t.NamedTuple):
    """Facts about a policy that replies about overrides may lack: name, parent, description, and effective rules.

    C(rule_ids) is C(None) if its page had no list of them.
    """

    name: str
    parent_id: int | None
    rule_ids: frozenset[int] | None
    description: str


class Fleet:
    """The manager's objects, as one task sees them."""

    def __init__(self, client: Client, parts: t.Sequence[str] = ()) -> None:
        """C(parts): what to read of computers besides the basic fields, in the words of the API."""
        self.client = client
        self._parts = list(parts) or ["none"]
        self.spelling = Spelling()
        self.computers: dict[int, Computer] = {}
        self.assignments = Assignments(self)
        # By the ID of a policy, for all targets directly below it: worked out once, not for each computer of a fleet.
        self._lineages: dict[int | None, tuple[Policy, ...]] = {}
        # Warnings for the task's result about its choices.
        self.warnings: list[str] = []
        self._listed = False
        self._begun: set[str] = set()
        self._overrides_known: set[int] = set()
        self._doubts = Doubts(client)

    def begin(self, parts: t.Iterable[str]) -> None:
        """Start to read C(policies), C(group_tree), C(default_settings), C(rules) or kinds of lists ahead, while others
        are read. The caller must be sure that the task will need these, because each needs a request.
        """
        for part in parts:
            if part in self.__dict__ or part in self._begun:
                continue
            self._begun.add(part)
            if part == "default_settings":
                self.client.begin_default_settings()
            else:
                kind, overrides = _LISTS[part]
                self.client.begin_pages(kind, overrides=overrides)

    # -- policies

    @cached_property
    def policies(self) -> dict[int, Policy]:
        """Every policy by its ID, with its own overrides."""
        items = self._list("policies")
        if not items:
            raise BadReply("POST", "/policies/search", message="the manager lists no policy at all")
        self._doubts.note(POLICY, items)
        nameless = any(item.get("name") is None for item in items)
        # A reply about overrides may leave out the parents of policies. But it is also possible that no policy has a
        # parent.
        plain = self.plain_policies if nameless or (items[1:] and not any(map(_parent, items))) else None
        policies = {}
        for item in items:
            number, (overrides, rule_ids) = item["ID"], self._overrides(item, POLICY)
            if plain is None:
                name, parent_id, description = item["name"], _parent(item), item.get("description")
            elif number in plain:
                name, parent_id, description = plain[number].name, plain[number].parent_id, plain[number].description
            else:
                continue
            policies[number] = Policy(number, name, parent_id, overrides, rule_ids, description)
        if self._overrides_known:
            # The policies are read after the targets of a task, to find out what these inherit.
            self._doubts.settle(POLICY)
        return policies

    @property
    def policies_read(self) -> t.Collection[Policy]:
        """The policies; empty if they were not read yet."""
        return self.policies.values() if "policies" in self.__dict__ else ()

    @cached_property
    def plain_policies(self) -> dict[int, PlainPolicy]:
        """Every policy by its ID, from replies that are not limited to overrides."""
        return {
            item["ID"]: PlainPolicy(
                item["name"],
                _parent(item),
                listed_rules(item) if lists_rules(item) else None,
                item.get("description") or "",
            )
            for page in self.client.pages(POLICY, overrides=False)
            for item in page
        }

    def lineage(self, target: Target) -> tuple[Policy, ...]:
        """The policies that a target inherits from, nearest first."""
        above = target.above
        if above not in self._lineages:
            result: list[Policy] = []
            policy = self.policies.get(above) if above else None
            while policy is not None and policy not in result:
                result.append(policy)
                policy = self.policies.get(policy.parent_id) if policy.parent_id else None
            self._lineages[above] = tuple(result)
        return self._lineages[above]

    def unseen_above(self, target: Target) -> int | None:
        """The ID of a policy above a target that the manager does not show, as to an API key that may only see some.

        What the target inherits from that policy, or from those above it, is unknown. C(None) if all are shown.
        """
        lineage = self.lineage(target)
        above = lineage[-1].above if lineage else target.above
        return None if above is None or above in self.policies else above

    @cached_property
    def descriptions(self) -> dict[int, str]:
        """The descriptions of policies, by ID. If replies about overrides lack all of them, they are read."""
        policies = self.policies
        if any(policy.description is not None for policy in policies.values()):
            return {number: policy.description or "" for number, policy in policies.items()}
        return {number: plain.description for number, plain in self.plain_policies.items()}

    # -- computers

    def list_computers(self) -> t.Collection[Computer]:
        """Every computer of the manager: one request for each 5,000 of them."""
        if not self._listed:
            known = self.computers
            for page in self.client.pages(LISTED_COMPUTER, expand=self._parts):
                known.update([(number, Computer(item)) for item in page if (number := item["ID"]) not in known])
            self._listed = True
        return self.computers.values()

    def search_computers(self, field_name: str, name: str) -> list[Computer]:
        """The computers with that name in one field, without reading the fleet.

        They include names that differ in case if the manager's searches ignore case.
        """
        found = self.client.named(COMPUTER, name, by=field_name, any_case=True, expand=self._parts)
        return [self._know(item) for item in found]

    def search_computer_id(self, computer_id: int) -> Computer | None:
        """The computer with that ID, without reading the fleet."""
        if computer_id not in self.computers and not self._listed:
            item = self.client.of_id(COMPUTER, computer_id, expand=self._parts)
            if item:
                self._know(item)
        return self.computers.get(computer_id)

    def _know(self, item: Item) -> Computer:
        if item["ID"] not in self.computers:
            self.computers[item["ID"]] = Computer(item)
        return self.computers[item["ID"]]

    @property
    def read_computers(self) -> list[Computer]:
        """The computers whose overrides were read."""
        return [self.computers[number] for number in self._overrides_known]

    @property
    def read_count(self) -> int:
        """How many computers had their overrides read."""
        return len(self._overrides_known)

    def read_overrides(self, targets: t.Iterable[Target]) -> None:
        """Read the overrides of these targets. For computers, one window of known IDs at a time.

        A manager may leave out a computer without overrides, or return an object with only null fields. So a computer
        that is missing from a window has no overrides. But if a whole window has none, one computer is asked separately
        first.
        """
        targets = list(targets)
        wanted = {target.id for target in targets if isinstance(target, Computer)} - self._overrides_known

        def keep(page: list[Item]) -> None:
            for item in page:
                computer = self.computers.get(item["ID"])
                if computer is not None:
                    computer.overrides, computer.rule_ids = self._overrides(item, COMPUTER)
            self._doubts.note(COMPUTER, page)

        self.read_windows(wanted, keep, overrides=True, expand=EXPANDED[COMPUTER], kind=LISTED_COMPUTER)
        self._doubts.settle(COMPUTER)
        self._overrides_known |= wanted
        among = [target for target in targets if isinstance(target, Policy)]
        if among or "policies" in self.__dict__:
            above = [policy for target in targets[:1] for policy in self.lineage(target)[-1:]]
            topmost = min(among or above, key=lambda policy: (len(self.lineage(policy)), policy.id), default=None)
            _policies = self.policies
            self._doubts.settle(POLICY, topmost.id if topmost else None)

    def read_windows(
        self,
        wanted: t.Collection[int],
        keep: t.Callable[[list[Item]], None],
        *,
        overrides: bool,
        expand: t.Sequence[str],
        kind: Kind = COMPUTER,
    ) -> None:
        """Read the computers with these IDs, in as few searches as their distribution among the known IDs allows.

        If the fleet was not listed, any number of other computers may be between two of them, so each is searched.
        C(keep) gets each page, which may include other computers of the same window. C(kind): with fewer fields, if that
        is enough.
        """
        if not wanted:
            return
        wanted = frozenset(wanted)
        order = sorted(wanted)
        if self._listed:
            known = order if len(order) == len(self.computers) else sorted(self.computers)
            windows = _windows(order, known, self.client.largest_page)
        else:
            windows = [[number] for number in order]
        with self.client.transport.progress.stage(READING, "what computers have", len(order)) as stage:

            def read(window: t.Sequence[int]) -> list[Item]:
                return self.client.known(kind, window, overrides=overrides, expand=expand)

            def kept(window: t.Sequence[int], page: list[Item]) -> None:
                keep(page)
                stage.advance(len(wanted.intersection(window)))

            self.in_parallel(read, windows, kept)
        if len(order) >= LARGE:
            give_back()

    def in_parallel(
        self, do: t.Callable[[S], T], items: t.Iterable[S], keep: t.Callable[[S, T], None], *, held: int = READERS
    ) -> None:
        """Send some requests, a few at a time, and keep each result, in order. The first error ends everything.

        While a result is kept, other requests are running. C(held): the most requests that are running or wait to be
        kept.
        """
        with self.client.transport.threads(READERS) as pool:
            under_way: deque[tuple[S, Future[T]]] = deque()

            def keep_first() -> None:
                item, future = under_way.popleft()
                keep(item, future.result())

            for item in items:
                if len(under_way) == held:
                    keep_first()
                under_way.append((item, pool.submit(do, item)))
            while under_way:
                keep_first()

    def _overrides(self, item: Item, kind: Kind) -> tuple[dict[Setting, Value], frozenset[int]]:
        settings = item.get(SETTINGS_KEYS[kind])
        self.spelling.observe(settings)
        overrides = {setting: value for setting in SETTINGS if (value := setting.read(settings)) is not None}
        state = ((item.get("firewall") or {}).get("state") or INHERITED).lower()
        if state != INHERITED:
            overrides[FIREWALL_STATE] = state
        return overrides or NO_OVERRIDES, self.assignments.listed(item, kind)

    # -- paths

    @cached_property
    def policy_paths(self) -> dict[int, str]:
        """Every policy's path by its ID: names from the topmost policy down, such as C(Base Policy/Linux/Web)."""
        return paths(self.policy_tree)

    def policies_below(self, policy_ids: t.Iterable[int]) -> set[int]:
        """The IDs of all policies below any of these, at any depth; one of these only if it is below another one."""
        return below(self.policy_tree, policy_ids)

    @cached_property
    def policy_tree(self) -> Tree:
        """Every policy's name and parent."""
        return {policy.id: (policy.name, policy.parent_id) for policy in self.policies.values()}

    def path(self, policy: Policy) -> str:
        """The path of a policy; only its name if nothing above it is known."""
        return self.policy_paths.get(policy.id, policy.name)

    @cached_property
    def groups(self) -> dict[int, str]:
        """The paths of computer groups, such as C(Data center/Web), by ID."""
        return paths(self.group_tree)

    def groups_within(self, group_ids: t.Iterable[int]) -> set[int]:
        """The IDs of these groups, and of all groups below them, at any depth."""
        group_ids = set(group_ids)
        return group_ids | below(self.group_tree, group_ids)

    @cached_property
    def group_tree(self) -> Tree:
        """Every computer group's name and parent."""
        items = self._list("group_tree")
        return {item["ID"]: (item["name"], item.get("parentGroupID") or None) for item in items}

    def group_path(self, computer: Computer) -> str:
        """The path of a computer's group, empty without one. The groups are read when first needed."""
        return self.groups.get(computer.group_id, "") if computer.group_id else ""

    @cached_property
    def default_settings(self) -> dict[Setting, Value]:
        """The default policy's values, which apply if no policy above a target sets one."""
        settings = self.client.default_settings()
        self.spelling.observe(settings)
        return {
            setting: value for setting in (*SETTINGS, FIREWALL_STATE) if (value := setting.read(settings)) is not None
        }

    # -- firewall rules and their lists

    @cached_property
    def rules(self) -> dict[int, Item]:
        """Every firewall rule by its ID."""
        return {item["ID"]: item for item in self._list("rules")}

    @cached_property
    def ip_lists(self) -> dict[int, Item]:
        """Every IP list by its ID."""
        return {item["ID"]: item for item in self._list("ip_lists")}

    @cached_property
    def mac_lists(self) -> dict[int, Item]:
        """Every MAC list by its ID."""
        return {item["ID"]: item for item in self._list("mac_lists")}

    @cached_property
    def port_lists(self) -> dict[int, Item]:
        """Every port list by its ID."""
        return {item["ID"]: item for item in self._list("port_lists")}

    def port_list(self, list_id: int) -> Item | None:
        """The port list with that ID. The lists are read when first needed."""
        return self.port_lists.get(list_id)

    def objects_read(self) -> dict[Kind, dict[int, Item]]:
        """The rules and lists that this task has read so far, by kind and ID."""
        return {kind: self.__dict__[name] for kind, name in OBJECTS.items() if name in self.__dict__}

    def objects(self, kind: Kind) -> dict[int, Item]:
        """Every rule or list of one kind by its ID."""
        return t.cast("dict[int, Item]", getattr(self, OBJECTS[kind]))

    def _list(self, part: str) -> list[Item]:
        kind, overrides = _LISTS[part]
        return [item for page in self.client.pages(kind, overrides=overrides) for item in page]


def paths(tree: Tree) -> dict[int, str]:
    """The path of each object: names from the topmost known object down to its own, separated by slashes.

    In a loop of parents, each is named once. A name may contain a slash, and two objects may have the same path.
    """

    def path(object_id: int) -> str:
        names: dict[int, str] = {}
        above: int | None = object_id
        while above is not None and above in tree and above not in names:
            names[above], above = tree[above]
        return "/".join(reversed(names.values()))

    return {object_id: path(object_id) for object_id in tree}


def below(tree: Tree, above: t.Iterable[int]) -> set[int]:
    """The objects below any of these, at any depth; one of these only if it is below another one."""
    children: dict[int, list[int]] = {}
    for object_id, (_name, parent) in tree.items():
        if parent is not None:
            children.setdefault(parent, []).append(object_id)
    found: set[int] = set()
    for start in above:
        reached = {start}
        todo = [start]
        while todo:
            new = [child for child in children.get(todo.pop(), ()) if child not in reached]
            reached.update(new)
            todo += new
        found |= reached - {start}
    return found


def _parent(item: Item) -> int | None:
    return item.get("parentID") or None


def _windows(wanted: t.Sequence[int], known: t.Sequence[int], most: int) -> list[t.Sequence[int]]:
    """Windows of at most C(most) consecutive known IDs, each from one wanted ID to another, with all wanted IDs."""
    windows = []
    start = 0
    while start < len(wanted):
        first = bisect.bisect_left(known, wanted[start])
        window = known[first : first + most]
        start_of_next = bisect.bisect_right(wanted, window[-1], lo=start)
        windows.append(window[: bisect.bisect_right(window, wanted[start_of_next - 1])])
        start = start_of_next
    return windows
