# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task costs beyond what its requests cost: a task over large fleets against a bare script.

    python -m tests.bench [--rounds N]

The task is a document with all three facets for all policies and all computers, run by a real ansible-playbook. The
bare script (bare.py) sends the very requests that the lab's log has of a first run of that task, parses each reply, and
does nothing else, in a process of its own. Both talk to the same running lab, and take turns with a playbook that only
runs ansible.builtin.ping: that is Ansible's own start-up, a module's start included, and is taken off the task's times.
Shown are medians of the rounds.

    check    everything is as declared: reads only
    change   1,000 computers were changed by hand before each run, in all settings: one write for each

A fleet is checked whole, so each size is a lab of its own, one after the other. Settings and the rule come from
policies where computers can inherit them, as one would declare a fleet of that size, and each computer's are compared.

At the end, all of 100,000 computers change in all three facets, once: the task's memory must stay below 400 MB.

requests: those that the lab saw. wall: seconds from start to end. cpu: seconds of all processes, the lab's apart.
memory: the peak of the largest process. Times say little while the machine is busy with something else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.fleet import BY_HAND, MODULE, DeclaredFleet
from tests.bench.measure import Usage, run, run_task
from tests.gates.environments import ROOT
from tests.lab.manager.process import LabManager

POLICIES = 200
SIZES = (1_000, 10_000, 100_000)
# In which of the sizes how many computers are changed.
CHANGED = {10_000: 1_000}
# The module's default.
CONCURRENCY = 8

MOST_TIME = 1.5
# Bytes at the peak of a task that changes everything.
MOST_MEMORY = 400_000_000


@dataclass
class Case:
    """One thing that is measured: a run of each in every round, and how many requests each sends."""

    name: str
    startup: list[Usage] = field(default_factory=list)
    task: list[Usage] = field(default_factory=list)
    bare: list[Usage] = field(default_factory=list)
    task_requests: int = 0
    bare_requests: int = 0

    @property
    def ratio(self) -> float:
        """The task's time beyond start-up in times of the bare script's."""
        return (middle(self.task, "wall") - middle(self.startup, "wall")) / middle(self.bare, "wall")

    @property
    def meets_aim(self) -> bool:
        """Never more requests than the bare script, and at most 1.5 times its time."""
        return self.task_requests <= self.bare_requests and self.ratio <= MOST_TIME


def middle(usages: list[Usage], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(usage, name) for usage in usages)


class Bench:
    """One lab and what is measured on it."""

    def __init__(self, lab: LabManager, folder: Path, rounds: int) -> None:
        self.lab = lab
        self.folder = folder
        self.rounds = rounds
        self.fleet = DeclaredFleet(lab)
        # Policies first, for computers to inherit from.
        for computers in (False, True):
            run_task(lab, self.fleet.task(computers=computers), folder)

    def measure(self, name: str, changed: t.Sequence[int] = ()) -> Case:
        """Let start-up, task and bare script take turns; C(changed) are the computers to change before each run."""
        case = Case(name)
        self._task(changed)
        self._keep_requests()
        for number in range(self.rounds):
            note(f"{name}, round {number + 1} of {self.rounds}")
            case.startup.append(run_task(self.lab, {"ansible.builtin.ping": {}}, self.folder)[0])
            case.task.append(self._task(changed))
            case.task_requests = max(case.task_requests, self._requests_seen())
            case.bare.append(self._bare(changed))
            case.bare_requests = self._requests_seen()
        if changed:
            # The bare script's writes were no less than the task's.
            self._task(())
        return case

    def _task(self, changed: t.Sequence[int]) -> Usage:
        self._change_by_hand(changed)
        usage, has_changed = run_task(self.lab, self.fleet.task(), self.folder)
        if has_changed != bool(changed):
            raise RuntimeError(f"the task reports changed={has_changed}, after {len(changed)} changes by hand")
        return usage

    def _bare(self, changed: t.Sequence[int]) -> Usage:
        self._change_by_hand(changed)
        command = [sys.executable, str(ROOT / "tests" / "bench" / "bare.py"), str(self.folder / "requests.json")]
        return run(command, self.folder / "output", WORKLOAD_SECURITY_API_KEY=self.lab.api_key)

    def _change_by_hand(self, computers: t.Sequence[int]) -> None:
        for computer in computers:
            self.lab.api("POST", f"/computers/{computer}", {"computerSettings": BY_HAND}, {"expand": "none"})
        self.lab.clear_requests()

    def _keep_requests(self) -> None:
        requests = [
            {
                **{key: request[key] for key in ("method", "path", "query", "body")},
                "writes": request["kind"] != "read",
            }
            for request in self.lab.requests()
        ]
        given = {"url": self.lab.url, "ca_path": self.lab.ca_path, "concurrency": CONCURRENCY, "requests": requests}
        (self.folder / "requests.json").write_text(json.dumps(given))

    def _requests_seen(self) -> int:
        return self.lab.summary()["total"]


