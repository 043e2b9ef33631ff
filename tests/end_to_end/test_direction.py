# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vendor's page says of the communication direction: who connects, who listens, when changes arrive.

Our modules set the direction. ss on the hosts shows who listens, counters of nft on the manager's machine who connects.
"""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest

from tests.end_to_end.play import play
from tests.end_to_end.site import AGENT_PORT, DIRECTION, HEARTBEATS, MANAGER_NAME, Placed, Site
from tests.lab.agent.install import install_agent
from tests.lab.manager.switches import CHOICES
from tests.lab.waiting import until

POLICY, SUB = "Direction", "Direction > Sub"
DIRECTIONS = ("bidirectional", "manager_initiated", "agent_initiated")
MACOS = "macOS 14 (64 bit)"
INTERVAL = "platformSettingHeartbeatInterval"
MISSED = "platformSettingHeartbeatMissedAlertThreshold"


@pytest.fixture(scope="module")
def agent(site: Site) -> Placed:
    """An agent under a policy of its own."""
    return site.agent("host01", policy=site.policy(POLICY))


@pytest.fixture(scope="module")
def below(site: Site, agent: Placed) -> Placed:
    """An agent under the policy below that one."""
    return site.agent("host02", policy=site.policy(SUB, parent=policy_id(site, POLICY)))


@pytest.fixture(autouse=True)
def as_shipped(site: Site, agent: Placed) -> t.Iterator[None]:
    """Whatever a test did, everything is inherited afterwards."""
    yield
    api = site.manager.api
    site.manager.switch(manager_calls_missing_agents=False)
    for kind, key in (("policies", "policySettings"), ("computers", "computerSettings")):
        for one in api("GET", f"/{kind}", query={"expand": "none"} if kind == "computers" else None)[kind]:
            api("POST", f"/{kind}/{one['ID']}", {key: {name: {"value": ""} for name in (DIRECTION, INTERVAL, MISSED)}})
    site.wait_until_current(agent)


def policy_id(site: Site, name: str) -> int:
    """The policy of that name."""
    return next(one["ID"] for one in site.manager.api("GET", "/policies")["policies"] if one["name"] == name)


def switch_to(site: Site, placed: Placed, direction: str) -> None:
    """Let our module set the direction of the policy, and the agent take it up."""
    site.module("communication_direction", policies=[POLICY], direction=direction)
    site.wait_until_current(placed)


def listens(placed: Placed) -> bool:
    """Whether the agent's port is open, as its host sees it."""
    command = ["ss", "--listening", "--tcp", "--numeric", "--no-header", f"sport = :{AGENT_PORT}"]
    return bool(placed.host.run(command).stdout.strip())


def answers(site: Site, placed: Placed) -> bool:
    """Whether the agent's port is open, as the manager's machine sees it."""
    return site.manager_host.reaches(placed.host.address, AGENT_PORT, within=5)


class Connections:
    """Counts who opens connections, on the manager's machine."""

    def __init__(self, site: Site, placed: Placed) -> None:
        self._host = site.manager_host
        address = placed.host.address
        opens = "tcp flags & (syn | ack) == syn counter name"
        self._host.run(
            ["nft", "-f", "-"],
            input="table inet watch\ndelete table inet watch\n"
            "table inet watch {\n"
            "  counter agent { }\n  counter manager { }\n"
            "  chain input {\n    type filter hook input priority 0;\n"
            f"    ip saddr {address} tcp dport 4120 {opens} agent\n  }}\n"
            "  chain output {\n    type filter hook output priority 0;\n"
            f"    ip daddr {address} tcp dport {AGENT_PORT} {opens} manager\n  }}\n"
            "}\n",
        )

    def count(self) -> dict[str, int]:
        """How many there were by each side."""
        shown = json.loads(self._host.run(["nft", "--json", "list", "counters", "table", "inet", "watch"]).stdout)
        counters = [item["counter"] for item in shown["nftables"] if "counter" in item]
        return {counter["name"]: counter["packets"] for counter in counters}


def heartbeats(site: Site, placed: Placed, number: int = 1) -> list[dict[str, t.Any]]:
    """The next heartbeats, whoever connects."""
    before = site.beats(placed)
    until(lambda: site.beats(placed) >= before + number, f"{number} more heartbeats")
    return site.manager.heartbeats(placed.computer_id)[before : before + number]


def initiators(beats: t.Iterable[dict[str, t.Any]]) -> set[str]:
    """Who connected."""
    return {beat["by"] for beat in beats}


