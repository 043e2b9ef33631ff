# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.programs import run, said
from ansible_collections.workload_security.agent.plugins.module_utils._host.commands import Answer


def test_programs_are_found_beside_the_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "checker"
    program.write_text('#!/bin/sh\necho "$1"\nexit 3\n')
    program.chmod(0o755)
    with pytest.raises(DnsError, match="there is no program checker on this host") as caught:
        run("checker")
    assert caught.value.code == "no_program"
    # Parts of a search path that are relative lead into folders of others.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{os.pathsep}")
    with pytest.raises(DnsError):
        run("checker")
    monkeypatch.setenv("PATH", f"/nowhere{os.pathsep}{tmp_path}")
    assert run("checker", "what was asked") == Answer(3, "what was asked\n", "")


def test_a_program_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "checker"
    program.write_text("#!/nowhere/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DnsError, match="could not be started") as caught:
        run("checker")
    assert caught.value.code == "no_answer"


def test_what_a_program_said_is_one_line() -> None:
    assert said(Answer(1, "ignored", "line one\nline\ttwo\n")) == "line one; line two"
    assert said(Answer(1, "only this\n", "")) == "only this"
