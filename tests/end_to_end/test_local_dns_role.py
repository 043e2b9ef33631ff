# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role local_dns through its playbook: on hosts, on name servers, and from the controller."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.play import run_playbook
from tests.gates.environments import ROOT
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.nameserver import Bind, Dnsmasq, TsigKey, Unbound

PLAYBOOK = ROOT / "playbooks" / "local_dns.yml"
NAME = "dsm.lab.test"
RECORDS = [{"hostnames": [NAME], "addresses": ["198.18.0.9", "2001:db8::9"]}]
GONE = [{"hostnames": [NAME], "state": "absent"}]

# An address that nobody has: whatever connects to it fails.
NOWHERE = "198.18.255.254"
WINDOWS = {"ansible_host": NOWHERE, "ansible_connection": "winrm"}


@pytest.fixture(name="three")
def three_fixture(hosts: LabHosts) -> t.Iterator[list[Host]]:
    """Hosts with agents, whose name servers a test may choose."""
    three = [hosts.hosts[name] for name in ("host02", "host03", "host04")]
    before = [host.read("/etc/resolv.conf") for host in three]
    yield three
    for host, text in zip(three, before, strict=True):
        host.write("/etc/resolv.conf", text)


@pytest.fixture(scope="module", name="primary")
def primary_fixture(hosts: LabHosts) -> t.Iterator[Bind]:
    with Bind(hosts.add("role-primary")) as primary:
        yield primary


Run = t.Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="run")
def run_fixture(hosts: LabHosts, tmp_path: Path) -> Run:
    """Runs the playbook for an inventory of hosts, each with its variables."""

    def run(
        inventory: dict[str, dict[str, t.Any]], *arguments: str, playbook: Path = PLAYBOOK, **variables: t.Any
    ) -> subprocess.CompletedProcess[str]:
        """C(variables) are those of all hosts, without C(local_dns_)."""
        everybody = {f"local_dns_{name}": value for name, value in variables.items()}
        path = tmp_path / "inventory.json"
        path.write_text(json.dumps({"all": {"hosts": inventory, "vars": everybody}}), encoding="utf-8")
        return run_playbook(hosts, playbook, path, *arguments)

    return run


def write_playbook(folder: Path, *plays: dict[str, t.Any]) -> Path:
    path = folder / "playbook.yml"
    path.write_text(yaml.safe_dump(list(plays), sort_keys=False), encoding="utf-8")
    return path


def changed(ran: subprocess.CompletedProcess[str]) -> list[int]:
    """How many tasks changed something, of each host; none of them failed."""
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # Another play looks at localhost whether the inventory has a host.
    return [int(count) for count in re.findall(r"^(?!localhost ).*changed=(\d+)", ran.stdout, re.MULTILINE)]


def addresses(host: Host, name: str = NAME) -> set[str]:
    """What a host finds with its own resolver."""
    return {line.split()[0] for line in host.run(["getent", "ahosts", name], check=False).stdout.splitlines()}


def updates(primary: Bind) -> int:
    """How many records were added and deleted so far, as the server tells it."""
    return len(re.findall(r": (?:adding an RR|deleting)", primary.log))


# -- where agents live


def test_the_hosts_file_of_each_host(run, three):
    inventory = {host.name: host.connection for host in three}
    before = [host.read("/etc/hosts") for host in three]
    settings = {"place": {"hosts_file": {}}, "records": RECORDS}
    ran = run(inventory, "--check", "--diff", **settings)
    assert changed(ran) == [1, 1, 1] and "1 of 1 record sets would change in hosts_file" in ran.stdout
    assert [host.read("/etc/hosts") for host in three] == before
    assert changed(run(inventory, **settings)) == [1, 1, 1]
    assert [addresses(host) for host in three] == 3 * [{"198.18.0.9", "2001:db8::9"}]
    assert changed(run(inventory, **settings)) == [0, 0, 0]
    assert changed(run(inventory, **{**settings, "records": GONE})) == [1, 1, 1]
    assert [host.read("/etc/hosts") for host in three] == before


@pytest.mark.parametrize("server", [Unbound, Dnsmasq])
def test_the_resolvers_of_a_site(run, hosts, primary, three, server):
    with server(hosts.add(f"role-{server.program}"), {primary.zone: primary.address}) as resolver:
        for host in three:
            host.use_resolvers(resolver.address)
        inventory = {resolver.host.name: resolver.host.connection}
        settings = {"place": {server.program: {}}, "records": RECORDS}
        assert changed(run(inventory, "--check", **settings)) == [1]
        assert [addresses(host) for host in three] == 3 * [set()]
        assert changed(run(inventory, **settings)) == [1]
        assert changed(run(inventory, **settings)) == [0]
        assert [addresses(host) for host in three] == 3 * [{"198.18.0.9", "2001:db8::9"}]
        # Other names of the zone are still the primary server's.
        assert resolver.answer(f"ns1.{primary.zone}") == [primary.address]
        resolver.restart()
        assert resolver.answer(NAME) == ["198.18.0.9"]
        assert changed(run(inventory, **{**settings, "records": GONE})) == [1]
        assert [addresses(host) for host in three] == 3 * [set()]


