# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic updates of a real primary server, BIND: made by local_dns on the controller, read with dig on a host."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest

from tests.end_to_end.play import Played, play
from tests.lab.hosts.process import Host, LabHosts
from tests.lab.nameserver import Bind, TsigKey

MODULE = "workload_security.agent.local_dns"
NAME = "dsm.lab.test"
READER = TsigKey("reader")
OLD = TsigKey("old", "hmac-md5")

# Reads, waits for a line, writes, and tells how it ended; as often as it gets lines.
WRITER = """\
import json, sys
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from ansible_collections.workload_security.agent.plugins.module_utils._dns.rfc2136 import Rfc2136

options, name, address = json.loads(sys.argv[1])
while True:
    place = Rfc2136(options)
    before = place.read([name])
    print("read", flush=True)
    if not sys.stdin.readline():
        break
    try:
        place.write(before, [Record(name, "A", address, 300)])
    except DnsError as error:
        print(error.code, flush=True)
    else:
        print("written", flush=True)
"""


@pytest.fixture(scope="module", name="primary")
def primary_fixture(hosts: LabHosts) -> t.Iterator[Bind]:
    with Bind(hosts.add("primary"), records='text TXT "kept"', more_keys=[READER, OLD]) as primary:
        yield primary


@pytest.fixture(name="reader")
def reader_fixture(hosts: LabHosts, primary: Bind) -> t.Iterator[Host]:
    """A host that asks the primary server, and nothing else."""
    host = hosts.hosts["host01"]
    before = host.read("/etc/resolv.conf")
    host.use_resolvers(primary.address)
    yield host
    host.write("/etc/resolv.conf", before)


@pytest.fixture(autouse=True, name="clean")
def clean_fixture(primary: Bind) -> None:
    """Each test begins without the name."""
    primary.update(f"update delete {NAME}.")


def rfc2136(primary: Bind, **options: t.Any) -> dict[str, t.Any]:
    """How the module reaches the server; None takes an option away."""
    key = primary.key
    given = {"server": primary.address, "key_name": key.name, "key_secret": key.secret, "timeout": 3, **options}
    return {name: value for name, value in given.items() if value is not None}


