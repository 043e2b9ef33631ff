# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first broken step: its likely cause, and what mends it."""

from __future__ import annotations

import errno
import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import tls
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.certificates import Certificate
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.diagnosis import (
    Attempt,
    Problem,
    diagnose,
    diagnose_listening,
)
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.endpoints import Endpoint
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.listening import Listening
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.resolution import Resolution, Said
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.sources import HostsLine, Sources
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record

OWN = Endpoint("dsm.example.com", 4120, "heartbeats", True)
CLOUD = Endpoint("agents.workload.jp-1.cloudone.trendmicro.com", 443, "activation", True, is_cloud=True)

LEAF = Certificate("CN=dsm", "CN=The CA", ["dsm.example.com"], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "00")


def said(server: str, code: str | None, *addresses: str, error: str | None = None) -> Said:
    records = [Record(OWN.name, "A", address, 300) for address in addresses]
    return Said(server, OWN.name, code, records, error, 0.01)


def unresolved(*answers: Said, services: str = "files dns", endpoint: Endpoint = OWN) -> Problem:
    """The problem where the resolver finds nothing, and name servers say this when asked."""
    found = Resolution([], None, [], list(answers), "Name or service not known", 0.1)
    problem = diagnose(endpoint, Sources(services.split(), [], [], 1, {}), found, [], None)
    assert problem and problem.step == "resolution"
    return problem


def after(
    attempts: t.Sequence[Attempt] = (),
    handshake: tls.Handshake | None = None,
    endpoint: Endpoint = OWN,
    source: str = "dns",
    lines: t.Sequence[HostsLine] = (),
    answers: t.Sequence[Said] = (),
) -> Problem | None:
    """The problem where the name was resolved."""
    found = Resolution(
        [attempt.address for attempt in attempts] or ["192.0.2.7"], source, [*lines], [*answers], None, 0
    )
    return diagnose(endpoint, Sources(["files", "dns"], [], [], 1, {}), found, attempts, handshake)


def failed(*addresses: str, number: int | None = None, error: str = "it failed") -> list[Attempt]:
    return [Attempt(address, error, number, 0.1) for address in addresses]


CONNECTED = [Attempt("192.0.2.7", None, None, 0.01)]


def shown(**changes: t.Any) -> tls.Handshake:
    whole = tls.Handshake("TLSv1.2", "AES128-SHA", [LEAF], True, None, None, None, 0.01)
    return whole._replace(**changes)


def test_nothing_is_wrong() -> None:
    assert after(CONNECTED, shown()) is None
    # What the host trusts, or what the certificate says, means nothing to an agent on the premises.
    assert after(CONNECTED, shown(trusted=False, chain=[LEAF._replace(names=["other"])])) is None
    # One address of several is enough.
    assert after([*failed("2001:db8::7"), *CONNECTED], shown()) is None


def test_a_name_that_nobody_knows() -> None:
    problem = unresolved(said("192.0.2.53", "NXDOMAIN"), said("192.0.2.54", "NXDOMAIN"))
    assert problem.cause == "no name server knows dsm.example.com: NXDOMAIN from 192.0.2.53 and 192.0.2.54"
    assert problem.remedy.startswith("add an A or AAAA record for dsm.example.com")
    assert "workload_security.agent.local_dns" in problem.remedy


def test_what_the_hosts_files_hold_steers_no_terminal() -> None:
    problem = unresolved(services="files \x1b[31m\u00a0\x85")
    assert problem.cause.isprintable() and "files \\x1b[31m" in problem.cause


def test_however_many_addresses_dns_knows_the_cause_is_short() -> None:
    known = said("192.0.2.53", "NOERROR", *(f"10.0.{number // 250}.{number % 250}" for number in range(3900)))
    problem = after(failed("192.0.2.9"), source="hosts_file", lines=[HostsLine(3, "192.0.2.9")], answers=[known])
    assert problem and "and 3890 more" in problem.cause and len(problem.cause) < 600


def test_a_name_that_the_vendor_does_not_document_may_not_exist() -> None:
    problem = unresolved(said("192.0.2.53", "NXDOMAIN"), endpoint=CLOUD._replace(documented=False, required=False))
    assert "the vendor does not document it for this region: it may not exist" in problem.cause
    assert "add" not in problem.remedy


