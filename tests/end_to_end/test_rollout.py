# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restriction that forgets the manager: refused; and where it is insisted on, caught in the first wave and put back."""

from __future__ import annotations

import json
import typing as t

from tests.end_to_end.site import AGENT_PORT, Site
from tests.gates.environments import ROOT

PLAYBOOK = ROOT / "playbooks" / "rollout.yml"


def roll_out(site: Site, restriction: dict[str, t.Any], computers: list[int]) -> t.Any:
    """Restrict the agents' port on these computers, one after the other."""
    variables = {
        "communication_manager": {"url": site.manager.url, "ca_path": site.manager.ca_path},
        "communication_profiles": [{"name": "port", "computers": computers, "firewall_restriction": restriction}],
        "rollout_directory": str(site.inventory().parent / "rollout"),
        "rollout_waves": [1],
        "rollout_wait_interval": 1,
        "rollout_heartbeats": 1,
    }
    inventory = site.inventory().with_name("managers.json")
    inventory.write_text(json.dumps({"all": {"hosts": {"manager": {}}, "vars": variables}}))
    return site.playbook(PLAYBOOK, inventory=inventory, check=False)


def test_a_restriction_that_forgets_the_manager_does_not_get_far(site: Site) -> None:
    manager = site.manager_host
    site.manager.switch(agent_that_cannot_be_called="error")
    policy = site.policy("Port", firewall="on", direction="Bidirectional")
    placed = [site.agent(name, policy=policy) for name in ("host01", "host02")]
    site.wait_until_current(*placed)
    stranger = site.machine("stranger")
    computers = [one.computer_id for one in placed]
    forgets = {"source_ips": [stranger.address], "manager_addresses": [manager.address]}
    refused = roll_out(site, forgets, computers)
    assert refused.returncode == 2 and "manager" in refused.stdout, refused.stdout
    assert site.manager.api("GET", f"/computers/{computers[0]}/firewall/assignments").get("assignedRuleIDs", []) == []
    del forgets["manager_addresses"]
    caught = roll_out(site, {**forgets, "allow_manager_lockout": True}, computers)
    assert caught.returncode == 2, caught.stdout
    assert "Unable to communicate with Agent" in caught.stdout, caught.stdout
    assert "The rollout has failed: wave 1 of 2" in caught.stdout and "That wave was put back" in caught.stdout
    site.wait_until_current(*placed)
    for one in placed:
        assert manager.reaches(one.host.address, AGENT_PORT) and stranger.reaches(one.host.address, AGENT_PORT)
