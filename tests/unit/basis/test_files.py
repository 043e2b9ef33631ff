# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that options name: where they are, and that whatever else is there is an error, not a traceback or a wait."""

from __future__ import annotations

import os

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.files import read_whole, readable_file


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


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "No such file"),
        ("folder", "Is a directory"),
        ("fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
    ],
)
def test_what_is_no_file_to_read(tmp_path, kind, words):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match=words):
        read_whole(str(tmp_path / kind), 5)
    with pytest.raises(OSError, match="This is no path"):
        read_whole("a\0b", 5)
