# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may activate agents from their side: set, changed, refused, and read past the module that set it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.workload_security.agent.plugins.module_utils._activation.activation import (
    ACTIVATION_ARGUMENTS,
    ActivationWish,
    keep_activation,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import BadReply
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from tests.integration.in_process import run_tasks
from tests.integration.support import LabClock, connection, writes
from tests.lab.manager.process import LabManager
from tests.lab.manager.switches import CHOICES

MODULE = "workload_security.agent.agent_initiated_activation"
PREFIX = "platformSettingAgentInitiatedActivation"

FULL = {
    "allow": "ip_list",
    "policy": "Base Policy",
    "ip_list": "Internal IP Ranges",
    "duplicate_host_name": "activate_new_computer",
    "host_name_by_agent": False,
    "reactivate_cloned": True,
    "reactivate_unknown": True,
}
FULL_ON_THE_MANAGER = {
    "Enabled": "For computers on the following IP list",
    "PolicyId": "1",
    "WithinIpListId": "3",
    "DuplicateHostnameMode": "Activate a new Computer with the same name",
    "SpecifyHostnameEnabled": "false",
    "ReactivateClonedEnabled": "true",
    "ReactivateUnknownEnabled": "true",
}


def keep(lab: LabManager, *, check: bool = False, key: str | None = None, **options: t.Any) -> dict[str, t.Any]:
    """The module's result, made in this process."""
    reached = connection(lab, deployment=lab.deployment, api_key=key or lab.api_key)
    params = {name: options.get(name) for name in ACTIVATION_ARGUMENTS}
    with Transport(reached, clock=LabClock(lab), random=lambda: 0.5) as transport:
        wanted = ActivationWish.from_options(params, reached.deployment)
        return keep_activation(Client(transport), wanted, check_mode=check)


def on_the_manager(lab: LabManager, **switches: t.Any) -> dict[str, str]:
    """The settings as a colleague reads them, in the lab's usual words; then C(switches) are in force again."""
    lab.switch(**{name: CHOICES[name][0] for name in switches})
    found = lab.api("GET", "/systemsettings")
    lab.switch(**switches)
    names = [*FULL_ON_THE_MANAGER, "Token"]
    return {name: found[f"{PREFIX}{name}"]["value"] for name in names if found[f"{PREFIX}{name}"]["value"]}


@pytest.mark.both_cores
def test_twelve_steps(lab):
    before = on_the_manager(lab)
    steps = [
        FULL,
        {"allow": "existing_computers", "policy": "none", "duplicate_host_name": "do_not_allow_activation"},
        {
            "allow": "any_computer",
            "ip_list": "none",
            "duplicate_host_name": "reactivate_existing_computer",
            "host_name_by_agent": True,
            "reactivate_cloned": False,
            "reactivate_unknown": False,
        },
    ]
    tasks = [
        {MODULE: options, "check_mode": check, "diff": True}
        for options in steps
        for check in (True, False, True, False)
    ]
    played = run_tasks(lab, tasks)
    assert len(played.results) == 12, played.output
    for step, options in enumerate(steps):
        check, real, check_again, real_again = played.results[4 * step : 4 * step + 4]
        assert not any(result.get("failed") for result in (check, real, check_again, real_again)), played.output
        assert check["changed"] and real["changed"]
        assert not check_again["changed"] and not real_again["changed"]
        for part in ("before", "after", "diff"):
            assert check[part] == real[part], part
        assert real["after"] == options == real_again["before"] == real_again["after"]
        assert real["diff"]["before"] != real["diff"]["after"]
        assert (check["requests"]["writes"], real["requests"]["writes"], real_again["requests"]["writes"]) == (0, 1, 0)
    assert played.results[1]["before"]["policy"] == "none" and played.results[5]["before"]["policy"] == "Base Policy"
    # The last step undid everything, and three writes did all of it.
    assert on_the_manager(lab) == before
    assert [(write["path"], write["status"]) for write in writes(lab)] == [("/systemsettings", 200)] * 3


