# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""manager_connectivity_info on real hosts: each step that can break is broken, and named with what mends it.

Each host has a trouble of its own, so that one run of Ansible sees them all. What the module says of names, ports and
certificates is held against dig, getent, ss and openssl on the same host.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest

from tests.end_to_end.site import AGENT_PORT, MANAGER_NAME, Site
from tests.lab.hosts.process import Host
from tests.lab.manager.process import LabManager
from tests.lab.nameserver import Bind, Unbound
from tests.lab.waiting import until

MACHINES = 10
HEARTBEAT_PORT = 4120

# Nobody has this address.
NOWHERE = "198.18.255.254"

REGION = "jp-1"
DOMAIN = f"{REGION}.cloudone.trendmicro.com"

OPTIONS = ("manager", "region", "direction", "heartbeat_port", "heartbeat_interval", "checks", "timeout")
FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf")

Results = t.Dict[int, t.Dict[str, t.Any]]


class Place(t.NamedTuple):
    """The site, with its names in DNS: the primary server of its zone, and the resolver that hosts ask."""

    site: Site
    primary: Bind
    resolver: Unbound

    def host(self, number: int) -> Host:
        """One of the ten."""
        return self.site.hosts.hosts[f"host{number:02}"]

    def look(self, wanted: dict[int, dict[str, t.Any]]) -> Results:
        """What the module says on hosts of their ways to the manager, each with options of its own."""
        asked = {
            self.host(number).name: {"direction": "agent_initiated", "timeout": 5, **options}
            for number, options in wanted.items()
        }
        for options in asked.values():
            if "region" not in options:
                options.setdefault("manager", MANAGER_NAME)
        by_option = {
            option: {name: options[option] for name, options in asked.items() if option in options}
            for option in OPTIONS
        }
        results = self.site.on_hosts(
            [self.host(number) for number in wanted],
            "manager_connectivity_info",
            **{
                option: f"{{{{ {json.dumps(values)}[inventory_hostname] | default(omit) }}}}"
                for option, values in by_option.items()
            },
        )
        for name, result in results.items():
            assert not result.get("failed") and result["changed"] is False, result
            assert result["seconds"] < asked[name]["timeout"] + 1.5
        return {number: results[self.host(number).name] for number in wanted}


@pytest.fixture(scope="module")
def place(site: Site) -> t.Iterator[Place]:
    """Ten hosts that ask the site's resolver, and get their own files back afterwards."""
    kept = [(host, path, host.read(path)) for host in site.hosts.hosts.values() for path in FILES]
    manager = site.manager_host
    with (
        pytest.MonkeyPatch.context() as environment,
        Bind(site.machine("ns1")) as primary,
        Unbound(site.machine("ns2"), {primary.zone: primary.address}) as resolver,
    ):
        environment.setenv("ANSIBLE_FORKS", "10")
        environment.setenv("ANSIBLE_PIPELINING", "true")
        primary.update(
            f"update add {MANAGER_NAME}. 300 A {manager.address}",
            f"update add {MANAGER_NAME}. 60 AAAA {manager.address6}",
        )
        for host in site.hosts.hosts.values():
            host.use_resolvers(resolver.address)
        yield Place(site, primary, resolver)
        for host, path, text in kept:
            host.write(path, text)
        manager.run("nft delete table inet test 2>/dev/null || true")


def append(host: Host, path: str, text: str) -> None:
    host.write(path, host.read(path) + text)


