# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's SDK against the lab, and plain requests for what the SDK cannot send."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import typing as t
import urllib.parse

import deepsecurity
import pytest
from deepsecurity.rest import ApiException

from tests.lab.manager.process import LabError, LabManager

V1 = "v1"

INTERVAL = "platformSettingHeartbeatInterval"
MISSED = "platformSettingHeartbeatMissedAlertThreshold"
CLOCK_CHANGE = "platformSettingHeartbeatLocalTimeShiftAlertThreshold"
DIRECTION = "platformSettingAgentCommunicationsDirection"
ACTIVATION = "platformSettingAgentInitiatedActivation"


class Sdk:
    """The parts of the SDK that the tests use, all with one key and with verified TLS."""

    def __init__(self, lab: LabManager, key: str) -> None:
        configuration = deepsecurity.Configuration()
        configuration.host = lab.url
        configuration.verify_ssl = True
        configuration.ssl_ca_cert = lab.ca_path
        client = deepsecurity.ApiClient(configuration)
        if lab.deployment == "cloud":
            client.set_default_header("Authorization", f"ApiKey {key}")
        else:
            # All configurations of the SDK share one dictionary until they get their own.
            configuration.api_key = {"api-secret-key": key}
        self.policies = deepsecurity.PoliciesApi(client)
        self.computers = deepsecurity.ComputersApi(client)
        self.groups = deepsecurity.ComputerGroupsApi(client)
        self.rules = deepsecurity.FirewallRulesApi(client)
        self.ip_lists = deepsecurity.IPListsApi(client)
        self.mac_lists = deepsecurity.MACListsApi(client)
        self.port_lists = deepsecurity.PortListsApi(client)
        self.policy_assignments = deepsecurity.PolicyFirewallRuleAssignmentsApi(client)
        self.computer_assignments = deepsecurity.ComputerFirewallRuleAssignmentsApi(client)
        self.policy_rules = deepsecurity.PolicyFirewallRuleDetailsApi(client)
        self.computer_rules = deepsecurity.ComputerFirewallRuleDetailsApi(client)
        self.system_settings = deepsecurity.SystemSettingsApi(client)
        self.scripts = deepsecurity.AgentDeploymentScriptsApi(client)
        self.keys = deepsecurity.APIKeysApi(client)
        self.tasks = deepsecurity.ScheduledTasksApi(client)


def search(*criteria: deepsecurity.SearchCriteria, **options: t.Any) -> deepsecurity.SearchFilter:
    """The SDK's search filter."""
    return deepsecurity.SearchFilter(search_criteria=list(criteria), **options)


def setting(value: str) -> deepsecurity.SettingValue:
    """The SDK's value of a setting."""
    return deepsecurity.SettingValue(value=value)


def refused_by_sdk(
    status: int, message: str, call: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any
) -> None:
    """Assert that the SDK's call ends with that status and exactly that message."""
    with pytest.raises(ApiException) as caught:
        call(*arguments, **options)
    assert (caught.value.status, json.loads(caught.value.body)) == (status, {"message": message})


def refused(
    lab: LabManager, status: int, message: str, method: str, path: str, body: t.Any = None, **options: t.Any
) -> None:
    """Assert that the plain call ends with that status, and that its message contains C(message)."""
    with pytest.raises(LabError) as caught:
        lab.api(method, path, body, **options)
    assert caught.value.status == status
    assert message in caught.value.message


class Raw(t.NamedTuple):
    """A reply as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(
    lab: LabManager, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> http.client.HTTPSConnection:
    """Send one request on a new connection, with only these headers from us, and do not wait for the reply."""
    netloc = urllib.parse.urlsplit(lab.url).netloc
    context = ssl.create_default_context(cafile=lab.ca_path)
    connection = http.client.HTTPSConnection(netloc, timeout=60, context=context)
    connection.request(method, f"/api{path}", body, headers)
    return connection


def send(lab: LabManager, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Raw:
    """Send one request on a new connection, with only these headers from us, and return the reply."""
    with contextlib.closing(begin(lab, method, path, headers, body)) as connection:
        response = connection.getresponse()
        return Raw(response.status, dict(response.getheaders()), response.read())


def admin_headers(lab: LabManager) -> dict[str, str]:
    """The headers of every request by an administrator."""
    return {"api-secret-key": lab.api_key, "api-version": V1}
