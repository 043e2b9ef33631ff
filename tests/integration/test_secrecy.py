# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API key appears nowhere: not in output at any verbosity, in results, in process lists or in files."""

from __future__ import annotations

import base64
import functools
import os
import re
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.workload_security.agent.plugins.module_utils._manager.api_key import EXPOSED
from ansible_collections.workload_security.agent.plugins.module_utils._manager.proxy import PROXY_EXPOSED
from tests.integration import support
from tests.integration.in_process import manager_group, run_tasks
from tests.integration.support import RESTRICTION, computer_with_agent
from tests.lab.proxy import LabProxy
from tests.lab.waiting import until

pytestmark = pytest.mark.slow

NAMESPACE = "workload_security.agent"
# What command lines and environments say of processes is looked at.
play = functools.partial(support.play, own_process=True)


def spellings(key: str) -> list[bytes]:
    """The key as it might leak: as it is, its secret half alone, percent-encoded, in base64 at every offset."""
    texts = [key, key.split(":", 1)[-1], key.replace(":", "%3A")]
    encoded = [base64.b64encode(b"x" * offset + key.encode())[4:-4] for offset in range(3)]
    return [text.encode() for text in texts] + encoded


def found_in(data: bytes, key: str) -> list[bytes]:
    return [spelling for spelling in spellings(key) if spelling in data]


class Watch(threading.Thread):
    """Looks at every process's arguments, and at every file in some folders, while a playbook runs."""

    def __init__(self, key: str, folders: list[Path]) -> None:
        super().__init__(daemon=True)
        self.key, self.folders = key, folders
        self.leaked = re.compile(b"|".join(map(re.escape, spellings(key))))
        self.leaks: set[str] = set()
        self.seen: dict[Path, tuple[int, ...]] = {}
        self.looked_at = {"processes": set(), "files": set()}
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            self.look()
            # What a task starts and writes lasts ten times as long.
            time.sleep(0.03)

    def look(self) -> None:
        # A hundred processes thirty times a second: in plain words, which take a third of what paths do.
        for process in os.listdir("/proc"):
            data = self.read(f"/proc/{process}/cmdline") if process.isdigit() else b""
            if b"ansible" in data.lower():
                self.looked_at["processes"].add(process)
            if data and self.leaked.search(data):
                self.leaks.add(f"arguments of a process: {data[:60]!r}")
        for folder in self.folders:
            for root, _folders, files in os.walk(folder):
                for name in files:
                    path = Path(root, name)
                    self.looked_at["files"].add(path)
                    if self.has_changed(path) and found_in(self.read(path), self.key):
                        self.leaks.add(f"file {path}")

    def has_changed(self, path: Path) -> bool:
        """Whether a file is another one, or has been written to, since it was last asked for."""
        try:
            status = path.stat()
        except OSError:
            return False
        told = (status.st_ino, status.st_size, status.st_mtime_ns)
        return self.seen.get(path) != told and self.seen.update({path: told}) is None

    @staticmethod
    def read(path: Path | str) -> bytes:
        try:
            with open(path, "rb", buffering=0) as file:
                return file.read()
        except OSError:
            return b""

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopped.set()
        self.join()
        self.look()


TASKS = [
    {
        f"{NAMESPACE}.communication_profile": {
            "profiles": [
                {
                    "name": "a",
                    "policies": ["Base Policy"],
                    "heartbeat": {"interval": 7},
                    "firewall_restriction": RESTRICTION,
                }
            ]
        },
        "diff": True,
    },
    # Two modules are enough, as Ansible packs each one that it meets.
    {f"{NAMESPACE}.policy_info": {"query": "length(@)"}},
    {f"{NAMESPACE}.policy_info": {"policies": ["nobody"]}},
    {
        f"{NAMESPACE}.communication_profile": {
            "profiles": [{"name": "a", "policies": ["Base Policy"], "heartbeat": {"interval": "x"}}]
        }
    },
    {f"{NAMESPACE}.policy_info": {"query": "length(@)", "ca_path": "/nonexistent"}},
]
COUNT = {f"{NAMESPACE}.computer_info": {"query": "length(@)"}}


