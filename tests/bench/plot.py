# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A picture of how something grows: lines over powers of ten, as SVG."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 780, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 50, 50
LINE_HEIGHT = 15
# Also distinguishable for people who cannot tell colors apart, because light and dark ones alternate.
COLORS = ("#0b5fa5", "#b35f00", "#1b7f4d", "#c0397a", "#5b3f95")


@dataclass(frozen=True)
class Line:
    """One line: its name, its points, and whether these are estimates, which are drawn hollow and dashed."""

    name: str
    points: t.Sequence[tuple[float, float]]
    estimated: bool = False


def draw(title: str, x_name: str, y_name: str, lines: t.Sequence[Line]) -> str:
    """The picture. All values must be greater than 0."""
    xs = [x for line in lines for x, _y in line.points]
    ys = [y for line in lines for _x, y in line.points]
    left, right = math.log10(min(xs)), math.log10(max(xs))
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / ((right - left) or 1)
        up = (math.log10(y) - low) / ((high - low) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [
        # REUSE-IgnoreStart
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->",
        # REUSE-IgnoreEnd
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif"'
        ' font-size="13" fill="#222">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="40">{escape(y_name)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>',
    ]
    for power in range(low, high + 1):
        y = place(min(xs), 10**power)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,g}</text>')
    for x in sorted(set(xs)):
        across = place(x, min(ys))[0]
        parts.append(f'<path d="M{across:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>')
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,g}</text>')
    ends = _apart([place(*line.points[-1])[1] for line in lines])
    for line, color, end in zip(lines, COLORS, ends):
        places = [place(*point) for point in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dashes = ' stroke-dasharray="6 4"' if line.estimated else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2.5"{dashes}/>')
        for x, y in places:
            inside = "#fff" if line.estimated else color
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" stroke="{color}" stroke-width="2" fill="{inside}"/>')
        name = f"{line.name} (estimated)" if line.estimated else line.name
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{end + 4:.1f}" fill="{color}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _apart(places: t.Sequence[float]) -> list[float]:
    """The places, moved down if a line of text would otherwise cover another one."""
    found = list(places)
    last = -math.inf
    for index in sorted(range(len(found)), key=lambda index: found[index]):
        found[index] = last = max(found[index], last + LINE_HEIGHT)
    return found
