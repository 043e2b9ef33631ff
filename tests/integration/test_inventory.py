# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's computers as an inventory: what the engine makes of them, and Ansible's own commands with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible.inventory.data import InventoryData
from ansible.inventory.group import to_safe_group_name
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template
from ansible.utils.display import Display

from ansible_collections.workload_security.agent.plugins.inventory.computers import InventoryModule
from ansible_collections.workload_security.agent.plugins.module_utils._answers.inventory import (
    HostsAsked,
    InventoryHost,
    read_hosts,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.support import ansible_playbook, connection
from tests.lab.manager.process import LabManager
from tests.lab.proxy import LabProxy
from tests.lab.ssh_server import SshServer

GROUPED_BY = ["policy", "computer_group", "platform", "release", "status"]
PLUGIN = "workload_security.agent.computers"


class Built(t.NamedTuple):
    groups: dict[str, str | None]
    hosts: dict[str, InventoryHost]
    warnings: list[str]


def build(lab: LabManager, **options: t.Any) -> Built:
    """What the engine makes of the options, in this process."""
    lab.clear_requests()
    asked = HostsAsked.from_options({"group_by": GROUPED_BY, **options})
    with Transport(connection(lab)) as transport:
        found = read_hosts(Client(transport), asked, lambda name: to_safe_group_name(name, force=True, silent=True))
    # The connection is closed: nothing more can be read.
    hosts = list(found["hosts"])
    assert len({host.name for host in hosts}) == len(hosts)
    return Built(found["groups"], {host.name: host for host in hosts}, found["warnings"])


def asked(lab: LabManager) -> list[str]:
    return [one["path"].removeprefix("/api") for one in lab.requests()]


def command(
    lab: LabManager, path: Path, *arguments: str, tool: str = "ansible-inventory", status: int = 0, **how: t.Any
) -> str:
    """All that one of Ansible's commands prints with that inventory file. C(how): see C(tests.playbooks)."""
    done = ansible_playbook(
        "-i", str(path), *arguments, environment=environment(lab), cwd=path.parent, tool=tool, **how
    )
    assert done.returncode == status, done.stdout
    assert lab.api_key.rpartition(":")[2] not in done.stdout
    return done.stdout


def environment(lab: LabManager) -> dict[str, str]:
    return {
        "WORKLOAD_SECURITY_API_KEY": lab.api_key,
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "COLUMNS": "1000",
    }


def configured(lab: LabManager, folder: Path, name: str = "workload_security.yml", **options: t.Any) -> Path:
    """An inventory file."""
    path = folder / name
    path.write_text(yaml.safe_dump({"plugin": PLUGIN, "url": lab.url, "ca_path": lab.ca_path, **options}))
    return path


def without_warnings(printed: str) -> str:
    return "".join(line for line in printed.splitlines(keepends=True) if not line.startswith("[WARNING]"))


def plain(value: t.Any) -> t.Any:
    """A value without the marks that it is no template."""
    if isinstance(value, dict):
        return (
            value["__ansible_unsafe"]
            if value.keys() == {"__ansible_unsafe"}
            else {k: plain(v) for k, v in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


def computers(lab: LabManager) -> dict[int, dict[str, t.Any]]:
    found = lab.api("GET", "/computers", query={"expand": "computerStatus"})["computers"]
    return {one["ID"]: one for one in found}


# -- the engine


def test_every_computer_is_a_host(lab):
    known = computers(lab)
    policies = {one["ID"]: one for one in lab.api("GET", "/policies", query={"overrides": "true"})["policies"]}
    built = build(lab)
    assert len(built.hosts) == len(known) and not built.warnings
    for host in built.hosts.values():
        one = known[host.id]
        policy = policies.get(one.get("policyID"))
        told = {name.removeprefix("workload_security_"): value for name, value in host.variables.items()}
        assert host.name == one["hostName"] == told["host_name"]
        assert (told["id"], told["display_name"], told["platform"]) == (one["ID"], one["displayName"], one["platform"])
        assert (told["agent_version"], told["last_ip"]) == (one["agentVersion"], one["lastIPUsed"])
        assert told["policy"] == (policy["name"] if policy else "")
        assert told["status"] == one["computerStatus"]["agentStatus"]
        assert told["status_messages"] == one["computerStatus"]["agentStatusMessages"]
        assert f"status_{told['status']}" in host.groups and f"platform_{told['platform_family']}" in host.groups
        assert all(name.startswith("workload_security_") for name in host.variables)
    one = next(
        host for host in built.hosts.values() if host.variables["workload_security_policy"] == "Linux Server > Web"
    )
    assert "policy_Linux_Server___Web" in one.groups
    assert built.groups["policy_Linux_Server___Web"] == "policy_Linux_Server"
    assert built.groups["policy_Linux_Server"] == "policy_Base_Policy" and built.groups["policy_Base_Policy"] is None
    path = one.variables["workload_security_group_path"]
    assert f"computer_group_{path.replace('/', '_').replace(' ', '_')}" in one.groups
    assert built.groups["agent_20_LTS_Update_2024_07_20"] == "agent_20"


def test_groups_as_they_are_asked_for(lab):
    built = build(lab, group_by=["platform", "direction"], group_prefixes={"platform": "os-", "direction": ""})
    assert {"os_linux", "os_windows", "os_macos", "bidirectional", "agent_initiated"} <= set(built.groups)
    assert all(name.startswith("os_") or name.endswith(("initiated", "directional")) for name in built.groups)
    some = next(iter(built.hosts.values()))
    assert "workload_security_status" not in some.variables and "workload_security_group_path" not in some.variables
    for host in list(built.hosts.values())[::20]:
        wire = lab.api("GET", f"/computers/{host.id}/settings/platformSettingAgentCommunicationsDirection")["value"]
        words = {"Bidirectional": "bidirectional", "Manager Initiated": "manager_initiated"}
        assert host.variables["workload_security_direction"] == words.get(wire, "agent_initiated")
        assert host.variables["workload_security_direction"] in host.groups
    built = build(lab, group_by=[])
    assert not built.groups and not any(host.groups for host in built.hosts.values())


def test_hosts_by_every_way_to_choose(lab):
    known = computers(lab)
    policies = {one["ID"]: one for one in lab.api("GET", "/policies", query={"overrides": "true"})["policies"]}
    linux = next(one["ID"] for one in policies.values() if one["name"] == "Linux Server")
    under = {one["ID"] for one in policies.values() if one.get("parentID") == linux}
    some = next(iter(known.values()))
    group = lab.api("GET", "/computergroups")["computerGroups"][0]["name"]
    for options, expected in (
        ({"policies": ["Linux Server"]}, {n for n, one in known.items() if one.get("policyID") == linux}),
        ({"policies": "all"}, {n for n, one in known.items() if one.get("policyID")}),
        ({"below": [linux]}, {n for n, one in known.items() if one.get("policyID") in under}),
        ({"computers": [some["hostName"].upper()]}, {some["ID"]}),
        ({"query": "[?platform_family == 'macos']"}, {n for n, one in known.items() if "macOS" in one["platform"]}),
        ({"computers_matching": ["*"], "group_by": []}, set(known)),
        ({"computers": ["nobody"], "allow_missing": True, "allow_empty": True}, set()),
    ):
        assert {host.id for host in build(lab, **options).hosts.values()} == expected, options
    inside = build(lab, computer_groups=[group])
    assert inside.hosts and all(
        (host.variables["workload_security_group_path"] + "/").startswith(f"{group}/") for host in inside.hosts.values()
    )
    # Only what these hosts need becomes a group.
    assert {name for name in inside.groups if name.startswith("computer_group_")} == {
        f"computer_group_{group}".replace(" ", "_"),
        *(name for host in inside.hosts.values() for name in host.groups if name.startswith("computer_group_")),
    }
    missing = build(lab, computers=["nobody"], allow_missing=True, allow_empty=True)
    assert missing.warnings == ["the inventory is without computer 'nobody': the manager has no computer of that name"]


def test_hostile_names_become_neither_hosts_nor_groups_nor_templates(lab):
    evil = [
        *(
            "{{ 7*7 }}",
            "all",
            "localhost",
            "127.0.0.1",
            "-oProxyCommand=id",
            "a b",
            "a,b",
            "../../x",
            "x\n\x1b[31m",
            "~.*",
        ),
        *("policy_Base_Policy", "twin", "twin", "platform_linux"),
    ]
    lab.api("POST", "/policies/1", {"name": "Base Policy"})
    template = "{{ lookup('pipe', 'id') }}\n/all"
    policy = lab.api("POST", "/policies", {"name": template, "parentID": 1})["ID"]
    numbers = [
        lab.api("POST", "/computers", {"hostName": name, "displayName": f"display-{place}", "policyID": policy})["ID"]
        for place, name in enumerate(evil)
    ]
    bare = lab.api("POST", "/computers", {"hostName": "no good", "displayName": "{{ x }}"})["ID"]
    built = build(lab)
    by_id = {host.id: host for host in built.hosts.values()}
    assert [by_id[number].name for number in numbers] == [f"display-{place}" for place in range(len(evil))]
    assert by_id[bare].name == f"computer_{bare}"
    for number, name in zip(numbers, evil):
        host = by_id[number]
        assert host.variables["workload_security_host_name"] == name
        # What can be a name, and is no other computer's, is where the host is; nothing else gets into a command.
        where = host.variables.get("ansible_host")
        assert where == (name if name in ("policy_Base_Policy", "platform_linux") else None)
    assert all(to_safe_group_name(name, force=True, silent=True) == name for name in built.groups)
    assert f"{len(evil) + 1} of {len(built.hosts)} computers have no host name that is usable" in built.warnings[0]
    assert to_safe_group_name(f"policy_{template}", force=True, silent=True) in built.groups


def test_what_a_fleet_costs(lab):
    for options, expected in (
        ({}, ["/computergroups/search", "/computers/search", "/policies/search"]),
        ({"group_by": []}, ["/computers/search", "/policies/search"]),
        (
            {"query": "[?platform_family == 'macos']"},
            ["/computergroups/search", "/computers/search", "/policies/search"],
        ),
        (
            {"group_by": ["direction"]},
            ["/computers/search", "/policies/default", "/policies/search"],
        ),
    ):
        build(lab, **options)
        assert sorted(set(asked(lab))) == expected, options


@pytest.mark.slow
def test_a_large_fleet_in_one_paging_run():
    with LabManager(computers=20_001, policies=70, seed=3) as lab:
        built = build(lab)
        assert len(built.hosts) == 20_001
        assert sorted(asked(lab)) == ["/computergroups/search", *["/computers/search"] * 5, "/policies/search"]


# -- Ansible's commands


@pytest.mark.both_cores
def test_list_and_graph(lab, tmp_path):
    number = lab.api("POST", "/computers", {"hostName": "{{ 7*7 }}", "displayName": "evil", "policyID": 1})["ID"]
    path = configured(
        lab,
        tmp_path,
        "lab.computers.yaml",
        compose={"ansible_host": "workload_security_last_ip", "double": "workload_security_id * 2"},
        groups={"old": "workload_security_agent_version is workload_security.agent.older_than_release('20')"},
        keyed_groups=[{"key": "workload_security_host_name", "prefix": "key"}],
        query=f"[?id == `{number}` || platform_family == 'macos']",
    )
    listed = json.loads(without_warnings(command(lab, path, "--list")))
    variables = {name: plain(own) for name, own in listed["_meta"]["hostvars"].items()}
    macs = {n: one for n, one in computers(lab).items() if "macOS" in one["platform"]}
    assert set(variables) == {"evil", *(one["hostName"] for one in macs.values())}
    evil = variables["evil"]
    assert evil["workload_security_host_name"] == "{{ 7*7 }}" and evil["double"] == number * 2
    assert set(listed["platform_macos"]["hosts"]) == {one["hostName"] for one in macs.values()}
    assert (
        listed["policy_Base_Policy"]["hosts"] == ["evil"] and "policy_macOS" in listed["policy_Base_Policy"]["children"]
    )
    assert to_safe_group_name("key_{{ 7*7 }}", force=True, silent=True) in listed
    for one in macs.values():
        assert variables[one["hostName"]]["ansible_host"] == one["lastIPUsed"]
    graph = command(lab, path, "--graph").splitlines()
    assert "  |--@policy_Base_Policy:" in graph and "  |  |--@policy_macOS:" in graph and "  |  |--evil" in graph
    # In a task, too, the name stays what it is.
    shown = command(
        lab, path, "evil", "-m", "ansible.builtin.debug", "-a", "var=workload_security_host_name", tool="ansible"
    )
    assert "{{ 7*7 }}" in shown and "49" not in shown.replace(str(number), "")


@pytest.mark.both_cores
def test_what_is_cached_is_what_was_built(lab, tmp_path):
    key = tmp_path / "key"
    key.write_text(lab.api_key)
    key.chmod(0o600)
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    path = configured(lab, tmp_path, **cache, api_key="{{ lookup('ansible.builtin.file', '" + str(key) + "') }}")
    lab.clear_requests()
    first = command(lab, path, "--list")
    read = len(lab.requests())
    assert read
    assert command(lab, path, "--list") == first and len(lab.requests()) == read
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 1
    for secret in (lab.api_key, lab.api_key.rpartition(":")[2]):
        assert secret not in files[0].read_text() and secret not in files[0].name
    # Something else that is asked for is something else in the cache, and what is no longer understood is read anew.
    other = configured(lab, tmp_path, **cache, group_by=[], api_key_file=str(key))
    assert set(json.loads(command(lab, other, "--list"))) == {"_meta", "all", "ungrouped"}
    assert len(list((tmp_path / "cache").iterdir())) == 2
    path = configured(lab, tmp_path, **cache, api_key="{{ lookup('ansible.builtin.file', '" + str(key) + "') }}")
    files[0].write_text(json.dumps({"hosts": 7}))
    lab.clear_requests()
    assert command(lab, path, "--list") == first and lab.requests()
    lab.clear_requests()
    command(lab, path, "--list", "--flush-cache")
    assert lab.requests()


@pytest.mark.both_cores
def test_what_cannot_be_right_is_said(lab, tmp_path):
    for options, said in (
        ({"query": "[?hostname == 'x']"}, "computers have no field 'hostname'; nearest: 'host_name'"),
        ({"computers": ["nobody"]}, "option 'computers' is 'nobody': the manager has no computer of that name"),
        ({"group_by": ["colour"]}, "colour"),
        (
            {"polices": ["Linux Server"]},
            "option 'polices': the inventory has no option of that name; nearest: 'policies'",
        ),
        ({"keyed_group": []}, "nearest: 'keyed_groups'"),
        (
            {"group_prefixes": {"policys": "p_"}},
            "Unsupported parameters of the inventory: group_prefixes.policys. Supp",
        ),
        ({"jump_host": {"port": 22}}, "host"),
        ({"api_key": "1:wrong-but-long-enough-for-a-key"}, "Invalid API Key"),
    ):
        path = configured(lab, tmp_path, **options)
        assert said in " ".join(command(lab, path, "--list", status=1).split()), options


def test_through_a_jump_host(lab, tmp_path):
    with SshServer(tmp_path / "ssh") as ssh:
        path = configured(lab, tmp_path, jump_host=ssh.way, group_by=[], query="[:1]")
        assert len(json.loads(command(lab, path, "--list"))["_meta"]["hostvars"]) == 1


@pytest.mark.both_cores
def test_options_of_the_environment_and_a_proxy(lab, tmp_path, monkeypatch):
    """What the file leaves out, the environment says, before there is a default."""
    path = tmp_path / "computers.yml"
    path.write_text(yaml.safe_dump({"plugin": PLUGIN, "url": lab.url, "query": "[:1]", "group_by": []}))
    monkeypatch.setenv("WORKLOAD_SECURITY_CA_PATH", lab.ca_path)
    with LabProxy(tmp_path / "proxy") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert len(json.loads(command(lab, path, "--list"))["_meta"]["hostvars"]) == 1
        assert len(proxy.tunnels) == 1
    monkeypatch.setenv("WORKLOAD_SECURITY_TIMEOUT", "601")
    told = " ".join(command(lab, path, "--list", status=1).split())
    assert "option 'timeout' is '601'" in told and "WORKLOAD_SECURITY_TIMEOUT in the environment" in told


@pytest.mark.both_cores
def test_progress_goes_beside_the_output(lab, tmp_path):
    path = configured(lab, tmp_path, progress_interval=1)
    lab.add_fault(path="/computers/search", action={"kind": "delay", "seconds": 3})
    tool = str(Path(sys.executable).with_name("ansible-inventory"))
    done = subprocess.run(
        [tool, "-i", str(path), "--list"],
        env={**os.environ, **environment(lab)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "computers: reading" in done.stderr and json.loads(done.stdout)["_meta"]["hostvars"]


def test_which_files_are_meant(lab, tmp_path):
    path = configured(lab, tmp_path, "servers.yml")
    assert "Traceback" not in command(lab, path, "--list", status=1)
    for name in ("workload_security.yaml", "computers.yml"):
        path = configured(lab, tmp_path, name, group_by=[], query="[:1]")
        assert len(json.loads(command(lab, path, "--list"))["_meta"]["hostvars"]) == 1


def populated(lab: LabManager, inventory: InventoryData, **options: t.Any) -> list[str]:
    """The warnings of the plugin, in this process, as it takes hosts into an inventory. C(options): of the plugin."""
    given = {"strict": True, "use_extra_vars": False, "compose": {}, "groups": {}, "keyed_groups": []}
    found = build(lab, query=options.pop("query"))
    plugin = InventoryModule()
    BaseInventoryPlugin.parse(plugin, inventory, DataLoader(), "lab.computers.yml")
    plugin._options = {**given, **options}
    with mock.patch.object(Display, "warning") as warning:
        plugin._populate({"groups": found.groups, "hosts": list(found.hosts.values())})
    return [call.args[0] for call in warning.call_args_list]


def own(host: Host) -> dict[str, t.Any]:
    """The variables of a host, without those that say where in the inventory it stands."""
    return {name: value for name, value in host.vars.items() if not name.startswith("inventory_")}


def with_hosts(group: str, hosts: dict[str, dict[str, t.Any]]) -> InventoryData:
    """What another source has made."""
    inventory = InventoryData()
    inventory.add_group(group)
    for name, variables in hosts.items():
        inventory.add_host(name, group)
        for variable, value in variables.items():
            inventory.set_variable(name, variable, value)
    return inventory


def test_hosts_that_are_called_like_groups_of_other_sources(lab):
    """Such a host must not become a group, with what is said of it for all hosts in there."""
    number = lab.api("POST", "/computers", {"hostName": "webservers"})["ID"]
    made = with_hosts("webservers", {"mine": {}})
    assert len(populated(lab, made, query=f"[?id == `{number}`]")) == 1
    assert [host.name for host in made.groups["webservers"].hosts] == ["mine"]
    assert [host.name for host in made.groups["platform_other"].hosts] == [f"computer_{number}"]
    assert own(made.hosts["mine"]) == {}
    assert own(made.hosts[f"computer_{number}"])["ansible_host"] == "webservers"


def test_hosts_that_are_called_like_groups_without_hosts(lab):
    """A play for such a group must not run on a host that only has its name."""
    lab.api("POST", "/policies", {"name": "Nobody's"})
    names = ("policy_Nobody_s", "platform_aix", "policy_Other")
    numbers = [lab.api("POST", "/computers", {"hostName": name, "displayName": "x"})["ID"] for name in names]
    built = build(lab, query=f"[?contains(`{numbers}`, id)]")
    assert set(built.hosts) == {f"computer_{numbers[0]}", f"computer_{numbers[1]}", "policy_Other"}
    assert not {"policy_Nobody_s", "platform_aix"} & built.groups.keys()
    # Without these groups, these are names like any other.
    built = build(lab, query=f"[?contains(`{numbers}`, id)]", group_by=["status"])
    assert set(built.hosts) == set(names)


def test_hosts_that_are_called_like_constructed_groups(lab):
    """Else a pattern with the name of the group would mean the host, and whoever names an agent could be there."""
    trusted, none, keyed = (
        lab.api("POST", "/computers", {"hostName": name, "displayName": "x"})["ID"]
        for name in ("trusted", "nobody", "k_trusted")
    )
    made = InventoryData()
    groups = {"trusted": f"workload_security_id == {none}", "nobody": "false"}
    warned = populated(
        lab,
        made,
        query=f"[?contains(`{[trusted, none, keyed]}`, id)]",
        groups={name: trust_as_template(said) for name, said in groups.items()},
        keyed_groups=[{"key": trust_as_template("workload_security_host_name"), "prefix": "k"}],
        compose={"ansible_user": trust_as_template("'me'")},
    )
    assert set(made.hosts) == {f"computer_{number}" for number in (trusted, none, keyed)}
    assert [host.name for host in made.groups["trusted"].hosts] == [f"computer_{none}"]
    assert [host.name for host in made.groups["k_trusted"].hosts] == [f"computer_{trusted}"]
    assert not set(made.hosts) & set(made.groups)
    last = made.hosts[f"computer_{keyed}"]
    assert own(last)["ansible_host"] == "k_trusted" and own(last)["ansible_user"] == "me"
    assert {"k_k_trusted", "platform_other"} <= {group.name for group in last.groups}
    assert any("3 computers go by computer_ and their ID" in one for one in warned), warned


def test_hosts_of_other_sources_stay_where_they_are(lab):
    """Whoever can name a computer must not get to be where another source says that a host is."""

    def computer(host: str, display: str = "") -> int:
        return lab.api("POST", "/computers", {"hostName": host, "displayName": display, "policyID": 1})["ID"]

    evil = computer("no good", "db-prod")
    twins = computer("twin", "DB-02."), computer("TWIN", "other")
    same = computer("app-01")
    mine = [evil, *twins, same]
    there = {"db-prod": {"ansible_host": "10.0.0.5", "x": 1}, "app-01": {}, "db-02": {}, f"computer_{evil}": {}}
    made = with_hosts("prod", there)
    said = {"ansible_host": "workload_security_last_ip", "ansible_user": "'root'", "x": "2"}
    compose = {variable: trust_as_template(expression) for variable, expression in said.items()}
    chosen = f"[?contains(`{mine}`, id)]"
    warned = populated(lab, made, query=chosen, compose=compose, groups={"all_mine": trust_as_template("true")})
    # A second file for this plugin finds the hosts of the first one.
    populated(lab, made, query=chosen)
    assert own(made.hosts["db-prod"]) == {"ansible_host": "10.0.0.5", "x": 1}
    assert {group.name for group in made.hosts["db-prod"].groups} == {"prod"}
    assert own(made.hosts[f"computer_{evil}"]) == {}
    # What goes by its own host name is the same host: it has groups and variables of both.
    app = own(made.hosts["app-01"])
    assert (app["x"], app["workload_security_id"]) == (2, same) and not {"ansible_host", "ansible_user"} & app.keys()
    assert {"prod", "policy_Base_Policy", "all_mine"} <= {group.name for group in made.hosts["app-01"].groups}
    assert set(made.hosts) == {
        "db-prod",
        "db-02",
        "app-01",
        "other",
        *(f"computer_{n}" for n in (evil, twins[0])),
        f"computer_{evil}_",
    }
    assert own(made.hosts["other"])["ansible_user"] == "root"
    assert any("2 computers go by computer_ and their ID" in one and "'db-prod', 'DB-02.'" in one for one in warned)
    assert any("1 hosts keep the connection variables from other" in one and "'app-01'" in one for one in warned)


def test_the_manager_s_own_machine(lab):
    """Its agent is known by an address that leads to the machine that Ansible runs on."""
    mutation = {"kind": "mutate", "pointer": "/computers/0/lastIPUsed", "to": {"value": "127.0.0.1"}}
    lab.add_fault(path="/computers/search", action=mutation)
    host = min(build(lab).hosts.values(), key=lambda one: one.id)
    assert host.variables["workload_security_last_ip"] == ""