# -- from the controller


def zone_place(primary: Bind, **options: str) -> dict[str, t.Any]:
    return {
        "rfc2136": {
            "server": primary.address,
            "key_name": primary.key.name,
            "key_secret": primary.key.secret,
            **options,
        }
    }


def test_the_zone_is_changed_once_and_no_host_is_connected_to(run, primary, three):
    for host in three:
        host.use_resolvers(primary.address)
    inventory = {
        "linux1": {"ansible_host": NOWHERE},
        "linux2": {"ansible_host": NOWHERE, "ansible_become": True},
        "windows1": WINDOWS,
        "windows2": WINDOWS,
    }
    settings = {"place": zone_place(primary), "records": RECORDS}
    before = updates(primary)
    assert sum(changed(run(inventory, "--check", **settings))) == 1
    assert updates(primary) == before
    assert sum(changed(run(inventory, **settings))) == 1
    assert updates(primary) == before + 2
    assert [addresses(host) for host in three] == 3 * [{"198.18.0.9", "2001:db8::9"}]
    assert sum(changed(run(inventory, **settings))) == 0
    assert sum(changed(run(inventory, "--limit", "windows2", **{**settings, "records": GONE}))) == 1
    assert [addresses(host) for host in three] == 3 * [set()]


def test_each_declaration_is_served_once(run, primary, tmp_path):
    declarations = {
        "one": [{"hostnames": ["one.lab.test"], "addresses": ["198.18.0.1"]}],
        "two": [
            {"hostnames": ["two.lab.test"], "addresses": ["198.18.0.2"], "ttl": 60},
            {"hostnames": ["alias.lab.test"], "cname": "two.lab.test"},
        ],
    }
    inventory = {
        f"{name}{number}": {"ansible_host": NOWHERE, "local_dns_records": records}
        for name, records in declarations.items()
        for number in range(3)
    }
    ran = run(inventory, place=zone_place(primary))
    assert sorted(changed(ran)) == [0, 0, 0, 0, 1, 1]
    assert "2 of 2 record sets changed in rfc2136" in ran.stdout
    assert primary.answer("one.lab.test") == ["198.18.0.1"]
    assert primary.answer("alias.lab.test") == ["198.18.0.2", "two.lab.test."]
    # In batches, too.
    role = {"role": "workload_security.agent.local_dns"}
    batches = write_playbook(tmp_path, {"hosts": "all", "serial": 2, "gather_facts": False, "roles": [role]})
    ran = run(inventory, "-v", place=zone_place(primary), playbook=batches)
    assert changed(ran) == 6 * [0]
    assert ran.stdout.count("0 of 1 record sets") == ran.stdout.count("0 of 2 record sets") == 1


def test_the_example_inventory_names_its_managers(hosts, tmp_path):
    secret = "YW4gZXhhbXBsZSwga25vd24gdG8gZXZlcnlib2R5Li4="
    password = tmp_path / "password"
    password.write_text("example\n")
    with Bind(hosts.add("example-primary"), "example.com", TsigKey(secret=secret)) as primary:
        place = {"rfc2136": {"server": primary.address, "key_name": "ansible", "key_secret": "{{ vault_dns_key }}"}}
        ran = run_playbook(
            hosts,
            PLAYBOOK,
            ROOT / "inventories" / "example",
            *("--vault-password-file", str(password)),
            *("--limit", "on_premises"),
            *("--extra-vars", json.dumps({"local_dns_place": place})),
        )
        assert changed(ran) == [1, 1]
        assert primary.answer("dsm.head-office.example.com") == ["192.0.2.10"]
        assert primary.answer("dsm.plant.example.com") == ["198.51.100.10", "198.51.100.11"]


