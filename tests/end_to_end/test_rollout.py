# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts that would cut hosts off: hosts say so before anything is written, and the first wave's gate does after."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest

from tests.end_to_end.site import AGENT_PORT, MANAGER_NAME, Placed, Site
from tests.gates.environments import ROOT
from tests.lab.manager.settings import OFFLINE_ERRORS

PLAYBOOK = ROOT / "playbooks" / "rollout.yml"

# Two whose agents only answer, of which the second one does not know the manager's name; and two whose agents do both.
READY, LOST, BOTH, OFF = NAMES = ("host01", "host02", "host03", "host04")
DIRECTIONS = {READY: "Manager Initiated", LOST: "Manager Initiated", BOTH: "Bidirectional", OFF: "Bidirectional"}


class Scene(t.NamedTuple):
    """A site, its agents, somebody who is not the manager, and a name for each rollout's folder."""

    site: Site
    placed: dict[str, Placed]
    stranger: str
    numbers: t.Iterator[int]

    def roll_out(
        self,
        *profiles: dict[str, t.Any],
        first: t.Sequence[str] = (READY,),
        hosts: t.Sequence[str] = (),
        unlike: t.Mapping[str, dict[str, t.Any]] | None = None,
    ) -> t.Any:
        """Roll a document out, to C(first) before the others, with C(hosts) asked; C(unlike): more variables of some."""
        site = self.site
        machines = json.loads(site.inventory().read_text())["all"]["hosts"]
        variables = {
            "communication_manager": {"url": site.manager.url, "ca_path": site.manager.ca_path},
            "communication_profiles": profiles,
            "rollout_directory": str(site.inventory().parent / f"rollout{next(self.numbers)}"),
            "rollout_waves": [{"name": "first", "computers": self.ids(*first)}],
            "rollout_wait_interval": 1,
            "rollout_heartbeats": 1,
            "rollout_hosts": hosts,
            "rollout_manager_host": MANAGER_NAME,
            "ansible_ssh_timeout": 3,
        }
        known = {**machines, "dsm": {}}
        known.update((name, {**known[name], **more}) for name, more in (unlike or {}).items())
        inventory = site.inventory().with_name("managers.json")
        inventory.write_text(json.dumps({"all": {"hosts": known, "vars": variables}}))
        site.manager.clear_requests()
        return site.playbook(PLAYBOOK, "-e", "rollout_managers=dsm", inventory=inventory, check=False)

    def ids(self, *names: str) -> list[int]:
        """The computers of hosts."""
        return [self.placed[name].computer_id for name in names]

    def restriction(self, *names: str, **options: t.Any) -> dict[str, t.Any]:
        """Somebody who is not the manager is admitted to these hosts, and nobody else."""
        restriction = {"source_ips": [self.stranger], **options}
        return {"name": "port", "computers": self.ids(*names), "firewall_restriction": restriction}

    def direction(self, *names: str) -> dict[str, t.Any]:
        """The agents of these hosts initiate, and nobody else does."""
        agents = {"direction": "agent_initiated"}
        return {"name": "direction", "computers": self.ids(*names), "communication_direction": agents}

    def nothing_is_written(self) -> bool:
        """Whether the last rollout has only read."""
        requests = self.site.manager.summary()
        return requests["total"] == requests["read"] > 0

    def everybody_is_reachable(self) -> None:
        """The manager reaches all agents, which are as they were."""
        self.site.wait_until_current(*self.placed.values())
        for name, placed in self.placed.items():
            assert self.site.manager_host.reaches(placed.host.address, AGENT_PORT), name
            assert self.site.status(placed)["direction"] == DIRECTIONS[name]


@pytest.fixture(scope="module")
def scene(site: Site) -> Scene:
    """Four hosts, of which one does not know the manager's name."""
    site.manager.switch(agent_that_cannot_be_called="error")
    policies = {one: site.policy(one, firewall="on", direction=one) for one in set(DIRECTIONS.values())}
    placed = {name: site.agent(name, policy=policies[direction]) for name, direction in DIRECTIONS.items()}
    site.wait_until_current(*placed.values())
    site.no_name_in_hosts_file(placed[LOST].host)
    return Scene(site, placed, site.machine("stranger").address, itertools.count(1))