def change_something(site: Site) -> int:
    """Change a setting with our module; returns the number of the request that did."""
    site.manager.clear_requests()
    current = site.manager.api("GET", f"/policies/{policy_id(site, POLICY)}/settings/{MISSED}")["value"]
    site.module("heartbeat", policies=[POLICY], missed_before_alert=3 if current != "3" else 4)
    return max(request["n"] for request in site.manager.requests() if request["kind"] != "read")


def test_bidirectional_the_agent_beats_and_listens(site, agent):
    switch_to(site, agent, "bidirectional")
    connections = Connections(site, agent)
    assert initiators(heartbeats(site, agent, 2)) == {"agent"}
    assert connections.count()["agent"] >= 2
    assert connections.count()["manager"] == 0, "there is nothing that the manager would have to do"
    assert listens(agent) and answers(site, agent)


def test_bidirectional_the_manager_connects_when_something_is_to_be_done(site, agent):
    site.module("heartbeat", policies=[POLICY], interval=60)
    switch_to(site, agent, "bidirectional")
    connections, number = Connections(site, agent), site.beats(agent)
    changed = change_something(site)
    site.wait_until_current(agent)
    (pushed,) = [beat for beat in site.manager.heartbeats(agent.computer_id)[number:] if beat["updated_to"]]
    assert pushed["by"] == "manager" and connections.count()["manager"] >= 1
    assert pushed["request"] >= changed, "an hour before the agent would have asked"


def test_manager_initiated_the_manager_does_everything(site, agent):
    switch_to(site, agent, "manager_initiated")
    connections = Connections(site, agent)
    beats = heartbeats(site, agent, 2)
    number = site.beats(agent)
    change_something(site)
    site.wait_until_current(agent)
    beats += site.manager.heartbeats(agent.computer_id)[number:]
    assert initiators(beats) == {"manager"}
    assert [beat for beat in beats if beat["updated_to"]], "settings, too, come with the manager's connections"
    assert connections.count()["agent"] == 0, "the agent does not beat on its own"
    assert connections.count()["manager"] >= 3
    assert listens(agent) and answers(site, agent)
    assert beats[1]["at"] - beats[0]["at"] > 9 * 60


def test_agent_initiated_nothing_listens(site, agent):
    switch_to(site, agent, "agent_initiated")
    connections = Connections(site, agent)
    assert initiators(heartbeats(site, agent, 2)) == {"agent"}
    assert connections.count()["manager"] == 0
    assert not listens(agent)
    assert not answers(site, agent)


def test_agent_initiated_changes_arrive_at_the_next_heartbeat_and_not_before(site, agent):
    switch_to(site, agent, "agent_initiated")
    connections = Connections(site, agent)
    (before,) = heartbeats(site, agent)
    changed = change_something(site)
    site.wait_until_current(agent)
    since = [beat for beat in site.manager.heartbeats(agent.computer_id) if beat["n"] > before["n"]]
    assert initiators(since) == {"agent"} and connections.count()["manager"] == 0
    (updated,) = [beat for beat in since if beat["updated_to"]]
    # First the heartbeat, which still tells of the old configuration, then the update in the same connection.
    assert updated["fingerprint"] == before["fingerprint"] != updated["updated_to"]
    first_after = next(beat for beat in since if beat["request"] >= changed)
    assert updated["n"] <= first_after["n"], "no heartbeat after the change was without it"
    previous = [before, *since][since.index(updated)]
    assert updated["at"] - previous["at"] > 8 * 60, "it was the heartbeat's time, not that of the change"
    (after,) = heartbeats(site, agent)
    assert after["fingerprint"] == updated["updated_to"]


def test_from_any_direction_to_any_other(site, agent):
    both, manager, agents = "bidirectional", "manager_initiated", "agent_initiated"
    walk = [both, manager, agents, both, agents, manager, both]
    assert set(itertools.pairwise(walk)) == set(itertools.permutations(DIRECTIONS, 2))
    for direction in walk:
        switch_to(site, agent, direction)
        assert listens(agent) is (direction != agents)
        assert initiators(heartbeats(site, agent)) == {"manager" if direction == manager else "agent"}


def test_policy_sub_policy_and_computer(site, agent, below):
    module = "communication_direction"
    site.module(module, policies=[POLICY], direction="agent_initiated")
    site.wait_until_current(agent, below)
    assert (listens(agent), listens(below)) == (False, False)
    site.module(module, policies=[SUB], direction="bidirectional")
    site.wait_until_current(agent, below)
    assert (listens(agent), listens(below)) == (False, True)
    site.module(module, computers=["host02"], direction="agent_initiated")
    site.wait_until_current(agent, below)
    assert (listens(agent), listens(below)) == (False, False)
    site.module(module, computers=["host02"], policies=[SUB], direction="inherited")
    site.module(module, policies=[POLICY], direction="manager_initiated")
    site.wait_until_current(agent, below)
    assert (listens(agent), listens(below)) == (True, True)
    assert initiators(heartbeats(site, below)) == {"manager"}


