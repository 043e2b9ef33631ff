# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial of a hosts file in another dnsmasq; here a program that just waits. Real ones are in tests/end_to_end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.files import tidy
from ansible_collections.workload_security.agent.plugins.module_utils._dns import answers, dnsmasq
from ansible_collections.workload_security.agent.plugins.module_utils._dns.dnsmasq import Dnsmasq
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.records import Record
from tests.unit.dns.name_server import answered, server

RECORD = Record("dsm.example.com", "A", "192.0.2.10")


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program tells its number."""
    program = tmp_path / "dnsmasq"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "pid"


def eventually(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def trial(pid_file: Path) -> None:
    place = Dnsmasq({"path": str(pid_file.parent / "ours"), "pid_file": None, "address": "127.0.0.1", "port": 53})
    place.check("192.0.2.10 dsm.example.com\n", [RECORD])


def left_behind(pid_file: Path) -> list[str]:
    return [name for name in os.listdir(pid_file.parent) if name.startswith(".ours.")]


def test_nothing_is_left_of_a_trial(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_RELOAD", 0.5)
    with pytest.raises(DnsError, match=r"in a trial, dnsmasq answers .* instead of 'dsm.example.com A 192.0.2.10'"):
        trial(pid_file)
    assert left_behind(pid_file) == []
    number = pid_file.read_text().strip()
    eventually(lambda: not Path(f"/proc/{number}").exists())


def test_a_trial_ends_though_who_began_it_was_killed(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnsmasq, "_TRIAL", 2)
    run = multiprocessing.get_context("fork").Process(target=trial, args=(pid_file,))
    run.start()
    eventually(pid_file.exists)
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    number = pid_file.read_text().strip()
    assert Path(f"/proc/{number}").exists()
    eventually(lambda: not Path(f"/proc/{number}").exists())
    assert len(left_behind(pid_file)) == 1
    tidy(str(pid_file.parent / "ours"))
    assert left_behind(pid_file) == []


@pytest.mark.parametrize("is_one", [True, False])
def test_where_no_process_can_be_seen_pihole_is_known_by_its_folder(
    pid_file: Path, monkeypatch: pytest.MonkeyPatch, is_one: bool
) -> None:
    monkeypatch.setattr(answers, "_RELOAD", 0.1)
    monkeypatch.setattr(dnsmasq, "_PIHOLE_FOLDER", str(pid_file.parent if is_one else pid_file))
    with contextlib.nullcontext() if is_one else pytest.raises(DnsError, match="in a trial"):
        trial(pid_file)
    place = Dnsmasq({"path": "/ours", "pid_file": None, "address": "127.0.0.1", "port": 1})
    assert ("Pi-hole does not read /ours" in place.hint) is is_one


# -- answers that localise-queries narrows


def record(value: str, name: str = "dsm.example.com") -> Record:
    return Record(name, "AAAA" if ":" in value else "A", value)


def localised(*values: str) -> t.Callable[[bytes], t.Iterable[bytes]]:
    """A server's answer: these addresses, whatever is asked, as far as they are of the type that is."""

    def answer(query: bytes) -> t.Iterable[bytes]:
        kind = {1: "A", 28: "AAAA"}[query[-3]]
        found = [record(value) for value in values]
        yield answered(query, *((one.name, 0, "IN", one.type, one.value) for one in found if one.type == kind))

    return answer


NEAR, FAR, ELSEWHERE = "127.0.0.77", "192.0.2.10", "198.51.100.7"


@pytest.mark.parametrize(
    ("answers", "wanted", "at_loopback", "is_right"),
    [
        ([NEAR], [NEAR, FAR], None, True),
        ([NEAR], [NEAR, FAR], [NEAR, FAR], True),
        # It has not read the file yet: there too, it says the same.
        ([NEAR], [NEAR, FAR], [NEAR], False),
        ([FAR], [NEAR, FAR], None, False),
        ([], [NEAR, FAR], None, False),
        ([NEAR, ELSEWHERE], [NEAR, FAR], None, False),
        ([NEAR, FAR], [NEAR], None, False),
        (["2001:db8::a"], ["2001:db8::a", "2001:db8::b"], None, False),
    ],
)
def test_one_of_the_wished_addresses_is_believed_where_the_subnet_says_so(
    answers: list[str], wanted: list[str], at_loopback: list[str] | None, is_right: bool
) -> None:
    with server(localised(*answers), host="127.0.0.2") as port, contextlib.ExitStack() as stack:
        if at_loopback is not None:
            stack.enter_context(server(localised(*at_loopback), port=port))
        found = dnsmasq.LocalisingServer("dnsmasq", "127.0.0.2", port, False).contradiction(list(map(record, wanted)))
    assert (found is None) == is_right


def test_the_server_at_the_loopback_itself_is_asked_once() -> None:
    with server(localised(NEAR)) as port:
        there = dnsmasq.LocalisingServer("dnsmasq", "127.0.0.1", port, False)
        assert there.contradiction([record(NEAR), record(FAR)]) is None


def test_without_room_for_the_trial_s_file_that_is_said(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(DnsError, match="cannot write next to .*: No space left on device .the disk is full") as caught:
        trial(pid_file)
    assert caught.value.code == "unwritable"
    assert not pid_file.exists()
