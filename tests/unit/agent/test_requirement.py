# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a requirement loses, who it keeps, of whom it cannot be told, and what saves them.

What is expected here was worked out by hand from the vendor's pages; nothing of it comes from the code.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._agent.presets import PRESETS
from ansible_collections.workload_security.agent.plugins.module_utils._agent.releases import BUILDS, is_older
from ansible_collections.workload_security.agent.plugins.module_utils._agent.requirement import (
    Requirement,
    judge,
    lacks_tls_1_2,
    listed_builds,
    upgrade,
)
from ansible_collections.workload_security.agent.plugins.module_utils._agent.suites import SUITES
from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import Version, parse

ECDHE_GCM = ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
ECDHE_CBC = ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256")

TLS_1_0 = Requirement((), "1.0")
TLS_1_1 = Requirement((), "1.1")
TLS_1_2 = Requirement((), "1.2")
TLS_1_3 = Requirement((), "1.3")
FORWARD_SECRECY = Requirement(ECDHE_GCM + ECDHE_CBC)
GCM = Requirement(ECDHE_GCM, "1.2")
SHA1 = Requirement(("TLS_RSA_WITH_AES_128_CBC_SHA",))
SHA1_IN_TLS_1_2 = Requirement(("TLS_RSA_WITH_AES_128_CBC_SHA",), "1.2")
RSA_GCM = Requirement(("TLS_RSA_WITH_AES_128_GCM_SHA256",))
RSA_GCM_OR_SHA1 = Requirement(RSA_GCM.suites + SHA1.suites)

VERSIONS = st.one_of(
    st.sampled_from(BUILDS).map(lambda build: build.version),
    st.builds(Version, st.integers(8, 21), st.integers(0, 6), st.integers(0, 4), st.integers(0, 9999)),
).map(str)
REQUIREMENTS = st.sampled_from(list(PRESETS.values())) | st.builds(
    Requirement,
    st.lists(st.sampled_from([suite.iana for suite in SUITES]), unique=True).map(tuple),
    st.sampled_from([None, "1.0", "1.1", "1.2"]),
)
ORDER = ("kept", "unknown", "lost")


def fate(text: str, requirement: Requirement, old_platform: bool = False) -> str:
    """Outcome and cause in one text."""
    verdict = judge(text, requirement, old_platform)
    assert verdict.reason.endswith(".")
    return verdict.outcome if verdict.cause is None else f"{verdict.outcome}: {verdict.cause}"


