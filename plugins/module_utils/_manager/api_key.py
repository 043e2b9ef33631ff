# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API key: where it comes from, which parts must never be shown, and whether it was already exposed."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from collections.abc import Mapping
from pathlib import Path

from .._basis.errors import OptionError
from .._basis.files import read_whole, readable_file
from .._basis.text import shown

VARIABLE = "WORKLOAD_SECURITY_API_KEY"
FILE_VARIABLE = "WORKLOAD_SECURITY_API_KEY_FILE"

API_KEY_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    # No fallback to the environment, which could give another key than the other option.
    "api_key": {"type": "str", "no_log": True},
    "api_key_file": {"type": "path", "no_log": False},
}

# In bytes. A key has about a hundred characters, or about a thousand if it is a token of several parts.
_LARGEST_FILE = 16 * 2**10
_HOLDS = "only the API key"
_ONE_LINE = "it must be printable ASCII without spaces; a line break at its end is a common mistake"

# In characters. No key is shorter. A shorter part of a key could be any word or number, and masking it protects
# nothing.
_LONG_ENOUGH = 8
_TOO_SHORT = f"too short, an API key has at least {_LONG_ENOUGH} characters"

# How many processes to look at, from this one upward, and how many bytes of each command line.
_MOST_ANCESTORS = 64
_LONGEST_COMMAND_LINE = 2**21

# A word in the command line of the process that runs an async task detached; and programs that start tasks.
_ASYNC = b"async_wrapper"
_PROGRAMS = (b"ansible-playbook", b"ansible-runner", b"ansible-pull", b"ansible-console")

EXPOSED = (
    "the API key came through the command line of a program that started this task, where ps shows it to every user of "
    f"the machine. That is what {VARIABLE} in environment: of a task, block or play does, and Ansible then also shows "
    "it with -vvv and in its log file, whatever no_log says; a key after -e of ansible-playbook is in its command line, "
    "too. Give it by option api_key_file, by api_key from a vault, or in the environment of ansible-playbook itself, "
    "and replace this key on the manager"
)


class ApiKey(t.NamedTuple):
    """A key that can be sent, and warnings about where it came from."""

    value: str
    warnings: tuple[str, ...]


def read_api_key(params: Mapping[str, t.Any], environment: Mapping[str, str] | None = None) -> ApiKey:
    """The key from the options or else from the environment. Raises C(OptionError), which never shows the key.

    C(environment): the task's, if this process was not started with it.
    """
    started_with_it = environment is None
    environment = os.environ if environment is None else environment
    key, path = _text(params.get("api_key")), _text(params.get("api_key_file"))
    if key is None and path is None:
        key, path = _text(environment.get(VARIABLE)), _text(environment.get(FILE_VARIABLE))
    if key is None and path is None:
        raise OptionError(
            "api_key",
            None,
            f"a key is needed: option api_key or api_key_file, or in the environment {VARIABLE} or {FILE_VARIABLE}",
        )
    if key is not None and path is not None:
        raise OptionError(
            "api_key_file",
            path,
            f"give either this or api_key, not both (from the environment, they are {FILE_VARIABLE} and {VARIABLE})",
        )
    warnings: tuple[str, ...] = ()
    if path is not None:
        key, warnings = _from_file(path)
    elif key is None or not _can_be_sent(key):
        blank = key is not None and not key.strip()
        raise OptionError("api_key", None, f"{_ONE_LINE}{'; this one is all white space' if blank else ''}")
    elif len(key) < _LONG_ENOUGH:
        raise OptionError("api_key", None, f"this one is {_TOO_SHORT}")
    exposed = was_exposed(key, environment.get(VARIABLE), started_with_it=started_with_it)
    return ApiKey(key, (*warnings, EXPOSED) if exposed else warnings)