def test_a_list_of_revoked_certificates_is_on_the_internet_and_speaks_no_tls() -> None:
    crl = Endpoint("crl.example.com", 80, "lists", False, documented=False, check="revocation", tls=False)
    problem = unresolved(said("192.0.2.53", "NXDOMAIN"), endpoint=crl)
    assert "resolve example.com from the internet" in problem.remedy
    assert after(CONNECTED, None, endpoint=crl) is None
    refused = after(failed("192.0.2.7", number=errno.ECONNREFUSED), endpoint=crl)
    assert refused and "make sure that the server runs" in refused.remedy and "option" not in refused.remedy
    late = after([], None, endpoint=crl)
    assert late and (late.step, late.remedy) == ("tls", "raise option timeout")


def test_a_name_of_the_cloud_that_the_site_does_not_resolve() -> None:
    problem = unresolved(said("192.0.2.53", "NXDOMAIN"), endpoint=CLOUD)
    assert "resolve workload.jp-1.cloudone.trendmicro.com from the internet" in problem.remedy


@pytest.mark.parametrize(
    ("answers", "services", "cause", "remedy"),
    [
        ([], "files", "does not let this host ask DNS (hosts: files)", "add dns to the line hosts:"),
        # By way of systemd-resolved.
        (
            [said("127.0.0.53", "NXDOMAIN")],
            "mymachines resolve files",
            "no name server knows dsm.example.com",
            "add an A or AAAA record",
        ),
        ([said("192.0.2.53", "NOERROR")], "files dns", "neither an A nor an AAAA record", "add an A or AAAA record"),
        ([said("192.0.2.53", "REFUSED")], "files dns", ": REFUSED from 192.0.2.53", "answer this host (REFUSED)"),
        ([said("192.0.2.53", "SERVFAIL")], "files dns", ": SERVFAIL from 192.0.2.53", "(SERVFAIL)"),
        (
            [said("192.0.2.53", None, error="no answer"), said("192.0.2.54", None, error="Connection refused")],
            "files dns",
            "no name server answers this host (192.0.2.53: no answer; 192.0.2.54: Connection refused)",
            "port 53",
        ),
        (
            [said("192.0.2.53", "NXDOMAIN"), said("192.0.2.54", "NOERROR", "192.0.2.7")],
            "files dns",
            "do not agree: NXDOMAIN from 192.0.2.53, but an address from 192.0.2.54",
            "on all the name servers",
        ),
        (
            [said("192.0.2.53", None, error="no answer"), said("192.0.2.54", "NOERROR", "192.0.2.7")],
            "files dns",
            "waits for 192.0.2.53, which does not answer, before it asks 192.0.2.54",
            "take 192.0.2.53 out of /etc/resolv.conf",
        ),
        (
            # Found with the second of the domains to search.
            [said("192.0.2.53", "NXDOMAIN"), said("192.0.2.53", "NOERROR", "192.0.2.7")],
            "files dns",
            "this host's own resolver says: Name or service not known",
            "a local cache",
        ),
    ],
)
def test_names_that_do_not_resolve(answers: list[Said], services: str, cause: str, remedy: str) -> None:
    problem = unresolved(*answers, services=services)
    assert cause in problem.cause and remedy in problem.remedy


@pytest.mark.parametrize(
    ("attempts", "cause", "remedy"),
    [
        (
            failed("192.0.2.7", number=errno.ECONNREFUSED),
            "port 4120 refuses connections",
            "options manager and heartbeat_port",
        ),
        (failed("192.0.2.7", "192.0.2.8"), "a firewall drops the packets", "to 192.0.2.7, 192.0.2.8 through firewalls"),
        (failed("192.0.2.7", number=errno.EHOSTUNREACH), "no way from this host", "a route to 192.0.2.7"),
        (failed("127.0.1.1", number=errno.ECONNREFUSED), "resolves to this host itself", "the manager's address"),
        (
            [*failed("2001:db8::7", number=errno.ENETUNREACH), *failed("192.0.2.7", number=errno.ECONNREFUSED)],
            "cannot connect to dsm.example.com port 4120",
            "TCP port 4120",
        ),
    ],
)
def test_connections_that_do_not_come_about(attempts: list[Attempt], cause: str, remedy: str) -> None:
    problem = after(attempts)
    assert problem and problem.step == "tcp"
    assert cause in problem.cause and "it failed" in problem.cause and remedy in problem.remedy


def test_an_address_of_the_host_itself_is_not_resolved() -> None:
    problem = after(failed("127.0.0.1"), source="address")
    assert problem and "is an address of this host itself (127.0.0.1: it failed)" in problem.cause
    assert problem.remedy.startswith("set the option that has ") and "resolve" not in problem.remedy


