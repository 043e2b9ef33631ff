# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is replaced as a whole, with all that belongs to it, or stays as it was."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import typing as t
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis import files
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._dns import managed_file
from ansible_collections.workload_security.agent.plugins.module_utils._dns.errors import DnsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_bytes(b"old\n")
    return file


def alone(path: Path) -> bool:
    """Whether the folder of the file holds nothing else."""
    return os.listdir(path.parent) == [path.name]


def test_the_content_is_replaced_in_one_step(path: Path) -> None:
    old = path.stat().st_ino
    with path.open("rb") as reader:
        managed_file.replace(str(path), b"old\n", b"new\xff")
        assert reader.read() == b"old\n", "who reads the old file reads all of it"
    assert path.read_bytes() == b"new\xff"
    assert path.stat().st_ino != old
    assert alone(path)


def test_mode_and_owner_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    # Only root may give files away.
    monkeypatch.setattr(os, "fchown", lambda _file, user, group: given.append((user, group)))
    path.chmod(0o640)
    os.utime(path, (1, 1))
    owner = path.stat()
    managed_file.replace(str(path), b"old\n", b"new")
    assert given == [(owner.st_uid, owner.st_gid)]
    assert path.stat().st_mode & 0o7777 == 0o640
    assert path.stat().st_mtime > 1, "it is a newer file"


