# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agent-initiated activation before anything is sent: options, spellings, and what a task without no_log gets."""

from __future__ import annotations

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._activation.activation import (
    ACTIVATION_ARGUMENTS,
    ActivationWish,
)
from ansible_collections.workload_security.agent.plugins.module_utils._activation.deployment_script import (
    SCRIPT_ARGUMENTS,
    ScriptAsked,
    without_script,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.catalogue import (
    ACTIVATION_ALLOW,
    ACTIVATION_DUPLICATE_HOST_NAME,
    ACTIVATION_IP_LIST,
    ACTIVATION_POLICY,
    ALLOWED,
    DUPLICATES,
    NOBODY,
    NONE,
    Spelling,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.references import resolve_one
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import POLICY


def filled(arguments, **given_options):
    """A module's options as Ansible fills them in."""
    return {name: argument.get("default") for name, argument in arguments.items()} | given_options


# -- settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *((ACTIVATION_ALLOW, value) for value in ALLOWED),
        *((ACTIVATION_DUPLICATE_HOST_NAME, value) for value in DUPLICATES),
        (ACTIVATION_POLICY, 7),
        (ACTIVATION_IP_LIST, 7),
    ],
)
def test_every_spelling_of_a_value_reads_as_that_value(setting, value):
    candidates = Spelling().candidates(setting, value)
    assert len(candidates) == len(set(candidates))
    for wire in candidates:
        assert setting.read({setting.name: {"value": wire}}) == value
        assert setting.read({setting.name: {"value": wire.upper()}}) == value


def test_seen_spellings_come_first():
    spelling = Spelling()
    assert spelling.candidates(ACTIVATION_ALLOW, "any_computer") == ["For any computers"]
    assert spelling.candidates(ACTIVATION_DUPLICATE_HOST_NAME, "reactivate_existing_computer")[0] == (
        "Re-activate the existing Computer"
    )
    assert spelling.candidates(ACTIVATION_POLICY, NONE) == ["", "0"]
    assert "" not in spelling.candidates(ACTIVATION_ALLOW, NOBODY), "it would bring the default back"


def test_a_manager_that_is_learned_from():
    spelling = Spelling()
    spelling.learn(ACTIVATION_ALLOW, NOBODY, "Disabled")
    assert spelling.candidates(ACTIVATION_ALLOW, NOBODY)[0] == "Disabled"


def test_words_that_nobody_knows_stay_what_they_are():
    assert ACTIVATION_ALLOW.read({ACTIVATION_ALLOW.name: {"value": "On Mondays"}}) == "On Mondays"
    assert ACTIVATION_POLICY.read({ACTIVATION_POLICY.name: {"value": "Base Policy"}}) == "Base Policy"
    assert ACTIVATION_POLICY.read({ACTIVATION_POLICY.name: {"value": "0"}}) == NONE


# -- options


def test_only_what_is_given_is_wanted():
    wanted = ActivationWish.from_options(
        filled(ACTIVATION_ARGUMENTS, allow="ip_list", ip_list="Ours", policy=7, reactivate_cloned=False), "cloud"
    )
    assert {setting.name.removeprefix("platformSettingAgentInitiatedActivation"): value
            for setting, value in wanted.values.items()} == {
        "Enabled": "ip_list", "PolicyId": 7, "WithinIpListId": "Ours", "ReactivateClonedEnabled": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "option 'allow': it must be given, or one of policy, ip_list, duplicate_host_name, host_name_by_agent"),
        ({"policy": 0}, "option 'policy' is '0': it must hold names"),
        ({"policy": True}, "option 'policy' is 'True': it must hold names"),
        ({"policy": ["a"]}, "option 'policy' is '['a']': it must hold names"),
        ({"ip_list": ""}, "option 'ip_list' is '': it must hold names"),
    ],
)
def test_options_of_no_sense(options, text):
    with pytest.raises(OptionError) as caught:
        ActivationWish.from_options(filled(ACTIVATION_ARGUMENTS, **options), "on_premises")
    assert text in str(caught.value)


def test_names_lead_to_none_one_or_many():
    names = {1: "Base", 2: "Web", 3: "Web", 4: "2"}
    assert resolve_one("policy", "Base", POLICY, names) == 1
    assert resolve_one("policy", 2, POLICY, names) == 2
    assert resolve_one("policy", "2", POLICY, names) == 4
    for key, text in (
        ("Nobody", "option 'policy' is 'Nobody': the manager has no policy of that name"),
        (9, "option 'policy' is '9': the manager has no policy of that ID"),
        ("Web", "option 'policy' is 'Web': 2 have that name: ID 2, ID 3. Name one by its ID"),
    ):
        with pytest.raises(OptionError) as caught:
            resolve_one("policy", key, POLICY, names)
        assert str(caught.value) == text


def test_a_script_is_asked_for_in_the_managers_words():
    options = filled(SCRIPT_ARGUMENTS, platform="linux", policy="Web", computer_group=5, manager_proxy_id=2)
    wanted = ScriptAsked.from_options(options, "cloud")
    assert (wanted.policy, wanted.computer_group) == ("Web", 5)
    assert wanted.body == {
        "platform": "linux",
        "activationRequired": True,
        "validateCertificateRequired": True,
        "validateDigitalSignatureRequired": False,
        "dsmProxyID": 2,
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"relay_proxy_id": 0}, "option 'relay_proxy_id' is '0': it must be an ID"),
        ({"manager_proxy_id": -1}, "option 'manager_proxy_id' is '-1': it must be an ID"),
        ({"activate": False, "policy": "Web"}, "option 'policy' is 'Web': it must be left out unless"),
        ({"activate": False, "relay_group_id": 3}, "option 'relay_group_id' is '3': it must be left out unless"),
        ({"computer_group": 0}, "option 'computer_group' is '0': it must hold names"),
    ],
)
def test_scripts_of_no_sense(options, text):
    with pytest.raises(OptionError) as caught:
        ScriptAsked.from_options(filled(SCRIPT_ARGUMENTS, platform="linux", **options), "cloud")
    assert text in str(caught.value)


# -- scripts are shown to nobody


def test_a_task_that_is_shown_gets_nothing_that_the_manager_wrote():
    result = {"script": 'dsa_control -a $URL "token:SECRET"\n', "complete": True, "lines": 1, "platform": "linux"}
    shown = without_script(result)
    assert {name: shown[name] for name in shown if name != "warnings"} == {
        "complete": False, "lines": 1, "platform": "linux",
    }  # fmt: skip
    assert len(shown["warnings"]) == 1 and "no_log: true" in shown["warnings"][0]
    assert "SECRET" not in repr(shown)
