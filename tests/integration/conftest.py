# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small labs that integration tests share. They are reset for each test."""

from __future__ import annotations

import pytest

from tests.integration.labs import shared_lab
from tests.page import Browser, needed_browser

running_lab, lab = shared_lab("lab", "session", computers=300, policies=30, seed=1)
# For tests that only use their own objects, which saves half of their work.
running_small_lab, small_lab = shared_lab("small_lab", "session", computers=12, policies=8, seed=1)
# For tests that create their own policies and computers.
running_bare_lab, bare_lab = shared_lab("bare_lab", "session", computers=0, policies=3, seed=7)
# The cloud: other headers, and a heartbeat that cannot be set.
running_cloud_lab, cloud_lab = shared_lab("cloud_lab", "session", computers=60, policies=12, seed=2, deployment="cloud")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium for tests of pages, which are skipped if it is missing."""
    return needed_browser(tmp_path_factory.mktemp("chromium"))
