# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that a nonexistent name most likely means."""

from __future__ import annotations

import difflib
import typing as t

from .._basis.text import enumerated, quoted

# The most names to suggest.
_MOST = 3


def nearest(name: str, candidates: t.Iterable[str]) -> list[str]:
    """At most three similar names, the nearest first: other case, other separators, short host names, or a typo."""
    known = sorted({candidate for candidate in candidates if candidate})
    plain: dict[str, list[str]] = {}
    for candidate in known:
        plain.setdefault(_plain(candidate), []).append(candidate)
    wanted = _plain(name)
    found = plain.get(wanted, [])
    if len(found) < _MOST:
        found = found + [one for one in known if _first_label(one) == _first_label(name) != ""]
    if len(found) < _MOST:
        found = found + [one for key in difflib.get_close_matches(wanted, plain, _MOST) for one in plain[key]]
    return list(dict.fromkeys(found))[:_MOST]


def suggestion(name: str, candidates: t.Iterable[str]) -> str:
    """The nearest names as the rest of a sentence, empty if there are none."""
    found = nearest(name, candidates)
    return f"; nearest: {enumerated(list(map(quoted, found)))}" if found else ""


def _plain(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _first_label(name: str) -> str:
    return name.strip().casefold().partition(".")[0]
