# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agent-initiated activation: its system settings and its deployment scripts, driven by the vendor's SDK."""

from __future__ import annotations

import subprocess
import typing as t

import deepsecurity
import pytest

from tests.contract.support import ACTIVATION, V1, Sdk, refused, setting
from tests.lab.manager.process import LabManager

CHOICES = {
    "Enabled": ["For any computers", "For existing computers", "For computers on the following IP list", "No"],
    "DuplicateHostnameMode": [
        "Re-activate the existing Computer",
        "Activate a new Computer with the same name",
        "Do not allow activation",
    ],
    "PolicyId": ["1", ""],
    "WithinIpListId": ["3", ""],
    "ReactivateClonedEnabled": ["true", "false"],
    "ReactivateUnknownEnabled": ["true", "false"],
    "SpecifyHostnameEnabled": ["true", "false"],
}


@pytest.mark.parametrize("name", CHOICES)
def test_settings_take_their_values_and_no_others(lab: LabManager, sdk: Sdk, name: str) -> None:
    for value in CHOICES[name]:
        written = sdk.system_settings.modify_system_setting(f"{ACTIVATION}{name}", setting(value), V1)
        assert written.value == value
        assert sdk.system_settings.describe_system_setting(f"{ACTIVATION}{name}", V1).value == value
    path = f"/systemsettings/{ACTIVATION}{name}"
    refused(lab, 400, f"Invalid value for setting {ACTIVATION}{name}: maybe", "POST", path, {"value": "maybe"})


def test_several_settings_are_written_together_or_not_at_all(sdk: Sdk, lab: LabManager) -> None:
    before = lab.api("GET", "/systemsettings")
    body = {f"{ACTIVATION}Enabled": {"value": "For existing computers"}, f"{ACTIVATION}PolicyId": {"value": "99999"}}
    refused(lab, 400, f"Invalid value for setting {ACTIVATION}PolicyId: 99999", "POST", "/systemsettings", body)
    assert lab.api("GET", "/systemsettings") == before
    together = deepsecurity.SystemSettings(
        platform_setting_agent_initiated_activation_enabled=setting("For existing computers"),
        platform_setting_agent_initiated_activation_policy_id=setting("1"),
    )
    changed = sdk.system_settings.modify_system_settings(together, V1)
    assert changed.platform_setting_agent_initiated_activation_enabled.value == "For existing computers"
    assert changed.platform_setting_agent_initiated_activation_policy_id.value == "1"
    assert changed.platform_setting_agent_initiated_activation_specify_hostname_enabled.value == "true"


def script(sdk: Sdk, **wanted: t.Any) -> str:
    """The script that the SDK gets."""
    body = deepsecurity.AgentDeploymentScript(**wanted)
    made = sdk.scripts.generate_agent_deployment_script(V1, agent_deployment_script=body)
    for name, value in wanted.items():
        assert getattr(made, name) == value
    return made.script_body


@pytest.mark.parametrize("platform", ["linux", "windows", "solaris", "aix"])
def test_a_script_for_each_platform(lab: LabManager, sdk: Sdk, platform: str) -> None:
    group = lab.api("GET", "/computergroups")["computerGroups"][0]["ID"]
    made = script(
        sdk, platform=platform, activation_required=True, policy_id=1, computer_group_id=group, relay_group_id=1
    )
    last, comment = made.strip().splitlines()[-2:]
    assert last.endswith(f' -a $ACTIVATIONURL "policyid:1" "groupid:{group}" "relaygroupid:1"')
    assert comment.startswith("# ") and comment.endswith(last.partition("$ACTIVATIONURL")[2])
    assert "dsm://localhost:4120/" in made and "tenantID" not in made
    if platform != "windows":
        subprocess.run(["bash", "-n"], input=made, text=True, check=True)


def test_what_a_script_is_asked_for(sdk: Sdk) -> None:
    plain = script(sdk, platform="linux")
    assert "dsa_control -" not in plain and "--insecure" in plain and "dpkg-sig" not in plain
    careful = script(
        sdk, platform="linux", validate_certificate_required=True, validate_digital_signature_required=True
    )
    assert "--insecure" not in careful and "dpkg-sig" in careful
    proxies = script(sdk, platform="linux", activation_required=True, dsm_proxy_id=1, relay_proxy_id=2)
    assert [line.split("dsa_control ")[1][:2] for line in proxies.splitlines() if line.startswith("/opt")] == [
        "-r",
        "-x",
        "-y",
        "-w",
        "-a",
    ]


def test_tokens_are_in_the_script(cloud_lab: LabManager, lab: LabManager, sdk: Sdk) -> None:
    cloud = script(Sdk(cloud_lab, cloud_lab.api_key), platform="linux", activation_required=True)
    assert '-a $ACTIVATIONURL "tenantID:' in cloud and '" "token:' in cloud
    lab.api("POST", f"/systemsettings/{ACTIVATION}Token", {"value": "let me in"})
    assert '-a $ACTIVATIONURL "token:let me in"\n' in script(sdk, platform="linux", activation_required=True)


@pytest.mark.parametrize(
    "body, message",
    [
        ({}, "Invalid value for platform"),
        ({"platform": "macos"}, "Invalid value for platform: macos"),
        ({"platform": "linux", "policyID": 99999}, "Invalid value for policyID: 99999 does not exist"),
        ({"platform": "linux", "computerGroupID": 99999}, "Invalid value for computerGroupID"),
        ({"platform": "linux", "dsmProxyID": 9}, "Invalid value for dsmProxyID"),
        ({"platform": "linux", "activationRequired": "yes"}, "Invalid value for activationRequired"),
        ({"platform": "linux", "policyId": 1}, "Unrecognized property: policyId"),
    ],
)
def test_scripts_that_there_are_not(lab: LabManager, body: dict[str, t.Any], message: str) -> None:
    refused(lab, 400, message, "POST", "/agentdeploymentscripts", body)


def test_scripts_cannot_be_listed(lab: LabManager) -> None:
    refused(lab, 404, "Not Found", "GET", "/agentdeploymentscripts")
    refused(lab, 404, "Not Found", "POST", "/agentdeploymentscripts/1", {"platform": "linux"})
