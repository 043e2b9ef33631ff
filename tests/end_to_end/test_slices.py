# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in three slices, each a job of ansible-runner on a machine of its own, as AWX and receptor run them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ansible_collections.workload_security.agent.plugins.filter.merged_results import merged_results
from tests.end_to_end.controller import run_on_controller
from tests.gates.environments import COLLECTIONS
from tests.lab.hosts.namespaces import enter, run
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.manager.process import LabManager
from tests.lab.waiting import until

SLICE = 120
LIMIT = 500
RUNNER = [sys.executable, "-m", "ansible_runner"]
# Where a worker finds what this machine has installed: Python, ansible-core, ansible-runner and the collection.
MACHINE = "/srv/machine"
# Both need a write for each computer, and the second a rule and a list that all slices share.
DECLARED = {
    "heartbeat": {"interval": 7},
    "firewall_restriction": {"source_ips": ["192.0.2.0/24"], "manager_addresses": ["192.0.2.10"]},
}


@dataclass
class Slice:
    """A part of the inventory, and the machine whose worker is to do it. C(folder) is what ansible-runner is told."""

    worker: Host
    hosts: LabHosts
    folder: Path

    def start(self) -> subprocess.Popen[str]:
        """Send the job to the worker over SSH, and take in what comes back, as the vendor of AWX documents it."""
        variables = self.worker.connection
        options = shlex.split(variables["ansible_ssh_common_args"])
        ssh = ["ssh", *options, "-i", variables["ansible_ssh_private_key_file"], f"root@{self.worker.address}"]
        worker = shlex.join(["chroot", MACHINE, *RUNNER, "worker"])
        transmit = [*RUNNER, "transmit", self.folder, "-p", "workload_security.agent.computers"]
        stages = [transmit, [*ssh, worker], [*RUNNER, "process", self.folder]]
        script = " | ".join(shlex.join(map(str, stage)) for stage in stages)
        return subprocess.Popen(
            [*self.hosts.prefix, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def results(self) -> list[dict[str, t.Any]]:
        """What the slice came to, as it came back with the job: one for each time that it was done to its end."""
        return [json.loads(path.read_text()) for path in self.folder.glob("artifacts/results/*.json")]


@pytest.fixture(name="manager")
def manager_fixture(hosts: LabHosts) -> t.Iterator[LabManager]:
    """A manager for three slices, with the vendor's limit."""
    host = hosts.add("manager")
    # Its minutes pass when the test says so, however long the workers take.
    options = {"requests_per_minute": LIMIT, "time_factor": 0.001}
    with LabManager(computers=3 * SLICE, policies=4, host=host, **options) as manager:
        yield manager


@pytest.fixture(name="slices")
def slices_fixture(hosts: LabHosts, manager: LabManager, tmp_path: Path) -> list[Slice]:
    """The three, ready to be sent."""
    connection = {"url": manager.url, "ca_path": str(tmp_path / "ca.pem")}
    shutil.copy(manager.ca_path, connection["ca_path"])
    computers = all_computers(manager)
    document = [{"name": "All", "computers": "{{ communication_play_computers }}", **DECLARED}]
    variables = {
        "communication_manager": connection,
        "communication_profiles": document,
        "communication_report_directory": "{{ lookup('ansible.builtin.env', 'AWX_ISOLATED_DATA_DIR') }}/results",
    }
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_PIPELINING": "true",
        "WORKLOAD_SECURITY_API_KEY": manager.api_key,
    }
    slices = []
    for number, worker in enumerate(list(hosts.hosts.values())[:3], 1):
        folder = tmp_path / str(number)
        first, last = computers[(number - 1) * SLICE], computers[number * SLICE - 1]
        query = f"[?id >= `{first}` && id <= `{last}`]"
        for name, content in {
            "inventory/computers.yml": {"plugin": "workload_security.agent.computers", "query": query, **connection},
            "inventory/group_vars/all.yml": variables,
            "env/envvars": environment,
        }.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
        (folder / "project").mkdir()
        worker.run(["mkdir", MACHINE])
        # From outside of its root folder, where this machine's files still are.
        run([*enter(worker.pid, "--mount"), "mount", "--rbind", "/", f"/mnt/{worker.name}/root{MACHINE}"])
        slices.append(Slice(worker, hosts, folder))
    return slices


def all_computers(manager: LabManager) -> list[int]:
    """The IDs of the fleet, in ascending order."""
    return sorted(one["ID"] for one in manager.api("GET", "/computers")["computers"])


def done(manager: LabManager, kind: str) -> list[str]:
    """The paths of requests of a kind that the manager has carried out."""
    return [one["path"] for one in manager.requests() if one["kind"] == kind and one["status"] in (200, 201)]


def refused(manager: LabManager, *, by_fault: bool) -> list[dict[str, t.Any]]:
    """Requests that came too soon for the limit, or for a fault that says so."""
    return [one for one in manager.requests() if one["status"] == 429 and bool(one["fault"]) == by_fault]


def test_three_workers_and_one_of_them_is_killed(hosts, manager, slices):
    computers = all_computers(manager)
    second = computers[SLICE : 2 * SLICE]
    # The second worker gets no further than this, until it is killed.
    paths = "|".join(map(str, second))
    manager.add_fault(
        method="POST", path=rf"^/computers/({paths})(/|$)", skip=20, times=0, action={"kind": "status", "status": 429}
    )
    manager.clear_requests()
    jobs = [one.start() for one in slices]

    def second_writes() -> bool:
        if refused(manager, by_fault=True):
            return True
        # The others may be so much faster that they leave it nothing of a minute: then the next one begins.
        if refused(manager, by_fault=False):
            manager.advance(60)
        return False

    until(second_writes, "the second worker has not begun to write", 120.0)
    until(lambda: refused(manager, by_fault=False), "the others have not reached the limit", 120.0)
    slices[1].worker.run(["pkill", "-KILL", "-f", "ansible"])
    # The minute of the limit is over.
    manager.advance(60)
    outputs = [job.communicate(timeout=300)[0] for job in jobs]
    assert [len(one.results()) for one in slices] == [1, 0, 1], outputs
    assert len(done(manager, "settings")) < len(computers)

    manager.clear_faults()
    manager.advance(60)
    again = slices[1].start()
    output, _nothing = again.communicate(timeout=300)
    assert len(slices[1].results()) == 1, output

    # Every write of a single run, and none of them twice.
    assert Counter(done(manager, "settings")) == Counter(f"/computers/{number}" for number in computers)
    assignments = [f"/computers/{number}/firewall/assignments" for number in computers]
    assert Counter(done(manager, "assignment")) == Counter(assignments)
    assert sorted(done(manager, "create")) == ["/firewallrules", "/iplists"]
    assert done(manager, "modify") == done(manager, "delete") == []
    # What each worker said came back with its job; that of the killed one is what was left for the second run.
    merged = merged_results([result for one in slices for result in one.results()])
    assert merged["results"] == len(slices) and merged["counts"]["failed"] == 0
    assert merged["counts"]["changed"] + merged["counts"]["unchanged"] == len(computers)
    # No job has asked for anything twice, but for the policies: its inventory needs them, and its task does.
    reads = Counter(
        (one["path"], repr(one["query"]), repr(one["body"]))
        for one in manager.requests()
        if one["kind"] == "read" and one["status"] == 200
    )
    runs = len(jobs) + 1
    assert all(count <= runs * (1 + (path == "/policies/search")) for (path, *_more), count in reads.items()), reads

    profile = {"name": "All", "computers": computers, **DECLARED}
    task = {"profiles": [profile], "url": manager.url, "ca_path": manager.ca_path}
    check = {"workload_security.agent.communication_profile": task, "check_mode": True}
    (left,) = run_on_controller(hosts, [check], WORKLOAD_SECURITY_API_KEY=manager.api_key)
    assert left["changed"] is False, left
