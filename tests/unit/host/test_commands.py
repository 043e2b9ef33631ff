# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs are asked within limits: real ones, that hang, flood, fork, fail and cannot be started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._host.commands import (
    Answer,
    Unanswered,
    ask,
    find_program,
)


def script(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def is_running(pid: int) -> bool:
    """Whether a process still runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_both_streams_and_the_status_come_back(tmp_path: Path) -> None:
    program = script(tmp_path, "echo out; echo err >&2; exit 3")
    assert ask((program,)) == Answer(3, "out\n", "err\n")


def test_arguments_meet_no_shell(tmp_path: Path) -> None:
    program = script(tmp_path, """printf '%s\\n' "$@" """)
    assert ask((program, "$(id)", "a b; c", "*")).output == "$(id)\na b; c\n*\n"


def test_nothing_is_taken_over_from_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    answer = ask((script(tmp_path, "env; pwd; cat"),))
    assert answer.status == 0, "standard input is empty, so cat ends"
    lines = answer.output.splitlines()
    assert {"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "/"} <= set(lines)
    assert not [line for line in lines if "nowhere" in line or "de_DE" in line or str(tmp_path) in line]


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    assert ask((script(tmp_path, r"printf 'a\377b'"),)).output == "a\ufffdb"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "echo $$ > {pid}; echo begun; exec sleep 60",
        "trap '' TERM HUP; echo $$ > {pid}; while :; do sleep 1; done",
        "sleep 60 & echo $! > {pid}; exit 0",
        "exec sleep 60 >&- 2>&- & echo $! > {pid}; exec >&- 2>&-; wait",
    ],
    ids=["hangs", "ignores signals", "leaves a child with its output", "hangs with its output closed"],
)
def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, text: str) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(Unanswered, match=r"program was ended: it did not answer within 2 seconds"):
        ask((script(tmp_path, text.format(pid=pid)),), timeout=2)
    # A deadline is what it promises: not the sixty seconds that the program would take.
    assert time.monotonic() - started < 30
    deadline = time.monotonic() + 30
    while is_running(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(int(pid.read_text()))


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_a_flood_is_cut(tmp_path: Path, redirect: str) -> None:
    with pytest.raises(Unanswered, match="said more than 5000 bytes"):
        ask((script(tmp_path, f"exec yes {redirect}"),), longest=5000)


def test_what_is_as_long_as_allowed_comes_back(tmp_path: Path) -> None:
    assert len(ask((script(tmp_path, "head -c 5000 /dev/zero"),), longest=5000).output) == 5000


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/at/all\n")
    broken.chmod(0o755)
    for program in (str(broken), str(tmp_path / "missing"), "a\0b"):
        with pytest.raises(Unanswered, match="could not be started"):
            ask((program,))


def test_a_program_ended_by_a_signal_has_a_negative_status(tmp_path: Path) -> None:
    assert ask((script(tmp_path, "kill -9 $$"),)).status == -9


def test_no_file_stays_open(tmp_path: Path) -> None:
    program = script(tmp_path, "echo out; exec yes")
    before = len(os.listdir("/proc/self/fd"))
    for _again in range(3):
        with pytest.raises(Unanswered):
            ask((program,), longest=10)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_first_program_of_several_paths_is_found(tmp_path: Path) -> None:
    program = script(tmp_path, "")
    plain = tmp_path / "plain"
    plain.write_text("")
    assert find_program((str(tmp_path / "missing"), str(tmp_path), str(plain), program)) == program
    assert find_program((str(plain),)) is None