def test_only_what_differs_is_sent(lab):
    result = keep(lab, **FULL)
    assert on_the_manager(lab) == FULL_ON_THE_MANAGER
    (write,) = writes(lab)
    assert write["body"] == {f"{PREFIX}{name}": {"value": value} for name, value in FULL_ON_THE_MANAGER.items()}
    # One read of the settings, two for the 30 policies, which could be a page that was cut off, one for lists, one write.
    assert result["requests"] == {"sent": 5, "writes": 1}
    lab.clear_requests()
    result = keep(lab, **{**FULL, "reactivate_cloned": False})
    (write,) = writes(lab)
    assert write["body"] == {f"{PREFIX}ReactivateClonedEnabled": {"value": "false"}}
    assert on_the_manager(lab) == {**FULL_ON_THE_MANAGER, "ReactivateClonedEnabled": "false"}


def test_without_a_policy_or_list_two_requests_do(lab):
    assert keep(lab, allow="existing_computers")["requests"] == {"sent": 2, "writes": 1}
    assert keep(lab, allow="existing_computers", policy="none")["requests"] == {"sent": 1, "writes": 0}


def test_by_id(lab):
    assert keep(lab, policy=1, ip_list=3, allow="ip_list")["after"] == {
        "allow": "ip_list",
        "policy": "Base Policy",
        "ip_list": "Internal IP Ranges",
    }
    assert not keep(lab, policy="Base Policy", ip_list=3)["changed"]


ANSWERS = [
    *({"activation_nobody_wording": wording} for wording in CHOICES["activation_nobody_wording"]),
    {"id_setting_wording": "name"},
    {"no_id_setting": "zero"},
    {"id_setting_wording": "name", "no_id_setting": "zero", "unknown_fields": True, "shuffled": True},
    {"activation_nobody_wording": "false", "several_invalid_settings": "errors"},
]


@pytest.mark.parametrize("switches", ANSWERS, ids=str)
def test_whatever_is_undocumented(lab, switches):
    lab.switch(**switches)
    steps = [
        (FULL, FULL_ON_THE_MANAGER),
        ({"allow": "nobody", "policy": "none"}, {**FULL_ON_THE_MANAGER, "Enabled": "No", "PolicyId": ""}),
        ({"ip_list": "none"}, {**FULL_ON_THE_MANAGER, "Enabled": "No", "PolicyId": "", "WithinIpListId": ""}),
    ]
    for options, expected in steps:
        foreseen = keep(lab, check=True, **options)
        result = keep(lab, **options)
        assert result["changed"] and "msg" not in result
        assert {part: foreseen[part] for part in ("changed", "before", "after", "diff")} == {
            part: result[part] for part in ("changed", "before", "after", "diff")
        }
        assert result["after"] == options
        assert on_the_manager(lab, **switches) == {name: value for name, value in expected.items() if value}
        lab.clear_requests()
        assert not keep(lab, **options)["changed"] and writes(lab) == []


def test_a_refused_guess_changes_nothing(lab):
    """The wordings of "nobody" are tried in order; what else is written comes true with the one that is taken."""
    lab.switch(activation_nobody_wording="Disabled")
    result = keep(lab, allow="nobody", host_name_by_agent=False)
    assert result["changed"] and "msg" not in result
    seen = [(write["status"], write["body"][f"{PREFIX}Enabled"]["value"]) for write in writes(lab)]
    assert seen == [(400, "No"), (400, "Not allowed"), (400, "Do not allow"), (400, "None"), (200, "Disabled")]
    assert on_the_manager(lab)["Enabled"] == "Disabled"


def test_a_manager_that_takes_no_wording_of_nobody(lab):
    action = {"kind": "status", "status": 400, "body": '{"message": "Invalid value for setting %sEnabled"}' % PREFIX}
    lab.add_fault(method="POST", path="^/systemsettings$", times=0, action=action)
    result = keep(lab, allow="nobody")
    assert not result["changed"] and result["failure"]["code"] == "bad_request"
    assert result["failure"]["states"] == {"allow": "not_done"}
    assert f"Invalid value for setting {PREFIX}Enabled" in result["msg"]
    lab.clear_faults()
    assert on_the_manager(lab)["Enabled"] == "For any computers"


