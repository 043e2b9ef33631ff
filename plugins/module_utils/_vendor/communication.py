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

# Heartbeat values that are fixed on the cloud: minutes between two, and how many may be missed before an alert.
CLOUD_HEARTBEAT_INTERVAL = 10
CLOUD_MISSED_BEFORE_ALERT = 2

# The port on which an agent listens, unless it initiates all communication.
AGENT_PORT = 4118
# Ports of an on-premises manager, and of its relays.
HEARTBEAT_PORT = 4120
CONSOLE_PORT = 4119
RELAY_PORT = 4122
# The port of everything in the cloud.
CLOUD_PORT = 443
# The port for lists of revoked certificates, which are signed themselves.
HTTP_PORT = 80