def test_macos_refuses_the_other_two(site, tmp_path):
    name = "Direction of Macs"
    mac = site.agent("host03", policy=site.policy(name), platform=MACOS)
    connection = {"url": site.manager.url, "ca_path": site.manager.ca_path, "api_key": site.manager.api_key}
    module = "workload_security.agent.communication_direction"
    tasks = [
        {module: {**connection, **target, "direction": direction}}
        for target in ({"policies": [name]}, {"computers": ["host03"]})
        for direction in ("bidirectional", "manager_initiated")
    ]
    site.manager.clear_requests()
    for result in play(site.hosts, tmp_path, *tasks).results:
        assert result["failed"] and "host03" in result["msg"] and "macOS" in result["msg"]
    assert [request for request in site.manager.requests() if request["kind"] != "read"] == []
    # Whoever sets it with other means gets nothing from it: such agents only initiate.
    for direction in ("Bidirectional", "Manager Initiated"):
        site.manager.api("POST", f"/computers/{mac.computer_id}/settings/{DIRECTION}", {"value": direction})
        site.wait_until_current(mac)
        assert initiators(heartbeats(site, mac)) == {"agent"} and not listens(mac)
    site.module("communication_direction", policies=[name], computers=["host03"], direction="agent_initiated")
    site.wait_until_current(mac)
    assert initiators(heartbeats(site, mac)) == {"agent"}


def test_remote_activation_works_where_agents_initiate(site):
    policy = site.policy("Direction of new agents", direction="Agent/Appliance Initiated")
    host = site.hosts.hosts["host04"]
    site.name_in_hosts_file(host)
    agent = install_agent(host)
    agent.reset()
    agent.activate(HEARTBEATS, f"policyid:{policy}")
    (known,) = [known for known in site.manager.agents() if known["address"] == host.address]
    placed = Placed(agent, host, known["computer_id"])
    assert site.manager.api("GET", f"/computers/{placed.computer_id}")["policyID"] == policy
    assert not listens(placed), "configured in the connection of the activation"
    assert initiators([*site.manager.heartbeats(placed.computer_id), *heartbeats(site, placed)]) == {"agent"}
    # And anew, without anybody touching the manager.
    agent.reset()
    assert listens(placed)
    agent.activate(HEARTBEATS)
    assert not listens(placed)
    assert initiators(heartbeats(site, placed)) == {"agent"}


@pytest.mark.parametrize("direction", ["bidirectional", "agent_initiated"])
def test_who_initiates_needs_the_managers_name(site, agent, direction):
    """The page wants the name in the local DNS for these two directions. Whatever the manager does then is a switch."""
    switch_to(site, agent, direction)
    known = agent.host.read("/etc/hosts")
    number = len([beat for beat in site.manager.heartbeats(agent.computer_id) if beat["by"] == "agent"])
    try:
        agent.host.write("/etc/hosts", known.replace(MANAGER_NAME, "elsewhere.lab.test"))
        until(lambda: site.status(agent)["agentStatusMessages"] == ["Offline"], "the agent is lost")
        sent = [beat for beat in site.manager.heartbeats(agent.computer_id) if beat["by"] == "agent"]
        assert len(sent) <= number + 1, "one may have been under way"
        assert listens(agent) is (direction == "bidirectional")
    finally:
        agent.host.write("/etc/hosts", known)
    (back,) = heartbeats(site, agent)
    assert any("Heartbeat failed" in event["text"] for event in back["events"]), "its logs tell of the others"
    until(lambda: site.status(agent)["agentStatusMessages"] == ["Managed (Online)"], "it is back")


@pytest.mark.parametrize("calls", CHOICES["manager_calls_missing_agents"])
def test_an_agent_that_listens_and_has_lost_its_managers_name(site, agent, calls):
    site.manager.switch(manager_calls_missing_agents=calls)
    switch_to(site, agent, "bidirectional")
    known = agent.host.read("/etc/hosts")
    try:
        agent.host.write("/etc/hosts", known.replace(MANAGER_NAME, "elsewhere.lab.test"))
        if calls:
            until(lambda: initiators(heartbeats(site, agent)) == {"manager"}, "the manager connects")
        else:
            until(lambda: site.status(agent)["agentStatusMessages"] == ["Offline"], "the agent is lost")
            # What is to be done is done all the same: the manager can connect.
            change_something(site)
            site.wait_until_current(agent)
            assert site.manager.heartbeats(agent.computer_id)[-1]["by"] == "manager"
    finally:
        agent.host.write("/etc/hosts", known)