def task(place: dict[str, t.Any], *addresses: str, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """The module as a task, for NAME unless told otherwise."""
    wanted = {"hostnames": [NAME], **({"addresses": list(addresses)} if addresses else {}), **options}
    return {MODULE: {**wanted, "rfc2136": place}, "check_mode": check_mode, "diff": True}


KINDS = ("A", "AAAA", "CNAME")


def asking(name: str, *kinds: str) -> list[str]:
    return ["dig", "+noall", "+answer", *(word for kind in kinds for word in (name, kind))]


def answered(lines: list[str], *kinds: str) -> list[str]:
    """The records of what dig has printed: type, TTL, value."""
    words = [line.split() for line in lines]
    # An alias is there in the answers to all questions.
    return sorted({" ".join((kind, ttl, *value)) for _name, ttl, _in, kind, *value in words if kind in kinds})


def dig(host: Host, name: str = NAME, *kinds: str) -> list[str]:
    """The records of a name as a host sees them: type, TTL, value."""
    kinds = kinds or KINDS
    return answered(host.run(asking(name, *kinds)).stdout.splitlines(), *kinds)


def serial(host: Host, zone: str = "lab.test") -> str:
    """The zone's number, which every change raises."""
    return host.run(["dig", "+short", zone, "SOA"]).stdout.split()[2]


@pytest.mark.both_cores
def test_create_change_and_remove_each_as_check_and_real_run_twice(hosts, primary, reader, tmp_path):
    place = rfc2136(primary)
    steps = [
        (dict(addresses=["198.18.0.9", "2001:db8::9"], ttl=300), ["A 300 198.18.0.9", "AAAA 300 2001:db8::9"]),
        (dict(addresses=["198.18.0.8"]), ["A 300 198.18.0.8"]),
        (dict(addresses=["198.18.0.8"], ttl=60), ["A 60 198.18.0.8"]),
        (dict(state="absent"), []),
    ]
    looking = {"ansible.builtin.command": {"argv": asking(NAME, *KINDS, "SOA") + ["lab.test", "SOA"]}}
    tasks = []
    for options, _wished in steps:
        check, real = (
            {**task(place, check_mode=mode, **options), "delegate_to": "localhost"} for mode in (True, False)
        )
        tasks += [check, looking, real, looking, check, real]
    played = play(hosts, tmp_path, looking, *tasks, looking, on=reader)
    assert not [result for result in played.results if result.get("failed")], played.output
    first, *results, last = played.results

    def seen(looked: dict[str, t.Any]) -> tuple[list[str], int]:
        """The name's records, and the zone's number."""
        (soa,) = answered(looked["stdout_lines"], "SOA")
        return answered(looked["stdout_lines"], *KINDS), int(soa.split()[4])

    before, number = seen(first)
    for at, (_options, wanted) in enumerate(steps):
        predicted, after_check, real, after_real, *again = results[6 * at : 6 * at + 6]
        assert seen(after_check) == (before, number), "check mode has written"
        assert [result["changed"] for result in (predicted, real, *again)] == [True, True, False, False]
        assert seen(after_real) == (wanted, number + 1), "one update, once"
        for part in ("before", "records", "diff"):
            assert real[part] == predicted[part]
        assert [f"{record['type']} {record['ttl']} {record['value']}" for record in real["records"]] == wanted
        before, number = seen(after_real)
    assert seen(last) == (before, number), "run again, it has written"


def test_over_tcp_a_host_finds_the_manager_with_its_own_resolver(hosts, primary, reader, tmp_path):
    assert reader.run(["getent", "ahosts", NAME], check=False).returncode != 0
    place = rfc2136(primary, protocol="tcp")
    # Nothing but TCP gets through.
    rules = "table ip lab { chain input { type filter hook input priority 0; udp dport 53 drop; }; }"
    primary.host.run(["nft", rules])
    try:
        played = play(hosts, tmp_path, task(place, "198.18.0.9"), task({**place, "protocol": "udp"}, state="absent"))
    finally:
        primary.host.run(["nft", "delete", "table", "ip", "lab"])
    assert played.results[0]["changed"]
    assert played.results[1]["failure"]["code"] == "no_answer"
    assert "198.18.0.9" in reader.run(["getent", "ahosts", NAME]).stdout


def test_addresses_become_an_alias_and_come_back(hosts, primary, reader, tmp_path):
    place = rfc2136(primary)
    alias = task(place, cname="ns1.lab.test", ttl=120)
    played = play(hosts, tmp_path, task(place, "198.18.0.9", "2001:db8::9"), alias, alias)
    assert [result["changed"] for result in played.results] == [True, True, False]
    assert dig(reader, NAME, "CNAME") == ["CNAME 120 ns1.lab.test."]
    assert primary.host.address in reader.run(["dig", "+short", NAME, "A"]).stdout
    play(hosts, tmp_path, task(place, "198.18.0.9"))
    assert dig(reader) == ["A 3600 198.18.0.9"]


def test_other_records_of_a_name_stay_and_no_alias_is_put_beside_them(hosts, primary, reader, tmp_path):
    place = rfc2136(primary)
    names = ["text.lab.test"]
    played = play(
        hosts,
        tmp_path,
        task(place, "198.18.0.9", hostnames=names),
        task(place, cname="ns1.lab.test", hostnames=names, check_mode=True),
        task(place, cname="ns1.lab.test", hostnames=names),
    )
    assert [result.get("failure", {}).get("code") for result in played.results] == [None] + 2 * ["other_records"]
    assert "text.lab.test" in played.results[2]["msg"] and "TXT" in played.results[2]["msg"]
    assert dig(reader, *names) == ["A 3600 198.18.0.9"]
    play(hosts, tmp_path, task(place, hostnames=names, state="absent"))
    assert dig(reader, *names, "A", "TXT") == ['TXT 3600 "kept"']


def test_all_names_of_a_region_in_one_update_with_the_longest_key(hosts, reader, tmp_path):
    zone = "jp-1.cloudone.trendmicro.com"
    with Bind(hosts.add("region"), zone, TsigKey("ansible-2026.", "hmac-sha512")) as server:
        place = rfc2136(server, key_algorithm="hmac-sha512", zone=zone)
        reader.use_resolvers(server.address)
        number = serial(reader, zone)
        options = {"hostnames": [], "region": "jp-1"}
        played = play(hosts, tmp_path, task(place, "198.18.0.9", **options), task(place, "198.18.0.9", **options))
        assert [result["changed"] for result in played.results] == [True, False]
        names = {record["name"] for record in played.results[0]["records"]}
        assert f"agents-010.workload.{zone}" in names and f"workload.{zone}" in names
        for name in names:
            assert "198.18.0.9" in reader.run(["getent", "ahosts", name]).stdout
        assert int(serial(reader, zone)) == int(number) + 1


def test_a_wildcard_does_not_stand_in_the_way(hosts, primary, reader, tmp_path):
    below = ["wild.lab.test", "*.wild.lab.test"]
    primary.update(*(f"update add {name}. 300 A 198.18.0.99" for name in below))
    names = ["dsm.wild.lab.test"]
    place = rfc2136(primary)
    # What the wildcard answers already is still put there, since the wildcard may go.
    wanted, gone = task(place, "198.18.0.99", hostnames=names, ttl=60), task(place, hostnames=names, state="absent")
    # A name with a wildcard below it, that says the same, has records of its own.
    parent = task(place, "198.18.0.98", hostnames=["wild.lab.test"])
    played = play(hosts, tmp_path, wanted, wanted, parent, parent)
    assert [result["changed"] for result in played.results] == [True, False, True, False]
    assert dig(reader, *names) == ["A 60 198.18.0.99"]
    assert dig(reader, "wild.lab.test") == ["A 300 198.18.0.98"]
    played = play(hosts, tmp_path, gone, gone)
    assert [result["changed"] for result in played.results] == [True, False]
    assert "wildcard" in played.results[1]["warnings"][0]
    assert dig(reader, *names) == ["A 300 198.18.0.99"]


# -- two who write


class Writer:
    """Somebody who reads and writes one name as the module does, told when."""

    def __init__(self, hosts: LabHosts, primary: Bind, address: str) -> None:
        unset = dict.fromkeys(
            [
                "zone",
                "key_algorithm",
                "key_file",
                "authentication",
                "principal",
                "keytab",
                "ticket_cache",
                "server_name",
            ]
        )
        place = {**unset, "port": 53, "allow_hmac_md5": False, "protocol": "udp", **rfc2136(primary)}
        arguments = json.dumps([place, NAME, address])
        self._process = subprocess.Popen(
            [*hosts.prefix, sys.executable, "-c", WRITER, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_read(self) -> None:
        assert self._process.stdout.readline() == "read\n"

    def write(self) -> None:
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def outcome(self) -> str:
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_exception: object) -> None:
        # Without further lines it ends.
        self._process.communicate()


@pytest.mark.parametrize("before", [[], ["198.18.0.9"]], ids=["made", "changed"])
def test_a_change_between_reading_and_writing_is_not_overwritten(hosts, primary, reader, before):
    primary.update(
        *(f"update add {NAME}. 300 A {address}" for address in before), "update add x.lab.test. 300 A 198.18.0.1"
    )
    with Writer(hosts, primary, "198.18.0.8") as writer:
        writer.wait_until_read()
        primary.update(f"update delete {NAME}. A", f"update add {NAME}. 300 A 198.18.0.7")
        writer.write()
        assert writer.outcome() == "concurrent_change"
        assert dig(reader) == ["A 300 198.18.0.7"]
        # Run again, it knows what it replaces.
        writer.wait_until_read()
        writer.write()
        assert writer.outcome() == "written"
        assert dig(reader) == ["A 300 198.18.0.8"]
        writer.wait_until_read()


def test_two_at_once_end_in_what_one_of_them_wished(hosts, primary, reader):
    addresses = ["198.18.0.7", "198.18.0.8"]
    with Writer(hosts, primary, addresses[0]) as one, Writer(hosts, primary, addresses[1]) as other:
        for _round in range(20):
            for writer in (one, other):
                writer.wait_until_read()
            for writer in (one, other):
                writer.write()
            outcomes = {one.outcome(), other.outcome()}
            # Who reads back after the other has written sees that it was not kept.
            assert "written" in outcomes and outcomes <= {"written", "concurrent_change", "not_kept"}
            assert dig(reader) in [[f"A 300 {address}"] for address in addresses]
        for writer in (one, other):
            writer.wait_until_read()


# -- refusals


def failures(played: Played) -> list[tuple[str, str | None]]:
    assert all(result["failed"] for result in played.results), played.output
    return [(result["failure"]["code"], result["failure"]["option"]) for result in played.results]


def test_the_key_comes_from_the_file_that_the_server_itself_reads(hosts, primary, reader, tmp_path):
    file = tmp_path / "named.conf.local"
    file.write_text(primary.host.read("/etc/bind/named.conf.local"), encoding="ascii")
    place = rfc2136(primary, key_name=None, key_secret=None, key_file=str(file))
    old = {**place, "key_name": OLD.name}
    played = play(
        hosts,
        tmp_path,
        task({**place, "key_name": primary.key.name}, "198.18.0.9"),
        task(place, "198.18.0.8"),
        task(old, "198.18.0.8"),
        # It is known, but may change nothing.
        task({**old, "allow_hmac_md5": True}, "198.18.0.8"),
        # A newline at the end is no part of a secret.
        task(rfc2136(primary, key_secret=f"{primary.key.secret}\n"), "198.18.0.7"),
        arguments=["-vvvvv"],
    )
    assert [result.get("failure", {}).get("code") for result in played.results] == [
        *(None, "bad_option", "bad_option", "refused", None)
    ], played.output
    assert "ansible, old, reader" in played.results[1]["msg"] and "MD5" in played.results[2]["msg"]
    assert dig(reader) == ["A 3600 198.18.0.7"]
    for key in (primary.key, READER, OLD):
        assert key.secret not in played.output + json.dumps(played.results)


def test_who_may_not_change_the_zone_is_told_which_option_to_look_at(hosts, primary, reader, tmp_path):
    before = serial(reader)
    elsewhere = {"hostnames": ["dsm.example.com"]}
    wrong = TsigKey().secret
    attempts = [
        (task(rfc2136(primary, key_name="nobody"), "198.18.0.9"), ("bad_key", "rfc2136.key_name")),
        (task(rfc2136(primary, key_algorithm="hmac-sha512"), "198.18.0.9"), ("bad_key", "rfc2136.key_name")),
        (task(rfc2136(primary, key_secret=wrong), "198.18.0.9"), ("bad_signature", "rfc2136.key_secret")),
        (
            task(rfc2136(primary, key_secret=wrong), "198.18.0.9", check_mode=True),
            ("bad_signature", "rfc2136.key_secret"),
        ),
        (task(rfc2136(primary, key_name=None, key_secret=None), "198.18.0.9"), ("refused", "rfc2136.key_name")),
        (
            task(rfc2136(primary, key_name=READER.name, key_secret=READER.secret), "198.18.0.9"),
            ("refused", "rfc2136.key_name"),
        ),
        (task(rfc2136(primary), "198.18.0.9", **elsewhere), ("refused", "rfc2136.server")),
        (task(rfc2136(primary, zone="example.com"), "198.18.0.9", **elsewhere), ("refused", "rfc2136.server")),
        (task(rfc2136(primary, zone="example.com"), "198.18.0.9"), ("bad_option", "rfc2136.zone")),
        (task(rfc2136(primary, zone="test"), "198.18.0.9"), ("notauth", "rfc2136.zone")),
        (task(rfc2136(primary, port=54, protocol="tcp"), "198.18.0.9"), ("no_answer", "rfc2136.server")),
    ]
    played = play(hosts, tmp_path, *(attempt for attempt, _wanted in attempts), arguments=["-vvvvv"])
    assert failures(played) == [wanted for _attempt, wanted in attempts]
    assert serial(reader) == before
    for secret in (primary.key.secret, wrong, READER.secret):
        assert secret not in played.output


def test_a_server_that_is_down_costs_a_bounded_time(hosts, primary, tmp_path):
    primary.stop()
    try:
        played = play(hosts, tmp_path, *(task(rfc2136(primary, protocol=way), "198.18.0.9") for way in ("udp", "tcp")))
    finally:
        primary.start()
    assert failures(played) == 2 * [("no_answer", "rfc2136.server")]


def test_the_secret_is_shown_nowhere(hosts, primary, reader, tmp_path, monkeypatch):
    # Recent versions of Ansible leave the options out of the output unless asked.
    monkeypatch.setenv("ANSIBLE_INJECT_INVOCATION", "true")
    played = play(hosts, tmp_path, task(rfc2136(primary), "198.18.0.9"), arguments=["-vvvvv", "--diff"])
    assert played.results[0]["changed"] and dig(reader) == ["A 3600 198.18.0.9"]
    assert primary.key.secret not in played.output + json.dumps(played.results)
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in played.output
