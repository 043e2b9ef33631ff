# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, and what follows from it. Needs only the standard library, so figures can be read anywhere."""

from __future__ import annotations

import json
import statistics
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

# The contenders that do the work, in the order of the tables.
COLLECTION, BARE, PAGES, LOOP, URI = "collection", "bare", "sdk_pages", "sdk_loop", "uri"
CONTENDERS = {
    COLLECTION: "this collection",
    BARE: "bare script",
    PAGES: "SDK in pages",
    LOOP: "SDK in a loop",
    URI: "`uri` in a loop",
}
# Ansible's own start: with a module that it starts, with an action in its own process, and with an empty inventory.
PING, DEBUG, NO_HOSTS = "ping", "debug", "no hosts"


@dataclass(frozen=True)
class Usage:
    """What a process and everything that it started used.

    wall: seconds from start to end. cpu: seconds on all processors, in user and kernel mode.
    memory: bytes of resident memory of the largest of these processes at its peak.
    """

    wall: float
    cpu: float
    memory: int


def middle(usages: t.Sequence[Usage], name: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(usage, name) for usage in usages)


@dataclass
class Measured:
    """What one contender used in one case, once for each round.

    requests: those that the lab saw. refused: those of them that it answered with 429. estimated: whether this is
    computed from a sample. If so, C(memory) is that of the sample.
    """

    usages: list[Usage] = field(default_factory=list)
    requests: int = 0
    refused: int = 0
    estimated: bool = False


@dataclass
class Case:
    """One piece of work on one fleet: what each start and each contender used.

    latency: additional milliseconds that the manager takes for each reply. time_factor: how many times as fast the
    manager's clock ran. requests_per_minute: its limit by that clock, 0 for none.
    """

    work: str
    computers: int
    latency: int = 0
    requests_per_minute: int = 0
    time_factor: float = 1.0
    starts: dict[str, list[Usage]] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def beyond(self, start: str, figure: str = "wall") -> float:
        """What the collection's run used in addition to Ansible's start."""
        return middle(self.measured[COLLECTION].usages, figure) - middle(self.starts[start], figure)

    def ratio(self, start: str, figure: str = "wall") -> float:
        """The same, divided by what the bare script used."""
        return self.beyond(start, figure) / middle(self.measured[BARE].usages, figure)

    def times_ours(self, contender: str) -> float:
        """The contender's time divided by the collection's, both with their starts."""
        ours = middle(self.measured[COLLECTION].usages, "wall")
        return middle(self.measured[contender].usages, "wall") / ours


@dataclass
class Sample:
    """A sample of equal pieces of work: what a run used that did C(sampled) of C(whole) of them."""

    usage: Usage
    requests: int
    sampled: int
    whole: int


def estimate(start: tuple[Usage, int], samples: t.Sequence[Sample], requests_per_minute: int = 0) -> Measured:
    """An estimate for the whole: the start (a run without any work), plus what each sample adds to it, scaled up.

    The time is at least what the manager's limit needs for the requests. CPU seconds are 0 if they are not known.
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
        # The difference is too small to be seen on a busy machine.
        cpu = 0.0
    memory = max(usage.memory, *(sample.usage.memory for sample in samples))
    return Measured([Usage(wall, cpu, memory)], round(sent), estimated=True)


@dataclass
class Figures:
    """All figures of one run: the machine, the date, the rounds, the cases, and a task that changes everything.

    rounds: how often each was run; some were run more often.
    """

    machine: str
    software: str
    date: str
    rounds: int
    load: list[float] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    everything: Usage | None = None
    everything_computers: int = 0

    def write(self, path: Path) -> None:
        """Write the figures as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Figures:
        """Read figures that C(write) has written."""
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
