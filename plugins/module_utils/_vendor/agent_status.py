# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's texts about an agent: those of its status and of its tasks that are about communication.

From the vendor's page on the status of computers and agents, read in November 2026. Managers add words to these texts,
so they are searched within the shown text, ignoring case.
"""

from __future__ import annotations

import re

# The agent cannot be reached, or cannot be running. One of its engines may be offline while it communicates, as in
# "Anti-Malware Engine Offline".
_OFFLINE = re.compile(r"(?<!engine )(?<!engine is )offline|vm stopped|vm paused", re.IGNORECASE | re.ASCII)
# The manager and the agent cannot talk to each other, or no longer know each other.
_COMMUNICATION_ERRORS = (
    "communication error",
    "communications problem",
    "no route to computer",
    "unable to resolve hostname",
    "unable to communicate",
    "protocol error",
    "activation required",
    "deactivation required",
    "duplicate computer",
    "send policy failed",
    "update of configuration failed",
)
# Its policy is on the way.
_SENDING = ("update of configuration pending", "update of configuration in progress", "sending policy")


def is_offline(text: str) -> bool:
    """Whether a status or a task says that the agent is offline."""
    return _OFFLINE.search(text) is not None


def is_communication_error(text: str) -> bool:
    """Whether a status says that manager and agent cannot communicate, for another reason than an offline agent."""
    return _has(text, _COMMUNICATION_ERRORS)


def is_sending(text: str) -> bool:
    """Whether a task says that the agent has not taken its policy yet."""
    return _has(text, _SENDING)


def _has(text: str, words: tuple[str, ...]) -> bool:
    lower = text.lower()
    return any(word in lower for word in words)
