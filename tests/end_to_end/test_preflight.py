# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight over hosts that differ in what stands in the way, and that its answers are right."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.end_to_end.site import AGENT_PORT, MANAGER_NAME, Placed, Site
from tests.gates.environments import ROOT
from tests.lab.hosts.process import Host
from tests.lab.waiting import until

MACHINES = 6
PLAYBOOK = ROOT / "playbooks" / "preflight.yml"

# What is the matter with each host.
READY, LOST, OFF, INITIATES, VISITED, UNKNOWN = (f"host{number:02}" for number in range(1, 7))

# One that Ansible takes for a Windows host, the first of all, where what runs once is run.
WINDOWS = "windows"


class Scene(t.NamedTuple):
    """The hosts as they are, and where reports go."""

    site: Site
    placed: dict[str, Placed]
    folder: Path

    def variables(self, **changes: t.Any) -> dict[str, t.Any]:
        """How the manager is reached, by API and by agents; the environment has the API's key."""
        site = self.site
        return {
            "connectivity_manager": {"url": site.manager.url, "ca_path": site.manager.ca_path},
            "connectivity_manager_host": MANAGER_NAME,
            "connectivity_manager_addresses": [site.manager_host.address, site.manager_host.address6],
            "connectivity_timeout": 5,
            "connectivity_directory": str(self.folder / "reports"),
            **changes,
        }

    def run(self, *arguments: str, playbook: Path = PLAYBOOK, check: bool = True, **host_variables: t.Any) -> t.Any:
        """Run a playbook; C(host_variables): more variables by host."""
        machines = self.site.hosts.hosts
        unlike = {"ansible_shell_type": "powershell"}
        hosts = {
            WINDOWS: {**machines[UNKNOWN].connection, **unlike},
            **{name: {**machines[name].connection, **host_variables.get(name, {})} for name in NAMES},
        }
        inventory = self.folder / "preflight.json"
        common = {"ansible_ssh_timeout": 5, "ansible_pipelining": True}
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))
        return self.site.playbook(playbook, *arguments, inventory=inventory, check=check)

    def rows(self) -> dict[str, t.Any]:
        """What the playbook wrote as JSON: by host."""
        written = json.loads((self.folder / "reports" / "preflight.json").read_text())
        return {row["name"]: row for row in written["hosts"]}


NAMES = [READY, LOST, OFF, INITIATES, VISITED, UNKNOWN]


@pytest.fixture(scope="module")
def scene(site: Site, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Scene]:
    """Six hosts: one with nothing in the way, five with something."""
    both = site.policy("Both", firewall="on", direction="Bidirectional")
    agents = site.policy("Agents", firewall="on", direction="Agent/Appliance Initiated")
    placed = {
        name: site.agent(name, policy=agents if name == INITIATES else both)
        for name in (READY, LOST, OFF, INITIATES, VISITED)
    }
    site.wait_until_current(*placed.values())
    site.name_in_hosts_file(site.hosts.hosts[UNKNOWN])
    lost, off = site.hosts.hosts[LOST], site.hosts.hosts[OFF]
    site.no_name_in_hosts_file(lost)
    off.power_off()
    stranger: Host = site.machine("stranger")
    visited = site.hosts.hosts[VISITED]
    # The agent ends what says nothing, so the stranger comes back.
    again = f"ncat --recv-only {visited.address} {AGENT_PORT} & wait $!; sleep 1"
    visit = stranger.start(["sh", "-c", f"trap 'kill $!; exit' TERM; while :; do {again}; done"])
    until(
        lambda: stranger.address in visited.run(["ss", "-Htn", f"sport = :{AGENT_PORT}"]).stdout,
        "somebody is connected",
    )
    yield Scene(site, placed, tmp_path_factory.mktemp("preflight"))
    visit.terminate()
    off.power_on()


def answers(row: dict[str, t.Any]) -> tuple[str, str]:
    return row["agent_initiated"]["answer"], row["firewall_restriction"]["answer"]


@pytest.fixture(scope="module")
def told(scene: Scene) -> subprocess.CompletedProcess[str]:
    """A run that shows everything that there is to show, and fails unless all answers are good."""
    scene.site.manager.clear_requests()
    variables = scene.variables(connectivity_fail_unless=["agent_initiated", "firewall_restriction"])
    return scene.run("-vvvvv", "-e", json.dumps(variables), check=False)


