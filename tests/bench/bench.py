# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab, and the contenders that do the same work on it in turn."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.bench import figures
from tests.bench.figures import Case, Measured, Sample, Usage, estimate
from tests.bench.fleet import BY_HAND, MODULE, RESTRICTION, RULE, DeclaredFleet
from tests.bench.measure import run, run_ansible, run_play, run_task
from tests.bench.work import SETTINGS, Work, uri_play
from tests.gates.environments import ROOT
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
# The module's default.
CONCURRENCY = 8
# How many times as many rounds there are without latency: a task then takes little more time than Ansible's start, and the
# difference of the two is what is measured.
MORE_ROUNDS = 3
# How long the sample of a loop should take, in seconds, and the most targets in it.
SAMPLE_SECONDS, SAMPLE_MOST = 3.0, 150
# The number of targets in the sample of a loop with uri, whose requests take longest.
SAMPLE_OF_URI = 2
# Calls by hand count against the limit, too. After this many, the clock is moved forward.
CALLS_BY_HAND = 400

Targets = dict[tuple[str, int], str]


@dataclass(frozen=True)
class Job:
    """One piece of work, for all contenders.

    task: the collection's, or an inventory source. work: the same for the others. manner: the command of the SDK's
    script that uses the SDK well. loops: whether there is a loop for it. changed: the targets that must differ before
    each run.
    """

    name: str
    task: dict[str, t.Any]
    work: Work
    manner: str = figures.PAGES.removeprefix("sdk_")
    loops: bool = True
    changed: tuple[tuple[str, int], ...] = ()
    inventory: bool = False