@pytest.mark.parametrize(
    ("text", "tls_1_1", "tls_1_2", "forward_secrecy", "gcm"),
    [
        ("9.5.2.2023", "unknown: undocumented", "lost: tls_too_old", "lost: no_shared_suite", "lost: tls_too_old"),
        ("9.5.3.2754", "unknown: undocumented", "lost: tls_too_old", "lost: no_shared_suite", "lost: tls_too_old"),
        ("9.5.3.7747", "unknown: conflict", "unknown: conflict", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("9.6.1.1308", "unknown: conflict", "unknown: conflict", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("9.6.2.8436", "unknown: conflict", "unknown: conflict", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("9.6.2.8846", "unknown: conflict", "unknown: conflict", "unknown: undocumented", "unknown: undocumented"),
        ("10.0.0.3186", "kept", "kept", "lost: no_shared_suite", "lost: no_shared_suite"),
        # Between two ranges with one list.
        ("10.0.0.3150", "kept", "kept", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("10.1.0.203", "kept", "kept", "unknown: undocumented", "unknown: undocumented"),
        ("11.0.0.514", "kept", "kept", "kept", "lost: no_shared_suite"),
        # Update 4, 5 or 6, and no page lists the suites of Update 5.
        ("11.0.0.550", "kept", "kept", "unknown: ambiguous", "unknown: ambiguous"),
        ("11.0 Update 5", "kept", "kept", "unknown: undocumented", "unknown: undocumented"),
        ("11.0.0.582", "kept", "kept", "kept", "kept"),
        ("12.0.0.967", "kept", "kept", "kept", "kept"),
        ("12.5.0.713", "kept", "kept", "unknown: undocumented", "unknown: undocumented"),
        ("20.0.0.158", "kept", "kept", "kept", "kept"),
        ("25.0.0.1", *["unknown: undocumented"] * 4),
        ("0.0.0.0", *["unknown: no_agent"] * 4),
        ("", *["unknown: unknown_version"] * 4),
        ("11.0.221", *["unknown: unknown_version"] * 4),
        ("<script>", *["unknown: unknown_version"] * 4),
    ],
)
def test_what_becomes_of_an_agent(text: str, tls_1_1: str, tls_1_2: str, forward_secrecy: str, gcm: str) -> None:
    found = [fate(text, requirement) for requirement in (TLS_1_1, TLS_1_2, FORWARD_SECRECY, GCM)]
    assert found == [tls_1_1, tls_1_2, forward_secrecy, gcm]


@pytest.mark.parametrize(
    ("text", "strong", "strong_gcm"),
    [
        ("9.5.2.2023", "lost: tls_too_old", "lost: tls_too_old"),
        ("9.6.2.8436", "lost: no_shared_suite", "lost: no_shared_suite"),
        # The page has a list for 10.0 up to Update 15, and one for later updates "out-of-box".
        ("10.0.0.2094", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("10.0.0.3107", "lost: no_shared_suite", "lost: no_shared_suite"),
        ("10.0.0.3150", "unknown: extendable", "unknown: extendable"),
        ("10.0.0.3186", "unknown: extendable", "unknown: extendable"),
        ("10.0.0.3864", "unknown: extendable", "unknown: extendable"),
        ("10.1.0.203", "unknown: undocumented", "unknown: undocumented"),
        ("11.0.0.211", "kept", "unknown: extendable"),
        ("11.0.0.514", "kept", "unknown: extendable"),
        ("11.0.0.550", "unknown: ambiguous", "unknown: ambiguous"),
        ("11.0.0.582", "kept", "kept"),
        ("12.0.0.967", "kept", "kept"),
        ("20.0.3.860", "kept", "kept"),
        ("0.0.0.0", "unknown: no_agent", "unknown: no_agent"),
    ],
)
def test_what_the_vendors_scripts_would_do(text: str, strong: str, strong_gcm: str) -> None:
    assert [fate(text, PRESETS[name]) for name in ("strong", "strong_gcm")] == [strong, strong_gcm]


def test_the_vendors_scripts_are_what_they_set() -> None:
    strong, strong_gcm = PRESETS["strong"], PRESETS["strong_gcm"]
    assert (strong.suites, strong.minimum_tls) == (ECDHE_GCM + ECDHE_CBC, "1.2")
    assert (strong_gcm.suites, strong_gcm.minimum_tls) == (ECDHE_GCM, "1.2")
    assert "/EnableStrongCiphers.script" in strong.source and "/EnableStrongCiphers12.script" in strong_gcm.source
    assert upgrade("10.0.0.3186", strong) == parse("11.0 GA")
    assert upgrade("10.0.0.3186", strong_gcm) == parse("11.0 Update 6")


@pytest.mark.parametrize(
    ("text", "requirement", "words"),
    [
        ("12.0.0.967", GCM, ["communication between the manager and agents"]),
        ("10.0.0.3186", GCM, ["communication between the manager and agents"]),
        (
            "10.0.0.3186",
            PRESETS["strong"],
            ["communication between the manager and agents", "EnableStrongCiphers.script"],
        ),
        ("11.0.0.550", GCM, ["communication between the manager and agents"]),
        ("9.5.3.2754", TLS_1_2, ["use TLS 1.2"]),
        ("9.6.1.1308", TLS_1_2, ["use TLS 1.2", "Deep Security 20"]),
        ("10.0.0.3186", TLS_1_2, ["communication between the manager and agents"]),
    ],
)
def test_a_verdict_says_where_it_comes_from(text: str, requirement: Requirement, words: list[str]) -> None:
    source = judge(text, requirement).source
    assert source and all(part in source for part in words)
    assert ("EnableStrongCiphers" in source) is any("EnableStrong" in part for part in words)


def test_on_an_old_platform_the_table_of_platforms_is_named() -> None:
    assert "platform compatibility" in judge("12.0.0.967", TLS_1_2, True).source
    assert judge("no version", TLS_1_2).source is judge("0.0.0.0", GCM).source is None


def test_every_agent_speaks_some_version_of_tls() -> None:
    assert {fate(str(build.version), TLS_1_0) for build in BUILDS} == {"kept"}
    assert {fate(str(build.version), Requirement()) for build in BUILDS} == {"kept"}


def test_nobody_documents_tls_1_3_and_who_lacks_1_2_lacks_it_too() -> None:
    assert fate("20.0.3.860", TLS_1_3) == "unknown: undocumented"
    assert fate("9.6.2.8436", TLS_1_3) == "unknown: undocumented"
    assert fate("9.5.3.2754", TLS_1_3) == "lost: tls_too_old"


def test_a_suite_needs_its_tls_version() -> None:
    # Listed, but the vendor contradicts itself on whether these agents speak the only version that has it.
    assert fate("9.6.2.8436", RSA_GCM) == "unknown: conflict"
    # Beside it, one that works in every version.
    assert fate("9.6.2.8436", RSA_GCM_OR_SHA1) == "kept"
    assert fate("9.5.3.2754", SHA1) == "kept"
    assert fate("9.5.3.2754", SHA1_IN_TLS_1_2) == "lost: tls_too_old"
    assert fate("9.6.2.8436", SHA1_IN_TLS_1_2) == "unknown: conflict"
    assert fate("12.0.0.967", SHA1) == "lost: no_shared_suite"


@pytest.mark.parametrize("text", ["9.5.3.7568", "9.5.3.7707", "9.6.2.7650"])
def test_an_ambiguous_build_is_told_where_all_that_it_can_be_ends_alike(text: str) -> None:
    # Both lists have it, neither has it, and only the later one has it.
    assert fate(text, SHA1) == "kept"
    assert fate(text, FORWARD_SECRECY) == "lost: no_shared_suite"
    assert fate(text, RSA_GCM) == "unknown: ambiguous"


def test_an_ambiguous_build_is_not_told_where_it_may_be_one_that_no_page_covers() -> None:
    # Between 9.5 GA and Patch 1, past Update 8, and past Update 21.
    for text in ("9.5.2.2100", "9.5.3.9000", "9.6.2.8800"):
        assert fate(text, SHA1) == "unknown: ambiguous"
        assert fate(text, FORWARD_SECRECY) == "unknown: ambiguous"


@pytest.mark.parametrize(
    ("platform", "lacks"),
    [
        ("CloudLinux 5 (64 bit)", True),
        ("Ubuntu Linux 10 (64 bit) (2.6.32-21-server)", True),
        ("Ubuntu Linux 10", True),
        ("CloudLinux 50", False),
        ("CloudLinux 7 (64 bit)", False),
        ("Ubuntu Linux 20 (64 bit) (5.4.0-187-generic)", False),
        ("Debian 10 (64 bit)", False),
        ("Microsoft Windows 10 (64 bit)", False),
        ("", False),
    ],
)
def test_platforms_without_tls_1_2(platform: str, lacks: bool) -> None:
    assert lacks_tls_1_2(platform) is lacks


def test_on_such_a_platform_what_needs_tls_1_2_loses_and_no_release_saves() -> None:
    for text in ("9.6.2.8436", "10.0.0.3186", "12.0.0.967"):
        for requirement in (TLS_1_2, GCM):
            assert fate(text, requirement, True) == "lost: platform"
            assert upgrade(text, requirement, True) is None
    assert fate("12.0.0.967", FORWARD_SECRECY, True) == "lost: platform"
    assert fate("9.6.2.8436", SHA1, True) == "kept"
    # Lost by its suites on any platform; there, the later releases are of no use either.
    assert fate("9.6.2.8436", FORWARD_SECRECY, True) == "lost: no_shared_suite"
    assert upgrade("9.6.2.8436", FORWARD_SECRECY, True) is None


@pytest.mark.parametrize(
    ("text", "requirement", "release"),
    [
        ("9.5.2.2023", TLS_1_2, "10.0 GA"),
        ("9.6.2.8436", TLS_1_2, "10.0 GA"),
        ("9.6.2.8846", TLS_1_2, "10.0 GA"),
        ("9.5.2.2023", FORWARD_SECRECY, "11.0 GA"),
        ("10.0.0.3186", FORWARD_SECRECY, "11.0 GA"),
        ("10.3.0.396", FORWARD_SECRECY, "11.0 GA"),
        ("10.0.0.3186", GCM, "11.0 Update 6"),
        ("11.0.0.211", GCM, "11.0 Update 6"),
        ("11.0.0.550", GCM, "11.0 Update 6"),
        ("11.0 Update 5", GCM, "11.0 Update 6"),
        ("11.3.0.292", GCM, "12.0 GA"),
        ("12.5.0.713", GCM, "20 GA"),
        ("9.5.2.2409", SHA1, "9.5 SP1"),
        # It may be 9.5 GA already.
        ("9.5.2.2100", SHA1, "9.5 SP1"),
        ("9.6.2.8846", SHA1, None),
        ("12.0.0.967", SHA1, None),
        # What other pages deny TLS 1.2 to is no help.
        ("9.5.2.2023", RSA_GCM, None),
        ("25.0.0.1", GCM, None),
        ("0.0.0.0", GCM, None),
        ("no version", GCM, None),
    ],
)
def test_the_nearest_release_that_saves(text: str, requirement: Requirement, release: str | None) -> None:
    found = upgrade(text, requirement)
    assert found == (parse(release) if release else None)


def test_builds_of_a_release() -> None:
    assert listed_builds(parse("11.0 GA")) == [
        {"version": "11.0.0.211", "platform": "Linux"},
        {"version": "11.0.0.223", "platform": "Windows"},
    ]
    assert listed_builds(parse("11.0 Update 6")) == [{"version": "11.0.0.582", "platform": None}]
    assert listed_builds(parse("9.6 Patch 2")) == []


@given(VERSIONS | st.text(), REQUIREMENTS, st.booleans())
def test_any_text_gets_one_verdict(text: str, requirement: Requirement, old_platform: bool) -> None:
    verdict = judge(text, requirement, old_platform)
    causes = {
        "kept": {None},
        "lost": {"no_shared_suite", "tls_too_old", "platform"},
        "unknown": {"no_agent", "unknown_version", "undocumented", "ambiguous", "conflict", "extendable"},
    }
    assert verdict.cause in causes[verdict.outcome]


@given(VERSIONS, REQUIREMENTS, st.sampled_from([suite.iana for suite in SUITES]))
def test_accepting_one_suite_more_harms_nobody(text: str, requirement: Requirement, suite: str) -> None:
    # One more would not be what the script sets.
    if requirement.suites and not requirement.source:
        wider = requirement._replace(suites=(*requirement.suites, suite))
        assert ORDER.index(judge(text, wider).outcome) <= ORDER.index(judge(text, requirement).outcome)


@given(VERSIONS, REQUIREMENTS)
def test_a_later_tls_version_helps_nobody(text: str, requirement: Requirement) -> None:
    outcomes = [judge(text, requirement._replace(minimum_tls=tls)).outcome for tls in (None, "1.0", "1.1", "1.2")]
    assert outcomes == sorted(outcomes, key=ORDER.index)


@given(VERSIONS, REQUIREMENTS, st.booleans())
def test_an_upgrade_leads_forward_to_a_release_that_survives(
    text: str, requirement: Requirement, old_platform: bool
) -> None:
    found = upgrade(text, requirement, old_platform)
    if found:
        assert judge(str(found), requirement, old_platform).outcome == "kept"
        assert is_older(str(found), text) is not True