def test_a_manager_that_wants_zero_for_none(lab):
    keep(lab, **FULL)
    action = {"kind": "status", "status": 400, "body": '{"message": "Invalid value"}'}
    lab.add_fault(method="POST", body=f'{PREFIX}PolicyId": {{"value": ""}}', times=0, action=action)
    assert keep(lab, policy="none")["changed"]
    assert "PolicyId" not in on_the_manager(lab)


def test_the_reply_must_show_the_value(lab):
    lab.add_fault(method="POST", path="^/systemsettings$", action={"kind": "ignore_write"})
    (result,) = run_tasks(lab, [{MODULE: {"allow": "nobody", "host_name_by_agent": True}, "diff": True}]).results
    assert result["failed"] and not result["changed"]
    assert result["failure"]["code"] == "not_kept" and result["failure"]["options"] == ["allow"]
    assert "did not keep allow of the manager: wanted 'nobody', it says 'any_computer'" in result["msg"]
    assert result["after"] == {"host_name_by_agent": True}


def test_what_a_reply_leaves_out_is_read_back(lab):
    drop = {"kind": "drop_fields", "fields": [f"{PREFIX}Enabled"]}
    lab.add_fault(method="POST", path="^/systemsettings$", action=drop)
    result = keep(lab, allow="nobody", reactivate_cloned=True)
    assert result["changed"] and "msg" not in result and result["requests"] == {"sent": 3, "writes": 1}


def test_what_is_kept_of_a_write_is_told_from_what_is_not(lab):
    """The replies get lost, and a colleague sets one of two back before it is read."""
    colleague = {"method": "POST", "path": f"/systemsettings/{PREFIX}Enabled", "body": {"value": "For any computers"}}
    lab.add_fault(method="POST", path="^/systemsettings$", times=0, action={"kind": "cut", "when": "after_processing"})
    run = {"kind": "run", "when": "before", "request": colleague}
    lab.add_fault(method="GET", path="^/systemsettings$", skip=1, action=run)
    result = keep(lab, allow="nobody", reactivate_cloned=True)
    assert result["changed"] and result["after"] == {"reactivate_cloned": True}
    assert result["failure"]["options"] == ["allow"] and "it says 'any_computer'" in result["msg"]
    assert on_the_manager(lab)["ReactivateClonedEnabled"] == "true"


def test_a_setting_that_the_list_leaves_out_is_asked_for(lab):
    drop = {"kind": "drop_fields", "fields": [f"{PREFIX}PolicyId"]}
    lab.add_fault(method="GET", path="^/systemsettings$", times=0, action=drop)
    lab.add_fault(method="POST", path="^/systemsettings$", times=0, action=drop)
    for check in (True, False):
        assert keep(lab, policy="Base Policy", check=check)["changed"]
    assert not keep(lab, policy="Base Policy")["changed"]
    assert keep(lab, policy="none")["changed"] and not keep(lab, policy="none")["changed"]


@pytest.mark.parametrize("status", [400, 404])
def test_a_setting_that_the_manager_does_not_have(lab, status):
    drop = {"kind": "drop_fields", "fields": [f"{PREFIX}ReactivateClonedEnabled"]}
    lab.add_fault(method="GET", path="^/systemsettings$", times=0, action=drop)
    body = '{"message": "Unknown setting"}'
    lab.add_fault(method="GET", path="Cloned", times=0, action={"kind": "status", "status": status, "body": body})
    for check in (True, False):
        with pytest.raises(OptionError) as caught:
            keep(lab, allow="nobody", reactivate_cloned=True, check=check)
        assert str(caught.value) == (
            "option 'reactivate_cloned' is 'True': it must be left out, since this manager does not have the setting"
            f" {PREFIX}ReactivateClonedEnabled: Unknown setting"
        )
    assert writes(lab) == []


