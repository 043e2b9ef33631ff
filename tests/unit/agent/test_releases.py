# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a version is, how certain that is, and which of two is older."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent.releases import (
    BUILDS,
    CERTAINTIES,
    describe,
    is_older,
    release_span,
    span_of,
)
from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import Release, Version, parse

KEYS = {
    "version",
    "release",
    "release_line",
    "certainty",
    "date",
    "platform",
    "source",
    "builds",
    "neighbors",
    "reason",
}

# Numbers that lie around the listed builds, where the answers change.
NUMBERS = st.one_of(
    st.builds(
        lambda build, step: build.version._replace(build=max(0, build.version.build + step)),
        st.sampled_from(BUILDS),
        st.integers(-1, 1),
    ),
    st.builds(
        Version,
        st.sampled_from([9, 10, 11, 12, 20, 21]),
        st.integers(0, 6),
        st.integers(0, 4),
        st.integers(0, 30000),
    ),
)
SUBJECTS = st.one_of(
    NUMBERS.map(str), st.sampled_from(sorted({build.release for build in BUILDS})), st.text(max_size=20)
)


def collected() -> list[dict[str, str]]:
    """The rows as they were collected, with the source of each."""
    path = Path(__file__).parents[2] / "lab" / "manager" / "agent_releases.tsv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


@pytest.mark.parametrize("row", collected(), ids=lambda row: row["agent_version_numeric"])
def test_every_collected_build_is_known_as_it_was_collected(row: dict[str, str]) -> None:
    answer = describe(row["agent_version_numeric"])
    collected_as = row["confidence"].split("-")[0]
    # Where a source knows the build but not its update, only the line is confirmed.
    certainties = {collected_as, "inferred"} if row["confidence"] == "confirmed-version" else {collected_as}
    assert answer["certainty"] in certainties
    if answer["date"]:
        assert answer["date"] in row["release_date_if_known"]
    assert answer["release"].startswith(answer["release_line"])
    assert answer["version"] in answer["builds"]
    name = row["release_name"].split("(")[0].strip()
    named = parse(name)
    # The name of a line, such as 20 LTS, names none of its updates.
    if named is not None and name != "20 LTS":
        span = release_span(answer["release"])
        assert span.earliest <= named <= span.latest


def test_the_table_has_each_build_once_and_in_order() -> None:
    versions = [build.version for build in BUILDS]
    assert len(versions) == 231
    assert versions == sorted(set(versions))
    assert {str(version) for version in versions} == {row["agent_version_numeric"] for row in collected()}


@pytest.mark.parametrize(
    ("version", "release", "certainty"),
    [
        ("9.5.3.2754", "9.5 SP1", "confirmed"),
        ("9.6.1.1308", "9.6 GA", "likely"),
        ("9.6.2.7599", "9.6 SP1 Patch 1 Update 4", "likely"),
        ("9.6.2.7690", "9.6 SP1 Patch 1 Update 5", "likely"),
        ("9.6.2.8436", "9.6 SP1 Patch 1 Update 17", "confirmed"),
        ("10.0.0.3186", "10.0 Update 16", "inferred"),
        ("ds_agent-10.0.0-2775.el7", "10.0 Update 8 to 10.0 Update 9", "inferred"),
        ("10.1.0.203", "10.1 feature release", "confirmed"),
        ("11.0.0.211", "11.0 GA", "confirmed"),
        ("11.0.0.223", "11.0 GA", "confirmed"),
        ("11.0.0.796", "11.0 Update 12", "confirmed"),
        ("12.0.0.967", "12.0 Update 8", "confirmed"),
        ("20.0.0-877", "20 GA", "confirmed"),
        ("20.0.0-8438", "20 LTS Update 2023-12-12", "confirmed"),
        ("20.0.0.243", "20 LTS Update 2024-11-13", "confirmed"),
        ("20.0.1.23340", "20 LTS Update 2024-11-13", "confirmed"),
        ("9.0.0.5616", "9.0 SP1", "confirmed"),
        ("10.0.0.2032", "10.0 GA or before", "inferred"),
        ("20.0.0.179", "20 LTS Update 2022-07-11 to 20 LTS Update 2022-11-22", "inferred"),
        ("20.0.0.3770", "20 LTS Update 2021-11-24 to 20 LTS Update 2022-03-01", "likely"),
        ("20.0.2.1390", "20 LTS Update 2025-01-15", "confirmed"),
        ("20.0.2.12290", "20 LTS Update 2025-06-04", "confirmed"),
    ],
)
def test_known_builds(version: str, release: str, certainty: str) -> None:
    answer = describe(version)
    assert (answer["release"], answer["certainty"]) == (release, certainty)


