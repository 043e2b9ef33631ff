# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight over hosts that differ in what stands in the way, and that its answers are right."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from tests.end_to_end.site import AGENT_PORT, MANAGER_NAME, Placed, Site, eventually
from tests.gates.environments import ROOT
from tests.lab.hosts.process import Host

PLAYBOOK = ROOT / "playbooks" / "preflight.yml"

# What is the matter with each host.
READY, LOST, OFF, INITIATES, VISITED, UNKNOWN = (f"host{number:02}" for number in range(1, 7))


class Scene(t.NamedTuple):
    """The hosts as they are, and where reports go."""

    site: Site
    placed: dict[str, Placed]
    folder: Path

    def run(self, check: bool = True, arguments: t.Sequence[str] = (), **variables: t.Any) -> t.Any:
        """Run the playbook; the manager's API is asked with the environment's key."""
        site = self.site
        given = {
            "connectivity_manager": {"url": site.manager.url, "ca_path": site.manager.ca_path},
            "connectivity_manager_host": MANAGER_NAME,
            "connectivity_manager_addresses": [site.manager_host.address, site.manager_host.address6],
            "connectivity_timeout": 5,
            "connectivity_directory": str(self.folder / "reports"),
            **variables,
        }
        names = [READY, LOST, OFF, INITIATES, VISITED, UNKNOWN]
        hosts = {name: site.hosts.hosts[name].connection for name in names}
        inventory = self.folder / "preflight.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_ssh_timeout": 5}}}))
        return site.playbook(PLAYBOOK, "-e", json.dumps(given), *arguments, inventory=inventory, check=check)

    def report(self, **variables: t.Any) -> dict[str, t.Any]:
        """What the playbook writes as JSON: by host."""
        self.run(**variables)
        written = json.loads((self.folder / "reports" / "preflight.json").read_text())
        return {row["name"]: row for row in written["hosts"]}


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
    lost.run("sed /dsm.lab.test/d /etc/hosts >/etc/hosts.new; mv /etc/hosts.new /etc/hosts")
    off.power_off()
    stranger: Host = site.machine("stranger")
    visited = site.hosts.hosts[VISITED]
    # The agent ends what says nothing, so the stranger comes back.
    again = f"ncat --recv-only {visited.address} {AGENT_PORT} & wait $!; sleep 1"
    visit = stranger.start(["sh", "-c", f"trap 'kill $!; exit' TERM; while :; do {again}; done"])
    eventually(
        lambda: stranger.address in visited.run(["ss", "-Htn", f"sport = :{AGENT_PORT}"]).stdout,
        "somebody is connected",
    )
    yield Scene(site, placed, tmp_path_factory.mktemp("preflight"))
    visit.terminate()
    off.power_on()


def answers(row: dict[str, t.Any]) -> tuple[str, str]:
    return row["agent_initiated"]["answer"], row["firewall_restriction"]["answer"]


