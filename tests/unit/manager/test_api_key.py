# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the API key comes from, which files are refused, and whether it stood in somebody's command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager import api_key as api_key_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.api_key import (
    EXPOSED,
    FILE_VARIABLE,
    VARIABLE,
    ApiKey,
    read_api_key,
    secrets_of,
    was_exposed,
)

KEY = "17:S3cretS3cret"


def key_file(folder: Path, content: bytes = KEY.encode() + b"\n", mode: int = 0o600, name: str = "key") -> str:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def refused(params: dict, environment: dict | None = None) -> OptionError:
    with pytest.raises(OptionError) as caught:
        read_api_key(params, environment or {})
    assert "S3cret" not in str(caught.value)
    return caught.value


# -- where it comes from


def test_options_count_before_the_environment_and_one_of_two_counts(tmp_path):
    path = key_file(tmp_path)
    other = key_file(tmp_path, b"9:another-key", name="other")
    everything = {VARIABLE: "5:from-the-environment", FILE_VARIABLE: other}
    for params, environment, key in (
        ({"api_key": KEY}, {}, KEY),
        ({"api_key_file": path}, {}, KEY),
        ({"api_key": KEY}, everything, KEY),
        ({"api_key_file": path}, everything, KEY),
        ({}, {VARIABLE: KEY}, KEY),
        ({"api_key": None, "api_key_file": ""}, {FILE_VARIABLE: path, VARIABLE: ""}, KEY),
    ):
        assert read_api_key(params, environment).value == key
    assert refused({"api_key": KEY, "api_key_file": path}).option == "api_key_file"
    assert f"{FILE_VARIABLE} and {VARIABLE}" in str(refused({}, everything))
    nothing = refused({})
    assert nothing.option == "api_key"
    assert all(word in str(nothing) for word in ("api_key_file", VARIABLE, FILE_VARIABLE))


# -- files


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_one_final_line_break_is_no_part_of_the_key(tmp_path, ending):
    assert read_api_key({"api_key_file": key_file(tmp_path, KEY.encode() + ending)}, {}) == ApiKey(KEY, ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "this one is empty"),
        (b"\n", "this one is empty"),
        (b"17:S3cret\n\n", "one line of printable ASCII"),
        (b"17:S3cret\nX-Other: 1\n", "one line of printable ASCII"),
        (b" 17:S3cret", "one line of printable ASCII"),
        (b"\xef\xbb\xbf17:S3cret\n", "one line of printable ASCII"),
        (b"17:S3cret\x00", "one line of printable ASCII"),
        ("17:Schl\u00fcssel-S3cret".encode(), "one line of printable ASCII"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n3662\n", "encrypted by ansible-vault"),
        (b"S3cret" * 10_000, "longer than 16384 bytes"),
    ],
)
def test_files_that_hold_no_key(tmp_path, content, reason):
    path = key_file(tmp_path, content)
    error = refused({"api_key_file": path})
    assert error.option == "api_key_file" and reason in str(error) and path in str(error)


@given(content=st.binary(max_size=60))
def test_whatever_a_file_holds_it_is_a_key_or_an_error_that_does_not_show_it(tmp_path_factory, content):
    path = key_file(tmp_path_factory.getbasetemp(), content, name="drawn")
    try:
        read = read_api_key({"api_key_file": path}, {})
    except OptionError as error:
        reason = str(error).split("only the API key: ")[1]
        assert reason.startswith(("this one is ", "it must be one line of printable ASCII without spaces"))
    else:
        key = read.value
        assert key and key.isascii() and key.isprintable() and " " not in key and read.warnings == ()


def test_what_is_no_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, "/dev/zero", tmp_path / "none", tmp_path / ("x" * 300), "a\0b", "a\ud800b\udfff"):
        error = refused({"api_key_file": str(path)})
        assert error.option == "api_key_file" and "a readable file with only the API key" in str(error)


def test_a_link_to_a_file_and_a_home_folder(tmp_path, monkeypatch):
    key_file(tmp_path)
    (tmp_path / "link").symlink_to("key")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_api_key({"api_key_file": "~/link"}, {}).value == KEY


@pytest.mark.parametrize(("mode", "warns"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o644, 1), (0o622, 0)])
def test_others_may_read_it(tmp_path, mode, warns):
    path = key_file(tmp_path, mode=mode)
    warnings = read_api_key({"api_key_file": path}, {}).warnings
    assert len(warnings) == warns and all(path in text and "chmod 600" in text for text in warnings)


# -- what must not be shown


@pytest.mark.parametrize(
    ("key", "secrets"),
    [
        (None, set()),
        ("", set()),
        ("17:0123456789", {"17:0123456789", "0123456789"}),
        ("a:b:0123456789", {"a:b:0123456789", "0123456789"}),
        ("0123456789", {"0123456789"}),
        ("17:short", {"17:short"}),
        ("0123456789:", {"0123456789:"}),
    ],
)
def test_the_key_and_its_secret_half_are_secret(key, secrets):
    assert secrets_of(key) == secrets


