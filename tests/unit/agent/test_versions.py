# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every spelling of a version and a release is read, and both are in one order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import (
    NO_AGENT,
    Release,
    Version,
    parse,
)

VERSIONS = st.builds(
    Version,
    st.integers(0, 99999),
    st.integers(0, 99999),
    st.integers(0, 99999),
    st.integers(0, 999999999),
)
PARTS = st.integers(0, 9999)
LINES = st.integers(0, 999)
RELEASES = st.builds(Release, LINES, LINES, PARTS, PARTS, PARTS, st.just("")) | st.builds(
    Release, LINES, LINES, PARTS, PARTS, st.just(0), st.dates().map(str)
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("10.0.0.3186", Version(10, 0, 0, 3186)),
        ("20.0.0-8438", Version(20, 0, 0, 8438)),
        ("20.0.2-1390.ol7", Version(20, 0, 2, 1390)),
        ("ds_agent-10.0.0-2775.el7", Version(10, 0, 0, 2775)),
        ("ds_agent-10.0.0-2048.el8.x86_64", Version(10, 0, 0, 2048)),
        ("ds_agent-20.0.2-1390.ol7.x86_64.rpm", Version(20, 0, 2, 1390)),
        ("ds-agent_20.0.0-8438_amd64.deb", Version(20, 0, 0, 8438)),
        ("ds-agent=20.0.0.8438", Version(20, 0, 0, 8438)),
        ("Agent-RedHat_EL7-11.0.0-950.x86_64.zip", Version(11, 0, 0, 950)),
        ("Agent-Core-RedHat_EL7-11.0.0-950.x86_64.rpm", Version(11, 0, 0, 950)),
        ("Agent-Windows-11.0.0-662.x86_64.msi", Version(11, 0, 0, 662)),
        ("Deep Security Agent 9.6.2.7690", Version(9, 6, 2, 7690)),
        ("  12.0.0.967\n", Version(12, 0, 0, 967)),
        ("0.0.0.0", NO_AGENT),
    ],
)
def test_versions_in_every_spelling_that_is_met(text: str, version: Version) -> None:
    assert parse(text) == version
    assert isinstance(parse(text), Version)


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("Deep Security Agent 9.6 SP1 Patch 1 Update 7", Release(9, 6, 1, 1, 7)),
        ("9.5 SP1 Patch 3 Update 2", Release(9, 5, 1, 3, 2)),
        ("9.6 SP1 P1 U5", Release(9, 6, 1, 1, 5)),
        ("9.6 Service Pack 1 Patch 1", Release(9, 6, 1, 1)),
        ("9.6_ServicePack1", Release(9, 6, 1)),
        ("9.5_SP1", Release(9, 5, 1)),
        ("9.6 patch 2", Release(9, 6, 0, 2)),
        ("11.0 Update 6", Release(11, 0, update=6)),
        ("10.0_U10", Release(10, 0, update=10)),
        ("11.0 GA", Release(11, 0)),
        ("11.0", Release(11, 0)),
        ("10.1 feature release", Release(10, 1)),
        ("12.5 FR 2020-04-16", Release(12, 5, date="2020-04-16")),
        ("20", Release(20, 0)),
        ("20.0", Release(20, 0)),
        ("20 LTS", Release(20, 0)),
        ("20 LTS GA", Release(20, 0)),
        ("Deep Security Agent 20 LTS Update 2023-12-12", Release(20, 0, date="2023-12-12")),
    ],
)
def test_releases_in_every_spelling_that_is_met(text: str, release: Release) -> None:
    assert parse(text) == release
    assert isinstance(parse(text), Release)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent",
        "(none)",
        "9.5.5600",  # a manager has three parts
        "11.0.221",
        "10.0.0",  # the VERSION of an rpm, without the build
        "1.2.3.4.5",
        "10.0.0.3186 and more",
        "10.0.0.-1",
        "kernel-5.10.0-21",
        "12.5 FR 2020-13-40",
        "9.6 SP1 Patch 1 Updates 5 to 21",
        "9.6 Update 2 SP1",
        "٢٠.٠.٠.٨٤٣٨",
        "9.6 ſP1",  # a long s, which turns into S in upper case
        "10.0.0.9999999999",
        "10.0.0.3186\x00",
        "20.0.0.8438" + " " * 1_000_000,
        "9" * 1_000_000,
        "20.0.0.877." + "a." * 1_000_000,
    ],
)
def test_what_is_neither_is_not_read(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("value", [None, True, 20, 10.0, b"10.0.0.3186", ["10.0.0.3186"], {}, Version(20, 0, 0, 877)])
def test_what_is_no_text_is_not_read(value: object) -> None:
    assert parse(value) is None


@given(VERSIONS)
def test_a_version_is_read_back(version: Version) -> None:
    assert parse(str(version)) == version
    assert parse(f"ds_agent-{version.major}.{version.minor}.{version.third}-{version.build}.el8.x86_64") == version


@given(RELEASES)
def test_a_release_is_read_back(release: Release) -> None:
    assert parse(str(release)) == release


@given(RELEASES, st.sampled_from([" ", "_", "-"]), st.booleans())
def test_separators_and_case_do_not_matter(release: Release, separator: str, upper: bool) -> None:
    text = str(release).replace(" ", separator)
    assert parse(text.upper() if upper else text.lower()) == release


@given(st.text() | st.from_regex(r"[0-9.A-Za-z _-]{0,40}", fullmatch=True))
def test_any_text_is_read_or_not(text: str) -> None:
    assert parse(text) is None or isinstance(parse(text), (Version, Release))


@given(st.lists(VERSIONS) | st.lists(RELEASES))
def test_the_order_is_total(items: list) -> None:
    in_order = sorted(items)
    for smaller, larger in itertools.combinations(in_order, 2):
        assert smaller <= larger
        assert (smaller < larger) + (smaller == larger) + (smaller > larger) == 1


def test_releases_are_in_the_order_in_which_they_came_out() -> None:
    names = [
        "9.5",
        "9.5 Patch 1",
        "9.5 SP1",
        "9.5 SP1 Patch 3",
        "9.5 SP1 Patch 3 Update 2",
        "9.5 SP1 Patch 3 Update 10",
        "9.6",
        "9.6 Patch 1",
        "9.6 Patch 2",
        "9.6 SP1",
        "9.6 SP1 Patch 1 Update 5",
        "10.0",
        "10.0 Update 2",
        "10.0 Update 15",
        "10.1",
        "11.0",
        "12.0 Update 8",
        "12.5 FR 2020-04-16",
        "12.5 FR 2020-05-19",
        "20",
        "20 LTS Update 2023-12-12",
        "20 LTS Update 2024-04-24",
    ]
    releases = [parse(name) for name in names]
    assert releases == sorted(set(releases))


def test_lines_are_named_as_the_vendor_names_them() -> None:
    assert [parse(text).line for text in ("9.6.2.7690", "10.0.0.1", "20.0.3.860", "20.1.0.1", "20 LTS", "12.5")] == [
        "9.6",
        "10.0",
        "20",
        "20.1",
        "20",
        "12.5",
    ]
