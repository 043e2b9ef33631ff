# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that a name server reads: nothing is done until the server answers it, and undone if it does not.

The server here is one on loopback that answers what a test makes of it. Real ones are in the end-to-end tests.
"""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._dns import answers, managed_file
from ansible_collections.workload_security.agent.plugins.module_utils._dns.converge import converge
from ansible_collections.workload_security.agent.plugins.module_utils._dns.dnsmasq import Dnsmasq
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from ansible_collections.workload_security.agent.plugins.module_utils._dns.served_file import HEADER, ServedFile
from ansible_collections.workload_security.agent.plugins.module_utils._dns.unbound import Unbound
from tests.unit.dns.name_server import answered, server

DSM = "dsm.example.com"
HELD = Record(DSM, "A", "192.0.2.9")
OTHER = Record("web.example.com", "A", "192.0.2.80")


class Killed(BaseException):
    """The end of a process that cleans nothing up."""


def killed(_place: ServedFile) -> t.NoReturn:
    raise Killed


class World:
    """A file, a server that has loaded it, and what happened to both."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded: list[Record] = []
        self.elsewhere: list[Record] = []
        self.refuses = False
        self.deaf = False
        self.reads_file = True
        self.events: list[str] = []

    def hold(self, *records: Record, load: bool = True) -> None:
        self.path.write_text(text(*records))
        self.loaded = list(records) if load else []

    def answer(self, query: bytes) -> t.Iterable[bytes]:
        name = query[12:-5]
        kind = {1: "A", 28: "AAAA"}[query[-3]]
        found = [one for one in [*self.loaded, *self.elsewhere] if (encoded(one.name), one.type) == (name, kind)]
        yield answered(query, *((one.name, one.ttl or 0, "IN", one.type, one.value) for one in found))


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))


def text(*records: Record) -> str:
    return HEADER + "".join(f"{record.value} {record.name}\n" for record in records)


class Served(ServedFile):
    """A file that a server reads, as dnsmasq has it, and what a test has happen to it."""

    program = "testd"
    hint = "nobody knows why"
    world: World

    def parse(self, line: str) -> list[Record] | None:
        return Dnsmasq.parse(self, line)

    def render(self, records: list[Record]) -> str:
        return Dnsmasq.render(self, records)

    def check(self, text: str, records: list[Record]) -> None:
        self.world.events.append("check")
        self.world.checked = (text, records)
        if self.world.refuses:
            raise DnsError("refused", "testd refuses it")

    def reload(self) -> None:
        self.world.events.append("reload")
        if self.world.deaf:
            raise DnsError("not_reloaded", "testd is deaf")
        if self.world.reads_file:
            lines = self.world.path.read_text().splitlines() if self.world.path.exists() else []
            self.world.loaded = [record for line in lines for record in self.parse(line) or []]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(answers, "_RELOAD", 0.2)
    world = World(tmp_path / "ours")
    monkeypatch.setattr(Served, "world", world, raising=False)
    return world


@pytest.fixture
def port(world: World) -> t.Iterator[int]:
    with server(world.answer) as port:
        yield port


