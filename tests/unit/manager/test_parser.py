# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes out of a reply is the same whether msgspec is installed or not."""

from __future__ import annotations

import importlib.util
import json
import sys
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import parser
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import (
    COMPUTER,
    LISTED_COMPUTER,
    Kind,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.parser import DEEPEST
from ansible_collections.workload_security.agent.plugins.module_utils._manager.reply import Failure, Reply

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
    """What a reply comes to with msgspec, and without."""
    assert parser.msgspec is not None
    # Bodies as small as these are not left to it otherwise.
    with mock.patch.object(parser, "_SMALLEST_FOR_MSGSPEC", 0):
        with_it = outcome(body)
    with mock.patch.object(parser, "msgspec", None):
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
def test_a_reply_is_the_same_with_msgspec_and_without(body):
    with_it, without = both_ways(body)
    assert with_it == without


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("levels", [DEEPEST - 1, DEEPEST, 500, 1023, 1024, 1025, 5_000, 200_000])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("inner", ["1", "1.5"])
def test_depth_is_bounded_with_msgspec_and_without(opening, closing, levels, ended, inner):
    body = f'{{"a":{opening * levels}{inner}{closing * (levels if ended else levels - 1)}}}'.encode()
    with_it, without = both_ways(body)
    assert with_it == without
    is_taken = isinstance(Reply(200, body=body).parsed(may_be_empty=False), dict)
    assert is_taken == (ended and levels < DEEPEST)


def test_a_small_body_is_left_to_python(monkeypatch):
    monkeypatch.setattr(parser, "_SMALLEST_FOR_MSGSPEC", 9)
    msgspec = mock.Mock(wraps=parser.msgspec)
    monkeypatch.setattr(parser, "msgspec", msgspec)
    for body, calls in ((b'{"a":""}', 0), (b'{"a":"23"}', 1), (b'{"a":1.5}', 2)):
        assert Reply(200, body=body).parsed(may_be_empty=False) == json.loads(body)
        assert msgspec.json.decode.call_count == calls


# Computers with fields of the right types, of others, and without any use.
DATES = ["lastAgentCommunication", "lastSendPolicyRequest", "lastSendPolicySuccess"]
FIELDS = [*COMPUTER.fields, *DATES, "hostGUID"]
USED = {
    "computerStatus": ["agentStatus", "agentStatusMessages"],
    "tasks": ["agentTasks"],
    "firewall": ["state", "ruleIDs"],
    "setting": ["value"],
}
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "value": st.sampled_from([None, "", "10", 10]),
        "state": st.sampled_from([None, "on", False]),
        "ruleIDs": st.sampled_from([None, [], [1, 2], [0], ["1"], [2**63]]),
        "agentStatus": st.sampled_from([None, "active", 1]),
        "agentStatusMessages": st.sampled_from([None, [], ["a"], [None]]),
        "agentTasks": st.sampled_from([None, [], ["a"], "a"]),
        "other": st.just({"a": [1.5]}),
    },
)
FIELD_VALUES = st.one_of(
    st.none(),
    st.sampled_from(["", "web1", 0, 1, -1, 2**63, -(2**63), 10**120, 1.5, 1.0, True, False, [], {}]),
    PARTS,
    PARTS.map(lambda part: {"platformSettingHeartbeatInterval": part, "x": None}),
)
GOOD = st.fixed_dictionaries(
    {"ID": st.integers(1, 10**6), "hostName": st.sampled_from(["web1", None])}, optional={"displayName": st.just("a")}
)
COMPUTERS = st.one_of(
    GOOD,
    st.builds(
        lambda good, odd: {**good, **odd}, GOOD, st.dictionaries(st.sampled_from(FIELDS), FIELD_VALUES, max_size=3)
    ),
    st.dictionaries(st.sampled_from(["ID", *FIELDS]), st.none()),
    st.dictionaries(st.sampled_from(["ID", *FIELDS]), FIELD_VALUES, max_size=3),
    st.sampled_from([None, 1, [], "web1"]),
)
PAGES = st.lists(COMPUTERS, max_size=4).map(lambda items: json.dumps({"computers": items}))


