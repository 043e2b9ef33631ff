# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as functions: plain results from tagged values, and one kind of error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.agent_cipher_suites import agent_cipher_suites
from ansible_collections.workload_security.agent.plugins.filter.agent_release import agent_release
from ansible_collections.workload_security.agent.plugins.filter.cipher_suite_names import cipher_suite_names
from ansible_collections.workload_security.agent.plugins.module_utils._agent.suites import NAMES, SUITES
from ansible_collections.workload_security.agent.plugins.module_utils._basis.plain import plain_text

NOT_TEXT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.dictionaries(st.text(), st.integers()),
    st.just(object()),
)


def types_in(value: object) -> set[type]:
    """The exact types of a value and of everything in it."""
    found = {type(value)}
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in items:
        found |= types_in(item)
    return found


PLAIN = {dict, list, str, int, bool, type(None)}


@pytest.mark.parametrize("text", ["10.0.0.3186", "11.0.0.540", "11.0 Update 6", "zzz", "0.0.0.0"])
def test_tagged_values_give_plain_results(text: str) -> None:
    tagged = trust_as_template(text)
    assert tagged.__class__ is not str
    for answer in (agent_release(tagged), agent_cipher_suites(tagged)):
        assert types_in(answer) <= PLAIN
    assert agent_release(tagged) == agent_release(text)
    assert agent_cipher_suites(tagged) == agent_cipher_suites(text)


def test_tagged_text_is_made_plain_on_the_way_in() -> None:
    assert plain_text(trust_as_template("10.0.0.3186"), "a version").__class__ is str


def test_tagged_names_give_plain_results() -> None:
    assert types_in(cipher_suite_names(trust_as_template("AES128-SHA"), trust_as_template("iana"))) == {str}
    assert types_in(cipher_suite_names([trust_as_template("AES128-SHA")])) == {list, str}


@pytest.mark.parametrize("wanted", NAMES)
@pytest.mark.parametrize("given_as", NAMES)
def test_names_translate_from_any_kind_to_any_kind(given_as: str, wanted: str) -> None:
    names = [getattr(suite, given_as) for suite in SUITES]
    expected = [getattr(suite, wanted) for suite in SUITES]
    assert cipher_suite_names(names, wanted) == expected
    assert [cipher_suite_names(name, to=wanted) for name in names] == expected


def test_openssl_is_what_names_turn_into_by_default() -> None:
    assert cipher_suite_names("TLS_RSA_WITH_3DES_EDE_CBC_SHA") == "DES-CBC3-SHA"
    assert cipher_suite_names([]) == []


@pytest.mark.parametrize(
    ("value", "to", "message"),
    [
        ("RC4-MD5", "iana", "'RC4-MD5' is not a cipher suite"),
        (["AES128-SHA", "X" * 10_000], "iana", "'" + "X" * 79 + "\u2026' is not a cipher suite"),
        ([1], "iana", "expected the name of a cipher suite as a string, got a number"),
        ([["AES128-SHA"]], "iana", "got a list"),
        ({"AES128-SHA": 1}, "iana", "got a dictionary"),
        (None, "iana", "got null"),
        ("AES128-SHA", "gnutls", "no names of the kind 'gnutls', choose one of iana, openssl, code_point"),
        ("AES128-SHA", None, "expected the kind of name as a string, got null"),
    ],
)
def test_names_that_cannot_be_translated(value: object, to: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match="^cipher_suite_names: ") as error:
        cipher_suite_names(value, to)
    assert message in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10.0, "expected an agent's version or release as a string, got a number, put it in quotes"),
        (20, "got a number, put it in quotes"),
        (True, "got a boolean"),
        (None, "got null"),
        (["10.0.0.3186"], "got a list"),
        ({"version": "10.0.0.3186"}, "got a dictionary"),
        (b"10.0.0.3186", "got something else"),
    ],
)
@pytest.mark.parametrize("plugin", [agent_release, agent_cipher_suites])
def test_other_types_are_refused_with_a_hint(plugin, value: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{plugin.__name__}: ") as error:
        plugin(value)
    assert message in str(error.value)


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert agent_release(text)["reason"]
    assert agent_cipher_suites(text)["reason"]


@given(NOT_TEXT)
def test_nothing_but_a_filter_error_comes_out(value: object) -> None:
    for plugin in (agent_release, agent_cipher_suites, cipher_suite_names):
        with pytest.raises(AnsibleFilterError):
            plugin(value)


@given(st.text() | st.lists(st.text() | NOT_TEXT, min_size=1), st.text() | NOT_TEXT)
def test_translation_knows_or_refuses(value: object, to: object) -> None:
    try:
        answer = cipher_suite_names(value, to)
    except AnsibleFilterError:
        return
    assert to in NAMES
    assert types_in(answer) <= {list, str}
