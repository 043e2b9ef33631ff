# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that options name: where they are, and that whatever else is there is an error, not a traceback or a wait."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import FileError, OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.files import (
    expect_replaceable,
    keep_permissions,
    keep_whole,
    overwrite_whole,
    read_whole,
    readable_file,
    replace_whole,
)
from tests.unit.access_lists import ACCESS, ACCESS_LIST, give_access_list


def test_paths_as_a_shell_has_them(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in ("~/file", "$FOLDER/file", "${FOLDER}/file", "file", "./file", str(tmp_path / "file")):
        assert readable_file("x.path", path, "x") == str(tmp_path / "file")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "none",
        "~/none",
        "~nobody-of-that-name/x",
        ".",
        "fifo",
        "/dev/zero",
        "a\0b",
        "~a\0b",
        "$a\0",
        "\ud800",
        "~\ud800",
    ],
)
def test_what_is_no_readable_file(tmp_path, monkeypatch, path):
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="option 'x.path' is '.*': it must be a readable file with x"):
        readable_file("x.path", path, "x")


def test_reading_has_a_bound(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_whole(str(file), 5) == b"12345"
    with pytest.raises(OSError, match="It is longer than 4 bytes"):
        read_whole(str(file), 4)
    # A hole of a terabyte is not read to find that out.
    os.truncate(file, 2**40)
    with pytest.raises(OSError, match="It is longer than 4 bytes"):
        read_whole(str(file), 4)
    # What says that it is empty is read all the same.
    with pytest.raises(OSError, match="It is longer than 4 bytes"):
        read_whole("/proc/self/status", 4)


KINDS = [
    ("folder", "It is a folder, not a regular file"),
    ("fifo", "It is a named pipe, not a regular file"),
    ("socket", "It is a socket, not a regular file"),
    ("/dev/zero", "It is a device, not a regular file"),
]


@pytest.fixture
def place(tmp_path):
    """A folder with one of each kind, and links to them."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    for kind, _words in KINDS:
        (tmp_path / f"link_{os.path.basename(kind)}").symlink_to(kind)
    return tmp_path


@pytest.mark.parametrize(("kind", "words"), [*KINDS, ("none", "No such file"), ("file/none", "Not a directory")])
def test_what_is_no_file_to_read(place, kind, words):
    (place / "file").touch()
    with pytest.raises(OSError, match=words):
        read_whole(str(place / kind), 5)
    with pytest.raises(OSError, match="This is not a path"):
        read_whole("a\0b", 5)


@pytest.mark.parametrize(("kind", "words"), KINDS)
@pytest.mark.parametrize("link", ["", "link_"])
def test_what_is_no_file_is_not_replaced(place, kind, words, link):
    path = place / (f"link_{os.path.basename(kind)}" if link else kind)
    before = os.lstat(path), sorted(os.listdir(place))
    with pytest.raises(OSError, match=words):
        replace_whole(str(path), b"x")
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, sorted(os.listdir(place))) == (before[0].st_ino, before[0].st_mode, before[1])


def test_files_that_are_replaced(tmp_path):
    file, link, new = tmp_path / "file", tmp_path / "link", tmp_path / "new"
    file.write_text("old")
    link.symlink_to("file")
    (tmp_path / "dangling").symlink_to("new")
    for path, written in ((file, file), (link, file), (new, new), (tmp_path / "dangling", new)):
        replace_whole(str(path), str(path).encode())
        assert written.read_text() == str(path)
    assert link.is_symlink() and sorted(os.listdir(tmp_path)) == ["dangling", "file", "link", "new"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        replace_whole(str(tmp_path / "loop"), b"x")
    with pytest.raises(OSError, match="This is not a path"):
        replace_whole("a\0b", b"x")


@pytest.mark.parametrize("end", ["/", "//", "/.", "/./", "/.."])
def test_a_path_of_a_folder_is_none_of_a_file(tmp_path, end):
    path = f"{tmp_path}/plans{end}"
    for attempt in (
        lambda: replace_whole(path, b"x"),
        lambda: keep_whole(path, b"x", False),
        lambda: overwrite_whole(path, b"", b"x", lambda: None),
    ):
        with pytest.raises(OSError, match="It is a folder"):
            attempt()
    assert os.listdir(tmp_path) == []


def test_a_file_keeps_who_may_read_it(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o640)
    give_access_list(file)
    # What looks like the mode of the group is that of the list.
    assert file.stat().st_mode & 0o777 == 0o660
    replace_whole(str(file), b"new", lambda handle, _candidate: keep_permissions(handle, str(file)))
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o660)
    assert os.getxattr(file, ACCESS) == ACCESS_LIST
    # New files of this folder get a list, which the old file does not have.
    os.setxattr(tmp_path, "system.posix_acl_default", ACCESS_LIST)
    os.removexattr(file, ACCESS)
    file.chmod(0o640)
    replace_whole(str(file), b"newer", lambda handle, _candidate: keep_permissions(handle, str(file)))
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"newer", 0o640)
    assert ACCESS not in os.listxattr(file)


def test_a_file_system_without_access_control_lists_does_no_harm(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o640)

    def unsupported(*_arguments, **_options):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "listxattr", unsupported)
    replace_whole(str(file), b"new", lambda handle, _candidate: keep_permissions(handle, str(file)))
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o640)


# Owner and mode of a folder of the group 4243, and owner, group and mode of a file in it; no file if its mode is 0.
PLACES = {
    "own": (1000, 0o700, 1000, 1000, 0o400),
    "new": (1000, 0o700, 0, 0, 0),
    "file of root": (1000, 0o755, 0, 0, 0o666),
    "group of others": (1000, 0o755, 1000, 4242, 0o644),
    "group of the folder": (1000, 0o700, 1000, 4243, 0o644),
    "group of the folder for new files": (1000, 0o2700, 1000, 4243, 0o644),
    "folder of root": (0, 0o755, 1000, 1000, 0o644),
    "new in a folder of root": (0, 0o755, 0, 0, 0),
    "for all": (0, 0o777, 1000, 1000, 0o644),
    "for all, file of root": (0, 0o777, 0, 0, 0o644),
    "sticky": (0, 0o1777, 1000, 1000, 0o644),
    "sticky, file of root": (0, 0o1777, 0, 1000, 0o666),
    "not listed": (1000, 0o300, 1000, 1000, 0o644),
    "not entered": (1000, 0o600, 1000, 1000, 0o644),
    "not written": (1000, 0o500, 1000, 1000, 0o644),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another user.")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("keeps_owner", [True, False])
def test_check_mode_says_what_another_user_may_write(place, keeps_owner):
    user, mode, owner, group, file_mode = PLACES[place]

    def attempt(path: str) -> None:
        os.setgroups([])
        os.setgid(1000)
        os.setuid(1000)
        said = []
        keep = (lambda handle, _candidate: keep_permissions(handle, path)) if file_mode else None
        steps = (lambda: expect_replaceable(path), lambda: replace_whole(path, b"new", keep))
        if not keeps_owner:
            steps = (lambda: keep_whole(path, b"new", True), lambda: keep_whole(path, b"new", False))
        for write in steps:
            try:
                write()
                said.append(None)
            except OSError as error:
                said.append(error.errno)
        os._exit(0 if said[0] == said[1] else 1)

    # The folders above that of pytest are for its own user.
    with tempfile.TemporaryDirectory() as above:
        os.chmod(above, 0o755)
        folder = Path(above, "folder")
        folder.mkdir()
        file = folder / "file"
        if file_mode:
            file.write_bytes(b"old")
            os.chown(file, owner, group)
            file.chmod(file_mode)
        os.chown(folder, user, 4243)
        folder.chmod(mode)
        process = multiprocessing.get_context("fork").Process(target=attempt, args=(str(file),))
        process.start()
        process.join(20)
        assert process.exitcode == 0
        left = ["file"] if file_mode or file.exists() else []
        assert os.listdir(folder) == left
        assert not file_mode or not keeps_owner or (file.stat().st_uid, file.stat().st_gid) == (owner, group)


def test_a_file_that_holds_it_already_is_not_written(tmp_path):
    file = tmp_path / "file"
    for check_mode, content, changes, after in (
        (True, b"one", True, None),
        (False, b"one", True, b"one"),
        (True, b"one", False, b"one"),
        (False, b"one", False, b"one"),
        (True, b"on", True, b"one"),
        (False, b"one more", True, b"one more"),
        (False, b"", True, b""),
        (False, b"", False, b""),
    ):
        before = file.stat() if file.exists() else None
        assert keep_whole(str(file), content, check_mode) is changes
        assert (file.read_bytes() if file.exists() else None) == after
        if check_mode or not changes:
            assert (file.stat() if file.exists() else None) == before
    with pytest.raises(OSError, match="It is a folder"):
        keep_whole(str(tmp_path), b"x", True)


def killed_while_writing(path: Path) -> None:
    """A run that is killed in the middle of its work leaves a part of the file behind."""

    def run() -> None:
        replace_whole(str(path), b"half of it", check=lambda: os.kill(os.getpid(), signal.SIGKILL))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    assert len([name for name in os.listdir(path.parent) if name.startswith(f".{path.name}.")]) == 1


def test_the_next_run_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    killed_while_writing(path)
    assert path.read_bytes() == b"old"
    # Nothing is touched in check mode, nor by a run about another file.
    keep_whole(str(path), b"new", True)
    replace_whole(str(tmp_path / "other.json"), b"x")
    assert len(os.listdir(tmp_path)) == 3
    replace_whole(str(path), b"new")
    assert sorted(os.listdir(tmp_path)) == ["other.json", "plan.json"] and path.read_bytes() == b"new"
    killed_while_writing(path)
    keep_whole(str(path), b"new", False)
    assert sorted(os.listdir(tmp_path)) == ["other.json", "plan.json"]


def test_many_runs_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "plan.json"
    contents = [bytes([65 + number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: replace_whole(str(path), content), contents * 3))
    assert path.read_bytes() in contents and os.listdir(tmp_path) == ["plan.json"]


def test_what_forbids_the_step_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def check() -> None:
        raise OptionError("path", str(path), "it must not be changed meanwhile")

    with pytest.raises(OptionError, match="meanwhile"):
        replace_whole(str(path), b"new", check=check)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_file_that_cannot_be_written_is_one_error_for_all():
    error = FileError("plan_file", "/a\n b", OSError(28, "No space left on device", "/a/.b.tmp"))
    assert str(error) == r"option 'plan_file' is '/a\n b': the file cannot be written: No space left on device"
    assert error.as_failure() == {"code": "unwritable", "message": str(error), "option": "plan_file"}
    assert str(FileError("x", "y", "it is secret")).endswith("cannot be written: it is secret")
