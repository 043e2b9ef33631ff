# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's agents and the manager's side of their conversation, on loopback: without hosts of their own."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import shutil
import socket
import ssl
import typing as t

import pytest

from tests.contract import test_sending
from tests.contract.support import ACTIVATION, CLOCK_CHANGE, DIRECTION, INTERVAL, MISSED, V1, Sdk
from tests.lab.agent.local import LocalAgent, local_agent
from tests.lab.manager.fleet import make_fleet
from tests.lab.manager.heartbeats import tasks_of
from tests.lab.manager.process import LabManager
from tests.lab.manager.state import Agent
from tests.lab.manager.switches import CHOICES, Switches
from tests.lab.waiting import until

# Ten minutes are one second.
TIME_FACTOR = 600.0
# Agents have one port, and so each an address: of this process alone, as tests run in several processes at once.
ADDRESS, CLONE, MAC = (str(ipaddress.ip_address("127.64.0.0") + 4 * (os.getpid() % 2**20) + n) for n in range(3))
OFFLINE_ERRORS = "platformSettingHeartbeatInactiveVmOfflineAlertEnabled"
HOST_NAME = socket.gethostname()


@pytest.fixture(scope="module")
def running_lab() -> t.Iterator[LabManager]:
    with LabManager(computers=5, policies=3, agents=True, time_factor=TIME_FACTOR) as lab:
        yield lab


@pytest.fixture(scope="module")
def running_agent() -> t.Iterator[LocalAgent]:
    with local_agent(ADDRESS, time_factor=TIME_FACTOR) as agent:
        yield agent


@pytest.fixture
def lab(running_lab: LabManager) -> LabManager:
    """A manager as new, with a policy for the agent that leaves everything as it was shipped."""
    running_lab.reset()
    running_lab.api("POST", "/policies", {"name": "Agents"})
    return running_lab


@pytest.fixture
def agent(lab: LabManager, running_agent: LocalAgent) -> LocalAgent:
    """An agent that nobody has activated yet."""
    running_agent.reset()
    return running_agent


class Managed(t.NamedTuple):
    """An activated agent with all that the tests ask of it."""

    lab: LabManager
    agent: LocalAgent
    id: int
    policy_id: int

    def beats(self) -> list[dict[str, t.Any]]:
        return self.lab.heartbeats(self.id)

    def next_beat(self) -> dict[str, t.Any]:
        before = len(self.beats())
        return until(lambda: self.beats()[before:], "another heartbeat")[0]

    def alerts(self, kind: str) -> list[dict[str, t.Any]]:
        return [alert for alert in self.lab.alerts(self.id) if alert["kind"] == kind]

    def set(self, name: str, value: str) -> None:
        self.lab.api("POST", f"/computers/{self.id}/settings/{name}", {"value": value})

    def computer(self) -> dict[str, t.Any]:
        return self.lab.api("GET", f"/computers/{self.id}")

    def fingerprint(self) -> str:
        return next(agent["fingerprint"] for agent in self.lab.agents() if agent["computer_id"] == self.id)

    def configured(self) -> str:
        """Wait until the agent has what it should have, as both sides see it; returns the fingerprint."""
        until(lambda: not self.computer()["tasks"]["agentTasks"], "the configuration was sent")
        return until(lambda: self.fingerprint() == self.agent.status()["fingerprint"] and self.fingerprint(), "equal")


@pytest.fixture
def managed(lab: LabManager, agent: LocalAgent) -> Managed:
    """An agent with the policy of the fixture."""
    policy_id = policy_named(lab, "Agents")
    agent.activate(lab.heartbeat_url, f"policyid:{policy_id}")
    return Managed(lab, agent, lab.agents()[0]["computer_id"], policy_id)


def policy_named(lab: LabManager, name: str) -> int:
    return next(policy["ID"] for policy in lab.api("GET", "/policies")["policies"] if policy["name"] == name)


def port_is_open() -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, 4118), timeout=5):
        return True
    return False


def activation(lab: LabManager, **values: str) -> None:
    """Set system settings of agent-initiated activation."""
    settings = {f"{ACTIVATION}{name}": {"value": value} for name, value in values.items()}
    lab.api("POST", "/systemsettings", settings, key="admin")


