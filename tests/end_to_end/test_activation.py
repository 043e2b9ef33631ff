# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Activation from the agent: a playbook says whom the manager takes on, fetches its script and runs it on hosts.

What came of it is read from the manager as a colleague, and from the agents themselves.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.end_to_end.site import HEARTBEATS, Site
from tests.lab.agent.install import Agent, install_agent
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.manager.process import LabManager
from tests.lab.waiting import until

AGENT_INITIATED = "Agent/Appliance Initiated"
TOKEN = "platformSettingAgentInitiatedActivationToken"
SECRET = "open sesame of the lab"

# As in the examples of agent_deployment_script_info. An agent that is refused fails its host alone.
STAGE = """\
- name: Say whom the manager takes on
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Keep the settings
      workload_security.agent.agent_initiated_activation: "{{ manager | combine(stages[NUMBER].activation) }}"

- name: Activate agents
  hosts: "{{ stages[NUMBER].targets }}"
  gather_facts: false
  tasks:
    - name: Fetch the script
      workload_security.agent.agent_deployment_script_info:
        "{{ manager | combine({'platform': 'linux'}, stages[NUMBER].script) }}"
      delegate_to: localhost
      run_once: true
      register: deployment
      no_log: true

    - name: Run it
      ansible.builtin.command:
        cmd: /bin/bash
        stdin: |
          {
          {{ deployment.script }}
          }
      no_log: true

"""


def stage(*targets: str, script: dict[str, t.Any] | None = None, **activation: t.Any) -> dict[str, t.Any]:
    """Settings to keep, and hosts to run the script on, which are in no other stage.

    Where all of them are refused, Ansible goes no further.
    """
    return {"targets": list(targets), "activation": activation, "script": script or {}}


class Deployed(t.NamedTuple):
    """What a run of the playbook left: the hosts on which the script failed, and all output."""

    refused: set[str]
    output: str


class Deployment:
    """A site with agents that wait to be activated, by host name."""

    def __init__(self, site: Site, folder: Path, agents: dict[str, Agent]) -> None:
        self.site = site
        self.agents = agents
        self._playbook = folder / "deployment.yml"

    @property
    def manager(self) -> LabManager:
        """The site's."""
        return self.site.manager

    def host(self, name: str) -> Host:
        """One of the hosts."""
        return self.site.hosts.hosts[name]

    def run(self, *stages: dict[str, t.Any], verbosity: int = 0) -> Deployed:
        """Go through the stages, one after the other, in one run of Ansible."""
        variables = {
            "manager": {
                "url": self.manager.url,
                "ca_path": self.manager.ca_path,
                "deployment": self.manager.deployment,
            },
            "stages": stages,
        }
        plays = [STAGE.replace("NUMBER", str(number)) for number in range(len(stages))]
        self._playbook.write_text("".join(plays), encoding="utf-8")
        done = self.site.playbook(
            self._playbook, *["-v"] * verbosity, "--extra-vars", json.dumps(variables), check=False
        )
        recap = done.stdout.rpartition("PLAY RECAP")[2].splitlines()[1:]
        ended = {line.split()[0]: "failed=0" in line for line in recap if ":" in line}
        targets = [target for one in stages for target in one["targets"]]
        assert ended.keys() == {"localhost", *targets} and ended["localhost"], done.stdout + done.stderr
        return Deployed({name for name, fine in ended.items() if not fine}, done.stdout + done.stderr)

    def computers(self) -> list[dict[str, t.Any]]:
        """The manager's computers, as a colleague sees them."""
        return self.manager.api("GET", "/computers", query={"expand": "none"})["computers"]

    def beats(self, computer_id: int, least: int = 0) -> list[dict[str, t.Any]]:
        """A computer's heartbeats, once there are so many; none before."""
        found = self.manager.heartbeats(computer_id)
        return found if len(found) >= least else []

    def active(self) -> set[str]:
        """The hosts whose agents say that they have a manager, and that the manager knows at their address."""
        known = {agent["address"] for agent in self.manager.agents()}
        with_manager = {name for name, agent in self.agents.items() if "dsmUrl" in agent.status()}
        assert with_manager == {name for name in self.agents if self.host(name).address in known}
        return with_manager


@pytest.fixture(scope="module")
def waiting(site: Site, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Deployment]:
    """Four hosts with agents, which know the manager's name."""
    agents = {}
    for name in list(site.hosts.hosts)[:4]:
        host = site.hosts.hosts[name]
        site.name_in_hosts_file(host)
        agents[name] = install_agent(host)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ANSIBLE_PIPELINING", "true")
        yield Deployment(site, tmp_path_factory.mktemp("deployment"), agents)


@pytest.fixture
def deployment(waiting: Deployment) -> Deployment:
    """The manager without computers, with the settings that it came with, and no agent active."""
    for agent in waiting.agents.values():
        agent.reset()
    waiting.manager.reset()
    return waiting


def policy(deployment: Deployment, name: str) -> int:
    """A policy whose agents initiate all communication."""
    return deployment.site.policy(name, direction=AGENT_INITIATED)


