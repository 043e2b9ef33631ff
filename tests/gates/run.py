#!/usr/bin/env python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the gates: everything that a change must pass.

    python3 tests/gates/run.py [TARGET] [ARGUMENT ...]

runs one target's gates, with ARGUMENTs for pytest, or all gates, several at once, the longest first. The output of each
gate is shown when it has ended. At the end, a report shows the result, the time and the CPU time of each gate, what
could not run on this machine and why, and the number of tests. A gate without tests counts as one. TARGET quick is the
inner loop: the gates, and the tests in them, that take two minutes. This uses only the standard library, because it
starts before anything is installed.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.gates import environments  # noqa: E402  (only found from the repository root)

ROOT = environments.ROOT
LOGS = ROOT / ".cache" / "gates"
# How many processes of gates run at once. This keeps two cores busy, because many tests wait: for a timeout, for a
# heartbeat, for the end of a program.
AT_ONCE = 5
# How many of a gate's tests that failed, or of the last lines of its output, the report repeats.
REPEATED = 10


@dataclasses.dataclass(frozen=True)
class Gate:
    """One thing to pass: a command in one of the environments.

    name: for people. target: its name in C(make), which may also be that of its twin for the other ansible-core.
    command: the arguments after C(python -m). tests: whether it is pytest, which counts its tests.
    seconds: roughly how long it takes, which decides what starts first. parallel: arguments that let it run in two
    processes. quick: additional arguments in C(make quick), or C(None) if it is not a part of that.
    """

    name: str
    target: str
    environment: str
    command: Tuple[str, ...]
    tests: bool = True
    seconds: int = 1
    parallel: Tuple[str, ...] = ()
    quick: Optional[Tuple[str, ...]] = None

    @property
    def processes(self) -> int:
        """How many processes it runs in."""
        return 2 if self.parallel else 1

    @property
    def log(self) -> Path:
        """The file that keeps the output of this gate."""
        return LOGS / f"{self.name.replace(' ', '-')}.log"


def pytest_gate(
    name: str,
    environment: str,
    *arguments: str,
    seconds: int = 1,
    parallel: Tuple[str, ...] = (),
    quick: Optional[Tuple[str, ...]] = None,
) -> Gate:
    """A gate that runs pytest. The target is the name's first word."""
    return Gate(name, name.split()[0], environment, ("pytest", *parallel, *arguments), True, seconds, parallel, quick)


# Every fault at every request. They run once, with the oldest libraries that must handle them.
FAULTS = "tests/integration/test_faults.py"
# The errors of libraries for replies that do not come, for certificates, and for connections that break.
TOLD = tuple(
    f"tests/integration/{test}"
    for test in (
        "test_faults_others.py::test_a_reply_past_the_timeout",
        "test_faults_others.py::test_an_untrusted_certificate",
        "test_runs_that_end.py::test_different_signs_of_a_manager_that_is_down_are_one_answer",
    )
)
# Tests of what ruamel.yaml writes.
CAPTURES = "tests/integration/test_capture.py"
# Tests with generated examples have already tried all of them with the newest core.
AGAIN = ("--hypothesis-profile=again",)
# How tests are distributed to processes. Files with expensive fixtures stay together.
BY_FILE = ("-n", "2", "--dist", "loadfile")
BY_TEST = ("-n", "2", "--dist", "worksteal")
# What leaves out the tests that take long.
NOT_SLOW = ("-m", "not slow")
# The coverage of the collection by these tests is shown at the end.
COVERED = ("--cov=plugins", "--cov-report=")
# Tests that depend on the release of ansible-core. The others are linters, which find the same with every release.
OF_CORE = tuple(f"--test={name}" for name in ("ansible-doc", "compile", "import", "validate-modules"))