def change_everything(size: int) -> Usage:
    """What a task takes that sets all facets on each target of a fleet itself, which has none of it."""
    note(f"All of {size:,} computers change")
    with LabManager(computers=size, policies=POLICIES) as lab, tempfile.TemporaryDirectory() as folder:
        task = {MODULE: {"profiles": DeclaredFleet(lab).profiles_of_overrides()}}
        usage, has_changed = run_task(lab, task, Path(folder))
    if not has_changed:
        raise RuntimeError("the task reports no change")
    return usage


def note(text: str) -> None:
    """Say what is being done, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def table(cases: list[Case]) -> str:
    """Both of each case, the ratio below; start-up last."""
    lines = [f"{'':24}{'requests':>10}{'wall s':>10}{'cpu s':>10}{'memory MiB':>12}"]

    def line(name: str, requests: t.Any, wall: float, cpu: float, memory: str) -> None:
        lines.append(f"{name:24}{requests:>10}{wall:>10.2f}{cpu:>10.2f}{memory:>12}")

    def mebibytes(usages: list[Usage]) -> str:
        return f"{middle(usages, 'memory') / 2**20:.0f}"

    for case in cases:
        beyond = {name: middle(case.task, name) - middle(case.startup, name) for name in ("wall", "cpu")}
        lines.append(case.name)
        line("  task", case.task_requests, middle(case.task, "wall"), middle(case.task, "cpu"), mebibytes(case.task))
        line("  task beyond start-up", case.task_requests, beyond["wall"], beyond["cpu"], "")
        line(
            "  bare script",
            case.bare_requests,
            middle(case.bare, "wall"),
            middle(case.bare, "cpu"),
            mebibytes(case.bare),
        )
        line(
            "  ratio",
            f"{case.task_requests / case.bare_requests:.2f}",
            case.ratio,
            beyond["cpu"] / middle(case.bare, "cpu"),
            f"{middle(case.task, 'memory') / middle(case.bare, 'memory'):.2f}",
        )
    startup = [usage for case in cases for usage in case.startup]
    line("Ansible's start-up", "", middle(startup, "wall"), middle(startup, "cpu"), mebibytes(startup))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run (default: 3)")
    parser.add_argument(
        "--computers", type=int, nargs="+", default=SIZES, metavar="N", help="sizes of fleet (default: all three)"
    )
    parser.add_argument(
        "--changing", type=int, default=max(SIZES), metavar="N", help="a fleet all of which changes (default: 100,000)"
    )
    arguments = parser.parse_args()
    cases = []
    for size in arguments.computers:
        note(f"A fleet of {size:,} computers")
        with LabManager(computers=size, policies=POLICIES) as lab, tempfile.TemporaryDirectory() as folder:
            bench = Bench(lab, Path(folder), arguments.rounds)
            cases.append(bench.measure(f"check of {size:,}"))
            if size in CHANGED:
                changed = bench.fleet.some_servers(CHANGED[size])
                cases.append(bench.measure(f"change of {len(changed):,} of {size:,}", changed))
    print(table(cases))
    missed = [f"{case.name} ({case.ratio:.2f})" for case in cases if not case.meets_aim]
    print(
        f"Aim, never more requests and at most {MOST_TIME} times the time of the bare script beyond start-up: "
        + (f"missed by {', '.join(missed)}" if missed else "met")
    )
    usage = change_everything(arguments.changing)
    print(
        f"All of {arguments.changing:,} computers changed in all facets: {usage.memory / 1e6:.0f} MB, {usage.wall:.0f} s"
        f" (aim: at most {MOST_MEMORY / 1e6:.0f} MB: {'met' if usage.memory <= MOST_MEMORY else 'missed'})"
    )


if __name__ == "__main__":
    main()
