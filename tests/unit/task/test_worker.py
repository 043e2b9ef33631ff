# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in Ansible's own process, without Ansible: what it leaves behind, and what is told when it is ended."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.utils.display import Display

from ansible_collections.workload_security.agent.plugins.module_utils._manager.connection import (
    CONNECTION_ARGUMENTS,
    Connection,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.gate import SystemClock
from ansible_collections.workload_security.agent.plugins.module_utils._manager.progress import WRITING, Progress
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.module_utils._task.work import Work, of_reading
from ansible_collections.workload_security.agent.plugins.module_utils._task.worker import run_in_worker
from ansible_collections.workload_security.agent.plugins.plugin_utils import _manager_action
from tests.gates.environments import ROOT

NAMESPACE = "ansible_collections.workload_security.agent.plugins"
KEY = "17:S3cretS3cretS3cret"
MANAGER = {"url": "https://dsm.example.com:4119", "api_key": KEY}


@pytest.mark.parametrize(
    "name", yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["manager"]
)
def test_an_action_does_the_work_of_its_module(name):
    action = importlib.import_module(f"{NAMESPACE}.action.{name}").ActionModule
    assert issubclass(action, _manager_action.ManagerAction)
    assert action.work is importlib.import_module(f"{NAMESPACE}.modules.{name}").WORK


def run(options: dict, work: Work | None = None, **internal: bool) -> dict:
    """The result of work that reads nothing, or another one."""
    nothing: Work = of_reading(
        {"name": {"type": "str"}}, lambda params, _deployment: params, lambda _client, _params: {}
    )
    told = {"_ansible_check_mode": False, "_ansible_diff": False, "_ansible_no_log": False, **internal}
    return run_in_worker(
        work or nothing, "ns.name.module", options, told, {}, lambda _progress, _seconds: contextlib.nullcontext()
    )


def test_a_result_has_the_options_without_secrets():
    result = run({**MANAGER, "name": f"the key is {KEY}"})
    arguments = result["invocation"]["module_args"]
    assert arguments.keys() == {*CONNECTION_ARGUMENTS, "name"}
    assert (arguments["api_key"], arguments["name"]) == ("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "the key is ********")
    assert (arguments["timeout"], arguments["validate_certs"], arguments["region"]) == (30, True, None)
    assert "invocation" not in run(MANAGER, _ansible_inject_invocation=False)


def test_a_secret_that_is_a_word_of_the_result_hides_no_flag():
    """No API key is that short, but another secret may be."""
    secret = {"secret": {"type": "str", "no_log": True}}
    work: Work = of_reading(secret, lambda params, _deployment: params, lambda _client, _params: {})
    for word in ("changed", "False"):
        result = run({**MANAGER, "secret": word}, work)
        assert result["changed"] is False and "failed" not in result
    for word in ("failed", "True"):
        assert run({**MANAGER, "secret": word, "timeout": 0}, work)["failed"] is True


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({"bogus": 1}, "bad_option", "Unsupported parameters for (ns.name.module) module: bogus. Supported"),
        ({"timeout": "x"}, "bad_option", "argument 'timeout' is of type str"),
        ({"timeout": -1}, "bad_option", "option 'timeout' is '-1': it must be"),
        ({"jump_host": 7}, "bad_option", "option 'jump_host' is '7': it must be a dictionary of options"),
        ({"jump_host": "x"}, "bad_option", "option 'jump_host': "),
        ({"timeout": float("inf")}, "bad_option", "option 'timeout' is 'inf': it must be a whole number"),
        ({"name": []}, "bad_option", "option 'name' is '[]': it must be text, but it is a list"),
        ({"ca_path": ""}, "bad_option", "option 'ca_path' is '': it must be a path"),
        ({"url": "ftp://x"}, "bad_option", "option 'url'"),
        ({"api_key": None}, "bad_option", "option 'api_key': a key is needed"),
        ({"name": f"x {KEY}", "concurrency": KEY}, "bad_option", "argument 'concurrency'"),
    ],
)
def test_what_is_refused_is_refused_as_by_a_module(given, code, told):
    result = run({**MANAGER, **given})
    assert result["failed"] is True and result["failure"]["code"] == code and told in result["msg"]
    assert "S3cret" not in str(result)


@pytest.mark.parametrize("option", ["name", "jump_host", "timeout", "api_key"])
@pytest.mark.parametrize(
    "value",
    [{datetime.date(2026, 11, 26): KEY}, [{"a": {b"x": KEY}}], {(1, 2): KEY}, b"x", {"a": datetime.timedelta(1)}],
    ids=repr,
)
def test_what_no_module_could_be_given_is_refused_by_the_name_of_its_option(option, value):
    result = run({**MANAGER, option: value})
    assert (result["failure"]["code"], result["failure"]["option"]) == ("bad_option", option)
    assert result["msg"].startswith(f"option '{option}': it must be made of text") and "S3cret" not in str(result)
    # These can be given, and are refused as what they are.
    for key in (1, None, True, 1.5):
        result = run({**MANAGER, option: {key: 2}})
        assert result["failure"]["code"] == "bad_option" and option in result["msg"]


