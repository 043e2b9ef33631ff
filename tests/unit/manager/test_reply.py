# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes out of a reply is the same whether orjson is installed or not."""

from __future__ import annotations

import importlib.util
import json
import sys
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import reply as reply_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.reply import DEEPEST, Failure, Reply

# As text: numbers of any length and kind, also those that are none.
NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**99, 10**100, -(10**100)]).map(str),
    st.floats(allow_nan=True).map(json.dumps),
    st.sampled_from("-0 -0.0 0.1 1.0 1e5 1E+2 1e400 -1e400 1e-400 5e-324 01 +1 1. .5 1e -".split()),
    st.integers(0, 130).map(lambda length: "9" * length),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
)
TEXTS = st.one_of(
    st.text().map(json.dumps),
    st.text().map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        [
            r'"\ud800"',
            r'"\udc00"',
            r'"\ud83d\ude00"',
            r'"\ude00\ud83d"',
            r'"\u0000"',
            r'"\x"',
            r'"\u12"',
            '"\t"',
            '"\n"',
            '"\x7f"',
            '"',
        ]
    ),
)
WORDS = st.sampled_from("true false null NaN Infinity -Infinity nan True".split())
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t", "\r", "\x0c", "\xa0"])
# Few names, so that some come twice.
NAMES = st.sampled_from(['"ID"', '"ID"', '"name"', r'"\u0049D"', '""', "ID"])


def containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists and objects of such values, and some that are none."""
    spaced = st.tuples(SPACE, values, SPACE).map("".join)
    members = st.tuples(NAMES, SPACE, spaced).map(lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}")
    return st.one_of(
        st.lists(spaced, max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.lists(members, max_size=4).map(lambda items: f"{{{','.join(items)}}}"),
        st.sampled_from(["[1,]", '{"a":1,}', "[1 2]", "{1: 2}", "[", "}"]),
    )


VALUES = st.recursive(st.one_of(NUMBERS, TEXTS, WORDS), containers, max_leaves=12)
BODIES = st.one_of(
    containers(VALUES).map(lambda text: text.encode("utf-8", "surrogatepass")),
    VALUES.map(lambda text: b'{"a":' + text.encode("utf-8", "surrogatepass") + b"}"),
    st.binary(max_size=20).map(lambda piece: b'{"a":"' + piece + b'"}'),
    st.binary(max_size=20),
)


def both_ways(body: bytes) -> tuple[object, object]:
    """What a reply comes to with orjson, and without."""
    assert reply_module.orjson is not None, "the lab brings it along"
    # Bodies as small as these are not left to it otherwise.
    with mock.patch.object(reply_module, "_SMALLEST_FOR_ORJSON", 0):
        with_it = outcome(body)
    with mock.patch.object(reply_module, "orjson", None):
        return with_it, outcome(body)


def outcome(body: bytes) -> object:
    """A value told to its types, the order of members included, or what is wrong with it; and if it is all of one."""
    reply = Reply(200, body=body)
    found = [reply.parsed(may_be_empty=may_be_empty) for may_be_empty in (False, True)]
    return [repr(one) if isinstance(one, Failure) else (one, repr(one)) for one in found], reply.broke_off()


@given(BODIES)
@example(b"\xef\xbb\xbf{}")
@example('{"a": "é"}'.encode("latin-1"))
@example('{"a": "é"}'.encode("utf-16"))
@example(b'{"a": "\xed\xa0\x80"}')
@example(b'{"a": "' + b"1" * 200 + b'"}')
@example(b'{"a": ' + b"9" * 10**5 + b"}")
@example(b'{"a": ' + b"9" * 101 + b', "a": 0}')
@example(b'{"a": 1e400, "a": 0}')
@example(b'{"a": 1.0, "a": 18446744073709551616}')
def test_a_reply_is_the_same_with_orjson_and_without(body):
    with_it, without = both_ways(body)
    assert with_it == without


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("levels", [DEEPEST - 1, DEEPEST, 500, 1023, 1024, 1025, 5_000, 200_000])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("inner", ["1", "1.5"])
def test_depth_is_bounded_with_orjson_and_without(opening, closing, levels, ended, inner):
    body = f'{{"a":{opening * levels}{inner}{closing * (levels if ended else levels - 1)}}}'.encode()
    with_it, without = both_ways(body)
    assert with_it == without
    is_taken = isinstance(Reply(200, body=body).parsed(may_be_empty=False), dict)
    assert is_taken == (ended and levels < DEEPEST)


def test_a_large_body_and_a_small_one_are_left_to_python(monkeypatch):
    monkeypatch.setattr(reply_module, "_SMALLEST_FOR_ORJSON", 9)
    monkeypatch.setattr(reply_module, "_LARGEST_FOR_ORJSON", 10)
    orjson = mock.Mock(wraps=reply_module.orjson)
    monkeypatch.setattr(reply_module, "orjson", orjson)
    for body, calls in ((b'{"a":"23"}', 1), (b'{"a":"234"}', 1), (b'{"a":""}', 1), (b'{"a":1.5}', 2)):
        assert Reply(200, body=body).parsed(may_be_empty=False) == json.loads(body)
        assert orjson.loads.call_count == calls


def test_what_is_quick_to_parse_needs_no_function_for_each_number(monkeypatch):
    """A number that is too long is refused, wherever it stands; others are parsed without a call of ours."""
    called = []
    integer = reply_module._integer
    monkeypatch.setattr(reply_module, "orjson", None)
    decoder = json.JSONDecoder(parse_int=lambda digits: (called.append(digits), integer(digits))[1])
    monkeypatch.setattr(reply_module, "_LONG_NUMBERS_DECODER", decoder)
    assert Reply(200, body=b'{"a": [' + b"9" * 100 + b"]}").parsed(may_be_empty=False) == {"a": [10**100 - 1]}
    assert not called
    assert isinstance(Reply(200, body=b'{"a": [' + b"9" * 101 + b"]}").parsed(may_be_empty=False), Failure)
    # As a text, it is none.
    text = "9" * 101
    assert Reply(200, body=json.dumps({"a": [7, text]}).encode()).parsed(may_be_empty=False) == {"a": [7, text]}
    assert called == ["9" * 101, "7"]


@pytest.mark.parametrize(
    "there, is_used",
    [
        ({"__version__": "3.13.0"}, True),
        ({"__version__": "4.0"}, True),
        ({"__version__": "3.9.14"}, False),
        ({"__version__": "x"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_orjson_is_used_where_it_fits(there, is_used):
    """A release that is too old or broken is as good as none."""
    installed = there and mock.Mock(spec_set=list(there), **there)
    with mock.patch.dict(sys.modules, {"orjson": installed}):
        spec = importlib.util.spec_from_file_location(reply_module.__name__, reply_module.__file__)
        again = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(again)
    assert (again.orjson is installed and installed is not None) == is_used
