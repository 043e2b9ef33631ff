# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the pictures of the documentation, C(docs/pictures/*.svg).

Run from the root of the repository, it draws all of them::

    .venv/tools/bin/python -m tests.gates.pictures

The layers come from the table that tests/gates/test_layers.py compares with the code.
"""

from __future__ import annotations

import html
import typing as t
from pathlib import Path

from tests.gates.environments import ROOT
from tests.gates.test_layers import IMPORTS, ORDER

FOLDER = Path("docs/pictures")
_WIDTH = 680

# Each picture has its own background, so that it can be read on a light and on a dark page.
_STYLE = """
    text { font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2933; }
    .name { font-weight: 600; font-size: 14px; }
    .small { font-size: 12px; fill: #52606d; }
    .ground { fill: #ffffff; }
    .box { fill: #eef4fb; stroke: #3b6ea5; }
    .gate { fill: #fdf3dc; stroke: #a06a00; }
    .bad { fill: #fbeaea; stroke: #b03030; }
    .good { fill: #e8f5ec; stroke: #2d7d46; }
    .line { stroke: #52606d; fill: none; stroke-width: 1.5; }
    .tip { fill: #52606d; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb; }
      .small { fill: #b8c2cc; }
      .ground { fill: #1b2229; }
      .box { fill: #22364b; stroke: #7fb0e6; }
      .gate { fill: #453612; stroke: #e0b050; }
      .bad { fill: #4a2323; stroke: #ee8f8f; }
      .good { fill: #1f3d2a; stroke: #7fcf9a; }
      .line { stroke: #b8c2cc; }
      .tip { fill: #b8c2cc; }
    }
"""


class _Picture:
    """An SVG that is being drawn."""

    def __init__(self, title: str, height: int) -> None:
        self._title = title
        self._height = height
        self._parts: list[str] = []

    def text(self, x: int, y: int, text: str, css_class: str = "", anchor: str = "start") -> None:
        """A line of text with its baseline at C(y)."""
        self._parts.append(
            f'<text x="{x}" y="{y}" class="{css_class}" text-anchor="{anchor}">{html.escape(text, quote=False)}</text>'
        )

    def box(self, x: int, y: int, width: int, height: int, lines: t.Sequence[str], kind: str = "box") -> None:
        """A box with lines of text in its middle. The first line is its name."""
        self._parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" class="{kind}"/>')
        top = y + height // 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.text(x + width // 2, top + 18 * number, line, "small" if number else "name", "middle")

    def arrow(self, *points: tuple[int, int]) -> None:
        """A line through points, with a tip at its end."""
        self._parts.append(
            '<polyline points="' + " ".join(f"{x},{y}" for x, y in points) + '" class="line" marker-end="url(#tip)"/>'
        )

    @property
    def svg(self) -> str:
        """The whole file."""
        parts = "\n  ".join(self._parts)
        return (
            # REUSE-IgnoreStart
            "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->\n"
            # REUSE-IgnoreEnd
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{self._height}"'
            f' viewBox="0 0 {_WIDTH} {self._height}" role="img">\n'
            f"  <title>{html.escape(self._title, quote=False)}</title>\n"
            f"  <style>{_STYLE}  </style>\n"
            '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
            ' orient="auto"><path d="M0,0 L8,4 L0,8 z" class="tip"/></marker></defs>\n'
            f'  <rect width="{_WIDTH}" height="{self._height}" rx="8" class="ground"/>\n'
            f"  {parts}\n</svg>\n"
        )


_PURPOSES = {
    "action": "run the module of the same name in Ansible's own process",
    "inventory": "the manager's computers as hosts",
    "modules": "documentation, options, about twenty lines each",
    "plugin_utils": "what action plugins and the inventory share",
    "filter": "functions for templates",
    "test": "questions about versions, for templates",
    "doc_fragments": "documentation that modules share",
    "_task": "from options to a result",
    "_answers": "what reports and _info modules answer",
    "_activation": "activation by agents, deployment scripts",
    "_sending": "policies sent to agents, and whether they arrive",
    "_communication": "document, plan, apply, result, capture",
    "_facets": "heartbeat, communication direction, firewall restriction",
    "_fleet": "policies, computers, settings and rules; targets and queries",
    "_manager": "connection, requests and retries",
    "_probe": "TLS handshakes with an agent's port",
    "_connectivity": "whether a host reaches its manager",
    "_dns": "records, and the places that hold them",
    "_agent": "versions, releases and cipher suites of agents",
    "_host": "programs of a host, with limits",
    "_ssh": "the only way to SSH servers",
    "_vendor": "the vendor's facts: regions, ports, host names",
    "_basis": "options, text, addresses, errors",
}
_UPPER = ("action", "inventory", "modules", "plugin_utils", "filter", "test", "doc_fragments")


def layers() -> str:
    """The packages from the top down, and the packages that each of them imports from."""
    names = [*_UPPER, *(package for line in ORDER for package in line)]
    assert set(names) == set(IMPORTS), "each layer is drawn"
    lines: list[list[str]] = []
    for name in names:
        lines.append([""])
        for other in IMPORTS[name]:
            if len(lines[-1][-1] + other) > 64:
                lines[-1].append("")
            lines[-1][-1] += f"{other}, "
    heights = [34 + 17 * len(imported) for imported in lines]
    picture = _Picture("The layers of the code, from the top down", sum(heights) + 6 * len(names) + 50)
    picture.text(20, 26, "Each layer imports only from layers below it:", "small")
    y = 40
    for name, imported, height in zip(names, lines, heights):
        picture.box(20, y, 150, height, [name], "good" if name in _UPPER else "box")
        picture.text(186, y + 20, _PURPOSES[name])
        for number, line in enumerate(imported):
            before = "imports from " if not number else ""
            shown = f"{before}{line}".rstrip() if line else "imports nothing else"
            picture.text(186, y + 39 + 17 * number, shown.rstrip("," if number == len(imported) - 1 else ""), "small")
        y += height + 6
    return picture.svg


def trip() -> str:
    """The path that all data takes from options to a result."""
    picture = _Picture("The trip of the data: options, document, fleet, facets, plan, apply, result", 390)
    left, middle, right, width, height = 20, 240, 460, 200, 80
    picture.box(left, 30, width, height, ["Options", "of a module, role", "or playbook"])
    picture.box(middle, 30, width, height, ["Document", "profiles: targets, and what", "is declared for them"])
    picture.box(right, 30, width, height, ["Fleet", "what is set on the targets,", "read in few requests"])
    picture.box(right, 150, width, height, ["Facets", "each says its steps once,", "knowing those before"])
    picture.box(middle, 150, width, height, ["Plan", "steps that never change,", "with a digest"], "gate")
    picture.box(left, 150, width, height, ["Other ends", "check mode, plan file, drift,", "part of a plan, wave"])
    picture.box(middle, 270, width, height, ["Apply", "writes step by step, and", "believes what it reads back"])
    picture.box(left, 270, width, height, ["Manager", "one write for all settings", "of a target"])
    picture.box(right, 270, width, height, ["Result", "equal steps in groups,", "a diff, what failed and why"], "good")
    for y, *ends in ((70, left + width, middle), (70, middle + width, right), (190, right, middle + width)):
        picture.arrow((ends[0], y), (ends[1], y))
    picture.arrow((right + 100, 110), (right + 100, 150))
    picture.arrow((middle, 190), (left + width, 190))
    picture.arrow((middle + 100, 230), (middle + 100, 270))
    picture.arrow((middle, 310), (left + width, 310))
    picture.arrow((middle + width, 310), (right, 310))
    picture.arrow((middle + width - 20, 230), (middle + width - 20, 250), (right + 60, 250), (right + 60, 270))
    picture.text(
        20, 376, "Only apply writes to policies and computers. The result of check mode comes from the plan.", "small"
    )
    return picture.svg


def rollout() -> str:
    """Waves, the gate after each, and the way back."""
    picture = _Picture("A rollout: waves, the gate after each, and putting back a wave that fails", 440)
    picture.box(20, 30, 190, 80, ["Before", "snapshot of all targets,", "chosen hosts are checked"])
    picture.box(20, 180, 190, 80, ["Wave", "one computer, 1 %, 10 %, ...,", "then policies and rules"])
    picture.box(270, 180, 190, 80, ["Gate", "are all agents of the wave", "well, some heartbeats later?"], "gate")
    picture.box(270, 330, 190, 80, ["Put back", "what the wave has written,", "and send the policies"], "bad")
    picture.box(510, 330, 150, 80, ["Stopped", "no further wave starts", "status 2"], "bad")
    picture.box(510, 180, 150, 80, ["Done", "after the last wave", "status 0"], "good")
    picture.arrow((115, 110), (115, 180))
    picture.arrow((210, 220), (270, 220))
    picture.arrow((460, 220), (510, 220))
    picture.arrow((365, 180), (365, 145), (150, 145), (150, 180))
    picture.text(258, 138, "yes: the next wave", "small", "middle")
    picture.text(485, 212, "yes", "small", "middle")
    picture.arrow((365, 260), (365, 330))
    picture.text(375, 300, "no, or it cannot be judged", "small")
    picture.arrow((460, 370), (510, 370))
    picture.text(20, 360, "An interrupted rollout goes on where", "small")
    picture.text(20, 378, "it was: run the same command again.", "small")
    return picture.svg


PICTURES: dict[str, t.Callable[[], str]] = {"layers.svg": layers, "trip.svg": trip, "rollout.svg": rollout}


if __name__ == "__main__":
    (ROOT / FOLDER).mkdir(exist_ok=True)
    for file, draw in PICTURES.items():
        (ROOT / FOLDER / file).write_text(draw(), encoding="utf-8")
