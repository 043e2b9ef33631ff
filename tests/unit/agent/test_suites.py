# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of each suite against those who must know: OpenSSL, CryptoDataHub, tlslite-ng."""

from __future__ import annotations

import re
import subprocess

import pytest
from cryptodatahub.common.algorithm import KeyExchange
from cryptodatahub.tls.algorithm import TlsCipherSuite
from cryptodatahub.tls.version import TlsVersion
from hypothesis import given
from hypothesis import strategies as st
from tlslite.constants import CipherSuite

from ansible_collections.workload_security.agent.plugins.module_utils._agent.suites import (
    NAMES,
    SUITES,
    Suite,
    find_suite,
)
from ansible_collections.workload_security.agent.plugins.module_utils._agent.tls_versions import normalize

each_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.iana)


def number(suite: Suite) -> int:
    return int(suite.code_point.replace("0x", "").replace(",", ""), 16)


def openssl_ciphers() -> dict[str, list[str]]:
    """OpenSSL's own list: IANA name to code point, OpenSSL name, and what is said of the suite."""
    command = ["openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    rows = [re.split(r"\s+", line.replace(" - ", " ").strip()) for line in output.splitlines()]
    return {row[1]: [row[0], *row[2:]] for row in rows}


def test_openssl_agrees() -> None:
    listed = openssl_ciphers()
    # Debian builds OpenSSL without 3DES; the other authorities have it.
    compared = [suite for suite in SUITES if suite.iana in listed]
    assert {suite.iana for suite in SUITES} - {suite.iana for suite in compared} <= {"TLS_RSA_WITH_3DES_EDE_CBC_SHA"}
    for suite in compared:
        code_point, name, lowest, exchange, _authentication, _encryption, mac = listed[suite.iana]
        assert (suite.code_point, suite.openssl) == (code_point, name)
        assert suite.lowest_tls == {"SSLv3": "1.0", "TLSv1": "1.0", "TLSv1.2": "1.2"}[lowest]
        assert suite.key_exchange == {"Kx=RSA": "RSA", "Kx=ECDH": "ECDHE"}[exchange]
        assert suite.aead is (mac == "Mac=AEAD")


@each_suite
def test_cryptodatahub_agrees(suite: Suite) -> None:
    other = TlsCipherSuite[suite.iana].value
    assert (number(suite), suite.openssl) == (other.code, other.openssl_name)
    assert suite.key_exchange == other.key_exchange.name
    # ECDHE and DHE are its only exchanges that are ephemeral, and it says so itself.
    assert suite.forward_secrecy is (other.key_exchange == KeyExchange.ECDHE)
    assert suite.forward_secrecy is other.key_exchange.value.forward_secret
    assert suite.aead is other.authenticated_encryption
    assert (
        suite.lowest_tls
        == {TlsVersion.SSL3: "1.0", TlsVersion.TLS1: "1.0", TlsVersion.TLS1_2: "1.2"}[other.initial_version]
    )


@each_suite
def test_tlslite_agrees(suite: Suite) -> None:
    code = number(suite)
    assert CipherSuite.ietfNames[code] == suite.iana
    assert suite.aead is (code in CipherSuite.aeadSuites)
    assert (suite.key_exchange == "ECDHE") is suite.forward_secrecy is (code in CipherSuite.ecdheCertSuites)
    assert (suite.key_exchange == "RSA") is (code in CipherSuite.certSuites)
    assert (suite.lowest_tls == "1.2") is (code in CipherSuite.tls12Suites)
    assert ("3DES" in suite.iana) is (code in CipherSuite.tripleDESSuites)
    assert any("SHA-1" in reason for reason in suite.weak) is (code in CipherSuite.shaSuites)


@each_suite
def test_reference_and_recommendation_are_those_of_the_registry(suite: Suite) -> None:
    # No library holds these. Source: IANA registry "TLS Cipher Suites", columns Reference and Recommended; RSA key
    # exchange turns from N to D by the IANA Considerations of draft-ietf-tls-deprecate-obsolete-kex-07, now RFC 10015.
    reference = 5289 if suite.key_exchange == "ECDHE" else 5288 if suite.aead else 5246
    recommended = "D" if suite.key_exchange == "RSA" else "Y" if suite.aead else "N"
    assert (suite.rfc, suite.recommended) == (reference, recommended)


@each_suite
def test_only_what_is_recommended_is_not_weak(suite: Suite) -> None:
    assert bool(suite.weak) is (suite.recommended != "Y")
    assert any("forward secrecy" in reason for reason in suite.weak) is not suite.forward_secrecy
    assert any("CBC" in reason for reason in suite.weak) is not suite.aead


@each_suite
def test_a_suite_is_found_by_any_of_its_names(suite: Suite) -> None:
    code = f"{number(suite):04X}"
    names = [getattr(suite, kind) for kind in NAMES]
    spelled = [*names, f"{code[:2]},{code[2:]}", f"0x{code}", code, suite.iana.lower(), f" {suite.openssl.lower()}\n"]
    assert [find_suite(name) for name in spelled] == [suite] * len(spelled)


def test_a_suite_is_plain_data() -> None:
    plain = find_suite("C0,2F").as_dict()
    assert plain == {
        "iana": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "code_point": "0xC0,0x2F",
        "openssl": "ECDHE-RSA-AES128-GCM-SHA256",
        "rfc": 5289,
        "lowest_tls": "1.2",
        "key_exchange": "ECDHE",
        "forward_secrecy": True,
        "aead": True,
        "recommended": "Y",
        "weak": [],
    }


@pytest.mark.parametrize("name", ["", "TLS_AES_128_GCM_SHA256", "0x1301", "RC4-MD5", "9" * 100_000, None, 47, b"002F"])
def test_other_suites_are_not_found(name: object) -> None:
    assert find_suite(name) is None


@given(st.text())
def test_any_name_is_found_or_not(name: str) -> None:
    assert find_suite(name) in (None, *SUITES)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.0", "1.0"),
        ("TLS 1.1", "1.1"),
        ("TLSv1.2", "1.2"),
        ("tlsv1_3", "1.3"),
        ("TLSv1", "1.0"),
        ("1.4", None),
        ("3.0", None),
        ("-1", None),
        ("TLS-1.2", "1.2"),
        ("SSLv3", None),
        ("", None),
        ("1.2" + " " * 100, None),
        (1.2, None),
        (None, None),
    ],
)
def test_spellings_of_tls_versions(text: object, version: str | None) -> None:
    assert normalize(text) == version


def test_letters_that_only_look_like_those_of_ascii_in_upper_case_name_nothing() -> None:
    assert find_suite("AE\u017f128-SHA") is None and find_suite("aes128-\u017fha") is None
    assert find_suite("aes128-sha")