def test_the_two_sides_of_the_9_5_boundary_are_not_told_apart() -> None:
    # Which of the two builds is Update 2 is a guess, and the suites change there.
    for version in ("9.5.3.7568", "9.5.3.7707"):
        assert describe(version)["release"] == "9.5 SP1 Patch 3 Update 2 to 9.5 SP1 Patch 3 Update 3"


def test_a_build_between_two_names_its_neighbors() -> None:
    answer = describe("11.0.0.540")
    assert answer["version"] == "11.0.0.540"
    assert answer["release"] is None
    assert answer["release_line"] == "11.0"
    assert answer["certainty"] == "unknown"
    assert answer["neighbors"] == [
        {"version": "11.0.0.514", "release": "11.0 Update 4", "certainty": "confirmed"},
        {"version": "11.0.0.582", "release": "11.0 Update 6", "certainty": "confirmed"},
    ]
    assert "11.0.0.514 is 11.0 Update 4" in answer["reason"]


def test_a_line_without_a_build_has_no_neighbors() -> None:
    answer = describe("13.0.0.5")
    assert (answer["release_line"], answer["neighbors"]) == ("13.0", [])


def test_a_release_names_its_builds() -> None:
    answer = describe("Deep Security Agent 11.0")
    assert answer["release"] == "11.0 GA"
    assert answer["certainty"] == "confirmed"
    assert answer["builds"] == ["11.0.0.211", "11.0.0.223"]
    assert describe("12.0 U8")["builds"] == ["12.0.0.967"]
    assert describe("20 LTS Update 2023-12-12")["date"] == "2023-12-12"


def test_a_build_from_before_general_availability_is_none_of_its_builds() -> None:
    assert describe("10.0")["builds"] == ["10.0.0.2094"]
    assert is_older("10.0.0.2019", "10.0 Update 1") is True


def test_a_release_that_no_build_is_tied_to_is_unknown() -> None:
    answer = describe("11.0 Update 5")
    assert (answer["release"], answer["certainty"], answer["builds"]) == ("11.0 Update 5", "unknown", [])


@pytest.mark.parametrize("version", ["9.6.1589", "9.6.2613", "11.0.221", "9.5.5600", "10.0.3259"])
def test_the_builds_of_managers_say_nothing_of_agents(version: str) -> None:
    answer = describe(version)
    assert (answer["release"], answer["certainty"]) == (None, "unknown")
    assert "four parts" in answer["reason"]


def test_a_computer_without_an_agent() -> None:
    assert "without an agent" in describe("0.0.0.0")["reason"]
    assert describe("0.0.0.0")["version"] is None


@pytest.mark.parametrize("version", ["20.0.0.158", "20.0.0.200", "20.0.0.243", "20.0.0.100", "20.0.0.500"])
def test_mac_builds_of_20_are_20(version: str) -> None:
    assert describe(version)["release_line"] == "20"


@given(SUBJECTS)
def test_any_text_gets_one_description(text: str) -> None:
    answer = describe(text)
    assert set(answer) == KEYS
    assert answer["certainty"] in (*CERTAINTIES, "unknown")
    assert answer["reason"].endswith(".")