def secret_file(tmp_path: Path, content: str, name: str = "key") -> Path:
    """A file for its owner alone, outside of what is watched."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(content)
    return path


@pytest.fixture(name="scratch")
def scratch_fixture() -> t.Iterator[Path]:
    """A folder with a short name: ansible-core 2.21 makes a socket below its temporary folder, of 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


HERE = {"ansible_connection": "local"}
AS_MODULES = {"ansible_connection": "elsewhere"}


# Ways that do not interfere share a run: for each of its tasks, one way alone has the key. What depends on ansible-core
# is what it keeps of its environment and of a task's, and where it writes a module's options.
@pytest.mark.parametrize(
    ("given", "where"),
    [
        pytest.param(("environment",), HERE, marks=pytest.mark.both_cores),
        pytest.param(("option without pipelining", "environment of the task"), HERE, marks=pytest.mark.both_cores),
        (("environment",), AS_MODULES),
        (("file", "file from the environment"), AS_MODULES),
        (("option from a vault",), AS_MODULES),
        pytest.param(("option without pipelining",), AS_MODULES, marks=pytest.mark.both_cores),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, tuple) else value["ansible_connection"],
)
def test_the_key_appears_nowhere(lab, tmp_path, scratch, given, where):
    """From the environment or a file it is in no other file, come what may; as an option, pipelining keeps it out.

    Without pipelining, Ansible itself writes a module with its options to a file that only its user can read, and
    removes it: that is all that may be found, and nothing is left. In Ansible's own process not even that is, and the
    environment of a task comes through no shell. Facts of localhost are gathered wherever the key is
    not in the environment, and nowhere else: see below.
    """
    key = lab.api_key
    # A server that sends the key back must not make us print it.
    echo = {"kind": "status", "status": 400, "body": '{"message": "bad key %s"}' % key}
    lab.add_fault(method="POST", path="^/iplists$", times=len(given), action=echo)
    pipelining = given == ("option from a vault",)
    environment = {
        "ANSIBLE_PIPELINING": str(pipelining).lower(),
        "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
        "ANSIBLE_REMOTE_TEMP": str(scratch / "remote"),
        "ANSIBLE_LOG_PATH": str(scratch / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scratch / "facts"),
        "ANSIBLE_INVENTORY_CACHE": "true",
        "ANSIBLE_ASYNC_DIR": str(scratch / "async"),
        "TMPDIR": str(scratch),
    }
    as_files = "option without pipelining" in given and where is AS_MODULES
    if not pipelining and not as_files:
        # Without pipelining, modules are files; the key is still in none of them.
        environment["ANSIBLE_KEEP_REMOTE_FILES"] = "true"
    if given != ("environment",):
        environment["WORKLOAD_SECURITY_API_KEY"] = ""
    tasks: list[dict[str, t.Any]] = []
    failed: list[bool] = []
    variables, defaults, arguments = "", {}, ["-vvvvv"]
    for way in given:
        options, keywords, of_way = {}, {}, TASKS
        if way == "environment of the task":
            keywords, variables = {"environment": {"WORKLOAD_SECURITY_API_KEY": "{{ key }}"}}, f"key: {key!r}"
        elif way == "option from a vault":
            options = {"api_key": "{{ key }}"}
            variables = VaultLib([("default", VaultSecret(b"open"))]).encrypt(f"key: {key!r}").decode()
            arguments += ["--vault-password-file", str(secret_file(tmp_path, "open", "password"))]
            source = {"plugin": f"{NAMESPACE}.computers", "url": lab.url, "ca_path": lab.ca_path, "api_key": key}
            arguments += ["-i", str(secret_file(tmp_path, yaml.safe_dump(source), "any.workload_security.yml"))]
        elif way == "option without pipelining":
            options, variables = {"api_key": "{{ key }}"}, f"key: {key!r}"
            # A module that is started like this is always a file.
            of_way = [*TASKS, {**COUNT, "async": 60, "poll": 1}] if as_files else TASKS
        elif way == "file":
            options = {"api_key_file": str(secret_file(tmp_path, f"{key}\n"))}
            keywords = {"environment": {"WORKLOAD_SECURITY_API_KEY_FILE": ""}}
        elif way == "file from the environment":
            environment["WORKLOAD_SECURITY_API_KEY_FILE"] = str(secret_file(tmp_path, key, "another"))
            # Those that ask the manager; what the others say is the same wherever a file is named.
            of_way = TASKS[:3]
        if len(given) == 1:
            defaults, options = options, {}
        tasks += [
            {name: {**value, **options} if "." in name else value for name, value in task.items()} | keywords
            for task in of_way
        ]
        failed += [True, False, True, True, True, False][: len(of_way)]
    if variables:
        arguments += ["-e", f"@{secret_file(tmp_path, variables, 'key.yml')}"]
    # Of all facts, these are the ones that the key would be in.
    facts_too = given != ("environment",)
    of_play = {"gather_facts": facts_too, "gather_subset": ["!all", "!min", "env"], "vars": where}
    with Watch(key, [scratch, tmp_path / "output"]) as watch:
        played = play(
            lab, tasks, tmp_path, arguments=arguments, environment=environment, defaults=defaults, keywords=of_play
        )
    assert [bool(result.get("failed")) for result in played.results] == failed, played.output
    modules = (f"file {scratch}/local/ansible-local-", f"file {scratch}/remote/ansible-tmp-")
    leaks = {leak for leak in watch.leaks if not (as_files and leak.startswith(modules))}
    assert leaks == set()

    def nothing_is_left() -> bool:
        afterwards = Watch(key, [scratch])
        afterwards.look()
        return afterwards.leaks == set()

    # What watches over a task with async looks every few seconds whether it has ended, and cleans up then.
    if as_files:
        until(nothing_is_left, "the files of modules are removed")
    assert nothing_is_left()
    assert watch.looked_at["processes"] and len(played.output) > 10_000
    assert found_in(played.output.encode(), key) == []
    assert found_in((tmp_path / "results.json").read_bytes(), key) == []
    # Each way has reached the manager, which sent the key back.
    assert sum("bad key" in str(result) for result in played.results) == len(given)
    assert not [result for result in played.results if EXPOSED in result.get("warnings", [])]
    assert (scratch / "ansible.log").stat().st_size > 10_000
    facts = "".join(file.read_text() for file in (scratch / "facts").glob("*"))
    assert ("ansible_env" in facts) == facts_too
    assert ("workload_security_id" in facts) == ("option from a vault" in given), "the inventory is in the cache"


