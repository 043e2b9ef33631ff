# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps are values: written down and read back, grouped without loss, named by a digest; results that stay short."""

from __future__ import annotations

import json
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._communication.groups import (
    digest,
    grouped,
    outlines,
    summary,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.short import shortened
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import (
    ASSIGN,
    DELETE,
    SET,
    UNASSIGN,
    WRITE,
    Effective,
    Refusal,
    Step,
    Subject,
)

NAMES = st.text(max_size=20)
VALUES = st.none() | st.booleans() | st.integers() | NAMES
TARGETS = st.builds(Subject, st.sampled_from(["policy", "computer"]), st.integers(1, 40), NAMES)
OBJECTS = st.builds(
    Subject, st.sampled_from(["firewall_rule", "ip_list", "mac_list"]), st.none() | st.integers(1), NAMES
)
ON_TARGETS = st.builds(
    Step,
    action=st.sampled_from([SET, ASSIGN, UNASSIGN]),
    subject=TARGETS,
    facet=st.sampled_from(["heartbeat", "communication_direction"]),
    key=st.sampled_from(["interval", "direction", "R"]),
    before=VALUES,
    effective_before=st.builds(Effective, VALUES, NAMES),
    after=VALUES,
    why=NAMES,
    stage=st.integers(0, 7),
    object_id=st.none() | st.integers(1),
    needs=st.lists(NAMES, max_size=3).map(tuple),
)
REFUSALS = st.builds(Refusal, TARGETS, st.sampled_from(["heartbeat", "communication_direction"]), NAMES)
FIELDS = st.none() | st.dictionaries(NAMES, VALUES | st.lists(NAMES, max_size=3), max_size=3)
ON_OBJECTS = st.builds(
    Step,
    action=st.sampled_from([WRITE, DELETE]),
    subject=OBJECTS,
    facet=st.just("firewall_restriction"),
    key=st.just(""),
    before=FIELDS,
    effective_before=st.none(),
    after=FIELDS,
    why=NAMES,
    stage=st.integers(0, 7),
    needs=st.lists(NAMES, max_size=3).map(tuple),
)


@given(ON_TARGETS | ON_OBJECTS)
def test_a_step_written_down_is_the_same_step(step: Step) -> None:
    again = Step.from_dict(json.loads(json.dumps(step.as_dict())))
    assert again == step and again.id == step.id


@given(REFUSALS)
def test_a_refusal_written_down_is_the_same_refusal(refusal: Refusal) -> None:
    assert Refusal.from_dict(json.loads(json.dumps(refusal.as_dict()))) == refusal


@given(st.lists(ON_TARGETS, max_size=30))
def test_groups_hold_every_step_once(steps: list[Step]) -> None:
    groups = grouped(steps)
    held = [(*group.step[2:8], subject) for group in groups for subject in group.subjects]
    assert sorted(map(repr, held)) == sorted(repr((*step[2:8], step.subject)) for step in steps)
    assert len({(group.step[2:8]) for group in groups}) == len(groups)
    for group in groups:
        shown = group.as_dict()
        assert shown["count"] == len(shown["policies"]) + len(shown["computers"])
        json.dumps(shown).encode()


@given(st.lists(ON_TARGETS | ON_OBJECTS, max_size=20), st.randoms())
def test_a_digest_names_the_content_and_not_the_order(steps: list[Step], random: t.Any) -> None:
    mixed = list(steps)
    random.shuffle(mixed)
    assert digest(mixed) == digest(steps)
    if steps:
        assert digest(steps[1:]) != digest(steps)
        other = steps[0]._replace(after="something else")
        if steps[0].subject.type not in ("policy", "computer"):
            other = steps[0]._replace(after={"name": "something else"})
        assert digest([other, *steps[1:]]) != digest(steps)


@given(st.lists(REFUSALS, min_size=1, max_size=5, unique_by=lambda one: (one.subject[:2], one.facet)), st.randoms())
def test_what_is_refused_is_in_the_digest_but_not_in_which_words(refusals: list[Refusal], random: t.Any) -> None:
    mixed = [refusal._replace(reason="in other words") for refusal in refusals]
    random.shuffle(mixed)
    assert digest((), mixed) == digest((), refusals) != digest((), refusals[1:])


def test_how_a_manager_tells_of_a_rule_or_list_is_not_in_the_digest() -> None:
    subject = Subject("ip_list", 7, "L")
    held = {"ID": 7, "name": "L", "items": ["192.0.2.1", "192.0.2.2"], "description": "d"}
    again = {"description": "d", "unheard_of": 5, "items": ["192.0.2.2", "192.0.2.1"], "name": "L"}
    step = Step(DELETE, subject, "firewall_restriction", "", held, None, None, "no rule uses it anymore", 7)
    assert digest([step]) == digest([step._replace(before=again)])
    for other in ({**held, "items": ["192.0.2.1"]}, {**held, "description": "mine"}):
        assert digest([step]) != digest([step._replace(before=other)])
    assert digest([step]) != digest([step._replace(subject=Subject("ip_list", 8, "L"))]), "it was made anew"


def tightened(count: int) -> list[Step]:
    """As many computers that go from inherited to agent initiated."""
    effective = Effective("bidirectional", "policy 'Base Policy' (ID 1)")
    return [
        Step(SET, Subject("computer", number, f"web-{number}.example.com"), "communication_direction", "direction",
             "inherited", effective, "agent_initiated", "it is not set here", 3)
        for number in range(1, count + 1)
    ]  # fmt: skip


def test_many_equal_changes_are_one_hunk() -> None:
    groups = grouped(tightened(1028))
    before, after = outlines(groups)
    heading = (
        "1028 computers (computer 'web-1.example.com' (ID 1), computer 'web-2.example.com' (ID 2), computer"
        " 'web-3.example.com' (ID 3) and 1025 more)"
    )
    held = "inherited (effective: bidirectional, from the policy 'Base Policy' (ID 1))"
    assert before == {heading: {"communication_direction": {"direction": held}}}
    assert after == {heading: {"communication_direction": {"direction": "agent_initiated"}}}
    assert summary(groups) == "communication_direction: direction agent_initiated for 1028 computers"


def result_of(steps: list[Step], failures: int = 0) -> dict[str, t.Any]:
    """What the lists of a result would hold."""
    return {
        "changed": True,
        "plan": [group.as_dict() for group in grouped(steps)],
        "objects": [],
        "changed_targets": [step.subject.reference for step in steps],
        "failed_targets": [
            {"type": "computer", "id": number, "name": f"{number}" * 20, "reason": "no " * 60}
            for number in range(failures)
        ],
        "counts": {"changed": len(steps), "unchanged": 0, "failed": failures},
    }


@given(st.integers(0, 3000), st.integers(0, 300), st.sampled_from([2000, 3600, 150_000]))
def test_a_result_has_as_many_characters_as_it_may(targets: int, failures: int, most: int) -> None:
    whole = result_of(tightened(targets), failures)
    short = shortened(whole, most)
    assert len(json.dumps(short)) <= most
    assert short["counts"] == whole["counts"]
    assert [group["count"] for group in short["plan"]] == [targets][: len(short["plan"])]
    if len(json.dumps(whole)) > most:
        assert short["truncated"]
    if targets and failures:
        assert short["plan"] and short["failed_targets"] and short["plan"][0]["computers"]


def test_a_short_result_stays_as_it_is() -> None:
    whole = result_of(tightened(3), 2)
    assert shortened(whole, 150_000) == whole
