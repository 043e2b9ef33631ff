# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Families of platforms: those that the vendor names are known, and nothing else is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent.platforms import FAMILIES, family
from tests.lab.manager import fleet


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("macOS 14 (64 bit)", "macos"),
        ("Mac OS X 10.11", "macos"),
        ("Apple macOS", "macos"),
        ("Darwin 23.5.0", "macos"),
        ("Red Hat Enterprise 9 (64 bit) (5.14.0-427.el9.x86_64)", "linux"),
        ("Rocky Linux 9", "linux"),
        ("AlmaLinux 8", "linux"),
        ("microsoft windows 11", "windows"),
        ("Solaris 11 (SPARC)", "solaris"),
        ("AIX 7.3", "aix"),
        ("Unknown", "other"),
        ("", "other"),
        ("Deep Security Virtual Appliance (Build 20.0.0-877)", "other"),
        ("Virtual Appliance on Linux", "other"),
        ("FreeBSD 14", "other"),
        ("Plaixo", "other"),
    ],
)
def test_platforms_as_managers_write_them(platform, expected):
    assert family(platform) == expected


def test_every_platform_of_the_lab():
    for _family, _share, branch, platforms in fleet._FAMILIES:
        assert {family(platform) for platform in platforms} == {branch.split()[0].lower()}


@given(st.text(max_size=30))
def test_any_text_has_a_family(text):
    assert family(text) in FAMILIES
