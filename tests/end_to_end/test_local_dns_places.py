# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""local_dns in hosts files, Unbound and dnsmasq: run over SSH, read with dig and with the hosts' own resolver."""

from __future__ import annotations

import contextlib
import functools
import itertools
import typing as t
from pathlib import Path

import pytest
from tests.end_to_end.play import Played, play
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.nameserver import Dnsmasq, NameServer, Unbound

MODULE = "workload_security.agent.local_dns"
NAME = "dsm.lab.test"
RELAY = "relay.lab.test"
HOSTS = "/etc/hosts"

OURS = {
    "unbound": "/etc/unbound/unbound.conf.d/workload_security_agent.conf",
    "dnsmasq": "/etc/dnsmasq.hosts/workload_security_agent",
}

# What each step wishes, and what is to be found then.
STEPS: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"addresses": ["198.18.0.9"]}, ["198.18.0.9"]),
    ({"addresses": ["2001:db8::9", "198.18.0.8"]}, ["198.18.0.8", "2001:db8::9"]),
    ({"state": "absent"}, []),
]


@pytest.fixture(name="host")
def host_fixture(hosts: LabHosts) -> t.Iterator[Host]:
    """A host whose hosts file and resolvers are as before when the test is over."""
    host = hosts.hosts["host02"]
    before = {path: host.read(path) for path in (HOSTS, "/etc/resolv.conf")}
    yield host
    for path, text in before.items():
        host.run(["rm", "-f", path])
        host.write(path, text)


@pytest.fixture(scope="module", name="servers")
def servers_fixture(hosts: LabHosts) -> t.Iterator[t.Callable[[str], NameServer]]:
    """The site's resolvers by what they are: unbound, or dnsmasq by its directive; each is started when asked for.

    They forward to somebody else's name server, which knows names of the zone, too.
    """
    with contextlib.ExitStack() as stack:
        upstream = hosts.add("dns-upstream")
        names = {"web": "198.18.0.80", "known": "198.18.0.7"}
        upstream.write(
            "/etc/dnsmasq.d/names.conf",
            "".join(f"host-record={name}.lab.test,{address}\n" for name, address in names.items()),
        )
        stack.enter_context(Dnsmasq(upstream))
        zones = {"lab.test": upstream.address}

        @functools.cache
        def server(kind: str) -> NameServer:
            host = hosts.add(f"dns-{kind}")
            return stack.enter_context(
                Unbound(host, zones) if kind == "unbound" else Dnsmasq(host, zones, directive=kind)
            )

        yield server


@pytest.fixture(name="server", params=["unbound", "addn-hosts"])
def server_fixture(request: pytest.FixtureRequest, servers: t.Callable[[str], NameServer]) -> NameServer:
    """Each of the two name servers."""
    return servers(request.param)


@pytest.fixture(name="unbound")
def unbound_fixture(servers: t.Callable[[str], NameServer]) -> NameServer:
    return servers("unbound")


@pytest.fixture(name="dnsmasq")
def dnsmasq_fixture(servers: t.Callable[[str], NameServer]) -> NameServer:
    return servers("addn-hosts")


def task(place: str, check_mode: bool = False, /, *, options: dict | None = None, **wished: t.Any) -> dict[str, t.Any]:
    """The module as a task, for NAME unless told otherwise."""
    return {MODULE: {"hostnames": [NAME], **wished, place: options or {}}, "check_mode": check_mode, "diff": True}


def resolved(host: Host, name: str = NAME) -> list[str]:
    """The addresses that the host's own resolver finds, which is what an agent connects to."""
    found = host.run(["getent", "ahosts", name], check=False).stdout.splitlines()
    return sorted({line.split()[0] for line in found})


def twelve_steps(
    hosts: LabHosts, folder: Path, machine: Host, place: str, look: str, seen: t.Callable[[], list[str]]
) -> None:
    """Create, change and remove, each as check, real, check again and real again.

    The command C(look) tells between the first two what check mode has left, C(seen) looks at the end of each step.
    """
    before: list[str] = []
    for wished, after in STEPS:
        looking = {"ansible.builtin.shell": f"{look} | sort -u"}
        modes = [task(place, mode, **wished) for mode in (True, False)]
        check, looked, real, *again = done(play(hosts, folder, modes[0], looking, modes[1], *modes, on=machine))
        assert looked["stdout_lines"] == before
        assert seen() == after
        assert check["changed"] and real["changed"]
        for word in ("before", "records", "diff", "conflicts"):
            assert check[word] == real[word]
        assert sorted(record["value"] for record in real["before"]) == before
        assert sorted(record["value"] for record in real["records"]) == after
        assert [(one["changed"], one["before"]) for one in again] == [(False, real["records"])] * 2
        before = after


