# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name resolves to, who says so, and that nothing that hangs holds it up."""

from __future__ import annotations

import functools
import socket
import threading
import time
import typing as t

import dns.message
import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._connectivity import resolution
from ansible_collections.workload_security.agent.plugins.module_utils._connectivity.sources import HostsLine, Sources
from ansible_collections.workload_security.agent.plugins.module_utils._dns import wire
from tests.unit.connectivity.servers import NAME, resolving
from tests.unit.dns.name_server import answered, server, silence


def look_up(
    services: str = "files dns",
    search: t.Sequence[str] = (),
    hosts: t.Sequence[HostsLine] = (),
    servers: t.Sequence[str] = ("127.0.0.1",),
    name: str = NAME,
    timeout: float = 5,
    dns_timeout: float = 3,
) -> resolution.Resolution:
    """The name, looked up where these are the host's sources."""
    sources = Sources(services.split(), list(servers), list(search), 1, {NAME: list(hosts)})
    return resolution.Lookup(name, sources, timeout, dns_timeout).result()


@pytest.fixture
def dns_port(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int], None]:
    """Name servers are asked on this port."""
    return lambda port: monkeypatch.setattr(resolution, "look_up", functools.partial(wire.look_up, port=port))


def knows(*addresses: str, name: str = NAME) -> t.Callable[[bytes], list[bytes]]:
    """A server that knows these addresses of one name, and no other name."""

    def reply(query: bytes) -> list[bytes]:
        question = dns.message.from_wire(query).question[0]
        if question.name.to_text() != name + ".":
            return [answered(query, rcode=3)]
        version = ":" if question.to_text().endswith("AAAA") else "."
        found = [address for address in addresses if version in address]
        return [answered(query, *([(name, 300, "IN", question.to_text().split()[-1], *found)] if found else []))]

    return reply


def test_dns(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {NAME: ["2001:db8::7", "192.0.2.7"]})
    with server(knows("192.0.2.7", "2001:db8::7")) as port:
        dns_port(port)
        found = look_up()
    assert (found.addresses, found.source, found.error) == (["2001:db8::7", "192.0.2.7"], "dns", None)
    (said,) = found.as_dict()["dns"]
    assert (said["server"], said["name"], said["code"], said["error"]) == ("127.0.0.1", NAME, "NOERROR", None)
    assert said["records"] == [
        {"name": NAME, "type": "A", "value": "192.0.2.7", "ttl": 300},
        {"name": NAME, "type": "AAAA", "value": "2001:db8::7", "ttl": 300},
    ]


def test_the_hosts_file(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {NAME: ["192.0.2.66"]})
    with server(knows("192.0.2.7")) as port:
        dns_port(port)
        found = look_up(hosts=[HostsLine(7, "192.0.2.66")])
    assert found.source == "hosts_file"
    assert found.as_dict()["hosts_file"] == [{"path": "/etc/hosts", "line": 7, "address": "192.0.2.66"}]
    assert found.answers[0].addresses == ["192.0.2.7"]


@pytest.mark.parametrize(("services", "source"), [("files dns", "dns"), ("files resolve dns", "other")])
def test_servers_that_turn_their_addresses(
    monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable, services: str, source: str
) -> None:
    resolving(monkeypatch, {NAME: ["192.0.2.8"]})
    with server(knows("192.0.2.9")) as port:
        dns_port(port)
        assert look_up(services).source == source


def test_another_service(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {NAME: ["192.0.2.8"]})
    with server(knows()) as port:
        dns_port(port)
        assert look_up("files mdns dns").source == "other"


def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {})
    dns_port(9)
    found = look_up(name="192.0.2.7")
    assert (found.addresses, found.source, found.answers) == (["192.0.2.7"], "address", [])


def test_without_dns_no_server_is_asked(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {})
    dns_port(9)
    found = look_up("files")
    assert (found.addresses, found.source, found.answers) == ([], None, [])
    assert found.error == "Name or service not known"


def test_domains_to_search(monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable) -> None:
    resolving(monkeypatch, {"dsm": ["192.0.2.7"]})
    with server(knows("192.0.2.7")) as port:
        dns_port(port)
        found = look_up(name="dsm", search=["test", "example.com", "never.example.com"])
    assert [(said.name, said.code) for said in found.answers] == [("dsm.test", "NXDOMAIN"), (NAME, "NOERROR")]
    assert found.source == "dns"


def test_a_name_server_that_is_silent_and_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, dns_port: t.Callable
) -> None:
    resolving(monkeypatch, {NAME: ["192.0.2.7"]})
    with server(silence) as port:
        dns_port(port)
        # Nothing listens on this port of another address of loopback.
        found = look_up(servers=["127.0.0.1", "127.0.0.2"], dns_timeout=2)
    silent, refused = found.answers
    assert silent.error == f"no answer from 127.0.0.1 port {port} within 2 seconds"
    assert refused.error == "Connection refused"
    assert (silent.code, refused.code) == (None, None)


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: stop.wait(30))
    began = time.monotonic()
    found = look_up("files", timeout=0.3)
    assert time.monotonic() - began < 25
    stop.set()
    assert (found.addresses, found.error) == ([], "no answer from the host's resolver within 0.3 seconds")


def test_a_name_that_no_resolver_takes() -> None:
    assert look_up("files", name="a" * 70).addresses == []
