# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies, their settings and what they inherit, by the vendor's SDK."""

from __future__ import annotations

import deepsecurity
import pytest

from tests.contract.support import (
    CLOCK_CHANGE,
    DIRECTION,
    INTERVAL,
    MISSED,
    V1,
    Sdk,
    refused,
    refused_by_sdk,
    search,
    setting,
)
from tests.lab.manager.process import LabManager


def test_a_policy_is_made_read_changed_and_deleted(sdk: Sdk) -> None:
    created = sdk.policies.create_policy(deepsecurity.Policy(name="Kiosk", description="In shops", parent_id=1), V1)
    assert (created.name, created.description, created.parent_id) == ("Kiosk", "In shops", 1)
    modified = sdk.policies.modify_policy(created.id, deepsecurity.Policy(name="Kiosks"), V1)
    assert (modified.name, modified.description, modified.id) == ("Kiosks", "In shops", created.id)
    assert sdk.policies.describe_policy(created.id, V1).name == "Kiosks"
    assert created.id in [policy.id for policy in sdk.policies.list_policies(V1).policies]
    assert sdk.policies.delete_policy(created.id, V1) is None
    refused_by_sdk(404, "The policy does not exist", sdk.policies.describe_policy, created.id, V1)


def test_an_id_is_not_given_twice(sdk: Sdk) -> None:
    first = sdk.policies.create_policy(deepsecurity.Policy(name="First"), V1)
    sdk.policies.delete_policy(first.id, V1)
    assert sdk.policies.create_policy(deepsecurity.Policy(name="Second"), V1).id > first.id


def test_a_top_level_policy_has_no_parent(sdk: Sdk, lab: LabManager) -> None:
    created = sdk.policies.create_policy(deepsecurity.Policy(name="Alone"), V1)
    assert "parentID" not in lab.api("GET", f"/policies/{created.id}")
    below = sdk.policies.create_policy(deepsecurity.Policy(name="Below", parent_id=created.id), V1)
    assert "parentID" not in lab.api("POST", f"/policies/{below.id}", {"parentID": 0})


def test_a_name_is_there_once(sdk: Sdk, lab: LabManager) -> None:
    refused(lab, 400, "name already exists", "POST", "/policies", {"name": "Base Policy"})
    other = sdk.policies.create_policy(deepsecurity.Policy(name="Other"), V1)
    refused(lab, 400, "name already exists", "POST", f"/policies/{other.id}", {"name": "Base Policy"})
    refused(lab, 400, "cannot be blank", "POST", "/policies", {"name": ""})
    lab.api("POST", f"/policies/{other.id}", {"name": "Other"})


def test_a_policy_cannot_be_below_itself_or_below_nothing(sdk: Sdk, lab: LabManager) -> None:
    above = sdk.policies.create_policy(deepsecurity.Policy(name="Above"), V1)
    below = sdk.policies.create_policy(deepsecurity.Policy(name="Below", parent_id=above.id), V1)
    refused(lab, 400, "below itself", "POST", f"/policies/{above.id}", {"parentID": below.id})
    refused(lab, 400, "does not exist", "POST", f"/policies/{above.id}", {"parentID": 999999})


def test_a_policy_in_use_is_not_deleted(sdk: Sdk, lab: LabManager) -> None:
    parent = sdk.policies.create_policy(deepsecurity.Policy(name="Parent"), V1)
    child = sdk.policies.create_policy(deepsecurity.Policy(name="Child", parent_id=parent.id), V1)
    computer = sdk.computers.create_computer(deepsecurity.Computer(host_name="one", policy_id=child.id), V1)
    message = "Policy {0} could not be removed because {1} depends on Policy {0}"
    refused_by_sdk(400, message.format(parent.id, f"Policy {child.id}"), sdk.policies.delete_policy, parent.id, V1)
    refused_by_sdk(400, message.format(child.id, f"Computer {computer.id}"), sdk.policies.delete_policy, child.id, V1)
    lab.api("POST", f"/computers/{computer.id}", {"policyID": 0})
    sdk.policies.delete_policy(child.id, V1)
    sdk.policies.delete_policy(parent.id, V1)