# -- whether it was shown


class Processes:
    """A folder like /proc: this process, and above it those that a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = os.getpid()
        self.parents = iter(range(1_000_001, 2_000_000))
        self.add(self.last, ["python", "AnsiballZ_policy_info.py"], [])

    def add(self, process: int, line: list[str], environment: list[str]) -> None:
        folder = self.folder / str(process)
        folder.mkdir()
        (folder / "cmdline").write_text("".join(f"{word}\0" for word in line))
        (folder / "environ").write_text("".join(f"{word}\0" for word in environment))
        (folder / "stat").write_text(f"{process} (a (name) 7) S 0 1 1")

    def above(self, line: list[str], environment: list[str] = ("HOME=/root",)) -> Processes:
        parent = next(self.parents)
        self.add(parent, line, environment)
        (self.folder / str(self.last) / "stat").write_text(f"{self.last} (a (name) 7) S {parent} 1 1")
        self.last = parent
        return self


@pytest.fixture
def processes(tmp_path) -> Processes:
    return Processes(tmp_path)


def exposed(processes: Processes, *, environment: str | None = KEY, key: str = KEY, **how: bool) -> bool:
    return was_exposed(key, environment, processes.folder, **how)


ANSIBLE = ["python3", "/usr/bin/ansible-playbook", "site.yml"]


def test_environment_of_a_task_is_in_the_command_line_of_a_shell(processes):
    processes.above(["/bin/sh", "-c", f"{VARIABLE}={KEY} python && sleep 0"]).above(ANSIBLE)
    assert exposed(processes)
    # Also where an option gives another key, which is no less published.
    assert exposed(processes, key="9:another-key")


def test_so_it_is_below_sudo(processes):
    processes.above(["sudo", "-u", "root", "/bin/sh", "-c", f"echo BECOME ; {VARIABLE}={KEY} python"])
    assert exposed(processes)


def test_a_shell_that_replaced_itself_leaves_another_environment_than_that_of_ansible(processes):
    processes.above(ANSIBLE, ["HOME=/root"])
    assert exposed(processes)


def test_in_the_process_of_ansible_the_environment_of_a_task_comes_through_no_shell(processes):
    """It is another one than what Ansible was started with; only what stands in a command line was exposed."""
    processes.above(ANSIBLE, ["HOME=/root"])
    assert not exposed(processes, started_with_it=False)
    processes.above(["/bin/sh", "-c", f"{VARIABLE}={KEY} ansible-playbook site.yml; true"])
    assert exposed(processes, started_with_it=False)


def test_the_environment_of_ansible_itself_is_no_command_line(processes):
    processes.above(["/bin/sh", "-c", "python"]).above(ANSIBLE, ["HOME=/root", f"{VARIABLE}={KEY}"])
    assert not exposed(processes)


def test_nor_is_it_where_ansible_started_this_without_a_shell(processes):
    processes.above(ANSIBLE, ["HOME=/root", f"{VARIABLE}={KEY}"]).above(["bash"])
    assert not exposed(processes)


def test_a_key_after_e_is_in_the_command_line_of_ansible(processes):
    processes.above(["/bin/sh", "-c", "python"]).above([*ANSIBLE, "-e", f"key={KEY}"])
    assert exposed(processes, environment=None)


def test_names_and_files_of_keys_are_no_secrets(processes):
    line = f"{FILE_VARIABLE}=/etc/key WORKLOAD_SECURITY_URL=https://dsm.example.com python"
    processes.above(["/bin/sh", "-c", line]).above(ANSIBLE)
    assert not exposed(processes, environment=None)


def test_a_short_key_could_be_any_word(processes):
    processes.above(ANSIBLE)
    assert not exposed(processes, environment=None, key="site")


def test_what_cannot_be_told_is_not_said(processes, tmp_path):
    assert not was_exposed(KEY, KEY, tmp_path / "none")
    for wrong in (b"", b"7 (x) S", b"7 (x) S x", b"\xff"):
        (tmp_path / str(processes.last) / "stat").write_bytes(wrong)
        assert not exposed(processes)


def test_processes_without_end(processes, tmp_path):
    """Each its own parent."""
    (tmp_path / str(processes.last) / "stat").write_text(f"1 (x) S {processes.last}")
    assert not exposed(processes)


def test_the_warning_comes_with_the_key(monkeypatch, tmp_path):
    def seen(key, in_environment, *, started_with_it):
        return (key, in_environment, started_with_it) == (KEY, KEY, False)

    monkeypatch.setattr(api_key_module, "was_exposed", seen)
    assert read_api_key({}, {VARIABLE: KEY}) == ApiKey(KEY, (EXPOSED,))
    assert read_api_key({"api_key": KEY}, {}) == ApiKey(KEY, ())
    loose = read_api_key({"api_key_file": key_file(tmp_path, mode=0o644)}, {VARIABLE: KEY})
    assert [EXPOSED in loose.warnings, len(loose.warnings)] == [True, 2]
