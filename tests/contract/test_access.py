# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may ask, how often, and what a call that leads nowhere answers."""

from __future__ import annotations

import json

import deepsecurity
import pytest

from tests.contract.support import V1, Sdk, admin_headers, refused, refused_by_sdk, send
from tests.lab.manager.process import LabError, LabManager


def test_a_key_is_told_about_itself(sdk: Sdk, lab: LabManager) -> None:
    key = sdk.keys.describe_current_api_key(V1)
    assert (key.key_name, key.active, key.id) == ("admin", True, int(lab.api_key.split(":")[0]))
    assert key.secret_key is None


@pytest.mark.parametrize("key", ["", "1:wrong", "wrong", "4:nobody"])
def test_wrong_keys(lab: LabManager, key: str) -> None:
    reply = send(lab, "GET", "/policies", {"api-secret-key": key, "api-version": V1})
    assert (reply.status, json.loads(reply.body)) == (401, {"message": "Invalid API Key"})


def test_the_sdk_is_told_of_a_wrong_key(lab: LabManager) -> None:
    refused_by_sdk(401, "Invalid API Key", Sdk(lab, "1:wrong").policies.list_policies, V1)


def test_each_deployment_takes_its_own_form_of_key(lab: LabManager, cloud_lab: LabManager) -> None:
    for manager, own, other in (
        (lab, {"api-secret-key": lab.api_key}, {"Authorization": f"ApiKey {lab.api_key}"}),
        (cloud_lab, {"Authorization": f"ApiKey {cloud_lab.api_key}"}, {"api-secret-key": cloud_lab.api_key}),
    ):
        assert send(manager, "GET", "/policies/1", {**own, "api-version": V1}).status == 200
        assert send(manager, "GET", "/policies/1", {**other, "api-version": V1}).status == 401
    bearer = {"Authorization": f"Bearer {cloud_lab.api_key}", "api-version": V1}
    assert send(cloud_lab, "GET", "/policies/1", bearer).status == 401


def test_the_sdk_reads_the_cloud(cloud_lab: LabManager) -> None:
    sdk = Sdk(cloud_lab, cloud_lab.api_key)
    assert len(sdk.computers.list_computers(V1, expand=["none"]).computers) == 20
    defaults = sdk.policies.list_default_settings(V1)
    assert defaults.platform_setting_agent_communications_direction.value == "Agent/Appliance Initiated"


def test_the_version_of_the_api_must_be_given(lab: LabManager) -> None:
    headers = admin_headers(lab)
    del headers["api-version"]
    reply = send(lab, "GET", "/policies", headers)
    assert reply.status == 400
    assert json.loads(reply.body)["message"] == (
        "Missing 'api-version' request header. Please set this header with the a value of a supported API version"
    )
    reply = send(lab, "GET", "/policies", {**headers, "api-version": "1"})
    assert reply.status == 400
    assert json.loads(reply.body)["message"] == (
        "Invalid 'api-version' request header. "
        "Please make sure this header starts with 'v' followed by a number. E.g. v1"
    )


def test_replies_say_which_manager_it_is(lab: LabManager) -> None:
    reply = send(lab, "GET", "/policies/1", admin_headers(lab))
    assert reply.headers["X-DSM-Version"].startswith("Deep Security/20.0.")
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "method, path, body, message",
    [
        ("POST", "/policies", {"name": "x"}, "create policies"),
        ("POST", "/policies/1", {"name": "x"}, "modify policies"),
        ("DELETE", "/policies/1", None, "delete policies"),
        ("POST", "/policies/default", {}, "modify policies"),
        ("DELETE", "/policies/1/settings/platformSettingHeartbeatInterval", None, "modify policies"),
        ("POST", "/computers/1", {"description": "x"}, "modify computers"),
        ("DELETE", "/computers/1", None, "delete computers"),
        ("PUT", "/computers/1/firewall/assignments", {}, "modify computers"),
        ("POST", "/firewallrules", {"name": "x"}, "create firewall rules"),
        ("POST", "/iplists/1", {"name": "x"}, "modify IP lists"),
        ("DELETE", "/maclists/1", None, "delete MAC lists"),
        ("POST", "/portlists", {"name": "x"}, "create port lists"),
        ("POST", "/systemsettings", {}, "modify system settings"),
    ],
)
def test_a_key_that_may_only_read(lab: LabManager, method: str, path: str, body: object, message: str) -> None:
    refused(lab, 403, f"Not authorized to {message}", method, path, body, key="read_only")