def done(played: Played) -> list[dict[str, t.Any]]:
    """The results of tasks, none of which failed."""
    assert played.results and not [one for one in played.results if one.get("failed")], played.output
    return played.results


def failure(played: Played) -> dict[str, t.Any]:
    """What the only task failed with."""
    (result,) = played.results
    assert result["failed"], played.output
    assert result["msg"] == result["failure"]["message"]
    return result["failure"]


# -- hosts files


def test_hosts_file_in_twelve_steps(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    before = host.read(HOSTS)
    look = f"getent ahosts {NAME} | cut -d' ' -f1"
    twelve_steps(hosts, tmp_path, host, "hosts_file", look, lambda: resolved(host))
    assert host.read(HOSTS) == before


def test_hosts_file_for_all_names_of_a_region(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    before = host.read(HOSTS)
    wished = {"hostnames": [], "region": "de-1"}
    names = [f"{name}.de-1.cloudone.trendmicro.com" for name in ("workload", "agents-010.workload", "gateway.workload")]
    present, looked, _absent = done(
        play(
            hosts,
            tmp_path,
            task("hosts_file", addresses=["198.18.0.9"], **wished),
            {"ansible.builtin.command": "getent ahosts " + " ".join(names)},
            task("hosts_file", state="absent", **wished),
            on=host,
        )
    )
    assert len(present["records"]) == 18
    assert {line.split()[0] for line in looked["stdout_lines"]} == {"198.18.0.9"}
    assert {line.split()[2] for line in looked["stdout_lines"] if len(line.split()) > 2} == set(names)
    assert host.read(HOSTS) == before


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1 localhost\n198.18.0.80 web.lab.test",
        "127.0.0.1 localhost\r\n198.18.0.80 web.lab.test\r\n",
        "198.18.0.80 web.lab.test # caf\u00e9\n\n",
    ],
    ids=["no last newline", "CRLF", "not ASCII"],
)
def test_hosts_files_of_all_kinds_are_read_by_the_resolver(
    hosts: LabHosts, host: Host, tmp_path: Path, text: str
) -> None:
    host.write(HOSTS, text)
    checksum = {"ansible.builtin.command": f"sha256sum {HOSTS}"}
    before, _present, looked, _absent, after = done(
        play(
            hosts,
            tmp_path,
            checksum,
            task("hosts_file", addresses=["198.18.0.9", "2001:db8::9"]),
            {"ansible.builtin.command": f"getent ahosts {NAME} web.lab.test"},
            task("hosts_file", state="absent"),
            checksum,
            on=host,
        )
    )
    found = {line.split()[0] for line in looked["stdout_lines"]}
    assert found == {"198.18.0.9", "2001:db8::9", "198.18.0.80"}
    assert before["stdout"] == after["stdout"]


