# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a task some of whose targets failed: equal reasons together, all of them seen, and it stays short."""

from __future__ import annotations

import json
import typing as t

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._communication.apply import STOPPED
from ansible_collections.workload_security.agent.plugins.module_utils._communication.short import (
    LONGEST_FAILED_RESULT,
    failure_message,
    shortened,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import Subject
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.outcome import (
    NOT_KNOWN,
    NOT_TRIED,
    Outcome,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import (
    BadRequest,
    Forbidden,
    ManagerError,
)

Result = t.Dict[str, t.Any]
URL = "https://dsm.example.com:4119/api"


def entry(number: int, kind: type[ManagerError], text: str = "No", name: str | None = None) -> Result:
    """A computer that the manager refused to change."""
    error = kind("POST", f"/computers/{number}", url=URL, status=400, message=text)
    return of(Subject("computer", number, name or f"web-{number}.example.com"), Outcome.of(error))


def of(subject: Subject, outcome: Outcome) -> Result:
    failure = outcome.error and outcome.error.as_failure()
    state = {"facet": "heartbeat", "state": outcome.state, "reason": outcome.reason, "failure": failure}
    return {**subject.reference, **state}


def result_of(failed: list[Result], **more: t.Any) -> Result:
    """The result of a task that failed, without its message."""
    return {
        "changed": False,
        "summary": f"{len(failed)} failed",
        "plan": [],
        "digest": "0" * 16,
        "objects": [],
        "counts": {"changed": 0, "unchanged": 0, "failed": len(failed)},
        "changed_targets": [],
        "unchanged_targets": {"count": 0},
        "failed_targets": failed,
        "requests": {"sent": 1, "writes": 0},
        "warnings": [],
        "diff": {"before": "", "after": ""},
        **more,
    }


def failed_task(result: Result) -> Result:
    """As the task returns it."""
    result["msg"] = failure_message(result, False)
    result["failure"] = {"code": "failed_targets", "message": result["msg"]}
    short = shortened(result, LONGEST_FAILED_RESULT)
    return {name: value for name, value in short.items() if name not in ("warnings", "diff")}


def printed(result: Result) -> int:
    """How many characters Ansible prints, but for lines of the playbook."""
    return len(f"[ERROR]: Task failed: Module failed: {result['msg']}") + len(
        f"fatal: [localhost]: FAILED! => {json.dumps(result, ensure_ascii=False)}"
    )


def test_equal_reasons_are_counted_together() -> None:
    failed = [entry(number, BadRequest, "The name is too long") for number in (1, 2)]
    failed += [entry(number, Forbidden, "Not yours") for number in range(3, 140)]
    assert failure_message(result_of(failed), False) == (
        "Of the targets, rules and lists, 139 failed; all others are done. 137 computers: POST /computers/… at"
        f" {URL} failed, the manager answered 400: Not yours (check the role of the API key, and whether the key has"
        " expired or is locked) (web-3.example.com, web-4.example.com, web-5.example.com and 134 more). 2 computers:"
        f" POST /computers/… at {URL} failed, the manager answered 400: The name is too long (the manager's text says"
        " what it does not accept) (web-1.example.com, web-2.example.com)."
    )


def test_what_a_manager_says_of_each_by_its_name_or_id_is_one_reason() -> None:
    failed = [entry(number, BadRequest, f"Computer web-{number}.example.com is busy") for number in range(11, 40)]
    failed += [entry(number, BadRequest, f"Computer {number} is gone") for number in range(40, 60)]
    message = failure_message(result_of(failed), False)
    assert "29 computers: " in message and "Computer … is busy" in message
    assert "20 computers: " in message and "Computer … is gone" in message


def test_one_target_alone_is_named_as_it_is() -> None:
    message = failure_message(result_of([entry(7, BadRequest)]), False)
    assert f"computer 'web-7.example.com': POST /computers/7 at {URL} failed" in message


def stopped(number: int) -> Result:
    reason = f"{STOPPED}, 10 times in a row: POST /computers/3 at {URL} failed, the manager answered 403: Not yours"
    return of(Subject("computer", number, f"web-{number}.example.com"), Outcome(NOT_TRIED, reason))


def test_where_a_run_stopped_that_comes_first() -> None:
    """However many others failed before."""
    failed = [entry(number, Forbidden) for number in range(1, 400)] + [stopped(number) for number in range(400, 690)]
    message = failure_message(result_of(failed), False)
    assert message.startswith(
        "The run stopped. Of the targets, rules and lists, 290 not tried, 399 failed. 290 computers: not tried, since"
        f" the run stopped after this, 10 times in a row: POST /computers/3 at {URL} failed, the manager answered 403"
    )
    assert "done" not in message


def test_the_others_are_done_only_where_that_is_known() -> None:
    for state in (NOT_TRIED, NOT_KNOWN):
        doubtful = of(Subject("computer", 2, "b"), Outcome(state, "for a reason"))
        assert "others are done" not in failure_message(result_of([entry(1, BadRequest), doubtful]), False)
    assert "others are done" not in failure_message(result_of([entry(1, BadRequest)]), True)


def test_a_result_that_is_cut_has_examples_of_each_reason() -> None:
    failed = [entry(number, BadRequest) for number in range(1, 5000)]
    failed += [entry(5000, Forbidden), of(Subject("policy", 1, "Base Policy"), Outcome(NOT_KNOWN, "it is not known"))]
    short = failed_task(result_of(failed))
    assert short["truncated"] and short["counts"]["failed"] == 5001
    assert [one["reason"][:24] for one in short["failed_targets"]][:3] == [
        "POST /computers/1 at htt",
        "POST /computers/5000 at ",
        "it is not known",
    ]


def test_warnings_take_no_room_from_lists() -> None:
    """They are printed apart."""
    warnings = ["profile 'a' is kept without something" * 20] * 100
    result = result_of([entry(1, BadRequest)], warnings=warnings)
    assert shortened(result, LONGEST_FAILED_RESULT) == result


TEXT = st.text(st.sampled_from("a1 .\"\\'\x1b\u202eé\U0001f600…"), max_size=600)
REASONS = st.lists(st.tuples(st.sampled_from([BadRequest, Forbidden]), TEXT), min_size=1, max_size=12)


@example(numbers=[1] * 100, reasons=[(BadRequest, '"' * 600)], name='"' * 600, plan=30)
@example(numbers=list(range(1, 200)), reasons=[(BadRequest, "\x1b" * 600)], name="\x1b" * 600, plan=0)
@given(
    numbers=st.lists(st.integers(1, 300), min_size=1, max_size=150),
    reasons=REASONS,
    name=TEXT,
    plan=st.integers(0, 6),
)
def test_a_failed_task_is_short_whatever_failed(
    numbers: list[int], reasons: list[tuple[type[ManagerError], str]], name: str, plan: int
) -> None:
    failed = [entry(number, *reasons[number % len(reasons)], f"{name}{number}") for number in numbers]
    group = {
        "facet": "heartbeat", "option": "interval", "before": name, "after": "7", "why": name,
        "policies": [name] * plan, "computers": [name] * plan, "count": 2 * plan,
    }  # fmt: skip
    more = {"plan": [group] * plan, "objects": [{"name": name}] * plan, "changed_targets": [{"name": name}] * plan}
    result = failed_task(result_of(failed, summary=name * 10, **more))
    assert printed(result) < 3850
    assert result["failed_targets"] and result["counts"]["failed"] == len(failed)
    json.dumps(result).encode()
