# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How modules reach the manager: group defaults and environment, the cloud's header, TLS, and a jump host."""

from __future__ import annotations

import pytest

from tests.integration.in_process import OMIT, run_tasks
from tests.integration.support import play
from tests.lab.ssh_server import SshServer, make_key

INFO = "workload_security.agent.policy_info"
COUNT = {"query": "length(@)"}


def test_the_address_from_the_environment(lab):
    environment = {"WORKLOAD_SECURITY_URL": lab.url.removesuffix("/api")}
    played = run_tasks(lab, [{INFO: COUNT}], environment=environment, defaults={"url": OMIT})
    assert played.results[0].get("result") == 30, played.output


def test_the_cloud_has_another_header(cloud_lab):
    tasks = [{INFO: {**COUNT, "deployment": "cloud"}}, {INFO: COUNT}]
    cloud, premises = run_tasks(cloud_lab, tasks).results
    assert cloud["result"] == 12
    assert premises["failed"] and premises["failure"]["code"] == "unauthorized" and "deployment" in premises["msg"]


def test_a_certificate_that_nobody_vouches_for(lab):
    tasks = [
        {INFO: {**COUNT, "ca_path": OMIT}},
        {INFO: {**COUNT, "ca_path": OMIT, "validate_certs": False}},
    ]
    refused, told = run_tasks(lab, tasks).results
    assert refused["failed"] and refused["failure"]["code"] == "untrusted_certificate"
    assert told["result"] == 30 and any("gets the API key" in str(warning) for warning in told["warnings"])
    # Two requests, because 30 policies could be a page that was cut off.
    assert [request["path"] for request in lab.requests()] == ["/policies/search"] * 2, "the first sent nothing"


@pytest.mark.parametrize("key", ["1:wrong-one", "nonsense"])
def test_a_wrong_key(lab, key):
    (result,) = run_tasks(lab, [{INFO: {**COUNT, "api_key": key}}]).results
    assert result["failed"] and result["failure"]["code"] == "unauthorized" and "Invalid API Key" in result["msg"]


@pytest.mark.slow
@pytest.mark.both_cores
def test_through_a_jump_host(lab, tmp_path):
    with SshServer(tmp_path / "ssh") as ssh:
        way = ssh.way
        stranger = make_key(tmp_path / "stranger").with_suffix(".pub").read_text().split()
        wrong = tmp_path / "known_hosts"
        wrong.write_text(f"[{ssh.host}]:{ssh.port} {stranger[0]} {stranger[1]}\n")
        (good,) = play(lab, [{INFO: {**COUNT, "jump_host": way}}], tmp_path).results
        tasks = [
            {INFO: {**COUNT, "jump_host": {**way, "known_hosts": str(wrong)}}},
            {INFO: {**COUNT, "jump_host": {**way, "private_key": str(tmp_path / "stranger")}}},
        ]
        other_host, other_user = run_tasks(lab, tasks).results
        configuration = tmp_path / "ssh_config"
        configuration.write_text(
            f"Host gate\n  HostName {ssh.host}\n  Port {ssh.port}\n  IdentityFile {ssh.private_key}\n"
        )
        gate = {"host": "gate", "ssh_config": str(configuration), "known_hosts": str(ssh.known_hosts)}
        (by_alias,) = run_tasks(lab, [{INFO: {**COUNT, "jump_host": gate}}]).results
        assert by_alias.get("result") == 30, by_alias
        assert good.get("result") == 30, good
        assert "direct-tcpip" in ssh.log or "Accepted publickey" in ssh.log
    for refused in (other_host, other_user):
        assert refused["failed"] and refused["failure"]["code"] == "jump_host", refused
    assert "it is another server, or somebody is in between" in other_host["msg"] and str(wrong) in other_host["msg"]
    # Two of each that got through, because 30 policies could be a page that was cut off.
    assert len(lab.requests()) == 4
