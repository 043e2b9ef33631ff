# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns of files find what the C library's own glob finds."""

from __future__ import annotations

import ctypes
import os
import typing as t
import warnings
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._dns.patterns import HAS_PATTERN, found_by

# As Unbound calls it: a folder that cannot be read is an error, and braces count.
ERRORS, BRACES = 1, 1 << 10
ABORTED, NOTHING = 2, 3
NAMES = ["a.conf", "b.conf", ".c.conf", "a b", "[x]", "a{b", "a\\b", "!", "]", "-", "a,b", "A.conf", "^", "z.conf~"]

# Neither parts that lead up, nor braces with nothing in them, of which the library makes something of its own.
PIECES = [
    *"ab.*?[],/\\!^-xc~",
    "*.conf",
    "sub",
    "sub/",
    "[a-c]",
    "[!a]",
    "{a,b}",
    "[[:alpha:]]",
    "[^]",
    "[]",
    "[]a]",
    "[a-",
]
PIECES += [
    "{a,{b,c}}",
    "*/",
    "[[:bogus:]]",
    "[[:punct:]-z]",
    "[\\]]",
    "[a\\-z]",
    "[z-a]",
    "[--b]",
    "[!]a]",
    "[^]]",
]


class Found(ctypes.Structure):
    """What glob(3) fills in; of what is behind these fields, nothing is looked at."""

    _fields_: t.ClassVar = [
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("rest", ctypes.c_byte * 128),
    ]


def found_by_the_library(pattern: str) -> list[str]:
    """The paths; of what ends with an error, the pattern itself, as Unbound does it."""
    library, found = ctypes.CDLL(None), Found()
    ended = library.glob(os.fsencode(pattern), ERRORS | BRACES, None, ctypes.byref(found))
    if ended:
        assert ended in (ABORTED, NOTHING)
        return [pattern] if ended == ABORTED else []
    paths = [os.fsdecode(found.paths[number]) for number in range(found.count)]
    library.globfree(ctypes.byref(found))
    return paths


def some_of(paths: list[str]) -> list[str]:
    """Those without parts that mean the folder itself or the one above, which no server has files by."""
    return sorted(os.path.normpath(path) for path in paths if {".", ".."}.isdisjoint(path.split("/")))


@pytest.fixture(name="folder", scope="module")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for place in (folder, folder / "sub", folder / "sub" / "x", folder / ".hidden", folder / "empty"):
        place.mkdir(exist_ok=True)
    for name in [*NAMES, "sub/d.conf", "sub/x/e", ".hidden/f"]:
        (folder / name).touch()
    return folder


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
@example("[a\\-z]*")
@example("[]")
@example("[a-[^]")
@example("[^]]-[a-c]")
@example("\\*/[x]")
@example("*/")
@example("\\.c*")
@example("[a||b]*")
@example("[a].conf")
def test_what_the_library_finds_is_found(folder: Path, pattern: str) -> None:
    assume(HAS_PATTERN.search(pattern) and ".." not in pattern and not pattern.startswith("/"))
    # The library takes the first ones of these for a user's folder, and the last for a letter as a language sorts it.
    assume(not pattern.startswith("~") and ",~" not in pattern and "[." not in pattern)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = found_by(pattern, str(folder), str(folder / "a.conf"))
    theirs = found_by_the_library(f"{folder}/{pattern}")
    assert some_of(ours) == some_of(theirs)
