# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vendor's page says of heartbeats: when they come, what they carry, what becomes of those that do not.

Our modules declare; the agents on the hosts, and the manager's log of what they said, show what came of it.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.end_to_end.play import play
from tests.end_to_end.site import AGENT_PORT, Placed, Site
from tests.lab.agent.install import DEFAULT_TIME_FACTOR, install_agent
from tests.lab.hosts.process import LabHosts
from tests.lab.manager.process import LabManager
from tests.lab.manager.switches import CHOICES
from tests.lab.waiting import until

MINUTE = 60.0
BASE, SUB = "Heartbeat", "Heartbeat > Sub"
SETTINGS = "platformSettingHeartbeat"


class Fleet(t.NamedTuple):
    """An agent under a policy, and two under the policy below it."""

    base: Placed
    sub: Placed
    computer: Placed


@pytest.fixture(scope="module")
def fleet(site: Site) -> Fleet:
    """Agents that do both: beat and listen."""
    base = site.policy(BASE, direction="Bidirectional")
    sub = site.policy(SUB, parent=base)
    return Fleet(site.agent("host01", policy=base), site.agent("host02", policy=sub), site.agent("host03", policy=sub))


@pytest.fixture(autouse=True)
def as_shipped(site: Site, fleet: Fleet) -> t.Iterator[None]:
    """Whatever a test did, all heartbeat settings are inherited afterwards, and everybody beats."""
    yield
    api = site.manager.api
    site.manager.switch(missed_heartbeat_alert=CHOICES["missed_heartbeat_alert"][0])
    names = ("Interval", "MissedAlertThreshold", "InactiveVmOfflineAlertEnabled", "LocalTimeShiftAlertThreshold")
    inherited = {f"{SETTINGS}{name}": {"value": ""} for name in names}
    for policy in api("GET", "/policies")["policies"]:
        api("POST", f"/policies/{policy['ID']}", {"policySettings": inherited, "firewall": {"state": "inherited"}})
    for placed in fleet:
        api("POST", f"/computers/{placed.computer_id}", {"computerSettings": inherited})
        site.manager.set_virtual_machine(placed.computer_id, None)
    site.wait_until_current(*fleet)


def beats(site: Site, placed: Placed, by: str = "agent") -> list[dict[str, t.Any]]:
    """The heartbeats of an agent that it sent itself, or that the manager asked for."""
    return [beat for beat in site.manager.heartbeats(placed.computer_id) if beat["by"] == by]


def next_beats(site: Site, placed: Placed, number: int = 1) -> list[dict[str, t.Any]]:
    """The next heartbeats that an agent sends."""
    before = len(beats(site, placed))
    until(lambda: len(beats(site, placed)) >= before + number, f"{placed.host.name} beats {number} times")
    return beats(site, placed)[before : before + number]


def minutes_between_beats(site: Site, placed: Placed, number: int = 2) -> float:
    """The mean of the time between heartbeats. It is the manager's time: hosts that are busy are a little late."""
    found = next_beats(site, placed, number + 1)
    return (found[-1]["at"] - found[0]["at"]) / number / MINUTE


def offline_alerts(site: Site, placed: Placed) -> list[dict[str, t.Any]]:
    """The alerts of an agent that is offline, those that were cleared included."""
    return [alert for alert in site.manager.alerts(placed.computer_id) if alert["kind"] == "offline"]


def is_offline(site: Site, placed: Placed) -> bool:
    """What the manager's API says of an agent."""
    computer = site.manager.api("GET", f"/computers/{placed.computer_id}", query={"expand": "computerStatus"})
    return computer["computerStatus"]["agentStatusMessages"] == ["Offline"]


def about(minutes: float) -> tuple[float, float]:
    """How long an interval may seem: a busy machine adds some tenths of a real second."""
    return 0.8 * minutes, minutes + 2.5