@pytest.mark.both_cores
def test_agents_activate_themselves_with_the_managers_script(deployment):
    """In the direction in which nothing but the agent can ask; no secret is in any output.

    With the policy that the script asks for, and where it asks for none, with that of the settings.
    """
    asked, fallback = policy(deployment, "Initiated"), policy(deployment, "Fallback")
    deployment.manager.api("POST", f"/systemsettings/{TOKEN}", {"value": SECRET})
    done = deployment.run(
        stage("host01", "host02", allow="any_computer", policy="Fallback", script={"policy": "Initiated"}),
        stage("host03", policy=fallback),
        verbosity=5,
    )
    assert done.refused == set() and deployment.active() == {"host01", "host02", "host03"}
    assert {(one["hostName"], one["policyID"]) for one in deployment.computers()} == {
        ("host01", asked),
        ("host02", asked),
        ("host03", fallback),
    }
    assert len(done.output) > 5000 and SECRET not in done.output
    for known in deployment.manager.agents():
        beats = until(lambda number=known["computer_id"]: deployment.beats(number, 2), "a second heartbeat")
        assert {beat["by"] for beat in beats} == {"agent"}
    # Once it initiates, it does not listen any more.
    until(lambda: not deployment.host("host01").run("ss -Hltn sport = :4118").stdout, "nothing listens on 4118")


def test_a_wrong_token_is_refused(deployment):
    """A script that was kept from before the token changed."""
    deployment.manager.api("POST", f"/systemsettings/{TOKEN}", {"value": SECRET})
    fault = {"kind": "run", "when": "after", "request": {
        "method": "POST", "path": f"/systemsettings/{TOKEN}", "body": {"value": "another"}}}  # fmt: skip
    deployment.manager.add_fault(method="POST", path="^/agentdeploymentscripts$", action=fault)
    assert deployment.run(stage("host01", allow="any_computer")).refused == {"host01"}
    assert deployment.active() == set()


def test_an_ip_list_and_existing_computers_take_their_own_and_refuse_others(deployment):
    deployment.manager.api("POST", "/iplists", {"name": "Ours", "items": [deployment.host("host01").address]})
    deployment.manager.api("POST", "/computers", {"hostName": "host03"})
    done = deployment.run(
        stage("host01", "host02", allow="ip_list", ip_list="Ours"),
        stage("host03", "host04", allow="existing_computers"),
    )
    assert done.refused == {"host02", "host04"} and deployment.active() == {"host01", "host03"}
    assert {one["hostName"] for one in deployment.computers()} == {"host01", "host03"}
    assert len(deployment.computers()) == 2


def test_nobody_is_taken_and_who_is_active_stays_so(deployment):
    deployment.agents["host01"].activate(HEARTBEATS)
    deployment.manager.switch(activation_nobody_wording="Not allowed")
    assert deployment.run(stage("host02", allow="nobody")).refused == {"host02"}
    assert deployment.active() == {"host01"}
    (known,) = deployment.manager.agents()
    before = len(deployment.beats(known["computer_id"]))
    until(lambda: deployment.beats(known["computer_id"], before + 1), "another heartbeat")


def test_whose_name_a_computer_gets_and_an_agent_that_comes_again(deployment):
    """The script resets the agent, which then asks for the name that it already has on the manager."""
    again = ("host01", "host02", "host03")
    for name in again:
        deployment.agents[name].activate(HEARTBEATS)
    first = {one["hostName"]: one["ID"] for one in deployment.computers()}
    done = deployment.run(
        stage("host01", duplicate_host_name="reactivate_existing_computer"),
        stage("host02", duplicate_host_name="activate_new_computer"),
        stage("host04", host_name_by_agent=False),
        stage("host03", duplicate_host_name="do_not_allow_activation", host_name_by_agent=True),
    )
    assert done.refused == {"host03"}
    found = [one["hostName"] for one in deployment.computers()]
    assert {name: found.count(name) for name in found} == {
        "host01": 1,
        "host02": 2,
        "host03": 1,
        deployment.host("host04").address: 1,
    }
    assert set(first.values()) <= {one["ID"] for one in deployment.computers()}
    active = {name for name, agent in deployment.agents.items() if "dsmUrl" in agent.status()}
    assert active == {"host01", "host02", "host04"}


def test_the_cloud(hosts: LabHosts, waiting: Deployment, tmp_path: Path) -> None:
    """There a script carries the tenant's ID and token, and agents come to the port of the API."""
    host = hosts.add("cloud")
    name = "agents.cloud.lab.test"
    target = waiting.host("host03")
    target.run(["tee", "-a", "/etc/hosts"], input=f"{host.address} {name}\n")
    waiting.agents["host03"].reset()
    with LabManager(computers=0, policies=1, deployment="cloud", host=host, names=[name], time_factor=200.0) as manager:
        cloud = Deployment(Site(hosts, manager, host, tmp_path), tmp_path, {"host03": waiting.agents["host03"]})
        done = cloud.run(stage("host03", allow="any_computer", script={"policy": "Base Policy"}), verbosity=5)
        assert done.refused == set() and cloud.active() == {"host03"}
        assert [(one["hostName"], one["policyID"]) for one in cloud.computers()] == [("host03", 1)]
        script = manager.api("POST", "/agentdeploymentscripts", {"platform": "linux", "activationRequired": True})
        (arguments,) = [
            line for line in script["scriptBody"].splitlines() if line.startswith("/opt") and " -a " in line
        ]
        secrets = [argument.split(":", 1)[1].strip('"') for argument in arguments.split()[3:]]
        assert len(secrets) == 2 and not [secret for secret in secrets if secret in done.output]
        waiting.agents["host03"].reset()