def listed(kind: Kind, body: bytes, overrides: bool) -> object:
    """What a client makes of a page: its objects, with the fields that tasks use of a fleet; or the error."""

    class Answering:
        """Answers each request with the page."""

        def read(self, *, as_page, **_asked):
            parsed = Reply(200, body=body).parsed(may_be_empty=False, as_page=as_page)
            if isinstance(parsed, Failure):
                raise parsed.kind("POST", "/computers/search", message=parsed.message)
            return parsed

    try:
        items = Client(Answering())._search(kind, [{}], overrides=overrides)
    except BadReply as error:
        return str(error)
    return repr([{name: used(name, item[name]) for name in ("ID", *FIELDS[:-1]) if name in item} for item in items])


def used(name: str, value: object) -> object:
    """A field's value without members that have no use."""
    if not isinstance(value, dict):
        return value
    if name == "computerSettings":
        return {setting: used("setting", entry) for setting, entry in value.items()}
    return {part: value[part] for part in USED.get(name, value) if part in value}


@given(PAGES.map(str.encode), st.booleans())
@example(b'{"computers": []}', True)
@example(b'{"computers": null}', True)
@example(b'{"computers": [{}]}', True)
@example(b'{"computers": [{"id": 1, "name": "web1"}]}', True)
@example(b'{"computers": [{"ID": null}]}', False)
@example(b'{"computers": [{"ID": 1}]}', False)
@example(b'{"computers": [{"ID": 1, "hostName": "a", "ID": 2}], "computers": [{"ID": 3, "hostName": "b"}]}', False)
@example(b'{"computers": [{"ID": 1, "hostName": "\xff"}]}', False)
@example(rb'{"computers": [{"ID": 1, "hostName": "\ud800"}]}', False)
@example(b'{"computers": [{"ID": 1, "hostName": "a", "x": {"y": 1}}], "z": [1, 2]}', False)
@example(b'{"computers": [{"ID": 1, "hostName": "a"', False)
def test_a_page_is_the_same_with_its_parser_and_without(body, overrides):
    assert listed(LISTED_COMPUTER, body, overrides) == listed(COMPUTER, body, overrides)


def test_a_page_is_parsed_by_its_parser(monkeypatch):
    """It leaves out what has no use, and does not read it."""
    body = b'{"computers": [{"ID": 1, "hostName": "a", "x": {"y": ' + b"[" * 40 + b"]" * 40 + b"}}]}"
    page = LISTED_COMPUTER.as_page(body)
    assert page == {"computers": [{"ID": 1, "hostName": "a"}]}
    assert listed(LISTED_COMPUTER, body, False) == repr([{"ID": 1, "hostName": "a"}])
    monkeypatch.setattr(parser, "msgspec", None)
    assert LISTED_COMPUTER.as_page(body) is None


def test_what_is_quick_to_parse_needs_no_function_for_each_number(monkeypatch):
    """A number that is too long is refused, wherever it stands; others are parsed without a call of ours."""
    called = []
    integer = parser._integer
    monkeypatch.setattr(parser, "msgspec", None)
    decoder = json.JSONDecoder(parse_int=lambda digits: (called.append(digits), integer(digits))[1])
    monkeypatch.setattr(parser, "_LONG_NUMBERS_DECODER", decoder)
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
        ({"__version__": "0.19.0"}, True),
        ({"__version__": "1.0"}, True),
        ({"__version__": "0.18.6"}, False),
        ({"__version__": "x"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_msgspec_is_used_where_it_fits(there, is_used):
    """A release that is too old or broken is as good as none."""
    installed = there and mock.Mock(spec_set=["MsgspecError", *there], **there)
    with mock.patch.dict(sys.modules, {"msgspec": installed}):
        spec = importlib.util.spec_from_file_location(parser.__name__, parser.__file__)
        again = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(again)
    assert (again.msgspec is installed and installed is not None) == is_used