# Bandit finds more than Ruff's security rules, which are derived from it.
BANDIT = ("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "plugins")

GATES: List[Gate] = [
    Gate("lint", "lint", "tools", ("tests.gates.lint_runner",), tests=False, seconds=15, quick=()),
    Gate("lint of YAML", "lint", "tools", ("yamllint", "--strict", "."), tests=False, seconds=2, quick=()),
    Gate("lint of Python", "lint", "tools", ("ruff", "check", "."), tests=False, quick=()),
    Gate("layout of Python", "lint", "tools", ("ruff", "format", "--check", "."), tests=False, quick=()),
    Gate("security of Python", "lint", "tools", BANDIT, tests=False, seconds=3, quick=()),
    Gate("types", "types", "tools", ("mypy",), tests=False, seconds=20, quick=()),
    pytest_gate("layers", "tools", "tests/gates/test_layers.py", quick=()),
    pytest_gate("repository", "tools", "tests/gates/test_repository.py", "tests/gates/test_examples.py", seconds=8),
    # In one process each: most tests are so small that distributing them takes a tenth more CPU time.
    pytest_gate("unit on the newest core", "newest", "tests/unit", *COVERED, seconds=350, quick=(*BY_TEST, *NOT_SLOW)),
    # With the lowest versions of libraries, too, because that environment differs from oldest in nothing else.
    pytest_gate("unit on the oldest core", "lowest", "tests/unit", *AGAIN, seconds=300),
    pytest_gate("libraries at their lowest", "lowest", FAULTS, *TOLD, CAPTURES, seconds=60),
    pytest_gate("contract", "main", "tests/contract", seconds=55, parallel=BY_TEST),
    pytest_gate(
        "integration",
        "main",
        "tests/integration",
        f"--ignore={FAULTS}",
        *COVERED,
        seconds=400,
        parallel=BY_FILE,
        quick=NOT_SLOW,
    ),
    pytest_gate("integration on the oldest core", "oldest", "tests/integration", "-m", "both_cores", seconds=120),
    pytest_gate("end_to_end", "main", "tests/end_to_end", seconds=350, parallel=BY_FILE),
    pytest_gate("end_to_end on the oldest core", "oldest", "tests/end_to_end", "-m", "both_cores", seconds=35),
    pytest_gate("docs", "tools", "tests/gates/test_documentation.py", seconds=35),
    pytest_gate("build", "tools", "tests/gates/test_build.py", seconds=15),
    pytest_gate("awx", "tools", "tests/gates/test_awx.py", seconds=5),
    Gate("sanity on the newest core", "sanity", "newest", ("tests.gates.sanity",), tests=False, seconds=60),
    Gate("sanity on the oldest core", "sanity", "oldest", ("tests.gates.sanity", *OF_CORE), tests=False, seconds=30),
]


@dataclasses.dataclass
class Result:
    """The result of a gate: counts of tests, seconds, CPU seconds, what could not run and why, and what failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    not_run: List[str] = dataclasses.field(default_factory=list)
    wrong: List[str] = dataclasses.field(default_factory=list)

    @property
    def word(self) -> str:
        """The result as a word, for people."""
        return "FAILED" if self.failed else "passed" if self.passed else "not run"


def run_gate(gate: Gate, missing: Dict[str, str], arguments: List[str], live: bool) -> Result:
    """Run one gate. Its output goes to its log, and, if C(live), also to the terminal at once."""
    if gate.environment in missing:
        return Result(not_run=[f"No environment for it: {missing[gate.environment]}"])
    python = environments.python_of(gate.environment)
    counts = gate.log.with_suffix(".xml")
    command = [str(python), "-u", "-m", *gate.command]
    if gate.tests:
        command += [f"--junitxml={counts}", *arguments]
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={
            # Without bytecode from earlier runs, every process would compile everything again.
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PATH": path,
            "COVERAGE_FILE": str(gate.log.with_suffix(".coverage")),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    not_run = []
    with gate.log.open("w", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            if live:
                print(line, end="", flush=True)
            if line.startswith("NOT RUN: "):
                not_run.append(line.split(": ", 1)[1].rstrip())
    # The usage is that of the gate and of all processes that it waited for.
    _pid, status, usage = os.wait4(process.pid, 0)
    status = process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    result = count_tests(counts) if gate.tests else Result(passed=int(status == 0))
    if status and not result.failed:
        result.failed = 1  # also when pytest found no test, or was ended before it could count
        result.wrong = gate.log.read_text(encoding="utf-8").splitlines()
    if gate.tests and status not in (0, 1):
        not_run.append(f"all that pytest would have run, had it not ended with exit status {status}")
    result.not_run += not_run
    result.wrong = result.wrong[-REPEATED:]
    result.seconds = time.monotonic() - started
    result.cpu = usage.ru_utime + usage.ru_stime
    return result


def count_tests(counts: Path) -> Result:
    """Read pytest's report of its run. All counts are 0 if there is none."""
    result = Result()
    if not counts.exists():
        return result
    for case in xml.etree.ElementTree.parse(counts).iter("testcase"):
        outcomes = {child.tag: child for child in case}
        if "failure" in outcomes or "error" in outcomes:
            result.failed += 1
            result.wrong.append(f"{case.get('classname')}.{case.get('name')}")
        elif "skipped" in outcomes:
            result.skipped += 1
            result.not_run.append(f"{case.get('classname')}.{case.get('name')}: {outcomes['skipped'].get('message')}")
        else:
            result.passed += 1
    return result


def report(gates: List[Gate], results: List[Result]) -> int:
    """Print the results and return the exit status."""
    report_coverage()
    print(f"\n{'gate':32} {'result':8} {'passed':>7} {'failed':>7} {'skipped':>7} {'seconds':>8} {'CPU':>7}")
    for gate, result in zip(gates, results):
        counts = f"{result.passed:7} {result.failed:7} {result.skipped:7}"
        print(f"{gate.name:32} {result.word:8} {counts} {result.seconds:8.1f} {result.cpu:7.1f}")
    print_list("Not run on this machine", gates, [result.not_run for result in results])
    print_list("Failed", gates, [result.wrong for result in results])
    passed, failed, skipped = (sum(getattr(r, count) for r in results) for count in ("passed", "failed", "skipped"))
    cpu = sum(result.cpu for result in results)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped, in {cpu:.0f} CPU seconds")
    return 1 if failed else 0


def print_list(title: str, gates: List[Gate], lines: List[List[str]]) -> None:
    """Print lines of each gate."""
    named = [f"{gate.name}: {line}" for gate, its in zip(gates, lines) for line in its]
    print(f"\n{title}: " + ("".join(f"\n  {line}" for line in named) or "nothing"))


def report_coverage() -> None:
    """Print which lines of the collection the gates with C(COVERED) did not reach, least covered files first."""
    found = sorted(str(path) for path in LOGS.glob("*.coverage"))
    if not found:
        return
    python = str(environments.python_of("main"))
    both = {**os.environ, "COVERAGE_FILE": str(LOGS / "coverage")}
    print("\nCoverage of what ran in the tests' own processes:", flush=True)
    for command in (["combine", "--keep", "--quiet", *found], ["report", "--skip-covered", "--sort=cover"]):
        subprocess.run([python, "-m", "coverage", *command], cwd=ROOT, env=both, check=False)


def main() -> int:
    """Run what the command line asks for. Returns the exit status."""
    target, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    if target == "quick":
        gates = [
            dataclasses.replace(gate, command=(*gate.command, *gate.quick)) for gate in GATES if gate.quick is not None
        ]
    else:
        gates = [gate for gate in GATES if target in (None, gate.target)]
    if not gates:
        print(f"No such target: {target}. There are quick, {', '.join(dict.fromkeys(gate.target for gate in GATES))}.")
        return 2
    missing = environments.make()  # all of them, because gates also use others, as the build does to run its result
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    if target not in (None, "quick"):
        return report(gates, [run_gate(gate, missing, arguments, live=True) for gate in gates])
    results = run_all(gates, missing, arguments)
    return report(gates, [results[gate] for gate in gates])


def run_all(gates: List[Gate], missing: Dict[str, str], arguments: List[str]) -> Dict[Gate, Result]:
    """Run gates, as many as C(AT_ONCE) allows, and print the output of each as soon as it is done."""
    results: Dict[Gate, Result] = {}
    waiting = sorted(gates, key=lambda gate: -gate.seconds)
    running: Dict[concurrent.futures.Future[Result], Gate] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        while waiting or running:
            for gate in list(waiting):
                if sum(one.processes for one in running.values()) + gate.processes <= AT_ONCE:
                    waiting.remove(gate)
                    running[pool.submit(run_gate, gate, missing, arguments if gate.tests else [], live=False)] = gate
            for ended in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                gate = running.pop(ended)
                result = results[gate] = ended.result()
                text = gate.log.read_text(encoding="utf-8") if gate.log.exists() else ""
                sys.stdout.write(f"\n=== {gate.name}: {result.word} in {result.seconds:.1f} s\n{text}")
                sys.stdout.flush()
    return results


if __name__ == "__main__":
    sys.exit(main())
