# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Computers and their groups, by the vendor's SDK."""

from __future__ import annotations

import deepsecurity
import pytest

from tests.contract.support import DIRECTION, INTERVAL, V1, Sdk, refused, refused_by_sdk, search, setting
from tests.lab.manager.process import LabManager

NONE = ["none"]


def test_a_computer_is_made_read_changed_and_deleted(sdk: Sdk) -> None:
    created = sdk.computers.create_computer(deepsecurity.Computer(host_name="till-1", display_name="Till"), V1)
    assert (created.host_name, created.display_name, created.agent_version) == ("till-1", "Till", "0.0.0.0")
    modified = sdk.computers.modify_computer(created.id, deepsecurity.Computer(policy_id=1), V1, expand=NONE)
    assert (modified.host_name, modified.policy_id) == ("till-1", 1)
    assert sdk.computers.describe_computer(created.id, V1, expand=NONE).policy_id == 1
    assert created.id in [computer.id for computer in sdk.computers.list_computers(V1, expand=NONE).computers]
    assert sdk.computers.delete_computer(created.id, V1) is None
    refused_by_sdk(404, "The computer does not exist.", sdk.computers.describe_computer, created.id, V1)


def test_what_a_computer_does_not_have_is_absent(sdk: Sdk, lab: LabManager) -> None:
    created = sdk.computers.create_computer(deepsecurity.Computer(host_name="new"), V1)
    shown = lab.api("GET", f"/computers/{created.id}")
    assert shown["agentVersion"] == "0.0.0.0" and shown["platform"] == "Unknown" and shown["lastIPUsed"] == ""
    assert not shown.keys() & {"policyID", "agentFingerPrint", "lastAgentCommunication"}
    assert shown["firewall"]["state"] == "off"
    assert shown["firewall"]["moduleStatus"] == {"agentStatus": "inactive", "agentStatusMessage": "Not Activated"}


def test_expand_decides_what_is_shown(sdk: Sdk, lab: LabManager) -> None:
    basic = lab.api("GET", "/computers/1", query={"expand": "none"})
    assert not basic.keys() & {"computerSettings", "firewall", "tasks", "computerStatus"}
    some = sdk.computers.describe_computer(1, V1, expand=deepsecurity.Expand("firewall", "computerSettings").list())
    assert some.firewall.state in ("on", "off") and some.computer_settings and some.anti_malware is None
    commas = lab.api("GET", "/computers/1", query={"expand": "firewall,computerSettings"})
    repeated = lab.api("GET", "/computers/1", query=[("expand", "computerSettings"), ("expand", "firewall")])
    assert commas == repeated
    everything = sdk.computers.describe_computer(1, V1)
    assert len([value for value in everything.computer_settings.to_dict().values() if value]) == 219
    assert everything.anti_malware.state == "off" and everything.computer_status.agent_status
    refused(lab, 400, "Invalid value for query parameter expand: most", "GET", "/computers/1", query={"expand": "most"})


@pytest.mark.parametrize(
    "part", sorted(deepsecurity.Expand("all", "allSecurityModules", "interfaces", "SAP", "ESXSummary").list())
)
def test_every_expansion_is_parsed_by_the_sdk(sdk: Sdk, part: str) -> None:
    assert len(sdk.computers.list_computers(V1, expand=[part]).computers) == 200


def test_settings_of_a_computer_are_its_own_or_its_policys(sdk: Sdk) -> None:
    policy = sdk.policies.create_policy(deepsecurity.Policy(name="Some"), V1)
    sdk.policies.modify_policy_setting(policy.id, INTERVAL, setting("5 Minutes"), V1)
    computer = sdk.computers.create_computer(deepsecurity.Computer(host_name="one", policy_id=policy.id), V1)
    written = deepsecurity.Computer(
        computer_settings=deepsecurity.ComputerSettings(
            platform_setting_agent_communications_direction=setting("Manager Initiated")
        ),
        firewall=deepsecurity.FirewallComputerExtension(state="on"),
    )
    parts = ["computerSettings", "firewall"]
    own = sdk.computers.modify_computer(computer.id, written, V1, expand=parts, overrides=True)
    assert own.computer_settings.platform_setting_agent_communications_direction.value == "Manager Initiated"
    assert own.computer_settings.platform_setting_heartbeat_interval is None
    assert own.firewall.state == "on" and own.firewall.module_status is None
    effective = sdk.computers.describe_computer(computer.id, V1, expand=parts, overrides=False)
    assert effective.computer_settings.platform_setting_agent_communications_direction.value == "Manager Initiated"
    assert effective.computer_settings.platform_setting_heartbeat_interval.value == "5 Minutes"
    assert (
        sdk.computers.describe_computer_setting(computer.id, DIRECTION, V1, overrides=True).value == "Manager Initiated"
    )
    assert sdk.computers.reset_computer_setting(computer.id, DIRECTION, V1).value == "Bidirectional"
    # Another policy, other values.
    sdk.computers.modify_computer(computer.id, deepsecurity.Computer(policy_id=1), V1)
    assert sdk.computers.describe_computer_setting(computer.id, INTERVAL, V1).value == "10 Minutes"