@pytest.fixture(scope="module")
def first(place: Place) -> t.Iterator[Results]:
    """What ten hosts say: one with nothing in the way, one with an agent and a stranger, eight with a trouble."""
    site, zone = place.site, place.primary.zone
    for number, servers in ((3, [NOWHERE]), (4, [NOWHERE, place.resolver.address]), (5, [place.primary.address])):
        place.host(number).use_resolvers(*servers)
    append(place.host(4), "/etc/resolv.conf", "options timeout:1\n")
    place.host(6).run(["sed", "-i", "s/^hosts:.*/hosts: files/", "/etc/nsswitch.conf"])
    append(place.host(7), "/etc/resolv.conf", f"search {zone}\n")
    append(place.host(8), "/etc/hosts", f"# the old manager\n{NOWHERE} {MANAGER_NAME}\n")
    placed = site.agent("host09", policy=site.policy("Listening", direction="Bidirectional"))
    site.wait_until_current(placed)
    stranger = site.machine("stranger")
    connection = stranger.start(["ncat", "--recv-only", placed.host.address, str(AGENT_PORT)])
    until(
        lambda: stranger.address in placed.host.run(["ss", "-Htn", f"sport = :{AGENT_PORT}"]).stdout,
        "the stranger is connected",
    )
    found = place.look(
        {
            1: {},
            2: {"manager": [f"missing.{zone}", f"dsm://{MANAGER_NAME}:{HEARTBEAT_PORT}/"]},
            3: {"timeout": 4},
            4: {"timeout": 10},
            5: {"manager": "dsm.example.com"},
            6: {},
            7: {"manager": MANAGER_NAME.partition(".")[0]},
            8: {},
            # However fast the clock of the lab runs, its agent beats every other day.
            9: {"direction": "manager_initiated", "heartbeat_interval": 1440},
            10: {"heartbeat_port": 4999},
        }
    )
    connection.terminate()
    placed.agent.stop()
    yield found


@pytest.fixture(scope="module")
def second(place: Place, first: Results) -> Results:
    """What the hosts say when some troubles are mended as they were told, and others have another one."""
    manager = place.site.manager_host
    for number in (3, 4, 5, 6):
        place.host(number).use_resolvers(place.resolver.address)
    place.host(6).run(["sed", "-i", "s/^hosts:.*/hosts: files dns/", "/etc/nsswitch.conf"])
    task = {"hostnames": [f"missing.{place.primary.zone}"], "addresses": [manager.address], "hosts_file": {}}
    assert place.site.on_hosts([place.host(2)], "local_dns", **task)["host02"]["changed"] is True
    place.host(8).run(["sed", "-i", "$d", "/etc/hosts"])
    rules = [
        f"{family} saddr {getattr(place.host(number), address)} tcp dport {HEARTBEAT_PORT} {verdict}"
        for number, verdict, families in (
            (3, "drop", ("ip", "ip6")),
            (4, "reject with tcp reset", ("ip", "ip6")),
            (5, "drop", ("ip6",)),
        )
        for family, address in (("ip", "address"), ("ip6", "address6"))
        if family in families
    ]
    chain = "\n".join(["type filter hook input priority 0; policy accept;", *rules])
    manager.run(["nft", "-f", "-"], input=f"table inet test {{\n chain input {{ {chain}\n }}\n}}\n")
    with contextlib.ExitStack() as stack:
        for port, program in ((4996, "echo 'HTTP/1.1 400 Bad Request'"), (4997, "true")):
            command = ["ncat", "--listen", "--keep-open", "--sh-exec", f"read line; {program}", str(port)]
            stack.callback(manager.start(command).terminate)
            until(lambda port=port: f":{port}" in manager.run(["ss", "-Hltn"]).stdout, "ncat listens")
        return place.look(
            {
                2: {"manager": f"missing.{place.primary.zone}"},
                3: {},
                4: {},
                5: {},
                6: {"heartbeat_port": 4996},
                7: {"heartbeat_port": 4997},
                8: {},
                9: {"direction": "manager_initiated"},
                1: {"direction": "bidirectional"},
            }
        )