def test_a_key_that_may_only_read_reads(lab: LabManager) -> None:
    sdk = Sdk(lab, lab.read_only_api_key)
    assert sdk.policies.describe_policy(1, V1).name == "Base Policy"
    assert len(sdk.policies.search_policies(V1).policies) == 20
    refused_by_sdk(403, "Not authorized to delete computers", sdk.computers.delete_computer, 1, V1)


@pytest.mark.parametrize(
    "path, message",
    [
        ("/policies/9999", "The policy does not exist"),
        ("/policies/one", "The policy does not exist"),
        ("/computers/99999", "The computer does not exist."),
        ("/computergroups/9999", "The computer group does not exist."),
        ("/firewallrules/9999", "The firewall rule does not exist."),
        ("/iplists/9999", "The IP list does not exist."),
        ("/maclists/9999", "The MAC list does not exist."),
        ("/portlists/9999", "The port list does not exist."),
        ("/policies/9999/settings/platformSettingHeartbeatInterval", "The policy does not exist"),
        ("/computers/99999/firewall/assignments", "The computer does not exist."),
    ],
)
def test_what_does_not_exist(lab: LabManager, path: str, message: str) -> None:
    with pytest.raises(LabError) as caught:
        lab.api("GET", path)
    assert (caught.value.status, caught.value.message) == (404, message)


def test_paths_and_methods_that_lead_nowhere(lab: LabManager) -> None:
    for path in ("/", "/nothing", "/policies/1/antimalware/rules", "/policies/1/settings", "/policies/default/1"):
        refused(lab, 404, "Not Found", "GET", path)
    refused(lab, 405, "Not Allowed", "PUT", "/policies/1")
    refused(lab, 405, "Not Allowed", "DELETE", "/policies/1/firewall/assignments")


def test_bodies_that_are_not_json_objects(lab: LabManager) -> None:
    headers = admin_headers(lab)
    for body, message in ((b"{", "not valid JSON"), (b"[]", "must be a JSON object"), (b"\xff", "not valid JSON")):
        reply = send(lab, "POST", "/policies", headers, body)
        assert reply.status == 400
        assert message in json.loads(reply.body)["message"]


def test_booleans_are_true_or_false(lab: LabManager) -> None:
    refused(
        lab, 400, "Invalid value for query parameter overrides: yes", "GET", "/policies/1", query={"overrides": "yes"}
    )


def test_calls_of_the_last_minute_are_counted_by_user(lab: LabManager) -> None:
    for _call in range(300):
        lab.api("GET", "/apikeys/current")
    refused(lab, 429, "Too many API requests", "GET", "/apikeys/current")
    assert lab.api("GET", "/apikeys/current", key="admin")["keyName"] == "admin"
    lab.advance(30)
    refused(lab, 429, "Too many API requests", "GET", "/apikeys/current")
    lab.advance(31)
    # The call that was refused half a minute ago does not count.
    for _call in range(300):
        lab.api("GET", "/apikeys/current")
    refused(lab, 429, "Too many API requests", "GET", "/apikeys/current")


def test_a_refused_call_is_not_carried_out(lab: LabManager) -> None:
    for _call in range(300):
        lab.api("GET", "/apikeys/current")
    refused(lab, 429, "Too many API requests", "POST", "/policies", {"name": "Too many"})
    lab.advance(61)
    lab.api("POST", "/policies", {"name": "Too many"})


def test_only_the_vendors_choices_are_taken_by_its_sdk() -> None:
    """The SDK refuses wrong enum values itself, which is why the other tests send some of theirs without it."""
    with pytest.raises(ValueError):
        deepsecurity.FirewallRule(action="permit")