@given(NUMBERS, st.sampled_from(CERTAINTIES))
def test_what_a_version_can_be_is_never_empty_and_narrows_with_weaker_rows(version: Version, certainty: str) -> None:
    span = span_of(version, certainty)
    assert span.earliest <= span.latest
    narrowest = span_of(version, "inferred")
    assert span.earliest <= narrowest.earliest <= narrowest.latest <= span.latest


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: str(build.version))
def test_a_listed_build_can_be_nothing_but_its_release(build) -> None:
    span = span_of(build.version)
    assert build.span.earliest <= span.earliest <= span.latest <= build.span.latest


@pytest.mark.parametrize(
    ("left", "right", "older"),
    [
        ("10.0.0.3186", "10.0 Update 17", True),
        ("10.0.0.3186", "10.0 Update 16", False),
        ("10.0.0.3186", "11.0", True),
        ("11.0.0.582", "10.0 Update 99", False),
        ("9.6 SP1 Patch 1 Update 4", "9.6 SP1 Patch 1 Update 5", True),
        ("9.6.2.7599", "9.6 SP1 Patch 1 Update 5", True),
        ("9.6.2.7690", "9.6 SP1 Patch 1 Update 5", False),
        ("9.6.1.9999", "9.6 Patch 2", True),
        ("9.6.2.100", "9.6 Patch 2", False),
        ("9.6.2.100", "9.6 SP1", None),
        # Between two listed builds some questions still have an answer.
        ("11.0.0.540", "11.0 Update 7", True),
        ("11.0.0.540", "11.0 Update 4", False),
        ("11.0.0.540", "11.0 Update 5", None),
        ("11.0.0.540", "11.0 Update 6", None),
        ("9.5.3.7568", "9.5 SP1 Patch 3 Update 3", None),
        ("10.0.0.3864", "10.0 Update 20", False),
        ("10.0.0.3864", "10.0 Update 30", None),
        # Builds of one counter have the order of their numbers, whatever their releases are.
        ("10.0.0.3200", "10.0.0.3201", True),
        ("10.0.0.3201", "10.0.0.3200", False),
        ("20.0.0.8438", "20.0.3.860", True),
        ("9.5.2.2409", "9.5.3.2754", True),
        # macOS counts on its own: build 243 of late 2024 is not older than 20 GA.
        ("20.0.0.243", "20.0.0.877", False),
        ("20.0.0.243", "20 LTS Update 2024-04-24", False),
        ("20.0.0.158", "20 LTS Update 2023-12-12", True),
        ("20.0.0.500", "20 LTS Update 2023-12-12", None),
        ("20.0.0.500", "12.0 Update 10", False),
        ("20.0.2.1390", "20 LTS Update 2025-02-01", True),
        # The Windows build of the update of which 6912 is the Linux build.
        ("20.0.0.6860", "20 LTS Update 2023-05-02", None),
        ("20.0.0.6860", "20 LTS Update 2023-06-28", True),
        ("9.0.0.5616", "9.5", True),
        ("0.0.0.0", "20", None),
        ("nonsense", "20", None),
        ("20.0.0.877", "nonsense", None),
    ],
)
def test_older(left: str, right: str, older: bool | None) -> None:
    assert is_older(left, right) is older


def test_older_goes_by_what_is_certain_enough() -> None:
    # The tie of 3186 to Update 16 is inferred, that of 2797 to Update 10 is confirmed.
    assert is_older("10.0.0.3186", "10.0 Update 17", "inferred") is True
    assert is_older("10.0.0.3186", "10.0 Update 17", "confirmed") is None
    assert is_older("10.0.0.3186", "10.0 Update 10", "confirmed") is False


@given(SUBJECTS, SUBJECTS, SUBJECTS, st.sampled_from(CERTAINTIES))
def test_older_is_an_order(first: str, second: str, third: str, certainty: str) -> None:
    assert is_older(first, first, certainty) is not True
    if is_older(first, second, certainty):
        assert is_older(second, first, certainty) is False
        if is_older(second, third, certainty):
            assert is_older(first, third, certainty) is True


@given(
    st.builds(Release, st.integers(0, 30), st.integers(0, 6), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
)
def test_a_release_is_itself(release: Release) -> None:
    assert span_of(release) == (release, release)
