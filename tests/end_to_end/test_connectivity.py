# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""manager_connectivity_info on real hosts: each step that can break is broken, and named with what mends it.

What it says of names, ports and certificates is held against dig, getent, ss and openssl on the same host.
"""

from __future__ import annotations

import time
import typing as t

import pytest
from tests.end_to_end.site import AGENT_PORT, MANAGER_NAME, Site, eventually
from tests.lab.hosts.process import Host
from tests.lab.manager.process import LabManager
from tests.lab.nameserver import Bind, Unbound

MODULE = "manager_connectivity_info"
HEARTBEAT_PORT = 4120


@pytest.fixture(scope="module")
def dns(site: Site) -> t.Iterator[tuple[Bind, Unbound]]:
    """The site's name servers: the primary of its zone, and the resolver that hosts ask."""
    with Bind(site.machine("ns1")) as primary, Unbound(
        site.machine("ns2"), {primary.zone: primary.address}
    ) as resolver:
        yield primary, resolver


@pytest.fixture(scope="module")
def known(site: Site, dns: tuple[Bind, Unbound]) -> None:
    """The manager's name is in the site's DNS."""
    host = site.manager_host
    dns[0].update(
        f"update add {MANAGER_NAME}. 300 A {host.address}", f"update add {MANAGER_NAME}. 60 AAAA {host.address6}"
    )


