# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's manager as a program: what it prints, makes and leaves behind."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
import urllib.parse
from pathlib import Path

import pytest

from tests.contract.support import admin_headers, begin
from tests.lab.manager.process import LabManager

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--computers", "5", "--policies", "2")


Start = t.Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> t.Iterator[Start]:
    """Starts the program with some arguments; none of them outlives the test."""
    with contextlib.ExitStack() as started:

        def start_one(*arguments: str, **options: t.Any) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "tests.lab.manager", *arguments]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
            process = started.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
            started.callback(process.kill)
            return process

        yield start_one


def ended(process: subprocess.Popen[str]) -> str:
    """What the program still said before it ended, with status 0."""
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_one_line_and_leaves_nothing_behind(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    state, ready_file = tmp_path / "state", tmp_path / "ready.json"
    process = start(*SMALL, "--state-dir", str(state), "--ready-file", str(ready_file))
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert ready["url"].startswith("https://localhost:") and ready["url"].endswith("/api")
    assert ready["control_url"].startswith("http://127.0.0.1:")
    assert ready["pid"] == process.pid
    keys = [ready["api_key"], ready["colleague_api_key"], ready["read_only_api_key"]]
    assert len(set(keys)) == 3 and all(":" in key for key in keys)
    assert Path(ready["ca_path"]) == state / "ca.pem" and "CERTIFICATE" in Path(ready["ca_path"]).read_text()
    assert json.loads(ready_file.read_text()) == ready
    assert ready_file.stat().st_mode & 0o077 == 0, "it holds keys"
    process.send_signal(number)
    assert ended(process) == ""
    assert list(state.iterdir()) == [] and not ready_file.exists()


def test_it_ends_with_its_parent(start: Start) -> None:
    process = start(*SMALL, "--exit-with-parent", stdin=subprocess.PIPE)
    assert process.stdin and process.stdout
    folder = Path(json.loads(process.stdout.readline())["ca_path"]).parent
    process.stdin.close()
    process.stdin = None
    assert ended(process) == ""
    assert not folder.exists()


def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import sys, time; from tests.lab.manager.process import LabManager;"
        "lab = LabManager(computers=5, policies=2).__enter__(); print(lab.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        # Where nobody waits for orphans, an ended process stays as a zombie.
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_it_ends_while_a_request_waits() -> None:
    with LabManager(computers=5, policies=2) as lab:
        lab.add_fault(action={"kind": "stall", "seconds": 60})
        connection = begin(lab, "GET", "/policies", admin_headers(lab))
        while not lab.requests():
            time.sleep(0.01)
        process = lab._process
        assert process
    assert process.returncode == 0, "it was not killed for taking too long"
    assert not Path(lab.ca_path).parent.exists()
    connection.close()


def test_keys_differ_from_start_to_start() -> None:
    with LabManager(computers=5, policies=2) as first, LabManager(computers=5, policies=2) as second:
        assert first.api_key != second.api_key
        assert first.api("GET", "/computers") == second.api("GET", "/computers")


def test_help_names_every_option(start: Start) -> None:
    output = ended(start("--help"))
    options = "host port control-port computers policies seed deployment requests-per-minute state-dir ready-file"
    assert all(f"--{name} " in output for name in options.split())


@pytest.mark.parametrize("arguments", [("--policies", "0"), ("--computers", "many"), ("--port", "-1")])
def test_what_makes_no_manager_is_an_error(start: Start, arguments: tuple[str, ...]) -> None:
    process = start(*arguments)
    output, errors = process.communicate(timeout=120)
    assert process.returncode != 0 and output == "" and errors and "Traceback" not in errors


def test_a_port_that_is_taken_is_an_error(start: Start) -> None:
    with LabManager(computers=5, policies=2) as lab:
        taken = str(urllib.parse.urlsplit(lab.url).port)
        process = start(*SMALL, "--port", taken)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 1 and output == ""
        assert "cannot start" in errors and os.strerror(errno.EADDRINUSE).lower() in errors.lower()