@pytest.mark.parametrize(
    "text", ["https://17:S3cretS3cret@dsm", "https://17:S3cretS3cret/@dsm:4119/api", "17:S3cretS3cret@dsm"]
)
def test_a_key_in_the_url_is_shown_nowhere(text):
    """Neither in the message nor among the options, where it is no other option's, too."""
    result = run({"url": text, "name": f"is {text}"})
    assert result["failure"]["option"] == "url" and "********@dsm" in result["invocation"]["module_args"]["name"]
    assert "S3cret" not in str(result)


def test_null_in_a_list_of_texts_is_not_made_the_text_none():
    names = {"names": {"type": "list", "elements": "str"}, "files": {"type": "list", "elements": "path"}}
    work: Work = of_reading(names, lambda params, _deployment: params, lambda _client, _params: {})
    for option in names:
        told = f"option '{option}': it must be text, but it is null"
        assert run({**MANAGER, option: ["x", None]}, work)["msg"] == told
        assert "msg" not in run({**MANAGER, option: None}, work)


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("timeout", "soon", "argument 'timeout' is of type str"),
        ("validate_certs", "flase", "The value 'flase' is not a valid boolean"),
        ("deployment", "clowd", "value of deployment must be one of"),
        ("jump_host", "{", "unable to evaluate string as dictionary"),
        ("jump_host", "host=jump,prt=22", "jump_host.prt"),
        ("jump_host", "host=jump,port=ssh", "argument 'port' is of type str"),
        ("jump_host", "port=22", "missing required arguments: host"),
    ],
)
def test_an_error_in_a_variable_names_the_variable(monkeypatch, option, text, told):
    name = f"WORKLOAD_SECURITY_{option.upper()}"
    monkeypatch.setenv(name, text)
    result = run(MANAGER)
    assert result["msg"].startswith(f"option '{option}' (from {name} in the environment): ") and told in result["msg"]
    assert (result["failure"]["code"], result["failure"]["option"]) == ("bad_option", option)
    # Where the task itself has it, nothing is said of the variable.
    assert (
        "environment"
        not in run({**MANAGER, "concurrency": "x", option: {"host": "a"} if "host" in option else "1"})["msg"]
    )


def test_warnings_come_with_the_result_each_once():
    def read(_client, _params):
        return {"warnings": ["one\nline", "twice", "twice", f"the key {KEY}"]}

    result = run(MANAGER, of_reading({}, lambda params, _deployment: params, read))
    assert result["warnings"] == ["one\\nline", "twice", "the key ********"]


def test_environment_and_folder_are_as_before_afterwards(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKLOAD_SECURITY_URL", "before")
    monkeypatch.delenv("WORKLOAD_SECURITY_REGION", raising=False)
    here = os.getcwd()
    new = {"WORKLOAD_SECURITY_URL": "within", "WORKLOAD_SECURITY_REGION": "within"}
    with pytest.raises(KeyError), _manager_action._surroundings(new, str(tmp_path)):
        assert os.environ["WORKLOAD_SECURITY_URL"] == os.environ["WORKLOAD_SECURITY_REGION"] == "within"
        assert os.path.samefile(os.getcwd(), tmp_path)
        raise KeyError
    assert os.environ["WORKLOAD_SECURITY_URL"] == "before" and "WORKLOAD_SECURITY_REGION" not in os.environ
    assert os.getcwd() == here


@contextlib.contextmanager
def started_in(folder: Path, mode: int) -> t.Iterator[None]:
    """This process in a folder of that mode, as somebody whom it binds."""
    here, user = os.getcwd(), os.geteuid()
    os.chdir(folder)
    folder.chmod(mode)
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
        os.chdir(here)


@pytest.mark.parametrize(("mode", "gets_back"), [(0o111, hasattr(os, "O_PATH")), (0o000, False)])
def test_ansible_started_in_a_folder_that_cannot_be_read(tmp_path, mode, gets_back):
    with started_in(tmp_path, mode):
        with _manager_action._surroundings({}, "/"):
            assert os.path.samefile(os.getcwd(), "/")
        assert os.path.samefile(".", "/") is not gets_back


def test_ansible_started_in_a_folder_that_is_gone(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with _manager_action._surroundings({}, str(tmp_path)):
        assert os.path.samefile(os.getcwd(), tmp_path)
    monkeypatch.undo()


def test_a_folder_of_the_playbook_that_is_gone_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKLOAD_SECURITY_URL", "before")
    gone = str(tmp_path / "gone")
    with pytest.raises(_manager_action.FolderError, match="/gone', cannot be entered: No such file"):
        with _manager_action._surroundings({"WORKLOAD_SECURITY_URL": "within"}, gone):
            raise AssertionError
    assert os.environ["WORKLOAD_SECURITY_URL"] == "before"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_handled_a_signal_before_handles_it_still(monkeypatch, number):
    reader, writer = os.pipe()
    monkeypatch.setattr(_manager_action, "_SCREEN", writer)
    handled = []
    before = signal.signal(number, lambda *signal_and_frame: handled.append(signal_and_frame[0]))
    try:
        ours = signal.getsignal(number)
        with _manager_action._told_when_killed(lambda: "3 of 9\n"):
            for _time in range(2):
                signal.raise_signal(number)
        assert signal.getsignal(number) is ours
    finally:
        signal.signal(number, before)
    assert handled == [number, number] and os.read(reader, 100) == b"3 of 9\n", "it is told once"
    os.close(reader)
    os.close(writer)


def test_a_second_signal_does_not_end_the_process_before_the_first_is_told(screen):
    """Ansible sends SIGTERM right after SIGINT."""
    handled = []

    def tell() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "3 of 9\n"

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda number, _frame: handled.append((number, screen()))) for one in numbers}
    try:
        with _manager_action._told_when_killed(tell):
            signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert handled == [(signal.SIGINT, b"3 of 9\n")]


