# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's objects: policies, computers, groups, rules and lists, and how values are inherited."""

from __future__ import annotations

import bisect
import itertools
import typing as t
from dataclasses import dataclass, field

from tests.lab.manager import settings

Item = t.TypeVar("Item")

NO_AGENT = "0.0.0.0"

# Shared by all objects that set nothing themselves, and never changed.
NOTHING: dict[str, str] = {}
NO_RULES: tuple[int, ...] = ()
NO_RULE_OVERRIDES: dict[int, dict[str, t.Any]] = {}


class Table(t.Generic[Item]):
    """Objects by ID, in the order of their IDs. An ID is never used again."""

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}
        self.ids: list[int] = []
        self.next_id = 1

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> t.Iterator[Item]:
        return map(self.items.__getitem__, self.ids)

    def get(self, object_id: int) -> Item | None:
        """The object with that ID, if there is one."""
        return self.items.get(object_id)

    def add(self, object_id: int, item: Item) -> Item:
        """Add an object. Its ID must be above all earlier ones, including those of deleted objects."""
        if object_id < self.next_id:
            raise ValueError(f"ID {object_id} comes too late: the next one is {self.next_id}")
        self.items[object_id] = item
        self.ids.append(object_id)
        self.next_id = object_id + 1
        return item

    def remove(self, object_id: int) -> None:
        """Remove an object."""
        del self.items[object_id]
        del self.ids[bisect.bisect_left(self.ids, object_id)]


@dataclass(slots=True)
class Policy:
    """A policy. C(settings), C(firewall_state), C(rule_ids) and C(rule_overrides), by rule, are its own values."""

    id: int
    name: str
    parent_id: int = 0
    description: str = ""
    settings: dict[str, str] = field(default_factory=lambda: NOTHING)
    firewall_state: str | None = None
    rule_ids: tuple[int, ...] = NO_RULES
    rule_overrides: dict[int, dict[str, t.Any]] = field(default_factory=lambda: NO_RULE_OVERRIDES)
    recommendation_scan_mode: str = "off"
    auto_requires_update: str = "on"


@dataclass(slots=True)
class Computer:
    """A computer. Missing values are C(None), dates are in milliseconds since 1970, C(policy_id) 0 means no policy."""

    id: int
    host_name: str
    display_name: str = ""
    description: str = ""
    last_ip_used: str = ""
    platform: str = "Unknown"
    agent_version: str = NO_AGENT
    agent_finger_print: str | None = None
    last_agent_communication: int | None = None
    last_send_policy_request: int | None = None
    last_send_policy_success: int | None = None
    group_id: int = 0
    policy_id: int = 0
    relay_list_id: int = 0
    host_guid: str = ""
    settings: dict[str, str] = field(default_factory=lambda: NOTHING)
    firewall_state: str | None = None
    rule_ids: tuple[int, ...] = NO_RULES
    rule_overrides: dict[int, dict[str, t.Any]] = field(default_factory=lambda: NO_RULE_OVERRIDES)
    # For an agent in name only: whether it has yet to accept its policy, whether it is silent, and the errors that the
    # manager shows for it.
    pending: bool = False
    silent: bool = False
    errors: tuple[str, ...] = ()
    # The encoded basic properties, kept until one of them changes.
    basic: bytes | None = None

    @property
    def has_agent(self) -> bool:
        """Whether an agent was ever activated."""
        return self.agent_version != NO_AGENT


@dataclass(slots=True)
class Agent:
    """An activated agent that runs in the lab, as the manager knows it. Times are those of the manager's clock."""

    computer_id: int
    guid: str
    secret: str
    # Fingerprint of its certificate, and what distinguishes its host from a clone.
    certificate: str
    machine: str
    address: str
    # The settings that were last sent to it. They say whether it listens, and how often it sends heartbeats.
    settings: dict[str, str] = field(default_factory=lambda: NOTHING)
    fingerprint: str = ""
    last_event: int = 0
    last_heartbeat: float = 0.0
    # The host's time of day at the last heartbeat, and whether it is a virtual machine that is running or stopped.
    clock: float | None = None
    virtual_machine: str | None = None
    offline: bool = False
    # Whether to send it its policy, even if it already has it.
    send_requested: bool = False
    # Whether the manager shows that its last call did not reach the agent.
    cannot_be_called: bool = False


def _tell_nobody(_target: Policy | Computer | None) -> None:
    pass