# -- activation


def test_an_activated_agent_is_a_computer(managed: Managed) -> None:
    sdk = Sdk(managed.lab, managed.lab.api_key)
    computer = sdk.computers.describe_computer(managed.id, V1)
    assert (computer.host_name, computer.policy_id) == (HOST_NAME, managed.policy_id)
    assert (computer.agent_version, computer.platform) == ("20.0.0.8438", "Debian Linux 12 (64 bit)")
    assert computer.last_ip_used == ADDRESS
    assert computer.computer_status.agent_status_messages == ["Managed (Online)"]
    assert len(computer.agent_finger_print.split(":")) == 20 and computer.last_agent_communication
    assert managed.agent.status()["dsmUrl"] == managed.lab.heartbeat_url.replace("dsm:", "https:")


def test_an_activated_agent_must_be_reset_first(managed: Managed) -> None:
    again = managed.agent.activate(managed.lab.heartbeat_url, check=False)
    assert again.returncode == 101 and "reset" in again.stdout.lower()
    managed.agent.reset()
    assert "dsmUrl" not in managed.agent.status()
    managed.agent.activate(managed.lab.heartbeat_url)
    assert managed.computer()["policyID"] == managed.policy_id, "the same computer as before, with what it had"


@pytest.mark.parametrize(
    "parameters, expected",
    [
        ([], {}),
        (["policy:Agents"], {"policyID": "Agents"}),
        (["group:Operations"], {"groupID": "Operations"}),
        (["displayname:A name: with a colon", "description:"], {"displayName": "A name: with a colon"}),
        (["hostname:named.example.com"], {"hostName": "named.example.com"}),
        (["relaygroupid:3"], {"relayListID": 3}),
    ],
    ids=str,
)
def test_parameters(lab: LabManager, agent: LocalAgent, parameters: list[str], expected: dict[str, t.Any]) -> None:
    agent.activate(lab.heartbeat_url, *parameters)
    computer = lab.api("GET", f"/computers/{lab.agents()[0]['computer_id']}")
    groups = [one["ID"] for one in lab.api("GET", "/computergroups")["computerGroups"] if one["name"] == "Operations"]
    ids = {"Agents": policy_named(lab, "Agents"), "Operations": groups[0]}
    assert {name: computer.get(name) for name in expected} == {
        name: ids.get(value, value) for name, value in expected.items()
    }
    if not parameters:
        assert "policyID" not in computer


@pytest.mark.parametrize(
    "settings, parameters, message",
    [
        ({"Enabled": "No"}, [], "not allowed"),
        ({"Enabled": "For existing computers"}, [], "existing computers"),
        ({"Enabled": "For computers on the following IP list", "WithinIpListId": "4"}, [], "not on the IP list"),
        ({"Enabled": "For computers on the following IP list"}, [], "not on the IP list"),
        ({"Token": "right"}, ["token:wrong"], "Invalid token"),
        ({}, ["policyid:999"], "Policy 999 does not exist"),
        ({}, ["policy:Nobody's"], "Policy Nobody's does not exist"),
        ({}, ["groupid:999"], "Group 999 does not exist"),
        ({}, ["group:Nobody's"], "Group Nobody's does not exist"),
        ({}, ["policyid"], "policyid is not of the form key:value"),
    ],
    ids=str,
)
def test_who_is_refused(
    lab: LabManager, agent: LocalAgent, settings: dict[str, str], parameters: list[str], message: str
) -> None:
    activation(lab, **settings)
    before = lab.api("GET", "/computers")
    refused = agent.activate(lab.heartbeat_url, *parameters, check=False)
    assert refused.returncode == 1 and message in refused.stdout
    assert lab.agents() == [] and lab.api("GET", "/computers") == before
    assert "dsmUrl" not in agent.status()


