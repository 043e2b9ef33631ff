# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the manager says of an agent in words: the texts of its status and of its tasks that tell of communication.

From the vendor's page on the status of computers and agents, read in November 2026. Managers add to these texts, so they
are looked for within what is shown, whatever its case.
"""

from __future__ import annotations

# The agent cannot be heard, or cannot be running.
_OFFLINE = ("offline", "vm stopped", "vm paused")
# The manager and the agent cannot talk with each other, or do not know each other any more.
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
    return _has(text, _OFFLINE)


def is_communication_error(text: str) -> bool:
    """Whether a status says that manager and agent cannot communicate, for another reason than that it is offline."""
    return _has(text, _COMMUNICATION_ERRORS)


def is_sending(text: str) -> bool:
    """Whether a task says that the agent is yet to take its policy."""
    return _has(text, _SENDING)


def _has(text: str, words: tuple[str, ...]) -> bool:
    lower = text.lower()
    return any(word in lower for word in words)
