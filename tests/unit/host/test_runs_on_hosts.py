# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on managed hosts runs with nothing but the oldest Python that this machine has, from 3.8 on."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

from tests.unit.oldest_python import oldest_python

UTILS = Path(__file__).parents[3] / "plugins" / "module_utils"

AGENT = """
from utils._agent import cipher_suites, releases
result = [[releases.describe(text)["release"], cipher_suites.documented(text)["state"]] for text in arguments]
"""
DNS = """
from utils._dns import dnsmasq, unbound
from utils._dns.converge import converge
from utils._dns.hosts_file import HostsFile
params = {"state": "present", "hostnames": ["dsm.lab.test"], "region": "us-1", "addresses": ["192.0.2.1", "2001:db8::1"]}
place = HostsFile({"path": arguments[0], "replace_conflicts": True, "unsafe_writes": False})
done = converge(place, {**params, "cname": None, "ttl": None}, check_mode=False)
result = [done["changed"], len(done["records"]), place.warnings]
"""


def run_alone(program: str, folder: Path, *arguments: str) -> t.Any:
    """The C(result) of a program that has the module utils, and no site packages."""
    without = shutil.ignore_patterns("__pycache__")
    for package in ("_agent", "_basis", "_dns", "_host", "_vendor"):
        shutil.copytree(UTILS / package, folder / "utils" / package, ignore=without)
    whole = (
        f"import json, sys\nsys.path.insert(0, sys.argv[1])\narguments = sys.argv[2:]{program}print(json.dumps(result))"
    )
    command = [oldest_python(), "-I", "-S", "-c", whole, str(folder), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout)


def test_what_is_documented_of_agents(tmp_path):
    answers = run_alone(AGENT, tmp_path, "10.0.0-3186.el7", "11.0 Update 5", "zzz")
    assert answers == [["10.0 Update 16", "documented"], ["11.0 Update 5", "undocumented"], [None, "undocumented"]]


def test_records_in_a_hosts_file(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"127.0.0.1 localhost\n192.0.2.9 dsm.lab.test caf\xe9")
    assert run_alone(DNS, tmp_path, str(hosts)) == [True, 38, []]
    assert hosts.read_bytes().endswith(b"127.0.0.1 localhost\n192.0.2.9 caf\xe9")
