# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines that the end-to-end tests run on, one set for all of them."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from tests.lab.hosts.process import LabHosts, LabUnavailable


@pytest.fixture(scope="session")
def hosts() -> t.Iterator[LabHosts]:
    """Ten machines, and the controller's network. A test leaves them as it found them."""
    with contextlib.ExitStack() as stack:
        try:
            lab = stack.enter_context(LabHosts(10))
        except LabUnavailable as reason:
            pytest.skip(str(reason))
        yield lab