def test_a_restriction_that_forgets_the_manager_is_refused(scene: Scene) -> None:
    refused = scene.roll_out(scene.restriction(*NAMES, manager_addresses=[scene.site.manager_host.address]))
    assert refused.returncode == 2 and "it must be a list that admits the manager too" in refused.stdout, refused.stdout
    assert scene.site.manager.summary()["total"] == 0


def test_hosts_that_are_not_ready_stop_it_before_anything_is_written(scene: Scene) -> None:
    off = scene.placed[OFF].host
    off.power_off()
    done = scene.roll_out(
        scene.restriction(READY, allow_manager_lockout=True),
        scene.direction(LOST, OFF),
        hosts=[READY, LOST, OFF, "stranger"],
    )
    off.power_on()
    scene.placed[OFF].agent.start()
    assert done.returncode == 2 and "nothing was changed: " in done.stdout, done.stdout
    address = scene.site.manager_host.address
    for told in (
        f"{READY} (firewall_restriction: no, the manager's name resolves to {address}, and would be shut out)",
        f"{LOST} (agent_initiated: no, {MANAGER_NAME} port 4120: no name server answers this host",
        f"{OFF} (agent_initiated: unknown, the host gives no answer: ",
        "these hosts are not checked: their names match no computer of the plan, or several: 'stranger'",
    ):
        assert told in done.stdout + done.stderr, done.stdout
    assert max(map(len, done.stdout.splitlines())) < 1500, "what hosts see is not printed"
    assert scene.nothing_is_written()
    scene.everybody_is_reachable()


def test_hosts_that_are_ready_are_changed_and_asked_again_at_the_gate(scene: Scene) -> None:
    site, address = scene.site, scene.site.manager_host.address
    done = scene.roll_out(
        scene.direction(READY),
        scene.restriction(BOTH, source_ips=[address], manager_addresses=[address]),
        {
            "name": "heartbeat",
            "computers": scene.ids(LOST),
            "heartbeat": {"raise_offline_errors_for_inactive_vms": "yes"},
        },
        first=(READY, BOTH),
        hosts=[READY, BOTH, LOST],
        unlike={LOST: {"ansible_port": 23}},
    )
    assert done.returncode == 2, done.stdout
    assert "wave 2 of 2, Make sure that hosts reach their manager" in done.stdout
    assert f"these do not, or could not be checked: {LOST}. That wave was put back" in done.stdout, done.stdout
    assert "1 waves had passed, 0 did not start" in done.stdout
    query = {"overrides": "true", "expand": "computerSettings"}
    settings = site.manager.api("GET", f"/computers/{scene.ids(LOST)[0]}", query=query).get("computerSettings") or {}
    assert OFFLINE_ERRORS not in settings, settings
    # The first wave stays.
    assert site.status(scene.placed[READY])["direction"] == "Agent/Appliance Initiated"
    assert not site.machine("stranger").reaches(scene.placed[BOTH].host.address, AGENT_PORT)
    site.module("communication_direction", computers=scene.ids(READY), direction="inherited")
    site.module("firewall_restriction", computers=scene.ids(BOTH), state="absent")
    scene.everybody_is_reachable()


def test_where_it_is_insisted_on_the_first_gate_catches_it(scene: Scene) -> None:
    caught = scene.roll_out(scene.restriction(BOTH, OFF, allow_manager_lockout=True), first=(BOTH,))
    assert caught.returncode == 2, caught.stdout
    assert "Unable to communicate with Agent" in caught.stdout, caught.stdout
    assert "The rollout has failed: wave 1 of 2" in caught.stdout and "That wave was put back" in caught.stdout
    scene.everybody_is_reachable()
    for name in (BOTH, OFF):
        assert scene.site.machine("stranger").reaches(scene.placed[name].host.address, AGENT_PORT)


def test_agents_that_cannot_find_the_manager_are_caught_while_they_still_listen(scene: Scene) -> None:
    caught = scene.roll_out(scene.direction(LOST, READY), first=(LOST,))
    assert caught.returncode == 2, caught.stdout
    assert "See whether these agents initiate" in caught.stdout and "the agent is offline: Offline" in caught.stdout
    assert "The rollout has failed: wave 1 of 2" in caught.stdout and "That wave was put back" in caught.stdout
    scene.everybody_is_reachable()
