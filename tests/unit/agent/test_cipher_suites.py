# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented suites of every range of the vendor's page, and nothing where the page says nothing.

What is expected here was written from the page "Communication between Workload Security and the agent", row by row;
nothing of it comes from the code.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent import cipher_suites
from ansible_collections.workload_security.agent.plugins.module_utils._agent.cipher_suites import (
    RANGES,
    documented,
    supports_suite,
    supports_tls,
)
from ansible_collections.workload_security.agent.plugins.module_utils._agent.releases import BUILDS, CERTAINTIES, Span
from ansible_collections.workload_security.agent.plugins.module_utils._agent.suites import SUITES, find_suite
from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import Version, parse

# The words of each range, the TLS version that the page names with it, the suites in the page's order.
PAGE = [
    (
        "9.5 (no SP, patch, or update)",
        "1.0",
        """
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "9.5 SP1 to 9.5 SP1 Patch 3 Update 2",
        None,
        """
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_3DES_EDE_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "9.5 SP1 Patch 3 Updates 3 to 8",
        None,
        """
        TLS_RSA_WITH_AES_256_CBC_SHA256
        TLS_RSA_WITH_AES_128_GCM_SHA256
        TLS_RSA_WITH_AES_128_CBC_SHA256
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "9.6 (no SP, patch, or update) to 9.6 Patch 1",
        "1.0",
        """
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "9.6 Patch 2 to 9.6 SP1 Patch 1 Update 4",
        None,
        """
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_3DES_EDE_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "9.6 SP1 Patch 1 Updates 5 to 21",
        None,
        """
        TLS_RSA_WITH_AES_256_CBC_SHA256
        TLS_RSA_WITH_AES_128_GCM_SHA256
        TLS_RSA_WITH_AES_128_CBC_SHA256
        TLS_RSA_WITH_AES_256_CBC_SHA
        TLS_RSA_WITH_AES_128_CBC_SHA
        """,
    ),
    (
        "10.0 up to Update 15",
        "1.2",
        """
        TLS_RSA_WITH_AES_256_CBC_SHA256
        TLS_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
    (
        "10.0 Update 16 and later updates",
        "1.2",
        """
        TLS_RSA_WITH_AES_256_CBC_SHA256
        TLS_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
    (
        "11.0 up to Update 4",
        None,
        """
        TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        TLS_RSA_WITH_AES_256_CBC_SHA256
        TLS_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
    (
        "11.0 Update 6 and later updates",
        "1.2",
        """
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
    (
        "12.0",
        None,
        """
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
    (
        "20",
        None,
        """
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
        TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        """,
    ),
]
SUITES_OF = {words: suites.split() for words, _tls, suites in PAGE}
(
    GA_9_5,
    EARLY_9_5,
    LATE_9_5,
    GA_9_6,
    EARLY_9_6,
    LATE_9_6,
    EARLY_10,
    LATE_10,
    EARLY_11,
    LATE_11,
    ALL_12,
    ALL_20,
) = SUITES_OF

VERSIONS = st.one_of(
    st.builds(
        lambda build, step: build.version._replace(build=max(0, build.version.build + step)),
        st.sampled_from(BUILDS),
        st.integers(-1, 1),
    ),
    st.builds(
        Version,
        st.integers(8, 21),
        st.integers(0, 6),
        st.integers(0, 4),
        st.integers(0, 99999),
    ),
)


def test_the_code_has_the_rows_of_the_page() -> None:
    assert [(row.words, row.tls, list(row.suites)) for row in RANGES] == [
        (words, tls, suites.split()) for words, tls, suites in PAGE
    ]


def test_the_page_names_36_suites_of_ten_kinds() -> None:
    # 12.0 and 20 share one list there.
    assert sum(len(suites) for words, suites in SUITES_OF.items() if words != ALL_20) == 36
    assert {name for suites in SUITES_OF.values() for name in suites} == {suite.iana for suite in SUITES}


def test_ranges_are_in_order_and_do_not_overlap() -> None:
    for row in RANGES:
        assert row.releases.earliest <= row.releases.latest
    for lower, upper in itertools.pairwise(RANGES):
        assert lower.releases.latest < upper.releases.earliest


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (GA_9_5, ["9.5", "9.5 GA"]),
        (EARLY_9_5, ["9.5 SP1", "9.5 SP1 Patch 1", "9.5 SP1 Patch 3", "9.5 SP1 Patch 3 Update 2"]),
        (LATE_9_5, ["9.5 SP1 Patch 3 Update 3", "9.5 SP1 Patch 3 Update 8"]),
        (GA_9_6, ["9.6", "9.6 Patch 1"]),
        (EARLY_9_6, ["9.6 Patch 2", "9.6 SP1", "9.6 SP1 Patch 1", "9.6 SP1 Patch 1 Update 4"]),
        (LATE_9_6, ["9.6 SP1 Patch 1 Update 5", "Deep Security Agent 9.6 SP1 Patch 1 Update 7", "9.6 SP1 P1 U21"]),
        (EARLY_10, ["10.0", "10.0 Update 1", "10.0 Update 15"]),
        (LATE_10, ["10.0 Update 16", "10.0 Update 99"]),
        (EARLY_11, ["11.0", "11.0 Update 1", "11.0 Update 4"]),
        (LATE_11, ["11.0 Update 6", "11.0 Update 99"]),
        (ALL_12, ["12.0", "12.0 Update 8", "12.0 Update 99"]),
        (ALL_20, ["20", "20 LTS", "20 LTS Update 2023-12-12", "20 LTS Update 2099-01-01"]),
    ],
)
def test_releases_of_every_range(words: str, names: list[str]) -> None:
    for name in names:
        answer = documented(name)
        assert (answer["state"], answer["certainty"], answer["ranges"]) == ("documented", "confirmed", [words])
        assert answer["suites"] == SUITES_OF[words]
        assert answer["neighbors"] == []


@pytest.mark.parametrize(
    ("words", "first", "last", "certainty"),
    [
        (GA_9_5, "9.5.2.0", "9.5.2.2023", "likely"),
        (EARLY_9_5, "9.5.3.0", "9.5.3.3016", "confirmed"),
        (EARLY_9_5, "9.5.3.3017", "9.5.3.7523", "inferred"),
        (LATE_9_5, "9.5.3.7747", "9.5.3.7845", "inferred"),
        (GA_9_6, "9.6.1.0", "9.6.1.999999", "likely"),
        (EARLY_9_6, "9.6.2.0", "9.6.2.7599", "likely"),
        (LATE_9_6, "9.6.2.7690", "9.6.2.8797", "likely"),
        (EARLY_10, "10.0.0.0", "10.0.0.3107", "confirmed"),
        (LATE_10, "10.0.0.3186", "10.0.0.999999", "confirmed"),
        (EARLY_11, "11.0.0.0", "11.0.0.514", "confirmed"),
        (LATE_11, "11.0.0.582", "11.0.0.999999", "confirmed"),
        (ALL_12, "12.0.0.0", "12.0.0.999999", "confirmed"),
        (ALL_20, "20.0.0.0", "20.0.0.157", "confirmed"),
        # macOS counts on its own.
        (ALL_20, "20.0.0.158", "20.0.0.243", "confirmed"),
        (ALL_20, "20.0.0.244", "20.0.99999.999999999", "confirmed"),
    ],
)
def test_boundary_builds_of_every_range(words: str, first: str, last: str, certainty: str) -> None:
    for version in (first, last):
        answer = documented(version)
        assert (answer["state"], answer["certainty"], answer["ranges"]) == ("documented", certainty, [words])
        assert answer["suites"] == SUITES_OF[words]


@pytest.mark.parametrize("version", ["10.0.0.3108", "10.0.0.3185"])
def test_between_two_ranges_with_one_list_nothing_is_open(version: str) -> None:
    answer = documented(version)
    assert (answer["state"], answer["ranges"]) == ("documented", [EARLY_10, LATE_10])
    assert answer["suites"] == SUITES_OF[EARLY_10]


@pytest.mark.parametrize(
    ("first", "last", "state", "neighbors"),
    [
        # Between 9.5 GA and the build of 9.5 Patch 1, which no range covers.
        ("9.5.2.2024", "9.5.2.2408", "ambiguous", [GA_9_5, EARLY_9_5]),
        ("9.5.2.2409", "9.5.2.999999", "undocumented", [GA_9_5, EARLY_9_5]),
        # Which of 7568 and 7707 is Update 2 and which Update 3 is not proven.
        ("9.5.3.7524", "9.5.3.7746", "ambiguous", [EARLY_9_5, LATE_9_5]),
        ("9.5.3.7568", "9.5.3.7707", "ambiguous", [EARLY_9_5, LATE_9_5]),
        # Update 8 or past it.
        ("9.5.3.7846", "9.5.3.999999", "ambiguous", [LATE_9_5, GA_9_6]),
        ("9.6.2.7600", "9.6.2.7689", "ambiguous", [EARLY_9_6, LATE_9_6]),
        # Update 21 or Update 22, and from there on past the range.
        ("9.6.2.8798", "9.6.2.8845", "ambiguous", [LATE_9_6, EARLY_10]),
        ("9.6.2.8846", "9.6.2.999999", "undocumented", [LATE_9_6, EARLY_10]),
        ("10.1.0.0", "10.3.0.999999", "undocumented", [LATE_10, EARLY_11]),
        # Update 4, 5 or 6.
        ("11.0.0.515", "11.0.0.581", "ambiguous", [EARLY_11, LATE_11]),
        ("11.1.0.0", "11.3.0.999999", "undocumented", [LATE_11, ALL_12]),
        ("12.5.0.0", "12.5.0.999999", "undocumented", [ALL_12, ALL_20]),
        ("8.0.0.1", "9.4.0.1", "undocumented", [GA_9_5]),
        ("13.0.0.1", "19.9.9.9", "undocumented", [ALL_12, ALL_20]),
        ("21.0.0.0", "99.0.0.0", "undocumented", [ALL_20]),
        ("9.5 Patch 1", "9.5 Patch 1", "undocumented", [GA_9_5, EARLY_9_5]),
        ("9.5 Update 1", "9.5 Update 1", "undocumented", [GA_9_5, EARLY_9_5]),
        ("9.5 SP1 Patch 3 Update 9", "9.5 SP1 Patch 4", "undocumented", [LATE_9_5, GA_9_6]),
        ("9.6 SP1 Patch 1 Update 22", "9.6 SP1 Patch 2", "undocumented", [LATE_9_6, EARLY_10]),
        ("10.1", "10.3", "undocumented", [LATE_10, EARLY_11]),
        ("11.0 Update 5", "11.0 Update 5", "undocumented", [EARLY_11, LATE_11]),
        ("11.1", "11.3", "undocumented", [LATE_11, ALL_12]),
        ("12.5", "12.5 FR 2020-05-19", "undocumented", [ALL_12, ALL_20]),
        ("11.0.221", "9.6.1589", "undocumented", []),
        ("0.0.0.0", "no version", "undocumented", []),
    ],
)
def test_what_no_range_covers(first: str, last: str, state: str, neighbors: list[str]) -> None:
    for text in (first, last):
        answer = documented(text)
        assert (answer["state"], answer["certainty"], answer["neighbors"]) == (state, "unknown", neighbors)
        assert (answer["ranges"], answer["suites"], answer["weak"]) == ([], [], {})
        assert all(words in answer["reason"] for words in neighbors)


def test_a_span_that_leaves_a_range_at_either_end_is_ambiguous() -> None:
    assert cipher_suites._state(Span(parse("9.5 Patch 1"), parse("9.5 SP1"))) == "ambiguous"
    assert cipher_suites._state(Span(parse("9.5"), parse("9.5 Patch 1"))) == "ambiguous"
    assert cipher_suites._state(Span(parse("10.0 U15"), parse("10.0 U16"))) == "documented"
    assert cipher_suites._state(Span(parse("11.0 U5"), parse("11.0 U5"))) == "undocumented"


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: str(build.version))
def test_every_listed_build_is_documented_unless_it_stands_in_a_known_gap(build) -> None:
    in_a_gap = build.version[:2] in {(9, 0), (10, 1), (10, 2), (10, 3), (11, 1), (11, 2), (11, 3), (12, 5)} or str(
        build.version
    ) in {"9.5.2.2409", "9.5.3.7568", "9.5.3.7707", "9.6.2.8846", "9.6.2.8904", "9.6.2.9153"}
    assert (documented(str(build.version))["state"] == "documented") is not in_a_gap


