# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module does in Ansible's own process comes to the same as the module; elsewhere, the module runs."""

from __future__ import annotations

import getpass
import os
import re
import sys
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from ansible.module_utils.common.parameters import PASS_VARS

from tests.gates.environments import BYTECODE, ROOT
from tests.integration import support
from tests.integration.in_process import manager_group
from tests.integration.support import RESTRICTION, Played
from tests.integration.test_modules import plain_policy

pytestmark = pytest.mark.slow

NAMESPACE = "workload_security.agent"
COUNT = {f"{NAMESPACE}.computer_info": {"query": "length(@)"}}
MODULES = ROOT / ".cache" / "collections"
# The same for all runs, so that they share a loaded Ansible.
ENVIRONMENT = {
    # So that a result has the options: before ansible-core 2.20 it always does.
    "ANSIBLE_INJECT_INVOCATION": "true",
    # Ansible names what a boolean can be in the order of a set.
    "PYTHONHASHSEED": "0",
}
# Those that are to write, and not only in check mode.
REAL = ("agent_initiated_activation", "communication_direction", "firewall_restriction", "heartbeat")


def modules_run(played: Played) -> int:
    """How many modules of ours were started, as -vvv tells."""
    return sum(f"Using module file {MODULES}" in line for line in played.output.splitlines())


def play(lab: t.Any, tasks: t.Sequence[dict[str, t.Any]], tmp_path: Path, **how: t.Any) -> Played:
    """Run tasks, in Ansible's own process where they can be."""
    environment = {**ENVIRONMENT, **how.pop("environment", {})}
    return support.play(lab, tasks, tmp_path, environment=environment, **{"loaded": True, **how})


def as_module(lab: t.Any, tasks: t.Sequence[dict[str, t.Any]], tmp_path: Path, **how: t.Any) -> Played:
    """Run tasks where Ansible has to start modules."""
    keywords = {"vars": {"ansible_connection": "elsewhere"}, **how.pop("keywords", {})}
    return play(lab, tasks, tmp_path, keywords=keywords, **how)


def every_kind_of_task(lab: t.Any, works: bool) -> list[dict[str, t.Any]]:
    """Each module: as it changes and reads, also in loops; or else as it warns and fails."""
    target = {"policies": [plain_policy(lab)["name"]]}
    restriction = {**target, **RESTRICTION}
    profile = {"name": "p", **target, "heartbeat": {"interval": 7}, "firewall_restriction": RESTRICTION}
    tasks: dict[str, list[dict[str, t.Any]]] = {
        "agent_cipher_info": [{"minimum_tls": "9"}, {"computers_format": "csv"}],
        "agent_deployment_script_info": [{"platform": "linux"}],
        "agent_initiated_activation": [{"ip_list": "Internal IP Ranges"}],
        "agent_health_info": [
            {"computers_query": "[?id < `5`]", "computers_most": 0},
            {"critical": {"silent": "0"}},
            {"warning": 7},
        ],
        "communication_direction": [{**target, "direction": "manager_initiated"}],
        "communication_document": [{"path": "captured.yml"}, {"path": "/"}],
        "communication_fleet_info": [{"computers_query": "[?id < `5`]"}],
        "communication_info": [target, {"policies": "{{ [1, none] }}"}],
        "communication_profile": [
            {"profiles": [profile], "list_targets": True},
            {"profiles": [{**profile, "heartbeat": {"interval": []}}]},
            {"profiles": [5]},
            {"profiles": [profile], "jump_host": 7},
        ],
        "computer_info": [{"query": "[].hostName"}, {"computers": ["2026-11-26"], "expand": "all"}],
        "firewall_restriction": [restriction, {**target, "api_key": ["x"]}],
        "heartbeat": [
            {**target, "interval": 5},
            {**target, "interval": "x"},
            {**target, "allow_missing": "maybe"},
            {"policies": ["Nobody", "{{ '{{' }} evil }}"], "allow_missing": True, "allow_empty": True, "interval": "7"},
        ],
        "policy_sending": [{"policies": ["Base Policy"], "list_targets": True}, {**target, "wait_interval": "x"}],
        "rollout_gate": [{"waves_file": "waves.json", "wave": 1, "before_file": "before.json"}],
        "rollout_plan": [{"plan_file": "plan.json", "waves_file": "waves.json"}],
        "policy_info": [{**target, "sorted": True}, {"policies": "{{ omit }}", "query": "[].name"}],
    }
    assert tasks.keys() == manager_group()
    checked = [
        {f"{NAMESPACE}.{module}": options, "check_mode": True, "diff": True}
        for module, of_module in tasks.items()
        for options in (of_module[module in REAL : 1] if works else of_module[1:])
    ]
    if not works:
        return checked
    real = [{f"{NAMESPACE}.{module}": tasks[module][0], "diff": module != "heartbeat"} for module in REAL]
    quiet = [
        {f"{NAMESPACE}.{module}": tasks[module][0], "no_log": True}
        for module in ("agent_deployment_script_info", "communication_profile")
    ]
    loops = [
        {
            f"{NAMESPACE}.heartbeat": {**target, "interval": "{{ item }}", "api_key": "{{ key }}"},
            "loop": [5, "x", 9],
            "loop_control": {"pause": 0.01},
            "vars": {"key": lab.api_key},
            "diff": True,
        },
        {**COUNT, "failed_when": False, "changed_when": True},
        {**COUNT, "until": False, "retries": 1, "delay": 0},
        {**COUNT, "when": False},
    ]
    return [*checked, *real, *quiet, *loops]


