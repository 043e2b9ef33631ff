# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the manager's policies and computers, read in pages and only as far as asked.

Overrides are read; what is effective is worked out here, up the chain computer, policy, parent policies, default
policy, so that a fleet costs no request per object.
"""

from __future__ import annotations

import bisect
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from .._manager.client import (
    COMPUTER,
    COMPUTER_GROUP,
    FIREWALL_RULE,
    IP_LIST,
    MAC_LIST,
    PAGE,
    POLICY,
    PORT_LIST,
    Client,
    Kind,
)
from .._manager.errors import BadReply
from .catalogue import FIREWALL_STATE, INHERITED, SETTINGS, Setting, Spelling, Value
from .objects import NO_OVERRIDES, Computer, Policy, Target

# How many pages are read at once: managers take seconds for one. At most the task's connections are used.
READERS = 4

_OVERRIDE_PARTS = ("computerSettings", "firewall")


class Fleet:
    """The manager's objects as one task sees them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.spelling = Spelling()
        self.computers: dict[int, Computer] = {}
        # What a policy's ID says of all targets right below it: worked out once, not for each computer of a fleet.
        self._lineages: dict[int | None, tuple[Policy, ...]] = {}
        self._inherited_rule_ids: dict[int | None, frozenset[int]] = {}
        self._listed = False
        self._overrides_known: set[int] = set()
        # Whether any page of overrides listed firewall rules at all, and if not, whose effective rules were read.
        self._overrides_list_rules = False
        self._effective_rules_of: set[Target] | None = None

    # -- policies

    @cached_property
    def policies(self) -> dict[int, Policy]:
        """Every policy by its ID, with its own overrides."""
        policies = {
            item["ID"]: self._policy(item) for page in self.client.pages(POLICY, overrides=True) for item in page
        }
        if not policies:
            raise BadReply("POST", "/policies/search", message="the manager lists no policy at all")
        return policies

    def _policy(self, item: dict) -> Policy:
        name = item.get("name")
        if not isinstance(name, str):
            raise BadReply("POST", "/policies/search", message=f"policy {item['ID']} has no name")
        return Policy(item["ID"], name, item.get("parentID") or None, *self._overrides(item, Policy.settings_key))

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

    # -- computers

    def list_computers(self) -> t.Collection[Computer]:
        """Every computer of the manager: one request for each 5,000 of them."""
        if not self._listed:
            for page in self.client.pages(COMPUTER, expand=["none"]):
                for item in page:
                    self._know(item)
            self._listed = True
        return self.computers.values()

    def search_computers(self, field_name: str, name: str) -> list[Computer]:
        """The computers of that very name in one field, without reading the fleet."""
        return [self._know(item) for item in self.client.named(COMPUTER, name, field=field_name, expand=["none"])]

    def search_computer_id(self, computer_id: int) -> Computer | None:
        """The computer of that ID, without reading the fleet."""
        if computer_id not in self.computers and not self._listed:
            criteria = [{"fieldName": "ID", "idTest": "equal", "idValue": computer_id}]
            for item in self.client.window(COMPUTER, criteria, expand=["none"]):
                if item.get("ID") == computer_id:
                    self._know(item)
        return self.computers.get(computer_id)

    def _know(self, item: dict) -> Computer:
        if item["ID"] not in self.computers:
            self.computers[item["ID"]] = Computer(
                item["ID"],
                str(item.get("hostName") or ""),
                str(item.get("displayName") or ""),
                sys.intern(str(item.get("platform") or "")),
                sys.intern(str(item.get("agentVersion") or "")),
                item.get("policyID") or None,
                item.get("groupID") or None,
            )
        return self.computers[item["ID"]]

    def read_overrides(self, computers: t.Iterable[Computer]) -> None:
        """Read what is set on the computers themselves, a window of known IDs at a time.

        A manager may leave out a computer without overrides, or send an object whose every field is null; so what
        is not in a window has no overrides.
        """
        wanted = sorted({computer.id for computer in computers} - self._overrides_known)

        def keep(item: dict) -> None:
            computer = self.computers.get(item["ID"])
            if computer is not None:
                computer.overrides, computer.rule_ids = self._overrides(item, Computer.settings_key)

        self._read_windows(wanted, keep, overrides=True)
        self._overrides_known.update(wanted)

    def _read_windows(self, wanted: t.Sequence[int], keep: t.Callable[[dict], None], *, overrides: bool) -> None:
        """Read the computers of these IDs, in as few searches as their spread among the known IDs allows.

        Where the fleet was not listed, any number of others may lie between two of them: then each is searched.
        """
        known = sorted(self.computers)
        page = PAGE if self._listed else 1
        parts = _OVERRIDE_PARTS if overrides else ("firewall",)
        windows = []
        start = 0
        while start < len(wanted):
            reach = bisect.bisect_left(known, wanted[start]) + page - 1
            last_id = known[min(reach, len(known) - 1)]
            end = bisect.bisect_right(wanted, last_id, lo=start)
            windows.append(_id_window(wanted[start], wanted[end - 1]))
            start = end

        def read(criteria: list[dict]) -> None:
            for item in self.client.window(COMPUTER, criteria, overrides=overrides, expand=parts):
                if isinstance(item.get("ID"), int):
                    keep(item)

        # No window has an object of another, so nothing is kept by two threads. The first error ends it all.
        pool = ThreadPoolExecutor(max_workers=READERS)
        try:
            for _read in pool.map(read, windows):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

    def _overrides(self, item: dict, settings_key: str) -> tuple[dict[Setting, Value], frozenset[int]]:
        settings = item.get(settings_key)
        self.spelling.observe(settings)
        overrides = {setting: value for setting in SETTINGS if (value := setting.read(settings)) is not None}
        state = _firewall(item).get("state")
        if isinstance(state, str) and state != INHERITED:
            overrides[FIREWALL_STATE] = state.lower()
        return overrides or NO_OVERRIDES, self._listed_rules(item)

    def _listed_rules(self, item: dict) -> frozenset[int]:
        rule_ids = _firewall(item).get("ruleIDs")
        if not isinstance(rule_ids, list) or not all(isinstance(rule_id, int) for rule_id in rule_ids):
            return frozenset()
        self._overrides_list_rules = True
        return frozenset(rule_ids)

    @cached_property
    def groups(self) -> dict[int, str]:
        """Computer groups by their ID, each with its path such as C(Data center/Web)."""
        items = {item["ID"]: item for page in self.client.pages(COMPUTER_GROUP) for item in page}

        def path(group_id: int) -> str:
            names: list[str] = []
            seen: set[int] = set()
            while group_id in items and group_id not in seen:
                seen.add(group_id)
                names.append(str(items[group_id].get("name") or group_id))
                group_id = items[group_id].get("parentGroupID") or 0
            return "/".join(reversed(names))

        return {group_id: path(group_id) for group_id in items}

    # -- settings

    @cached_property
    def default_settings(self) -> dict[Setting, Value]:
        """The default policy's values, which apply where nothing above a target sets one."""
        settings = self.client.default_settings()
        self.spelling.observe(settings)
        return {
            setting: value for setting in (*SETTINGS, FIREWALL_STATE) if (value := setting.read(settings)) is not None
        }

    # -- firewall rules and their lists

    @cached_property
    def rules(self) -> dict[int, dict]:
        """Every firewall rule by its ID."""
        return self._all(FIREWALL_RULE)

    @cached_property
    def ip_lists(self) -> dict[int, dict]:
        """Every IP list by its ID."""
        return self._all(IP_LIST)

    @cached_property
    def mac_lists(self) -> dict[int, dict]:
        """Every MAC list by its ID."""
        return self._all(MAC_LIST)

    @cached_property
    def port_lists(self) -> dict[int, dict]:
        """Every port list by its ID."""
        return self._all(PORT_LIST)

    def port_list(self, list_id: int) -> dict | None:
        """The port list of that ID. The lists are read when the first one is asked for."""
        return self.port_lists.get(list_id)

    def objects_read(self) -> dict[Kind, dict[int, dict]]:
        """The rules and lists that this task has read so far, by kind and ID."""
        names = {FIREWALL_RULE: "rules", IP_LIST: "ip_lists", MAC_LIST: "mac_lists", PORT_LIST: "port_lists"}
        return {kind: self.__dict__[name] for kind, name in names.items() if name in self.__dict__}

    def _all(self, kind: Kind) -> dict[int, dict]:
        found = {item["ID"]: item for page in self.client.pages(kind) for item in page}
        for item in found.values():
            # Taken for absent, it would be made again.
            if not isinstance(item.get("name"), str):
                raise BadReply("POST", f"{kind.path}/search", message=f"{kind.noun} {item['ID']} has no name")
        return found

    def inherited_rule_ids(self, target: Target) -> frozenset[int]:
        """The rules that a target has through its policies."""
        above = target.above
        if above not in self._inherited_rule_ids:
            self._inherited_rule_ids[above] = frozenset().union(*(policy.rule_ids for policy in self.lineage(target)))
        return self._inherited_rule_ids[above]

    def rule_states(self, targets: t.Iterable[Target], rule_id: int) -> dict[Target, bool]:
        """For each target, whether the rule is assigned to it directly.

        The vendor does not say whether the pages of overrides list direct rules, effective rules or none. Pages
        answer wherever they can tell; what they cannot tell is asked one by one.
        """
        targets = list(targets)
        self.policies  # noqa: B018  (read first: its pages tell whether rules are listed)
        if not self._overrides_list_rules or self._effective_rules_of is not None:
            self._read_effective_rules(targets)
        direct_only = self._effective_rules_of is None and self._pages_list_direct_rules()
        states: dict[Target, bool] = {}
        for target in targets:
            if rule_id not in target.rule_ids:
                states[target] = False
            elif direct_only or rule_id not in self.inherited_rule_ids(target):
                states[target] = True
            else:
                states[target] = rule_id in self.client.assigned_rules(target.kind, target.id)
        return states

    def _pages_list_direct_rules(self) -> bool:
        """An object whose page does not list a rule of its parents proves that pages list direct rules only."""
        known = [*self.policies.values(), *(self.computers[number] for number in self._overrides_known)]
        return any(self.inherited_rule_ids(target) - target.rule_ids for target in known)

    def _read_effective_rules(self, targets: list[Target]) -> None:
        if self._effective_rules_of is None:
            self._effective_rules_of = set(self.policies.values())
            self._inherited_rule_ids.clear()
            for page in self.client.pages(POLICY, overrides=False):
                for item in page:
                    if item["ID"] in self.policies:
                        self.policies[item["ID"]].rule_ids = self._listed_rules(item)
        untold = {target for target in targets if isinstance(target, Computer)} - self._effective_rules_of

        def keep(item: dict) -> None:
            if item["ID"] in self.computers:
                self.computers[item["ID"]].rule_ids = self._listed_rules(item)

        self._read_windows(sorted(target.id for target in untold), keep, overrides=False)
        self._effective_rules_of |= untold


def _firewall(item: dict) -> dict:
    firewall = item.get("firewall")
    return firewall if isinstance(firewall, dict) else {}


def _id_window(first: int, last: int) -> list[dict]:
    if first == last:
        return [{"fieldName": "ID", "idTest": "equal", "idValue": first}]
    return [
        {"fieldName": "ID", "idTest": "greater-than-or-equal", "idValue": first},
        {"fieldName": "ID", "idTest": "less-than-or-equal", "idValue": last},
    ]
