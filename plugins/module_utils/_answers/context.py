# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other facts about a target: where it belongs, what it is, and its last contact. Unknown facts are null."""

from __future__ import annotations

import datetime
import typing as t
from functools import lru_cache

from .._basis.text import shown
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._manager.errors import Forbidden, NotFound


class Contexts:
    """The contexts of a fleet's targets. Policies and groups are only read when a context needs them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._groups_hidden = False
        self._policies_hidden = False

    def of(self, target: Target) -> dict[str, t.Any]:
        """Where the target belongs, what it is, and its last contact; for policies, only where they belong."""
        policy = self.policy(target)
        computer = target if isinstance(target, Computer) else None
        return {
            "policy": shown(policy.name) if policy else None,
            "policy_path": self.path(policy),
            "group_path": self.group_path(computer) if computer else None,
            "host_name": (shown(computer.host_name) or None) if computer else None,
            "display_name": (shown(computer.display_name) or None) if computer else None,
            "platform": (shown(computer.platform) or None) if computer else None,
            "agent_version": (shown(computer.agent_version) or None) if computer else None,
            "last_agent_communication": date_of(computer.last_agent_communication) if computer else None,
        }

    def policy(self, target: Target) -> Policy | None:
        """The policy itself, or a computer's policy; C(None) without one, or if the API key may not see policies."""
        if isinstance(target, Policy):
            return target
        if self._policies_hidden or not target.policy_id:
            return None
        try:
            return self._fleet.policies.get(target.policy_id)
        except (Forbidden, NotFound):
            self._policies_hidden = True
            return None

    def path(self, policy: Policy | None) -> str | None:
        """The path of a policy."""
        return _shown(self._fleet.path(policy)) if policy else None

    def group_path(self, computer: Computer) -> str | None:
        """The path of a computer's group; C(None) without one, or if the API key may not see groups."""
        if self._groups_hidden or not computer.group_id:
            return None
        try:
            return _shown(self._fleet.group_path(computer)) or None
        except (Forbidden, NotFound):
            self._groups_hidden = True
            return None


@lru_cache(maxsize=10_000)
def _shown(path: str) -> str:
    """A path for results. Many computers have the same one."""
    return shown(path)


def date_of(milliseconds: int | None) -> str | None:
    """Milliseconds since 1970 as a date, such as C(2026-06-12T08:15:00Z); C(None) if it is not a date."""
    if milliseconds is None:
        return None
    try:
        date = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{date.isoformat()[:19]}Z"