def test_heartbeats_arrive_every_ten_minutes(site, fleet):
    low, high = about(10)
    assert low < minutes_between_beats(site, fleet.base) < high
    computer = site.manager.api("GET", f"/computers/{fleet.base.computer_id}")
    assert computer["lastAgentCommunication"] and computer["agentVersion"] == "20.0.0.8438"


def test_what_a_heartbeat_carries(site, fleet):
    stranger, host = site.machine("stranger"), fleet.base.host
    before = next_beats(site, fleet.base)[0]
    assert before["driver"] == "online"
    stranger.run(f"echo nonsense | ncat -w 2 {host.address} {AGENT_PORT} || true")
    after = until(
        lambda: [
            beat
            for beat in beats(site, fleet.base)
            if beat["n"] > before["n"] and any(stranger.address in event["text"] for event in beat["events"])
        ],
        "the stranger's visit is among an agent's logs",
    )
    next_beats(site, fleet.base)
    numbers = [event["number"] for beat in beats(site, fleet.base) for event in beat["events"]]
    assert len(numbers) == len(set(numbers)), "logs since the last heartbeat, and none twice"
    assert after[0]["counters"]["connections"] == before["counters"]["connections"] + 1
    # The agent's clock, with the status that it shows on its host.
    assert after[0]["agent"]["state"] == fleet.base.agent.status()["agentState"] == "green"
    assert before["agent"]["clock"] < after[0]["agent"]["clock"] < int(fleet.base.agent.status()["currentTime"]) + 1
    assert after[0]["fingerprint"] == fleet.base.agent.status()["fingerprint"]


def test_the_driver_status(site, fleet):
    placed, policy = (
        fleet.base,
        next(one["ID"] for one in site.manager.api("GET", "/policies")["policies"] if one["name"] == BASE),
    )
    placed.host.run(["mv", "/usr/sbin/nft", "/usr/sbin/nft.away"])
    try:
        site.manager.api("POST", f"/policies/{policy}", {"firewall": {"state": "on"}})
        site.wait_until_current(placed)
        assert next_beats(site, placed)[0]["driver"] == "offline"
    finally:
        placed.host.run(["mv", "/usr/sbin/nft.away", "/usr/sbin/nft"])
    assert "ds_agent" not in placed.host.run(["nft", "list", "tables"]).stdout
    site.module("heartbeat", policies=[BASE], missed_before_alert=5)
    site.wait_until_current(placed)
    assert next_beats(site, placed)[0]["driver"] == "online"
    assert "ds_agent" in placed.host.run(["nft", "list", "tables"]).stdout


def test_the_fingerprint_tells_whether_the_configuration_is_old(site, fleet):
    before = next_beats(site, fleet.sub)[0]
    site.module("heartbeat", policies=[BASE], missed_before_alert=4)
    site.wait_until_current(fleet.sub)
    since = [beat for beat in site.manager.heartbeats(fleet.sub.computer_id) if beat["n"] > before["n"]]
    # The agent may beat while the manager connects to it: then both conversations carry the same update.
    updated, *again = [beat for beat in since if beat["updated_to"]]
    assert updated["updated_to"] != updated["fingerprint"] == before["fingerprint"]
    assert {beat["updated_to"] for beat in again} <= {updated["updated_to"]}
    assert next_beats(site, fleet.sub)[0]["fingerprint"] == updated["updated_to"]
    assert fleet.sub.agent.status()["fingerprint"] == updated["updated_to"]


def test_the_interval_of_base_policy_sub_policy_and_computer(site, fleet):
    site.module("heartbeat", policies=[BASE], interval=5)
    site.module("heartbeat", computers=["host03"], interval=2)
    site.wait_until_current(*fleet)
    for placed, minutes in zip(fleet, (5, 5, 2)):
        low, high = about(minutes)
        assert low < minutes_between_beats(site, placed) < high, placed.host.name
    inherited = {"interval": "inherited"}
    site.module(
        "communication_profile",
        profiles=[
            {"name": "Base", "policies": [BASE], "heartbeat": inherited},
            {"name": "Below", "policies": [SUB], "heartbeat": {"interval": 2}},
            {"name": "Computer", "computers": ["host03"], "heartbeat": inherited},
        ],
    )
    site.wait_until_current(*fleet)
    for placed, minutes in zip(fleet, (10, 2, 2)):
        low, high = about(minutes)
        assert low < minutes_between_beats(site, placed) < high, placed.host.name


