# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a computer's platform says of it."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Computer


@pytest.mark.parametrize(
    ("platform", "is_macos", "is_appliance"),
    [
        ("macOS (14.5)", True, False),
        ("Deep Security Virtual Appliance (Build 20.0.0-877)", False, True),
        ("VIRTUAL APPLIANCE", False, True),
        ("Red Hat Enterprise 9 (64 bit)", False, False),
        ("", False, False),
    ],
)
def test_platforms(platform: str, is_macos: bool, is_appliance: bool) -> None:
    computer = Computer({"ID": 1, "hostName": "host", "platform": platform, "agentVersion": "20.0.0.877"})
    assert (computer.is_macos, computer.is_appliance) == (is_macos, is_appliance)