def run(world: World, port: int, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    place = Served({"path": str(world.path), "address": "127.0.0.1", "port": port})
    filled = {"state": "present", "hostnames": [DSM], "region": None, "addresses": None, "cname": None, "ttl": None}
    result = converge(place, {**filled, **params}, check_mode=check_mode)
    return {**result, "warnings": place.warnings}


def test_create_change_and_remove_each_as_check_and_real_and_again(world: World, port: int) -> None:
    world.hold(OTHER)
    held = text(OTHER)
    for params, records in (
        ({"addresses": ["192.0.2.10"]}, [("A", "192.0.2.10")]),
        ({"addresses": ["2001:db8::a", "192.0.2.11"]}, [("A", "192.0.2.11"), ("AAAA", "2001:db8::a")]),
        ({"state": "absent"}, []),
    ):
        after = text(*(Record(DSM, *record) for record in records), OTHER)
        check = run(world, port, check_mode=True, **params)
        assert world.path.read_text() == held
        assert world.events == []
        real = run(world, port, **params)
        assert check == real
        assert real["changed"] and not real["warnings"]
        assert world.path.read_text() == after
        assert world.checked == (after, [*(Record(DSM, *record) for record in records), OTHER])
        assert world.events == ["check", "reload"]
        world.events.clear()
        for again in (run(world, port, check_mode=True, **params), run(world, port, **params)):
            assert not again["changed"]
            assert again["before"] == real["records"]
        assert world.events == []
        held = after


def test_what_the_checker_refuses_is_not_put_in_place(world: World, port: int) -> None:
    world.hold(HELD)
    world.refuses = True
    with pytest.raises(DnsError, match="testd refuses it"):
        run(world, port, addresses=["192.0.2.10"])
    assert world.path.read_text() == text(HELD)
    assert world.events == ["check"]


@pytest.mark.parametrize("there", [True, False])
def test_a_server_that_cannot_be_told_gets_the_old_file_back(world: World, port: int, there: bool) -> None:
    if there:
        world.hold(HELD)
    world.deaf = True
    with pytest.raises(DnsError, match=r"testd is deaf. .*/ours is as it was before") as caught:
        run(world, port, addresses=["192.0.2.10"])
    assert caught.value.code == "not_reloaded"
    assert world.path.exists() == there
    assert not there or world.path.read_text() == text(HELD)


@pytest.mark.parametrize("there", [True, False])
def test_a_server_that_answers_otherwise_gets_the_old_file_back_and_loads_it(
    world: World, port: int, there: bool
) -> None:
    if there:
        world.hold(HELD)
    world.elsewhere = [Record(DSM, "AAAA", "2001:db8::9")]
    with pytest.raises(DnsError) as caught:
        run(world, port, addresses=["192.0.2.10", "2001:db8::a"])
    assert caught.value.code == "other_answer"
    assert str(caught.value) == (
        f"testd answers '{DSM} AAAA 2001:db8::9, {DSM} AAAA 2001:db8::a' instead of '{DSM} AAAA 2001:db8::a':"
        f" nobody knows why. {world.path} is as it was before"
    )
    assert world.loaded == ([HELD] if there else [])
    assert world.path.exists() == there


def test_a_file_that_cannot_be_put_back_is_told(world: World, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hold(HELD)
    world.reads_file = False
    replace = managed_file.replace

    def once(path: str, before: bytes, after: bytes) -> None:
        replace(path, before, after)
        monkeypatch.setattr(managed_file, "replace", full)

    def full(*_arguments: t.Any) -> t.NoReturn:
        raise DnsError("unwritable", "the disk is full")

    monkeypatch.setattr(managed_file, "replace", once)
    with pytest.raises(DnsError, match=r"/ours could not be put back as it was: the disk is full$") as caught:
        run(world, port, addresses=["192.0.2.10"])
    assert caught.value.code == "other_answer"


def test_a_server_that_does_not_read_the_file_is_no_success(world: World, port: int) -> None:
    world.reads_file = False
    with pytest.raises(DnsError, match=f"testd answers 'NOERROR' instead of '{DSM} A 192.0.2.10'"):
        run(world, port, addresses=["192.0.2.10"])
    assert not world.path.exists()


@pytest.mark.parametrize("params", [{"addresses": ["192.0.2.10"]}, {"state": "absent"}])
def test_without_a_server_nothing_is_touched(world: World, params: dict) -> None:
    world.hold(HELD)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DnsError, match=f"no testd answers at 127.0.0.1 port {port}") as caught:
        run(world, port, **params)
    assert (caught.value.code, caught.value.option) == ("no_server", "testd.address")
    assert world.path.read_text() == text(HELD)
    assert world.events == []


def test_what_an_earlier_run_has_not_finished_is_loaded(world: World, port: int) -> None:
    world.hold(HELD, load=False)
    check = run(world, port, check_mode=True, addresses=[HELD.value])
    assert check["changed"] and world.events == []
    result = run(world, port, addresses=[HELD.value])
    assert result == check
    assert "testd answers 'NOERROR' instead of" in result["warnings"][0]
    assert world.loaded == [HELD]
    assert not run(world, port, addresses=[HELD.value])["changed"]


@pytest.mark.parametrize("held", [[HELD, OTHER], [OTHER], None], ids=["removed", "made", "made with the file"])
def test_a_run_that_was_killed_before_the_server_was_told_is_finished(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch, held: list[Record] | None
) -> None:
    if held is not None:
        world.hold(*held)
    wanted = {"state": "absent"} if held and HELD in held else {"addresses": [HELD.value]}
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Served, "reload", killed)
        run(world, port, **wanted)
    # Another name's task sees it, too, and a task that wishes for nothing new.
    for params in ({"state": "absent", "hostnames": ["relay.example.com"]}, wanted):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Served, "reload", killed)
            run(world, port, **params)
    check = run(world, port, check_mode=True, **wanted)
    result = run(world, port, **wanted)
    assert check == result
    assert result["changed"] and "is to read" in result["warnings"][0]
    assert (HELD in world.loaded) is ("addresses" in wanted)
    assert world.path.read_text() == text(*world.loaded)
    assert not run(world, port, **wanted)["changed"]