def test_bad_input(lab):
    for _twice in range(2):
        lab.api("POST", "/iplists", {"name": f"Twin {_twice}"})
    tasks = [
        {MODULE: {}},
        {MODULE: {"allow": "everybody"}},
        {MODULE: {"policy": 0}},
        {MODULE: {"policy": "Nobody's"}},
        {MODULE: {"ip_list": 4711}},
        {MODULE: {"allow": "ip_list"}},
        {MODULE: {"allow": "ip_list", "ip_list": "none"}},
    ]
    expected = [
        ("allow", "it must be given, or one of policy"),
        (None, "value of allow must be one of: any_computer, existing_computers, ip_list, nobody"),
        ("policy", "option 'policy' is '0': it must hold names"),
        ("policy", "the manager has no policy of that name"),
        ("ip_list", "the manager has no IP list of that ID"),
        ("allow", "it needs option ip_list, since the manager has no IP list for it yet"),
        ("ip_list", "it must name an IP list as long as allow is ip_list"),
    ]
    played = run_tasks(lab, tasks)
    for result, (option, text) in zip(played.results, expected, strict=True):
        assert result["failed"] and text in result["msg"], result
        assert option is None or result["failure"] == {"code": "bad_option", "option": option, "message": result["msg"]}
    assert writes(lab) == []


def test_an_ip_list_that_is_set_serves_again(lab):
    keep(lab, **FULL)
    keep(lab, allow="nobody")
    assert keep(lab, allow="ip_list")["changed"]
    with pytest.raises(OptionError, match="as long as allow is ip_list"):
        keep(lab, ip_list="none")
    assert not keep(lab, allow="ip_list", policy="Base Policy")["changed"]


def test_a_list_without_effect_warns(lab):
    (result,) = run_tasks(lab, [{MODULE: {"ip_list": "Internal IP Ranges"}}]).results
    assert result["changed"]
    assert result["warnings"] == ["ip_list has no effect while allow is any_computer, and not ip_list"]


def test_a_key_that_may_only_read(lab):
    refused = keep(lab, allow="nobody", key=lab.read_only_api_key)
    assert refused["failure"]["code"] == "forbidden" and "Not authorized to modify system settings" in refused["msg"]
    assert not keep(lab, allow="any_computer", key=lab.read_only_api_key)["changed"]
    assert keep(lab, allow="nobody", key=lab.read_only_api_key, check=True)["changed"]


@pytest.mark.parametrize("when", ["before", "after_processing", "during"])
def test_a_connection_that_breaks(lab, when):
    """As often as it is tried: then what is there decides."""
    lab.add_fault(method="POST", path="^/systemsettings$", times=0, action={"kind": "cut", "when": when})
    result = keep(lab, **FULL)
    if when == "before":
        assert not result["changed"] and set(result["failure"]["options"]) == FULL.keys()
        assert on_the_manager(lab)["Enabled"] == "For any computers"
        lab.clear_faults()
        result = keep(lab, **FULL)
    assert result["changed"] and result["after"] == FULL and "msg" not in result
    assert on_the_manager(lab) == FULL_ON_THE_MANAGER


def test_other_settings_are_secrets_and_stay_out_of_it(lab):
    lab.api("POST", f"/systemsettings/{PREFIX}Token", {"value": "open-sesame-4711"})
    tasks = [{MODULE: {"allow": "existing_computers"}, "diff": True}]
    played = run_tasks(lab, tasks)
    assert played.results[0]["changed"] and "open-sesame-4711" not in played.output
    assert on_the_manager(lab)["Token"] == "open-sesame-4711"
    # A reply that is broken off is not repeated in the error either.
    body = '{"%sToken": {"value": "open-sesame-4711"}, ' % PREFIX
    lab.add_fault(method="GET", path="^/systemsettings$", action={"kind": "body", "body": body})
    with pytest.raises(BadReply) as caught:
        keep(lab, allow="nobody")
    assert "may hold secrets" in str(caught.value) and "open-sesame" not in str(caught.value)


@pytest.mark.parametrize("options", [FULL, {"allow": "nobody"}], ids=["all", "nobody"])
def test_the_cloud_takes_them_too(cloud_lab, options):
    assert keep(cloud_lab, **options)["changed"]
    assert not keep(cloud_lab, **options)["changed"]
