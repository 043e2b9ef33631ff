# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long tasks show how far they are, and one that is ended before its time says what is done."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.signals import HANDLED
from tests.integration.in_process import run_tasks
from tests.integration.support import play, writes
from tests.lab.waiting import until
from tests.threads import blocks

pytestmark = pytest.mark.slow

NAMESPACE = "workload_security.agent"
WRITES = r"^/computers/\d+$"
# More computers than are written before a run is ended, and few enough for the run that goes on.
SOME = {"computers_query": "[?id <= `40`]"}
SLOWLY = {"concurrency": 1, "progress_interval": 1}


def heartbeat(**options: t.Any) -> dict[str, t.Any]:
    return {f"{NAMESPACE}.heartbeat": {**SOME, "interval": 7, **SLOWLY, **options}}


def slow(lab: t.Any, seconds: float, method: str = "POST", path: str = WRITES, times: int = 0) -> None:
    lab.add_fault(method=method, path=path, times=times, action={"kind": "delay", "seconds": seconds})


def lines_of(output: str, module: str = "heartbeat") -> list[str]:
    return [line for line in output.splitlines() if line.startswith(f"{module}: ")]


def selected(lab: t.Any) -> int:
    """How many computers the tasks here are about."""
    found = lab.api("POST", "/computers/search", {}, {"expand": "none"})["computers"]
    return sum(computer["ID"] <= 40 for computer in found)


@pytest.mark.both_cores
def test_a_slow_run_shows_how_far_it_is(lab, tmp_path):
    """Five writes take three seconds, of which two lines tell."""
    total = selected(lab)
    slow(lab, 0.6, times=5)
    lab.api("POST", "/policies", {"name": "a policy\nheartbeat: writing: 9 of 9 done", "parentID": 1})
    played = play(lab, [heartbeat()], tmp_path)
    assert played.results[0]["counts"]["changed"] == total
    writing = [line for line in lines_of(played.output) if "writing" in line]
    shape = (
        rf"heartbeat: writing: (\d+) of {total} done, 0 failed; \d+ requests? in the last minute(; about \d+ \w+ left)?"
    )
    done = [int(t.cast("re.Match[str]", re.fullmatch(shape, line))[1]) for line in writing]
    assert done and done == sorted(done) and done[-1] <= total
    assert "9 of 9" not in played.output


def test_a_limit_is_told_while_it_is_waited_for(lab, tmp_path):
    refused = {"kind": "status", "status": 429, "body": "{}", "headers": {"Retry-After": "3"}}
    lab.add_fault(method="POST", path=WRITES, times=1, action=refused)
    played = play(lab, [heartbeat(requests_per_minute=6000)], tmp_path)
    assert not played.results[0]["failed"]
    assert [line for line in lines_of(played.output) if "since the manager refuses more for now (429)" in line]


def test_lines_can_be_left_out(lab, tmp_path):
    """By the option, by the environment; and a module shows none."""
    slow(lab, 2.2, path="/search$", times=9)
    tasks = [heartbeat(progress_interval=0), {f"{NAMESPACE}.policy_info": {}}]
    quiet = {"WORKLOAD_SECURITY_PROGRESS_INTERVAL": "0"}
    played = play(lab, tasks, tmp_path, environment=quiet)
    assert not any(result["failed"] for result in played.results)
    assert lines_of(played.output) == lines_of(played.output, "policy_info") == []
    lab.reset()
    slow(lab, 2.2, path="/search$", times=9)
    as_module = play(lab, [heartbeat()], tmp_path, keywords={"vars": {"ansible_connection": "elsewhere"}})
    assert not as_module.results[0]["failed"] and lines_of(as_module.output) == []


def test_without_an_option_the_first_line_comes_after_five_seconds(lab, tmp_path):
    slow(lab, 8, path="/search$", times=1)
    played = play(lab, [{f"{NAMESPACE}.policy_info": {}}], tmp_path)
    (line,) = lines_of(played.output, "policy_info")
    assert line == "policy_info: reading policies: 0 so far, 0 failed; 1 request in the last minute"


