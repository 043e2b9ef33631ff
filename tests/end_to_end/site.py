# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site: hosts with agents, their manager, name servers, unrelated hosts, and ansible-playbook on the controller."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.end_to_end.controller import run_on_controller
from tests.end_to_end.play import keep, kept, run_playbook
from tests.lab.agent.install import DEFAULT_PLATFORM, DEFAULT_VERSION, Agent, install_agent
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.manager.process import LabManager
from tests.lab.waiting import until

AGENT_PORT = 4118
MANAGER_NAME = "dsm.lab.test"
HEARTBEATS = f"dsm://{MANAGER_NAME}:4120/"

DIRECTION = "platformSettingAgentCommunicationsDirection"


@dataclass
class Placed:
    """An agent, its host, and its computer on the manager."""

    agent: Agent
    host: Host
    computer_id: int


class Site:
    """One manager for the hosts of a lab. C(folder) is for the files that Ansible needs."""

    def __init__(self, hosts: LabHosts, manager: LabManager, manager_host: Host, folder: Path) -> None:
        self.hosts = hosts
        self.manager = manager
        self.manager_host = manager_host
        self._folder = folder

    def machine(self, name: str) -> Host:
        """A machine without an agent. It is created when it is first requested."""
        return self.hosts.others.get(name) or self.hosts.add(name)

    # -- agents

    def agent(
        self,
        host_name: str,
        *parameters: str,
        policy: int | None = None,
        version: str = DEFAULT_VERSION,
        platform: str = DEFAULT_PLATFORM,
    ) -> Placed:
        """Install and activate an agent on a host that knows the manager's name from its hosts file."""
        host = self.hosts.hosts[host_name]
        self.name_in_hosts_file(host)
        agent = install_agent(host, version, platform=platform)
        agent.reset()
        agent.activate(HEARTBEATS, *parameters, *([f"policyid:{policy}"] if policy else []))
        (known,) = [known for known in self.manager.agents() if known["address"] in (host.address, host.address6)]
        return Placed(agent, host, known["computer_id"])

    def name_in_hosts_file(self, host: Host) -> None:
        """Let a host find the manager without a name server."""
        self.no_name_in_hosts_file(host)
        host.run(["tee", "-a", "/etc/hosts"], input=f"{self.manager_host.address} {MANAGER_NAME}\n")

    def no_name_in_hosts_file(self, host: Host) -> None:
        """Let a host no longer find the manager, except through a name server."""
        host.run(["sed", "-i", f"/ {MANAGER_NAME}$/d", "/etc/hosts"])

    def status(self, placed: Placed) -> dict[str, t.Any]:
        """What the manager knows about an agent."""
        (known,) = [known for known in self.manager.agents() if known["computer_id"] == placed.computer_id]
        return known

    def wait_until_current(self, *agents: Placed) -> None:
        """Wait until agents have the configuration that the manager has for them."""
        for placed in agents:
            until(lambda placed=placed: not self.status(placed)["agentTasks"], f"{placed.host.name} is not up to date")

    def beats(self, placed: Placed) -> int:
        """How many heartbeats the manager has received from an agent."""
        return len(self.manager.heartbeats(placed.computer_id))

    # -- objects of the manager

    def policy(self, name: str, *, parent: int = 1, firewall: str = "inherited", direction: str = "") -> int:
        """Create a policy, and return its ID."""
        body = {
            "name": name,
            "parentID": parent,
            "firewall": {"state": firewall},
            "policySettings": {DIRECTION: {"value": direction}},
        }
        return self.manager.api("POST", "/policies", body)["ID"]

    # -- Ansible

    def module(self, name: str, **options: t.Any) -> dict[str, t.Any]:
        """Run a module that talks to the manager on the controller. Fails if the module fails."""
        connection = {"url": self.manager.url, "ca_path": self.manager.ca_path}
        task = {f"workload_security.agent.{name}": {**connection, **options}}
        (result,) = run_on_controller(self.hosts, [task], WORKLOAD_SECURITY_API_KEY=self.manager.api_key)
        assert not result.get("failed"), result
        return result

    def on_hosts(self, hosts: t.Sequence[Host], name: str, **options: t.Any) -> dict[str, dict[str, t.Any]]:
        """Run a module on machines over SSH. Returns the result of each machine, even if it failed."""
        return self._play(":".join(host.name for host in hosts), name, options)

    def playbook(self, path: Path, *arguments: str, inventory: Path | None = None, check: bool = True) -> t.Any:
        """Run a playbook on the controller. Returns its exit status and output."""
        return run_playbook(
            self.hosts,
            path,
            inventory or self.inventory(),
            *arguments,
            check=check,
            cwd=self._folder,
            WORKLOAD_SECURITY_API_KEY=self.manager.api_key,
        )

    def inventory(self) -> Path:
        """An Ansible inventory of all machines of the site, including those without agents."""
        everybody = {**self.hosts.hosts, **self.hosts.others}
        hosts = {name: host.connection for name, host in everybody.items()}
        path = self._folder / "inventory.json"
        path.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        return path

    def _play(self, pattern: str, name: str, options: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        play = {
            "name": "Test",
            "hosts": pattern,
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Run the module",
                    f"workload_security.agent.{name}": options,
                    "register": "result",
                    "ignore_errors": True,
                },
                keep("result"),
            ],
        }
        path = self._folder / "playbook.yml"
        path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return kept(self.playbook(path).stdout)