def test_an_old_line_in_the_hosts_file() -> None:
    lines, answers = (
        [HostsLine(5, "2001:db8::66"), HostsLine(7, "192.0.2.66")],
        [said("192.0.2.53", "NOERROR", "192.0.2.7")],
    )
    problem = after(failed("192.0.2.66"), source="hosts_file", lines=lines, answers=answers)
    assert problem and problem.step == "tcp"
    assert "line 7 of /etc/hosts gives dsm.example.com the address 192.0.2.66" in problem.cause
    assert problem.cause.endswith("DNS says 192.0.2.7")
    assert problem.remedy.startswith("take the name out of line 7 of /etc/hosts")
    # The line is not to blame for an address that DNS gives, too.
    problem = after(failed("192.0.2.7"), source="hosts_file", lines=[HostsLine(7, "192.0.2.7")], answers=answers)
    assert problem and "line 7" not in problem.cause


@pytest.mark.parametrize(
    ("handshake", "cause", "remedy"),
    [
        (None, "the time ran out", "option timeout"),
        (shown(chain=[], failed=tls.NOT_TLS, error="does not speak TLS"), "does not speak TLS", "no load balancer"),
        (shown(chain=[], failed=tls.REFUSED, error="no"), "refuses TLS up to version 1.2: no", "agent_cipher_probe"),
        (shown(chain=[], failed=tls.CLOSED, error="breaks off"), "then breaks off", "uninspected"),
        (shown(chain=[], failed=tls.SILENT, error="is silent"), "then is silent", "uninspected"),
    ],
)
def test_handshakes_that_fail(handshake: tls.Handshake | None, cause: str, remedy: str) -> None:
    problem = after(CONNECTED, handshake)
    assert problem and problem.step == "tls"
    assert cause in problem.cause and remedy in problem.remedy


@pytest.mark.parametrize(
    ("handshake", "cause", "remedy"),
    [
        (
            shown(trusted=False, untrusted_because="self-signed certificate in certificate chain"),
            "issuer is CN=The CA. Most likely a proxy or firewall opens TLS on the way",
            "exempt *.workload.jp-1.cloudone.trendmicro.com from TLS inspection",
        ),
        (
            shown(
                trusted=False,
                untrusted_because="certificate has expired",
                chain=[LEAF._replace(not_after="2026-01-02T00:00:00Z")],
            ),
            "valid from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z",
            "set this host's clock",
        ),
        # It is the certificate of a CA that has.
        (
            shown(
                trusted=False,
                untrusted_because="certificate has expired",
                chain=[LEAF._replace(not_after="9999-12-31T23:59:59Z")],
            ),
            "or this host lacks the public CAs",
            "bring this host's CA certificates up to date",
        ),
        (shown(), "the certificate is for dsm.example.com, not for agents.workload", "the vendor's addresses"),
        (shown(chain=[LEAF._replace(names=[])]), "the certificate is for CN=dsm", "TLS inspection"),
    ],
)
def test_certificates_on_the_cloud(handshake: tls.Handshake, cause: str, remedy: str) -> None:
    problem = after(CONNECTED, handshake, CLOUD)
    assert problem and problem.step == "certificate"
    assert cause in problem.cause and remedy in problem.remedy


def test_an_agent_that_does_not_listen() -> None:
    assert diagnose_listening(Listening(4118, True, ["0.0.0.0"], [])) is None
    problem = diagnose_listening(Listening(4118, False, [], []))
    assert problem and problem.step == "listening"
    only_here = diagnose_listening(Listening(4118, False, ["127.0.0.1"], []))
    assert only_here and "port 4118 is listened on for this host alone (127.0.0.1)" in only_here.cause
    assert diagnose_listening(Listening(4118, None, [], None)) is None, "nobody can tell"
    assert "nothing listens on port 4118" in problem.cause and "communication_direction" in problem.remedy


def test_a_handshake_that_ended_before_the_certificate_was_judged() -> None:
    unjudged = shown(trusted=None, error="unsafe legacy renegotiation disabled", chain=[LEAF])
    problem = after(CONNECTED, unjudged, endpoint=CLOUD)
    assert problem and problem.step == "certificate" and "(unsafe legacy renegotiation disabled)" in problem.cause
    assert after(CONNECTED, unjudged) is None, "what a manager on the premises shows is enough"
