# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that options name: where they are, and that whatever else is there is an error, not a traceback or a wait."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.files import (
    read_whole,
    readable_file,
    replace_whole,
)


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
    with pytest.raises(OSError, match="This is no path"):
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
