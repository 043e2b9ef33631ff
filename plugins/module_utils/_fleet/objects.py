# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and computers, as far as their communication goes."""

from __future__ import annotations

import sys
import typing as t

from .._agent.platforms import MACOS, family, is_appliance
from .._agent.versions import NO_AGENT, parse
from .._basis.text import quoted, shown
from .._manager.client import COMPUTER, POLICY, Item, Kind
from .catalogue import Setting, Value

# Shared by all that have none: most of a fleet.
NO_OVERRIDES: dict[Setting, Value] = {}

# What is below, in 1973, is a number of seconds.
_LEAST_MILLISECONDS = 10**11


class Policy:
    """A policy: C(rule_ids) are the firewall rules that its page listed; C(description) is C(None) where it had none."""

    __slots__ = ("id", "name", "parent_id", "overrides", "rule_ids", "description")

    kind: t.ClassVar[Kind] = POLICY
    settings_key: t.ClassVar[str] = "policySettings"

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
        """The ID of the policy that it inherits from."""
        return self.parent_id

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"policy {quoted(self.name, 100)} (ID {self.id})"

    @property
    def reference(self) -> dict[str, t.Any]:
        """How results name it."""
        return {"type": "policy", "id": self.id, "name": shown(self.name)}


class Computer:
    """A computer: C(overrides) and C(rule_ids) are empty until C(Fleet.read_overrides) has read them.

    C(last_agent_communication), C(last_send_policy_request), C(last_send_policy_success): milliseconds since 1970,
    C(None) where the manager does not say.

    Slots, since a task holds every computer of a fleet.
    """

    __slots__ = (
        "id",
        "host_name",
        "display_name",
        "platform",
        "agent_version",
        "policy_id",
        "group_id",
        "last_ip",
        "status",
        "status_messages",
        "last_agent_communication",
        "last_send_policy_request",
        "last_send_policy_success",
        "tasks",
        "overrides",
        "rule_ids",
    )

    kind: t.ClassVar[Kind] = COMPUTER
    settings_key: t.ClassVar[str] = "computerSettings"

    def __init__(
        self,
        id: int,
        host_name: str,
        display_name: str,
        platform: str,
        agent_version: str,
        policy_id: int | None,
        group_id: int | None,
        last_ip: str = "",
        last_agent_communication: int | None = None,
    ) -> None:
        self.id = id
        self.host_name = host_name
        self.display_name = display_name
        self.platform = platform
        self.agent_version = agent_version
        self.policy_id = policy_id
        self.group_id = group_id
        self.last_ip = last_ip
        # In the words of the API, if they were read.
        self.status = ""
        self.status_messages: tuple[str, ...] = ()
        self.last_agent_communication = last_agent_communication
        self.last_send_policy_request: int | None = None
        self.last_send_policy_success: int | None = None
        # What the manager is about to do with its agent, in the words of the API, if that was read.
        self.tasks: tuple[str, ...] | None = None
        self.overrides = NO_OVERRIDES
        self.rule_ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, item: Item) -> Computer:
        """A computer as a reply of the manager describes it; what that leaves out is empty."""
        computer = cls(
            item["ID"],
            item.get("hostName") or "",
            item.get("displayName") or "",
            sys.intern(item.get("platform") or ""),
            sys.intern(item.get("agentVersion") or ""),
            item.get("policyID") or None,
            item.get("groupID") or None,
            item.get("lastIPUsed") or "",
            _milliseconds(item.get("lastAgentCommunication")),
        )
        computer.last_send_policy_request = _milliseconds(item.get("lastSendPolicyRequest"))
        computer.last_send_policy_success = _milliseconds(item.get("lastSendPolicySuccess"))
        tasks = (item.get("tasks") or {}).get("agentTasks")
        if tasks is not None:
            computer.tasks = tuple(map(sys.intern, tasks))
        status = item.get("computerStatus")
        if status:
            computer.status = sys.intern(status.get("agentStatus") or "")
            computer.status_messages = tuple(map(sys.intern, status.get("agentStatusMessages") or ()))
        return computer

    @property
    def above(self) -> int | None:
        """The ID of the policy that it inherits from."""
        return self.policy_id

    @property
    def name(self) -> str:
        """Host name, or display name where there is none."""
        return self.host_name or self.display_name

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"computer {quoted(self.name, 100)} (ID {self.id})"

    @property
    def reference(self) -> dict[str, t.Any]:
        """How results name it."""
        return {"type": "computer", "id": self.id, "name": shown(self.name)}

    @property
    def has_agent(self) -> bool:
        """Whether the manager knows an agent on it."""
        return bool(self.agent_version) and parse(self.agent_version) != NO_AGENT

    @property
    def is_macos(self) -> bool:
        """Whether the agent runs on macOS; the manager spells it C(macOS), C(Mac OS X) and C(Apple macOS)."""
        return family(self.platform) == MACOS

    @property
    def is_appliance(self) -> bool:
        """Whether it is a virtual appliance, with which the manager communicates in both directions only."""
        return is_appliance(self.platform)


Target = t.Union[Policy, Computer]


def _milliseconds(date: t.Any) -> int | None:
    if not isinstance(date, int) or isinstance(date, bool) or date <= 0:
        return None
    return date if date >= _LEAST_MILLISECONDS else 1000 * date