@pytest.mark.both_cores
def test_every_host_gets_its_answers(scene: Scene, told: subprocess.CompletedProcess[str]) -> None:
    requests = scene.site.manager.summary()
    assert requests["total"] == requests["read"] <= 10, (
        "the manager is asked once for all hosts, and nothing is written"
    )
    report = scene.rows()
    assert {name: answers(row) for name, row in report.items()} == {
        WINDOWS: ("unknown", "unknown"),
        READY: ("yes", "yes"),
        LOST: ("no", "yes"),
        OFF: ("unknown", "unknown"),
        INITIATES: ("already", "no_effect"),
        VISITED: ("yes", "no"),
        UNKNOWN: ("yes", "unknown"),
    }
    assert report[READY]["computer_id"] == scene.placed[READY].computer_id
    assert (report[READY]["direction"], report[INITIATES]["direction"]) == ("bidirectional", "agent_initiated")
    reasons = {
        name: " ".join([*row["agent_initiated"]["reasons"], *row["firewall_restriction"]["reasons"]])
        for name, row in report.items()
    }
    assert reasons[READY] == ""
    assert f"{MANAGER_NAME} port 4120" in reasons[LOST] and "workload_security.agent.local_dns" in reasons[LOST]
    assert "the host gives no answer: " in reasons[WINDOWS]
    # In Ansible's words: it may notice before the SSH client has said why, or after.
    off = re.escape(scene.site.hosts.hosts[OFF].address)
    assert re.search(f"the host gives no answer: .*(host {off} port 22|to remote host ['\"]{off}['\"])", reasons[OFF])
    assert f"{scene.site.hosts.others['stranger'].address} is connected to the port" in reasons[VISITED]
    assert f"the manager has no computer with the host name {UNKNOWN}" in reasons[UNKNOWN]


def test_the_table_is_shown_and_written(scene: Scene, told: subprocess.CompletedProcess[str]) -> None:
    table = (scene.folder / "reports" / "preflight.txt").read_text()
    assert table.splitlines()[0] == "HOST     AGENT INITIATED?  RESTRICT THE PORT?"
    assert "host01   yes               yes" in table.splitlines()
    for line in table.splitlines():
        assert line.replace('"', '\\"') in told.stdout
    assert (scene.folder / "reports" / "preflight.json").stat().st_mode & 0o777 == 0o600
    assert scene.site.manager.api_key not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("question", "refused"),
    [("agent_initiated", [WINDOWS, LOST, OFF]), ("firewall_restriction", [WINDOWS, OFF, VISITED, UNKNOWN])],
)
def test_it_fails_when_told_to(told: subprocess.CompletedProcess[str], question: str, refused: list[str]) -> None:
    assert told.returncode != 0
    assert f"{question}: the answer is no or unknown for {', '.join(refused)}" in told.stdout


@pytest.fixture(scope="module")
def reports(scene: Scene) -> dict[str, dict[str, t.Any]]:
    """What the playbook says with other variables, by what they are; host by host."""
    site = scene.site
    differing: dict[str, dict[str, t.Any]] = {
        "without": {"connectivity_manager": {}},
        "refusing": {"connectivity_manager": {**scene.variables()["connectivity_manager"], "api_key": "1:wrong"}},
        "stranger": {"connectivity_source_ips": [site.hosts.others["stranger"].address]},
        "everybody": {"connectivity_source_ips": ["198.18.0.0/16", "2001:db8::/64"]},
        "region": {
            "connectivity_manager": {},
            # As an agent has it, which stands for the region.
            "connectivity_manager_host": ["https://agents-003.workload.jp-1.cloudone.trendmicro.com:443/"],
            "connectivity_manager_addresses": [],
            "connectivity_checks": ["heartbeat", "revocation"],
        },
    }
    plays: list[dict[str, t.Any]] = []
    for name, variables in differing.items():
        given = scene.variables(connectivity_directory="", **variables)
        plays.append({"name": name, "ansible.builtin.import_playbook": str(PLAYBOOK), "vars": given})
        kept = f"{{{{ kept | default({{}}) | combine({{'{name}': connectivity_report.hosts}}) }}}}"
        plays.append(task({"ansible.builtin.set_fact": {"kept": kept}}))
    file = scene.folder / "kept.json"
    plays.append(task({"ansible.builtin.copy": {"content": "{{ kept | to_json }}", "dest": str(file), "mode": "0600"}}))
    playbook = scene.folder / "reports.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    output = scene.run("--limit", ",".join([READY, VISITED, UNKNOWN]), playbook=playbook).stdout
    # What else was asked for is shown beside the answers, and is none of them.
    assert output.count("revocation: crl.rootca1.amazontrust.com port 80: ") == 3 and "updates: " not in output
    found = json.loads(file.read_text(encoding="utf-8"))
    return {name: {row["name"]: row for row in rows} for name, rows in found.items()}


