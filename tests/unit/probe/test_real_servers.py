# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found is what real servers accept: OpenSSL, GnuTLS, and tlslite-ng, which speaks what is old."""

from __future__ import annotations

import re
import ssl
import subprocess

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._agent.cipher_suites import RANGES
from ansible_collections.workload_security.agent.plugins.module_utils._probe.offered import OFFERED
from tests.unit.probe.servers import (
    ALL_VERSIONS,
    Certificate,
    gnutls_server,
    old_server,
    openssl_context,
    openssl_server,
    probe,
)

# That TLS 1.0 and 1.1 are old is why they are here.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.*deprecated:DeprecationWarning")

AES_3DES = ("aes256", "3des", "aes128")
ECDHE_GCM = ("aes256gcm", "aes128gcm", "aes256", "aes128")


def codes_of(context: ssl.SSLContext, version: str) -> set[int]:
    """The code points that OpenSSL itself says a context has for a version, with an RSA certificate."""
    wanted = {"1.3": {"TLSv1.3"}, "1.2": {"TLSv1.0", "SSLv3", "TLSv1.2"}}.get(version, {"TLSv1.0", "SSLv3"})
    return {
        cipher["id"] & 0xFFFF
        for cipher in context.get_ciphers()
        if cipher["protocol"] in wanted and cipher["auth"] in ("auth-rsa", "auth-any")
    }


def suites(result: dict, version: str) -> list[str]:
    return result["versions"][f"TLSv{version}"]["suites"]


def test_openssl(certificate: Certificate) -> None:
    # Everything that an RSA certificate can do, at the security level that allows TLS 1.0.
    context = openssl_context(certificate, "aRSA:@SECLEVEL=0")
    with openssl_server(context) as server:
        (result,) = probe(server.port)
    assert (result["state"], result["complete"]) == ("answered", True)
    known = set(OFFERED)
    for version in ALL_VERSIONS:
        expected = {OFFERED[code] for code in codes_of(context, version) & known}
        # Without parameters for it, the ssl module's servers have no finite-field Diffie-Hellman.
        expected = {name for name in expected if not name.startswith("TLS_DHE_")}
        assert set(suites(result, version)) == expected
        assert len(expected) >= 3
    assert set(result["weak_versions"]) == {"TLSv1.0", "TLSv1.1"}
    assert result["weak"]["TLS_RSA_WITH_AES_128_CBC_SHA"]


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_openssl_with_one_version(certificate: Certificate, version: str) -> None:
    with openssl_server(openssl_context(certificate, "aRSA:@SECLEVEL=0", [version])) as server:
        (result,) = probe(server.port)
    states = {label: asked["state"] for label, asked in result["versions"].items()}
    assert states == {f"TLSv{each}": "accepted" if each == version else "refused" for each in ALL_VERSIONS}
    assert result["complete"]


@pytest.mark.parametrize("preference", ["server", "client"])
def test_whose_preference_it_is(certificate: Certificate, preference: str) -> None:
    names = ["AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256"]
    context = openssl_context(certificate, ":".join([*names, "@SECLEVEL=0"]), ["1.2"])
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if preference == "server":
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    with openssl_server(context) as server:
        (result,) = probe(server.port)
    assert result["versions"]["TLSv1.2"]["order"] == preference
    in_servers_order = [
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
    ]
    offered = sorted(in_servers_order, key=list(OFFERED.values()).index)
    assert suites(result, "1.2") == (in_servers_order if preference == "server" else offered)


