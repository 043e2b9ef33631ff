# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter file_name: whatever a host is called, its files are in the folder, and nobody else's."""

from __future__ import annotations

import hashlib
import os

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.filter.file_name import file_name

# Longer than any other, and no different at its end.
LONG = "x" * 100


@pytest.mark.parametrize("name", ["dsm.example.com", "localhost", "2001-db8", "a_b+c@d-e.1", LONG, "7"])
def test_usual_names_stay_as_they_are(name: str) -> None:
    assert file_name(name) == name
    assert type(file_name(trust_as_template(name))) is str


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../dsm", "_._dsm"),
        ("", ""),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("a/b\0c", "a_b_c"),
        ("a~b", "a_b"),
        (LONG + "y", LONG),
        ("\u00fcber", "_ber"),
        ("a\n", "a_"),
    ],
)
def test_other_names_get_a_mark_of_their_own(name: str, safe: str) -> None:
    assert file_name(name) == f"{safe}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


@pytest.mark.parametrize(
    ("value", "told"), [(7, "got a number, put it in quotes"), (None, "got null"), (["a"], "got a list")]
)
def test_what_is_no_text_is_an_error(value: object, told: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"file_name: expected a text as a string, {told}"):
        file_name(value)


HOSTILE = st.text(st.sampled_from("./\\~_-ab \n\0\u00fc:\ud800"), max_size=8) | st.text(max_size=300)


@settings(max_examples=300)
@given(names=st.lists(HOSTILE, min_size=2, max_size=4, unique=True))
def test_no_name_leads_out_of_the_folder_or_to_another_s_files(names: list[str]) -> None:
    paths = [f"/srv/reports/{file_name(name)}.json" for name in names]
    assert len(set(paths)) == len(names)
    for path in paths:
        assert os.path.dirname(os.path.normpath(path)) == "/srv/reports"
        assert not os.path.basename(path).startswith(".") and len(os.path.basename(path)) < 130
        assert path.isascii() and path.isprintable()