@pytest.mark.both_cores
def test_a_key_in_environment_of_a_module_is_warned_of(lab, tmp_path):
    """Ansible shows it, and nothing here can keep it from that: the task says so, and shows it no further."""
    key, variable = lab.api_key, {"WORKLOAD_SECURITY_API_KEY": lab.api_key}
    nothing = {"WORKLOAD_SECURITY_API_KEY": ""}
    no_log = {"no_log": True}
    tasks = [
        {**COUNT, "environment": variable},
        {**COUNT, "environment": variable, **no_log},
        # Where sh is Bash, it replaces itself by what it runs, and its command line is gone.
        {**COUNT, "environment": variable, "vars": {"ansible_shell_executable": "/bin/bash"}},
        # An option says which key counts, and the other one is published all the same.
        {
            next(iter(COUNT)): {"query": "length(@)", "api_key_file": str(secret_file(tmp_path, key))},
            "environment": variable,
        },
        {**COUNT, "environment": {**nothing, "WORKLOAD_SECURITY_API_KEY_FILE": str(secret_file(tmp_path, key))}},
    ]
    log = tmp_path / "ansible.log"
    with Watch(key, []) as watch:
        of_tasks = play(
            lab,
            tasks,
            tmp_path,
            arguments=["-vvv"],
            environment={**nothing, "ANSIBLE_PIPELINING": "true", "ANSIBLE_LOG_PATH": str(log)},
            keywords={"vars": AS_MODULES},
        )
    warned = [EXPOSED in result["warnings"] if result.get("warnings") else False for result in of_tasks.results]
    assert warned == [True, True, True, True, False], of_tasks.output
    assert all(result["result"] == 300 for result in of_tasks.results)
    assert found_in((tmp_path / "results.json").read_bytes(), key) == []
    # What the warning says is so.
    assert any(leak.startswith("arguments of a process") for leak in watch.leaks)
    assert found_in(of_tasks.output.encode(), key) and found_in(log.read_bytes(), key)

    others = [
        # What starts the module is then another program's child, and no child of Ansible's own.
        {**COUNT, "become": True},
        {**COUNT, "async": 60, "poll": 1},
        {**COUNT, "become": True, "async": 60, "poll": 1},
    ]
    # The environment of a play is that of its tasks.
    keywords = {"environment": variable, "vars": AS_MODULES}
    told = play(lab, [COUNT, *others], tmp_path, environment=nothing, keywords=keywords)
    assert len(told.results) == 4 and all(
        EXPOSED in result.get("warnings", []) and result["result"] == 300 for result in told.results
    ), told.output
    assert found_in(told.output.encode(), key) == []
    # In the environment of Ansible itself it is safe, with async as well.
    untold = play(lab, others[1:], tmp_path, keywords={"vars": AS_MODULES})
    assert [result["result"] for result in untold.results] == [300, 300], untold.output
    assert EXPOSED not in untold.output