@pytest.mark.parametrize(
    "priority",
    [
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3",
        # The old ones, 3DES among them.
        "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+3DES-CBC:+RSA:+SHA1:+AES-128-CBC:%SERVER_PRECEDENCE",
        "NONE:+VERS-TLS1.0:+RSA:+3DES-CBC:+SHA1:+COMP-NULL:+SIGN-ALL",
    ],
)
def test_gnutls(certificate: Certificate, priority: str) -> None:
    with gnutls_server(certificate, priority) as port:
        listed = subprocess.run(
            ["gnutls-cli", "--list", "--priority", priority], check=True, capture_output=True, text=True, timeout=30
        ).stdout
        (result,) = probe(port)
    # Rows such as "TLS_RSA_3DES_EDE_CBC_SHA1   0x00, 0x0a   TLS1.0", then "Protocols: VERS-TLS1.0".
    rows = re.findall(r"^(TLS_\S+)\s+0x(..), 0x(..)\s", listed, re.MULTILINE)
    codes = {int(high + low, 16) for name, high, low in rows}
    expected = {OFFERED[code] for code in codes if code in OFFERED and "ECDSA" not in OFFERED[code]}
    assert set(result["suites"]) == expected
    spoken = re.findall(r"VERS-TLS(1\.[0-3])", re.search(r"^Protocols: .*$", listed, re.MULTILINE)[0])
    assert {label for label, asked in result["versions"].items() if asked["state"] == "accepted"} == {
        f"TLSv{version}" for version in spoken
    }
    assert result["complete"]


def test_what_stock_openssl_cannot_ask_for(certificate: Certificate) -> None:
    with old_server(certificate, ["3des"], ["sha"]) as server:
        (result,) = probe(server.port)
    assert result["suites"] == ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"]
    assert [label for label, asked in result["versions"].items() if asked["state"] == "accepted"] == ["TLSv1.0"]
    assert any("Sweet32" in reason for reason in result["weak"]["TLS_RSA_WITH_3DES_EDE_CBC_SHA"])
    assert result["weak_versions"] == {"TLSv1.0": "deprecated (RFC 8996)"}


# By the page's words, an agent of that range: its version, and a server that offers exactly its suites.
AGENTS = {
    "9.5 (no SP, patch, or update)": ("9.5", dict(ciphers=["aes256", "aes128"], macs=["sha"])),
    "9.5 SP1 to 9.5 SP1 Patch 3 Update 2": ("9.5.3.2754", dict(ciphers=AES_3DES, macs=["sha"])),
    "9.5 SP1 Patch 3 Updates 3 to 8": (
        "9.5 SP1 Patch 3 Update 5",
        dict(ciphers=["aes256", "aes128gcm", "aes128"], macs=["sha256", "sha", "aead"], versions=("1.2", "1.2")),
    ),
    "9.6 (no SP, patch, or update) to 9.6 Patch 1": ("9.6", dict(ciphers=["aes256", "aes128"], macs=["sha"])),
    "9.6 Patch 2 to 9.6 SP1 Patch 1 Update 4": ("9.6.2.5027", dict(ciphers=AES_3DES, macs=["sha"])),
    "9.6 SP1 Patch 1 Updates 5 to 21": (
        "9.6.2.8436",
        dict(ciphers=["aes256", "aes128gcm", "aes128"], macs=["sha256", "sha", "aead"], versions=("1.2", "1.2")),
    ),
    "10.0 up to Update 15": (
        "10.0.0.2094",
        dict(ciphers=["aes256", "aes128"], macs=["sha256"], versions=("1.2", "1.2")),
    ),
    "10.0 Update 16 and later updates": (
        "10.0.0.3864",
        dict(ciphers=["aes256", "aes128"], macs=["sha256"], versions=("1.2", "1.2")),
    ),
    "11.0 up to Update 4": (
        "11.0.0.514",
        dict(
            ciphers=["aes256", "aes128"],
            macs=["sha384", "sha256"],
            exchanges=["ecdhe_rsa", "rsa"],
            versions=("1.2", "1.2"),
        ),
    ),
    **{
        words: (
            version,
            dict(
                ciphers=ECDHE_GCM, macs=["sha384", "sha256", "aead"], exchanges=["ecdhe_rsa"], versions=("1.2", "1.2")
            ),
        )
        for words, version in {
            "11.0 Update 6 and later updates": "11.0.0.796",
            "12.0": "12.0.0.967",
            "20": "20.0.0.8438",
        }.items()
    },
}


