# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""agent_cipher_probe in real runs: straight, through SSH, in check mode, and with options that cannot be right."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.integration.in_process import run_module
from tests.integration.support import ansible_playbook, keep
from tests.lab.ssh_server import SshServer
from tests.unit.probe.servers import Certificate, old_server

MODULE = "workload_security.agent.agent_cipher_probe"


def run(folder: Path, task: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of a task, run by a real ansible-playbook."""
    results = folder / "results.json"
    steps: list[dict[str, t.Any]] = [
        {"name": "Probe", MODULE: task, "register": "result"},
        keep("result", results),
    ]
    book = folder / "play.yml"
    book.write_text(yaml.safe_dump([{"name": "Probe", "hosts": "localhost", "gather_facts": False, "tasks": steps}]))
    done = ansible_playbook(str(book), cwd=folder)
    assert done.returncode == 0, done.stdout
    return json.loads(results.read_text())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.slow
@pytest.mark.both_cores
def test_an_agent_straight_and_through_ssh(certificate: Certificate, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.write_text("")
    with SshServer(tmp_path / "ssh") as sshd, old_server(certificate, ["aes256", "3des", "aes128"], ["sha"]) as agent:
        ssh = sshd.way
        task = {
            "targets": [
                {"host": "localhost", "port": agent.port, "agent_version": "9.6.2.5027"},
                {"port": agent.port, "ssh": ssh, "agent_version": "20.0.0.8438"},
                {"port": agent.port, "ssh": {**ssh, "known_hosts": str(empty)}},
            ]
        }
        real = run_module(MODULE, task)
        check = run_module(MODULE, task, check_mode=True, diff=True)
        played = run(tmp_path, task)
    assert (real["changed"], real["failed"]) == (False, False)
    assert real["states"] == {"answered": 2, "unreachable": 1}
    straight, through, untrusted = real["targets"]
    assert straight["documented"]["agrees"] is True
    assert set(straight["suites"]) == set(straight["documented"]["suites"]) == set(straight["weak"])
    assert straight["versions"]["TLSv1.0"]["state"] == "accepted"
    assert straight["weak_versions"] == {"TLSv1.0": "deprecated (RFC 8996)"}
    assert (through["ssh_host"], through["suites"]) == (sshd.host, straight["suites"])
    assert through["documented"]["agrees"] is False
    assert through["documented"]["missing_versions"] == ["TLSv1.2"]
    assert "cannot be verified" in untrusted["detail"]
    # Nothing is changed, so check mode does the same; and a playbook does what the module does in this process.
    assert check == real == played


def test_options_that_cannot_be_right() -> None:
    wrong = [
        ({}, "missing required arguments: targets"),
        ({"targets": [{"port": 4118}]}, "one of the following is required: host, ssh found in targets"),
        (
            {"targets": [{"host": "localhost", "port": 0}]},
            "option 'targets[0].port' is '0': it must be a port from 1 to 65535",
        ),
        ({"targets": [{"host": "localhost"}], "versions": ["SSLv3"]}, "option 'versions' is 'SSLv3'"),
        ({"targets": [{"host": "localhost"}], "suites": ["RC5"]}, "option 'suites' is 'RC5'"),
    ]
    for task, words in wrong:
        result = run_module(MODULE, task)
        assert result["failed"]
        assert words in result["msg"]
        assert "Traceback" not in json.dumps(result)
    nothing = run_module(MODULE, {"targets": []})
    assert (nothing["failed"], nothing["targets"], nothing["states"]) == (False, [], {})