class Bench:
    """A lab with a converged fleet, and the measurements on it."""

    def __init__(
        self, lab: LabManager, size: int, folder: Path, rounds: int, *, time_factor: float = 1.0, limit: int = 0
    ) -> None:
        self.lab = lab
        self.folder = folder
        self.rounds = rounds
        self.time_factor = time_factor
        self.limit = limit
        self.fleet = DeclaredFleet(lab)
        # Policies first, because computers inherit from them.
        for computers in (False, True):
            run_task(lab, self.fleet.task(computers=computers), folder)
        policies = lab.api("POST", "/policies/search", {}, {"overrides": "true"})["policies"]
        self.policies: Targets = {("policies", one["ID"]): one["name"] for one in policies}
        # For a large fleet, these are only some, which is enough for samples.
        computers = lab.api("POST", "/computers/search", {"maxItems": 5000}, {"expand": "none"})["computers"]
        self.computers: Targets = {("computers", one["ID"]): one["platform"] for one in computers}
        self.size = size

    # -- the pieces of work

    def _work(self, **options: t.Any) -> Work:
        return Work(self.lab.url, self.lab.ca_path, concurrency=CONCURRENCY, **options)

    def check(self) -> Job:
        """Everything is as declared."""
        return Job("check", self.fleet.task(), self._work())

    def change(self, number: int) -> Job:
        """This many computers were changed by hand, in all settings."""
        changed = tuple(("computers", one) for one in self.fleet.some_servers(number))
        return Job(f"change of {100 * number / self.size:g} %", self.fleet.task(), self._work(), changed=changed)

    def rule(self) -> Job:
        """The rule was removed from all policies."""
        task = {f"{NAMESPACE}.firewall_restriction": {"policies": list(self.policies.values()), **RESTRICTION}}
        work = self._work(settings={}, rule_itself=True, computers=False)
        return Job(f"one rule on {len(self.policies)} policies", task, work, changed=tuple(self.policies))

    def reads(self) -> list[Job]:
        """A report, a capture, a comparison that also finds undeclared overrides, and an inventory."""
        drift = {MODULE: {"profiles": self.fleet.profiles(), "undeclared": "report"}, "check_mode": True}
        source = {"plugin": f"{NAMESPACE}.computers", "url": self.lab.url, "ca_path": self.lab.ca_path}
        source["group_by"] = ["policy", "computer_group", "status"]
        tasks: dict[str, dict[str, t.Any]] = {
            "report": {f"{NAMESPACE}.communication_fleet_info": {}},
            "capture": {f"{NAMESPACE}.communication_document": {"path": str(self.folder / "captured.yml")}},
            "drift": drift,
            "inventory": source,
        }
        work = self._work(file=str(self.folder / "found.json"))
        return [
            Job(name, task, work, manner=name, loops=False, inventory=name == "inventory")
            for name, task in tasks.items()
        ]

    # -- measuring

    def measure(self, job: Job, latency: int = 0) -> Case:
        """Let starts and contenders take turns, for all rounds. Then measure the samples of the loops once."""
        case = Case(job.name, self.size, latency, self.limit, self.time_factor)
        measured = case.measured
        for contender in (figures.COLLECTION, figures.BARE, figures.PAGES):
            measured[contender] = Measured()
        # Before the first round: record what the bare script must send, and fill the caches on disk.
        self._prepared(job.changed, latency)
        self._collection(job)
        (self.folder / "requests.json").write_text(json.dumps(seen_requests(self.lab)))
        rounds = self.rounds if latency or self.limit or job.inventory else self.rounds * MORE_ROUNDS
        for number in range(rounds):
            note(f"{job.name}, {self.size:,} computers, {latency} ms: round {number + 1} of {rounds}")
            self._starts(case, job)
            for contender, do in (
                (figures.COLLECTION, self._collection),
                (figures.BARE, self._bare),
                (figures.PAGES, self._sdk),
            ):
                self._prepared(job.changed, latency)
                measured[contender].usages.append(self._scaled(do(job)))
                self._count(measured[contender])
                self._see_that_it_is_done(job)
        if job.loops:
            for contender, one, size in (
                (figures.LOOP, self._sdk_loop, _sample_size(latency)),
                (figures.URI, self._uri, SAMPLE_OF_URI),
            ):
                note(f"{job.name}, {self.size:,} computers, {latency} ms: sample, {figures.CONTENDERS[contender]}")
                measured[contender] = self._sampled(job, one, size, latency)
        self.lab.clear_faults()
        return case

    def _starts(self, case: Case, job: Job) -> None:
        if job.inventory:
            empty = run_ansible(self.lab, "ansible-inventory", self.folder, "-i", "localhost,", "--list")[0]
            case.starts.setdefault(figures.NO_HOSTS, []).append(self._scaled(empty))
            return
        for start in (figures.PING, figures.DEBUG):
            usage = run_task(self.lab, {f"ansible.builtin.{start}": {}}, self.folder)[0]
            case.starts.setdefault(start, []).append(self._scaled(usage))

    def _sampled(self, job: Job, one: t.Callable[[Work, Targets], Usage], size: int, latency: int) -> Measured:
        """An estimate from the start, a sample of the targets that are as declared, and one of those that are not."""
        targets = self.policies | (self.computers if job.work.computers else {})
        same = [target for target in targets if target not in set(job.changed)]
        whole = len(self.policies) + (self.size if job.work.computers else 0)

        def timed(chosen: t.Sequence[tuple[str, int]]) -> tuple[Usage, int]:
            self._prepared([target for target in chosen if target in job.changed], latency)
            only = [(kind, target, targets[kind, target]) for kind, target in chosen]
            usage = one(dataclasses.replace(job.work, only=only), {each: targets[each] for each in chosen})
            return self._scaled(usage), self.lab.summary()["total"]

        samples = []
        # Prefer computers to policies, because there are more of them.
        for some, number in ((same[::-1], whole - len(job.changed)), (job.changed, len(job.changed))):
            if chosen := some[: min(size, number)]:
                samples.append(Sample(*timed(chosen), len(chosen), number))
        return estimate(timed(()), samples, self.limit)

    # -- contenders

    def _collection(self, job: Job) -> Usage:
        if job.inventory:
            source = self.folder / "workload.computers.yml"
            source.write_text(yaml.safe_dump(job.task))
            usage, printed = run_ansible(self.lab, "ansible-inventory", self.folder, "-i", str(source), "--list")
            if '"hostvars"' not in printed:
                raise RuntimeError(f"no inventory:\n{printed[-4000:]}")
            return usage
        usage, has_changed = run_task(self.lab, job.task, self.folder)
        if job.loops and has_changed != bool(self.differing):
            raise RuntimeError(f"{job.name}: changed={has_changed}, after {len(self.differing)} changes by hand")
        return usage

    def _bare(self, job: Job) -> Usage:
        del job
        return self._python(str(ROOT / "tests" / "bench" / "bare.py"), str(self.folder / "requests.json"))

    def _sdk(self, job: Job) -> Usage:
        job.work.write(self.folder / "work.json")
        return self._python("-m", "tests.bench.sdk", job.manner, str(self.folder / "work.json"))

    def _sdk_loop(self, work: Work, targets: Targets) -> Usage:
        del targets
        work.write(self.folder / "work.json")
        return self._python("-m", "tests.bench.sdk", "loop", str(self.folder / "work.json"))

    def _uri(self, work: Work, targets: Targets) -> Usage:
        return run_play(self.lab, uri_play(work, targets), self.folder)[0]

    def _python(self, *arguments: str) -> Usage:
        command = [sys.executable, *arguments]
        return run(command, self.folder / "output", WORKLOAD_SECURITY_API_KEY=self.lab.api_key)

    # -- before and after

    def _prepared(self, changed: t.Sequence[tuple[str, int]], latency: int) -> None:
        """Change these targets by hand, start counting requests, and set the manager's latency."""
        self.lab.clear_faults()
        self.differing = changed
        for start in range(0, len(changed), CALLS_BY_HAND):
            if self.limit:
                self.lab.advance(61)
            differ_by_hand(self.lab, changed[start : start + CALLS_BY_HAND])
        if self.limit:
            self.lab.advance(61)
        self.lab.clear_requests()
        if latency:
            self.lab.add_fault(times=0, action={"kind": "delay", "seconds": latency / 1000})

    def _see_that_it_is_done(self, job: Job) -> None:
        """Check that some of the targets that differed are as declared. Raises C(RuntimeError) otherwise."""
        self.lab.clear_faults()
        for kind, target in job.changed[:: max(len(job.changed) // 10, 1)]:
            if kind == "computers":
                query = {"expand": "computerSettings", "overrides": "false"}
                found = self.lab.api("GET", f"/computers/{target}", query=query)["computerSettings"]
                done = all(found[name]["value"] == value for name, value in SETTINGS.items())
            else:
                path = f"/policies/{target}/firewall/assignments"
                done = bool(self.lab.api("GET", path, query={"overrides": "true"})["assignedRuleIDs"])
            if not done:
                raise RuntimeError(f"{job.name}: {kind} {target} is not as declared")

    def _count(self, measured: Measured) -> None:
        if self.limit:
            measured.refused = sum(one["status"] == 429 for one in self.lab.requests())
        measured.requests = max(measured.requests, self.lab.summary()["total"])

    def _scaled(self, usage: Usage) -> Usage:
        """The usage with the time by the manager's clock."""
        return dataclasses.replace(usage, wall=usage.wall * self.time_factor)


def differ_by_hand(lab: LabManager, targets: t.Iterable[tuple[str, int]]) -> None:
    """Set all settings of computers to other values, and remove the rule from policies that have it themselves."""
    rule = next(one["ID"] for one in lab.api("GET", "/firewallrules")["firewallRules"] if one["name"] == RULE)
    own = {"overrides": "true"}
    for kind, target in targets:
        if kind == "computers":
            lab.api("POST", f"/computers/{target}", {"computerSettings": BY_HAND}, {"expand": "none"})
            continue
        path = f"/policies/{target}/firewall/assignments"
        if rule in lab.api("GET", path, query=own)["assignedRuleIDs"]:
            lab.api("DELETE", f"{path}/{rule}", query=own)


def seen_requests(lab: LabManager) -> dict[str, t.Any]:
    """The input for the bare script: the requests of the task that were not refused."""
    requests = [
        {**{key: one[key] for key in ("method", "path", "query", "body")}, "writes": one["kind"] != "read"}
        for one in lab.requests()
        if one["status"] != 429
    ]
    return {"url": lab.url, "ca_path": lab.ca_path, "concurrency": CONCURRENCY, "requests": requests}


def _sample_size(latency: int) -> int:
    """The number of targets in the sample of the SDK's loop: six requests for each, of about 2 ms plus the latency."""
    return max(2, min(SAMPLE_MOST, round(SAMPLE_SECONDS / ((len(SETTINGS) + 1) * (0.002 + latency / 1000)))))


def note(text: str) -> None:
    """Say what is being done, separately from the results."""
    print(text, file=sys.stderr, flush=True)