@pytest.mark.parametrize(
    "settings, parameters",
    [
        ({"Enabled": "For existing computers"}, [f"hostname:{HOST_NAME}"]),
        ({"Enabled": "For computers on the following IP list", "WithinIpListId": "1"}, []),
        ({"Token": "right", "PolicyId": "1"}, ["token:right"]),
    ],
    ids=str,
)
def test_who_is_taken(lab: LabManager, agent: LocalAgent, settings: dict[str, str], parameters: list[str]) -> None:
    activation(lab, **settings)
    waiting = lab.api("POST", "/computers", {"hostName": HOST_NAME})["ID"]
    agent.activate(lab.heartbeat_url, *parameters)
    assert lab.agents()[0]["computer_id"] == waiting, "the computer was waiting for its agent"
    policy_id = lab.api("GET", f"/computers/{waiting}").get("policyID")
    assert policy_id == (1 if "PolicyId" in settings else None)


def test_an_agent_that_may_not_say_its_host_name_is_called_by_its_address(lab: LabManager, agent: LocalAgent) -> None:
    activation(lab, SpecifyHostnameEnabled="false")
    agent.activate(lab.heartbeat_url, "hostname:named.example.com")
    assert lab.agents()[0]["host_name"] == ADDRESS


@pytest.mark.parametrize(
    "mode",
    ["Re-activate the existing Computer", "Activate a new Computer with the same name", "Do not allow activation"],
)
def test_a_host_name_that_is_there_already(managed: Managed, mode: str) -> None:
    activation(managed.lab, DuplicateHostnameMode=mode)
    managed.agent.reset()
    done = managed.agent.activate(managed.lab.heartbeat_url, check=False)
    ids = {agent["computer_id"] for agent in managed.lab.agents()}
    if mode.startswith("Do not"):
        assert done.returncode == 1 and "already exists" in done.stdout and ids == {managed.id}
    else:
        assert done.returncode == 0 and len(ids) == (1 if mode.startswith("Re-") else 2) and managed.id in ids


def test_the_cloud_wants_to_know_the_tenant(agent: LocalAgent) -> None:
    with LabManager(computers=1, policies=1, agents=True, deployment="cloud", time_factor=TIME_FACTOR) as cloud:
        script = cloud.api("POST", "/agentdeploymentscripts", {"platform": "linux", "activationRequired": True})
        words = script["scriptBody"].replace('"', " ").split()
        tenant = list(dict.fromkeys(word for word in words if word.startswith(("tenantID:", "token:"))))
        assert len(tenant) == 2
        assert "Invalid tenantID" in agent.activate(cloud.heartbeat_url, check=False).stdout
        assert "Invalid token" in agent.activate(cloud.heartbeat_url, tenant[0], "token:x", check=False).stdout
        agent.activate(cloud.heartbeat_url, *tenant)
        assert cloud.agents()[0]["direction"] == "Agent/Appliance Initiated", "as the cloud is shipped"
        assert not port_is_open()


@pytest.mark.parametrize("allowed", [False, True])
def test_an_agent_that_the_manager_does_not_know(managed: Managed, allowed: bool) -> None:
    activation(managed.lab, ReactivateUnknownEnabled=str(allowed).lower())
    managed.lab.api("DELETE", f"/computers/{managed.id}")
    assert managed.lab.agents() == []
    beat = managed.agent.heartbeat(check=False)
    assert beat.returncode == (0 if allowed else 1)
    assert len(managed.lab.agents()) == allowed
    assert allowed or "activated again" in beat.stdout


def test_an_agent_that_has_not_been_told_its_settings_yet() -> None:
    state = make_fleet("on_premises", computers=1, policies=1)
    agent = Agent(state.computers.ids[0], "guid", "secret", "certificate", "machine", ADDRESS)
    assert tasks_of(state, agent, Switches()) == {"agentTasks": ["Activation In Progress"]}


@pytest.mark.parametrize("allowed", [False, True])
def test_a_clone_of_an_agent(managed: Managed, allowed: bool) -> None:
    activation(
        managed.lab,
        ReactivateClonedEnabled=str(allowed).lower(),
        DuplicateHostnameMode="Activate a new Computer with the same name",
    )
    with local_agent(CLONE, time_factor=TIME_FACTOR) as clone:
        clone.stop()
        shutil.copytree(managed.agent.folder / "dsa_core", clone.folder / "dsa_core", dirs_exist_ok=True)
        clone.start()
        if allowed:
            until(lambda: len(managed.lab.agents()) == 2, "the clone is a computer of its own")
            assert {agent["address"] for agent in managed.lab.agents()} == {ADDRESS, CLONE}
        else:
            assert clone.heartbeat(check=False).returncode == 1
            assert [agent["address"] for agent in managed.lab.agents()] == [ADDRESS]


