# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same work by the collection and by all that people use instead, on one lab, in turn.

    python -m tests.bench [quick|whole] [OPTION ...]

quick takes a few minutes, and prints a table. whole takes about half an hour, and writes docs/performance.md and its
pictures, too. The figures are left in .cache/bench/figures.json. docs/performance.md says what is measured, and how.
Times say little while the machine is busy with something else.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import re
import tempfile
import typing as t
from pathlib import Path

from tests.bench import page
from tests.bench.bench import Bench, Job, note
from tests.bench.figures import DEBUG, LOOP, PING, Case, Figures, Usage
from tests.bench.fleet import MODULE, DeclaredFleet
from tests.bench.measure import run_task
from tests.gates.environments import ROOT
from tests.lab.manager.process import LabManager

POLICIES = 200
# The size of the fleet in which computers are changed, and for which requests are limited.
CHANGING = 10_000
SHARES = (0.01, 0.1)
# The size of the fleet whose policies get a rule. The number of its computers does not matter.
RULE_FLEET = 1_000
# The manager's default limit for each user, and how many times as fast its clock runs.
LIMIT, TIME_FACTOR = 500, 6.0

# Aims for the task's time without start-up, as a multiple of the bare script's time: without latency, and for at least
# SLOW milliseconds of latency. And the aim for the peak memory, in bytes, of a task that changes everything.
MOST_TIME = 1.5
SLOW, MOST_TIME_SLOW = 50, 1.0
MOST_MEMORY = 400_000_000

FIGURES = ROOT / ".cache" / "bench" / "figures.json"


def describe_machine() -> str:
    """The machine that it runs on."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model[1] if model else platform.machine()}, {memory:.0f} GiB of memory"


def describe_software() -> str:
    """The versions of the software that it runs with."""
    names = ("ansible-core", "urllib3", "deep-security-api")
    return ", ".join(
        [f"Python {platform.python_version()}", *(f"{one} {importlib.metadata.version(one)}" for one in names)]
    )


def measure(sizes: t.Sequence[int], latencies: t.Sequence[int], rounds: int, found: Figures) -> None:
    """Measure all cases on fleets of these sizes. For the largest one, also measure all kinds of reads."""

    def go(bench: Bench, jobs: t.Iterable[Job], latencies: t.Sequence[int]) -> None:
        for job in jobs:
            for latency in latencies:
                found.cases.append(bench.measure(job, latency))
                found.load.append(os.getloadavg()[0])
                # If a later one fails, the figures so far are not lost.
                found.write(FIGURES)

    for size in sizes:
        note(f"A fleet of {size:,} computers")
        with LabManager(computers=size, policies=POLICIES) as lab, tempfile.TemporaryDirectory() as folder:
            bench = Bench(lab, size, Path(folder), rounds)
            go(bench, [bench.check()], latencies)
            if size == CHANGING:
                go(bench, [bench.change(round(size * share)) for share in SHARES], latencies)
            if size == max(sizes):
                go(bench, bench.reads(), [0])
    note(f"One rule for {POLICIES} policies")
    with LabManager(computers=RULE_FLEET, policies=POLICIES) as lab, tempfile.TemporaryDirectory() as folder:
        bench = Bench(lab, RULE_FLEET, Path(folder), rounds)
        run_task(lab, bench.rule().task, Path(folder))
        go(bench, [bench.rule()], latencies)


def measure_limited(found: Figures) -> None:
    """Measure a check, and a change of a tenth, with limited requests: once, because most of the time is waiting."""
    note(f"A fleet of {CHANGING:,} computers, {LIMIT} requests a minute")
    limited = {"requests_per_minute": LIMIT, "time_factor": TIME_FACTOR}
    with (
        LabManager(computers=CHANGING, policies=POLICIES, **limited) as lab,
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(lab, CHANGING, Path(folder), 1, time_factor=TIME_FACTOR, limit=LIMIT)
        found.cases += [bench.measure(bench.check()), bench.measure(bench.change(round(CHANGING * max(SHARES))))]


def change_everything(size: int) -> Usage:
    """The usage of a task that sets all facets directly on each target of a fleet on which nothing is set yet."""
    note(f"All of {size:,} computers change")
    with LabManager(computers=size, policies=POLICIES) as lab, tempfile.TemporaryDirectory() as folder:
        task = {MODULE: {"profiles": DeclaredFleet(lab).profiles_of_overrides()}}
        usage, has_changed = run_task(lab, task, Path(folder))
    if not has_changed:
        raise RuntimeError("the task reports no change")
    return usage


def missed(found: Figures) -> list[str]:
    """The aims that were missed."""

    def name(case: Case) -> str:
        return f"{case.work} of {case.computers:,} at {case.latency} ms"

    lines = []
    for case in found.cases:
        ours, bare = case.measured["collection"], case.measured["bare"]
        if ours.requests - ours.refused > bare.requests - bare.refused:
            lines.append(f"{name(case)}: {ours.requests} requests, the bare script {bare.requests}")
        if LOOP not in case.measured:
            # A report, a capture or an inventory makes something of what it reads, which the bare script does not.
            continue
        for start in (PING, DEBUG):
            most = MOST_TIME if not case.latency else MOST_TIME_SLOW if case.latency >= SLOW else None
            if start in case.starts and not case.requests_per_minute and most and case.ratio(start) > most:
                lines.append(f"{name(case)}: {case.ratio(start):.2f} times the bare script beyond {start}, aim {most}")
    if found.everything and found.everything.memory > MOST_MEMORY:
        lines.append(f"{found.everything.memory / 1e6:.0f} MB where all change, aim {MOST_MEMORY / 1e6:.0f} MB")
    return lines


def main() -> None:
    """Measure, write, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("extent", nargs="?", choices=("quick", "whole"), default="whole", help="default: whole")
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="how often each is run (default: 3; quick: 1); three times as often without latency",
    )
    parser.add_argument("--computers", type=int, nargs="+", metavar="N", help="sizes of fleet")
    parser.add_argument("--latency", type=int, nargs="+", metavar="MS", help="the manager's latencies, in milliseconds")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="measure nothing, write pages from these figures")
    options = parser.parse_args()
    whole = options.extent == "whole"
    if options.figures:
        found = Figures.read(options.figures)
    else:
        rounds = options.rounds or (3 if whole else 1)
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        found = Figures(describe_machine(), describe_software(), today, rounds)
        sizes = options.computers or ((1_000, CHANGING, 100_000) if whole else (1_000,))
        measure(sizes, options.latency or ((0, 20, 100) if whole else (0, 20)), rounds, found)
        if whole:
            measure_limited(found)
            found.everything_computers = max(sizes)
            found.everything = change_everything(max(sizes))
        found.write(FIGURES)
    if whole:
        page.publish(found)
    print(page.tables(found))
    print("\n".join(f"Missed: {line}" for line in missed(found)) or "All aims are met")


if __name__ == "__main__":
    main()
