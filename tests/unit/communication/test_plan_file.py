# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a plan: what was written is read back, and whatever else a file holds is an error that says what."""

from __future__ import annotations

import copy
import json
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import FileError, OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication import plan_file
from ansible_collections.workload_security.agent.plugins.module_utils._communication.plan import Plan
from ansible_collections.workload_security.agent.plugins.module_utils._communication.plan_file import (
    PlanFile,
    read_plan_file,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.reviewed import (
    PlanChanged,
    Reviewed,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.step import Refusal, Step, Subject
from ansible_collections.workload_security.agent.plugins.module_utils._task.planned import Asked
from tests.unit.communication.test_groups import ON_OBJECTS, ON_TARGETS, REFUSALS
from tests.unit.drawing import pick

URL = "https://dsm.example.com:4119/api"
PROFILE = {"name": "a", "policies": ["Base Policy", 7], "heartbeat": {"interval": "10", "accept_inherited": True}}
POLICY = Subject("policy", 7, "Linux Server")
STEP = Step("set", POLICY, "heartbeat", "interval", "inherited", None, 10, "interval is not set here", 4)

UNIQUE = {"unique_by": lambda step: step.id}
PLANS = st.builds(
    PlanFile,
    manager=st.just(URL),
    time=st.just("2026-11-26T05:00:00+00:00"),
    document=st.just({"profiles": [PROFILE]}),
    steps=st.lists(ON_TARGETS | ON_OBJECTS, max_size=6, **UNIQUE).map(tuple),
    refusals=st.lists(REFUSALS, max_size=3, unique_by=lambda one: (one.subject[:2], one.facet)).map(tuple),
    undeclared=st.just(()),
)


def plan_of(*steps: Step) -> PlanFile:
    return PlanFile(URL, "2026-11-26T05:00:00+00:00", {"profiles": [PROFILE]}, steps, ())


def nothing_stands(_step: Step) -> bool:
    """No rule and no list is as a step would leave it."""
    return False


def asked(path: Path | str, **options: t.Any) -> Asked:
    return Asked.from_options({"apply_plan": str(path), **options}, "on_premises")


@given(PLANS)
def test_a_plan_written_down_is_the_same_plan(plan: PlanFile) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plan.json")
        plan.write(path, lambda text: False)
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert os.listdir(folder) == ["plan.json"]
        assert read_plan_file("apply_plan", path, lambda document: document) == plan
        task = asked(path)
    assert task.reviewed is not None and task.reviewed.plan is not None
    assert task.reviewed.plan.steps == plan.steps and task.reviewed.digest == plan.digest
    assert task.document.profiles[0].selector.policies == ("Base Policy", 7)
    now = Plan(plan.steps, plan.refusals, (), ())
    assert task.reviewed.check(now, nothing_stands) == 0 or not plan.steps
    assert task.terms(URL).reviewed is task.reviewed


@given(PLANS, PLANS)
def test_another_plan_is_refused_and_the_difference_named(plan: PlanFile, other: PlanFile) -> None:
    now = Plan(other.steps, other.refusals, (), ())
    refused = {(one.subject[:2], one.facet) for one in other.refusals}
    done = not other.steps and refused <= {(one.subject[:2], one.facet) for one in plan.refusals}
    for reviewed in (Reviewed(plan.digest, plan), Reviewed(plan.digest)):
        same = plan.digest == other.digest or (done if reviewed.plan else not (other.steps or refused))
        try:
            # What is no longer among the targets is gone from the manager.
            reviewed.check(now, nothing_stands, lambda _subject: False)
        except PlanChanged as changed:
            assert not same and plan.digest in str(changed) and other.digest in str(changed)
            if reviewed.plan:
                assert changed.no_longer is not None
                assert not set(map(repr, changed.new)) & set(map(repr, changed.no_longer))
            else:
                assert changed.no_longer is None
        else:
            assert same


# -- whatever a file holds

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("set"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed_at(whole: t.Any, path: tuple[t.Any, ...], change: t.Callable[[t.Any, t.Any], None]) -> t.Any:
    whole = copy.deepcopy(whole)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return whole


def drop(container: t.Any, key: t.Any) -> None:
    del container[key]


@given(PLANS, st.data())
def test_a_mutated_plan_is_a_document_or_an_error(plan: PlanFile, data: st.DataObject) -> None:
    held = json.loads(json.dumps(plan.as_dict()))
    place = pick(data.draw, list(places(held))[1:])
    value = data.draw(JSON)
    kind = pick(data.draw, ["put", "drop", "add"])
    if kind == "add":
        mutated = {**held, data.draw(st.text(min_size=1, max_size=5)): value}
    else:
        mutated = changed_at(held, place, drop if kind == "drop" else lambda one, key: one.__setitem__(key, value))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_text(json.dumps(mutated))
        try:
            task = asked(path)
        except OptionError as error:
            assert error.option == "apply_plan" and "\n" not in str(error) and len(str(error)) < 5000
            str(error).encode()
        else:
            # What is left to change: when it was made and for which manager, the document, and words for people.
            assert place[0] in ("time", "manager", "document", "undeclared", "steps", "refusals") or mutated == held
            assert task.reviewed is not None and task.reviewed.digest == plan.digest


@given(st.binary(max_size=30))
@example(b"")
@example(b"[" * 100_000)
@example(b"\xff\xfe{")
@example(b'{"format": ' + b"9" * 5000 + b"}")
@example(b'{"format": NaN}')
@example(b'"\\ud800"')
def test_any_bytes_are_an_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_bytes(content)
        with pytest.raises(OptionError, match="it must be a file with a plan of this collection, but ") as caught:
            asked(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "something"}, "its format is not 'workload_security.agent plan'"),
        ({"version": 2}, "its version is '2', and this release of the collection reads version 1"),
        ({"version": True}, "its version is 'True'"),
        ({"steps": {}}, "its steps must be a list"),
        ({"document": []}, "its document must be an object"),
        ({"digest": "0123456789abcdef"}, "its digest '0123456789abcdef' does not fit its steps, whose digest is"),
        ({"groups": []}, "its groups do not fit its steps"),
        ({"approved": True}, "it has fields that are not known: approved"),
        ({"steps": [{**STEP.as_dict(), "by": "me"}]}, "its step 1 is not valid: it must have id, action"),
        ({"steps": [{**STEP.as_dict(), "stage": 99}]}, "its step 1 is not valid: it has a value that a step cannot have"),
        ({"steps": [{**STEP.as_dict(), "id": "x"}]}, "its step 1 is not valid: its id is not that of what it changes"),
        ({"steps": [STEP.as_dict(), STEP.as_dict()]}, "two of its steps are the same"),
        ({"refusals": [5]}, "its refusal 1 is not valid"),
        ({"document": {}}, "its document has no profiles"),
        ({"document": {"profiles": [5]}}, "its document is not valid: "),
        ({"document": {"profiles": [PROFILE], "extra": 1}}, "its document is not valid: .*extra"),
        ({"document": {"profiles": [{**PROFILE, "heartbeet": {}}]}}, "its document is not valid: .*heartbeet"),
        ({"document": {"profiles": [{**PROFILE, "heartbeat": 5}]}}, "its document is not valid: "),
        ({"document": {"profiles": [], "undeclared": "remove"}}, "its document cannot be right: option 'profiles'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named(tmp_path, change, told):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**plan_of(STEP).as_dict(), **change}))
    with pytest.raises(OptionError, match=f"option 'apply_plan' is '{path}': .*{told}"):
        asked(path)


def test_a_plan_for_another_manager_is_an_error(tmp_path):
    path = tmp_path / "plan.json"
    plan_of(STEP).write(str(path), lambda text: False)
    with pytest.raises(
        OptionError, match="it must be a plan for https://other/api, but it is one for https://dsm.exam"
    ):
        asked(path).terms("https://other/api")


def test_what_is_no_file_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", "/dev/zero", "a\0b"):
        with pytest.raises(OptionError, match="option 'apply_plan' .*it must be a file with a plan"):
            asked(path)


def test_a_file_of_any_length_is_not_read(tmp_path, monkeypatch):
    plan = plan_of(*(STEP._replace(subject=Subject("policy", number, "P")) for number in range(1, 20)))
    path = tmp_path / "plan.json"
    plan.write(str(path), lambda text: False)
    monkeypatch.setattr(plan_file, "LONGEST", path.stat().st_size - 1)
    with pytest.raises(OptionError, match="It is longer than"):
        asked(path)
    before = path.read_bytes()
    with pytest.raises(FileError, match="plans of more than .* are not read again"):
        plan.write(str(path), lambda text: False)
    assert path.read_bytes() == before


def test_a_plan_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("before")
    with pytest.raises(FileError, match="cannot be written: the document holds the API key"):
        plan_of(STEP).write(str(path), lambda text: "Linux Server" in text)
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["plan.json"]
    with pytest.raises(FileError, match="option 'plan_file' is '/proc/plan.json': the file cannot be written: "):
        plan_of(STEP).write("/proc/plan.json", lambda text: False)


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "plan.json")
    (tmp_path / "real" / "plan.json").write_text("x")
    (tmp_path / "real" / "plan.json").chmod(0o666)
    plan_of(STEP).write(str(tmp_path / "link.json"), lambda text: False)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real" / "plan.json").stat().st_mode & 0o777 == 0o600
    assert asked(tmp_path / "real" / "plan.json").reviewed


@pytest.mark.parametrize(
    ("options", "option", "told"),
    [
        ({}, "profiles", "it must be given, or apply_plan"),
        ({"apply_plan": "x", "profiles": [PROFILE]}, "profiles", "it must be left out if apply_plan is given"),
        ({"apply_plan": "x", "plan_file": "y"}, "plan_file", "it must be left out if apply_plan is given"),
        ({"profiles": [PROFILE], "plan_file": "/no/such/folder/x"}, "plan_file", "in a folder that exists"),
        ({"profiles": [PROFILE], "plan_file": "/"}, "plan_file", "the path of a file.*, but it is a folder"),
        ({"profiles": [PROFILE], "plan_file": "plans/"}, "plan_file", "the path of a file.*, but it is a folder"),
        ({"profiles": [PROFILE], "plan_file": "/dev/null"}, "plan_file", "the path of a file.*, but it is a device"),
        ({"profiles": [PROFILE], "plan_file": "/dev/null/x"}, "plan_file", "the path of a file"),
        ({"profiles": [PROFILE], "plan_file": "\ud800"}, "plan_file", "the path of a file"),
        ({"profiles": [PROFILE], "plan_file": "a\0b"}, "plan_file", "the path of a file"),
        ({"profiles": [PROFILE], "expected_digest": "x"}, "expected_digest", "16 digits from 0 to f"),
        ({"profiles": [PROFILE], "expected_digest": ""}, "expected_digest", "16 digits from 0 to f"),
    ],
)
def test_options_that_do_not_go_together(options, option, told):
    with pytest.raises(OptionError, match=told) as caught:
        Asked.from_options(options, "on_premises")
    assert caught.value.option == option


def test_a_digest_beside_a_file_must_be_its_own(tmp_path):
    plan = plan_of(STEP)
    plan.write(str(tmp_path / "plan.json"), lambda text: False)
    assert asked(tmp_path / "plan.json", expected_digest=plan.digest).reviewed
    with pytest.raises(OptionError, match=f"it must be the digest of the plan in apply_plan, {plan.digest}"):
        asked(tmp_path / "plan.json", expected_digest="0" * 16)


def test_a_refusal_alone_makes_another_plan():
    refusal = Refusal(POLICY, "communication_direction", "agents on macOS only support agent_initiated")
    with pytest.raises(PlanChanged):
        Reviewed(plan_of(STEP).digest, plan_of(STEP)).check(Plan((STEP,), (refusal,), (), ()), nothing_stands)
