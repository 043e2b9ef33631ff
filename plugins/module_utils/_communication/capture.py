# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Capture: writes the present values on the manager into a file, as a document. Only reads from the manager."""

from __future__ import annotations

import re
import typing as t

from .._basis.errors import OptionError
from .._basis.files import tidy
from .._basis.interpreter import fit_for_fleets
from .._basis.text import shown
from .._facets.facet import Facet
from .._facets.registry import FACETS
from .._fleet.fleet import Fleet
from .._fleet.objects import Policy
from .._fleet.targets import TARGET_ARGUMENTS, Selector, chosen_by
from .._manager.client import Client
from .advice import Advice
from .document import REMOVE, TARGETS
from .short import Result
from .snapshot import LeftOut, Snapshot, take_snapshot, told_of
from .snapshot_file import DocumentText, expect_writable, read_text, replace_text

CAPTURE_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "variable": {"type": "str", "default": "communication_profiles"},
    "facets": {"type": "list", "elements": "str", "choices": [*FACETS], "default": [*FACETS]},
    "complete": {"type": "bool", "default": False},
    **TARGET_ARGUMENTS,
}

# The top of a complete snapshot's file: variables that make the role C(communication) remove all later overrides.
_COMPLETE = f"""\
---
# What these targets had set themselves at one moment. Applied, it also takes away what was set on them later.
communication_undeclared: {REMOVE}
communication_scope: {TARGETS}
"""

# The most names in an entry of the result, and the most sentences that become separate warnings.
_NAMED = 20
_WARNED = 10


class CaptureWish(t.NamedTuple):
    """What to capture, of which targets (C(selector), C(None) for all), and the variable and file to keep it in."""

    path: str
    variable: str
    facets: tuple[Facet[t.Any], ...]
    selector: Selector | None
    complete: bool = False

    @classmethod
    def from_options(cls, params: t.Mapping[str, t.Any], deployment: str) -> CaptureWish:
        """Read the options of C(CAPTURE_ARGUMENTS). Raises C(OptionError)."""
        variable, path = params["variable"], params["path"]
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", variable):
            raise OptionError(
                "variable", variable, "it must be the name of a variable: letters, digits and underscores"
            )
        if not path or "\0" in path:
            raise OptionError("path", path, "it must be the path of a file")
        if not params["facets"]:
            raise OptionError("facets", params["facets"], f"it must hold at least one of {', '.join(FACETS)}")
        complete = bool(params.get("complete"))
        if complete and len(params["facets"]) < len(FACETS):
            raise OptionError(
                "facets", params["facets"], "it must be left out if complete is true, because that is about all facets"
            )
        return cls(
            path,
            variable,
            tuple(kind(deployment) for name, kind in FACETS.items() if name in params["facets"]),
            Selector.from_options(params, "") if chosen_by(params) else None,
            complete,
        )


@fit_for_fleets()
def capture(client: Client, wanted: CaptureWish, check_mode: bool) -> Result:
    """Write the present values on the manager into the file, or in check mode say what would change in the file.

    Raises C(OptionError) for a file that cannot be read or understood, and for targets that cannot be found,
    C(FileError) for a file that cannot be written, and C(ManagerError) if reading fails. The file is then unchanged.
    """
    before = read_text(wanted.path)
    if wanted.complete and before is not None:
        raise OptionError("path", wanted.path, "it must not exist yet, since a complete snapshot is of one moment")
    text = DocumentText(_COMPLETE if wanted.complete else before or "", wanted.variable, wanted.path)
    written = text.profiles()
    fleet = Fleet(client)
    snapshot = take_snapshot(fleet, wanted.facets, wanted.selector, written, wanted.complete)
    after = text.with_snapshot(snapshot, written)
    changed = after != before
    if check_mode and changed:
        expect_writable(wanted.path)
    elif changed:
        replace_text(wanted.path, before, after)
    elif not check_mode:
        tidy(wanted.path)
    removed = sum(edit.gone for edit in snapshot.edits.values())
    counts = {"added": len(snapshot.profiles), "changed": len(snapshot.edits) - removed, "removed": removed}
    return {
        "changed": changed,
        "file": wanted.path,
        "summary": _summary(snapshot, counts, changed, check_mode),
        "profiles": {**counts, "count": len(written) - removed + len(snapshot.profiles)},
        "targets": snapshot.targets,
        "overrides": snapshot.overrides,
        "left_out": [_left_out(one) for one in snapshot.left_out],
        "advice": [_advice(one) for one in snapshot.advice],
        "requests": client.transport.requests,
        "warnings": [*fleet.warnings, *_warnings(snapshot), *told_of(written)],
        "diff": {
            "before": before or "",
            "after": after,
            "before_header": wanted.path if before is not None else f"{wanted.path} (absent)",
            "after_header": wanted.path,
        },
    }


def _summary(snapshot: Snapshot, counts: t.Mapping[str, int], changed: bool, check_mode: bool) -> str:
    told = [f"{snapshot.overrides} override{'' if snapshot.overrides == 1 else 's'} of {snapshot.targets} targets"]
    if changed:
        profiles = [f"{number} {'to be ' if check_mode else ''}{word}" for word, number in counts.items() if number]
        told.append(f"profiles: {', '.join(profiles) or 'as they were'}")
    else:
        told.append("the file has them already")
    told += [f"{len(snapshot.left_out)} kinds of settings left out"] if snapshot.left_out else []
    saved = sum(one.saved for one in snapshot.advice)
    told += [f"{saved} override{'' if saved == 1 else 's'} could be saved"] if saved else []
    return "; ".join(told)


def _left_out(one: LeftOut) -> Result:
    names = {
        kind: [shown(target.name) for target in one.targets if isinstance(target, Policy) == (kind == "policies")]
        for kind in ("policies", "computers")
    }
    named = {kind: found[:_NAMED] for kind, found in names.items()}
    return {"facet": one.facet, "reason": shown(one.reason), **named, "count": len(one.targets)}


def _advice(one: Advice) -> Result:
    return {
        "policy": one.policy.reference,
        "facet": one.facet,
        "option": shown(one.key),
        "value": shown(one.value) if isinstance(one.value, str) else one.value,
        "computers": one.computers,
        "saved": one.saved,
    }


def _warnings(snapshot: Snapshot) -> list[str]:
    """A few sentences of each kind. The result has all of them."""
    warnings: list[str] = []
    for sentences, key in (
        ([f"not captured: {one.sentence}" for one in snapshot.left_out], "left_out"),
        ([one.sentence for one in snapshot.advice], "advice"),
    ):
        warnings += sentences[:_WARNED]
        if len(sentences) > _WARNED:
            warnings.append(f"{len(sentences) - _WARNED} more of this kind are in the result: {key}")
    return warnings