def assert_told(lab: t.Any, output: str, total: int) -> None:
    """The line about the interruption is true: what it counts is set, but for a write whose reply was under way."""
    (line,) = [line for line in lines_of(output) if "interrupted" in line]
    shape = (
        rf"heartbeat: interrupted while writing: (\d+) of {total} done, 0 failed; the next run continues with the rest"
    )
    done = int(t.cast("re.Match[str]", re.fullmatch(shape, line))[1])
    assert 0 < done < total and done <= len(writes(lab)) <= done + 1


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def threads_that_take_signals(pid: int) -> list[str]:
    """The threads beside the main thread to which the system could give a signal that ends work.

    That would not wake the main thread, which alone handles it.
    """
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            if thread.name != str(pid) and not blocks(pid, thread.name, HANDLED):
                found.append(thread.name)
    return found


def test_while_pages_are_read_no_thread_but_the_main_one_takes_signals(lab, tmp_path):
    slow(lab, 1, path="/search$")
    counts: list[int] = []
    taking: list[str] = []

    def look(pid: int) -> None:
        until(lambda: len(lab.requests()) >= 3, "reads that run ahead")
        for worker in children(pid):
            counts.append(len(list(Path(f"/proc/{worker}/task").iterdir())))
            taking.extend(threads_that_take_signals(worker))

    play(lab, [heartbeat()], tmp_path, meanwhile=look)
    assert taking == [] and max(counts) > 3


@pytest.mark.both_cores
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_says_what_is_done(lab, tmp_path, number):
    total = selected(lab)
    slow(lab, 0.3)

    taking: list[str] = []

    def interrupt(pid: int) -> None:
        until(lambda: len(writes(lab)) >= 3, "three writes")
        taking.extend(one for worker in children(pid) for one in threads_that_take_signals(worker))
        os.kill(pid, number)

    played = play(lab, [heartbeat()], tmp_path, meanwhile=interrupt)
    assert played.status != 0 and played.results == []
    assert taking == []
    assert_told(lab, played.output, total)
    sent = len(writes(lab))
    lab.clear_faults()
    (rest,) = run_tasks(lab, [heartbeat()]).results
    assert total - sent <= rest["counts"]["changed"] < total and rest["counts"]["failed"] == 0


@pytest.mark.both_cores
def test_a_run_that_takes_longer_than_its_timeout_says_what_is_done_and_writes_no_more(lab, tmp_path):
    """Also while threads wait for a limit: they are woken, and the next task comes."""
    slow(lab, 0.3, times=5)
    refused = {"kind": "status", "status": 429, "body": "{}", "headers": {"Retry-After": "100"}}
    lab.add_fault(method="POST", path=WRITES, times=0, action=refused)
    count = {f"{NAMESPACE}.computer_info": {"query": "length(@)"}}
    played = play(lab, [{**heartbeat(concurrency=4), "timeout": 8}, count], tmp_path)
    timed_out, after = played.results
    assert timed_out["failed"] and timed_out["timedout"]["period"] == 8 and after["result"] == 300
    (line,) = [line for line in lines_of(played.output) if "interrupted" in line]
    # A machine that is slow today may not come to write in that time.
    assert re.match(r"heartbeat: interrupted while (writing: \d+ of \d+ done|reading|planning)", line)
    assert lab.requests()[-1]["path"] == "/computers/search"


@pytest.mark.both_cores
def test_a_run_whose_ansible_was_killed_writes_no_more(lab, tmp_path):
    """The worker has a session of its own, so that it outlives what started it unless it looks after that itself."""
    lab.add_fault(method="POST", path=WRITES, times=0, action={"kind": "stall", "seconds": 300})
    workers: list[int] = []

    def kill(pid: int) -> None:
        until(lambda: writes(lab), "a write is under way")
        workers.extend(children(pid))
        os.kill(pid, signal.SIGKILL)

    play(lab, [heartbeat(timeout=600)], tmp_path, meanwhile=kill)
    assert workers
    until(lambda: not any(map(is_there, workers)), "its worker has ended")


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