def test_the_manager_must_be_the_one_of_the_activation(managed: Managed) -> None:
    port = int(managed.lab.heartbeat_url.rstrip("/").rpartition(":")[2])
    managed.agent.stop()
    with LabManager(computers=1, policies=1, agents=True) as impostor:
        # As if somebody else had got the manager's name and port.
        state = managed.agent.folder / "dsa_core" / "state.json"
        other = impostor.heartbeat_url.rstrip("/").rpartition(":")[2]
        state.write_text(state.read_text().replace(f'"port": {port}', f'"port": {other}'))
        managed.agent.start()
        assert "certificate" in managed.agent.heartbeat(check=False).stdout
        assert impostor.agents() == []
    managed.agent.reset()


def test_strangers_get_nothing_from_the_agents_port(managed: Managed) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for said in (b'{"secret": "guessed"}\n{"ask": "status"}\n', b"{}\n", b"[]\n", b"\xff\n", b""):
        connection = socket.create_connection((ADDRESS, 4118), timeout=20)
        with connection, context.wrap_socket(connection) as tls:
            tls.sendall(said)
            if said:
                with contextlib.suppress(OSError):
                    assert tls.recv(1000) == b""
    managed.next_beat()
    assert managed.agent.status()["agentState"] == "green"


# -- heartbeats


def test_what_a_heartbeat_carries(managed: Managed) -> None:
    first = managed.beats()[0]
    assert [event["text"] for event in first["events"]][-1] == "Reset", "what it did before it had a manager"
    assert (first["by"], first["driver"], first["fingerprint"]) == ("agent", "online", "")
    assert first["updated_to"] == managed.fingerprint() == managed.agent.status()["fingerprint"]
    _first, second, third = until(lambda: managed.beats()[2:] and managed.beats()[:3], "three heartbeats")
    assert {"Configuration updated"} <= {event["text"] for event in second["events"]}
    numbers = [event["number"] for beat in managed.beats() for event in beat["events"]]
    assert numbers == sorted(set(numbers)), "each event once"
    assert third["counters"]["conversations"] > second["counters"]["conversations"]
    assert second["fingerprint"] == third["fingerprint"] == managed.fingerprint()
    passed = (third["at"] - second["at"]) / 60
    assert 9 <= passed, "never before ten minutes have passed"

    def clocks_agree() -> bool:
        """Between two heartbeats that came without delay, as much time passed for the agent as for the manager."""
        return any(
            later["agent"]["clock"] - earlier["agent"]["clock"] == pytest.approx(later["at"] - earlier["at"], abs=300)
            for earlier, later in itertools.pairwise(managed.beats())
        )

    until(clocks_agree, "the clocks run equally fast")


def test_another_interval(managed: Managed) -> None:
    managed.set(INTERVAL, "1 Minute")
    managed.configured()

    def passed() -> list[float]:
        return [later["at"] - earlier["at"] for earlier, later in itertools.pairwise(managed.beats())]

    until(lambda: min(passed()) < 9 * 60, "what never happens every ten minutes")


def beat_rarely(managed: Managed) -> None:
    """So that a manager whose processor is busy still notices a missed heartbeat before the next is missed, too."""
    managed.set(INTERVAL, "30 Minutes")
    managed.configured()


@pytest.mark.parametrize("answer", CHOICES["missed_heartbeat_alert"])
def test_missed_heartbeat_alert(managed: Managed, answer: str) -> None:
    managed.lab.switch(missed_heartbeat_alert=answer)
    beat_rarely(managed)
    managed.agent.stop()
    (alert,) = until(lambda: managed.alerts("offline"), "an alert")
    assert alert["missed"] == {"at_the_number": 2, "after_the_number": 3}[answer]
    assert alert["cleared"] is None
    assert managed.computer()["computerStatus"]["agentStatusMessages"] == ["Offline"]
    managed.agent.start()
    until(lambda: managed.alerts("offline")[0]["cleared"], "the alert is cleared")
    assert managed.computer()["computerStatus"]["agentStatusMessages"] == ["Managed (Online)"]