@pytest.mark.both_cores
def test_facts_of_localhost_hold_the_environment_of_ansible(lab, tmp_path):
    """Which is why the documentation says so, and where not to gather them."""
    environment = {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
    }
    gathered = {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "env"]}, **{"no_log": True}}
    played = play(lab, [COUNT, gathered], tmp_path, arguments=["-vvvvv"], environment=environment)
    count, facts = played.results
    assert count["result"] == 300 and "warnings" not in count
    assert facts["ansible_facts"]["ansible_env"]["WORKLOAD_SECURITY_API_KEY"] == lab.api_key
    (cached,) = (tmp_path / "facts").glob("*")
    assert found_in(cached.read_bytes(), lab.api_key)
    assert found_in(played.output.encode(), lab.api_key) == []


def test_the_password_of_a_proxy_appears_nowhere(lab, tmp_path, scratch):
    """Whether an option, the task's environment or that of Ansible has it, in its own process and in a module's."""
    password, wrong = "Pr0xy.pass-word", "Wr0ng.pass-word"
    credentials = [base64.b64encode(f"lab:{one}".encode()) for one in (password, wrong)]
    info = f"{NAMESPACE}.policy_info"
    count = {"query": "length(@)"}
    environment = {
        "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
        "ANSIBLE_REMOTE_TEMP": str(scratch / "remote"),
        "ANSIBLE_LOG_PATH": str(scratch / "ansible.log"),
        "TMPDIR": str(scratch),
    }
    module = {"vars": AS_MODULES}
    with LabProxy(tmp_path / "proxy", password=password) as proxy:
        secrets = secret_file(
            tmp_path, f"{{good: '{proxy.url}', wrong: 'http://lab:{wrong}@{proxy.address}'}}", "proxy.yml"
        )
        tasks = [
            {info: {**count, "proxy": "{{ good }}"}},
            {info: {**count, "proxy": "{{ good }}"}, **module},
            {info: count, "environment": {"HTTPS_PROXY": "{{ good }}"}},
            {info: {**count, "proxy": "{{ wrong }}"}},
            {info: {**count, "proxy": "{{ wrong }}"}, **module},
            {info: count},
            {info: count, **module},
            {info: {**count, "proxy": "{{ good }}", "concurrency": "{{ good }}"}},
            {info: {**count, "proxy": "{{ good }}", "concurrency": "{{ good }}"}, **module},
            {info: {**count, "proxy": "{{ good }}/path"}, **module},
            {info: {**count, "proxy": "{{ good }}", "jump_host": {"host": "jump"}}},
            {info: {**count, "proxy": f"http://{proxy.address}"}},
        ]
        with Watch(password, [scratch]) as watch, Watch(wrong, [scratch]) as other:
            played = play(
                lab,
                tasks,
                tmp_path,
                arguments=["-vvvvv", "-e", f"@{secrets}"],
                # The usual variable of the process is for tasks that say nothing, and has the wrong password.
                environment={**environment, "HTTPS_PROXY": f"http://lab:{wrong}@{proxy.address}"},
            )
        told = [result.get("failure", {}).get("code", result.get("result")) for result in played.results]
        assert told == [30] * 3 + ["proxy_unauthorized"] * 4 + ["bad_option"] * 4 + ["proxy_unauthorized"], (
            played.output
        )
        # Two requests of each of three tasks, because 30 policies could be a page that was cut off.
        assert len(proxy.tunnels) == 8 and len(lab.requests()) == 3 * 2
    assert watch.leaks | other.leaks == set() and watch.looked_at["processes"]
    everything = [
        played.output.encode(),
        (tmp_path / "results.json").read_bytes(),
        (scratch / "ansible.log").read_bytes(),
    ]
    for text in everything:
        assert len(text) > 2_000
        for secret in (password, wrong):
            assert found_in(text, secret) == []
        assert not [one for one in credentials if one in text] and b"lab:" not in text
    assert f"the proxy 127.0.0.1 port {proxy.port}" in played.results[-1]["msg"], "without a password, it is named"
    assert not any(PROXY_EXPOSED in result.get("warnings", []) for result in played.results)


