# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suites that are offered, against the tables of CryptoDataHub and tlslite-ng, and what is known of agents' own."""

from __future__ import annotations

import re

import pytest
from cryptodatahub.common.algorithm import Authentication
from cryptodatahub.tls.algorithm import TlsCipherSuite
from cryptodatahub.tls.version import TlsVersion
from hypothesis import given
from hypothesis import strategies as st
from tlslite.constants import CipherSuite

from ansible_collections.workload_security.agent.plugins.module_utils._agent.suites import SUITES
from ansible_collections.workload_security.agent.plugins.module_utils._probe import offered
from ansible_collections.workload_security.agent.plugins.module_utils._probe.offered import (
    OFFERED,
    can_be_in,
    code_of,
    name_of,
    weaknesses,
)

LOWEST = {
    TlsVersion.SSL3: "1.0",
    TlsVersion.TLS1: "1.0",
    TlsVersion.TLS1_2: "1.2",
    TlsVersion.TLS1_3_DRAFT_15: "1.3",
    TlsVersion.TLS1_3: "1.3",
}


@pytest.mark.parametrize("code", OFFERED, ids=OFFERED.get)
def test_cryptodatahub_knows_each(code: int) -> None:
    other = TlsCipherSuite[OFFERED[code]].value
    assert other.code == code
    lowest = LOWEST[other.initial_version]
    if re.search("(CAMELLIA|ARIA)_..._CBC_SHA(256|384)", OFFERED[code]):
        # It says 1.0, but they must not be used before TLS 1.2: RFC 5932 and RFC 6209.
        lowest = "1.2"
    versions = ["1.3"] if lowest == "1.3" else [version for version in ("1.0", "1.1", "1.2") if version >= lowest]
    assert [version for version in ("1.0", "1.1", "1.2", "1.3") if can_be_in(code, version)] == versions


def test_tlslite_has_the_same_names() -> None:
    named = {code: CipherSuite.ietfNames[code] for code in OFFERED if code in CipherSuite.ietfNames}
    # It writes the anonymous exchanges in capitals in places.
    assert {code: name.upper() for code, name in named.items()} == {code: OFFERED[code].upper() for code in named}
    assert len(named) >= 60


def test_nothing_is_left_out_that_such_a_server_may_have() -> None:
    # With certificates for RSA and ECDSA, and without one; other suites need keys that no agent or manager has.
    certificates = (Authentication.RSA, Authentication.ECDSA, Authentication.ANONYMOUS)
    names = {
        suite.name
        for suite in TlsCipherSuite
        if suite.value.authentication in certificates
        and re.match("TLS_(RSA|DHE_RSA|ECDHE_RSA|ECDHE_ECDSA|DH_anon|ECDH_anon)_(EXPORT_)?WITH_", suite.name)
        # Never registered: Salsa20, and numbers for private use.
        and "SALSA20" not in suite.name
        and suite.value.code < 0xFF00
    }
    assert names <= set(OFFERED.values())
    assert len(names) == 124
    assert {suite.iana for suite in SUITES} <= set(OFFERED.values())


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.iana)
def test_the_rules_for_weakness_agree_with_what_is_known_of_agents(suite, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weaknesses(suite.iana) == list(suite.weak)
    monkeypatch.setattr(offered, "find_suite", lambda name: None)
    assert weaknesses(suite.iana) == list(suite.weak)


def test_what_is_weak() -> None:
    strong = {name for name in OFFERED.values() if not weaknesses(name)}
    assert {name.split("_WITH_")[0] for name in strong if "_WITH_" in name} == {
        "TLS_DHE_RSA",
        "TLS_ECDHE_RSA",
        "TLS_ECDHE_ECDSA",
    }
    assert all("GCM" in name or "CCM" in name or "POLY1305" in name for name in strong)
    assert len(weaknesses("TLS_RSA_EXPORT_WITH_RC4_40_MD5")) == 4
    assert len(weaknesses("TLS_RSA_WITH_NULL_SHA")) == 3
    assert weaknesses("0xC0,0xFF") == []


@pytest.mark.parametrize(
    "text", ["TLS_RSA_WITH_RC4_128_MD5", " tls_rsa_with_rc4_128_md5 ", "0x0004", "0x00,0x04", "00,04"]
)
def test_a_suite_by_its_names(text: str) -> None:
    assert code_of(text) == 4


def test_other_names() -> None:
    assert code_of("DES-CBC3-SHA") == 0x000A
    assert code_of("TLS_NONSENSE") is None
    assert (name_of(0xC0FF), code_of(name_of(0xC0FF))) == ("0xC0,0xFF", 0xC0FF)
    # What is not known is offered wherever it may exist.
    assert [version for version in ("1.0", "1.1", "1.2", "1.3") if can_be_in(0xC0FF, version)] == ["1.0", "1.1", "1.2"]


@given(st.text(max_size=40))
def test_any_text_is_a_suite_or_none(text: str) -> None:
    code = code_of(text)
    assert code is None or 0 <= code <= 0xFFFF