@given(VERSIONS.map(str) | st.text() | st.integers().map(str))
def test_any_text_gets_exactly_one_state(text: str) -> None:
    answer = documented(text)
    assert answer["state"] in ("documented", "undocumented", "ambiguous")
    is_documented = answer["state"] == "documented"
    assert bool(answer["suites"]) is bool(answer["ranges"]) is is_documented
    assert (answer["certainty"] in CERTAINTIES) is is_documented
    assert answer["certainty"] in (*CERTAINTIES, "unknown")
    assert answer["reason"].endswith(".")
    if answer["state"] == "ambiguous":
        assert len(answer["neighbors"]) >= 2


@given(VERSIONS)
def test_a_documented_version_has_the_list_of_its_ranges(version: Version) -> None:
    answer = documented(str(version))
    for words in answer["ranges"]:
        assert answer["suites"] == SUITES_OF[words]
        assert words.startswith(parse(str(version)).line.split(".")[0])


def test_weak_suites_come_with_reasons() -> None:
    weak = documented("20.0.0.8438")["weak"]
    assert sorted(weak) == ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"]
    assert set(documented("9.5 SP1")["weak"]) == set(SUITES_OF[EARLY_9_5])
    assert any("3DES" in reason for reason in documented("9.5 SP1")["weak"]["TLS_RSA_WITH_3DES_EDE_CBC_SHA"])