def test_a_proxys_password_in_environment_of_a_module_is_warned_of(lab, tmp_path):
    with LabProxy(tmp_path / "proxy") as proxy:
        task = {**COUNT, "environment": {"https_proxy": proxy.url}, "vars": AS_MODULES}
        (result,) = play(lab, [task], tmp_path).results
    assert result["result"] == 300 and result["warnings"] == [PROXY_EXPOSED]


def test_a_key_after_e_is_warned_of(lab, tmp_path):
    environment = {"WORKLOAD_SECURITY_API_KEY": ""}
    arguments = ["-e", f"key={lab.api_key}"]
    defaults = {"api_key": "{{ key }}"}
    (result,) = play(lab, [COUNT], tmp_path, arguments=arguments, environment=environment, defaults=defaults).results
    assert EXPOSED in result["warnings"] and result["result"] == 300


@pytest.mark.parametrize(
    ("given", "where"),
    [pytest.param("environment", HERE, marks=pytest.mark.both_cores), ("file", HERE), ("file", AS_MODULES)],
)
def test_a_key_in_a_name_is_masked_in_results_diffs_and_warnings(lab, tmp_path, given, where):
    """The last net, whatever a manager says: the key, or its secret half, as the name of a policy."""
    half = lab.api_key.split(":", 1)[1]
    policy = lab.api("POST", "/policies", {"name": f"Policy {half}", "parentID": 1})
    assert half in policy["name"]
    environment = {} if given == "environment" else {"WORKLOAD_SECURITY_API_KEY": ""}
    defaults = {} if given == "environment" else {"api_key_file": str(secret_file(tmp_path, lab.api_key))}
    tasks = [
        {f"{NAMESPACE}.policy_info": {"policies": [policy["ID"]]}},
        {f"{NAMESPACE}.heartbeat": {"policies": [policy["ID"]], "interval": 7}, "diff": True, "check_mode": True},
        {f"{NAMESPACE}.policy_info": {"policies": [half]}},
    ]
    keywords = {"vars": where}
    played = support.play(
        lab, tasks, tmp_path, arguments=["-vvv"], environment=environment, defaults=defaults, keywords=keywords
    )
    read, planned, _nobody = played.results
    assert read["policies"][0]["id" if "id" in read["policies"][0] else "ID"] == policy["ID"]
    assert planned["changed"] and planned["diff"]
    assert found_in((tmp_path / "results.json").read_bytes(), lab.api_key) == []
    assert "Policy ********" in played.output