class State:
    """One manager's objects. Inherited values are computed once, and forgotten at C(policies_changed)."""

    def __init__(self, deployment: str) -> None:
        self.deployment = deployment
        self.default_settings = settings.defaults(deployment)
        self.system_settings = {name: setting.default for name, setting in settings.SYSTEM_SETTINGS.items()}
        self.policies: Table[Policy] = Table()
        self.computers: Table[Computer] = Table()
        self.groups: Table[dict[str, t.Any]] = Table()
        self.rules: Table[dict[str, t.Any]] = Table()
        self.ip_lists: Table[dict[str, t.Any]] = Table()
        self.mac_lists: Table[dict[str, t.Any]] = Table()
        self.port_lists: Table[dict[str, t.Any]] = Table()
        self.scheduled_tasks: Table[dict[str, t.Any]] = Table()
        # To be called with a policy or computer whose configuration has changed, or with None if any may have changed.
        self.touched: t.Callable[[Policy | Computer | None], None] = _tell_nobody
        # Agents that really exist, by the ID of their computer.
        self.agents: dict[int, Agent] = {}
        # All values that are derived from policies. The keys start with a name for the kind of value.
        self.derived: dict[t.Any, t.Any] = {}
        self._names: dict[str, dict[str, list[int]]] = {}

    def __getstate__(self) -> dict[str, t.Any]:
        """For copies: its objects, without derived values, and without the function that is told of changes."""
        return {**vars(self), "touched": _tell_nobody, "derived": {}, "_names": {}}

    def policies_changed(self) -> None:
        """To be called after a policy, a default setting or a rule has changed."""
        self.derived.clear()

    def computer_names_changed(self) -> None:
        """To be called after computers were added, deleted or renamed."""
        self._names.clear()

    def lineage(self, policy_id: int) -> t.Iterator[Policy]:
        """A policy and its parents, nearest first; nothing for ID 0."""
        while policy_id:
            policy = self.policies.items[policy_id]
            yield policy
            policy_id = policy.parent_id

    def reaches(self, policy_id: int, computer: Computer) -> bool:
        """Whether a computer has the policy or one below it."""
        return any(policy.id == policy_id for policy in self.lineage(computer.policy_id))

    def effective_settings(self, policy_id: int) -> dict[str, str]:
        """The effective value of each policy setting under a policy. ID 0 means the default policy."""
        key = ("settings", policy_id)
        if key not in self.derived:
            if policy_id:
                policy = self.policies.items[policy_id]
                self.derived[key] = self.effective_settings(policy.parent_id) | policy.settings
            else:
                self.derived[key] = {name: self.default_settings[name] for name in settings.POLICY_SETTINGS}
        return self.derived[key]

    def effective_firewall_state(self, policy_id: int) -> str:
        """C(on) or C(off) under a policy. ID 0 means the default policy."""
        for policy in self.lineage(policy_id):
            if policy.firewall_state:
                return policy.firewall_state
        return self.default_settings[settings.FIREWALL_STATE].lower()

    def effective_rules(self, policy_id: int) -> frozenset[int]:
        """The firewall rules of a policy and its parents."""
        key = ("rules", policy_id)
        if key not in self.derived:
            self.derived[key] = frozenset(
                itertools.chain.from_iterable(policy.rule_ids for policy in self.lineage(policy_id))
            )
        return self.derived[key]

    def computers_named(self, field_name: str, value: str) -> list[int]:
        """IDs of the computers with exactly that C(host_name) or C(display_name), ascending."""
        if field_name not in self._names:
            index: dict[str, list[int]] = {}
            for computer in self.computers:
                index.setdefault(getattr(computer, field_name), []).append(computer.id)
            self._names[field_name] = index
        return self._names[field_name].get(value, [])

    def user_of_rule(self, rule_id: int) -> str | None:
        """The name in messages of a policy or computer that the rule is assigned to, if any."""
        for policy in self.policies:
            if rule_id in policy.rule_ids:
                return f"Policy {policy.id}"
        for computer in self.computers:
            if rule_id in computer.rule_ids:
                return f"Computer {computer.id}"
        return None

    def forget_rule(self, rule_id: int) -> None:
        """Delete a rule, and its assignments and overrides."""
        self.rules.remove(rule_id)
        for target in (*self.policies, *self.computers):
            if rule_id in target.rule_ids:
                target.rule_ids = tuple(other for other in target.rule_ids if other != rule_id)
            if rule_id in target.rule_overrides:
                del target.rule_overrides[rule_id]
        self.policies_changed()

    def forget_list(self, keys: t.Sequence[str], list_id: int) -> None:
        """Let rules that use the list in one of these properties be for any address or port there."""
        for _rule_id, rule in self._rules_and_overrides():
            for key in keys:
                if rule.get(key) == list_id:
                    del rule[key]
                    rule[f"{key.removesuffix('ListID')}Type"] = "any"

    def user_of_policy(self, policy_id: int) -> str | None:
        """The name in messages of a policy below this one, or of a computer that has it, if any."""
        for policy in self.policies:
            if policy.parent_id == policy_id:
                return f"Policy {policy.id}"
        for computer in self.computers:
            if computer.policy_id == policy_id:
                return f"Computer {computer.id}"
        return None

    def user_of_list(self, keys: t.Sequence[str], list_id: int) -> str | None:
        """The name in messages of a rule that uses the list in one of these properties, if any."""
        for rule_id, rule in self._rules_and_overrides():
            if any(rule.get(key) == list_id for key in keys):
                return f"Firewall Rule {rule_id}"
        return None

    def _rules_and_overrides(self) -> t.Iterator[tuple[int, dict[str, t.Any]]]:
        """The properties of each rule, then the overrides of each target, each with the rule's ID."""
        yield from self.rules.items.items()
        for target in (*self.policies, *self.computers):
            yield from target.rule_overrides.items()
