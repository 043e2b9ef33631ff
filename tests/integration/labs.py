# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for a lab that several tests share."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.manager.process import LabManager


def shared_lab(name: str, scope: t.Literal["session", "module"], **how: t.Any) -> tuple[t.Any, t.Any]:
    """Two fixtures: the lab that runs for all tests, C(running_NAME), and the same lab after a reset, C(NAME).

    After the reset, its log is empty, and it has no faults. C(how): the arguments of C(LabManager).
    """
    running = f"running_{name}"

    @pytest.fixture(scope=scope, name=running)
    def started() -> t.Iterator[LabManager]:
        with LabManager(**how) as lab:
            yield lab

    @pytest.fixture(name=name)
    def renewed(request: pytest.FixtureRequest) -> LabManager:
        lab: LabManager = request.getfixturevalue(running)
        lab.reset()
        return lab

    return started, renewed
