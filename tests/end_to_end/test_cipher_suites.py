# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of each release in the vendor's page shakes hands with exactly its suites.

The suites stand here once more, typed from the page. OpenSSL and GnuTLS, which still has 3DES, are the judges.
"""

from __future__ import annotations

import re
import shlex
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.site import AGENT_PORT, Site
from tests.lab.agent.install import install_agent
from tests.lab.hosts.process import Host, LabHosts

MACHINES = 10

# Every suite of the page by its name in OpenSSL, and some that are on nobody's list: whoever accepts one of those has
# more than its release.
OPENSSL = {
    "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA",
    "AES128-SHA": "TLS_RSA_WITH_AES_128_CBC_SHA",
    "AES256-SHA256": "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "AES128-SHA256": "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-AES256-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "ECDHE-RSA-AES128-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "AES256-GCM-SHA384": "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES256-SHA": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "DHE-RSA-AES256-GCM-SHA384": "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}
# OpenSSL 3 does not have it, so GnuTLS is asked.
TRIPLE_DES = "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
TRIPLE_DES_ALONE = "NONE:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:+RSA:+3DES-CBC:+SHA1:+COMP-NULL:+SIGN-ALL"

RSA_CBC = {"TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"}
RSA_SHA256 = {"TLS_RSA_WITH_AES_256_CBC_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256"}
RSA_ALL = {*RSA_CBC, *RSA_SHA256, "TLS_RSA_WITH_AES_128_GCM_SHA256"}
ECDHE_CBC = {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"}
ECDHE = {*ECDHE_CBC, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}

# What the page says of each range of releases: versions in it, its suites, and the TLS version if it names one.
PAGE: dict[str, tuple[tuple[str, ...], set[str], str | None]] = {
    "9.5": (("9.5.2.2023",), RSA_CBC, "TLSv1"),
    "9.5 SP1 to SP1 Patch 3 Update 2": (("9.5.3.2754", "9.5.3.7523"), {*RSA_CBC, TRIPLE_DES}, None),
    "9.5 SP1 Patch 3 Update 3 to 8": (("9.5.3.7747",), RSA_ALL, None),
    "9.6 to Patch 1": (("9.6.1.1308", "9.6.1.3500"), RSA_CBC, "TLSv1"),
    "9.6 Patch 2 to SP1 Patch 1 Update 4": (("9.6.2.5027", "9.6.2.7599"), {*RSA_CBC, TRIPLE_DES}, None),
    "9.6 SP1 Patch 1 Update 5 to 21": (("9.6.2.7690", "9.6.2.8797"), RSA_ALL, None),
    "10.0 to Update 15": (("10.0.0.2094",), RSA_SHA256, "TLSv1.2"),
    "10.0 Update 16 and later": (("10.0.0.3186",), RSA_SHA256, "TLSv1.2"),
    "11.0 to Update 4": (("11.0.0.211", "11.0.0.514"), {*ECDHE_CBC, *RSA_SHA256}, None),
    "11.0 Update 6 and later": (("11.0.0.582",), ECDHE, "TLSv1.2"),
    "12.0": (("12.0.0.360",), ECDHE, None),
    "20": (("20.0.0.877", "20.0.1.3180"), ECDHE, None),
}
# Where the page names no TLS version, and the suites are of several: another one than the lab's agents have.
OPEN = {"9.5.3.2754": ("1.0", "1.2"), "9.5.3.7747": ("1.2", "1.2")}
AGENTS: list[tuple[str, tuple[str, str] | None]] = [
    *((version, None) for versions, _suites, _tls in PAGE.values() for version in versions),
    *OPEN.items(),
]
PROTOCOLS = {"TLSv1": "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}


def answered(lab: LabHosts, commands: t.Mapping[str, t.Sequence[str]]) -> dict[str, str]:
    """What each of some commands prints on the controller: in one shell, as going there costs more than a handshake."""
    steps = [f"echo '--- {name}'\n{shlex.join(command)} </dev/null" for name, command in commands.items()]
    printed = lab.run("\n".join(steps), check=False, timeout=300).stdout
    parts = re.split("^--- (.*)\n", printed, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def openssl(host: Host, *options: str) -> list[str]:
    """The command by which OpenSSL tries to come to an agreement with the agent on a host."""
    # Authorities are of no interest, and reading them takes longer than all else.
    alone = ["-no-CAfile", "-no-CApath", "-no-CAstore"]
    return ["openssl", "s_client", *alone, "-connect", f"{host.address}:{AGENT_PORT}", *options]


def gnutls(host: Host, priority: str) -> list[str]:
    """The same with GnuTLS."""
    return ["gnutls-cli", "--insecure", "--port", str(AGENT_PORT), f"--priority={priority}", host.address]


def seen_of(lab: LabHosts, host: Host) -> tuple[set[str], set[str]]:
    """The suites that an agent accepts, whichever TLS version it takes; the TLS versions it accepts with any suite."""
    trials = {
        **{
            name: openssl(host, "-min_protocol", "TLSv1", "-no_tls1_3", "-cipher", f"{cipher}:@SECLEVEL=0")
            for cipher, name in OPENSSL.items()
        },
        TRIPLE_DES: gnutls(host, TRIPLE_DES_ALONE),
        **{name: openssl(host, option, "-cipher", "ALL:@SECLEVEL=0") for name, option in PROTOCOLS.items()},
    }
    printed = answered(lab, trials)
    assert printed.keys() == trials.keys()
    agreed = {
        name
        for name, text in printed.items()
        if "Handshake was completed" in text or ("Cipher is " in text and "Cipher is (NONE)" not in text)
    }
    return agreed - PROTOCOLS.keys(), agreed & PROTOCOLS.keys()


class Looked(t.NamedTuple):
    """What was seen of one agent, and what our facts said on its host."""

    suites: set[str]
    protocols: set[str]
    facts: dict[str, t.Any]


@pytest.fixture(scope="module")
def looked(site: Site) -> dict[tuple[str, bool], Looked]:
    """What was seen of each version, and of the same with the other TLS versions: as many at once as there are hosts."""
    found = {}
    hosts = list(site.hosts.hosts.values())
    for start in range(0, len(AGENTS), len(hosts)):
        placed = list(zip(AGENTS[start:], hosts))
        running = [install_agent(host, version=version, tls=tls) for (version, tls), host in placed]
        facts = site.on_hosts([host for _agent, host in placed], "agent_cipher_facts")
        with ThreadPoolExecutor(max_workers=2) as pool:
            seen = pool.map(lambda host: seen_of(site.hosts, host), hosts)
            for ((version, tls), host), (suites, protocols) in zip(placed, seen):
                told = facts[host.name]["ansible_facts"]["workload_security_agent"]
                found[version, tls is not None] = Looked(suites, protocols, told)
        for agent in running:
            agent.stop()
    return found


@pytest.mark.parametrize("release", PAGE)
def test_an_agent_shakes_hands_with_exactly_the_suites_of_its_release(looked, release):
    versions, suites, tls = PAGE[release]
    for version in versions:
        seen = looked[version, False]
        assert seen.suites == suites, version
        assert "TLSv1.3" not in seen.protocols, "the page never mentions it"
        if tls:
            assert seen.protocols == {tls}, version


@pytest.mark.parametrize("version", OPEN)
def test_the_suites_are_the_same_whichever_tls_versions_the_page_leaves_open(looked, version):
    (suites,) = [suites for versions, suites, tls in PAGE.values() if version in versions and tls is None]
    other = looked[version, True]
    assert other.suites == suites == set(other.facts["suites"])
    assert other.protocols != looked[version, False].protocols


@pytest.mark.parametrize("release", PAGE)
def test_our_facts_of_the_host_agree_with_what_is_seen(looked, release):
    for version in PAGE[release][0]:
        seen = looked[version, False]
        assert seen.facts["version"] == version
        assert set(seen.facts["suites"]) == seen.suites
        for tls in seen.facts["tls"]:
            if tls["supported"] is not None:
                name = "TLSv1" if tls["version"] == "TLS 1.0" else tls["version"].replace("TLS ", "TLSv")
                assert (name in seen.protocols) is tls["supported"], (version, tls)
