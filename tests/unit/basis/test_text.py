# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside: shown exactly, on one line, and never able to steer a terminal or to lose a result."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import (
    encodable,
    enumerated,
    in_json,
    one_line,
    outline,
    quoted,
    shown,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("web-01 \u00fc \u65e5\u672c", "web-01 \u00fc \u65e5\u672c"),
        ("a\x1b[31m\r\nb", "a\\x1b[31m\\r\\nb"),
        ("a\tb ", "a\\tb "),
        ("a\xa0b\u2003", "a\\xa0b\\u2003"),
        ("\u202egnp.exe\u200b", "\\u202egnp.exe\\u200b"),
        ("\ud800", "\\ud800"),
        ("\x85\u2028", "\\x85\\u2028"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, visible: str) -> None:
    assert shown(text) == visible


def test_a_number_that_python_does_not_write_is_described() -> None:
    assert shown(10**5000) == shown([10**5000]) == "a number with thousands of digits"
    assert "'ttl' is 'a number with thousands of digits'" in str(OptionError("ttl", 10**5000, "it must be less"))


@given(ANY_TEXT)
def test_any_text_is_one_line_that_can_be_written(text: str) -> None:
    for safe in (shown(text), one_line(text), shown(text, 10)):
        safe.encode("utf-8")
        assert not [c for c in safe if c != " " and unicodedata.category(c)[0] in "CZ"]
    assert len(shown(text, 10)) <= 10


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=80))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_long_text_is_cut() -> None:
    assert shown("a" * 501) == "a" * 499 + "\u2026"
    assert shown("a" * 500) == "a" * 500
    assert len(one_line("word " * 10000)) == 500


def test_running_text_is_folded() -> None:
    assert one_line(" line one \r\n\tline\x07two ") == "line one line\\x07two"


def test_blanks_in_a_wrong_value_are_seen() -> None:
    assert quoted("https://a ") == "'https://a '"
    assert str(OptionError("url", "a\t\xa0", "no")) == "option 'url' is 'a\\t\\xa0': no"
    assert str(OptionError("port", 0, "no")) == "option 'port' is '0': no"


def test_outlines_cannot_be_forged() -> None:
    assert outline({"a\nb": {"c": ["x\n- y"], "d": "e\n"}}) == "a\\nb:\n  c:\n    - x\\n- y\n  d: e\\n\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_can_be_written(value: object) -> None:
    json.dumps(encodable(value), ensure_ascii=False).encode("utf-8")


def test_only_what_ansible_would_take_for_its_own_is_left_out() -> None:
    assert encodable({"__ansible_type": "x", "a": [{"__ansible_unsafe": 1, "b": "c\nd"}]}) == {"a": [{"b": "c\nd"}]}


def test_many_names() -> None:
    assert enumerated(["a", "b", "c"], most=2) == "a, b and 1 more"


@given(st.text(max_size=400), st.integers(10, 300))
def test_text_in_json_is_as_long_as_it_may_be(text: str, longest: int) -> None:
    short = in_json(text, longest)
    assert len(json.dumps(short, ensure_ascii=False)) <= longest
    if len(json.dumps(shown(text), ensure_ascii=False)) <= longest:
        assert short == shown(text)
