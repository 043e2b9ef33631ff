# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No thread takes a signal away from the main thread, which alone handles it."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis import signals
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.background import in_background

PLUGINS = Path(__file__).parents[3] / "plugins"
# Its threads start programs, and who waits for them does so for a limited time.
STARTS_PROGRAMS = PLUGINS / "module_utils" / "_connectivity" / "background.py"
FILES = [
    path for path in PLUGINS.rglob("*.py") if path != STARTS_PROGRAMS and "Thread" in path.read_text(encoding="utf-8")
]
STARTS = [
    pytest.param(path, call, id=f"{path.name}:{call.lineno}")
    for path in FILES
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("Thread", "ThreadPoolExecutor"))
]
# The main thread blocks signals for now, so that the system may only give the signal to the other thread.
PROGRAM = """
import importlib.util, os, signal, sys, threading, time
spec = importlib.util.spec_from_file_location("signals", sys.argv[1])
signals = importlib.util.module_from_spec(spec)
spec.loader.exec_module(signals)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
ready, go = threading.Event(), threading.Event()
def work():
    if len(sys.argv) > 2:
        signals.leave_signals()
    ready.set()
    go.wait(60)
thread = threading.Thread(target=work)
thread.start()
ready.wait(60)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
waits_for_main = signal.SIGTERM in signal.sigpending()
go.set()
thread.join()
print(waits_for_main, flush=True)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
"""


@pytest.mark.parametrize(("path", "call"), STARTS)
def test_each_thread_leaves_signals(path: Path, call: ast.Call) -> None:
    """Each pool of threads by its initializer, each thread in its first line."""
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if "ThreadPoolExecutor" in ast.unparse(call.func):
        assert given.get("initializer") == "leave_signals"
        return
    does = [
        function
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and function.name == given["target"]
    ]
    assert does and all(ast.unparse(function.body[0]) == "leave_signals()" for function in does)


def test_there_are_threads() -> None:
    assert len(STARTS) >= 5 and STARTS_PROGRAMS.is_file()


def test_programs_that_are_started_in_the_background_can_be_ended() -> None:
    """A program inherits what the thread that starts it leaves to others."""
    blocked = in_background(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result(60)
    assert blocked.isdisjoint(signals.HANDLED)


@pytest.mark.parametrize(("arguments", "waits"), [(["leaves"], "True\n"), ([], "")])
def test_a_signal_waits_for_the_main_thread(arguments: list[str], waits: str) -> None:
    """With the function. Without it, the thread takes the signal, although the main thread may not handle it yet."""
    ended: t.Any = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(signals.__file__), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, waits, "")