def test_a_conflicting_line_is_reported_and_replaced_on_request(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    old = "127.0.0.1 localhost\n198.18.0.7 old.lab.test DSM.lab.test # the old manager\n"
    host.write(HOSTS, old)
    played = play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"]), on=host)
    (reported,) = done(played)
    assert [(one["line"], one["value"], one["replaced"]) for one in reported["conflicts"]] == [(2, "198.18.0.7", False)]
    assert "says 198.18.0.7 for dsm.lab.test" in played.output
    assert host.read(HOSTS).endswith(old)
    # What the warning is about: the resolver finds the new address first, and the old one, too.
    assert host.run(["getent", "ahosts", NAME]).stdout.split()[0] == "198.18.0.9"
    assert resolved(host) == ["198.18.0.7", "198.18.0.9"]
    replacing = {"options": {"replace_conflicts": True}, "addresses": ["198.18.0.9"]}
    replaced, again = done(play(hosts, tmp_path, *[task("hosts_file", **replacing)] * 2, on=host))
    assert [one["replaced"] for one in replaced["conflicts"]] == [True]
    assert not again["changed"] and again["conflicts"] == []
    assert resolved(host) == ["198.18.0.9"]
    assert resolved(host, "old.lab.test") == ["198.18.0.7"]
    assert host.read(HOSTS).endswith("127.0.0.1 localhost\n198.18.0.7 old.lab.test # the old manager\n")


def test_owner_mode_attributes_and_link_stay(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    host.write("/etc/real/hosts", "127.0.0.1 localhost\n", 0o640)
    host.run(["chown", "daemon:bin", "/etc/real/hosts"])
    host.run(["ln", "-sf", "real/hosts", HOSTS])
    attribute = "import os; os.setxattr('/etc/real/hosts', 'trusted.label', b'site')"
    host.run(["python3", "-c", attribute])
    done(play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"]), on=host))
    assert resolved(host) == ["198.18.0.9"]
    assert host.run(["readlink", HOSTS]).stdout == "real/hosts\n"
    assert host.run(["stat", "-c", "%U:%G %a", "/etc/real/hosts"]).stdout == "daemon:bin 640\n"
    read = "import os; print(os.getxattr('/etc/real/hosts', 'trusted.label'))"
    assert host.run(["python3", "-c", read]).stdout == "b'site'\n"
    assert host.run(["ls", "-A", "/etc/real"]).stdout == "hosts\n"


def test_a_full_disk_leaves_the_file_as_it_was(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    host.mount_tmpfs("/srv/small", "32k")
    host.run(
        "(cat /etc/hosts; seq -f '198.18.1.1 ad%g.lab.test' 400) > /srv/small/hosts; cat /dev/zero > /srv/small/rest",
        check=False,
    )
    before = host.read("/srv/small/hosts")
    at = {"options": {"path": "/srv/small/hosts"}}
    full = failure(play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"], **at), on=host))
    assert full["code"] == "unwritable"
    assert "/srv/small/hosts: No space left on device (the disk is full)" in full["message"]
    assert host.read("/srv/small/hosts") == before
    assert host.run(["ls", "-A", "/srv/small"]).stdout.split() == ["hosts", "rest"]
    host.run(["rm", "/srv/small/rest"])
    done(play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"], **at), on=host))
    assert host.read("/srv/small/hosts").endswith(before)


@pytest.mark.parametrize(
    ("hinder", "words"),
    [
        ("mount -o ro,bind /etc /etc", "the file system is mounted read only"),
        ("cp /etc/hosts /run/hosts; mount --bind /run/hosts /etc/hosts", "it is a mount of its own, as in containers"),
    ],
    ids=["read only", "bind mount"],
)
def test_what_cannot_be_replaced_is_told_why(
    hosts: LabHosts, host: Host, tmp_path: Path, hinder: str, words: str
) -> None:
    before = host.read(HOSTS)
    host.run(hinder)
    try:
        told = failure(play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"]), on=host))
    finally:
        host.run("umount /etc/hosts 2>/dev/null || umount /etc")
    assert told["code"] == "unwritable"
    assert words in told["message"]
    assert host.read(HOSTS) == before
    assert ".hosts." not in host.run(["ls", "-A", "/etc"]).stdout


def test_without_permission_nothing_is_written(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    before = host.read(HOSTS)
    daemon = {"become": True, "become_user": "daemon", "become_method": "su", "become_flags": "-s /bin/sh"}
    mine = {**task("hosts_file", addresses=["198.18.0.9"]), **daemon}
    told = failure(play(hosts, tmp_path, mine, on=host))
    assert told["code"] == "unwritable"
    assert "Permission denied (this user may not; use become)" in told["message"]
    assert host.read(HOSTS) == before


# -- name servers

DIG = f"dig @127.0.0.1 +short {NAME} A {NAME} AAAA"


def served(server: NameServer, name: str = NAME) -> list[str]:
    """What dig gets from the server."""
    return sorted(server.answer(name, "A") + server.answer(name, "AAAA"))


def both(server: NameServer, reader: Host) -> list[str]:
    """What dig gets from the server, which must be what a host's own resolver finds."""
    found = served(server)
    assert resolved(reader) == found
    return found


def process(server: NameServer) -> str:
    """The server's process and when it was started: a reload keeps it."""
    return server.host.run(["pgrep", "-x", server.program]).stdout


@pytest.mark.parametrize("kind", ["unbound", "addn-hosts", "hostsdir"])
def test_name_servers_in_twelve_steps(
    hosts: LabHosts, servers: t.Callable[[str], NameServer], host: Host, tmp_path: Path, kind: str
) -> None:
    server = servers(kind)
    host.use_resolvers(server.address)
    before = process(server)
    twelve_steps(hosts, tmp_path, server.host, server.program, DIG, lambda: both(server, host))
    assert process(server) == before
    assert resolved(host, "web.lab.test") == ["198.18.0.80"], "other names of the zone are looked up as before"


def test_names_share_the_file_and_do_not_touch_each_other(hosts: LabHosts, server: NameServer, tmp_path: Path) -> None:
    place = server.program
    tasks = [
        task(place, addresses=["198.18.0.9"]),
        task(place, hostnames=[RELAY], addresses=["198.18.0.5", "2001:db8::5"]),
        task(place, addresses=["198.18.0.8"]),
    ]
    done(play(hosts, tmp_path, *tasks, on=server.host))
    for _before_and_after_a_restart in range(2):
        assert (served(server), served(server, RELAY)) == (["198.18.0.8"], ["198.18.0.5", "2001:db8::5"])
        server.restart()
    done(play(hosts, tmp_path, task(place, state="absent"), on=server.host))
    assert (served(server), served(server, RELAY)) == ([], ["198.18.0.5", "2001:db8::5"])
    done(play(hosts, tmp_path, task(place, state="absent", hostnames=[RELAY]), on=server.host))
    assert served(server, RELAY) == []


def test_ttl_of_unbound(hosts: LabHosts, unbound: NameServer, tmp_path: Path) -> None:
    looking = {"ansible.builtin.command": f"dig @127.0.0.1 +noall +answer {NAME}"}
    wished = [{}, {"ttl": 60}, {"ttl": 60}, {}]
    tasks = [[task("unbound", addresses=["198.18.0.9"], **ttl), looking] for ttl in wished]
    last = task("unbound", state="absent")
    *results, _absent = done(play(hosts, tmp_path, *itertools.chain(*tasks), last, on=unbound.host))
    assert [looked["stdout"].split()[1] for looked in results[1::2]] == ["3600", "60", "60", "60"]
    assert [real["changed"] for real in results[::2]] == [True, True, False, False]


def test_aliases_are_refused_where_they_would_not_be_followed(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    told = failure(play(hosts, tmp_path, task("unbound", cname="web.lab.test"), on=unbound.host))
    assert (told["code"], told["option"]) == ("bad_option", "cname")


def test_unbound_without_remote_control_is_told_by_a_signal(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    site = "/etc/unbound/unbound.conf.d/zz-site.conf"
    unbound.host.write(site, "remote-control:\n  control-enable: no\n")
    try:
        unbound.restart()
        before = process(unbound)
        done(play(hosts, tmp_path, task("unbound", addresses=["198.18.0.9"]), on=unbound.host))
        assert served(unbound) == ["198.18.0.9"]
        done(play(hosts, tmp_path, task("unbound", state="absent"), on=unbound.host))
        assert served(unbound) == []
        assert process(unbound) == before
    finally:
        unbound.host.run(["rm", site])
        unbound.restart()


def test_unbound_with_a_broken_configuration_is_left_running(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    done(play(hosts, tmp_path, task("unbound", addresses=["198.18.0.9"]), on=unbound.host))
    before = unbound.host.read(OURS["unbound"])
    broken = "/etc/unbound/unbound.conf.d/broken.conf"
    unbound.host.write(broken, "server:\n  no-such-option: yes\n")
    try:
        told = failure(play(hosts, tmp_path, task("unbound", addresses=["198.18.0.8"]), on=unbound.host))
    finally:
        unbound.host.run(["rm", broken])
    assert told["code"] == "refused"
    assert f"{broken}:2" in told["message"]
    assert unbound.host.read(OURS["unbound"]) == before
    assert served(unbound) == ["198.18.0.9"]
    done(play(hosts, tmp_path, task("unbound", state="absent"), on=unbound.host))


def test_unbound_that_knows_more_of_the_name_gets_its_old_file_back(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    done(play(hosts, tmp_path, task("unbound", hostnames=[RELAY], addresses=["198.18.0.5"]), on=unbound.host))
    before = unbound.host.read(OURS["unbound"])
    colleague = "/etc/unbound/unbound.conf.d/colleague.conf"
    unbound.host.write(colleague, f'server:\n  local-data: "{NAME}. A 198.18.0.7"\n')
    try:
        told = failure(play(hosts, tmp_path, task("unbound", addresses=["198.18.0.9"]), on=unbound.host))
        assert told["code"] == "other_answer"
        assert "198.18.0.7" in told["message"] and f"{OURS['unbound']} is as it was before" in told["message"]
        assert unbound.host.read(OURS["unbound"]) == before
        assert (served(unbound), served(unbound, RELAY)) == (["198.18.0.7"], ["198.18.0.5"])
    finally:
        unbound.host.run(["rm", colleague])
    done(play(hosts, tmp_path, task("unbound", hostnames=[RELAY], state="absent"), on=unbound.host))


def test_unbound_that_does_not_include_the_file(hosts: LabHosts, unbound: NameServer, tmp_path: Path) -> None:
    at = {"options": {"path": "/etc/unbound/agents.conf"}}
    told = failure(play(hosts, tmp_path, task("unbound", addresses=["198.18.0.9"], **at), on=unbound.host))
    assert (told["code"], told["option"]) == ("not_included", "unbound.path")
    assert unbound.host.run(["ls", "-A", "/etc/unbound"]).stdout.split() == ["unbound.conf", "unbound.conf.d"]


def test_dnsmasq_that_does_not_read_the_file_gets_none(hosts: LabHosts, dnsmasq: NameServer, tmp_path: Path) -> None:
    at = {"options": {"path": "/etc/agents.hosts"}}
    told = failure(play(hosts, tmp_path, task("dnsmasq", addresses=["198.18.0.9"], **at), on=dnsmasq.host))
    assert told["code"] == "other_answer"
    assert "does not read /etc/agents.hosts unless its configuration has addn-hosts=" in told["message"]
    assert dnsmasq.host.run(["test", "-e", "/etc/agents.hosts"], check=False).returncode == 1


def test_dnsmasq_that_forwards_to_who_knows_the_name_warns(
    hosts: LabHosts, dnsmasq: NameServer, tmp_path: Path
) -> None:
    wished = {"hostnames": ["known.lab.test"]}
    tasks = [task("dnsmasq", addresses=["198.18.0.7"], **wished), task("dnsmasq", state="absent", **wished)]
    played = play(hosts, tmp_path, *tasks, on=dnsmasq.host)
    done(played)
    assert "dnsmasq still answers 'known.lab.test A 198.18.0.7', which it has from elsewhere" in played.output
    assert dnsmasq.host.read(OURS["dnsmasq"]).count("\n") == 1


def test_a_server_that_does_not_run_is_an_error_and_nothing_is_written(
    hosts: LabHosts, server: NameServer, tmp_path: Path
) -> None:
    place = server.program
    server.stop()
    try:
        played = play(
            hosts, tmp_path, *(task(place, mode, addresses=["198.18.0.9"]) for mode in (True, False)), on=server.host
        )
    finally:
        server.start()
    for told in played.results:
        assert (told["failure"]["code"], told["failure"]["option"]) == ("no_server", f"{place}.address")
        assert "start it" in told["msg"]
    assert served(server) == []


def test_a_run_that_was_cut_short_is_finished_by_the_next(hosts: LabHosts, server: NameServer, tmp_path: Path) -> None:
    place, ours = server.program, OURS[server.program]
    done(play(hosts, tmp_path, task(place, addresses=["198.18.0.9"]), on=server.host))
    text = server.host.read(ours)
    done(play(hosts, tmp_path, task(place, state="absent"), on=server.host))
    server.host.write(ours, text)
    assert served(server) == []
    first, second = done(play(hosts, tmp_path, *[task(place, addresses=["198.18.0.9"])] * 2, on=server.host))
    assert served(server) == ["198.18.0.9"]
    assert (first["changed"], second["changed"]) == (True, False)
    done(play(hosts, tmp_path, task(place, state="absent"), on=server.host))
    assert served(server) == []