def test_settings_come_down_from_the_default_policy_to_the_computer(sdk: Sdk) -> None:
    top = sdk.policies.create_policy(deepsecurity.Policy(name="Top"), V1)
    leaf = sdk.policies.create_policy(deepsecurity.Policy(name="Leaf", parent_id=top.id), V1)
    computer = sdk.computers.create_computer(deepsecurity.Computer(host_name="one", policy_id=leaf.id), V1)

    def effective() -> tuple[str, str, str]:
        return (
            sdk.policies.describe_policy_setting(top.id, INTERVAL, V1).value,
            sdk.policies.describe_policy_setting(leaf.id, INTERVAL, V1).value,
            sdk.computers.describe_computer_setting(computer.id, INTERVAL, V1).value,
        )

    assert effective() == ("10 Minutes", "10 Minutes", "10 Minutes")
    sdk.policies.modify_default_setting(INTERVAL, setting("15 Minutes"), V1)
    assert effective() == ("15 Minutes", "15 Minutes", "15 Minutes")
    sdk.policies.modify_policy_setting(top.id, INTERVAL, setting("20 Minutes"), V1)
    assert effective() == ("20 Minutes", "20 Minutes", "20 Minutes")
    sdk.policies.modify_policy_setting(leaf.id, INTERVAL, setting("1 Minute"), V1)
    assert effective() == ("20 Minutes", "1 Minute", "1 Minute")
    sdk.computers.modify_computer_setting(computer.id, INTERVAL, setting("5 Minutes"), V1)
    assert effective() == ("20 Minutes", "1 Minute", "5 Minutes")
    assert sdk.policies.reset_policy_setting(leaf.id, INTERVAL, V1).value == "20 Minutes"
    assert sdk.computers.reset_computer_setting(computer.id, INTERVAL, V1).value == "20 Minutes"
    sdk.policies.reset_policy_setting(top.id, INTERVAL, V1)
    assert sdk.policies.reset_default_setting(INTERVAL, V1).value == "10 Minutes"
    assert effective() == ("10 Minutes", "10 Minutes", "10 Minutes")


def test_overrides_show_only_what_the_policy_sets_itself(sdk: Sdk) -> None:
    policy = sdk.policies.create_policy(
        deepsecurity.Policy(
            name="Own",
            policy_settings=deepsecurity.PolicySettings(platform_setting_heartbeat_interval=setting("30 Minutes")),
        ),
        V1,
        overrides=True,
    )

    def given(settings: deepsecurity.PolicySettings) -> dict[str, str]:
        return {name: value["value"] for name, value in settings.to_dict().items() if value}

    assert given(policy.policy_settings) == {"platform_setting_heartbeat_interval": "30 Minutes"}
    whole = sdk.policies.describe_policy(policy.id, V1, overrides=False)
    assert len([value for value in whole.policy_settings.to_dict().values() if value]) == 219
    # An empty value takes the override away; what is not sent stays.
    changed = sdk.policies.modify_policy(
        policy.id,
        deepsecurity.Policy(
            policy_settings=deepsecurity.PolicySettings(
                platform_setting_heartbeat_interval=setting(""),
                platform_setting_heartbeat_missed_alert_threshold=setting("5"),
            )
        ),
        V1,
        overrides=True,
    )
    assert given(changed.policy_settings) == {"platform_setting_heartbeat_missed_alert_threshold": "5"}


