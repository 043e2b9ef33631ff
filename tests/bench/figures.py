# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, and what follows from it. Only the standard library, so that it can be read anywhere."""

from __future__ import annotations

import json
import statistics
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Who does the work, in the order of the tables.
COLLECTION, BARE, PAGES, LOOP, URI = "collection", "bare", "sdk_pages", "sdk_loop", "uri"
CONTENDERS = {
    COLLECTION: "this collection",
    BARE: "bare script",
    PAGES: "SDK in pages",
    LOOP: "SDK in a loop",
    URI: "`uri` in a loop",
}
# Ansible's own start: a module that Ansible starts, an action in its own process, and for inventories, one without hosts.
PING, DEBUG, NO_HOSTS = "ping", "debug", "no hosts"


@dataclass(frozen=True)
class Usage:
    """What a process and all that it started took.

    wall: seconds from start to end. cpu: seconds on all processors, in user and kernel mode.
    memory: bytes of resident memory at the peak of the largest process among them.
    """

    wall: float
    cpu: float
    memory: int


def middle(usages: t.Sequence[Usage], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(usage, name) for usage in usages)


@dataclass
class Measured:
    """What one contender took in one case, once a round.

    requests: those that the lab saw. refused: those among them that it answered with 429. estimated: whether this is
    reckoned from a sample; C(memory) is that of the sample then.
    """

    usages: list[Usage] = field(default_factory=list)
    requests: int = 0
    refused: int = 0
    estimated: bool = False


@dataclass
class Case:
    """One piece of work on one fleet: what each start and each contender took.

    latency: milliseconds that the manager takes for each reply beyond its work. time_factor: how many times as fast the
    manager's clock ran, where it allows a number of C(requests_per_minute) by that clock, 0 for any number.
    """

    work: str
    computers: int
    latency: int = 0
    requests_per_minute: int = 0
    time_factor: float = 1.0
    starts: dict[str, list[Usage]] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def beyond(self, start: str, figure: str = "wall") -> float:
        """What the collection's run took beyond Ansible's start."""
        return middle(self.measured[COLLECTION].usages, figure) - middle(self.starts[start], figure)

    def ratio(self, start: str, figure: str = "wall") -> float:
        """The same in times of what the bare script took."""
        return self.beyond(start, figure) / middle(self.measured[BARE].usages, figure)

    def times_ours(self, contender: str) -> float:
        """The contender's time in times of the collection's, both with their starts."""
        ours = middle(self.measured[COLLECTION].usages, "wall")
        return middle(self.measured[contender].usages, "wall") / ours


@dataclass
class Sample:
    """Some of a number of equal pieces of work: what a run took that did C(sampled) of C(whole) of them."""

    usage: Usage
    requests: int
    sampled: int
    whole: int


def estimate(start: tuple[Usage, int], samples: t.Sequence[Sample], requests_per_minute: int = 0) -> Measured:
    """What the whole takes: the start (a run that did none of it) and each sample's rest as often as it is in the whole.

    It takes no less time than the manager takes to allow the requests. Its CPU seconds are 0 where they are not known.
    """
    usage, requests = start
    wall, cpu, sent = usage.wall, usage.cpu, float(requests)
    for sample in samples:
        times = sample.whole / sample.sampled
        wall += max(sample.usage.wall - usage.wall, 0) * times
        cpu += max(sample.usage.cpu - usage.cpu, 0) * times
        sent += (sample.requests - requests) * times
    if requests_per_minute:
        wall = max(wall, sent / requests_per_minute * 60)
    if any(sample.usage.cpu <= usage.cpu for sample in samples):
        # Too little to be seen on a machine that is busy.
        cpu = 0.0
    memory = max(usage.memory, *(sample.usage.memory for sample in samples))
    return Measured([Usage(wall, cpu, memory)], round(sent), estimated=True)


@dataclass
class Figures:
    """All of one run: on which machine, when, how many rounds, and the memory of a task that changes everything."""

    machine: str
    software: str
    date: str
    rounds: int
    load: list[float] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    everything: Usage | None = None
    everything_computers: int = 0

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Figures:
        """As C(write) left them."""
        given = json.loads(path.read_text(encoding="utf-8"))
        given["cases"] = [
            Case(
                **{
                    **case,
                    "starts": {name: _usages(usages) for name, usages in case["starts"].items()},
                    "measured": {
                        name: Measured(**{**one, "usages": _usages(one["usages"])})
                        for name, one in case["measured"].items()
                    },
                }
            )
            for case in given["cases"]
        ]
        given["everything"] = given["everything"] and Usage(**given["everything"])
        return cls(**given)


def _usages(given: list[dict[str, t.Any]]) -> list[Usage]:
    return [Usage(**usage) for usage in given]