def heartbeats(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was said of the port for heartbeats."""
    (found,) = [one for one in result["endpoints"] if one["port"] == HEARTBEAT_PORT]
    return found


def broken(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The required problem; there is exactly one."""
    assert result["reachable"] is False
    (problem,) = [problem for problem in result["problems"] if problem["required"]]
    return problem


@pytest.mark.both_cores
def test_a_way_that_works(place: Place, first: Results) -> None:
    host, result = place.host(1), first[1]
    assert (result["reachable"], result["problems"]) == (True, [])
    assert result["resolver"]["servers"] == [place.resolver.address]
    found = heartbeats(result)

    resolution = found["resolution"]
    getent = host.run(["getent", "ahosts", MANAGER_NAME]).stdout.splitlines()
    assert resolution["addresses"] == list(dict.fromkeys(line.split()[0] for line in getent))
    assert (resolution["source"], resolution["hosts_file"], resolution["error"]) == ("dns", [], None)
    (said,) = resolution["dns"]
    assert (said["server"], said["code"]) == (place.resolver.address, "NOERROR")
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


def test_a_name_that_is_not_in_dns_and_then_is(place: Place, first: Results, second: Results) -> None:
    missing = f"missing.{place.primary.zone}"
    # Of two nodes one is missing, which the other does not make up for.
    problem, console = first[2]["problems"]
    assert [one["reachable"] for one in first[2]["managers"]] == [False, True] and first[2]["reachable"] is False
    assert first[2]["managers"][0] == {
        "manager": missing,
        "region": None,
        "reachable": False,
        "problems": [problem, console],
    }
    assert (problem["step"], problem["name"]) == ("resolution", missing)
    assert problem["cause"] == f"no name server knows {missing}: NXDOMAIN from {place.resolver.address}"
    assert "workload_security.agent.local_dns" in problem["remedy"]
    # What the remedy names mends it.
    result = second[2]
    assert result["reachable"] is True
    found = heartbeats(result)
    (line,) = found["resolution"]["hosts_file"]
    assert found["resolution"]["source"] == "hosts_file"
    assert place.host(2).read("/etc/hosts").splitlines()[line["line"] - 1].split()[0] == line["address"]
    assert found["tls"]["name_matches"] is False, "the certificate does not know that name"


def test_no_name_server_answers(first: Results) -> None:
    problem = broken(first[3])
    assert (problem["step"], problem["name"], problem["port"]) == ("resolution", MANAGER_NAME, HEARTBEAT_PORT)
    assert f"no name server answers this host ({NOWHERE}: " in problem["cause"]
    assert "port 53" in problem["remedy"]


def test_a_name_server_that_is_down_costs_time_and_nothing_else(first: Results) -> None:
    assert first[4]["reachable"] is True
    silent, answers = heartbeats(first[4])["resolution"]["dns"]
    assert silent["error"] and silent["code"] is None
    assert answers["code"] == "NOERROR"


def test_a_name_server_that_refuses(place: Place, first: Results) -> None:
    # The primary server answers for its own zone only.
    cause = first[5]["problems"][0]["cause"]
    assert cause == f"no name server has an answer for dsm.example.com: REFUSED from {place.primary.address}"


def test_a_host_that_does_not_ask_dns(first: Results) -> None:
    problem = broken(first[6])
    assert "does not let this host ask DNS (hosts: files)" in problem["cause"]
    assert "add dns to the line hosts: of /etc/nsswitch.conf" in problem["remedy"]


def test_a_short_name_and_a_domain_to_search(first: Results) -> None:
    found = heartbeats(first[7])
    assert found["broken_step"] is None
    assert [said["name"] for said in found["resolution"]["dns"]] == [MANAGER_NAME]


def test_an_old_line_in_the_hosts_file(place: Place, first: Results, second: Results) -> None:
    problem = broken(first[8])
    assert problem["step"] == "tcp"
    number = len(place.host(8).read("/etc/hosts").splitlines()) + 1
    assert problem["cause"].startswith(f"line {number} of /etc/hosts gives {MANAGER_NAME} the address {NOWHERE}")
    assert place.site.manager_host.address in problem["cause"]
    assert second[8]["reachable"] is True


def test_who_listens_and_who_is_connected(place: Place, first: Results, second: Results) -> None:
    result = first[9]
    assert (result["reachable"], result["listening"]["listens"]) == (True, True)
    assert place.site.machine("stranger").address in result["listening"]["connected_from"]

    agent = result["agent"]
    assert (agent["activation"], agent["agent_state"], agent["is_asked"]) == ("activated", "green", True)
    assert agent["healthy"] is True and agent["last_session"], agent
    assert first[1]["agent"]["healthy"] is None, "there is no agent"

    result = second[9]
    assert result["agent"]["healthy"] is None, "it does not run"
    assert (result["reachable"], result["listening"]["listens"]) == (False, False)
    problem = broken(result)
    assert (problem["step"], problem["name"], problem["port"]) == ("listening", None, AGENT_PORT)
    # One that beats as well is only told of changes later, and one that initiates needs no listener.
    (problem,) = second[1]["problems"]
    assert (problem["step"], problem["required"], second[1]["reachable"]) == ("listening", False, True)
    assert (first[1]["listening"]["listens"], first[1]["reachable"]) == (False, True)


def test_a_port_on_which_nothing_listens(first: Results) -> None:
    (problem,) = first[10]["problems"]
    assert (problem["step"], problem["port"]) == ("tcp", 4999)
    assert "refuses connections" in problem["cause"] and "options manager and heartbeat_port" in problem["remedy"]


@pytest.mark.parametrize(("number", "cause"), [(3, "a firewall drops the packets"), (4, "refuses connections")])
def test_a_firewall_in_between(second: Results, number: int, cause: str) -> None:
    problem = broken(second[number])
    assert problem["step"] == "tcp" and cause in problem["cause"]


def test_one_version_of_ip_is_enough(place: Place, second: Results) -> None:
    assert second[5]["reachable"] is True
    manager = place.site.manager_host
    assert {one["address"]: one["connected"] for one in heartbeats(second[5])["tcp"]} == {
        manager.address: True,
        manager.address6: False,
    }


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (6, "does not speak TLS: it answers b'HTTP/1.1 400 Bad Request"),
        (7, "most likely a firewall or proxy that looks into TLS stops it"),
    ],
)
def test_something_else_on_the_port(second: Results, number: int, cause: str) -> None:
    (problem,) = second[number]["problems"]
    assert problem["step"] == "tls" and cause in problem["cause"]