def test_default_settings_are_all_there_and_changed_together(sdk: Sdk) -> None:
    before = sdk.policies.list_default_settings(V1)
    assert len([value for value in before.to_dict().values() if value]) == 228
    assert before.firewall_setting_state.value == "Off"
    after = sdk.policies.modify_default_settings(
        deepsecurity.DefaultPolicySettings(
            platform_setting_heartbeat_interval=setting("60 Minutes"), firewall_setting_state=setting("On")
        ),
        V1,
    )
    assert after.platform_setting_heartbeat_interval.value == "60 Minutes"
    assert sdk.policies.describe_default_setting("firewallSettingState", V1).value == "On"


def test_the_firewall_state_is_inherited_and_never_shown_as_such(sdk: Sdk, lab: LabManager) -> None:
    parent = sdk.policies.create_policy(deepsecurity.Policy(name="Parent"), V1)
    child = sdk.policies.create_policy(deepsecurity.Policy(name="Child", parent_id=parent.id), V1)
    assert sdk.policies.describe_policy(child.id, V1).firewall.state == "off"
    firewall = deepsecurity.FirewallPolicyExtension(state="on")
    assert sdk.policies.modify_policy(parent.id, deepsecurity.Policy(firewall=firewall), V1).firewall.state == "on"
    assert sdk.policies.describe_policy(child.id, V1).firewall.state == "on"
    assert "state" not in lab.api("GET", f"/policies/{child.id}", query={"overrides": "true"})["firewall"]
    firewall = deepsecurity.FirewallPolicyExtension(state="inherited")
    assert sdk.policies.modify_policy(parent.id, deepsecurity.Policy(firewall=firewall), V1).firewall.state == "off"
    refused(lab, 400, "Invalid value for state", "POST", f"/policies/{child.id}", {"firewall": {"state": "Off"}})


@pytest.mark.parametrize(
    "name, written, shown",
    [
        (DIRECTION, "1", "Agent/Appliance Initiated"),
        (DIRECTION, "2", "Manager Initiated"),
        (DIRECTION, "3", "Bidirectional"),
        (DIRECTION, "Agent Initiated", "Agent/Appliance Initiated"),
        (DIRECTION, "Manager Initiated", "Manager Initiated"),
        (INTERVAL, "1 Minute", "1 Minute"),
        (MISSED, "Unlimited", "Unlimited"),
        (CLOCK_CHANGE, "30 Minutes", "30 Minutes"),
    ],
)
def test_replies_give_the_wording(sdk: Sdk, name: str, written: str, shown: str) -> None:
    assert sdk.policies.modify_policy_setting(1, name, setting(written), V1).value == shown
    assert sdk.policies.describe_policy_setting(1, name, V1, overrides=True).value == shown


@pytest.mark.parametrize(
    "name, value",
    [
        (DIRECTION, "agent_initiated"),
        (DIRECTION, "Inherited"),
        (DIRECTION, "0"),
        (INTERVAL, "10"),
        (INTERVAL, "10 minutes"),
        (INTERVAL, "1 Minutes"),
        (INTERVAL, "0 Minutes"),
        (INTERVAL, "Unlimited"),
        (MISSED, "0"),
        (MISSED, "two"),
        (CLOCK_CHANGE, "half an hour"),
        ("platformSettingHeartbeatInactiveVmOfflineAlertEnabled", "yes"),
        ("firewallSettingNetworkEngineMode", "Tape"),
        ("firewallSettingEngineOptionForceAllowDhcpDns", "Inherited"),
    ],
)
def test_a_value_that_is_none_of_the_choices_is_refused(sdk: Sdk, name: str, value: str) -> None:
    message = f"Invalid value for setting {name}: {value}"
    refused_by_sdk(400, message, sdk.policies.modify_policy_setting, 1, name, setting(value), V1)
    refused_by_sdk(400, message, sdk.policies.modify_default_setting, name, setting(value), V1)
    refused_by_sdk(400, message, sdk.computers.modify_computer_setting, 1, name, setting(value), V1)