def comparable(results: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Whole results, but for the executor's account of who failed: an action, or a module."""
    for result in results:
        for one in (result, *result.get("results", ())):
            one.pop("exception", None)
            one.pop("read_at", None)  # the time
    return results


@pytest.mark.parametrize("works", [pytest.param(True, marks=pytest.mark.both_cores), False])
def test_both_ways_give_equal_results(lab, tmp_path, works):
    tasks = every_kind_of_task(lab, works)
    lab.clear_requests()
    modules = as_module(lab, tasks, tmp_path, arguments=["-vvv"])
    sent = Counter((one["method"], one["path"]) for one in lab.requests())
    lab.reset()
    worker = play(lab, tasks, tmp_path, arguments=["-vvv"])
    assert Counter((one["method"], one["path"]) for one in lab.requests()) == sent
    assert modules_run(modules) >= len(tasks) and modules_run(worker) == 0
    assert lab.api_key not in modules.output and lab.api_key not in worker.output
    expected = comparable(modules.results)
    assert sum(one.get("failed", False) is not works for one in expected) > 10
    # ansible-core 2.19 leaves the options out of what it registers.
    assert not works or (sum("invocation" in one for one in expected) > 10) == ("inject_invocation" in PASS_VARS)
    for task, result, of_module in zip(tasks, comparable(worker.results), expected):
        assert result == of_module, task


@pytest.mark.both_cores
def test_async_gives_the_result_of_the_module(lab, tmp_path):
    tasks = [COUNT, {**COUNT, "async": 60, "poll": 1}, {**COUNT, "async": 60, "poll": 0}]
    status = {"ansible.builtin.async_status": {"jid": "{{ r2.ansible_job_id }}"}, "until": "r3.finished", "retries": 60}
    here, waited, started, finished = play(lab, [*tasks, {**status, "delay": 1}], tmp_path).results
    assert started["started"] and "result" not in started
    for result in (waited, finished):
        assert result["ansible_job_id"] and result["finished"]
        assert {key: result[key] for key in here if key in result and key != "invocation"} == {
            key: value for key, value in here.items() if key != "invocation"
        }


@pytest.mark.both_cores
def test_only_what_would_run_here_as_this_user_is_done_here(lab, tmp_path):
    """The others are modules, as C(-vvv) shows, whatever becomes of them."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_connection": "elsewhere", "ansible_python_interpreter": sys.executable}
    ways: list[tuple[dict[str, t.Any], bool]] = [
        ({}, True),
        ({"delegate_to": "one.example.com", "vars": here}, True),
        ({"delegate_to": "another.example.com", "vars": away}, False),
        ({"become": True, "become_user": getpass.getuser()}, True),
        ({"become": True, "become_user": "nobody", "vars": {"ansible_become_flags": "-n"}}, False),
        ({"async": 60, "poll": 1}, False),
        # What only a shell can set in an environment.
        ({"environment": {"A=B": "C"}}, False),
    ]
    tasks = [{**COUNT, **keywords} for keywords, _is_here in ways]
    played = play(lab, tasks, tmp_path, arguments=["-vvv"])
    of_tasks = re.split(r"^TASK \[Task \d+\]", played.output, flags=re.MULTILINE)[1:]
    for (keywords, is_here), output, result in zip(ways, of_tasks, played.results, strict=True):
        assert ("Using module file" not in output) is is_here, (keywords, output)
        assert result.get("result") == 300 or keywords.get("become_user") == "nobody", output


def test_a_library_that_ansible_lacks_may_be_where_the_module_runs(lab, tmp_path):
    """In the Python that ansible_python_interpreter names; where it is not there either, the module says so."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "jmespath.py").write_text("raise ImportError('gone')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={BYTECODE} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    tasks = [COUNT, {**COUNT, "vars": {"ansible_python_interpreter": str(python)}}]
    path = {"PYTHONPATH": os.pathsep.join((str(broken), BYTECODE))}
    played = play(lab, tasks, tmp_path, arguments=["-vvv"], environment=path, own_process=True)
    assert modules_run(played) == 2
    missing, found = played.results
    assert missing["failure"]["code"] == "missing_library" and found["result"] == 300


@pytest.mark.both_cores
def test_environment_and_folder_are_those_that_a_module_would_have(lab, tmp_path):
    """Of block and task together, templates filled in; relative paths are below the folder of the playbook."""
    started_in = tmp_path / "elsewhere"
    started_in.mkdir()
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(lab.api_key)
    variables = {"address": lab.url, "file": "key"}
    nothing = {"WORKLOAD_SECURITY_API_KEY": "", "WORKLOAD_SECURITY_URL": "https://nowhere.example.com"}
    tasks = [
        {**COUNT, "environment": {"WORKLOAD_SECURITY_API_KEY_FILE": "{{ file }}"}},
        {**COUNT, "environment": [{"WORKLOAD_SECURITY_API_KEY_FILE": "nowhere"}, "{{ {'WORKLOAD_SECURITY_API_KEY_FILE': file} }}"]},
        {**COUNT},
        {"ansible.builtin.debug": {"msg": "{{ lookup('env', 'WORKLOAD_SECURITY_API_KEY_FILE') }}"}},
    ]  # fmt: skip
    results = []
    for run in (play, as_module):
        played = run(
            lab,
            tasks,
            tmp_path,
            folder=started_in,
            environment=nothing,
            defaults={"url": "{{ omit }}"},
            keywords={
                "vars": {**variables, **({"ansible_connection": "elsewhere"} if run is as_module else {})},
                "environment": {"WORKLOAD_SECURITY_URL": "{{ address }}"},
            },
        )
        results.append(comparable(played.results))
    here, _modules = results
    assert [one.get("result") for one in here] == [300, 300, None, None]
    assert here[2]["failure"] == results[1][2]["failure"]
    assert here[3]["msg"] == ""
