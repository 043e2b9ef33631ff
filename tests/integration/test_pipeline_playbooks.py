# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks for pipelines: their files, and the status with which they end."""

from __future__ import annotations

import html
import json
import os
import re
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.integration.support import ansible_playbook, writes
from tests.integration.test_profile import computers, mac
from tests.lab.manager.process import LabManager
from tests.page import Page

pytestmark = pytest.mark.slow

HOSTILE = "@everyone ``` `x` [a](https://e.example) <img src=x onerror=alert(1)> | *b* ![c](d)\u202e"
PROFILE = {"name": "Web", "policies": ["Base Policy"], "heartbeat": {"interval": 7}}


@dataclass
class Ended:
    """How a playbook ended, and all that it printed."""

    status: int
    output: str


@dataclass
class Site:
    """A folder with an inventory of managers, all of which are the lab."""

    lab: LabManager
    folder: Path

    def write(self, profiles: list[dict[str, t.Any]], hosts: t.Mapping[str, t.Any] | None = None) -> None:
        """The inventory: hosts with their own variables beside those of all."""
        shared = {
            "communication_manager": {"url": self.lab.url, "ca_path": self.lab.ca_path},
            "communication_profiles": profiles,
        }
        inventory = {"all": {"hosts": dict(hosts if hosts is not None else {"manager": {}}), "vars": shared}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def run(
        self,
        playbook: str,
        *arguments: str,
        key: str = "admin",
        environment: t.Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a playbook of the collection, or a file, as a pipeline does, from the folder of the inventory."""
        secret = {"admin": self.lab.api_key, "read_only": self.lab.read_only_api_key}[key]
        environment = {"WORKLOAD_SECURITY_API_KEY": secret, **(environment or {})}
        name = playbook if playbook.endswith(".yml") else f"workload_security.agent.{playbook}"
        command = ("-i", "hosts.yml", name, *arguments)
        ran = ansible_playbook(*command, environment=environment, cwd=self.folder)
        return Ended(ran.returncode, ran.stdout)


@pytest.fixture(name="site")
def site_fixture(lab, tmp_path) -> Site:
    return Site(lab, tmp_path)


PLANS = ("-e", "communication_plan_directory=plans")


@pytest.mark.both_cores
def test_a_plan_is_made_reviewed_and_applied(site):
    lab, plans = site.lab, site.folder / "plans"
    site.write([{**PROFILE, "policies": [lab.api("POST", "/policies", {"name": HOSTILE})["ID"]]}])
    lab.clear_requests()
    planned = site.run("plan", *PLANS, key="read_only")
    assert planned.status == 2, planned.output
    assert writes(lab, "read_only") == [] and sorted(os.listdir(plans)) == ["manager.json", "manager.md"]
    assert [path.stat().st_mode & 0o777 for path in (plans, *sorted(plans.iterdir()))] == [0o700, 0o600, 0o600]
    digest = json.loads((plans / "manager.json").read_text())["digest"]
    summary = (plans / "manager.md").read_text(encoding="utf-8")
    assert (
        f"` {digest} `" in summary and "` interval `: ` inherited `" in summary and "→ ` 7 ` for 1 target: " in summary
    )
    assert_only_code(summary)
    applied = site.run("apply", *PLANS)
    assert applied.status == 0 and len(writes(lab)) == 1, applied.output
    again = site.run("plan", *PLANS, key="read_only")
    assert again.status == 0, again.output
    assert "Nothing would change." in (plans / "manager.md").read_text(encoding="utf-8")


def assert_only_code(summary: str) -> None:
    """The hostile name is in the summary, whole, and only inside of a code span."""
    fence = "`" * (max(len(run) for run in re.findall("`+", HOSTILE)) + 1)
    span = f"{fence} {HOSTILE[:-1]}\\u202e {fence}"
    assert span in summary
    rest = summary.replace(span, "")
    assert "everyone" not in rest and "<img" not in rest and "\u202e" not in summary


def test_what_was_changed_meanwhile_is_shown_and_not_written(site):
    site.write([PROFILE])
    assert site.run("plan", *PLANS).status == 2
    settings = {"platformSettingHeartbeatInterval": {"value": "5 Minutes"}}
    number = site.lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"][0]["ID"]
    site.lab.api("POST", f"/policies/{number}", {"policySettings": settings}, key="colleague")
    site.lab.clear_requests()
    applied = site.run("apply", *PLANS)
    assert applied.status == 2 and writes(site.lab) == []
    assert "plan_changed" in applied.output and "+    interval: 5 -> 7" in applied.output


DRIFT = ("-e", "communication_drift_directory=drift")


@pytest.mark.both_cores
def test_drift_is_reported_with_a_key_that_only_reads(site):
    lab, reports = site.lab, site.folder / "drift"
    number = lab.api("POST", "/policies", {"name": HOSTILE})["ID"]
    site.write([{**PROFILE, "policies": [number]}])
    lab.clear_requests()
    ended = site.run("drift", *DRIFT, key="read_only")
    assert ended.status == 2, ended.output
    assert writes(lab, "read_only") == [] and sorted(os.listdir(reports)) == [
        f"manager.{one}" for one in ("html", "json", "xml")
    ]
    told = json.loads((reports / "manager.json").read_text())
    assert told["drift"] and told["counts"]["changed"] == 1 and told["plan"][0]["count"] == 1
    suite = ElementTree.fromstring((reports / "manager.xml").read_bytes())
    assert suite.attrib == {"tests": "2", "failures": "1", "errors": "0"}
    shown_name = HOSTILE[:-1] + "\\u202e"
    assert suite.find(".//failure").attrib["message"] == f"differs from the document on {shown_name}"
    page = (reports / "manager.html").read_text(encoding="utf-8")
    assert Page(page).faults == [] and "<img" not in page and "\u202e" not in page
    assert shown_name in html.unescape(page) and not re.search(r"(?:src|href)=.(?:https?:|//)", page)
    # As declared, but for what nobody declared.
    settings = {"platformSettingHeartbeatInterval": {"value": "7 Minutes"}}
    lab.api("POST", f"/policies/{number}", {"policySettings": settings})
    ended = site.run("drift", *DRIFT, key="read_only")
    assert ended.status == 0, ended.output
    assert json.loads((reports / "manager.json").read_text())["drift"] is False
    settings = {"platformSettingHeartbeatMissedAlertThreshold": {"value": "4"}}
    lab.api("POST", f"/policies/{number}", {"policySettings": settings})
    ended = site.run("drift", *DRIFT, key="read_only")
    assert ended.status == 2, ended.output
    (undeclared,) = json.loads((reports / "manager.json").read_text())["undeclared"]
    assert (undeclared["option"], undeclared["before"]) == ("missed_before_alert", 4)


def test_the_role_in_a_play_of_ones_own(site):
    """Drift ends it with 2, and so do variables that do not fit, as the documentation says."""
    play = [
        {
            "name": "Compare",
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "roles": [{"role": "workload_security.agent.communication", "communication_fail_on_drift": True}],
        }
    ]
    book = site.folder / "own.yml"
    book.write_text(yaml.safe_dump(play))
    for variables, told in (
        ({}, "interval 7 for 1 policy"),
        ({"communication_undeclared": "sometimes"}, "got: sometimes"),
    ):
        site.write([PROFILE], {"manager": variables})
        ended = site.run(str(book), key="read_only")
        assert ended.status == 2 and told in ended.output, ended.output
    assert writes(site.lab, "read_only") == []


# What the module finds, in one run for all of them, and what keeps it from being asked.
FOUND = ("unreachable", "bad_profile", "no_such_target", "refused")
ERRORS = [(playbook, cases) for playbook in ("plan", "drift") for cases in (FOUND, ("bad_variable",), ())]


@pytest.mark.parametrize(("playbook", "cases"), ERRORS)
def test_an_error_is_no_difference(site, playbook, cases):
    """Of one host among others; or there is none."""
    direction = {"communication_direction": {"direction": "bidirectional"}}
    variables: dict[str, dict[str, t.Any]] = {
        "unreachable": {"communication_manager": {"url": "https://localhost:1", "ca_path": site.lab.ca_path}},
        "bad_profile": {"communication_profiles": [{**PROFILE, "heartbeat": {"interval": "soon"}}]},
        "no_such_target": {"communication_profiles": [{**PROFILE, "policies": ["Nobody"]}]},
        "refused": {"communication_profiles": [{"name": "a", "computers": [mac(site.lab)["ID"]], **direction}]},
        "bad_variable": {"communication_profiles": [{**PROFILE, "heartbeet": {}}]},
    }
    site.write([PROFILE], {**{case: variables[case] for case in cases}, "fine": {}} if cases else {})
    ended = site.run(playbook, *PLANS, *DRIFT)
    assert ended.status == 1, ended.output
    assert writes(site.lab) == []
    folder = site.folder / {"plan": "plans", "drift": "drift"}[playbook]
    if cases:
        assert (folder / "fine.json").exists(), "what is told of others is there all the same"
    for case in cases:
        # The status is that of all hosts.
        assert f"fatal: [{case}]: FAILED!" in ended.output, ended.output
        if playbook == "drift" and case in FOUND:
            assert Page((folder / f"{case}.html").read_text()).faults == []
            suite = ElementTree.fromstring((folder / f"{case}.xml").read_bytes())
            assert suite.attrib["errors"] == "1" and suite.attrib["failures"] == "0"
    if "refused" in cases:
        told = (folder / {"plan": "refused.md", "drift": "refused.html"}[playbook]).read_text()
        assert "agents on macOS only support" in told


@pytest.mark.both_cores
def test_relative_paths_begin_where_ansible_was_started(site):
    """And not in the folder of the playbook, which may be an installed collection."""
    site.write([PROFILE])
    files = ("-e", "communication_plan_file=kept.json", "-e", "communication_plan_summary=kept.md")
    planned = site.run("site", "--check", *files)
    assert planned.status == 0 and {"kept.json", "kept.md"} <= set(os.listdir(site.folder)), planned.output
    kept = json.loads((site.folder / "kept.json").read_text())
    rolled = site.run("rollout", "--check", "-e", "rollout_directory=out", "-e", "rollout_plan_file=kept.json")
    assert rolled.status == 0 and f"plan {kept['digest']}" in rolled.output, rolled.output
    applied = site.run("site", "-e", "communication_apply_plan=kept.json")
    assert applied.status == 0 and len(writes(site.lab)) == 1, applied.output
    captured = site.run("capture", "-e", "capture_path=documents/all.yml")
    assert captured.status == 0 and str(site.folder / "documents" / "all.yml") in captured.output, captured.output
    assert "Base Policy" in (site.folder / "documents" / "all.yml").read_text()


def test_an_inventory_without_a_folder_has_no_place_for_a_document(site):
    environment = {
        "WORKLOAD_SECURITY_API_KEY": site.lab.api_key,
        "WORKLOAD_SECURITY_URL": site.lab.url,
        "WORKLOAD_SECURITY_CA_PATH": site.lab.ca_path,
    }
    command = ("-i", "manager,", "workload_security.agent.capture")
    ran = ansible_playbook(*command, environment=environment, cwd=site.folder)
    assert ran.returncode == 2 and "set capture_path" in ran.stdout, ran.stdout


def test_a_rollout_that_reaches_no_manager_has_not_passed(site):
    site.write([PROFILE], {"manager": {}, "web1": {}})
    rolled = site.run("rollout", "-e", "rollout_directory=out", "-e", "rollout_managers=mangaer")
    assert rolled.status == 2 and "rollout_managers is 'mangaer'" in rolled.output, rolled.output
    rolled = site.run("rollout", "-l", "web1", "-e", "rollout_directory=out", "-e", "rollout_managers=manager")
    assert rolled.status == 2 and "and of --limit, which is web1" in rolled.output, rolled.output
    assert writes(site.lab) == []
    rolled = site.run("rollout", "--check", "-e", "rollout_directory=out", "-e", "rollout_managers=manager")
    assert rolled.status == 0 and "agents to judge" in rolled.output, rolled.output


def test_a_variable_without_a_value_is_left_out_or_named(site):
    """In YAML, it is null. What has been written is not followed by an error about it."""
    site.write([PROFILE])
    files = ("communication_plan_file", "communication_plan_summary", "communication_report_directory")
    ended = site.run("site", "-e", json.dumps(dict.fromkeys((*files, "rollout_plan_file"))))
    assert ended.status == 0 and len(writes(site.lab)) == 1, ended.output
    # Nobody else may read a report, and each host has one.
    told = {f"cipher_report_{name}": None for name in ("name", "mode")}
    ended = site.run("cipher_report", "-e", json.dumps({**told, "cipher_report_directory": "out"}))
    assert {path.name: path.stat().st_mode & 0o777 for path in (site.folder / "out").iterdir()} == {
        f"manager.{kind}": 0o600 for kind in ("html", "json", "csv")
    }
    told = {f"connectivity_{name}": None for name in ("ask_manager", "directory", "region", "manager_host")}
    ended = site.run("preflight", "-c", "local", "-e", json.dumps({**told, "connectivity_manager": None}))
    assert ended.status == 2 and "argument 'connectivity_manager' is of type NoneType" in ended.output, ended.output
    ended = site.run("preflight", "-c", "local", "-e", json.dumps(told))
    assert ended.status == 2 and "Set connectivity_region" in ended.output, ended.output
    ended = site.run("preflight", "-c", "local", "-e", json.dumps({**told, "connectivity_manager_host": "localhost"}))
    assert ended.status == 0 and "AGENT INITIATED?" in ended.output, ended.output
    assert "DEPRECATION" not in ended.output, ended.output
    for playbook, variable in (
        ("report", "communication_report_directory"),
        ("cipher_report", "cipher_report_directory"),
        ("rollout", "rollout_directory"),
        ("rollback", "rollback_snapshot"),
    ):
        ended = site.run(playbook, "-e", json.dumps({variable: None}))
        assert ended.status == 2 and f"et {variable}" in ended.output, ended.output
    (site.folder / "hosts.yml").write_text("all: {hosts: {manager: {}}}")
    ended = site.run("rollout", "-e", "rollout_directory=out")
    assert ended.status == 2 and "set communication_profiles" in ended.output, ended.output


@pytest.mark.both_cores
def test_a_variable_that_refers_to_nothing_is_not_left_out(site):
    """It could say which manager is meant, what to take back, or what is well: without it, another thing is done."""
    site.write([PROFILE])
    elsewhere = {"WORKLOAD_SECURITY_URL": site.lab.url, "WORKLOAD_SECURITY_CA_PATH": site.lab.ca_path}
    snapshot = {"undeclared": "remove", "scope": "targets", "profiles": [PROFILE]}
    snapshot = {f"communication_{name}": value for name, value in snapshot.items()}
    (site.folder / "before.yml").write_text(yaml.safe_dump(snapshot))
    health = ("computer_groups", "computers_query", "silent_after", "not_arrived_after", "warning", "critical")
    for playbook, folder, variables in (
        ("apply", "communication_plan_directory", ()),
        ("capture", "capture_path", ("communication_manager", "capture_options")),
        ("cipher_report", "cipher_report_directory", ("communication_manager",)),
        ("drift", "communication_drift_directory", ()),
        ("health", "health_directory", ("communication_manager", *(f"health_{name}" for name in health))),
        ("health", "health_directory", ("health_computers_most", "health_fail_from")),
        ("plan", "communication_plan_directory", ()),
        ("report", "communication_report_directory", ("communication_manager", "communication_profiles")),
        ("rollback", "rollback_snapshot", ("communication_manager", "rollback_only")),
        ("rollout", "rollout_directory", ("communication_manager", "communication_profiles", "rollout_managers")),
    ):
        for variable in (folder, *variables):
            site.lab.clear_requests()
            given = {folder: "before.yml" if playbook == "rollback" else "out", variable: "{{ nowhere }}"}
            # The environment says how to reach a manager, but not the one that is meant.
            ended = site.run(playbook, "-e", json.dumps(given), environment=elsewhere)
            assert ended.status and "'nowhere' is undefined" in ended.output, (playbook, variable, ended.output)
            # Where its results go is looked at after health has read them.
            assert variable == "health_directory" or site.lab.summary()["total"] == 0, (playbook, variable)


@pytest.mark.both_cores
def test_two_managers_are_not_captured_into_one_file(site):
    site.write([PROFILE], {"one": {}, "two": {}})
    ended = site.run("capture", "-e", "capture_path=all.yml")
    assert ended.status == 2 and ended.output.count("all.yml, the same file for several hosts: name") >= 2, ended.output
    assert "such as {{ inventory_hostname }}.yml" in ended.output, ended.output
    assert not (site.folder / "all.yml").exists()
    ended = site.run("capture", "-l", "one", "-e", "capture_path=all.yml")
    assert ended.status == 0 and (site.folder / "all.yml").exists(), ended.output
    ended = site.run("capture", "-e", "capture_path={{ inventory_hostname }}.yml")
    assert ended.status == 0 and {"one.yml", "two.yml"} <= set(os.listdir(site.folder)), ended.output
    ended = site.run("capture")
    assert ended.status == 0 and set(os.listdir(site.folder / "host_vars")) == {"one", "two"}, ended.output


def test_a_folder_that_cannot_be_used_is_named(site):
    """What Ansible says is only that something is not a directory, or that permission is denied."""
    site.write([PROFILE])
    (site.folder / "taken").write_text("")
    told = {"connectivity_manager_host": "127.0.0.1", "connectivity_timeout": 1, "ansible_connection": "local"}
    for playbook, variable, status in (
        ("cipher_report", "cipher_report_directory", 2),
        ("drift", "communication_drift_directory", 1),
        ("health", "health_directory", 2),
        ("plan", "communication_plan_directory", 1),
        ("preflight", "connectivity_directory", 2),
        ("report", "communication_report_directory", 2),
        ("rollout", "rollout_directory", 2),
    ):
        ended = site.run(playbook, "-e", json.dumps({**told, variable: "taken/x"}))
        assert ended.status == status, (playbook, ended.output)
        assert re.search("taken/x.*: Not a directory", ended.output), (playbook, ended.output)
    assert writes(site.lab) == []


@pytest.mark.both_cores
def test_playbooks_about_all_hosts_at_once_wait_for_all(site):
    """Whatever the strategy in the configuration of Ansible: with free, tasks that run once run for each host."""
    hosts = {f"web{one['ID']}": {"workload_security_id": one["ID"]} for one in computers(site.lab)[:4]}
    profile = {"name": "Computers", "computers": "{{ communication_play_computers }}", "heartbeat": {"interval": 7}}
    site.write([profile], hosts)
    free = {"ANSIBLE_STRATEGY": "free"}
    told = {
        "connectivity_manager_host": "127.0.0.1",
        "connectivity_timeout": 1,
        "ansible_python_interpreter": sys.executable,
    }
    ended = site.run("preflight", "-f", "1", "-c", "local", "-e", json.dumps(told), environment=free)
    assert ended.status == 0 and ended.output.count("AGENT INITIATED?") == 1, ended.output
    assert "gives no answer" not in ended.output and "[WARNING]" not in ended.output, ended.output
    ended = site.run("computers", "--check", environment=free)
    assert ended.status == 0 and ended.output.count("4 of 4 targets would change") == 1, ended.output


@pytest.mark.parametrize("interval", [10, 7])
def test_files_that_cannot_be_written_are_an_error(site, interval):
    """Whether anything differs or not: those of an earlier run stay."""
    site.write([{**PROFILE, "heartbeat": {"interval": interval, "accept_inherited": True}}])
    (site.folder / "taken").write_text("")
    (site.folder / "plans" / "manager.md" / "plan.md.j2").mkdir(parents=True)
    for playbook, arguments in (("drift", ("-e", "communication_drift_directory=taken")), ("plan", PLANS)):
        ended = site.run(playbook, *arguments, key="read_only")
        assert ended.status == 1 and "could not be written; see above" in ended.output, ended.output


def test_a_folder_may_be_a_number_and_a_list_may_be_text(site):
    """A year in YAML is a number, and a list of a variable on the command line is text."""
    site.write([PROFILE])
    numbers = {"communication_plan_file": 1, "communication_plan_summary": 2, "communication_report_directory": 3}
    # The reports are about the comparison, which is also made in check mode.
    ended = site.run("site", "--check", "-e", json.dumps(numbers))
    assert ended.status == 0 and {"1", "2"} <= set(os.listdir(site.folder)), ended.output
    assert len(os.listdir(site.folder / "3")) == 3, ended.output
    ended = site.run("site", "-e", json.dumps(numbers))
    assert ended.status == 0, ended.output
    for playbook, variable, status in (
        ("plan", "communication_plan_directory", 0),
        ("drift", "communication_drift_directory", 2),
        ("capture", "capture_path", 0),
        ("report", "communication_report_directory", 0),
        ("rollout", "rollout_directory", 0),
        ("rollback", "rollback_snapshot", 2),
    ):
        number = 2000 + len(variable)
        ended = site.run(playbook, "--check" if playbook == "rollout" else "-v", "-e", json.dumps({variable: number}))
        assert ended.status == status and "has no len()" not in ended.output, ended.output
        assert (site.folder / str(number)).exists() or f"{variable} is '{number}': there is no" in ended.output, (
            playbook
        )
    ended = site.run("rollout", "-e", "rollout_directory=out", "-e", "rollout_hosts=web1,web2")
    assert "that the inventory does not have: web1, web2." in ended.output, ended.output
    ended = site.run("report", "-e", "communication_report_directory=out", "-e", "communication_report_results=no.json")
    assert f"{site.folder / 'no.json'}'" in ended.output, ended.output


def test_what_is_no_snapshot_is_said(site):
    site.write([PROFILE])
    for text, said in (("- 1\n", "must be stored as a dictionary"), ("a: [b\n", "did not find expected")):
        (site.folder / "before.yml").write_text(text)
        ended = site.run("rollback", "-e", "rollback_snapshot=before.yml")
        assert ended.status == 2 and "rollback_snapshot is 'before.yml': it cannot be read: " in ended.output
        assert said in ended.output, ended.output