@pytest.mark.parametrize("value", [5, True, None, ["10 Minutes"]])
def test_values_are_strings(lab: LabManager, value: object) -> None:
    body = {"policySettings": {INTERVAL: {"value": value}}}
    refused(lab, 400, f"Invalid value for setting {INTERVAL}", "POST", "/policies/1", body)


def test_one_wrong_setting_keeps_all_of_them_from_being_changed(lab: LabManager) -> None:
    body = {
        "name": "Renamed",
        "policySettings": {
            MISSED: {"value": "7"},
            INTERVAL: {"value": "soon"},
            DIRECTION: {"value": "sideways"},
            "platformSettingHeartbeat": {"value": "1"},
        },
    }
    before = lab.api("GET", "/policies/1", query={"overrides": "true"})
    refused(lab, 400, f"Invalid value for setting {INTERVAL}: soon", "POST", "/policies/1", body)
    refused(lab, 400, f"Invalid value for setting {DIRECTION}: sideways", "POST", "/policies/1", body)
    refused(lab, 400, "Unknown setting: platformSettingHeartbeat", "POST", "/policies/1", body)
    assert lab.api("GET", "/policies/1", query={"overrides": "true"}) == before


def test_unknown_settings_and_properties_are_refused(sdk: Sdk, lab: LabManager) -> None:
    for call in (sdk.policies.describe_policy_setting, sdk.policies.reset_policy_setting):
        refused_by_sdk(400, "Unknown setting: nonsense", call, 1, "nonsense", V1)
    refused_by_sdk(400, "Unknown setting: nonsense", sdk.policies.describe_default_setting, "nonsense", V1)
    # Known in the default policy only.
    refused_by_sdk(
        400,
        "Unknown setting: firewallSettingState",
        sdk.policies.describe_policy_setting,
        1,
        "firewallSettingState",
        V1,
    )
    refused(lab, 400, "Unrecognized property: parentId", "POST", "/policies/1", {"parentId": 1})
    refused(
        lab, 400, "Invalid value for recommendationScanMode", "POST", "/policies/1", {"recommendationScanMode": "on"}
    )


def test_system_settings_are_read_changed_and_reset(sdk: Sdk) -> None:
    name = "platformSettingAgentInitiatedActivationEnabled"
    assert sdk.system_settings.describe_system_setting(name, V1).value == "For any computers"
    value = setting("For existing computers")
    assert sdk.system_settings.modify_system_setting(name, value, V1).value == "For existing computers"
    listed = sdk.system_settings.list_system_settings(V1)
    assert listed.platform_setting_agent_initiated_activation_enabled.value == "For existing computers"
    together = deepsecurity.SystemSettings(platform_setting_load_balancer_heartbeat_address=setting("lb.example.com"))
    changed = sdk.system_settings.modify_system_settings(together, V1)
    assert changed.platform_setting_load_balancer_heartbeat_address.value == "lb.example.com"
    assert sdk.system_settings.reset_system_setting(name, V1).value == "For any computers"
    refused_by_sdk(400, f"Unknown setting: {INTERVAL}", sdk.system_settings.describe_system_setting, INTERVAL, V1)


def test_policies_are_searched(sdk: Sdk) -> None:
    by_name = deepsecurity.SearchCriteria(field_name="name", string_test="equal", string_value="Linux Server")
    (found,) = sdk.policies.search_policies(V1, search_filter=search(by_name)).policies
    by_parent = deepsecurity.SearchCriteria(field_name="parentID", numeric_test="equal", numeric_value=found.id)
    children = sdk.policies.search_policies(V1, search_filter=search(by_parent), overrides=True).policies
    assert children and all(policy.parent_id == found.id for policy in children)
    top = deepsecurity.SearchCriteria(field_name="parentID", null_test=True)
    assert [policy.name for policy in sdk.policies.search_policies(V1, search_filter=search(top)).policies] == [
        "Base Policy"
    ]
    assert len(sdk.policies.search_policies(V1).policies) == 20