@pytest.fixture
def screen(monkeypatch):
    """What is written where Ansible shows errors: a function that reads it."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    monkeypatch.setattr(_manager_action, "_SCREEN", writer)
    yield lambda: os.read(reader, 1000) if select.select([reader], [], [], 0)[0] else b""
    os.close(reader)
    os.close(writer)


def test_a_signal_that_is_ignored_interrupts_nothing(screen):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _manager_action._told_when_killed(lambda: "3 of 9\n") as told:
            signal.raise_signal(signal.SIGINT)
            assert not told.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert screen() == b""


def test_outside_the_main_thread_signals_are_left_alone(screen):
    ours, met = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with _manager_action.watched("heartbeat", Progress(SystemClock()), 0):
            met.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert met == [ours]


def test_what_the_handler_of_a_signal_raises_is_told_once(screen, monkeypatch):
    """As in the main process of Ansible, where an inventory is read."""
    shown: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, line, **_how: shown.append(line))
    # A shell starts what is to run in its background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), _manager_action.watched("computers", Progress(SystemClock()), 0):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert shown == []
    assert screen().startswith(b"computers: interrupted while reading") and screen() == b""


def test_without_a_handler_the_process_ends_by_the_signal():
    code = f"""
import signal
from {NAMESPACE}.plugin_utils import _manager_action
with _manager_action._told_when_killed(lambda: "3 of 9\\n"):
    signal.raise_signal(signal.SIGTERM)
print("still here")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
                           env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGTERM, "", "3 of 9\n")


class Alarm(BaseException):
    """As Ansible's, when a task takes longer than its timeout."""


def test_an_alarm_wakes_who_waits_and_lets_nothing_more_be_sent(certificates_of_nobody):
    """Threads that wait for an hour are no reason to wait for them."""
    clock = SystemClock()
    transport = Transport(certificates_of_nobody, clock=clock)
    waits = threading.Event()
    tried = []

    def wait(number: int) -> None:
        tried.append(number)
        waits.set()
        transport._gate.wait(3600)

    with pytest.raises(Alarm), transport.threads(1) as pool:
        for number in range(10):
            pool.submit(wait, number)
        assert waits.wait(60)
        raise Alarm
    assert tried == [0] and transport._gate.enter() is None


def test_an_error_lets_others_end_and_be_sent(certificates_of_nobody):
    transport = Transport(certificates_of_nobody)
    with pytest.raises(ValueError), transport.threads(1):
        raise ValueError
    assert transport._gate.enter() is not None


@pytest.fixture
def certificates_of_nobody() -> Connection:
    """A connection that is never made."""
    return Connection("https://127.0.0.1:1/api", KEY)


def test_lines_are_shown_until_the_end_and_the_interruption_after_it(monkeypatch):
    shown: list[tuple[str, dict]] = []
    twice = threading.Event()

    def display(_self: Display, line: str, **how: bool) -> None:
        shown.append((line, how))
        if len(shown) >= 2:
            twice.set()

    monkeypatch.setattr(Display, "display", display)
    monkeypatch.setattr(_manager_action, "_SOON", 0.01)
    action = object.__new__(importlib.import_module(f"{NAMESPACE}.action.heartbeat").ActionModule)
    action._task = type("Task", (), {"action": "workload_security.agent.heartbeat"})()
    progress = Progress(SystemClock())
    before = threading.active_count()
    with pytest.raises(Alarm), progress.stage(WRITING, total=3) as stage:
        stage.advance()
        with action._watch(progress, 0.01):
            assert twice.wait(60)
            raise Alarm
    assert threading.active_count() == before
    lines = [line for line, how in shown if how == {"stderr": True}]
    assert len(lines) == len(shown)
    assert all(line.startswith("heartbeat: writing: 1 of 3 done, 0 failed; 0 requests") for line in lines[:-1])
    assert (
        lines[-1] == "heartbeat: interrupted while writing: 1 of 3 done, 0 failed; the next run continues with the rest"
    )
    shown.clear()
    with action._watch(progress, 0):
        pass
    assert shown == []