@pytest.fixture
def host(site: Site, dns: tuple[Bind, Unbound]) -> t.Iterator[Host]:
    """A host without an agent that asks the site's resolver, and gets its own files back afterwards."""
    host = site.hosts.hosts["host10"]
    files = {path: host.read(path) for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf")}
    host.use_resolvers(dns[1].address)
    yield host
    for path, text in files.items():
        host.write(path, text)


@pytest.fixture
def closed(site: Site) -> t.Iterator[t.Callable[[str], None]]:
    """Firewall rules on the manager's machine, for as long as a test runs."""

    def add(rule: str) -> None:
        chain = f"type filter hook input priority 0; policy accept; {rule};"
        site.manager_host.run(["nft", "-f", "-"], input=f"table inet test {{\n chain input {{ {chain} }}\n}}\n")

    yield add
    site.manager_host.run("nft delete table inet test 2>/dev/null || true")


def look(site: Site, host: Host, **options: t.Any) -> dict[str, t.Any]:
    """What the module says on a host of its way to the manager; an option that is None is left out."""
    wanted = {"manager": MANAGER_NAME, "direction": "agent_initiated", **options}
    given = {name: value for name, value in wanted.items() if value is not None}
    result = site.on_hosts([host], MODULE, **given)[host.name]
    assert not result.get("failed"), result
    assert result["changed"] is False
    return result


def heartbeats(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was said of the port for heartbeats."""
    (found,) = [one for one in result["endpoints"] if one["port"] == HEARTBEAT_PORT]
    return found


def broken(site: Site, host: Host, **options: t.Any) -> dict[str, t.Any]:
    """The required problem; there is exactly one."""
    result = look(site, host, **options)
    assert result["reachable"] is False
    (problem,) = [problem for problem in result["problems"] if problem["required"]]
    assert (problem["name"], problem["port"]) == (MANAGER_NAME, HEARTBEAT_PORT)
    return problem


def test_a_way_that_works(site: Site, host: Host, dns: tuple[Bind, Unbound], known: None) -> None:
    result = look(site, host)
    assert (result["reachable"], result["problems"]) == (True, [])
    assert result["resolver"]["servers"] == [dns[1].address]
    found = heartbeats(result)

    resolution = found["resolution"]
    getent = host.run(["getent", "ahosts", MANAGER_NAME]).stdout.splitlines()
    assert resolution["addresses"] == list(dict.fromkeys(line.split()[0] for line in getent))
    assert (resolution["source"], resolution["hosts_file"], resolution["error"]) == ("dns", [], None)
    (said,) = resolution["dns"]
    assert (said["server"], said["code"]) == (dns[1].address, "NOERROR")
    for kind in ("A", "AAAA"):
        dug = host.run(["dig", "+short", MANAGER_NAME, kind]).stdout.split()
        assert [record["value"] for record in said["records"] if record["type"] == kind] == dug

    assert [(one["address"], one["connected"]) for one in found["tcp"]] == [
        (one, True) for one in resolution["addresses"]
    ]
    openssl = host.run(
        f"openssl s_client -connect {MANAGER_NAME}:{HEARTBEAT_PORT} -tls1_2 </dev/null 2>/dev/null"
        " | openssl x509 -noout -fingerprint -sha256 -subject -enddate -ext subjectAltName"
    ).stdout
    leaf = found["tls"]["chain"][0]
    assert leaf["sha256"] in openssl.replace(":", "").lower()
    assert f"DNS:{MANAGER_NAME}" in openssl and MANAGER_NAME in found["tls"]["names"]
    assert leaf["not_after"][:4] in openssl
    # The manager's certificate is its own; nobody but agents keeps to it.
    assert (found["tls"]["trusted"], found["tls"]["name_matches"], found["tls"]["version"]) == (False, True, "TLSv1.2")


def test_a_name_that_is_not_in_dns_and_then_is(site: Site, host: Host, dns: tuple[Bind, Unbound]) -> None:
    missing = f"missing.{dns[0].zone}"
    result = look(site, host, manager=missing)
    problem, _console = result["problems"]
    assert (problem["step"], problem["name"]) == ("resolution", missing)
    assert problem["cause"] == f"no name server knows {missing}: NXDOMAIN from {dns[1].address}"
    assert "workload_security.agent.local_dns" in problem["remedy"]
    # What the remedy names mends it.
    task = {"hostnames": [missing], "addresses": [site.manager_host.address], "hosts_file": {}}
    assert site.on_hosts([host], "local_dns", **task)[host.name]["changed"] is True
    result = look(site, host, manager=missing)
    assert result["reachable"] is True
    found = heartbeats(result)
    (line,) = found["resolution"]["hosts_file"]
    assert found["resolution"]["source"] == "hosts_file"
    assert host.read("/etc/hosts").splitlines()[line["line"] - 1].split()[0] == line["address"]
    assert found["tls"]["name_matches"] is False, "the certificate does not know that name"


def test_no_name_server_answers(site: Site, host: Host, known: None) -> None:
    # Nobody has this address.
    host.use_resolvers("198.18.255.254")
    began = time.monotonic()
    problem = broken(site, host, timeout=4)
    assert time.monotonic() - began < 20
    assert problem["step"] == "resolution"
    assert "no name server answers this host (198.18.255.254: " in problem["cause"]
    assert "port 53" in problem["remedy"]


def test_a_name_server_that_is_down_costs_time_and_nothing_else(
    site: Site, host: Host, dns: tuple[Bind, Unbound], known: None
) -> None:
    host.use_resolvers("198.18.255.254", dns[1].address)
    host.write("/etc/resolv.conf", host.read("/etc/resolv.conf") + "options timeout:1\n")
    result = look(site, host)
    assert result["reachable"] is True and result["seconds"] < 10
    silent, answers = heartbeats(result)["resolution"]["dns"]
    assert silent["error"] and silent["code"] is None
    assert answers["code"] == "NOERROR"


def test_a_name_server_that_refuses(site: Site, host: Host, dns: tuple[Bind, Unbound], known: None) -> None:
    # The primary server answers for its own zone only.
    host.use_resolvers(dns[0].address)
    result = look(site, host, manager="dsm.example.com")
    cause = result["problems"][0]["cause"]
    assert cause == f"no name server tells about dsm.example.com: REFUSED from {dns[0].address}"


def test_a_host_that_does_not_ask_dns(site: Site, host: Host, known: None) -> None:
    host.run(["sed", "-i", "s/^hosts:.*/hosts: files/", "/etc/nsswitch.conf"])
    problem = broken(site, host)
    assert "does not let this host ask DNS (hosts: files)" in problem["cause"]
    assert "add dns to the line hosts: of /etc/nsswitch.conf" in problem["remedy"]


def test_a_short_name_and_a_domain_to_search(site: Site, host: Host, dns: tuple[Bind, Unbound], known: None) -> None:
    short = MANAGER_NAME.partition(".")[0]
    host.write("/etc/resolv.conf", host.read("/etc/resolv.conf") + f"search {dns[0].zone}\n")
    found = heartbeats(look(site, host, manager=short))
    assert found["broken_step"] is None
    assert [said["name"] for said in found["resolution"]["dns"]] == [MANAGER_NAME]


def test_an_old_line_in_the_hosts_file(site: Site, host: Host, known: None) -> None:
    host.write("/etc/hosts", host.read("/etc/hosts") + f"# the old manager\n198.18.255.254 {MANAGER_NAME}\n")
    number = len(host.read("/etc/hosts").splitlines())
    problem = broken(site, host)
    assert problem["step"] == "tcp"
    assert problem["cause"].startswith(f"line {number} of /etc/hosts gives {MANAGER_NAME} the address 198.18.255.254")
    assert site.manager_host.address in problem["cause"]
    host.run(["sed", "-i", f"{number}d", "/etc/hosts"])
    assert look(site, host)["reachable"] is True


def test_a_port_on_which_nothing_listens(site: Site, host: Host, known: None) -> None:
    result = look(site, host, heartbeat_port=4999)
    (problem,) = result["problems"]
    assert (problem["step"], problem["port"]) == ("tcp", 4999)
    assert "refuses connections" in problem["cause"] and "options manager and heartbeat_port" in problem["remedy"]


@pytest.mark.parametrize(
    ("rule", "cause"), [("drop", "a firewall drops the packets"), ("reject with tcp reset", "refuses connections")]
)
def test_a_firewall_in_between(
    site: Site, host: Host, known: None, closed: t.Callable[[str], None], rule: str, cause: str
) -> None:
    closed(f"tcp dport {HEARTBEAT_PORT} {rule}")
    began = time.monotonic()
    problem = broken(site, host, timeout=5)
    assert time.monotonic() - began < 20
    assert problem["step"] == "tcp" and cause in problem["cause"]


def test_one_version_of_ip_is_enough(site: Site, host: Host, known: None, closed: t.Callable[[str], None]) -> None:
    closed(f"ip6 daddr {site.manager_host.address6} tcp dport {HEARTBEAT_PORT} drop")
    result = look(site, host, timeout=5)
    assert result["reachable"] is True
    assert {one["address"]: one["connected"] for one in heartbeats(result)["tcp"]} == {
        site.manager_host.address: True,
        site.manager_host.address6: False,
    }


@pytest.mark.parametrize(
    ("program", "step", "cause"),
    [
        ("echo 'HTTP/1.1 400 Bad Request'", "tls", "does not speak TLS: it answers b'HTTP/1.1 400 Bad Request"),
        ("true", "tls", "most likely a firewall or proxy that looks into TLS stops it"),
    ],
)
def test_something_else_on_the_port(site: Site, host: Host, known: None, program: str, step: str, cause: str) -> None:
    other = site.manager_host.start(["ncat", "--listen", "--keep-open", "--sh-exec", f"read line; {program}", "4997"])
    eventually(lambda: ":4997" in site.manager_host.run(["ss", "-Hltn"]).stdout, "ncat listens")
    try:
        (problem,) = look(site, host, heartbeat_port=4997, timeout=5)["problems"]
    finally:
        other.terminate()
    assert problem["step"] == step and cause in problem["cause"]


def test_who_listens_and_who_is_connected(site: Site, dns: tuple[Bind, Unbound], known: None) -> None:
    placed = site.agent("host09", policy=site.policy("Listening", direction="Bidirectional"))
    stranger = site.machine("stranger")
    site.wait_until_current(placed)
    connection = stranger.start(["ncat", "--recv-only", placed.host.address, str(AGENT_PORT)])
    try:
        eventually(
            lambda: stranger.address in placed.host.run(["ss", "-Htn", f"sport = :{AGENT_PORT}"]).stdout,
            "the stranger is connected",
        )
        result = look(site, placed.host, direction="manager_initiated")
    finally:
        connection.terminate()
    assert (result["reachable"], result["listening"]["listens"]) == (True, True)
    assert stranger.address in result["listening"]["connected_from"]

    placed.agent.stop()
    result = look(site, placed.host, direction="manager_initiated")
    assert (result["reachable"], result["listening"]["listens"]) == (False, False)
    (problem,) = [problem for problem in result["problems"] if problem["required"]]
    assert (problem["step"], problem["name"], problem["port"]) == ("listening", None, AGENT_PORT)
    assert look(site, placed.host)["reachable"] is True, "an agent that initiates needs no listener"


REGION = "jp-1"
DOMAIN = f"{REGION}.cloudone.trendmicro.com"


@pytest.fixture
def cloud(site: Site, host: Host) -> t.Iterator[LabManager]:
    """A manager of the cloud, whose names the host has from its hosts file."""
    machine = site.machine("cloud")
    numbered = [f"agents-{number:03}" for number in range(1, 11)]
    beside = ["dsmim", "relay", "agent-comm", "xdr-resp-ioc", "gateway", "gateway-control"]
    names = [f"workload.{DOMAIN}", *(f"{label}.workload.{DOMAIN}" for label in ("agents", *numbered, *beside))]
    host.write("/etc/hosts", host.read("/etc/hosts") + f"{machine.address} {' '.join(names)}\n")
    with LabManager(computers=0, policies=1, host=machine, names=names, deployment="cloud") as manager:
        yield manager


def test_the_cloud_and_a_proxy_that_opens_tls(site: Site, host: Host, cloud: LabManager) -> None:
    # To the host, the lab's authority is what the authority of such a proxy is: one that it does not know.
    result = look(site, host, manager=None, region=REGION)
    assert len(result["endpoints"]) == 18 and result["reachable"] is False
    assert {problem["step"] for problem in result["problems"]} == {"certificate"}
    (problem,) = [one for one in result["problems"] if one["name"] == f"agents-007.workload.{DOMAIN}"]
    assert "Most likely a proxy or firewall opens TLS on the way" in problem["cause"]
    assert f"exempt *.workload.{DOMAIN} from TLS inspection" in problem["remedy"]

    with open(cloud.ca_path, encoding="ascii") as file:
        host.write("/usr/local/share/ca-certificates/lab.crt", file.read())
    host.run(["update-ca-certificates"])
    try:
        result = look(site, host, manager=None, region=REGION)
    finally:
        host.run("rm /usr/local/share/ca-certificates/lab.crt; update-ca-certificates --fresh")
    assert (result["reachable"], result["problems"]) == (True, [])
    assert all(one["tls"]["trusted"] and one["tls"]["name_matches"] for one in result["endpoints"])
