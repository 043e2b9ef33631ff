# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reviewed plan of which some steps are done: what is left may be carried out, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._communication.plan import Plan
from ansible_collections.workload_security.agent.plugins.module_utils._communication.plan_file import PlanFile
from ansible_collections.workload_security.agent.plugins.module_utils._communication.reviewed import (
    PlanChanged,
    Reviewed,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import (
    ASSIGN,
    ASSIGNMENTS,
    DELETE,
    HERE,
    LISTS,
    LISTS_GONE,
    RULES,
    RULES_GONE,
    SET,
    SETTINGS,
    UNASSIGN,
    UNASSIGNMENTS,
    UNLESS_USED,
    WRITE,
    Effective,
    Refusal,
    Step,
    Subject,
)
from tests.unit.communication.targets import targets_of

POLICY = Subject("policy", 7, "Linux Server")
COMPUTERS = [Subject("computer", number, f"web-{number}") for number in range(1, 6)]
TARGETS = [POLICY, *COMPUTERS]
NEW, OLD = "New rule", "Old rule"
FACET = "firewall_restriction"
ABOVE = Effective(10, "default policy")


def listed(name: str, number: int | None) -> dict[str, t.Any]:
    return {"type": "ip_list", "name": name, "id": number}


def whole() -> dict[str, Step]:
    """A plan with one of everything, by a name for each step: a rule takes the place of another one, on all targets."""
    steps = {"list": Step(WRITE, Subject("ip_list", None, "New list"), FACET, "", None, None, {"items": ["192.0.2.1"]},
                          "it does not exist", LISTS)}  # fmt: skip
    steps["rule"] = Step(WRITE, Subject("firewall_rule", None, NEW), FACET, "", None, None,
                         {"action": "bypass", "sourceIPListID": listed("New list", None)}, "it does not exist", RULES,
                         needs=(steps["list"].id,))  # fmt: skip
    steps["other rule"] = Step(WRITE, Subject("firewall_rule", 31, "Other rule"), FACET, "",
                               {"sourceIPType": "any"}, None,
                               {"sourceIPType": "ip-list", "sourceIPListID": listed("New list", None)}, "differs", RULES,
                               needs=(steps["list"].id,))  # fmt: skip
    needs = (steps["list"].id, steps["rule"].id)
    for target in TARGETS:
        steps[f"assign {target.name}"] = Step(ASSIGN, target, FACET, NEW, "not assigned", Effective("not assigned", HERE),
                                              "assigned", "why", ASSIGNMENTS, None, needs)  # fmt: skip
        steps[f"set {target.name}"] = Step(
            SET, target, "heartbeat", "interval", "inherited", ABOVE, 30, "why", SETTINGS
        )
        steps[f"unassign {target.name}"] = Step(UNASSIGN, target, FACET, OLD, "assigned", Effective("assigned", HERE),
                                                "not assigned", "why", UNASSIGNMENTS, 32)  # fmt: skip
    steps["rule gone"] = Step(DELETE, Subject("firewall_rule", 32, OLD), FACET, UNLESS_USED, {"action": "bypass"}, None,
                              None, "why", RULES_GONE)  # fmt: skip
    steps["list gone"] = Step(DELETE, Subject("ip_list", 33, "Old list"), FACET, "", {"items": []}, None, None, "why",
                              LISTS_GONE, needs=(steps["rule gone"].id,))  # fmt: skip
    return steps


def after(done: t.Collection[str]) -> dict[str, Step]:
    """The plan that comes out once some of its steps are done."""
    left = {name: step for name, step in whole().items() if name not in done}
    for name, step in left.items():
        if name.startswith("assign") and "rule" in done:
            left[name] = step = step._replace(object_id=35)
        if step.subject != POLICY and step.key in (NEW, "interval"):
            above = f"{'assign' if step.key == NEW else 'set'} {POLICY.name}"
            if above in done:
                left[name] = step._replace(effective_before=Effective(step.after, POLICY.label))
        if name in ("rule", "other rule") and "list" in done:
            left[name] = step._replace(after={**step.after, "sourceIPListID": listed("New list", 34)}, needs=())
        if name == "other rule" and "list" in done:
            left[name] = left[name]._replace(before={**step.before, "sourceIPListID": None})
        if name == "rule gone" and done:
            # Pages tell who has the rule now.
            left[name] = step._replace(key="")
    return left


REVIEWED = Reviewed(
    "0" * 16, PlanFile("https://dsm.example.com:4119/api", "2026-11-26T05:00:00+00:00", {}, tuple(whole().values()), ())
)
SOME = st.sets(st.sampled_from([*whole()]))


def plan(steps: t.Iterable[Step], refusals: t.Iterable[Refusal] = (), targets: t.Iterable[Subject] = ()) -> Plan:
    return Plan(tuple(steps), tuple(refusals), targets_of(targets), ())


def stands_where(done: t.Collection[str]) -> t.Callable[[Step], bool]:
    ids = {step.id for name, step in whole().items() if name in done}
    return lambda step: step.id in ids


@given(SOME)
def test_what_is_left_of_a_plan_may_be_carried_out(done: set[str]) -> None:
    left = after(done)
    assert REVIEWED.check(plan(left.values(), targets=TARGETS), stands_where(done)) == len(done)


CHANGES: list[t.Callable[[Step], Step]] = [
    lambda step: step._replace(before=5 if step.action == SET else {"action": "deny"} if step.before else step.before),
    lambda step: step._replace(after=5 if step.action == SET else step.after and {"action": "deny"}),
    lambda step: step._replace(subject=step.subject._replace(id=99)),
    lambda step: step._replace(effective_before=Effective("x", "policy 'Another' (ID 4)")),
    lambda step: step._replace(object_id=98),
    lambda step: step._replace(key=f"{step.key}x"),
]


@given(SOME, st.sampled_from([*whole()]), st.sampled_from(CHANGES))
def test_a_step_that_was_not_reviewed_is_refused(done: set[str], name: str, change: t.Callable[[Step], Step]) -> None:
    left = after(done - {name})
    changed = change(left[name])
    explained = (
        # Of whether it must be looked who has it, nothing was reviewed.
        changed._replace(key="") == left[name]._replace(key="") and changed.action == DELETE
    ) or (name.startswith("assign") and "rule" in done and changed._replace(object_id=35) == left[name]) or (
        # It has it from elsewhere now, since a step of the plan is done there: from where, follows from that.
        changed.subject != POLICY and left[name].effective_before != whole()[name].effective_before
        and changed._replace(effective_before=None) == left[name]._replace(effective_before=None)
        and {POLICY.label} & {changed.effective_before and changed.effective_before.source}
    )  # fmt: skip
    if changed == left[name] or explained:
        return
    left[name] = changed
    with pytest.raises(PlanChanged) as caught:
        REVIEWED.check(plan(left.values(), targets=[*TARGETS, changed.subject]), stands_where(done - {name}))
    assert changed in caught.value.new and changed.words in str(caught.value)


@given(SOME, st.sampled_from([*whole()]))
def test_a_reviewed_step_that_nobody_did_and_is_no_longer_planned_is_refused(done: set[str], name: str) -> None:
    """Its target is no longer one of the document, or its rule or list is not as it was to be."""
    gone = whole()[name]
    left = {other: step for other, step in after(done | {name}).items() if step.subject[:2] != gone.subject[:2]}
    targets = [target for target in TARGETS if target[:2] != gone.subject[:2]]
    if not left or name in ("rule gone", "list gone"):
        # Nothing is left to do; or it was reviewed that somebody else may have it.
        REVIEWED.check(plan(left.values(), targets=TARGETS), stands_where([*whole()]))
        return
    with pytest.raises(PlanChanged) as caught:
        REVIEWED.check(plan(left.values(), targets=targets), stands_where({*whole()} - {name}))
    assert caught.value.no_longer is not None and gone in caught.value.no_longer
    assert "no longer in it, and not done" in str(caught.value)


def test_a_plan_of_targets_that_have_left_the_document_is_not_done() -> None:
    """Nothing is left to do where the document still speaks; elsewhere it was never done, if the target exists."""
    others = [target for target in TARGETS if target != COMPUTERS[0]]
    with pytest.raises(PlanChanged, match="no longer in it, and not done: .* of the computer 'web-1'"):
        REVIEWED.check(plan([], targets=others), stands_where([*whole()]))
    gone = REVIEWED.check(plan([], targets=others), stands_where([*whole()]), lambda subject: subject != COMPUTERS[0])
    assert gone == len(whole())


def test_another_refusal_is_refused_and_one_that_has_left_the_document_too() -> None:
    refusal = Refusal(COMPUTERS[0], "communication_direction", "agents on macOS only support agent_initiated")
    left = after({"list"}).values()
    with pytest.raises(PlanChanged, match="refused in one of them only: computer 'web-1'"):
        REVIEWED.check(plan(left, [refusal], TARGETS), stands_where({"list"}))
    reviewed = Reviewed("0" * 16, PlanFile("", "", {}, tuple(whole().values()), (refusal,)))
    assert reviewed.check(plan(left, [refusal], TARGETS), stands_where({"list"})) == 1
    assert reviewed.check(plan(left, [], TARGETS), stands_where({"list"})) == 1, "it is as wanted now"
    with pytest.raises(PlanChanged, match="refused in one of them only: computer 'web-1'"):
        reviewed.check(plan([STEP], [], [POLICY]), lambda step: True)


STEP = after({*whole()} - {f"set {POLICY.name}"})[f"set {POLICY.name}"]


def test_of_a_digest_alone_nothing_goes_on_and_it_is_said_what_would() -> None:
    with pytest.raises(PlanChanged, match="was interrupted.*apply_plan continues") as caught:
        Reviewed("0" * 16).check(plan([STEP], targets=TARGETS), lambda step: True)
    assert caught.value.no_longer is None