@pytest.mark.parametrize("answer", CHOICES["missed_heartbeat_alert"])
def test_an_alert_after_two_missed_heartbeats(site, fleet, answer):
    site.manager.switch(missed_heartbeat_alert=answer)
    placed, before = fleet.base, len(offline_alerts(site, fleet.base))
    last = next_beats(site, placed)[-1]["at"]
    placed.agent.stop()
    try:
        alert = until(lambda: offline_alerts(site, placed)[before:], "an alert")[0]
        assert alert["missed"] == {"at_the_number": 2, "after_the_number": 3}[answer]
        assert alert["at"] - last > 10 * MINUTE * alert["missed"]
        assert alert["cleared"] is None and is_offline(site, placed)
    finally:
        placed.agent.start()
    until(lambda: offline_alerts(site, placed)[-1]["cleared"], "the next heartbeat clears the alert")
    assert not is_offline(site, placed)


def test_another_number_of_missed_heartbeats(site, fleet):
    site.module("heartbeat", policies=[BASE], missed_before_alert=3, interval=3)
    site.module("heartbeat", policies=[SUB], missed_before_alert="unlimited")
    site.wait_until_current(*fleet)
    before = [len(offline_alerts(site, placed)) for placed in fleet]
    last = next_beats(site, fleet.sub)[-1]["at"]
    fleet.sub.agent.stop()
    fleet.base.agent.stop()
    try:
        alert = until(lambda: offline_alerts(site, fleet.base)[before[0] :], "an alert")[0]
        assert alert["missed"] == 3
        until(lambda: site.manager.now() - last > 5 * 3 * MINUTE, "five heartbeats are missed")
        assert len(offline_alerts(site, fleet.sub)) == before[1] and not is_offline(site, fleet.sub)
    finally:
        fleet.sub.agent.start()
        fleet.base.agent.start()


def test_stopped_virtual_machines_raise_errors_only_where_the_policy_says_so(site, fleet):
    """The one property of heartbeats that the cloud has, too."""
    for placed in fleet:
        site.manager.set_virtual_machine(placed.computer_id, "stopped")
    site.module("heartbeat", policies=[SUB], raise_offline_errors_for_inactive_vms=False)
    before = len(offline_alerts(site, fleet.sub))
    site.module("heartbeat", policies=[BASE], raise_offline_errors_for_inactive_vms=True, interval=1)
    site.module("heartbeat", computers=["host03"], raise_offline_errors_for_inactive_vms=True)
    site.wait_until_current(*fleet)
    for placed in fleet:
        placed.host.power_off()
    try:
        for placed in (fleet.base, fleet.computer):
            until(lambda placed=placed: is_offline(site, placed), "an offline error")
            assert offline_alerts(site, placed)[-1]["virtual_machine"] == "stopped"
        last = site.manager.heartbeats(fleet.sub.computer_id)[-1]["at"]
        until(lambda: site.manager.now() - last > 10 * MINUTE, "many heartbeats are missed")
        assert len(offline_alerts(site, fleet.sub)) == before and not is_offline(site, fleet.sub)
        site.module("heartbeat", policies=[SUB], raise_offline_errors_for_inactive_vms="inherited")
        until(lambda: is_offline(site, fleet.sub), "what the parent says holds for the policy below it")
    finally:
        for placed in fleet:
            placed.host.power_on()
            placed.agent.start()
            site.manager.set_virtual_machine(placed.computer_id, "running")
    for placed in fleet:
        until(lambda placed=placed: not is_offline(site, placed), "the machine is back")