def test_another_number_of_missed_heartbeats(managed: Managed) -> None:
    managed.set(MISSED, "4")
    beat_rarely(managed)
    managed.agent.stop()
    (alert,) = until(lambda: managed.alerts("offline"), "an alert")
    assert alert["missed"] == 4
    managed.agent.start()


def miss_heartbeats(managed: Managed) -> None:
    """Let the agent beat every minute, stop it, and let some ten minutes pass."""
    managed.set(INTERVAL, "1 Minute")
    managed.configured()
    managed.agent.stop()
    until(lambda: managed.lab.now() - managed.beats()[-1]["at"] > 600, "ten minutes have passed")


def test_any_number_of_missed_heartbeats(managed: Managed) -> None:
    managed.set(MISSED, "Unlimited")
    miss_heartbeats(managed)
    assert managed.alerts("offline") == []
    assert managed.lab.agents()[0]["agentStatusMessages"] == ["Managed (Online)"]
    managed.agent.start()


@pytest.mark.parametrize("raised", ["true", "false"])
def test_a_stopped_virtual_machine(managed: Managed, raised: str) -> None:
    managed.set(OFFLINE_ERRORS, raised)
    managed.lab.set_virtual_machine(managed.id, "stopped")
    miss_heartbeats(managed)
    messages = managed.computer()["computerStatus"]["agentStatusMessages"]
    if raised == "true":
        assert {alert["virtual_machine"] for alert in managed.alerts("offline")} == {"stopped"}
        assert messages == ["Offline"]
    else:
        assert managed.alerts("offline") == [] and messages == ["Managed (VM Stopped)"]
    managed.agent.start()
    managed.lab.set_virtual_machine(managed.id, "running")
    until(lambda: managed.computer()["computerStatus"]["agentStatusMessages"] == ["Managed (Online)"], "it is back")


def test_a_clock_that_was_changed(managed: Managed) -> None:
    managed.agent.move_clock(450)
    managed.next_beat()
    managed.next_beat()
    assert managed.alerts("clock_change") == [], "nobody asked for such alerts"
    managed.set(CLOCK_CHANGE, "300 Minutes")
    managed.configured()
    managed.next_beat()
    managed.agent.move_clock(-450)
    (alert,) = until(lambda: managed.alerts("clock_change"), "an alert")
    assert alert["minutes"] == pytest.approx(-450, abs=100)


# -- directions


def test_agent_initiated(managed: Managed) -> None:
    managed.set(DIRECTION, "Agent/Appliance Initiated")
    # Long enough for a look at what is pending until the next heartbeat.
    managed.set(INTERVAL, "60 Minutes")
    managed.configured()
    until(lambda: not port_is_open(), "the port is closed")
    number = managed.beats()[-1]["n"]
    before = managed.fingerprint()
    managed.set(MISSED, "3")
    assert until(lambda: managed.computer()["tasks"]["agentTasks"], "an update is pending") == [
        "Update of Configuration Pending (Heartbeat)"
    ]
    managed.configured()
    after = [beat for beat in managed.beats() if beat["n"] > number]
    assert {beat["by"] for beat in after} == {"agent"}
    assert [beat["fingerprint"] for beat in after if beat["updated_to"]] == [before]


def test_bidirectional(managed: Managed) -> None:
    assert port_is_open()
    beat_rarely(managed)
    assert {beat["by"] for beat in (managed.next_beat(), managed.next_beat())} == {"agent"}
    managed.set(INTERVAL, "60 Minutes")
    managed.configured()
    managed.set(MISSED, "3")
    managed.configured()
    pushed = [beat for beat in managed.beats() if beat["updated_to"]][-1]
    assert pushed["by"] == "manager", "an hour would have passed until the next heartbeat"


