# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording shared by messages."""

from __future__ import annotations

import typing as t


def enumerated(names: t.Sequence[str], most: int = 10) -> str:
    """Names in a row; of very many the first ones and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def outline(tree: t.Mapping[str, t.Any], indent: int = 0) -> str:
    """Nested values as indented lines, one value to a line, for diffs that people read."""
    lines = []
    for name, value in tree.items():
        pad = "  " * indent
        if isinstance(value, dict):
            lines.append(f"{pad}{name}:\n{outline(value, indent + 1)}")
        elif isinstance(value, (list, tuple)):
            items = "".join(f"{pad}  - {item}\n" for item in value)
            lines.append(f"{pad}{name}:\n{items}")
        else:
            lines.append(f"{pad}{name}: {str(value).lower() if isinstance(value, bool) else value}\n")
    return "".join(lines)