def secrets_of(key: str | None) -> set[str]:
    """The secrets in a key, or in a value given as one: the whole value, and its secret half.

    Values that are too short to be a key are left out, because they would mask ordinary text.
    """
    if not key or len(key.strip()) < _LONG_ENOUGH:
        return set()
    half = key.rpartition(":")[2]
    return {key, half} if len(half) >= _LONG_ENOUGH else {key}


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _can_be_sent(key: str) -> bool:
    # A line break would let the value add its own headers. Other characters cannot be sent in a header.
    return bool(key) and all("!" <= character <= "~" for character in key)


def _from_file(path: str) -> tuple[str, tuple[str, ...]]:
    """The key in a file, and a warning if others may read it."""
    path = readable_file("api_key_file", path, _HOLDS)

    def refused(reason: str) -> OptionError:
        return OptionError("api_key_file", path, f"it must be a readable file with {_HOLDS}: {reason}")

    try:
        content = read_whole(path, _LARGEST_FILE)
        mode = os.stat(path).st_mode
    except OSError as error:
        raise refused(error.strerror or "it cannot be read") from None
    if content.startswith(b"$ANSIBLE_VAULT"):
        raise refused("this one is encrypted by ansible-vault; give option api_key from a variable in a vault instead")
    key = content.decode("latin-1")
    key = key[:-1] if key.endswith("\n") else key
    key = key[:-1] if key.endswith("\r") else key
    if not key:
        raise refused("this one is empty")
    if not _can_be_sent(key):
        raise refused("it must be one line of printable ASCII without spaces")
    if len(key) < _LONG_ENOUGH:
        raise refused(f"this one is {_TOO_SHORT}")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return key, (f"api_key_file: users other than its owner can read {shown(path)}; chmod 600 fixes that",)
    return key, ()


def _is_in_no_environment_of_ansible(key: str, proc: Path) -> bool:
    """Whether Ansible's programs run here, and none of them was started with this key in its environment."""
    variable = f"{VARIABLE}={key}".encode("utf-8", "surrogateescape")
    found = False
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            started_with = (folder / "environ").read_bytes().split(b"\0")
            with open(folder / "cmdline", "rb") as file:
                line = file.read(_LONGEST_COMMAND_LINE).split(b"\0")
            if started_with == [b""] or _ASYNC in b" ".join(line):
                continue
            if any(word.rpartition(b"/")[2].startswith(_PROGRAMS) for word in line[:3]):
                if variable in started_with:
                    return False
                found = True
    return found


def was_exposed(
    secret: str, in_environment: str | None, proc: Path = Path("/proc"), *, started_with_it: bool = True
) -> bool:
    """Whether a secret, or a key in the task's environment, was in a command line, if that can be found out.

    A shell may have replaced itself, and so its command line, with the program that it ran. Then Ansible started this
    process and gave it another environment than its own. With C(started_with_it), it did so through a shell.
    """
    marks = [secret.encode()] if len(secret) >= _LONG_ENOUGH else []
    marks += [f"{VARIABLE}=".encode()] if in_environment else []
    try:
        process = os.getpid()
        for distance in range(_MOST_ANCESTORS):
            if process < 1:
                break
            folder = f"{proc}/{process}"
            with open(f"{folder}/cmdline", "rb") as file:
                line = file.read(_LONGEST_COMMAND_LINE)
            if any(mark in line for mark in marks):
                return True
            if distance == 1 and in_environment and started_with_it and b"ansible" in line:
                with open(f"{folder}/environ", "rb") as file:
                    started_with = file.read().split(b"\0")
                variable = f"{VARIABLE}={in_environment}".encode("utf-8", "surrogateescape")
                if started_with != [b""] and variable not in started_with:
                    return True
            if in_environment and started_with_it and _ASYNC in line:
                # The process that started it is gone, with its command line.
                return _is_in_no_environment_of_ansible(in_environment, proc)
            # The program's name, in parentheses, may contain any character.
            with open(f"{folder}/stat", "rb") as file:
                state = file.read().rpartition(b")")[2].split()
            process = int(state[1])
    except (OSError, ValueError, IndexError):
        # There is no /proc, or this user may not read it, so it is unknown.
        return False
    return False