@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_was_killed_while_it_put_the_file_back_is_finished(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        world.hold(OTHER)
    world.elsewhere = [Record(DSM, "A", "192.0.2.66")]
    reload = Served.reload

    def killed_the_second_time(place: Served) -> None:
        if "reload" in world.events:
            raise Killed
        reload(place)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Served, "reload", killed_the_second_time)
        run(world, port, addresses=["192.0.2.10"])
    assert [record.value for record in world.loaded if record.name == DSM] == ["192.0.2.10"]
    world.elsewhere.clear()
    assert run(world, port, state="absent")["changed"]
    assert world.loaded == ([OTHER] if there else [])
    assert not run(world, port, state="absent")["changed"]


def test_what_is_still_answered_after_removal_is_told(world: World, port: int) -> None:
    world.hold(HELD)
    world.elsewhere = [HELD]
    result = run(world, port, state="absent")
    assert result["changed"]
    assert result["warnings"] == [f"testd still answers '{HELD}', which it has from elsewhere"]
    assert world.path.read_text() == text()


def test_another_ttl_is_not_taken_for_a_removal(world: World, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Served, "default_ttl", 3600)
    monkeypatch.setattr(Served, "parse", Unbound.parse)
    monkeypatch.setattr(Served, "render", Unbound.render)
    run(world, port, addresses=["192.0.2.10"], ttl=300)
    result = run(world, port, addresses=["192.0.2.10"], ttl=60)
    assert result["changed"] and result["warnings"] == []
    assert world.loaded == [Record(DSM, "A", "192.0.2.10", 60)]


@pytest.mark.parametrize(
    "content",
    ["192.0.2.9 dsm.example.com\n", HEADER + "# mine\n", HEADER + "192.0.2.9 a # b\n", "\n", HEADER + "\n", "\0"],
)
@pytest.mark.parametrize("params", [{"addresses": ["192.0.2.10"]}, {"state": "absent"}])
def test_a_file_of_somebody_else_is_not_replaced(world: World, port: int, content: str, params: dict) -> None:
    world.path.write_text(content)
    with pytest.raises(DnsError, match="holds a line that local_dns has not written") as caught:
        run(world, port, **params)
    assert (caught.value.code, caught.value.option) == ("not_ours", "testd.path")
    assert world.path.read_text() == content


