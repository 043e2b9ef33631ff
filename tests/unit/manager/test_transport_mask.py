# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API key, echoed by a manager, goes no further: not in results either."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import errors
from ansible_collections.workload_security.agent.plugins.module_utils._manager.mask import MASK, Mask, spellings
from tests.unit.manager.conftest import KEY
from tests.unit.manager.https_server import reply
from tests.unit.manager.test_transport_faults import CREATE, DELETE, MODIFY, READ, call, fails

SECRET = KEY.partition(":")[2]


def escaped(text):
    """Each character as JSON may also write it."""
    return "".join(f"\\u{ord(character):04{'xX'[index % 2]}}" for index, character in enumerate(text))


@pytest.mark.parametrize("request_", [READ, MODIFY, CREATE, DELETE])
@pytest.mark.parametrize("secret", [KEY, SECRET], ids=["key", "secret"])
@pytest.mark.parametrize(
    "spell",
    [str, quote, lambda text: quote(text, safe=""), html.escape, escaped, lambda text: text.replace("/", "\\/")],
    ids=["plain", "URL", "URL part", "HTML", "escaped", "slashes escaped"],
)
def test_in_a_result_it_is_masked(manager, request_, secret, spell):
    body = '{"name": "a %s b", "list": [{"%s": 1}, "x"], "other": [null, 1.5, true]}' % ((spell(secret),) * 2)
    assert call(manager(reply(body.encode())), request_) == {
        "name": f"a {MASK} b",
        "list": [{MASK: 1}, "x"],
        "other": [None, 1.5, True],
    }


def test_one_escaped_character_does_not_hide_it(manager):
    for index, character in enumerate(SECRET):
        body = '{"name": "%s"}' % (SECRET[:index] + escaped(character) + SECRET[index + 1 :])
        assert call(manager(reply(body.encode())), READ) == {"name": MASK}


def test_in_an_error_it_is_masked_however_it_is_escaped(manager):
    for body in ('{"message": "%s"}', "no JSON: %s", '{"unfinished": "%s'):
        error = fails(manager(reply((body % escaped(KEY)).encode(), 403)), READ, errors.Forbidden)
        assert MASK in error.message and "0053" not in error.message


def test_a_usual_reply_is_not_walked(manager, monkeypatch):
    def fail(*_arguments):
        raise AssertionError("a reply without the key was looked through")

    monkeypatch.setattr(Mask, "value", fail)
    found = {"policies": [{"name": 'wéb \\ "1" / \u00a0', "ID": 17}]}
    assert call(manager(reply(found)), READ) == found


@pytest.mark.parametrize("key", ["x", "17:x", "17:", ":", "17:+/=+/=", "name", "1:name"])
def test_a_key_that_is_too_short_to_be_one_changes_no_result(key):
    value = {"name": "a name of 17: x", "ID": "1:2"}
    assert Mask(key).value(value) == value


TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=30)
WRAPPED = st.recursive(
    st.just(None), lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@given(id_=st.integers(0, 99), secret=TEXTS, around=st.text(max_size=5), more=WRAPPED, data=st.data())
@example(id_=1, secret="/" * 8, around="", more=None, data=None)
def test_what_holds_the_key_is_always_found(id_, secret, around, more, data):
    assume(":" not in secret)
    key = f"{id_}:{secret}"
    mask = Mask(key)
    spelled = data.draw(st.sampled_from(spellings(key))) if data else key
    assume(len(spelled) >= 8)
    value = {"more": more, "text": [around + spelled + around, {around + spelled: 1}]}
    escapes = data.draw(st.sets(st.integers(0, len(spelled)))) if data else set()
    spelled_in_json = "".join(
        escaped(character) if index in escapes else json.dumps(character)[1:-1]
        for index, character in enumerate(spelled)
    )
    body = json.dumps(value).replace(json.dumps(spelled)[1:-1], spelled_in_json).encode()
    assert json.loads(body) == value
    assert mask.may_be_in(body)
    masked = mask.value(value)
    assert masked["more"] == more
    for text in (masked["text"][0], *masked["text"][1]):
        assert spelled not in text and MASK in text
    assert spelled not in mask.text(body.decode())
