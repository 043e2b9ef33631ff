# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and computers, with what matters for communication."""

from __future__ import annotations

import typing as t

from .._agent.platforms import is_appliance, is_macos
from .._agent.versions import NO_AGENT, parse
from .._basis.text import quoted, shown
from .._manager.kinds import COMPUTER, POLICY, Item, Kind
from .catalogue import Setting, Value

# Shared by all targets without overrides, which are most of a fleet.
NO_OVERRIDES: dict[Setting, Value] = {}
NO_RULES: frozenset[int] = frozenset()

# Texts that many computers share, each kept once. Not sys.intern(), which Ansible replaces with something slower.
_TEXTS: dict[str, str] = {}
_shared = _TEXTS.setdefault

# Smaller numbers (before 1973 in milliseconds) are seconds.
_LEAST_MILLISECONDS = 10**11
# The end of the year 9999. Larger numbers, such as microseconds, are no dates, and must not look like recent ones.
_MOST_MILLISECONDS = 253_402_300_799_999


class Policy:
    """A policy. C(rule_ids): the firewall rules that its page listed. C(description): C(None) if its page had none."""

    __slots__ = ("id", "name", "parent_id", "overrides", "rule_ids", "description")

    kind: t.ClassVar[Kind] = POLICY

    def __init__(
        self,
        id: int,
        name: str,
        parent_id: int | None,
        overrides: dict[Setting, Value],
        rule_ids: frozenset[int],
        description: str | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.parent_id = parent_id
        self.overrides = overrides
        self.rule_ids = rule_ids
        self.description = description

    @property
    def above(self) -> int | None:
        """The ID of the policy above, from which this one inherits."""
        return self.parent_id

    @property
    def label(self) -> str:
        """The name for messages."""
        return f"policy {quoted(self.name, 100)} (ID {self.id})"

    @property
    def identity(self) -> tuple[str, int]:
        """The type and the ID, which plans and results know it by."""
        return "policy", self.id

    @property
    def reference(self) -> dict[str, t.Any]:
        """The reference for results."""
        return {"type": "policy", "id": self.id, "name": shown(self.name)}


class Computer:
    """A computer. C(overrides) and C(rule_ids) are empty until C(Fleet.read_overrides) has read them.

    C(name) is the host name, or the display name if there is none.
    It has slots, because a task keeps every computer of a fleet. Dates are only parsed when needed, which is rare.
    """

    __slots__ = (
        "id",
        "host_name",
        "display_name",
        "name",
        "platform",
        "agent_version",
        "policy_id",
        "group_id",
        "last_ip",
        "status",
        "status_messages",
        "_last_communication",
        "_last_request",
        "_last_success",
        "tasks",
        "overrides",
        "rule_ids",
    )

    kind: t.ClassVar[Kind] = COMPUTER

    def __init__(self, item: Item) -> None:
        """C(item): a computer in a reply of the manager. Anything that the reply leaves out is empty."""
        get = item.get
        self.id: int = item["ID"]
        self.host_name: str = get("hostName") or ""
        self.display_name: str = get("displayName") or ""
        self.name = self.host_name or self.display_name
        platform, version = get("platform") or "", get("agentVersion") or ""
        self.platform: str = _shared(platform, platform)
        self.agent_version: str = _shared(version, version)
        self.policy_id: int | None = get("policyID") or None
        self.group_id: int | None = get("groupID") or None
        self.last_ip: str = get("lastIPUsed") or ""
        # As the manager writes dates: milliseconds or seconds since 1970.
        self._last_communication = get("lastAgentCommunication")
        self._last_request = get("lastSendPolicyRequest")
        self._last_success = get("lastSendPolicySuccess")
        # In the words of the API, empty if not read.
        self.status = ""
        self.status_messages: tuple[str, ...] = ()
        if status := get("computerStatus"):
            word = status.get("agentStatus") or ""
            self.status = _shared(word, word)
            self.status_messages = _all_shared(status.get("agentStatusMessages") or ())
        # The manager's current tasks for the agent, in the words of the API, if they were read.
        self.tasks: tuple[str, ...] | None = None
        if (tasks := get("tasks")) and tasks.get("agentTasks") is not None:
            self.tasks = _all_shared(tasks["agentTasks"])
        self.overrides = NO_OVERRIDES
        self.rule_ids = NO_RULES

    @property
    def last_agent_communication(self) -> int | None:
        """When its agent last communicated, in milliseconds since 1970; C(None) if the manager does not tell."""
        return _milliseconds(self._last_communication)

    @property
    def last_send_policy_request(self) -> int | None:
        """When its policy was last requested to be sent; milliseconds since 1970 or C(None)."""
        return _milliseconds(self._last_request)

    @property
    def last_send_policy_success(self) -> int | None:
        """When its agent last took its policy; milliseconds since 1970 or C(None)."""
        return _milliseconds(self._last_success)

    @property
    def above(self) -> int | None:
        """The ID of the computer's policy, from which it inherits."""
        return self.policy_id

    @property
    def label(self) -> str:
        """The name for messages."""
        return f"computer {quoted(self.name, 100)} (ID {self.id})"

    @property
    def identity(self) -> tuple[str, int]:
        """The type and the ID, which plans and results know it by."""
        return "computer", self.id

    @property
    def reference(self) -> dict[str, t.Any]:
        """The reference for results."""
        return {"type": "computer", "id": self.id, "name": shown(self.name)}

    @property
    def has_agent(self) -> bool:
        """Whether the manager knows an agent on the computer."""
        return bool(self.agent_version) and parse(self.agent_version) != NO_AGENT

    @property
    def has_unknown_agent(self) -> bool:
        """Whether an agent has communicated, but the manager shows no version of it."""
        return not self.agent_version and self.last_agent_communication is not None

    @property
    def is_macos(self) -> bool:
        """Whether the agent runs on macOS; the manager spells it C(macOS), C(Mac OS X) and C(Apple macOS)."""
        return is_macos(self.platform)

    @property
    def is_appliance(self) -> bool:
        """Whether this is a virtual appliance, with which the manager only communicates bidirectionally."""
        return is_appliance(self.platform)


Target = t.Union[Policy, Computer]


def macs_among(computers: t.Collection[Computer]) -> list[Computer]:
    """The computers with an agent for macOS."""
    return _on(computers, is_macos)


def appliances_among(computers: t.Collection[Computer]) -> list[Computer]:
    """The computers that are virtual appliances."""
    return _on(computers, is_appliance)


def _on(computers: t.Collection[Computer], fits: t.Callable[[str], bool]) -> list[Computer]:
    """The computers whose platform fits. Each platform is only checked once."""
    platforms = {platform for platform in {computer.platform for computer in computers} if fits(platform)}
    return [computer for computer in computers if computer.platform in platforms]


def _all_shared(texts: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_shared, texts, texts))


def _milliseconds(date: t.Any) -> int | None:
    if not isinstance(date, int) or isinstance(date, bool) or not 0 < date <= _MOST_MILLISECONDS:
        return None
    return date if date >= _LEAST_MILLISECONDS else 1000 * date