def task(action: dict[str, t.Any]) -> dict[str, t.Any]:
    """A play of one task, on the controller, with what was found for a host."""
    return {
        "hosts": READY,
        "gather_facts": False,
        "tasks": [{**action, "delegate_to": "localhost"}],
    }


def test_without_the_manager_it_says_what_it_does_not_know(reports: dict[str, dict[str, t.Any]]) -> None:
    report = reports["without"]
    assert {name: answers(row) for name, row in report.items()} == {
        READY: ("yes", "unknown"),
        VISITED: ("yes", "no"),
        UNKNOWN: ("yes", "unknown"),
    }
    assert report[READY]["firewall_restriction"]["reasons"][0] == (
        "the manager was not asked, so it is not known whether the firewall is on"
    )


def test_a_manager_that_does_not_tell_is_no_reason_to_stop(reports: dict[str, dict[str, t.Any]]) -> None:
    row = reports["refusing"][READY]
    assert answers(row) == ("yes", "unknown")
    assert "the manager gives no answer: " in row["firewall_restriction"]["reasons"][0]


def test_whom_the_restriction_will_admit_decides(scene: Scene, reports: dict[str, dict[str, t.Any]]) -> None:
    manager = scene.site.manager_host
    assert reports["stranger"][READY]["firewall_restriction"] == {
        "answer": "no",
        "reasons": [f"the manager connects from {manager.address}, {manager.address6}, and would be shut out"],
    }
    assert answers(reports["everybody"][VISITED])[1] == "yes", "who is connected would be admitted"


def test_a_region_that_the_site_does_not_resolve(reports: dict[str, dict[str, t.Any]]) -> None:
    report = reports["region"]
    assert answers(report[UNKNOWN]) == ("no", "unknown")
    assert answers(report[VISITED]) == ("no", "no"), "who is connected is in none of the region's subnets"
    reasons = report[UNKNOWN]["agent_initiated"]["reasons"]
    assert len(reasons) == 14 and reasons[1].startswith("agents.workload.jp-1.cloudone.trendmicro.com port 443: ")


def test_in_check_mode_nothing_is_written(scene: Scene) -> None:
    folder = scene.folder / "none"
    variables = scene.variables(connectivity_directory=str(folder))
    output = scene.run("--check", "--limit", READY, "-e", json.dumps(variables)).stdout
    assert "host01  yes               yes" in output
    assert not folder.exists()


def test_hosts_of_several_managers_are_not_mixed_up(scene: Scene) -> None:
    variables = scene.variables()
    addresses = variables.pop("connectivity_manager_addresses")
    own = {READY: {"connectivity_manager_addresses": addresses}, VISITED: {"connectivity_manager_addresses": []}}
    done = scene.run("--limit", f"{READY},{VISITED}", "-e", json.dumps(variables), check=False, **own)
    assert done.returncode != 0
    assert "for several managers, run it once for each" in done.stdout
    assert "RESTRICT THE PORT?" not in done.stdout


def test_an_agent_that_may_switch_goes_on_beating_and_one_that_may_not_is_lost(scene: Scene) -> None:
    site, ready, lost = scene.site, scene.placed[READY], scene.placed[LOST]
    ids = [ready.computer_id, lost.computer_id]
    site.module("communication_direction", computers=ids, direction="agent_initiated")
    try:
        # The manager can still bring the change to agents that listen.
        site.wait_until_current(ready, lost)
        for placed in (ready, lost):
            until(
                lambda placed=placed: not placed.host.run(["ss", "-Hltn", f"sport = :{AGENT_PORT}"]).stdout,
                "the agent listens no more",
            )
        beats = {name: site.beats(scene.placed[name]) for name in (READY, LOST)}
        until(lambda: site.beats(ready) >= beats[READY] + 2, "two heartbeats of the agent that may switch")
        assert site.beats(lost) == beats[LOST]
        scene.run("--limit", f"{READY},{LOST}", "-e", json.dumps(scene.variables()))
        report = scene.rows()
        assert answers(report[READY]) == ("already", "no_effect")
        assert answers(report[LOST]) == ("no", "no_effect")
    finally:
        site.name_in_hosts_file(lost.host)
        site.module("communication_direction", computers=ids, direction="inherited")
        site.wait_until_current(ready, lost)
        site.no_name_in_hosts_file(lost.host)


def test_it_needs_to_know_which_manager(scene: Scene) -> None:
    variables = scene.variables(connectivity_manager={}, connectivity_manager_host="")
    done = scene.run("--limit", READY, "-e", json.dumps(variables), check=False)
    assert done.returncode != 0
    assert "Set connectivity_region for the cloud, or connectivity_manager_host" in done.stdout
