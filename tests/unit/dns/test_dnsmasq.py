# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial of a hosts file in another dnsmasq; here a program that just waits. Real ones are in tests/end_to_end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.files import tidy
from ansible_collections.workload_security.agent.plugins.module_utils._dns import answers, dnsmasq
from ansible_collections.workload_security.agent.plugins.module_utils._dns.dnsmasq import Dnsmasq
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record

RECORD = Record("dsm.example.com", "A", "192.0.2.10")


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program tells its number."""
    program = tmp_path / "dnsmasq"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "pid"


def eventually(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def trial(pid_file: Path) -> None:
    place = Dnsmasq({"path": str(pid_file.parent / "ours"), "pid_file": None, "address": "127.0.0.1", "port": 53})
    place.check("192.0.2.10 dsm.example.com\n", [RECORD])


def left_behind(pid_file: Path) -> list[str]:
    return [name for name in os.listdir(pid_file.parent) if name.startswith(".ours.")]


def test_nothing_is_left_of_a_trial(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_RELOAD", 0.5)
    with pytest.raises(DnsError, match=r"in a trial, dnsmasq answers .* instead of 'dsm.example.com A 192.0.2.10'"):
        trial(pid_file)
    assert left_behind(pid_file) == []
    number = pid_file.read_text().strip()
    eventually(lambda: not Path(f"/proc/{number}").exists())


def test_a_trial_ends_though_who_began_it_was_killed(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnsmasq, "_TRIAL", 2)
    run = multiprocessing.get_context("fork").Process(target=trial, args=(pid_file,))
    run.start()
    eventually(pid_file.exists)
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    number = pid_file.read_text().strip()
    assert Path(f"/proc/{number}").exists()
    eventually(lambda: not Path(f"/proc/{number}").exists())
    assert len(left_behind(pid_file)) == 1
    tidy(str(pid_file.parent / "ours"))
    assert left_behind(pid_file) == []


def test_without_room_for_the_trial_s_file_that_is_said(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(DnsError, match="cannot write next to .*: No space left on device .the disk is full") as caught:
        trial(pid_file)
    assert caught.value.code == "unwritable"
    assert not pid_file.exists()