def test_every_host_gets_its_answers(scene: Scene) -> None:
    scene.site.manager.clear_requests()
    report = scene.report()
    assert {name: answers(row) for name, row in report.items()} == {
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
    assert "the host does not tell: " in reasons[OFF] and "port 22" in reasons[OFF]
    assert f"{scene.site.hosts.others['stranger'].address} is connected to the port" in reasons[VISITED]
    assert f"the manager has no computer of the host name {UNKNOWN}" in reasons[UNKNOWN]
    requests = scene.site.manager.summary()
    assert (
        requests["total"] == requests["read"] <= 10
    ), "the manager is asked once for all hosts, and nothing is written"


def test_the_table_is_shown_and_written(scene: Scene) -> None:
    output = scene.run().stdout
    table = (scene.folder / "reports" / "preflight.txt").read_text()
    assert table.splitlines()[:2] == [
        "HOST    AGENT INITIATED?  RESTRICT THE PORT?",
        "host01  yes               yes",
    ]
    for line in table.splitlines():
        assert line.replace('"', '\\"') in output
    assert (scene.folder / "reports" / "preflight.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("question", "refused"),
    [("agent_initiated", [LOST, OFF]), ("firewall_restriction", [OFF, VISITED, UNKNOWN])],
)
def test_it_fails_when_told_to(scene: Scene, question: str, refused: list[str]) -> None:
    (scene.folder / "reports" / "preflight.json").unlink(missing_ok=True)
    done = scene.run(check=False, connectivity_fail_unless=[question])
    assert done.returncode != 0
    assert f"{question}: the answer is no or unknown for {', '.join(refused)}" in done.stdout
    assert (scene.folder / "reports" / "preflight.json").exists(), "who is told no wants to know why"


def test_without_the_manager_it_says_what_it_does_not_know(scene: Scene) -> None:
    scene.site.manager.clear_requests()
    report = scene.report(connectivity_manager={})
    assert scene.site.manager.summary()["total"] == 0
    assert {name: answers(row) for name, row in report.items()} == {
        READY: ("yes", "unknown"),
        LOST: ("no", "unknown"),
        OFF: ("unknown", "unknown"),
        INITIATES: ("yes", "unknown"),
        VISITED: ("yes", "no"),
        UNKNOWN: ("yes", "unknown"),
    }
    assert report[READY]["firewall_restriction"]["reasons"] == [
        "the manager was not asked, so it is not known whether the firewall is on"
    ]


def test_a_manager_that_does_not_answer_is_no_reason_to_stop(scene: Scene) -> None:
    report = scene.report(connectivity_manager={"url": f"https://{scene.site.manager_host.address}:4999"})
    assert answers(report[READY]) == ("yes", "unknown")
    assert "the manager does not tell: " in report[READY]["firewall_restriction"]["reasons"][0]


def test_in_check_mode_nothing_is_written(scene: Scene) -> None:
    folder = scene.folder / "none"
    output = scene.run(arguments=["--check"], connectivity_directory=str(folder)).stdout
    assert "host01  yes               yes" in output
    assert not folder.exists()


def test_an_agent_that_may_switch_goes_on_beating_and_one_that_may_not_is_lost(scene: Scene) -> None:
    site, ready, lost = scene.site, scene.placed[READY], scene.placed[LOST]
    ids = [ready.computer_id, lost.computer_id]
    site.module("communication_direction", computers=ids, direction="agent_initiated")
    try:
        # The manager can still bring the change to agents that listen.
        site.wait_until_current(ready, lost)
        for placed in (ready, lost):
            eventually(
                lambda placed=placed: not placed.host.run(["ss", "-Hltn", f"sport = :{AGENT_PORT}"]).stdout,
                "the agent listens no more",
            )
        beats = {name: site.beats(scene.placed[name]) for name in (READY, LOST)}
        eventually(lambda: site.beats(ready) >= beats[READY] + 3, "three heartbeats of the agent that may switch")
        assert site.beats(lost) == beats[LOST]
        report = scene.report()
        assert answers(report[READY]) == ("already", "no_effect")
        assert answers(report[LOST]) == ("no", "no_effect")
    finally:
        site.name_in_hosts_file(lost.host)
        site.module("communication_direction", computers=ids, direction="inherited")
        site.wait_until_current(ready, lost)
        lost.host.run("sed /dsm.lab.test/d /etc/hosts >/etc/hosts.new; mv /etc/hosts.new /etc/hosts")


def test_whom_the_restriction_will_admit_decides(scene: Scene) -> None:
    site = scene.site
    stranger = site.hosts.others["stranger"]
    report = scene.report(connectivity_source_ips=[stranger.address])
    reasons = report[READY]["firewall_restriction"]["reasons"]
    assert answers(report[READY])[1] == "no"
    assert reasons == [
        f"the manager connects from {site.manager_host.address}, {site.manager_host.address6}, and would be shut out"
    ]
    report = scene.report(connectivity_source_ips=["198.18.0.0/16", "2001:db8::/64"])
    assert answers(report[VISITED])[1] == "yes", "who is connected would be admitted"


def test_a_region_that_the_site_does_not_resolve(scene: Scene) -> None:
    report = scene.report(
        connectivity_manager={},
        connectivity_manager_host="",
        connectivity_manager_addresses=[],
        connectivity_region="jp-1",
    )
    assert answers(report[UNKNOWN]) == ("no", "unknown")
    assert answers(report[VISITED]) == ("no", "no"), "who is connected is in none of the region's subnets"
    reasons = report[UNKNOWN]["agent_initiated"]["reasons"]
    assert len(reasons) == 14 and reasons[1].startswith("agents.workload.jp-1.cloudone.trendmicro.com port 443: ")


def test_it_needs_to_know_which_manager(scene: Scene) -> None:
    done = scene.run(check=False, connectivity_manager={}, connectivity_manager_host="")
    assert done.returncode != 0
    assert "Set connectivity_region for the cloud, or connectivity_manager_host" in done.stdout