def test_a_key_in_names_is_in_no_result_and_no_file_of_any_module(lab, tmp_path):
    """Every module that talks to the manager, in this process: what it returns, and what it writes for later runs."""
    half = lab.api_key.split(":", 1)[1]
    policy = lab.api("POST", "/policies", {"name": f"Policy {half}", "description": lab.api_key})["ID"]
    agent = computer_with_agent(lab)
    lab.api("POST", f"/computers/{agent}", {"hostName": f"c-{half}", "displayName": half, "policyID": policy})
    lab.let_live([agent], messages=[f"Offline {lab.api_key}"])
    plan, waves, before, captured = (
        str(tmp_path / name) for name in ("plan.json", "waves.json", "before.json", "c.yml")
    )
    target = {"policies": [policy], "computers": [agent]}
    profiles = [{"name": "a", **target, "heartbeat": {"interval": 7}}]
    gate = {"waves_file": waves, "wave": 1, "before_file": before}
    tasks = [
        {"communication_profile": {"profiles": profiles, "plan_file": plan}, "check_mode": True, "diff": True},
        {"rollout_plan": {"plan_file": plan, "waves_file": waves, "hosts": [["x", "y"]]}, "diff": True},
        {"rollout_gate": {**gate, "judge": False}},
        {"rollout_gate": gate, "check_mode": True},
        {"communication_profile": {"profiles": profiles, "list_targets": True}, "diff": True},
        {"communication_document": {"path": captured}, "diff": True},
        {"communication_direction": {**target, "direction": "bidirectional"}, "diff": True},
        {"firewall_restriction": {**target, **RESTRICTION, "rule_name": half}, "diff": True},
        {"heartbeat": {**target, "interval": 9}, "diff": True},
        {"agent_initiated_activation": {"policy": policy, "allow": "any_computer"}, "diff": True},
        {"agent_deployment_script_info": {"platform": "linux", "policy": policy}},
        {"agent_cipher_info": {"computers": "all"}},
        {"agent_health_info": {"computers_query": f"[?id == `{agent}`]"}},
        {"communication_fleet_info": {}},
        {"communication_info": target},
        {"computer_info": {"computers": [agent]}},
        {"policy_info": {"policies": [policy]}},
        {"policy_sending": {**target, "list_targets": True}, "diff": True},
    ]
    assert {module for task in tasks for module in task if module in manager_group()} == manager_group()
    lab.clear_requests()
    for task in tasks:
        named = {f"{NAMESPACE}.{name}" if name in manager_group() else name: value for name, value in task.items()}
        played = run_tasks(lab, [named])
        # It went as far as there was something to say.
        assert played.results[0].get("failure", {}).get("code") in (None, "gate_failed", "failed_targets"), (
            played.output
        )
        assert found_in(played.output.encode(), lab.api_key) == [], task
    for path in tmp_path.iterdir():
        assert found_in(path.read_bytes(), lab.api_key) == [], path
    assert len(list(tmp_path.iterdir())) == 4 and "********" in Path(captured).read_text()


def test_the_key_is_not_in_a_crash(lab, tmp_path):
    """Also when something nobody thought of goes wrong, here a manager that is not there."""
    task = {f"{NAMESPACE}.policy_info": {"url": "https://localhost:1", "timeout": 1}}
    played = support.play(lab, [task], tmp_path, arguments=["-vvvvv"])
    assert played.results[0]["failed"] and played.results[0]["failure"]["code"] == "connection_failed"
    assert found_in(played.output.encode(), lab.api_key) == []


def test_the_watch_sees_what_it_looks_for(tmp_path):
    """The test above would notice: a key in a file, and one in the arguments of a process."""
    key = "1:0123456789abcdef0123456789abcdef"
    with Watch(key, [tmp_path]) as watch:
        (tmp_path / "leak").write_text(f"api_key={key}")
        subprocess.run(["sleep", "0.3", "--", "0"], check=False, stderr=subprocess.DEVNULL)
        process = subprocess.Popen(["sh", "-c", "sleep 0.5; true", key])
        process.wait()
    assert len(watch.leaks) == 2