def test_a_list_of_overrides_is_empty_shells_and_what_computers_set_themselves(sdk: Sdk) -> None:
    listed = sdk.computers.list_computers(V1, expand=["computerSettings", "firewall"], overrides=True).computers
    own = [computer for computer in listed if computer.id]
    assert len(listed) == 200 and 0 < len(own) < 30
    for computer in own:
        settings = [value for value in computer.computer_settings.to_dict().values() if value]
        assert settings or computer.firewall.rule_ids or computer.firewall.state


def test_references_must_lead_somewhere(lab: LabManager) -> None:
    for key in ("policyID", "groupID"):
        refused(lab, 400, f"Invalid value for {key}: 999999 does not exist", "POST", "/computers/1", {key: 999999})
    refused(lab, 400, "Invalid value for policyID: must be an integer", "POST", "/computers/1", {"policyID": "1"})
    refused(lab, 400, "cannot be blank", "POST", "/computers", {})
    refused(lab, 400, "Unrecognized property: hostname", "POST", "/computers", {"hostname": "one"})


def test_a_virtual_appliance_can_be_made_but_not_made_of_another_computer(sdk: Sdk, lab: LabManager) -> None:
    before = lab.api("GET", "/computers", query={"expand": "none"})["computers"]
    written = {"hostName": "esx-1", "platform": "Deep Security Virtual Appliance", "policyID": 1}
    number = lab.api("POST", "/computers", written)["ID"]
    shown = sdk.computers.describe_computer(number, V1)
    assert (shown.platform, shown.agent_version, shown.policy_id) == ("Deep Security Virtual Appliance", "0.0.0.0", 1)
    assert lab.api("POST", "/computers", {"hostName": "plain"})["platform"] == "Unknown"
    refused(lab, 400, "Unrecognized property: platform", "POST", "/computers/1", {"platform": written["platform"]})
    refused(lab, 400, "Invalid value for platform", "POST", "/computers", {"hostName": "one", "platform": 1})
    assert lab.api("GET", "/computers", query={"expand": "none"})["computers"][:-2] == before


def test_several_computers_may_have_one_host_name(sdk: Sdk, lab: LabManager) -> None:
    names = [computer["hostName"] for computer in lab.api("GET", "/computers", query={"expand": "none"})["computers"]]
    shared = {name for name in names if names.count(name) == 2}
    assert len(shared) == 3
    name = shared.pop()
    criterion = deepsecurity.SearchCriteria(
        field_name="hostName", string_test="equal", string_value=name, string_wildcards=False
    )
    assert len(sdk.computers.search_computers(V1, search_filter=search(criterion), expand=NONE).computers) == 2
    # Searches follow what is made, renamed and deleted.
    third = sdk.computers.create_computer(deepsecurity.Computer(host_name=name), V1)
    assert len(sdk.computers.search_computers(V1, search_filter=search(criterion), expand=NONE).computers) == 3
    sdk.computers.modify_computer(third.id, deepsecurity.Computer(host_name="renamed"), V1)
    assert len(sdk.computers.search_computers(V1, search_filter=search(criterion), expand=NONE).computers) == 2


def test_groups_are_read(sdk: Sdk, lab: LabManager) -> None:
    groups = {group.id: group for group in sdk.groups.list_computer_groups(V1).computer_groups}
    computers = sdk.computers.list_computers(V1, expand=NONE).computers
    for computer in computers:
        assert groups[computer.group_id].parent_group_id in groups
    top = deepsecurity.SearchCriteria(field_name="parentGroupID", null_test=True)
    found = sdk.groups.search_computer_groups(V1, search_filter=search(top)).computer_groups
    assert {group.id for group in found} == {
        group.parent_group_id for group in groups.values() if group.parent_group_id
    }
    some = sdk.groups.describe_computer_group(found[0].id, V1)
    assert some.name == found[0].name and some.type == "folder"
    refused(lab, 405, "Not Allowed", "POST", "/computergroups", {})
    refused(lab, 404, "The computer group does not exist.", "GET", "/computergroups/999999")