YES, NO = True, False


@pytest.mark.parametrize(
    ("text", "tls_1_0", "tls_1_1", "tls_1_2"),
    [
        ("9.5", (YES, "stated"), (None, None), (NO, "stated")),
        ("9.5 Patch 1", (None, None), (None, None), (NO, "stated")),
        ("9.5 SP1", (None, None), (None, None), (NO, "stated")),
        ("9.5.3.7568", (None, None), (None, None), (None, "conflict")),
        ("9.5 SP1 Patch 3 Update 3", (None, None), (None, None), (None, "conflict")),
        ("9.5.3.9000", (None, None), (None, None), (None, "conflict")),
        ("9.6", (YES, "stated"), (None, None), (None, "conflict")),
        ("9.6 SP1", (None, None), (None, None), (None, "conflict")),
        ("9.6 SP1 Patch 1 Update 5", (None, None), (None, None), (None, "conflict")),
        ("9.6.2.8846", (None, None), (None, None), (None, "conflict")),
        ("10.0", (NO, "implied"), (NO, "implied"), (YES, "stated")),
        ("10.0.0.3186", (NO, "implied"), (NO, "implied"), (YES, "stated")),
        ("11.0 Update 4", (NO, "implied"), (NO, "implied"), (YES, "implied")),
        ("11.0 Update 6", (NO, "implied"), (NO, "implied"), (YES, "stated")),
        ("12.0", (NO, "implied"), (NO, "implied"), (YES, "implied")),
        ("20.0.2.1390", (NO, "implied"), (NO, "implied"), (YES, "implied")),
        # No list of suites, but the page on TLS 1.2 says that agents from 10.0 on have it.
        ("10.1", (None, None), (None, None), (YES, "stated")),
        ("11.0 Update 5", (None, None), (None, None), (YES, "stated")),
        ("12.5.0.713", (None, None), (None, None), (YES, "stated")),
        # No page lists its suites, but only agents from 10.0 on have TLS 1.2, and builds of 9.0 are known.
        ("9.0", (None, None), (None, None), (NO, "stated")),
        ("8.0", (None, None), (None, None), (None, None)),
        ("25.0.0.1", (None, None), (None, None), (None, None)),
    ],
)
def test_tls_versions_and_what_they_rest_on(text: str, tls_1_0: tuple, tls_1_1: tuple, tls_1_2: tuple) -> None:
    expected = [tls_1_0, tls_1_1, tls_1_2, (None, None)]
    rows = documented(text)["tls"]
    assert [row["version"] for row in rows] == ["TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"]
    assert [(row["supported"], row["basis"]) for row in rows] == expected
    for row, answer in zip(rows, expected):
        support = supports_tls(text, row["version"][4:])
        assert (support.supported, support.basis) == answer
        assert row["reason"].endswith(".")


def test_what_is_no_version_has_no_tls() -> None:
    assert documented("no version")["tls"] == []
    unsupported = supports_tls("no version", "1.2")
    assert (unsupported.supported, unsupported.basis) == (None, None)
    assert "without an agent" in documented("0.0.0.0")["reason"]
    assert "without an agent" in supports_tls("0.0.0.0", "1.2").reason


@given(VERSIONS.map(str))
def test_a_tls_version_is_never_denied_to_a_suite_that_needs_it(text: str) -> None:
    answer = documented(text)
    if any(find_suite(name).lowest_tls == "1.2" for name in answer["suites"]):
        assert supports_tls(text, "1.2").supported is not False


def test_one_suite_of_an_agent() -> None:
    assert supports_suite("9.6 SP1", "TLS_RSA_WITH_3DES_EDE_CBC_SHA") is True
    assert supports_suite("10.0", "TLS_RSA_WITH_3DES_EDE_CBC_SHA") is False
    assert supports_suite("11.0 Update 5", "TLS_RSA_WITH_3DES_EDE_CBC_SHA") is None
    assert supports_suite("11.0.0.540", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256") is None
