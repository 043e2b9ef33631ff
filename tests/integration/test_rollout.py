# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook of a rollout: waves behind gates, put back where one fails, and killed wherever it is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.support import ansible_playbook, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.settings import DIRECTION, HEARTBEAT_INTERVAL
from tests.lab.waiting import until

pytestmark = pytest.mark.slow

TASKS = "/scheduledtasks"
# How many times as fast as ours the manager's clock runs: ten minutes are half a second.
FAST = 1200


@pytest.fixture
def running() -> t.Iterator[LabManager]:
    """One for each test: what a killed run has asked for may yet be done later."""
    with LabManager(computers=14, policies=4, seed=3, time_factor=FAST) as lab:
        yield lab


@pytest.fixture
def site(running: LabManager, tmp_path: Path) -> Site:
    """A small manager, the agents of which live."""
    running.let_live()
    running.clear_requests()
    return Site(running, tmp_path)


@dataclass
class Site:
    """A folder with an inventory of one manager, from which the playbook runs."""

    lab: LabManager
    folder: Path

    @property
    def kept(self) -> Path:
        return self.folder / "rollout" / "manager"

    @property
    def state(self) -> dict[str, t.Any]:
        """How far the rollout is; empty where none is under way."""
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.kept / "state.json").read_text())
        return {}

    def write(self, profiles: list[dict[str, t.Any]], **variables: t.Any) -> None:
        """The inventory, with what is to be rolled out."""
        shared = {
            "communication_manager": {"url": self.lab.url, "ca_path": self.lab.ca_path},
            "communication_profiles": profiles,
            "rollout_wait_interval": 1,
            **variables,
        }
        inventory = {"all": {"hosts": {"manager": {}}, "vars": shared}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def change(self, **variables: t.Any) -> None:
        """Other variables beside those of the inventory."""
        path = self.folder / "hosts.yml"
        inventory = yaml.safe_load(path.read_text())
        inventory["all"]["vars"].update(variables)
        path.write_text(yaml.safe_dump(inventory))

    @property
    def _command(self) -> tuple[str, ...]:
        return ("-i", "hosts.yml", "workload_security.agent.rollout", "-e", "rollout_directory=rollout")

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "WORKLOAD_SECURITY_API_KEY": self.lab.api_key,
            "WORKLOAD_SECURITY_PROGRESS_INTERVAL": "1",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Roll out, to whatever end."""
        return ansible_playbook(*self._command, *arguments, environment=self._environment, cwd=self.folder)

    def roll_back(self, only: dict[str, t.Any]) -> subprocess.CompletedProcess[str]:
        """Take some targets back to the snapshot of the rollout."""
        (snapshot,) = self.kept.glob("snapshot-*.yml")
        given = json.dumps({"rollback_snapshot": str(snapshot), "rollback_only": only})
        command = ("-i", "hosts.yml", "workload_security.agent.rollback", "-e", given)
        return ansible_playbook(*command, environment=self._environment, cwd=self.folder)

    def kill_when(self, condition: t.Callable[[], t.Any], what: str) -> None:
        """Roll out, and kill that once something is so. Its workers end with it."""

        def kill(process: int) -> None:
            until(condition, what)
            os.kill(process, signal.SIGKILL)

        ended = ansible_playbook(*self._command, environment=self._environment, cwd=self.folder, meanwhile=kill)
        assert ended.returncode == -signal.SIGKILL, f"{what}: it has ended before"

    def settings(self) -> dict[str, list[str]]:
        """What was set on each policy or computer, in this order, by whoever did."""
        found: dict[str, list[str]] = {}
        for request in writes(self.lab):
            for key in ("computerSettings", "policySettings"):
                for value in (request["body"] or {}).get(key, {}).values():
                    found.setdefault(request["path"], []).append(value["value"])
        return found

    def sent(self) -> int:
        """How many scheduled tasks were made."""
        return sum((one["method"], one["path"]) == ("POST", TASKS) for one in self.lab.requests())

    def agents(self) -> list[int]:
        """The IDs of computers that have an agent and are no Macs."""
        listed = self.lab.api("GET", "/computers", query={"expand": "none"})["computers"]
        self.lab.clear_requests()
        return [one["ID"] for one in listed if one["agentVersion"] != "0.0.0.0" and "macOS" not in one["platform"]]


def interval(minutes: int) -> dict[str, t.Any]:
    return {"heartbeat": {"interval": minutes}}


def of(number: int) -> str:
    return f"/computers/{number}"


@pytest.mark.both_cores
def test_waves_pass_one_after_the_other(site):
    lab, ids = site.lab, site.agents()[:3]
    policy = lab.api("POST", "/policies", {"name": "Empty"})["ID"]
    profiles = [{"name": "a", "computers": ids, **interval(7)}, {"name": "b", "policies": [policy], **interval(8)}]
    site.write(profiles, rollout_waves=[{"name": "pilot", "computers": ids[1:2]}, 2])
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 0, ran.stdout
    assert site.settings() == {**{of(number): ["7 Minutes"] for number in ids}, f"/policies/{policy}": ["8 Minutes"]}
    order = [one["path"] for one in writes(lab) if one["path"] != TASKS]
    assert order[0] == of(ids[1]) and order[-1] == f"/policies/{policy}"
    # To one computer twice: before the gate, and to see that the way is still open. Nobody else is sent anything.
    sent_to = [one["body"]["sendPolicyTaskParameters"]["computerFilter"] for one in writes(lab) if one["path"] == TASKS]
    assert {one["type"] for one in sent_to} == {"computer"} and len(sent_to) == 2
    assert "wave 1 of 3 (pilot): 0 passed, 0 failed, 2 left after it." in ran.stdout
    assert "wave 3 of 3 (policies, 2): 2 passed" in ran.stdout
    assert "all 3 waves of plan" in ran.stdout and site.state == {}
    (report,) = site.kept.glob("done-*.json")
    told = json.loads(report.read_text())
    assert told["result"] == "done" and set(told["phases"]) == {"passed"}
    assert {path.stat().st_mode & 0o77 for path in site.kept.iterdir() if not path.name.startswith("snapshot-")} == {0}
    # With nothing left to do, nothing begins.
    lab.clear_requests()
    again = site.run()
    assert again.returncode == 0 and writes(lab) == [] and site.state == {}, again.stdout


def test_a_wave_that_fails_is_put_back_and_nothing_goes_on(site):
    lab, ids = site.lab, site.agents()[:4]
    path = of(ids[2])
    lab.api("POST", path, {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "5 Minutes"}}})
    profiles = [{"name": "a", "computers": ids, **interval(7)}]
    waves = [{"name": "one", "computers": ids[:1]}, {"name": "two", "computers": ids[2:]}]
    site.write(profiles, rollout_waves=waves)
    # The second one does not get along, and what is put back then is killed while it is written.
    lab.let_live(ids[2:3], messages=["Communication error"])
    lab.clear_requests()
    lab.add_fault(method="POST", path=f"^{path}$", body="5 Minutes", action={"kind": "stall", "seconds": 300})
    site.kill_when(lambda: "5 Minutes" in site.settings().get(path, []), "the second wave is put back")
    assert {number: site.settings()[of(number)][0] for number in (ids[0], ids[2], ids[3])} == dict.fromkeys(
        (ids[0], ids[2], ids[3]), "7 Minutes"
    )
    assert (site.state["result"], site.state["phases"]) == ("failing", ["passed", "failed", "waiting"])
    # Meanwhile somebody else has set what the plan has written to another one.
    lab.api("POST", of(ids[3]), {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    # And its agent is gone.
    lab.let_live(ids[3:4], messages=["Offline"], beats=False)
    # The same command goes on with putting back, and ends with what has failed.
    lab.clear_faults()
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and "The rollout has failed: wave 2 of 3" in ran.stdout, ran.stdout
    assert site.state["result"] == "failed" and of(ids[3]) not in site.settings()
    # What stands on the manager, not every agent has taken.
    agents = site.state["agents"]
    states = {one["id"]: one["state"] for one in agents["not_confirmed"]}
    assert states[ids[3]] == "offline" and agents["taken"] == 2 - len(states)
    told = " ".join(ran.stdout.split())
    assert f"That wave was put back on the manager; agents that have taken that: {agents['taken']}, not" in told, told
    assert f", ID {ids[3]}, offline" in told, told
    (left,) = site.state["left_alone"]
    assert (left["id"], left["facet"]) == (ids[3], "heartbeat")
    assert "changed by somebody else since: interval is 9, where the plan wrote 7." in told
    number = next(one for one in lab.api("GET", "/computers", query={"expand": "computerSettings"})["computers"]
                  if one["ID"] == ids[2])  # fmt: skip
    assert number["computerSettings"][HEARTBEAT_INTERVAL]["value"] == "5 Minutes"
    # And now it needs somebody.
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and "This rollout has failed: wave 2 of 3" in ran.stdout and writes(lab) == []
    # By hand, also what somebody else has set goes back to what was there before the rollout, and nothing else.
    back = site.roll_back({"computers": [ids[3]]})
    assert back.returncode == 0 and site.settings() == {of(ids[3]): [""]}, back.stdout


def test_a_gate_that_fails_puts_all_waves_back_if_asked(site):
    lab, ids = site.lab, site.agents()[:3]
    profiles = [{"name": "a", "computers": ids, **interval(7)}]
    waves = [{"name": name, "computers": [number]} for name, number in zip("abc", ids)]
    site.write(profiles, rollout_waves=waves, rollout_put_back="all", rollout_heartbeats=1)
    # Whatever it takes, the manager does not get along with the second one.
    lab.let_live(ids[1:2], messages=["Communication error"])
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2, ran.stdout
    assert "manager and agent cannot communicate: Communication error" in ran.stdout, ran.stdout
    assert site.settings() == {of(number): ["7 Minutes", ""] for number in ids[:2]}
    assert (site.state["result"], site.state["phases"]) == ("failed", ["passed", "failed", "waiting"])
    assert "That wave and all before it were put back on the manager; agents that have" in ran.stdout


def test_what_could_not_be_put_back_is_not_gone_on_with(site):
    """Nor is a snapshot that is not there taken by a rollback."""
    lab, ids = site.lab, site.agents()[:2]
    site.write([{"name": "a", "computers": ids, **interval(7)}])
    path = of(ids[0])
    lab.add_fault(method="POST", path=f"^({path}|{of(ids[1])})$", action={"kind": "stall", "seconds": 300})
    site.kill_when(site.settings, "the first wave is written")
    lab.clear_faults()
    (snapshot,) = site.kept.glob("snapshot-*.yml")
    for damage in (lambda: snapshot.write_text(""), snapshot.unlink):
        damage()
        lab.clear_requests()
        ran = site.run()
        assert ran.returncode == 2 and f"{snapshot} is missing or empty" in ran.stdout, ran.stdout
        assert lab.summary()["total"] == 0 and site.state["result"] == "running"
    command = ("-i", "hosts.yml", "workload_security.agent.rollback", "-e", "rollback_snapshot=nowhere.yml")
    ran = ansible_playbook(*command, environment=site._environment, cwd=site.folder)
    assert ran.returncode == 2 and f"there is no file {site.folder / 'nowhere.yml'}" in ran.stdout, ran.stdout


def test_what_cannot_be_judged_stops_before_anything_is_written(site):
    lab, ids = site.lab, site.agents()[:2]
    lab.let_live(ids[:1], beats=False)
    lab.advance(3600)
    # What cannot be meant is refused before the first wave, and need not begin anew.
    site.write([{"name": "a", "computers": ids, **interval(7)}], rollout_heartbeats=0)
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and "option 'heartbeats' is '0'" in ran.stdout and writes(lab) == [], ran.stdout
    site.change(rollout_heartbeats=3)
    ran = site.run()
    assert ran.returncode == 2 and "wave 2 of 2 stops before anything is written" in ran.stdout, ran.stdout
    assert site.settings() == {of(ids[1]): ["7 Minutes"]}
    assert site.state["result"] == "running" and site.state["phases"][-1] == "waiting"
    # Another document is not gone on with.
    site.write([{"name": "a", "computers": ids, **interval(9)}])
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and "holds a rollout of another plan" in ran.stdout and writes(lab) == []
    site.write([{"name": "a", "computers": ids, **interval(7)}], rollout_unjudged=True)
    ran = site.run()
    assert ran.returncode == 0, ran.stdout
    assert site.settings() == {of(ids[0]): ["7 Minutes"]} and site.state == {}


def test_what_somebody_has_set_meanwhile_is_not_put_back(site):
    lab, ids = site.lab, site.agents()[:3]
    waves = [{"name": name, "computers": [number]} for name, number in zip("abc", ids)]
    site.write([{"name": "a", "computers": ids, **interval(7)}], rollout_waves=waves)
    lab.clear_requests()
    lab.add_fault(method="POST", path=f"^{TASKS}$", action={"kind": "stall", "seconds": 300})
    site.kill_when(site.sent, "the first wave is being sent")
    lab.clear_faults()
    lab.api("POST", of(ids[1]), {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    lab.clear_requests()
    # Check mode only says how far it is.
    state = site.state
    checked = site.run("--check")
    assert checked.returncode == 0 and "is under way (running): 0 of 3 waves have passed" in checked.stdout
    assert site.state == state and writes(lab) == []
    # What fails before it writes is tried again.
    plan = site.kept / "plan.json"
    content = plan.read_bytes()
    plan.write_bytes(content[:-9])
    ran = site.run()
    assert ran.returncode == 2 and "nothing is put back" in ran.stdout and "to try again" in ran.stdout, ran.stdout
    assert site.settings() == {} and site.state["phases"] == ["passed", "begun", "waiting"]
    plan.write_bytes(content)
    ran = site.run()
    assert ran.returncode == 2 and "wave 2 of 3 stops, and nothing is put back" in ran.stdout, ran.stdout
    assert site.settings() == {} and site.state["phases"] == ["passed", "begun", "waiting"]


def test_killed_in_each_phase_the_same_command_goes_on(site):
    lab, ids = site.lab, site.agents()[:1]
    site.write([{"name": "a", "computers": ids, **interval(7)}], rollout_heartbeats=1000)
    lab.clear_requests()
    first = ids

    def stall(path: str, body: str = "") -> None:
        lab.clear_faults()
        lab.add_fault(method="POST", path=path, body=body, action={"kind": "stall", "seconds": 300})

    def asked(path: str) -> bool:
        return any(one["path"].startswith(path) and one["method"] == "POST" for one in writes(lab))

    # While it writes: the manager has the request, and nobody waits for the answer.
    stall("^/computers/[0-9]+$")
    site.kill_when(lambda: asked("/computers/"), "the first wave is being written")
    assert site.state["phases"][0] == "begun"
    # While it sends.
    stall(f"^{TASKS}$")
    site.kill_when(lambda: asked(TASKS), "the policies are being sent")
    assert site.state["phases"][0] == "written"
    # While it waits for agents that keep silent.
    lab.clear_faults()
    lab.let_live(first, beats=False)
    lab.clear_requests()
    site.kill_when(lambda: asked(TASKS) and len(lab.requests()) > 12, "the policies are waited for")
    assert site.state["phases"][0] == "written"
    # While the gate waits.
    lab.let_live(first)
    stall(f"^{TASKS}$")
    lab.clear_faults()
    site.kill_when(lambda: site.state["phases"][0] == "sent", "the gate waits")
    ran = site.run()
    assert ran.returncode == 0, ran.stdout
    values = site.settings()
    assert site.state == {} and all(set(value) == {"7 Minutes"} for value in values.values())
    shown = {one["ID"]: one for one in lab.api("GET", "/computers", query={"expand": "computerSettings"})["computers"]}
    assert all(shown[number]["computerSettings"][HEARTBEAT_INTERVAL]["value"] == "7 Minutes" for number in ids)


def test_killed_in_a_rehearsal_and_after_it_the_same_command_goes_on(site):
    lab, (number, *_others) = site.lab, site.agents()
    lab.api("POST", of(number), {"computerSettings": {DIRECTION: {"value": "Manager Initiated"}}})
    agents = {"communication_direction": {"direction": "agent_initiated"}}
    site.write([{"name": "a", "computers": [number], **agents}], rollout_heartbeats=1000)
    lab.clear_requests()
    lab.add_fault(method="POST", path=f"^{TASKS}$", action={"kind": "stall", "seconds": 300})
    site.kill_when(site.sent, "the rehearsal is sent")
    written = ["Bidirectional"]
    assert site.state["phases"] == ["begun"] and site.settings() == {of(number): written}
    lab.clear_faults()
    stalled = {"path": f"^{of(number)}$", "body": "Agent/Appliance"}
    lab.add_fault(method="POST", **stalled, action={"kind": "stall", "seconds": 300})
    written += ["Manager Initiated", "Agent/Appliance Initiated"]
    site.kill_when(lambda: site.settings() == {of(number): written}, "the wave is written")
    assert site.state["phases"] == ["rehearsed"]
    lab.clear_faults()
    ran = site.run()
    assert ran.returncode == 0, ran.stdout
    # What the manager has not answered is written again, and nothing is rehearsed again.
    assert site.state == {} and site.settings() == {of(number): [*written, "Agent/Appliance Initiated"]}


@pytest.mark.both_cores
def test_a_rehearsal_ends_even_if_it_could_not_be_ended_at_first(site):
    """The refusal fails the wave, and what puts that back knows what the rehearsal has set."""
    lab, ids = site.lab, site.agents()[:2]
    # A thousand heartbeats are longer than a task may wait for policies.
    calls = {DIRECTION: {"value": "Manager Initiated"}, HEARTBEAT_INTERVAL: {"value": "20 Minutes"}}
    policy = lab.api("POST", "/policies", {"name": "Called", "policySettings": calls})["ID"]
    for number in ids:
        lab.api("POST", of(number), {"policyID": policy})
    agents = {"communication_direction": {"direction": "agent_initiated"}}
    profiles = [{"name": "a", "policies": [policy], **agents}]
    site.write(profiles, rollout_heartbeats=1000, rollout_put_back="none")
    lab.clear_requests()
    path = f"/policies/{policy}"
    lab.add_fault(method="POST", path=f"^{path}$", body="Manager Initiated", action={"kind": "status", "status": 403})
    ran = site.run()
    assert ran.returncode == 2 and "Put back the direction from before the rehearsal" in ran.stdout, ran.stdout
    assert site.settings() == {path: ["Bidirectional", "Manager Initiated", "Manager Initiated"]}
    assert (site.state["phases"], site.state["left_alone"]) == (["failed"], [])
    # Without a rehearsal, it is written at once.
    (site.kept / "state.json").unlink()
    site.write(profiles, rollout_heartbeats=1000, rollout_rehearse=False)
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 0 and site.settings() == {path: ["Agent/Appliance Initiated"]}, ran.stdout
    assert "agents that initiate without a rehearsal: 2" in ran.stdout, ran.stdout


def test_what_cannot_be_meant_is_refused_before_the_manager_is_asked(site):
    lab, (number, *_others) = site.lab, site.agents()
    host = lab.api("GET", of(number))["hostName"]
    agents = {"communication_direction": {"direction": "agent_initiated"}}
    lab.api("POST", of(number), {"computerSettings": {DIRECTION: {"value": "Bidirectional"}}})
    site.write([{"name": "a", "computers": [number], **agents}], rollout_hosts=[host])
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and f"rollout_hosts has hosts that the inventory does not have: {host}." in ran.stdout
    # Nor is a state gone on with that cannot be read.
    site.change(rollout_hosts=[])
    site.kept.mkdir(parents=True)
    for content in ('{"format": "work', '{"format": "workload_security.agent rollout", "version": 1, "digest": "x"}'):
        (site.kept / "state.json").write_text(content)
        ran = site.run()
        assert ran.returncode == 2 and "state.json to start again. Then what is" in " ".join(ran.stdout.split()), (
            ran.stdout
        )
    assert lab.requests() == []
    (site.kept / "state.json").unlink()
    site.change(rollout_hosts=[host])
    inventory = yaml.safe_load((site.folder / "hosts.yml").read_text())
    inventory["all"]["hosts"][host] = {}
    (site.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and f"where each host stands for a manager: {host}." in ran.stdout, ran.stdout
    assert writes(lab) == []


def test_of_two_managers_each_has_its_own_rollout(site):
    """Computers of equal IDs and names, in one play: killed for one, it goes on for that one, and fails for it alone."""
    with LabManager(computers=14, policies=4, seed=3, time_factor=FAST) as other:
        other.let_live()
        lab, ids = site.lab, site.agents()[:2]
        site.write([])
        groups = {
            f"group_{minutes}": {
                "hosts": {name: {}},
                "vars": {
                    "communication_manager": {"url": at.url, "ca_path": at.ca_path, "api_key": at.api_key},
                    "communication_profiles": [{"name": "a", "computers": chosen, **interval(minutes)}],
                },
            }
            for name, at, chosen, minutes in (("manager", lab, ids[:1], 7), ("other/manager", other, ids, 8))
        }
        inventory = yaml.safe_load((site.folder / "hosts.yml").read_text())
        del inventory["all"]["hosts"]
        inventory["all"]["children"] = groups
        (site.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        theirs = Site(other, site.folder)
        for at in (lab, other):
            at.clear_requests()
        other.add_fault(method="POST", path="^/computers/[0-9]+$", skip=1, action={"kind": "stall", "seconds": 300})
        site.kill_when(lambda: len(theirs.settings()) == 2, "the second wave of the other manager is written")
        assert site.settings() == {of(ids[0]): ["7 Minutes"]} and site.state["phases"] == ["passed"]
        (kept,) = (path for path in (site.folder / "rollout").iterdir() if path != site.kept)
        assert json.loads((kept / "state.json").read_text())["phases"] == ["passed", "begun"]
        (snapshot,) = site.kept.glob("snapshot-*")
        assert len([*kept.glob("snapshot-*")]) == 1 and not (kept / snapshot.name).exists()
        other.clear_faults()
        other.let_live(messages=["Communication error"])
        for at in (lab, other):
            at.clear_requests()
        ran = site.run()
        assert ran.returncode == 2 and "The rollout has failed: wave 2 of 2" in ran.stdout, ran.stdout
        assert writes(lab) == [] and site.state == {} and len([*site.kept.glob("done-*")]) == 1
        assert json.loads((kept / "state.json").read_text())["result"] == "failed"
        # The wave that failed, and it alone.
        (second,) = theirs.settings()
        assert theirs.settings()[second] == ["8 Minutes", ""]


@pytest.fixture
def tried(site: Site) -> tuple[int, int, int]:
    """A policy and two agents below it, of which the change of the policy is tried on the first."""
    policy = site.lab.api("POST", "/policies", {"name": "Tried"})["ID"]
    first, second = site.agents()[:2]
    for number in (first, second):
        site.lab.api("POST", of(number), {"policyID": policy})
    profile = {"name": "a", "policies": [policy], "try_on": {"computers": [first]}, **interval(7)}
    site.write([profile], rollout_heartbeats=1000)
    site.lab.clear_requests()
    return policy, first, second


def test_a_trial_ends_wherever_it_was_killed(site, tried):
    lab, (policy, first, _second) = site.lab, tried
    checked = site.run("--check")
    assert checked.returncode == 0 and "1. trial, 1; computers that change: 1" in checked.stdout, checked.stdout
    assert "3. end of the trial; computers that change: 1" in checked.stdout, checked.stdout
    assert writes(lab) == [] and site.state == {}

    def kill_while(path: str, value: str, what: str) -> list[str]:
        """Kill it when the manager has this request, and nobody waits for the answer."""
        lab.clear_faults()
        lab.clear_requests()
        lab.add_fault(method="POST", path=f"^{path}$", body=f'"{value}"', action={"kind": "stall", "seconds": 300})
        site.kill_when(lambda: value in site.settings().get(path, []), what)
        return site.state["phases"]

    assert kill_while(of(first), "7 Minutes", "it is tried") == ["begun", "waiting", "waiting"]
    assert kill_while(f"/policies/{policy}", "7 Minutes", "the policy is written") == ["passed", "begun", "waiting"]
    assert kill_while(of(first), "", "the trial is taken away") == ["passed", "passed", "begun"]
    lab.clear_faults()
    # Meanwhile, somebody sets another value, which stays, and is told.
    lab.api("POST", of(first), {"computerSettings": {HEARTBEAT_INTERVAL: {"value": "9 Minutes"}}})
    ran = site.run()
    assert ran.returncode == 0 and "all 3 waves of plan" in ran.stdout and site.state == {}, ran.stdout
    assert own_interval(lab, "policies", policy) == "7 Minutes"
    assert own_interval(lab, "computers", first) == "9 Minutes"
    name = lab.api("GET", of(first))["hostName"]
    assert f"Still set on computers of the trial: interval is 9 ({name})." in " ".join(ran.stdout.split()), ran.stdout


def test_killed_at_its_gate_a_trial_ends_even_if_its_policy_is_deleted(site, tried):
    lab, (policy, first, second) = site.lab, tried
    lab.add_fault(method="POST", path=f"^{TASKS}$", skip=1, action={"kind": "stall", "seconds": 300})
    site.kill_when(lambda: site.sent() == 2, "the trial is judged")
    assert site.state["phases"] == ["sent", "waiting", "waiting"]
    assert own_interval(lab, "computers", first) == "7 Minutes"
    lab.clear_faults()
    for number in (first, second):
        lab.api("POST", of(number), {"policyID": 1})
    lab.api("DELETE", f"/policies/{policy}")
    lab.clear_requests()
    ran = site.run()
    assert ran.returncode == 2 and "The rollout has failed: wave 2 of 3, Write wave 2 of 3" in ran.stdout, ran.stdout
    assert site.settings() == {of(first): [""]} and own_interval(lab, "computers", first) is None
    assert (site.state["phases"], site.state["left_alone"]) == (["passed", "failed", "waiting"], [])


def test_a_policy_that_fails_after_its_trial_leaves_nothing_of_it(site, tried):
    lab, (policy, first, second) = site.lab, tried
    # The manager refuses to send the policy of the second wave, and then what is put back.
    lab.add_fault(method="POST", path=f"^{TASKS}$", skip=2, times=0, action={"kind": "status", "status": 500})
    site.change(rollout_put_back="none")
    ran = site.run()
    told = " ".join(ran.stdout.split())
    assert (
        ran.returncode == 2 and "Nothing was put back. The overrides of the trial are still set, computers: 1" in told
    )
    assert own_interval(lab, "policies", policy) == own_interval(lab, "computers", first) == "7 Minutes"
    # As one that was killed just before its end leaves it; who runs it again may want it otherwise.
    (site.kept / "state.json").write_text(json.dumps({**site.state, "result": "failing"}))
    site.change(rollout_put_back="wave")
    ran = site.run()
    told = " ".join(ran.stdout.split())
    assert ran.returncode == 2 and "The rollout has failed: wave 2 of 3, Send policies" in told, told
    assert told.rpartition("The rollout has failed: ")[2].count("the manager answered 500") == 2, told
    assert {one["id"] for one in site.state["agents"]["not_confirmed"]} <= {first, second}
    assert (site.state["phases"], site.state["left_alone"]) == (["passed", "failed", "waiting"], [])
    assert site.settings()[of(first)] == ["7 Minutes", ""]
    assert own_interval(lab, "policies", policy) is None and own_interval(lab, "computers", first) is None


def own_interval(lab: LabManager, kind: str, number: int) -> str | None:
    """The heartbeat that is set on a policy or computer itself."""
    query = [("overrides", "true"), ("expand", "computerSettings")]
    (found,) = [
        one for one in lab.api("POST", f"/{kind}/search", {}, query=query)[kind] if one.get("ID") == number
    ] or [{}]
    settings = found.get("policySettings") or found.get("computerSettings") or {}
    return settings.get(HEARTBEAT_INTERVAL, {}).get("value") or None
