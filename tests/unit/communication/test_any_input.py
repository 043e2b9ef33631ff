# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the options of facets and profiles hold, of the types that Ansible lets through: a document or an error."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication.document import (
    facet_document,
    read_document,
)
from ansible_collections.workload_security.agent.plugins.module_utils._facets.registry import FACETS
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.targets import TARGET_ARGUMENTS

TEXT = st.text(max_size=30) | st.sampled_from(
    ["inherited", "unlimited", "10", "192.0.2.1", "::/0", "0.0.0.0 - 255.255.255.255", "52:54:00:12:34:56", "us-1"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OF_TYPE: dict[str, st.SearchStrategy[t.Any]] = {
    "str": TEXT,
    "int": st.integers(),
    "bool": st.booleans(),
    "raw": ANYTHING,
    "float": st.floats(),
}


def values(argument: dict[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """What Ansible's check of the arguments lets through."""
    if argument["type"] == "list":
        items = st.lists(OF_TYPE[argument["elements"]], max_size=4)
        return items if argument.get("required") else st.none() | items
    if "choices" in argument:
        wanted: st.SearchStrategy[t.Any] = st.sampled_from(argument["choices"])
    else:
        wanted = OF_TYPE[argument["type"]]
    return wanted if argument.get("required") or "default" in argument else st.none() | wanted


def options_of(arguments: dict[str, dict[str, t.Any]]) -> st.SearchStrategy[dict[str, t.Any]]:
    return st.fixed_dictionaries({name: values(argument) for name, argument in arguments.items()})


FACET = st.one_of(
    *(st.tuples(st.just(name), options_of({**TARGET_ARGUMENTS, **facet.arguments})) for name, facet in FACETS.items())
)
PROFILE = st.fixed_dictionaries(
    {
        "name": TEXT,
        **{name: values(argument) for name, argument in TARGET_ARGUMENTS.items()},
        **{name: st.none() | options_of(facet.arguments) for name, facet in FACETS.items()},
    }
)
DEPLOYMENTS = st.sampled_from(["cloud", "on_premises"])


@given(FACET, DEPLOYMENTS)
def test_any_options_of_a_facet(facet: tuple[str, dict[str, t.Any]], deployment: str) -> None:
    name, options = facet
    try:
        facet_document(name, options, deployment)
    except OptionError as error:
        str(error).encode("utf-8")
        assert "\n" not in str(error) and len(str(error)) < 5000


@given(st.lists(PROFILE, max_size=3), DEPLOYMENTS)
def test_any_profiles(profiles: list[dict[str, t.Any]], deployment: str) -> None:
    try:
        read_document(profiles, deployment)
    except OptionError as error:
        str(error).encode("utf-8")
        assert "\n" not in str(error) and len(str(error)) < 5000
