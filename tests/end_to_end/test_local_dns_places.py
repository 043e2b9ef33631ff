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

from ansible_collections.workload_security.agent.plugins.module_utils._dns.unbound_configuration import (
    configuration_with,
)
from tests.end_to_end.play import Played, play
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.nameserver import Dnsmasq, NameServer, PiHole, Unbound

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


def task(place: str, check_mode: bool = False, /, *, options: dict | None = None, **wanted: t.Any) -> dict[str, t.Any]:
    """The module as a task, for NAME unless told otherwise."""
    return {MODULE: {"hostnames": [NAME], **wanted, place: options or {}}, "check_mode": check_mode, "diff": True}


RESOLVED = f"getent ahosts {NAME} | cut -d' ' -f1"


def resolved(host: Host, name: str = NAME) -> list[str]:
    """The addresses that the host's own resolver finds, which is what an agent connects to."""
    found = host.run(["getent", "ahosts", name], check=False).stdout.splitlines()
    return sorted({line.split()[0] for line in found})


def shell(script: str) -> dict[str, t.Any]:
    """A command of the machine as a task, between those of the module: without its Python, which takes far longer."""
    return {"ansible.builtin.raw": script}


def twelve_steps(hosts: LabHosts, folder: Path, machine: Host, place: str, look: str) -> None:
    """Create, change and remove, each as check, real, check again and real again.

    The command C(look) tells the name's addresses; none of check mode and the second time may change them.
    """
    looking = shell(f"{look} | sort -u")
    steps = [
        [
            task(place, True, **wanted),
            looking,
            task(place, **wanted),
            looking,
            task(place, True, **wanted),
            task(place, **wanted),
        ]
        for wanted, _after in STEPS
    ]
    results = iter(done(play(hosts, folder, *itertools.chain(*steps), looking, on=machine)))
    before: list[str] = []
    for _wished, after in STEPS:
        check, looked, real, seen, *again = itertools.islice(results, 6)
        assert looked["stdout_lines"] == before
        assert seen["stdout_lines"] == after
        assert check["changed"] and real["changed"]
        for word in ("before", "records", "diff", "conflicts"):
            assert check[word] == real[word]
        assert sorted(record["value"] for record in real["before"]) == before
        assert sorted(record["value"] for record in real["records"]) == after
        assert [(one["changed"], one["before"]) for one in again] == [(False, real["records"])] * 2
        before = after
    assert next(results)["stdout_lines"] == before


def done(played: Played) -> list[dict[str, t.Any]]:
    """The results of tasks, none of which failed."""
    assert played.results and not [one for one in played.results if one.get("failed")], played.output
    return played.results


def failures(played: Played) -> list[dict[str, t.Any]]:
    """What those tasks failed with that did."""
    failed = [result for result in played.results if result.get("failed")]
    assert all(result["msg"] == result["failure"]["message"] for result in failed), played.output
    return [result["failure"] for result in failed]


# -- hosts files