@pytest.fixture(scope="module")
def cloud(place: Place) -> t.Iterator[LabManager]:
    """A manager of the cloud, whose names two hosts have from their hosts files."""
    machine = place.site.machine("cloud")
    numbered = [f"agents-{number:03}" for number in range(1, 11)]
    beside = ["dsmim", "relay", "agent-comm", "xdr-resp-ioc", "gateway", "gateway-control"]
    names = [f"workload.{DOMAIN}", *(f"{label}.workload.{DOMAIN}" for label in ("agents", *numbered, *beside))]
    lists = [f"{name}.rootca1.amazontrust.com" for name in ("crl", "ocsp", "crt")]
    for number in (1, 10):
        append(place.host(number), "/etc/hosts", f"{machine.address} {' '.join([*names, *lists])}\n")
    http = machine.start(["ncat", "--listen", "--keep-open", "80"])
    until(lambda: ":80" in machine.run(["ss", "-Hltn"]).stdout, "ncat listens")
    with LabManager(computers=0, policies=1, host=machine, names=names, deployment="cloud") as manager:
        yield manager
    http.terminate()


def test_the_cloud_and_a_proxy_that_opens_tls(place: Place, cloud: LabManager) -> None:
    with open(cloud.ca_path, encoding="ascii") as file:
        place.host(10).write("/etc/ssl/certs/lab.pem", file.read())
    # What update-ca-certificates does with it, without doing all the others anew.
    link = "cd /etc/ssl/certs; link=$(openssl x509 -hash -noout -in lab.pem).0;"
    place.host(10).run(f"{link} ln -s lab.pem $link")
    try:
        every = ["heartbeat", "updates", "revocation"]
        by_name = f"https://agents-003.workload.{DOMAIN}:443/"
        results = place.look({1: {"region": REGION}, 10: {"manager": by_name, "checks": every}})
    finally:
        place.host(10).run(f"{link} rm $link lab.pem")
    # To a host, the lab's authority is what the authority of such a proxy is: one that it does not know.
    assert len(results[1]["endpoints"]) == 18 and results[1]["reachable"] is False
    assert {problem["step"] for problem in results[1]["problems"]} == {"certificate"}
    (problem,) = [one for one in results[1]["problems"] if one["name"] == f"agents-007.workload.{DOMAIN}"]
    assert "Most likely a proxy or firewall opens TLS on the way" in problem["cause"]
    assert f"exempt *.workload.{DOMAIN} from TLS inspection" in problem["remedy"]

    # What an agent knows a manager of the cloud by stands for its region. Updates are not served here.
    assert (results[10]["reachable"], results[10]["managers"][0]["region"]) == (True, REGION)
    assert results[10]["checks"] == {"heartbeat": True, "updates": False, "revocation": True}
    assert {problem["check"] for problem in results[10]["problems"]} == {"updates"}
    assert len(results[10]["problems"]) == 14
    own = [one for one in results[10]["endpoints"] if one["check"] == "heartbeat"]
    assert len(own) == 17 and all(one["tls"]["trusted"] and one["tls"]["name_matches"] for one in own)