def test_a_virtual_machine_that_runs_and_is_silent_is_an_error_anyway(site, fleet):
    before = len(offline_alerts(site, fleet.sub))
    site.manager.set_virtual_machine(fleet.sub.computer_id, "running")
    fleet.sub.agent.stop()
    try:
        alert = until(lambda: offline_alerts(site, fleet.sub)[before:], "an offline error")[0]
        assert alert["virtual_machine"] == "running"
    finally:
        fleet.sub.agent.start()


def test_a_change_of_the_hosts_clock(site, fleet):
    def changes(placed: Placed) -> list[dict[str, t.Any]]:
        return [alert for alert in site.manager.alerts(placed.computer_id) if alert["kind"] == "clock_change"]

    site.module("heartbeat", policies=[SUB], maximum_clock_change=30, interval=5)
    site.wait_until_current(*fleet)
    next_beats(site, fleet.sub)
    for placed in (fleet.base, fleet.sub):
        placed.agent.move_clock(60)
    until(lambda: changes(fleet.sub), "an alert")
    next_beats(site, fleet.base)
    assert changes(fleet.base) == [], "unlimited, as shipped"
    number = len(changes(fleet.sub))
    fleet.sub.agent.move_clock(-12)
    next_beats(site, fleet.sub, 2)
    assert len(changes(fleet.sub)) == number, "less than the maximum"


def test_on_the_cloud_only_errors_for_virtual_machines_are_configurable(hosts: LabHosts, tmp_path: Path):
    manager_host = hosts.add("cloud")
    names = [f"{name}.us-1.cloudone.trendmicro.com" for name in ("workload", "agents.workload")]
    host = hosts.hosts["host04"]
    host.write("/etc/hosts", f"127.0.0.1 localhost\n{manager_host.address} {' '.join(names)}\n")
    with LabManager(
        computers=0, policies=1, host=manager_host, names=names, deployment="cloud", time_factor=DEFAULT_TIME_FACTOR
    ) as cloud:
        agent = install_agent(host)
        agent.reset()
        script = cloud.api("POST", "/agentdeploymentscripts", {"platform": "linux", "activationRequired": True})
        words = dict.fromkeys(script["scriptBody"].replace('"', " ").split())
        assert cloud.heartbeat_url == f"dsm://{names[1]}:443/"
        agent.activate(cloud.heartbeat_url, *[word for word in words if word.startswith(("tenantID:", "token:"))])
        computer_id = cloud.agents()[0]["computer_id"]
        connection = {
            "url": cloud.url,
            "ca_path": cloud.ca_path,
            "api_key": cloud.api_key,
            "deployment": "cloud",
            "computers": [host.name],
        }
        cloud.clear_requests()
        module = "workload_security.agent.heartbeat"
        refused = play(hosts, tmp_path, {module: {**connection, "interval": 5}}).results[0]
        assert refused["failed"] and refused["failure"]["option"] == "interval"
        assert cloud.requests() == [], "refused before anything is asked of the manager"
        allowed = {module: {**connection, "raise_offline_errors_for_inactive_vms": True}}
        first, second = play(hosts, tmp_path, allowed, allowed).results
        assert (first["changed"], second["changed"]) == (True, False)

        found = until(lambda: cloud.heartbeats(computer_id)[3:] and cloud.heartbeats(computer_id), "four heartbeats")
        low, high = about(10)
        assert low < (found[3]["at"] - found[0]["at"]) / 3 / MINUTE < high
        assert {beat["by"] for beat in found} == {"agent"}
        listening = host.run(["ss", "--listening", "--tcp", "--numeric", "--no-header"]).stdout
        assert f":{AGENT_PORT}" not in listening, "on the cloud agents initiate"
        cloud.set_virtual_machine(computer_id, "stopped")
        agent.stop()
        (alert,) = until(lambda: cloud.alerts(computer_id), "an alert")
        assert (alert["missed"], alert["virtual_machine"]) == (2, "stopped")
