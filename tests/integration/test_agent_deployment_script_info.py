# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployment scripts: what is asked for is in them, and their secrets are in no output."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._activation.deployment_script import (
    SCRIPT_ARGUMENTS,
    ScriptAsked,
    read_script,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply, Forbidden
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.support import LabClock, connection, play, writes
from tests.integration.test_secrecy import Watch
from tests.lab.manager.process import LabManager

MODULE = "workload_security.agent.agent_deployment_script_info"
SCRIPTS = "^/agentdeploymentscripts$"
PROXY_PASSWORD = "proxy-password-of-the-lab"


def read(lab: LabManager, *, key: str | None = None, **options: t.Any) -> str:
    """The script, read in this process."""
    reached = connection(lab, deployment=lab.deployment, api_key=key or lab.api_key)
    params = {name: argument.get("default") for name, argument in SCRIPT_ARGUMENTS.items()} | options
    with Transport(reached, clock=LabClock(lab), random=lambda: 0.5) as transport:
        result = read_script(Client(transport), ScriptAsked.from_options(params, reached.deployment))
    assert result["complete"]
    return result["script"]


def secrets_of(lab: LabManager) -> list[str]:
    """What a colleague finds in a script of this manager: the tenant's ID, its token, the password of a proxy."""
    wanted = {"platform": "linux", "activationRequired": True, "dsmProxyID": 2}
    script = lab.api("POST", "/agentdeploymentscripts", wanted)["scriptBody"]
    tenant = re.search(r'"tenantID:([^"]+)"', script)[1]
    token = re.search(r'"token:([^"]+)"', script)[1]
    assert PROXY_PASSWORD in script
    return [tenant, token, PROXY_PASSWORD]


def group_path(lab: LabManager, number: int) -> str:
    """A group's path, as a colleague puts it together."""
    groups = {group["ID"]: group for group in lab.api("GET", "/computergroups")["computerGroups"]}
    names = []
    while number in groups:
        names.insert(0, groups[number]["name"])
        number = groups[number].get("parentGroupID")
    return "/".join(names)


def test_what_is_asked_for_is_in_the_script(lab):
    group = lab.api("GET", "/computergroups")["computerGroups"][-1]["ID"]
    path = group_path(lab, group)
    assert "/" in path
    lab.clear_requests()
    script = read(lab, platform="linux", policy="Base Policy", computer_group=path, relay_group_id=1, relay_proxy_id=1)
    assert f' -a $ACTIVATIONURL "policyid:1" "groupid:{group}" "relaygroupid:1"\n' in script
    assert "RELAY_PROXY_ADDR_PORT=" in script and "--insecure" not in script
    # Two searches for policies, since 30 of them could be a page that was cut off, one for groups, and the script.
    assert [request["kind"] for request in lab.requests()] == ["read"] * 4
    assert lab.requests()[-1]["body"] == {
        "platform": "linux",
        "activationRequired": True,
        "validateCertificateRequired": True,
        "validateDigitalSignatureRequired": False,
        "policyID": 1,
        "computerGroupID": group,
        "relayGroupID": 1,
        "relayProxyID": 1,
    }


@pytest.mark.parametrize("platform", ["linux", "windows", "solaris", "aix"])
def test_each_platform_costs_one_request(lab, platform):
    assert "dsa_control" in read(lab, platform=platform)
    assert [request["body"]["platform"] for request in lab.requests()] == [platform]


def test_without_activation(lab):
    script = read(lab, platform="linux", activate=False, validate_manager_certificate=False, validate_signature=True)
    assert "$ACTIVATIONURL" not in script and "--insecure" in script and "--verify" in script


@pytest.mark.parametrize("action", [{"kind": "status", "status": 503, "body": ""}, {"kind": "cut", "when": "during"}])
def test_it_is_read_again_like_any_other_read(lab, action):
    lab.add_fault(method="POST", path=SCRIPTS, times=2, action=action)
    assert "dsa_control" in read(lab, platform="linux")
    assert len(lab.requests()) == 3


@pytest.mark.parametrize("allowed", [True, False])
def test_a_key_that_may_only_read(lab, allowed):
    """It may or may not: nothing says so."""
    lab.switch(scripts_for_read_only_keys=allowed)
    if allowed:
        assert "dsa_control" in read(lab, platform="linux", key=lab.read_only_api_key)
    else:
        with pytest.raises(Forbidden, match="Not authorized to create agent deployment scripts"):
            read(lab, platform="linux", key=lab.read_only_api_key)


