# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a template hands to a filter or a test, there is an answer or an error of the filter, on one plain line."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.agent_cipher_suites import agent_cipher_suites
from ansible_collections.workload_security.agent.plugins.filter.agent_release import agent_release
from ansible_collections.workload_security.agent.plugins.filter.cipher_suite_names import cipher_suite_names
from ansible_collections.workload_security.agent.plugins.filter.drift_junit import drift_junit
from ansible_collections.workload_security.agent.plugins.filter.file_name import file_name
from ansible_collections.workload_security.agent.plugins.filter.merged_results import merged_results
from ansible_collections.workload_security.agent.plugins.filter.required_hostnames import required_hostnames
from ansible_collections.workload_security.agent.plugins.test.agent_supports_suite import agent_supports_suite
from ansible_collections.workload_security.agent.plugins.test.agent_supports_tls import agent_supports_tls
from ansible_collections.workload_security.agent.plugins.test.older_than_release import older_than_release

# Each with how many arguments it takes.
PLUGINS = [
    (agent_cipher_suites, 1),
    (agent_release, 1),
    (cipher_suite_names, 2),
    (drift_junit, 2),
    (file_name, 1),
    (merged_results, 1),
    (required_hostnames, 3),
    (agent_supports_suite, 3),
    (agent_supports_tls, 3),
    (older_than_release, 4),
]

# Lone surrogates, controls, digits that are none of ASCII, and what the plugins know.
TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["10.0.0.3186", "10.0 Update 16", "1.2", "us-1", "trend-us-1", "openssl", "AES128-SHA", "inferred", ""]
    + ["\u0661\u0660.0.0.3186", "TLSv1.\u0662", "1.2\n", "9" * 5000, "9" * 5000 + ".0.0.1", "10.0 Update " + "9" * 5000]
    + ["10.0" + " " * 190 + "x", "\ud800", "\x1b[31m\n[ERROR]"]
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(5000).map(lambda digits: 10**digits)
    | st.floats()
    | TEXT
    | st.binary(max_size=5)
)
VALUE = (TEXT | TEXT.map(trust_as_template)) | st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)


@pytest.mark.parametrize(("plugin", "most"), PLUGINS, ids=lambda value: getattr(value, "__name__", None))
@settings(max_examples=150)
@given(data=st.data())
def test_an_answer_or_an_error_of_the_filter(plugin: t.Callable, most: int, data: st.DataObject) -> None:
    arguments = [data.draw(VALUE) for _number in range(data.draw(st.integers(1, most)))]
    try:
        answer = plugin(*arguments)
    except AnsibleFilterError as error:
        assert str(error).isprintable() and len(str(error)) < 1500
    except TypeError as error:
        # What a template that leaves out a needed argument gets from Python.
        assert "missing 1 required positional argument" in str(error) and len(arguments) < 2
    else:
        assert json.dumps(answer, ensure_ascii=False).encode("utf-8").decode("utf-8").isprintable()