def test_a_new_file_is_for_everybody_to_read(path: Path) -> None:
    path.unlink()
    old = os.umask(0o077)
    try:
        managed_file.replace(str(path), None, b"new")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_leads_to_the_new_content(path: Path, tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target = folder / "hosts.real"
    path.unlink()
    if there:
        target.write_bytes(b"old\n")
    path.symlink_to("elsewhere/hosts.real")
    assert managed_file.read(str(path)) == (b"old\n" if there else None)
    managed_file.replace(str(path), b"old\n" if there else None, b"new")
    assert path.is_symlink()
    assert target.read_bytes() == b"new"
    assert alone(target)


def test_a_change_by_somebody_else_is_not_overwritten(path: Path) -> None:
    with pytest.raises(DnsError, match="changed by somebody else") as caught:
        managed_file.replace(str(path), b"older\n", b"new")
    assert caught.value.code == "changed_meanwhile"
    assert path.read_bytes() == b"old\n"
    assert alone(path)


def test_between_the_look_and_the_step_no_other_run_replaces_the_file(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with ThreadPoolExecutor() as pool:
        replacing = pool.submit(managed_file.replace, str(path), b"old\n", b"new")
        with pytest.raises(FutureTimeout):
            replacing.exception(0.2)
        path.write_bytes(b"another run's\n")
        os.close(folder)
        with pytest.raises(DnsError, match="changed by somebody else"):
            replacing.result(10)
    assert path.read_bytes() == b"another run's\n"


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("fsync", errno.ENOSPC, "No space left on device (the disk is full)"),
        ("fsync", errno.EIO, "Input/output error"),
        (
            "fchown",
            errno.EPERM,
            "Operation not permitted (this user may not, or the file is immutable or append-only (chattr -ia))",
        ),
        ("rename", errno.EBUSY, "it is a mount of its own, as in containers; change the file that is mounted there"),
        ("rename", errno.EROFS, "the file system is mounted read only"),
    ],
)
def test_what_fails_leaves_the_old_file_and_says_why(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DnsError) as caught:
        managed_file.replace(str(path), b"old\n", b"new")
    assert caught.value.code == "unwritable"
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert path.read_bytes() == b"old\n"
    assert alone(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "hosts"
    assert managed_file.read(str(path)) is None
    with pytest.raises(DnsError, match="its folder does not exist"):
        managed_file.replace(str(path), None, b"new")


def test_errors_have_the_option_that_names_the_file(tmp_path: Path) -> None:
    path = managed_file.path_of({"path": f"{tmp_path}/nowhere/hosts"}, "path", "hosts_file")
    folder = managed_file.path_of({"configuration": str(tmp_path)}, "configuration", "unbound")
    for option, attempt in (
        ("hosts_file.path", lambda: managed_file.replace(path, None, b"new")),
        ("hosts_file.path", lambda: managed_file.remove(path)),
        ("hosts_file.path", lambda: managed_file.temporary(path).__enter__()),
        ("unbound.configuration", lambda: managed_file.read(folder)),
    ):
        with pytest.raises(DnsError) as caught:
            attempt()
        assert caught.value.option == option


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null"), tmp_path):
        with pytest.raises(DnsError, match=r"It is a .*, not a regular file") as caught:
            managed_file.read(str(path))
        assert caught.value.code == "unreadable"


def test_removing(path: Path) -> None:
    managed_file.remove(str(path))
    assert not path.exists()
    with pytest.raises(DnsError, match="cannot remove"):
        managed_file.remove(str(path))


# -- files that are written in place


def test_a_file_is_written_in_place(path: Path) -> None:
    number = path.stat().st_ino
    for before, after in ((b"old\n", b"longer than before\xff"), (b"longer than before\xff", b"")):
        managed_file.overwrite(str(path), before, after)
        assert path.read_bytes() == after
    assert path.stat().st_ino == number and alone(path)


def test_a_run_that_is_killed_before_the_old_end_is_cut_off_leaves_no_part_of_old_lines(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = b"127.0.0.1 localhost\n192.0.2.10 dsm.example.com\n"
    path.write_bytes(before)
    real = files._fill
    seen = []

    class Watched:
        def __init__(self, file: t.Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> t.Any:
            if name == "truncate":
                seen.append(path.read_bytes())
            return getattr(self.file, name)

    monkeypatch.setattr(files, "_fill", lambda file, content: real(Watched(file), content))
    managed_file.overwrite(str(path), before, b"127.0.0.1 localhost\n")
    assert [content.split() for content in seen] == [[b"127.0.0.1", b"localhost"]]
    assert path.read_bytes() == b"127.0.0.1 localhost\n"


def test_in_place_too_a_change_by_somebody_else_is_not_overwritten(path: Path) -> None:
    with pytest.raises(DnsError, match="changed by somebody else") as caught:
        managed_file.overwrite(str(path), b"older\n", b"new")
    assert caught.value.code == "changed_meanwhile"
    assert path.read_bytes() == b"old\n"


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_two_runs_take_turns_to_write_in_place(path: Path, locked: str) -> None:
    handle = os.open(path if locked == "file" else path.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(managed_file.overwrite, str(path), b"old\n", b"new")
        with pytest.raises(FutureTimeout):
            writing.exception(0.2)
        assert path.read_bytes() == b"old\n"
        os.close(handle)
        writing.result(10)
    assert path.read_bytes() == b"new"


def test_what_cannot_be_written_as_a_whole_is_taken_back(path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        with pytest.raises(DnsError, match="cannot write .*: File too large") as caught:
            managed_file.overwrite(str(path), b"old\n", b"new and longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "unwritable"
    assert path.read_bytes() == b"old\n"


@pytest.mark.parametrize("call", ["mkstemp", "fchown", "rename"])
def test_only_where_the_file_itself_can_be_written_is_it_irreplaceable(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files.tempfile if call == "mkstemp" else os, call, fail)
    with pytest.raises(managed_file.Irreplaceable, match="the file system is mounted read only"):
        managed_file.replace(str(path), b"old\n", b"new")
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    with pytest.raises(DnsError) as caught:
        managed_file.replace(str(path), b"old\n", b"new")
    assert not isinstance(caught.value, managed_file.Irreplaceable)


def test_a_mount_is_told_from_what_is_none(path: Path) -> None:
    assert files.is_mount("/proc")
    assert not files.is_mount(str(path)) and not files.is_mount("/proc/mounts")


# -- what killed runs leave behind


def killed_while_writing(path: Path) -> str:
    """The name of the temporary file of a run that is killed in the middle of its work."""

    def run() -> None:
        with managed_file.temporary(str(path)) as (file, _candidate):
            file.write(b"half of it")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    (left,) = [name for name in os.listdir(path.parent) if name.startswith(f".{path.name}.")]
    return left


def test_the_next_run_removes_what_a_killed_one_left(path: Path) -> None:
    left = killed_while_writing(path)
    files.tidy(str(path))
    assert alone(path)
    left = killed_while_writing(path)
    managed_file.replace(str(path), b"old\n", b"new")
    assert alone(path), left


def test_a_run_that_goes_on_keeps_its_file(path: Path) -> None:
    with managed_file.temporary(str(path)) as (_file, candidate):
        files.tidy(str(path))
        managed_file.replace(str(path), b"old\n", b"new")
        assert os.path.exists(candidate)
    assert alone(path)


def test_nothing_but_our_own_files_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = killed_while_writing(path)
    others = ["hosts.workload_security_agent_abcdefgh", f"{left}x", left[:-1], left.upper(), f".hosts2{left[6:]}"]
    others += [".hosts.abcdefgh", ".hosts.workload_security_agent_abc-efgh"]
    for name in others:
        (path.parent / name).write_text("another's")
    (path.parent / f"{left[:-8]}linklink").symlink_to(path)
    os.mkfifo(path.parent / f"{left[:-8]}pipepipe")
    (path.parent / f"{left[:-8]}folderrr").mkdir()
    os.link(path.parent / left, path.parent / f"{left[:-8]}abcd_123")
    others += [f"{left[:-8]}{end}" for end in ("linklink", "pipepipe", "folderrr")]
    files.tidy(str(path))
    assert sorted(os.listdir(path.parent)) == sorted([path.name, *others])
    assert path.read_bytes() == b"old\n"
    # Nor one that belongs to somebody else.
    left = f"{left[:-8]}somebody"
    (path.parent / left).write_text("")
    (path.parent / left).chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "stat", lambda *_any, **_more: (_each for _each in ()).throw(OSError()))
    files.tidy(str(path))
    monkeypatch.undo()
    assert (path.parent / left).exists()


def test_names_as_long_as_can_be_are_replaced_too(tmp_path: Path) -> None:
    for name in ("x" * 255, "\u00fc" * 127):
        path = tmp_path / name
        path.write_bytes(b"old")
        before = os.listdir(tmp_path)
        managed_file.replace(str(path), b"old", b"new")
        assert path.read_bytes() == b"new" and os.listdir(tmp_path) == before
        path.unlink()


def test_who_keeps_the_folder_locked_is_not_waited_for_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_TURN", 0.1)
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(DnsError, match="another process has kept .* locked") as caught:
        managed_file.replace(str(path), b"old\n", b"new")
    os.close(folder)
    assert caught.value.code == "unwritable"
    assert alone(path)


# -- what is no file


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "/etc/hosts/"])
def test_what_can_be_no_path_is_refused_by_the_option_s_name(text: str) -> None:
    with pytest.raises(OptionError, match="option 'hosts_file.path' is '.*': it must be the path of a file"):
        managed_file.path_of({"path": text}, "path", "hosts_file")
    assert managed_file.path_of({"path": "/etc/h\udcff"}, "path", "hosts_file") == "/etc/h\udcff"


def test_files_without_end_are_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed_file, "_LONGEST", 1000)
    path.write_bytes(b"x" * 1000)
    assert managed_file.read(str(path)) == b"x" * 1000
    path.write_bytes(b"x" * 1001)
    with pytest.raises(DnsError, match="It is longer than 1000 bytes"):
        managed_file.read(str(path))


def test_messages_show_a_path_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a\n[ERROR]\x1b[31m\udcff"
    path.mkdir()
    with pytest.raises(DnsError) as caught:
        managed_file.read(str(path))
    assert r"a\n[ERROR]\x1b[31m\udcff" in str(caught.value) and str(caught.value).isprintable()