@pytest.mark.both_cores
def test_hosts_file_in_twelve_steps(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    before = host.read(HOSTS)
    twelve_steps(hosts, tmp_path, host, "hosts_file", RESOLVED)
    assert host.read(HOSTS) == before


def test_hosts_file_for_all_names_of_a_region(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    before = host.read(HOSTS)
    wanted = {"hostnames": [], "region": "de-1"}
    names = [f"{name}.de-1.cloudone.trendmicro.com" for name in ("workload", "agents-010.workload", "gateway.workload")]
    present, looked, _absent = done(
        play(
            hosts,
            tmp_path,
            task("hosts_file", addresses=["198.18.0.9"], **wanted),
            {"ansible.builtin.command": "getent ahosts " + " ".join(names)},
            task("hosts_file", state="absent", **wanted),
            on=host,
        )
    )
    assert len(present["records"]) == 18
    assert {line.split()[0] for line in looked["stdout_lines"]} == {"198.18.0.9"}
    assert {line.split()[2] for line in looked["stdout_lines"] if len(line.split()) > 2} == set(names)
    assert host.read(HOSTS) == before


def test_hosts_files_of_all_kinds_are_read_by_the_resolver(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    kinds = {
        "no last newline": "127.0.0.1 localhost\n198.18.0.80 web.lab.test",
        "CRLF": "127.0.0.1 localhost\r\n198.18.0.80 web.lab.test\r\n",
        "not ASCII": "198.18.0.80 web.lab.test # caf\u00e9\n\n",
    }
    for number, text in enumerate(kinds.values()):
        host.write(f"/etc/kind{number}", text)
    steps = [
        [
            shell(f"cat /etc/kind{number} > {HOSTS}"),
            task("hosts_file", addresses=["198.18.0.9", "2001:db8::9"]),
            shell(f"getent ahosts {NAME} web.lab.test"),
            task("hosts_file", state="absent"),
            shell(f"cmp /etc/kind{number} {HOSTS}"),
        ]
        for number in range(len(kinds))
    ]
    results = done(play(hosts, tmp_path, *itertools.chain(*steps), on=host))
    host.run("rm /etc/kind?")
    for kind, looked in zip(kinds, results[2::5], strict=True):
        found = {line.split()[0] for line in looked["stdout_lines"]}
        assert found == {"198.18.0.9", "2001:db8::9", "198.18.0.80"}, kind


def test_a_conflicting_line_is_reported_and_replaced_on_request(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    old = "127.0.0.1 localhost\n198.18.0.7 old.lab.test DSM.lab.test # the old manager\n"
    host.write(HOSTS, old)
    looking = shell(f"{RESOLVED}; cat {HOSTS}")
    replacing = task("hosts_file", options={"replace_conflicts": True}, addresses=["198.18.0.9"])
    played = play(hosts, tmp_path, task("hosts_file", addresses=["198.18.0.9"]), looking, replacing, replacing, on=host)
    reported, looked, replaced, again = done(played)
    assert [(one["line"], one["value"], one["replaced"]) for one in reported["conflicts"]] == [(2, "198.18.0.7", False)]
    assert "says 198.18.0.7 for dsm.lab.test" in played.output
    assert looked["stdout"].endswith(old)
    # What the warning is about: the resolver finds the new address first, and the old one, too.
    found = looked["stdout"].partition("#")[0].splitlines()
    assert found[0] == "198.18.0.9" and set(found) == {"198.18.0.7", "198.18.0.9"}
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
    writing = task("hosts_file", options={"path": "/srv/small/hosts"}, addresses=["198.18.0.9"])
    looking = shell("cat /srv/small/hosts")
    listing = shell("ls -A /srv/small; rm /srv/small/rest")
    played = play(hosts, tmp_path, writing, looking, listing, writing, on=host)
    (full,) = failures(played)
    assert full["code"] == "unwritable"
    assert "/srv/small/hosts: No space left on device (the disk is full)" in full["message"]
    _full, looked, listed, real = played.results
    assert looked["stdout"] == before
    assert listed["stdout_lines"] == ["hosts", "rest"]
    assert real["changed"] and host.read("/srv/small/hosts").endswith(before)


def test_what_cannot_be_replaced_is_told_why(hosts: LabHosts, host: Host, tmp_path: Path) -> None:
    """A mount, as F(/etc/hosts) is in containers, is written in place if that is asked for: so it stays the mount."""
    before = host.read(HOSTS)
    writing = task("hosts_file", addresses=["198.18.0.9"])
    in_place = [
        task("hosts_file", options={"unsafe_writes": True}, **wanted)
        for wanted in ({"addresses": ["198.18.0.9"]}, {"state": "absent"})
    ]
    looking = shell(
        f"{RESOLVED} | sort -u; cmp {HOSTS} /run/hosts && mountpoint -q {HOSTS} && ls -A /etc | grep -c '[.]hosts[.]'; true"
    )
    daemon = {"become": True, "become_user": "daemon", "become_method": "su", "become_flags": "-s /bin/sh"}
    played = play(
        hosts,
        tmp_path,
        shell("mount -o ro,bind /etc /etc"),
        writing,
        shell("umount /etc && cp /etc/hosts /run/hosts && mount --bind /run/hosts /etc/hosts"),
        writing,
        task("hosts_file", True, addresses=["198.18.0.9"]),
        *(step for one in in_place for step in (one, looking, one)),
        shell("mount -o remount,bind,ro /etc/hosts"),
        in_place[0],
        task("hosts_file", True, options={"unsafe_writes": True}, addresses=["198.18.0.9"]),
        shell("umount /etc/hosts"),
        {**writing, **daemon},
        on=host,
    )
    told = failures(played)
    assert [one["code"] for one in told] == ["unwritable"] * 6
    for one, words in zip(
        told,
        (
            "the file system is mounted read only",
            *["it is a mount of its own, as in containers; with hosts_file.unsafe_writes: true, it is written in place"]
            * 2,
            *["the file system is mounted read only"] * 2,
            "Permission denied (this user may not; use become)",
        ),
        strict=True,
    ):
        assert words in one["message"]
    present, found, again, absent, gone, again_absent = played.results[5:11]
    assert (found["stdout_lines"], gone["stdout_lines"]) == (["198.18.0.9", "0"], ["0"])
    assert (present["changed"], again["changed"]) == (absent["changed"], again_absent["changed"]) == (True, False)
    assert "/etc/hosts is a mount of its own, as in containers, which may get a new one at each start" in played.output
    assert host.read(HOSTS) == before
    assert ".hosts." not in host.run(["ls", "-A", "/etc"]).stdout


# -- name servers

DIG = f"dig @127.0.0.1 +short {NAME} A {NAME} AAAA"
# What dig gets, which must be what the machine's own resolver finds.
BOTH = f"{DIG} | sort > /tmp/dig; {RESOLVED} | sort -u | diff - /tmp/dig >&2 && cat /tmp/dig"


def served(server: NameServer, name: str = NAME) -> list[str]:
    """What dig gets from the server."""
    return sorted(server.answer(name, "A") + server.answer(name, "AAAA"))


def process(server: NameServer) -> str:
    """The server's process and when it was started: a reload keeps it."""
    return server.host.run(["pgrep", "-x", server.program]).stdout


@pytest.mark.parametrize("kind", ["unbound", "addn-hosts", "hostsdir"])
def test_name_servers_in_twelve_steps(
    hosts: LabHosts, servers: t.Callable[[str], NameServer], host: Host, tmp_path: Path, kind: str
) -> None:
    server = servers(kind)
    server.host.use_resolvers("127.0.0.1")
    host.use_resolvers(server.address)
    before = process(server)
    twelve_steps(hosts, tmp_path, server.host, server.program, f"({BOTH})")
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
    for after in (lambda: None, server.restart):
        after()
        assert (served(server), served(server, RELAY)) == (["198.18.0.8"], ["198.18.0.5", "2001:db8::5"])
    tasks = [task(place, state="absent"), shell(DIG.replace(NAME, RELAY)), shell(DIG)]
    _one, relay, name, _other = done(
        play(hosts, tmp_path, *tasks, task(place, state="absent", hostnames=[RELAY]), on=server.host)
    )
    assert (name["stdout_lines"], relay["stdout_lines"]) == ([], ["198.18.0.5", "2001:db8::5"])
    assert served(server, RELAY) == []


def test_a_file_that_the_server_may_not_read_does_not_end_what_it_answers(
    hosts: LabHosts, server: NameServer, tmp_path: Path
) -> None:
    """The server runs as another user. Unbound would end, and dnsmasq would forget the records."""
    place, path = server.program, OURS[server.program]
    before = process(server)
    attempts = [
        task(place, check, **wanted)
        for wanted in ({"addresses": ["198.18.0.8"]}, {"state": "absent"})
        for check in (True, False)
    ]
    tasks = [
        task(place, addresses=["198.18.0.9"]),
        shell(f"chmod 600 {path}"),
        *attempts,
        shell(f"{DIG}; chmod 644 {path}"),
    ]
    played = play(hosts, tmp_path, *tasks, task(place, state="absent"), on=server.host)
    told = failures(played)
    assert [(one["code"], one["option"]) for one in told] == [("unreadable", f"{place}.path")] * 4
    assert all(path in one["message"] for one in told)
    assert played.results[-2]["stdout_lines"] == ["198.18.0.9"] and played.results[-1]["changed"]
    assert process(server) == before and served(server) == []


def test_a_user_who_may_write_the_file_alone_is_told_in_check_mode_too(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    daemon = {"become": True, "become_user": "daemon", "become_method": "su", "become_flags": "-s /bin/sh"}
    path = OURS["unbound"]
    folder = str(Path(path).parent)
    tasks = [
        task("unbound", addresses=["198.18.0.9"]),
        shell(f"chown daemon:daemon {folder} {path}"),
        *({**task("unbound", check, addresses=["198.18.0.8"]), **daemon} for check in (True, False)),
        shell(f"chown root:root {folder} {path}; {DIG}"),
        task("unbound", state="absent"),
    ]
    played = play(hosts, tmp_path, *tasks, on=unbound.host)
    checked, real = failures(played)
    assert checked == real and real["code"] == "unwritable"
    assert "cannot write next to /etc/unbound/unbound.conf: Permission denied" in real["message"]
    assert played.results[-2]["stdout_lines"] == ["198.18.0.9"] and played.results[-1]["changed"]


@pytest.mark.parametrize(
    "path", ["/etc/unbound/unbound.conf", "/etc/unbound/unbound.conf.d/site.conf", "/etc/unbound/unbound.conf.d"]
)
def test_unbound_that_may_not_read_its_own_configuration_is_left_running(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path, path: str
) -> None:
    before = process(unbound)
    tasks = [
        task("unbound", addresses=["198.18.0.9"]),
        shell(f"stat -c %a {path}; chmod go-rwx {path}"),
        *(task("unbound", check, addresses=["198.18.0.8"]) for check in (True, False)),
        shell(f"{DIG}; chmod a+rX {path}"),
        task("unbound", state="absent"),
    ]
    played = play(hosts, tmp_path, *tasks, on=unbound.host)
    assert [one["code"] for one in failures(played)] == ["unreadable"] * 2
    assert all(f"may not read {path}: allow that" in one["message"] for one in failures(played))
    assert played.results[-2]["stdout_lines"] == ["198.18.0.9"] and played.results[-1]["changed"]
    assert process(unbound) == before


def test_ttl_of_unbound(hosts: LabHosts, unbound: NameServer, tmp_path: Path) -> None:
    looking = {"ansible.builtin.command": f"dig @127.0.0.1 +noall +answer {NAME}"}
    wanted = [{}, {"ttl": 60}, {"ttl": 60}, {}]
    tasks = [[task("unbound", addresses=["198.18.0.9"], **ttl), looking] for ttl in wanted]
    last = task("unbound", state="absent")
    *results, _absent = done(play(hosts, tmp_path, *itertools.chain(*tasks), last, on=unbound.host))
    assert [looked["stdout"].split()[1] for looked in results[1::2]] == ["3600", "60", "60", "60"]
    assert [real["changed"] for real in results[::2]] == [True, True, False, False]
    assert not [real["warnings"] for real in results[::2] if real.get("warnings")]


def test_unbound_without_remote_control_is_told_by_a_signal(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    """Its process is the one that listens, as it has no PID file; and its file is where a site may have it."""
    site = "/etc/unbound/unbound.conf.d/zz-site.conf"
    include = 'server:\n  directory: "/etc/unbound"\ninclude-toplevel: "of the site/{none,our[a-z]}*.conf"\n'
    unbound.host.write(site, f"remote-control:\n  control-enable: no\n{include}")
    unbound.host.run(["mkdir", "/etc/unbound/of the site"])
    at = {"options": {"path": "/etc/unbound/of the site/ours.conf"}}
    try:
        unbound.restart()
        before = process(unbound)
        wanted = ({"addresses": ["198.18.0.9"]}, {"state": "absent"})
        tasks = [step for one in wanted for step in (task("unbound", **at, **one), shell(DIG))]
        _present, there, _absent, gone = done(play(hosts, tmp_path, *tasks, on=unbound.host))
        assert (there["stdout"], gone["stdout"]) == ("198.18.0.9\n", "")
        assert process(unbound) == before
    finally:
        unbound.host.run(["rm", "-r", site, "/etc/unbound/of the site"])
        unbound.restart()


def test_unbound_with_a_broken_configuration_is_left_running(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    broken = "/etc/unbound/unbound.conf.d/broken.conf"
    tasks = [
        task("unbound", addresses=["198.18.0.9"]),
        shell(f"printf 'server:\\n  no-such-option: yes\\n' > {broken}; cat {OURS['unbound']}"),
        task("unbound", addresses=["198.18.0.8"]),
        shell(f"rm {broken}; {DIG}; cat {OURS['unbound']}"),
        task("unbound", state="absent"),
    ]
    played = play(hosts, tmp_path, *tasks, on=unbound.host)
    (told,) = failures(played)
    assert told["code"] == "refused"
    assert f"{broken}:2" in told["message"]
    _real, before, _refused, after, absent = played.results
    assert after["stdout"] == f"198.18.0.9\n{before['stdout']}"
    assert absent["changed"]


def test_unbound_that_knows_more_of_the_name_gets_its_old_file_back(
    hosts: LabHosts, unbound: NameServer, tmp_path: Path
) -> None:
    colleague = "/etc/unbound/unbound.conf.d/colleague.conf"
    more = f'server:\n  local-data: "{NAME}. A 198.18.0.7"\n'
    tasks = [
        task("unbound", hostnames=[RELAY], addresses=["198.18.0.5"]),
        shell(f"printf '{more}' > {colleague}; cat {OURS['unbound']}"),
        task("unbound", addresses=["198.18.0.9"]),
        shell(f"rm {colleague}; {DIG}; dig @127.0.0.1 +short {RELAY}; cat {OURS['unbound']}"),
        task("unbound", hostnames=[RELAY], state="absent"),
    ]
    played = play(hosts, tmp_path, *tasks, on=unbound.host)
    (told,) = failures(played)
    assert told["code"] == "other_answer"
    assert "198.18.0.7" in told["message"] and f"{OURS['unbound']} is as it was before" in told["message"]
    _relay, before, _refused, after, absent = played.results
    assert after["stdout"] == f"198.18.0.7\n198.18.0.5\n{before['stdout']}"
    assert absent["changed"]


def test_what_unbound_would_not_read_or_follow_is_refused(hosts: LabHosts, unbound: NameServer, tmp_path: Path) -> None:
    elsewhere = task("unbound", options={"path": "/etc/unbound/agents.conf"}, addresses=["198.18.0.9"])
    told = failures(play(hosts, tmp_path, elsewhere, task("unbound", cname="web.lab.test"), on=unbound.host))
    assert [(one["code"], one["option"]) for one in told] == [("not_included", "unbound.path"), ("bad_option", "cname")]
    assert unbound.host.run(["ls", "-A", "/etc/unbound"]).stdout.split() == ["unbound.conf", "unbound.conf.d"]


# Main files of Unbound; $ is the folder that they and all others are in.
INCLUDING = [
    'server:\n  directory: "$"\ninclude: "conf.d/*.conf"\n',
    "server: directory: $ include:\n  conf.d/ours.conf\n",
    "server:\n  directory: # where\n '$'\n  directory: conf.d\n  include: ours.conf\n",
    'server:\n  directory: "$/conf.d/deep"\n  directory: "../"\ninclude-toplevel: "./*.conf"\n',
    'include: "$/conf.d/folder.conf"\ninclude: ours.conf\n',
    'server:\n  directory: "$"\ninclude: "{of the site,conf.d}/{a,o{u,v}r}[!t].conf"\n',
    'include: "$/*/{deep,..}/*/ours.*"\n',
    'include: "$/conf.d/{a,ours,z}.conf"\n',
    'include: "$/conf.?/[[:alpha:]]*[^0-9].conf"\n',
    'include: "$/conf.d/\\ours.{conf,}"\n',
    "server:\n  verbosity:1 include:$/conf.d/ours.conf\n",
    'include: "$/of the site/ours.conf"\n',
    'include: "$/{of the site,conf.d}/[ou]*"\n',
]
NOT_INCLUDING = [
    'include: "$/conf.d/*.cnf"\n',
    'include: "$/*.conf.d"\n',
    '# include: "$/conf.d/*.conf"\n',
    'include: "conf.d/ours.conf"\n',
    'include: "conf.d/ours.conf"\nserver:\n  directory: "$"\n',
    'include: "$/{nothing,conf.d}/ours*"\n',
    'include: "$/conf.d/{ours*,nothing/*}"\n',
    "include: $/of the site/ours.conf\n",
    'include: "$/conf.d/{a,z}.conf"\n',
    'server:\n  identity: "include: $/conf.d/ours.conf"\n',
    'include: "$/conf.d/[!o]*.conf"\n',
]


def test_includes_are_found_as_unbound_finds_them(unbound: NameServer, tmp_path: Path) -> None:
    """Its checker reads the same files, of which ours holds a word that it has to complain of."""
    ours = [tmp_path / folder / "ours.conf" for folder in ("conf.d", "of the site")]
    files = {path: "server:\n  canary: 1\n" for path in ours}
    files[tmp_path / "conf.d" / "deep" / "a.conf"] = "server:\n"
    files[tmp_path / "conf.d" / "folder.conf"] = f'server: directory: "{tmp_path}/conf.d"\n'
    mains = [text.replace("$", str(tmp_path)) for text in (*INCLUDING, *NOT_INCLUDING)]
    files.update({tmp_path / f"{number}.main": text for number, text in enumerate(mains)})
    found = []
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        unbound.host.write(str(path), text)
    for number in range(len(mains)):
        wholes = [configuration_with(str(tmp_path / f"{number}.main"), str(path), "") for path in ours]
        found.append(any(whole is not None for whole in wholes))
    checking = (
        f"cd /; for i in $(seq 0 {len(mains) - 1}); do unbound-checkconf {tmp_path}/$i.main 2>&1 | grep -c canary; done"
    )
    complained = [int(line) > 0 for line in unbound.host.run(checking, check=False).stdout.splitlines()]
    wanted = [True] * len(INCLUDING) + [False] * len(NOT_INCLUDING)
    assert [main for main, one, other in zip(mains, found, complained, strict=True) if one != other] == []
    assert found == wanted


def test_dnsmasq_that_does_not_read_the_file_gets_none(hosts: LabHosts, dnsmasq: NameServer, tmp_path: Path) -> None:
    at = {"options": {"path": "/etc/agents.hosts"}}
    (told,) = failures(play(hosts, tmp_path, task("dnsmasq", addresses=["198.18.0.9"], **at), on=dnsmasq.host))
    assert told["code"] == "other_answer"
    assert "does not read /etc/agents.hosts unless its configuration has addn-hosts=" in told["message"]
    assert dnsmasq.host.run(["test", "-e", "/etc/agents.hosts"], check=False).returncode == 1


def test_pihole_is_a_dnsmasq_and_may_answer_by_subnet(hosts: LabHosts, tmp_path: Path) -> None:
    with PiHole(hosts.add("dns-pihole")) as server:
        at = {"path": f"{server.hosts_folder}/workload_security_agent", "address": server.address}
        wanted = {"addresses": ["198.18.0.9", "10.9.9.9"]}
        before = process(server)
        tasks = [
            task("dnsmasq", options=at, **wanted),
            shell(f"dig @{server.address} +short {NAME}; {DIG} | sort"),
            task("dnsmasq", options=at, **wanted),
            task("dnsmasq", options={**at, "path": "/etc/agents.hosts"}, hostnames=[RELAY], **wanted),
            task("dnsmasq", options=at, state="absent"),
            shell(DIG),
        ]
        played = play(hosts, tmp_path, *tasks, on=server.host)
        assert process(server) == before
    assert played.results, played.output
    present, found, again, elsewhere, absent, gone = played.results
    assert found["stdout_lines"] == ["198.18.0.9", "10.9.9.9", "198.18.0.9"]
    assert (present["changed"], again["changed"], absent["changed"], gone["stdout"]) == (True, False, True, "")
    assert elsewhere["failure"]["code"] == "other_answer"
    assert "Pi-hole does not read /etc/agents.hosts unless it is in /etc/pihole/hosts" in elsewhere["msg"]


def test_dnsmasq_that_forwards_to_who_knows_the_name_warns(
    hosts: LabHosts, dnsmasq: NameServer, tmp_path: Path
) -> None:
    wanted = {"hostnames": ["known.lab.test"]}
    tasks = [task("dnsmasq", addresses=["198.18.0.7"], **wanted), task("dnsmasq", state="absent", **wanted)]
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
    """Cut short is a run whose file lies there while the server answers what was before."""
    place, ours = server.program, OURS[server.program]
    present, absent = task(place, addresses=["198.18.0.9"]), task(place, state="absent")
    mark = f"sed -i '1a # Not loaded yet.' {ours}"
    tasks = [
        *(present, shell(f"cp -p {ours} /tmp/present"), absent, shell(f"cp -p {ours} /tmp/absent")),
        *(shell(f"cp -p /tmp/present {ours}; {DIG}"), present, shell(DIG), present),
        *(shell(f"cp -p /tmp/absent {ours}; {mark}; {DIG}"), absent, shell(DIG), absent),
    ]
    results = done(play(hosts, tmp_path, *tasks, on=server.host))
    before, first, after, second = results[4:8]
    assert (before["stdout"], after["stdout"]) == ("", "198.18.0.9\n")
    assert (first["changed"], second["changed"]) == (True, False)
    before, first, after, second = results[8:]
    assert (before["stdout"], after["stdout"]) == ("198.18.0.9\n", "")
    assert (first["changed"], second["changed"]) == (True, False)