@pytest.mark.parametrize("row", RANGES, ids=lambda row: row.words)
def test_an_agent_of_each_range_is_as_documented(certificate: Certificate, row) -> None:
    version, offers = AGENTS[row.words]
    with old_server(certificate, **offers) as server:
        (result,) = probe(server.port, agent_version=version)
    compared = result["documented"]
    assert set(result["suites"]) == set(row.suites) == set(compared["suites"])
    assert (compared["missing"], compared["additional"], compared["not_offered"]) == ([], [], [])
    assert (compared["missing_versions"], compared["additional_versions"]) == ([], [])
    assert compared["agrees"] is True


def test_an_agent_that_differs_from_what_is_documented(certificate: Certificate) -> None:
    offers = dict(ciphers=["aes256", "3des"], macs=["sha256", "sha"], versions=("1.0", "1.2"))
    with old_server(certificate, **offers) as server:
        (result,) = probe(server.port, agent_version="10.0.0.2094")
    compared = result["documented"]
    assert compared["agrees"] is False
    assert compared["missing"] == ["TLS_RSA_WITH_AES_128_CBC_SHA256"]
    assert set(compared["additional"]) == {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"}
    assert compared["additional_versions"] == ["TLSv1.0", "TLSv1.1"]
    assert compared["missing_versions"] == []


def test_a_version_that_is_documented_and_refused(certificate: Certificate) -> None:
    with old_server(certificate, ["aes256", "aes128"], ["sha"]) as server:
        (result,) = probe(server.port, agent_version="20.0.0.8438")
    compared = result["documented"]
    assert compared["missing_versions"] == ["TLSv1.2"]
    assert len(compared["missing"]) == 4
    assert compared["agrees"] is False


@pytest.mark.parametrize(
    "changes",
    [
        dict(agent_version="nonsense"),
        # What is not asked is not missing, also where a part of its versions is.
        dict(agent_version="9.5", suites=(0x0035,)),
        dict(agent_version="9.5", versions=("1.0",)),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_not_judged(certificate: Certificate, changes: dict) -> None:
    with old_server(certificate, ["aes256"], ["sha"]) as server:
        (result,) = probe(server.port, **changes)
    compared = result["documented"]
    assert result["suites"] == ["TLS_RSA_WITH_AES_256_CBC_SHA"]
    assert (compared["agrees"], compared["missing"], compared["additional"]) == (None, [], [])


def test_an_agent_whose_suites_no_page_lists(certificate: Certificate) -> None:
    with old_server(certificate, ["aes256"], ["sha"], versions=("1.2", "1.2")) as server:
        (result,) = probe(server.port, agent_version="12.5.0.834")
    compared = result["documented"]
    assert (compared["state"], compared["agrees"]) == ("undocumented", None)
    assert (compared["missing"], compared["additional"]) == ([], [])


def test_only_what_is_to_be_offered_is_found(certificate: Certificate) -> None:
    with old_server(certificate, AES_3DES, ["sha"], versions=("1.0", "1.2")) as server:
        (result,) = probe(server.port, versions=("1.1",), suites=(0x000A, 0xC02F))
        (nothing,) = probe(server.port, versions=("1.3",), suites=(0x000A,))
        (every,) = probe(server.port, suites=(0x000A,))
    assert list(result["versions"]) == ["TLSv1.1"]
    assert result["suites"] == ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"]
    assert (nothing["state"], nothing["complete"]) == ("not_asked", False)
    # In TLS 1.3 there is nothing to offer, so nothing else is to be found.
    assert (every["state"], every["complete"]) == ("answered", True)
    assert {label: asked["state"] for label, asked in every["versions"].items()} == {
        **dict.fromkeys(["TLSv1.0", "TLSv1.1", "TLSv1.2"], "accepted"),
        "TLSv1.3": "not_asked",
    }


def test_the_name_in_the_handshake(certificate: Certificate) -> None:
    seen = []
    context = openssl_context(certificate, "aRSA:@SECLEVEL=0", ["1.2", "1.3"])
    context.sni_callback = lambda connection, name, context: seen.append(name)
    with openssl_server(context) as server:
        probe(server.port, server_name="agent.example.com", versions=("1.3",), suites=(0x1301,))
        probe(server.port, versions=("1.2",), suites=(0x009C,))
    assert set(seen) == {"agent.example.com", None}
