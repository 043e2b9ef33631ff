# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of settings, held against the vendor's SDK and against values seen on managers."""

from __future__ import annotations

import deepsecurity
import pytest

from tests.contract.support import CLOCK_CHANGE, DIRECTION, INTERVAL, MISSED
from tests.lab.manager import settings
from tests.lab.manager.switches import Switches


def test_the_names_are_those_of_the_sdk() -> None:
    assert set(settings.POLICY_SETTINGS) == set(deepsecurity.PolicySettings.attribute_map.values())
    assert set(settings.POLICY_SETTINGS) == set(deepsecurity.ComputerSettings.attribute_map.values())
    assert set(settings.DEFAULT_SETTINGS) == set(deepsecurity.DefaultPolicySettings.attribute_map.values())
    assert set(settings.SYSTEM_SETTINGS) < set(deepsecurity.SystemSettings.attribute_map.values())
    assert (len(settings.POLICY_SETTINGS), len(settings.DEFAULT_SETTINGS)) == (219, 228)


@pytest.mark.parametrize(
    "name, value",
    [
        (INTERVAL, "10 Minutes"),
        (MISSED, "2"),
        ("platformSettingHeartbeatInactiveVmOfflineAlertEnabled", "false"),
        (CLOCK_CHANGE, "Unlimited"),
        (DIRECTION, "Bidirectional"),
        ("firewallSettingNetworkEngineMode", "Inline"),
        ("firewallSettingState", "Off"),
        ("firewallSettingEngineOptionForceAllowDhcpDns", "Allow DNS Query and DHCP Client"),
        ("firewallSettingEngineOptionForceAllowIcmpType3Code4", "Add Force Allow rule for ICMP type3 code4"),
        ("firewallSettingEngineOptionGenerateConnectionEventsUdpEnabled", "false"),
        ("firewallSettingEngineOptionIgnoreStatusCode2", "None"),
        ("firewallSettingEngineOptionsEnabled", "false"),
        ("firewallSettingEngineOptionSslSessionSize", "Low - 2500"),
        ("platformSettingScanOpenPortListId", "1-1024"),
    ],
)
def test_documented_defaults(name: str, value: str) -> None:
    assert settings.defaults(settings.ON_PREMISES)[name] == value


def test_every_default_is_a_value_that_can_be_written() -> None:
    for deployment in (settings.ON_PREMISES, settings.CLOUD):
        shipped = settings.defaults(deployment)
        written = {name: {"value": value} for name, value in shipped.items() if value}
        kept = settings.check_all(written, settings.DEFAULT_SETTINGS, Switches(), settings.ON_PREMISES)
        assert kept == {name: value for name, value in shipped.items() if value}