def test_names_that_lead_nowhere(lab):
    for options, text in (
        ({"policy": "Nobody's"}, "option 'policy' is 'Nobody's': the manager has no policy of that name"),
        ({"computer_group": 4711}, "option 'computer_group' is '4711': the manager has no computer group of that ID"),
        ({"computer_group": "Nowhere"}, "the manager has no computer group of that name"),
    ):
        with pytest.raises(OptionError) as caught:
            read(lab, platform="linux", **options)
        assert text in str(caught.value)
    assert all(request["path"].endswith("/search") for request in lab.requests())


def test_replies_that_are_no_script(cloud_lab):
    secrets = secrets_of(cloud_lab)
    script = cloud_lab.api("POST", "/agentdeploymentscripts", {"platform": "linux", "activationRequired": True})[
        "scriptBody"
    ]
    for body in (script, script[-300:], '{"scriptBody": "dsa_control token:%s' % secrets[1], '["%s"]' % secrets[1]):
        cloud_lab.add_fault(path=SCRIPTS, action={"kind": "body", "body": body})
        with pytest.raises(BadReply) as caught:
            read(cloud_lab, platform="linux")
        assert "may hold secrets" in str(caught.value)
        assert not [secret for secret in secrets if secret in str(caught.value)]
    for body in ("{}", '{"scriptBody": ""}', '{"scriptBody": null}', '{"scriptBody": 1}'):
        cloud_lab.add_fault(path=SCRIPTS, action={"kind": "body", "body": body})
        with pytest.raises(BadReply, match="no script in 'scriptBody'"):
            read(cloud_lab, platform="linux")


@pytest.mark.slow
@pytest.mark.both_cores
def test_secrets_are_in_no_output(cloud_lab, tmp_path):
    """At the highest verbosity; a task with no_log has the script whole all the same."""
    secrets = secrets_of(cloud_lab)
    options = {"platform": "linux", "policy": "Base Policy", "manager_proxy_id": 2}
    tasks = [
        {MODULE: options},
        {MODULE: options, "no_log": True},
        {MODULE: options, "check_mode": True, "diff": True},
        {MODULE: options, "check_mode": True, "diff": True, "no_log": True},
        {MODULE: {**options, "policy": "Nobody's"}},
        {MODULE: {**options, "manager_proxy_id": 9}},
    ]
    with Watch(secrets[1], []) as watch:
        played = play(
            cloud_lab,
            tasks,
            tmp_path,
            arguments=["-vvvvv"],
            defaults={"deployment": "cloud"},
            # Which makes every task look to its module like one with no_log.
            environment={"ANSIBLE_NO_TARGET_SYSLOG": "true", "ANSIBLE_LOG_PATH": str(tmp_path / "log")},
        )
    shown, whole, checked, whole_in_check_mode, nobody, refused = played.results
    assert all(secret in whole["script"] for secret in secrets)
    assert '"policyid:1"' in whole["script"]
    assert whole["complete"] and whole["lines"] == whole["script"].count("\n") and "warnings" not in whole
    assert whole_in_check_mode == whole
    for result in (shown, checked):
        assert not result["changed"] and not result["complete"] and "script" not in result
        assert (result["platform"], result["activate"], result["lines"]) == ("linux", True, whole["lines"])
        assert len(result["warnings"]) == 1 and "set no_log: true" in result["warnings"][0]
    assert nobody["failed"] and nobody["failure"]["code"] == "bad_option" and nobody["failure"]["option"] == "policy"
    assert refused["failed"] and refused["failure"]["code"] == "bad_request" and "dsmProxyID" in refused["msg"]
    log = (tmp_path / "log").read_text()
    # All results are there.
    assert "set no_log: true" in played.output and "set no_log: true" in log
    assert not [secret for secret in secrets if secret in played.output + log]
    assert watch.looked_at["processes"] and watch.leaks == set()
    assert writes(cloud_lab) == []


def test_the_default_of_no_log_counts_as_well(cloud_lab, tmp_path):
    played = play(
        cloud_lab,
        [{MODULE: {"platform": "linux"}}],
        tmp_path,
        defaults={"deployment": "cloud"},
        environment={"ANSIBLE_NO_LOG": "true"},
    )
    assert played.results[0]["complete"] and "dsa_control" in played.results[0]["script"]
