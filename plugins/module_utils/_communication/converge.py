# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole trip: document, plan, writes, result. Nothing else writes to policies and computers."""

from __future__ import annotations

import typing as t
from itertools import islice

from .._basis.text import enumerated, outline
from .._facets.facet import Change
from .._fleet.fleet import Fleet
from .._fleet.objects import Policy
from .._manager.client import POLICY, Client
from .apply import Outcome, apply_plan
from .document import Document
from .plan import Failure, Plan, make_plan

# Nobody reads a longer diff, and comparing one takes minutes. The plan is always whole.
SHOWN_IN_DIFF = 1000


def converge(client: Client, document: Document, *, check_mode: bool, concurrency: int) -> dict[str, t.Any]:
    """Bring the manager to the document, or in check mode say what that would change, and return the task's result.

    The result has C(failed_targets); a task with any has failed, but everything else of it is done.
    Raises C(OptionError) and C(ManagerError) when nothing could be planned, and so nothing was written.
    """
    fleet = Fleet(client)
    plan = make_plan(fleet, document)
    outcome = _foreseen(plan) if check_mode else apply_plan(plan, fleet, document, concurrency)
    # In the same order whoever finished first: policies before computers, as check mode has them.
    facets = [facet.name for facet in document.facets]
    outcome.done.sort(
        key=lambda change: (change.target.kind is not POLICY, change.target.id, facets.index(change.facet))
    )
    failures = [*plan.failures, *outcome.failures]
    changed = {change.target: None for change in outcome.done}
    failed = {(failure.reference["type"], failure.reference.get("id")) for failure in failures}
    unchanged = [
        target for target in plan.targets if target not in changed and (target.kind.noun, target.id) not in failed
    ]
    return {
        "changed": bool(outcome.done or outcome.objects),
        "plan": [_change(plan, change) for change in outcome.done],
        "objects": [
            {**change.reference, "before": change.before, "after": change.after, "why": change.why}
            for change in outcome.objects
        ],
        "changed_targets": [target.reference for target in changed],
        "unchanged_targets": {
            "count": len(unchanged),
            "policies": [target.name for target in unchanged if isinstance(target, Policy)],
            "computers": [target.name for target in unchanged if not isinstance(target, Policy)],
        },
        "failed_targets": [_failure(failure) for failure in failures],
        "warnings": plan.warnings,
        "diff": _diff(outcome),
        "requests": {"sent": client.transport.requests_sent, "writes": client.transport.writes_sent},
    }


def failure_message(result: dict[str, t.Any]) -> str:
    """One sentence for a task some of whose targets failed."""
    failed = [
        f"{failure['type']} {failure.get('name', failure.get('id'))!r}: {failure['reason']}"
        for failure in result["failed_targets"]
    ]
    return f"{len(failed)} of the targets failed, the others are done. {enumerated(failed, most=3)}"


def _foreseen(plan: Plan) -> Outcome:
    return Outcome(
        done=[change for changes in plan.changes.values() for change in changes],
        objects=[*plan.objects, *plan.deletions],
    )


def _change(plan: Plan, change: Change) -> dict[str, t.Any]:
    return {
        "target": change.target.reference,
        "profiles": plan.profiles[change.facet][change.target],
        "facet": change.facet,
        "before": change.before,
        "after": change.after,
        "why": "; ".join(change.why),
    }


def _failure(failure: Failure) -> dict[str, t.Any]:
    return {**failure.reference, "facet": failure.facet, "reason": failure.reason, "failure": failure.error}


def _diff(outcome: Outcome) -> dict[str, str]:
    """Before and after as an outline of what changes, shared objects first."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for change in outcome.objects:
        before[change.label] = change.before or "absent"
        after[change.label] = change.after or "absent"
    targets = dict.fromkeys(change.target for change in outcome.done)
    shown = set(islice(targets, SHOWN_IN_DIFF))
    for change in outcome.done:
        if change.target in shown:
            before.setdefault(change.target.label, {})[change.facet] = change.before
            after.setdefault(change.target.label, {})[change.facet] = change.after
    if len(targets) > len(shown):
        before["more targets"] = after["more targets"] = f"{len(targets) - len(shown)}, see plan"
    return {"before": outline(before), "after": outline(after)}