def test_the_secret_is_shown_nowhere(run, primary, monkeypatch):
    monkeypatch.setenv("ANSIBLE_INJECT_INVOCATION", "true")
    places = {
        "right": zone_place(primary),
        "unknown-key": zone_place(primary, key_name="nobody"),
        "no-server": zone_place(primary, server=""),
        "unknown-option": zone_place(primary, no_such_option="x"),
        # Refused before the module runs.
        "two-places": {**zone_place(primary), "hosts_file": {}},
    }
    inventory = {name: {"local_dns_place": place} for name, place in places.items()}
    ran = run(inventory, "-vvvvv", "--diff", records=RECORDS)
    run({"linux": {}}, place=zone_place(primary), records=GONE)
    failed = re.findall(r"^(\S+) +: .* failed=1 ", ran.stdout, re.MULTILINE)
    assert sorted([*failed, "right"]) == sorted(places), ran.stdout
    assert ran.stdout.count("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER") >= 3
    assert primary.key.secret not in ran.stdout + ran.stderr


# -- what is refused


def failed_early(ran: subprocess.CompletedProcess[str], hosts: t.Collection[str]) -> None:
    """Every host has failed, and none was connected to."""
    assert ran.returncode == 2
    recap = re.findall(r"^(\S+) +: .*unreachable=0 +failed=1 ", ran.stdout, re.MULTILINE)
    assert sorted(recap) == sorted(hosts), ran.stdout
    assert "ESTABLISH" not in ran.stdout


@pytest.mark.both_cores
def test_a_windows_host_fails_before_anything_connects_to_it(run):
    ways = [
        {"ansible_connection": "winrm"},
        {"ansible_connection": "ansible.builtin.psrp"},
        {"ansible_connection": "ssh", "ansible_shell_type": "powershell"},
        {"ansible_shell_type": "cmd"},
    ]
    inventory = {
        f"win-{place}-{number}": {"ansible_host": NOWHERE, "local_dns_place": {place: {}}, **way}
        for place in ("hosts_file", "unbound", "dnsmasq")
        for number, way in enumerate(ways)
    }
    ran = run(inventory, "-vvv", records=RECORDS)
    failed_early(ran, inventory)
    for name in inventory:
        assert f"{name} is a Windows host" in ran.stdout
    for place in ("hosts_file", "unbound", "dnsmasq"):
        assert f"It is {place}." in ran.stdout
    assert "can only be rfc2136" in ran.stdout


def test_a_host_that_facts_know_as_windows_fails_before_anything_connects_to_it(run, tmp_path):
    knowing = {"ansible.builtin.set_fact": {"ansible_os_family": "Windows", "cacheable": True}}
    playbook = write_playbook(
        tmp_path,
        {"hosts": "all", "gather_facts": False, "tasks": [knowing]},
        {"ansible.builtin.import_playbook": str(PLAYBOOK)},
    )
    ran = run({"win1": {"ansible_host": NOWHERE}}, place={"hosts_file": {}}, records=RECORDS, playbook=playbook)
    assert "win1 is a Windows host" in ran.stdout and "unreachable=0" in ran.stdout


def test_other_hosts_are_served_beside_a_windows_host(run, three):
    inventory = {three[0].name: three[0].connection, "win1": WINDOWS}
    settings = {"place": {"hosts_file": {}}, "records": RECORDS}
    assert run(inventory, **settings).returncode == 2
    assert addresses(three[0]) == {"198.18.0.9", "2001:db8::9"}
    assert changed(run({three[0].name: three[0].connection}, **{**settings, "records": GONE})) == [1]


def test_what_cannot_be_is_refused_before_anything_connects(run):
    alias_and_address = [{"hostnames": [NAME], "addresses": ["198.18.0.9"], "cname": "a.b"}]
    cases = {
        "no-place": ({}, RECORDS, "required: hosts_file, rfc2136, unbound, dnsmasq"),
        "two-places": ({"hosts_file": {}, "unbound": {}}, RECORDS, "mutually exclusive: hosts_file"),
        "unknown-place": ({"bind": {}}, RECORDS, "local_dns_place.bind"),
        "no-name": ({"hosts_file": {}}, [{"addresses": ["198.18.0.9"]}], "required: hostnames, region"),
        "address-and-alias": ({"hosts_file": {}}, alias_and_address, "mutually exclusive: addresses|cname"),
        "unknown-option": ({"hosts_file": {}}, [{"hostnames": [NAME], "states": "absent"}], "local_dns_records.states"),
    }
    inventory = {
        name: {"ansible_host": NOWHERE, "local_dns_place": place, "local_dns_records": records}
        for name, (place, records, _said) in cases.items()
    }
    ran = run(inventory, "-vvv")
    failed_early(ran, inventory)
    for name, (_place, _records, said) in cases.items():
        assert re.search(rf"fatal: \[{name}\](?:(?!fatal: ).)*{re.escape(said)}", ran.stdout, re.DOTALL), name
