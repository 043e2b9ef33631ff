# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of name servers: those that files name, those that listen, and those that only a service manager knows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._dns import processes
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError
from ansible_collections.workload_security.agent.plugins.module_utils._dns.processes import (
    hang_up,
    listening_at,
    may_read,
    name_of,
)

# A port at which no test has anything.
NOBODY = ("127.0.0.1", 1, "use become")

LISTENER = """
import os, socket, sys, time
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind((sys.argv[1], int(sys.argv[2])))
if sys.argv[3:]:
    os.fork()
print(one.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper() -> t.Iterator[subprocess.Popen]:
    # Whoever runs the tests may ignore the signal, as under nohup, and what it starts would, too.
    process = subprocess.Popen(["env", "--default-signal=HUP", "sleep", "60"])
    # It gets its name a moment after it was started.
    while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def test_the_signal_reaches_the_process_that_the_first_good_file_names(
    tmp_path: Path, sleeper: subprocess.Popen
) -> None:
    (tmp_path / "text.pid").write_text("none")
    (tmp_path / "good.pid").write_text(f"{sleeper.pid}\n")
    hang_up(["sleep"], [str(tmp_path / name) for name in ("missing.pid", "text.pid", "good.pid")], *NOBODY)
    assert sleeper.wait(10) == -signal.SIGHUP


def test_another_program_with_that_number_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen) -> None:
    pid_file = tmp_path / "stale.pid"
    pid_file.write_text(str(sleeper.pid))
    with pytest.raises(DnsError, match=r"dnsmasq cannot be made .*/stale.pid") as caught:
        hang_up(["dnsmasq"], [str(pid_file)], *NOBODY)
    assert caught.value.code == "not_reloaded"
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)


@contextlib.contextmanager
def listener(address: str, port: int = 0, *arguments: str) -> t.Iterator[tuple[subprocess.Popen, int]]:
    """A process that listens by UDP, and its port."""
    command = ["env", "--default-signal=HUP", sys.executable, "-c", LISTENER, address, str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_without_a_file_the_process_that_listens_is_told(tmp_path: Path) -> None:
    with listener("127.0.0.1") as (process, port):
        name = name_of(process.pid)
        assert name.startswith("python")
        for address, number, names in (
            ("127.0.0.1", port + 1, [name]),
            ("::1", port, [name]),
            ("127.0.0.1", port, ["x"]),
        ):
            assert listening_at(address, number, names) == []
        hang_up(["dnsmasq", name], [str(tmp_path / "missing.pid")], "127.0.0.1", port, "")
        assert process.wait(20) == -signal.SIGHUP


def test_who_listens_at_the_very_address_comes_before_who_listens_at_all() -> None:
    with listener("0.0.0.0") as (everywhere, port), listener("127.0.0.2", port) as (here, _port):
        names = [name_of(here.pid)]
        assert listening_at("127.0.0.2", port, names) == [here.pid]
        assert listening_at("127.0.0.1", port, names) == [everywhere.pid]
    with listener("::") as (both, port):
        assert listening_at("127.0.0.1", port, names) == listening_at("::1", port, names) == [both.pid]


def test_of_a_process_and_what_it_has_started_only_the_first_is_told() -> None:
    with listener("127.0.0.1", 0, "fork") as (process, port):
        assert listening_at("127.0.0.1", port, [name_of(process.pid)]) == [process.pid]


@pytest.mark.parametrize(
    ("program", "words"),
    [("systemctl", "--no-ask-password reload unbound.service"), ("rc-service", "unbound reload")],
)
def test_without_a_process_the_service_manager_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    script = tmp_path / program
    script.write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/asked\n')
    script.chmod(0o755)
    monkeypatch.setattr(processes, "_RELOADS", [words for words in processes._RELOADS if words[0] == program])
    monkeypatch.setenv("PATH", str(tmp_path))
    hang_up(["unbound"], [], *NOBODY)
    assert (tmp_path / "asked").read_text() == f"{words}\n"


def test_where_nobody_can_tell_it_to_the_error_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "systemctl"
    script.write_text("#!/bin/sh\necho 'Unit unbound.service not found.' >&2\nexit 5\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DnsError) as caught:
        hang_up(["unbound"], ["/run/missing.pid"], *NOBODY)
    assert str(caught.value) == (
        "unbound cannot be made to read its files: /run/missing.pid names no process of it, none is found that listens"
        " at 127.0.0.1 port 1, and no service manager reloads it; use become"
    )


def test_tables_that_cannot_be_read_name_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "udp"
    table.write_text("head\n\n 1: 0100007F\n 2: zz:35 a\n 3: 0100007F:0035 00000000:0000 07 a b c d e\n")
    monkeypatch.setattr(processes, "_TABLES", (str(table), str(tmp_path / "missing")))
    assert listening_at("127.0.0.1", 53, ["dnsmasq"]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can start a process of another user.")
@pytest.mark.parametrize(
    ("owner", "group", "mode", "readable"),
    [
        (0, 0, 0o600, False),
        (0, 0, 0o604, True),
        (0, 1000, 0o640, True),
        (0, 1001, 0o640, True),
        (0, 1002, 0o640, False),
        (0, 1000, 0o604, False),
        (1000, 0, 0o400, True),
        (1000, 0, 0o044, False),
    ],
)
def test_what_a_process_of_another_user_may_read(
    tmp_path: Path, owner: int, group: int, mode: int, readable: bool
) -> None:
    path = tmp_path / "file"
    path.write_text("")
    os.chown(path, owner, group)
    path.chmod(mode)
    sleeping = ["sleep", "60"]
    with (
        subprocess.Popen(sleeping, user=1000, group=1000, extra_groups=[1001]) as other,
        subprocess.Popen(sleeping) as same,
    ):
        try:
            assert may_read(other.pid, str(path)) is readable
            assert may_read(same.pid, str(path)), "root may read everything"
            for folder_mode in (0o700, 0o711, 0o744, 0o755):
                tmp_path.chmod(folder_mode)
                assert may_read(other.pid, str(tmp_path)) is bool(folder_mode & 1), "a folder is to be entered"
            assert may_read(other.pid, str(tmp_path / "none")), "a new file is for everybody to read"
        finally:
            other.kill()
            same.kill()
    assert may_read(2**30, str(path)), "nothing is known of a process that is not there"
