# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How managers and agents communicate: the directions, and the ports on which each of them listens.

From the vendor's pages on port numbers and on the communication between manager and agents, read in November 2026.
"""

from __future__ import annotations

BIDIRECTIONAL = "bidirectional"
MANAGER_INITIATED = "manager_initiated"
AGENT_INITIATED = "agent_initiated"
DIRECTIONS = (BIDIRECTIONAL, MANAGER_INITIATED, AGENT_INITIATED)

# What the cloud fixes of heartbeats: minutes from one to the next, and how many may be missed before an alert.
CLOUD_HEARTBEAT_INTERVAL = 10
CLOUD_MISSED_BEFORE_ALERT = 2

# Where an agent listens that does not initiate all communication.
AGENT_PORT = 4118
# A manager on the premises, and its relays.
HEARTBEAT_PORT = 4120
CONSOLE_PORT = 4119
RELAY_PORT = 4122
# Everything of the cloud.
CLOUD_PORT = 443
# Lists of revoked certificates, which carry a signature of their own.
HTTP_PORT = 80
