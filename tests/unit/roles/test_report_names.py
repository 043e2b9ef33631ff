# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of reports: whatever a manager is called, they are in the folder, and nobody else's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st

ROLES = Path(__file__).parents[3] / "roles"


def tasks_of(role: str) -> list[dict]:
    return yaml.safe_load((ROLES / role / "tasks/main.yml").read_text(encoding="utf-8"))


TASKS = tasks_of("report_page")
(WRITING,) = [task for task in TASKS if "ansible.builtin.template" in task]


def role_vars(role: str) -> dict[str, str]:
    """The variables in C(vars) of a role."""
    text = (ROLES / role / "vars/main.yml").read_text(encoding="utf-8")
    # Without Ansible's own start, lookups are only found by their short names.
    own = yaml.safe_load(text.replace("ansible.builtin.env", "env"))
    return {key: trust_as_template(value) for key, value in own.items()}


def path_of(name: object) -> str:
    """Where the role's own expressions lead, for a file of JSON."""
    variables = {
        **role_vars("report_page"),
        **{key: trust_as_template(value) for key, value in WRITING["vars"].items()},
        "report_page_directory": "/srv/reports",
        "report_page_name": name,
        "report_page_extension": "json",
    }
    return Templar(DataLoader(), variables=variables).template(
        trust_as_template(WRITING["ansible.builtin.template"]["dest"])
    )


@pytest.mark.parametrize("name", ["dsm.example.com", "localhost", "2001-db8", "a_b+c@d-e.1", "x" * 100, 7])
def test_usual_names_stay_as_they_are(name: object) -> None:
    assert path_of(name) == f"/srv/reports/{name}.json"


def test_other_names_get_a_mark_of_their_own() -> None:
    mark = hashlib.sha256(b"../dsm").hexdigest()[:12]
    assert path_of("../dsm") == f"/srv/reports/_._dsm~{mark}.json"


@pytest.mark.parametrize("role", ["report_page", "connectivity"])
@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("/srv/x", "/srv/x"), ("~/x", "~/x"), ("x", "/home/me/x"), ("./x", "/home/me/./x"), ("../x", "/home/me/../x")],
)
def test_a_relative_folder_begins_where_ansible_was_started(
    role: str, folder: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PWD", "/home/me")
    variables = {**role_vars(role), f"{role}_directory": folder}
    path = Templar(DataLoader(), variables=variables).template(trust_as_template(f"{{{{ {role}_path }}}}"))
    assert path == wanted


HOSTILE = st.text(st.sampled_from("./\\~_-ab \n\0\u00fc:"), max_size=8) | st.text(max_size=300)


@settings(max_examples=100)
@given(names=st.lists(HOSTILE, min_size=2, max_size=4, unique=True))
def test_no_name_leads_out_of_the_folder_or_to_another_s_files(names: list[str]) -> None:
    paths = [path_of(name) for name in names]
    assert len(set(paths)) == len(names)
    for path in paths:
        assert os.path.dirname(os.path.normpath(path)) == "/srv/reports"
        assert not os.path.basename(path).startswith(".") and len(os.path.basename(path)) < 130
        assert path.isascii() and path.isprintable()


@pytest.mark.parametrize("role", ["cipher_report", "communication_report"])
@pytest.mark.parametrize(("folder", "is_one"), [("", False), (" ", False), ("/srv/reports", True), ("reports", True)])
def test_an_empty_folder_is_refused_before_anything_is_read(role: str, folder: str, is_one: bool) -> None:
    """Else the page would lie in the root of the file system."""
    check = tasks_of(role)[0]["ansible.builtin.assert"]
    templar = Templar(DataLoader(), variables={f"{role}_directory": folder})
    assert templar.evaluate_conditional(trust_as_template(check["that"])) is is_one
    assert f"{role}_directory" in check["fail_msg"]