def test_manager_initiated(managed: Managed) -> None:
    managed.set(DIRECTION, "Manager Initiated")
    managed.configured()
    number = managed.beats()[-1]["n"]
    for _number in range(3):
        managed.next_beat()
    after = [beat for beat in managed.beats() if beat["n"] > number]
    assert {beat["by"] for beat in after} == {"manager"} and port_is_open()
    assert after[-1]["at"] - after[-2]["at"] > 9 * 60
    managed.set(DIRECTION, "Agent/Appliance Initiated")
    managed.configured()
    until(lambda: managed.next_beat()["by"] == "agent", "the agent initiates")
    assert not port_is_open()
    managed.set(DIRECTION, "Bidirectional")
    managed.configured()
    assert port_is_open()


def test_agents_on_macos_initiate(lab: LabManager) -> None:
    with local_agent(MAC, platform="macOS 14 (64 bit)", time_factor=TIME_FACTOR) as agent:
        agent.activate(lab.heartbeat_url)
        mac = Managed(lab, agent, lab.agents()[0]["computer_id"], 0)
        for direction in ("Bidirectional", "Manager Initiated"):
            mac.set(DIRECTION, direction)
            mac.configured()
            assert mac.next_beat()["by"] == "agent"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((MAC, 4118), timeout=5)
        assert lab.agents()[0]["direction"] == "Agent/Appliance Initiated"


def test_policies_that_are_not_sent_by_themselves(managed: Managed) -> None:
    policy = f"/policies/{managed.policy_id}"
    managed.lab.api("POST", policy, {"autoRequiresUpdate": "off", "policySettings": {MISSED: {"value": "7"}}})
    before = managed.fingerprint()
    assert managed.next_beat() and managed.next_beat()["updated_to"] is None and managed.fingerprint() == before
    managed.lab.api("POST", policy, {"autoRequiresUpdate": "on"})
    assert managed.configured() != before


def test_a_scheduled_task_sends_what_is_not_sent_by_itself(managed: Managed) -> None:
    managed.configured()
    first = managed.computer()
    policy = f"/policies/{managed.policy_id}"
    managed.lab.api("POST", policy, {"autoRequiresUpdate": "off", "policySettings": {MISSED: {"value": "7"}}})
    managed.next_beat()
    assert managed.computer()["lastSendPolicySuccess"] == first["lastSendPolicySuccess"]
    task = test_sending.send_task(type="computers-using-policy", policy_id=managed.policy_id)
    Sdk(managed.lab, managed.lab.api_key).tasks.create_scheduled_task(task, V1)
    requested = managed.computer()["lastSendPolicyRequest"]
    assert requested > first["lastSendPolicyRequest"]
    until(lambda: managed.computer()["lastSendPolicySuccess"] >= requested, "the policy arrived")
    assert managed.configured() and managed.computer()["tasks"]["agentTasks"] == []


def test_a_change_anywhere_above_reaches_the_agent(managed: Managed) -> None:
    lab, seen = managed.lab, [managed.configured()]
    parent = lab.api("POST", "/policies", {"name": "Parent", "firewall": {"state": "on"}})["ID"]
    ip_list = lab.api("POST", "/iplists", {"name": "Managers", "items": ["192.0.2.1"]})["ID"]
    rule = lab.api("POST", "/firewallrules", restriction(ip_list))["ID"]
    for path, body in (
        (f"/policies/{managed.policy_id}", {"parentID": parent}),
        (f"/policies/{parent}", {"policySettings": {MISSED: {"value": "5"}}}),
        ("/policies/default", {MISSED: {"value": "6"}, OFFLINE_ERRORS: {"value": "true"}}),
        (f"/policies/{parent}/firewall/assignments", {"ruleIDs": [rule]}),
        (f"/firewallrules/{rule}", {"sourceMACType": "single", "sourceMACValue": "00-11-22-33-44-55"}),
        (f"/iplists/{ip_list}", {"items": ["192.0.2.2"]}),
        (f"/computers/{managed.id}", {"policyID": 0}),
    ):
        lab.api("POST", path, body)
        seen.append(managed.configured())
        assert seen[-1] != seen[-2], path
        if path.startswith("/iplists"):
            assert "192.0.2.2 } ether saddr { 00:11:22:33:44:55 } accept" in managed.agent.ruleset
    assert "chain" not in managed.agent.ruleset, "without its policy its firewall is off"


