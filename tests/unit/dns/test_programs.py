# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and processes of a host."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.programs import hang_up, run, said
from ansible_collections.workload_security.agent.plugins.module_utils._host.commands import Answer


@pytest.fixture
def sleeper() -> t.Iterator[subprocess.Popen]:
    # Whoever runs the tests may ignore the signal, as under nohup, and what it starts would, too.
    process = subprocess.Popen(["env", "--default-signal=HUP", "sleep", "60"])
    # It gets its name a moment after it was started.
    while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def test_the_signal_reaches_the_process_that_the_first_good_file_names(
    tmp_path: Path, sleeper: subprocess.Popen
) -> None:
    (tmp_path / "text.pid").write_text("none")
    (tmp_path / "good.pid").write_text(f"{sleeper.pid}\n")
    hang_up("sleep", [str(tmp_path / name) for name in ("missing.pid", "text.pid", "good.pid")])
    assert sleeper.wait(10) == -signal.SIGHUP


def test_another_program_with_that_number_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen) -> None:
    pid_file = tmp_path / "stale.pid"
    pid_file.write_text(str(sleeper.pid))
    with pytest.raises(DnsError, match=r"dnsmasq cannot be told .*/stale.pid") as caught:
        hang_up("dnsmasq", [str(pid_file)])
    assert caught.value.code == "not_reloaded"
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)


def test_programs_are_found_beside_the_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "checker"
    program.write_text('#!/bin/sh\necho "$1"\nexit 3\n')
    program.chmod(0o755)
    with pytest.raises(DnsError, match="there is no program checker on this host") as caught:
        run("checker")
    assert caught.value.code == "no_program"
    # Parts of a search path that are relative lead into folders of others.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{os.pathsep}")
    with pytest.raises(DnsError):
        run("checker")
    monkeypatch.setenv("PATH", f"/nowhere{os.pathsep}{tmp_path}")
    assert run("checker", "what was asked") == Answer(3, "what was asked\n", "")


def test_a_program_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "checker"
    program.write_text("#!/nowhere/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DnsError, match="could not be started") as caught:
        run("checker")
    assert caught.value.code == "no_answer"


def test_what_a_program_said_is_one_line() -> None:
    assert said(Answer(1, "ignored", "line one\nline\ttwo\n")) == "line one; line two"
    assert said(Answer(1, "only this\n", "")) == "only this"
