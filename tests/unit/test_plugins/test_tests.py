# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests as functions: an answer for every agent, and one kind of error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.test.agent_supports_suite import agent_supports_suite
from ansible_collections.workload_security.agent.plugins.test.agent_supports_tls import agent_supports_tls
from ansible_collections.workload_security.agent.plugins.test.older_than_release import older_than_release

# Each test with an argument that is right.
TESTS = [(agent_supports_suite, "AES128-SHA"), (agent_supports_tls, "1.2"), (older_than_release, "11.0")]
each_test = pytest.mark.parametrize(("plugin", "argument"), TESTS, ids=lambda value: getattr(value, "__name__", value))

NOT_TEXT = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.lists(st.text())


@pytest.mark.parametrize(
    ("version", "suite", "answer"),
    [
        ("9.5.2.2023", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", False),
        ("9.5.3.2754", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", True),
        ("9.6.2.7690", "des-cbc3-sha", False),
        ("9.6.2.7690", "0x00,0x9C", True),
        ("10.0", "ECDHE-RSA-AES128-SHA256", False),
        ("11.0", "ECDHE-RSA-AES128-SHA256", True),
        ("20.0.3.860", "C0,30", True),
    ],
)
def test_suites(version: str, suite: str, answer: bool) -> None:
    assert agent_supports_suite(version, suite) is answer
    assert agent_supports_suite(trust_as_template(version), trust_as_template(suite)) is answer
    assert agent_supports_suite(version, suite, when_unknown=not answer) is answer


@pytest.mark.parametrize(
    ("version", "tls", "answer"),
    [
        ("9.5", "1.0", True),
        ("9.5", "1.2", False),
        ("10.0.0.3186", "TLSv1.2", True),
        ("10.0.0.3186", "TLS 1.0", False),
        ("12.5.0.936", "1.2", True),
    ],
)
def test_tls(version: str, tls: str, answer: bool) -> None:
    assert agent_supports_tls(version, tls) is answer
    assert agent_supports_tls(version, tls, when_unknown=not answer) is answer


@pytest.mark.parametrize(
    ("plugin", "version", "argument"),
    [
        (agent_supports_suite, "11.0.0.540", "AES256-SHA256"),
        (agent_supports_suite, "12.5", "AES256-SHA256"),
        (agent_supports_suite, "no version", "AES256-SHA256"),
        (agent_supports_tls, "9.6 SP1 Patch 1 Update 5", "1.2"),
        (agent_supports_tls, "20", "1.3"),
        (agent_supports_tls, "0.0.0.0", "1.2"),
        (older_than_release, "11.0.0.540", "11.0 Update 6"),
        (older_than_release, "no version", "11.0"),
    ],
)
def test_what_is_unknown_is_what_the_caller_says(plugin, version: str, argument: str) -> None:
    assert plugin(version, argument) is False
    assert plugin(version, argument, when_unknown=True) is True
    assert plugin(version, argument, when_unknown=False) is False


def test_older_goes_by_the_certainty_that_is_asked_for() -> None:
    assert older_than_release("10.0.0.3186", "10.0 Update 17") is True
    assert older_than_release("10.0.0.3186", "10.0 Update 17", certainty="likely") is False
    assert older_than_release("10.0.0.3186", "10.0 Update 17", True, certainty="likely") is True
    assert older_than_release("20.0.0.243", "20.0.0.877") is False


@pytest.mark.parametrize(
    ("plugin", "arguments", "message"),
    [
        (
            agent_supports_suite,
            ("10.0", "RC4-MD5"),
            "'RC4-MD5' is not a cipher suite that an agent is documented to use",
        ),
        (agent_supports_suite, ("10.0", ["AES128-SHA"]), "expected the name of a cipher suite as a string, got a list"),
        (agent_supports_tls, ("10.0", 1.2), "expected a version of TLS as a string, got a number, put it in quotes"),
        (agent_supports_tls, ("10.0", "1.4"), "'1.4' is not a version of TLS, which are 1.0, 1.1, 1.2, 1.3"),
        (older_than_release, ("10.0", 11.0), "expected a release as a string, got a number, put it in quotes"),
        (older_than_release, ("10.0", "11.0.221"), "'11.0.221' is neither a release such as '11.0 Update 6'"),
        (older_than_release, ("10.0", "11.0", False, "sure"), "no certainty 'sure', choose one of confirmed, likely"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(plugin, arguments: tuple, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{plugin.__name__}: ") as error:
        plugin(*arguments)
    assert message in str(error.value)


@each_test
@pytest.mark.parametrize("when_unknown", ["yes", 1, None])
def test_the_answer_for_the_unknown_is_a_boolean(plugin, argument: str, when_unknown: object) -> None:
    with pytest.raises(AnsibleFilterError, match="expected when_unknown as a boolean"):
        plugin("zzz", argument, when_unknown)


@each_test
@given(text=st.text())
def test_any_text_gets_a_boolean(plugin, argument: str, text: str) -> None:
    assert plugin(text, argument) in (True, False)


@each_test
@given(value=NOT_TEXT)
def test_nothing_but_a_filter_error_comes_out(plugin, argument: str, value: object) -> None:
    with pytest.raises(AnsibleFilterError):
        plugin(value, argument)
    with pytest.raises(AnsibleFilterError):
        plugin("10.0", value)