# -- where the documents are silent, or disagree


def restriction(ip_list: int, **changes: t.Any) -> dict[str, t.Any]:
    """A rule that replaces the hidden one, as all pages see it."""
    return {
        "name": "Restriction",
        "action": "bypass",
        "priority": "4",
        "direction": "incoming",
        "frameType": "ip",
        "protocol": "tcp",
        "sourceIPType": "ip-list",
        "sourceIPListID": ip_list,
        "destinationPortType": "multiple",
        "destinationPortMultiple": ["4118"],
        **changes,
    }


def replaces(managed: Managed, **changes: t.Any) -> bool:
    """Whether the agent restricts its port when it gets such a rule."""
    lab = managed.lab
    rule = lab.api("POST", "/firewallrules", restriction(3, **changes))["ID"]
    lab.api("POST", f"/computers/{managed.id}", {"firewall": {"state": "on"}})
    lab.api("POST", f"/computers/{managed.id}/firewall/assignments", {"ruleIDs": [rule]})
    managed.configured()
    assert "tcp dport 4118" in managed.agent.ruleset
    return "drop" in managed.agent.ruleset


@pytest.mark.parametrize("answer", CHOICES["force_allow_replaces_hidden_rule"])
def test_force_allow_replaces_hidden_rule(managed: Managed, answer: bool) -> None:
    managed.lab.switch(force_allow_replaces_hidden_rule=answer)
    assert replaces(managed, action="force-allow") is answer


@pytest.mark.parametrize("answer", CHOICES["port_list_replaces_hidden_rule"])
def test_port_list_replaces_hidden_rule(managed: Managed, answer: bool) -> None:
    managed.lab.switch(port_list_replaces_hidden_rule=answer)
    assert replaces(managed, destinationPortType="port-list", destinationPortListID=12) is answer


@pytest.mark.parametrize("answer", CHOICES["several_ports_replace_hidden_rule"])
@pytest.mark.parametrize("ports", [["4117-4119"], ["22", "4118"]], ids=str)
def test_several_ports_replace_hidden_rule(managed: Managed, answer: bool, ports: list[str]) -> None:
    managed.lab.switch(several_ports_replace_hidden_rule=answer)
    assert replaces(managed, destinationPortMultiple=ports) is answer


@pytest.mark.parametrize("answer", CHOICES["manager_calls_missing_agents"])
def test_manager_calls_missing_agents(managed: Managed, answer: bool) -> None:
    managed.lab.switch(manager_calls_missing_agents=answer)
    managed.agent.stop()
    # It listens, and does not find its manager.
    state = managed.agent.folder / "dsa_core" / "state.json"
    state.write_text(state.read_text().replace('"host": "localhost"', '"host": "nowhere.invalid"'))
    managed.agent.start()
    number = managed.beats()[-1]["n"]
    if answer:
        until(lambda: managed.beats()[-1]["n"] > number, "the manager has heard from it")
        assert managed.beats()[-1]["by"] == "manager"
    else:
        until(lambda: managed.alerts("offline"), "the manager misses it")
        assert managed.beats()[-1]["n"] == number and port_is_open()
    managed.agent.reset()


@pytest.mark.parametrize("answer", CHOICES["agent_that_cannot_be_called"])
def test_agent_that_cannot_be_called(managed: Managed, answer: str) -> None:
    managed.lab.switch(agent_that_cannot_be_called=answer, manager_calls_missing_agents=True)
    managed.agent.stop()
    number = managed.beats()[-1]["n"]
    status = lambda: [one["agentStatusMessages"] for one in managed.lab.agents()]  # noqa: E731
    if answer == "error":
        until(lambda: status() == [["Unable to communicate with Agent"]], "the manager tells that it cannot call")
    else:
        until(lambda: status() == [["Offline"]], "the manager misses it")
    managed.agent.start()
    until(lambda: managed.beats()[-1]["n"] > number, "it beats again")