def test_an_empty_file_is_nobody_s(world: World, port: int) -> None:
    world.path.write_text("")
    run(world, port, addresses=["192.0.2.10"])
    assert world.path.read_text() == text(Record(DSM, "A", "192.0.2.10"))


@pytest.mark.parametrize(
    ("options", "option"),
    [({"port": 0}, "testd.port"), ({"port": 65536}, "testd.port"), ({"address": "localhost"}, "testd.address")],
)
def test_a_server_that_cannot_be_is_refused(world: World, options: dict, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Served({"path": str(world.path), "address": "127.0.0.1", "port": 53, **options})
    assert (caught.value.code, caught.value.option) == ("bad_option", option)


LOCAL_DATA = """\
server:
    local-zone: "dsm.example.com." transparent
    local-data: "dsm.example.com. 60 IN A 192.0.2.10"
    local-data: "dsm.example.com. 60 IN AAAA 2001:db8::a"
    local-zone: "relay.example.com." transparent
    local-data: "relay.example.com. 0 IN A 192.0.2.10"
"""


def test_local_data_of_unbound() -> None:
    records = [
        Record(DSM, "A", "192.0.2.10", 60),
        Record(DSM, "AAAA", "2001:db8::a", 60),
        Record("relay.example.com", "A", "192.0.2.10", 0),
    ]
    place = Unbound({"path": "/ours", "configuration": "/main", "address": "127.0.0.1", "port": 53})
    assert place.render(records) == LOCAL_DATA
    assert [one for line in LOCAL_DATA.splitlines() for one in place.parse(line)] == records
    assert place.render([]) == ""
    for line in ("", "# note", "    verbosity: 1", '    local-data: "a. 60 IN MX 1 b."', '    local-zone: "a." static'):
        assert place.parse(line) is None
    assert place.parse('    local-data: "DSM.example.com. 60 IN AAAA 2001:DB8:0::A"') == records[1:2]
    for data in ("d\xfc. 60 IN A 192.0.2.1", "a. 60 IN A 192.0.2", "a. 60 IN A ::1", "a. 60 IN AAAA 192.0.2.1"):
        assert place.parse(f'    local-data: "{data}"') is None


def test_records_of_dnsmasq() -> None:
    place = Dnsmasq({"path": "/ours", "pid_file": None, "address": "127.0.0.1", "port": 53})
    records = [Record(DSM, "A", "192.0.2.10"), Record("relay.example.com", "A", "192.0.2.10")]
    assert [one for line in place.render(records).splitlines() for one in place.parse(line) or []] == records
    assert place.parse("192.0.2.10 DSM.example.com. relay.example.com") == records
    for line in (
        "",
        "# note",
        "192.0.2.10 dsm # note",
        "192.0.2.10 d\xfc",
        "192.0.2 dsm",
        "192.0.2.10 dsm..",
        "192.0.2.10 1",
    ):
        assert place.parse(line) is None


@pytest.mark.parametrize("place", [Dnsmasq, Unbound])
def test_a_name_that_somebody_has_written_in_another_spelling_is_removed(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch, place: type[ServedFile]
) -> None:
    monkeypatch.setattr(Served, "default_ttl", place.default_ttl)
    monkeypatch.setattr(Served, "parse", place.parse)
    monkeypatch.setattr(Served, "render", place.render)
    run(world, port, addresses=[HELD.value])
    world.path.write_text(world.path.read_text().replace(DSM, "DSM.example.com"))
    result = run(world, port, state="absent")
    assert result["changed"] and len(result["before"]) == 1 and world.loaded == []


def test_a_link_without_a_file_is_left_as_it_was(world: World, port: int) -> None:
    target = world.path.parent / "elsewhere"
    world.path.symlink_to(target)
    world.reads_file = False
    with pytest.raises(DnsError, match="is as it was before"):
        run(world, port, addresses=["192.0.2.10"])
    assert world.path.is_symlink() and not target.exists()
