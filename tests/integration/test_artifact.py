# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built collection at work, installed where neither tests nor inventories are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.gates.export import export_collection
from tests.integration.support import RESTRICTION, writes

pytestmark = pytest.mark.slow

HOSTS = """
all:
  hosts:
    manager:
  vars:
    communication_manager: {manager}
    communication_profiles: {profiles}
"""


def run(tool: str, *arguments: str, cwd: Path, **environment: str) -> str:
    """The output of one of ansible-core's commands, which must succeed."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(tool)), *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def changed(output: str) -> int:
    """How many tasks changed something of the manager."""
    (count,) = re.findall(r"^manager .*changed=(\d+)", output, re.MULTILINE)
    return int(count)


@pytest.mark.both_cores
def test_an_installed_artifact_converges(lab, tmp_path):
    run(
        "ansible-galaxy",
        "collection",
        "build",
        "--output-path",
        str(tmp_path),
        cwd=export_collection(tmp_path / "from"),
    )
    (artifact,) = tmp_path.glob("*.tar.gz")
    installed = tmp_path / "to"
    # Found on the path of the tests, the collection would count as installed already.
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    install = ("collection", "install", "--offline", "-p", str(installed), str(artifact))
    run("ansible-galaxy", *install, cwd=tmp_path, **environment)
    collection = installed / "ansible_collections" / "workload_security" / "agent"
    assert (collection / "plugins").exists() and not (collection / "tests").exists()
    assert not (collection / "inventories").exists()
    manager = {"url": lab.url, "ca_path": lab.ca_path}
    profiles = [
        {
            "name": "servers",
            "policies": ["Linux Server"],
            "heartbeat": {"interval": 7},
            "communication_direction": {"direction": "bidirectional"},
            "firewall_restriction": RESTRICTION,
        }
    ]
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(HOSTS.format(manager=yaml.safe_dump(manager, default_flow_style=True, width=999).strip(),
                                      profiles=yaml.safe_dump(profiles, default_flow_style=True, width=999).strip()))  # fmt: skip
    environment["WORKLOAD_SECURITY_API_KEY"] = lab.api_key
    playbook = ("-i", str(inventory), "workload_security.agent.site")
    first = run("ansible-playbook", *playbook, cwd=tmp_path, **environment)
    assert changed(first) == 1 and len(writes(lab)) == 4, "an IP list, a rule, its assignment, and the settings"
    lab.clear_requests()
    second = run("ansible-playbook", *playbook, cwd=tmp_path, **environment)
    assert changed(second) == 0 and writes(lab) == []
    # What is there now, as variables of the host, changes nothing either.
    capture = ("-i", str(inventory), "workload_security.agent.capture")
    captured = run("ansible-playbook", *capture, cwd=tmp_path, **environment)
    assert changed(captured) == 1 and "profiles" in captured
    file = tmp_path / "host_vars" / "manager" / "communication.yml"
    document = file.read_text()
    assert "rule_name" not in document and "- Linux Server\n" in document
    again = run("ansible-playbook", *capture, cwd=tmp_path, **environment)
    assert file.read_text() == document
    assert changed(again) == 0
    third = run("ansible-playbook", *playbook, cwd=tmp_path, **environment)
    assert changed(third) == 0 and "targets" in third and writes(lab) == []
