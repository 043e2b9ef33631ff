# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures as tables and pictures, and the page of the documentation that shows them."""

from __future__ import annotations

import math
import typing as t
from pathlib import Path

from tests.bench.figures import BARE, COLLECTION, CONTENDERS, LOOP, PAGES, URI, Case, Figures, middle
from tests.bench.plot import Line, draw
from tests.gates.environments import ROOT

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "static"
BEGIN, END = "<!-- What follows is written by make bench. -->", "<!-- What make bench writes ends here. -->"


def publish(found: Figures, path: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Write the tables into the page, and the pictures into their folder."""
    before, _begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _old, _end, after = rest.partition(END)
    shown = [f"![{title}](static/{name})" for name, title in _draw_all(found, pictures)]
    path.write_text("\n\n".join([before + BEGIN, *shown, tables(found), END + after]), encoding="utf-8")


def tables(found: Figures) -> str:
    """All tables, in Markdown."""
    free = [case for case in found.cases if not case.requests_per_minute]
    limited = [case for case in found.cases if case.requests_per_minute]
    parts = [_machine(found), "## Compared with the bare script", _beyond_start(free)]
    parts += ["## Compared with what people use", _peers(free)]
    if found.everything:
        parts.append(
            f"A task that sets all facets on each of {found.everything_computers:,} computers itself took"
            f" {found.everything.memory / 1e6:.0f} MB of memory at its peak, and {found.everything.wall:.0f} seconds."
        )
    if limited:
        factor, limit = limited[0].time_factor, limited[0].requests_per_minute
        parts += [
            f"## At {limit} requests a minute",
            f"The manager's clock ran {factor:g} times as fast as others. Times are by that clock: what a contender"
            f" computes or starts counts {factor:g} times here.",
            *(_whole(cases, limited=True) for cases in _by_work(limited)),
        ]
    parts += ["## All figures", *(_whole(cases) for cases in _by_work(free))]
    return "\n\n".join(parts)


def _machine(found: Figures) -> str:
    load = f", load average from {min(found.load):.1f} to {max(found.load):.1f}" if found.load else ""
    rounds = f"medians of {found.rounds} rounds" if found.rounds > 1 else "one round"
    most = max((len(case.measured[BARE].usages) for case in found.cases), default=0)
    rounds += f" ({most} without latency)" if most > found.rounds else ""
    busy = (
        " More than the benchmark was running on the machine: CPU seconds and ratios say more than seconds."
        if found.load and max(found.load) > 3
        else ""
    )
    return f"Measured on {found.date}, {rounds}, on {found.machine}{load}; {found.software}.{busy}"


def _beyond_start(cases: t.Sequence[Case]) -> str:
    """The collection's time without Ansible's start, divided by the bare script's."""
    rows = [["work", *(f"at {latency} ms" for latency in _latencies(cases)), "CPU, at no latency", "requests"]]
    for group in _by_work(cases):
        at = {case.latency: case for case in group}
        cells = [
            " / ".join(f"{at[one].ratio(start):.2f}" for start in at[one].starts) if one in at else ""
            for one in _latencies(cases)
        ]
        first = group[0]
        cpu = " / ".join(f"{first.ratio(start, 'cpu'):.2f}" for start in first.starts)
        requests = first.measured[COLLECTION].requests / first.measured[BARE].requests
        rows.append([_name(first), *cells, cpu, f"{requests:.2f}"])
    return (
        "The collection's time without Ansible's start, divided by the bare script's whole time: first with `ping` as"
        " the start, then with `debug`, as above. Below 0, the task as a whole took less than `ping`. An inventory's start"
        " is one without hosts.\n\n" + _table(rows)
    )


def _peers(cases: t.Sequence[Case]) -> str:
    """The others' time, divided by the collection's."""
    latencies = _latencies(cases)
    rows = [["work", "who", *(f"at {latency} ms" for latency in latencies)]]
    for group in _by_work(cases):
        at = {case.latency: case for case in group}
        for contender in (PAGES, LOOP, URI):
            if contender in group[0].measured:
                cells = [f"{_short(at[one].times_ours(contender))}" if one in at else "" for one in latencies]
                rows.append([_name(group[0]), CONTENDERS[contender], *cells])
    return (
        "Their whole time, divided by the collection's whole time, Ansible's start included. Below 1, they are faster"
        " than the collection.\n\n" + _table(rows)
    )


def _whole(cases: t.Sequence[Case], *, limited: bool = False) -> str:
    """All figures for one piece of work."""
    rows = [["latency", "who", "requests", "seconds", "CPU seconds", "memory, MiB", "÷ bare script"]]
    if limited:
        rows[0][0] = "refused"
    for case in cases:
        for start, usages in case.starts.items():
            figures = [f"{middle(usages, 'wall'):.2f}", f"{middle(usages, 'cpu'):.2f}"]
            memory = f"{middle(usages, 'memory') / 2**20:.0f}"
            rows.append(["" if limited else f"{case.latency} ms", f"start: {start}", "", *figures, memory, ""])
        for contender, name in CONTENDERS.items():
            if contender not in case.measured:
                continue
            one = case.measured[contender]
            about, least = ("≈ ", "≥ ") if one.estimated else ("", "")
            wall, cpu = middle(one.usages, "wall"), middle(one.usages, "cpu")
            rows.append(
                [
                    str(one.refused) if limited else f"{case.latency} ms",
                    name,
                    f"{about}{one.requests:,}",
                    f"{about}{_long(wall)}",
                    f"{about}{_long(cpu)}" if cpu else "not known",
                    f"{least}{middle(one.usages, 'memory') / 2**20:.0f}",
                    f"{about}{_short(wall / middle(case.measured[BARE].usages, 'wall'))}",
                ]
            )
    return f"### {_name(cases[0]).capitalize()}{', limited' if limited else ''}\n\n" + _table(rows)


def _draw_all(found: Figures, folder: Path) -> t.Iterator[tuple[str, str]]:
    """Draw a picture of the checks for each latency with several sizes. Yields its file and its title."""
    checks = [case for case in found.cases if case.work == "check" and not case.requests_per_minute]
    for latency in _latencies(checks):
        cases = sorted((case for case in checks if case.latency == latency), key=lambda case: case.computers)
        if len(cases) < 2:
            continue
        lines = [
            Line(
                name.replace("`", ""),
                [(case.computers, middle(case.measured[contender].usages, "wall")) for case in cases],
                cases[0].measured[contender].estimated,
            )
            for contender, name in CONTENDERS.items()
        ]
        slow = f"{latency} ms for each reply" if latency else "a manager that answers at once"
        title = f"A check of a fleet, {slow}"
        file = f"performance_check_{latency}.svg"
        (folder / file).write_text(draw(title, "computers", "seconds", lines), encoding="utf-8")
        yield file, title


def _by_work(cases: t.Sequence[Case]) -> list[list[Case]]:
    """The cases in groups that only differ in latency."""
    found: dict[tuple[str, int], list[Case]] = {}
    for case in cases:
        found.setdefault((case.work, case.computers), []).append(case)
    return [sorted(group, key=lambda case: case.latency) for group in found.values()]


def _latencies(cases: t.Sequence[Case]) -> list[int]:
    return sorted({case.latency for case in cases})


def _name(case: Case) -> str:
    return case.work if "policies" in case.work else f"{case.work} of {case.computers:,}"


def _short(value: float) -> str:
    """A number with two or three significant digits."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _long(seconds: float) -> str:
    """Seconds. Long times are rounded to three significant digits."""
    if seconds < 100:
        return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"
    digits = 2 - math.floor(math.log10(seconds))
    return f"{round(seconds, digits):,.0f}"


def _table(rows: t.Sequence[t.Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
