# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of reports. What the files in them are called is the filter file_name's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"


def tasks_of(role: str) -> list[dict]:
    return yaml.safe_load((ROLES / role / "tasks/main.yml").read_text(encoding="utf-8"))


def role_vars(role: str) -> dict[str, str]:
    """The variables in C(vars) of a role."""
    text = (ROLES / role / "vars/main.yml").read_text(encoding="utf-8")
    # Without Ansible's own start, lookups are only found by their short names.
    own = yaml.safe_load(text.replace("ansible.builtin.env", "env"))
    return {key: trust_as_template(value) for key, value in own.items()}


@pytest.mark.parametrize(
    "path",
    [
        *("roles/communication/vars/main.yml", "roles/report_page/tasks/main.yml", "roles/rollout/vars/main.yml"),
        "playbooks/health.yml",
    ],
)
def test_what_is_named_after_a_host_is_named_by_the_filter(path: str) -> None:
    text = (ROLES.parent / path).read_text(encoding="utf-8")
    assert "| workload_security.agent.file_name }}" in text and "sha256'))[:12]" not in text


@pytest.mark.parametrize("role", ["report_page", "connectivity"])
@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("/srv/x", "/srv/x"), ("~/x", "~/x"), ("x", "HERE/x"), ("./x", "HERE/./x"), ("../x", "HERE/../x")],
)
def test_a_relative_folder_begins_where_ansible_was_started(
    role: str, folder: str, wanted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What starts Ansible without a shell, such as a service or a container, has no PWD, or one of another folder.
    monkeypatch.setenv("PWD", "/home/me")
    monkeypatch.chdir(tmp_path)
    variables = {**role_vars(role), f"{role}_directory": folder}
    path = Templar(DataLoader(), variables=variables).template(trust_as_template(f"{{{{ {role}_path }}}}"))
    assert path == wanted.replace("HERE", str(tmp_path.resolve()))


@pytest.mark.parametrize("role", ["cipher_report", "communication_report"])
@pytest.mark.parametrize(("folder", "is_one"), [("", False), (" ", False), ("/srv/reports", True), ("reports", True)])
def test_an_empty_folder_is_refused_before_anything_is_read(role: str, folder: str, is_one: bool) -> None:
    """Else the page would lie in the root of the file system."""
    check = tasks_of(role)[0]["ansible.builtin.assert"]
    templar = Templar(DataLoader(), variables={f"{role}_directory": folder})
    assert templar.evaluate_conditional(trust_as_template(check["that"])) is is_one
    assert f"{role}_directory" in check["fail_msg"]
