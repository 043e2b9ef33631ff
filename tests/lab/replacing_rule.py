# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rule that meets all conditions of the vendor's page except for its sources, in the form of the manager's API."""

from __future__ import annotations

import typing as t

REPLACING: dict[str, t.Any] = {
    "action": "bypass",
    "priority": "4",
    "direction": "incoming",
    "frameType": "ip",
    "protocol": "tcp",
    "destinationPortType": "multiple",
    "destinationPortMultiple": ["4118"],
}
