# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts: the same keys whatever was found, in plain types, and a clear refusal on Windows."""

from __future__ import annotations

import json
import platform

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.workload_security.agent.plugins.module_utils._agent.facts import facts_of
from ansible_collections.workload_security.agent.plugins.module_utils._agent.installed import Installation, Told
from ansible_collections.workload_security.agent.plugins.module_utils._agent.status import NO_AGENT_STATUS, AgentStatus
from ansible_collections.workload_security.agent.plugins.module_utils._agent.versions import Version
from ansible_collections.workload_security.agent.plugins.modules import agent_cipher_facts

URL = "https://dsm.example.com:4120/"


def found(*version: int) -> Installation:
    told = Version(*version)
    return Installation(
        True,
        told,
        "rpm",
        (Told("rpm", True, f"{version[0]}.{version[1]}.{version[2]}-{version[3]}.el7", told),),
        AgentStatus("activated", URL, "The agent's status names this manager.", "green", 1000, 1300),
    )


NOTHING = Installation(False, None, None, (), NO_AGENT_STATUS)
NO_VERSION = NOTHING._replace(installed=True, status=AgentStatus("unknown", None, "It hangs."))


def test_a_documented_agent() -> None:
    facts = facts_of(found(11, 0, 0, 796), 10)
    assert facts["version"] == "11.0.0.796"
    assert (facts["release"], facts["release_certainty"]) == ("11.0 Update 12", "confirmed")
    assert (facts["suites_state"], facts["suites_certainty"]) == ("documented", "confirmed")
    assert facts["suites"][0] == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert set(facts["weak"]) == {name for name in facts["suites"] if "_CBC_" in name}
    assert [(row["version"], row["supported"], row["basis"]) for row in facts["tls"]] == [
        ("TLS 1.0", False, "implied"),
        ("TLS 1.1", False, "implied"),
        ("TLS 1.2", True, "stated"),
        ("TLS 1.3", None, None),
    ]
    assert (facts["activation"], facts["manager_url"]) == ("activated", URL)
    assert (facts["healthy"], facts["last_session_age"]) == (True, 300)
    assert facts["sources"] == [
        {"name": "rpm", "found": True, "told": "11.0.0-796.el7", "version": "11.0.0.796", "problem": None}
    ]


def test_an_agent_between_two_documented_ranges() -> None:
    facts = facts_of(found(11, 0, 0, 550), 10)
    assert (facts["release"], facts["release_certainty"]) == (None, "unknown")
    assert (facts["suites"], facts["weak"], facts["suites_state"]) == ([], {}, "ambiguous")
    assert "11.0.0.514" in facts["release_reason"]
    assert "11.0 Update 6" in facts["suites_reason"]


@pytest.mark.parametrize(
    ("installation", "reason"),
    [(NOTHING, "There is no agent."), (NO_VERSION, "No source says which version the agent has.")],
)
def test_nothing_known_is_said_in_the_same_keys(installation: Installation, reason: str) -> None:
    facts = facts_of(installation, 10)
    assert facts.keys() == facts_of(found(11, 0, 0, 796), 10).keys()
    assert facts["installed"] is installation.installed
    assert (facts["version"], facts["suites"], facts["tls"], facts["weak"]) == (None, [], [], {})
    assert facts["release_reason"] == facts["suites_reason"] == reason


@pytest.mark.parametrize("installation", [NOTHING, NO_VERSION, found(9, 6, 2, 8797), found(99, 1, 2, 3)])
def test_facts_are_plain(installation: Installation) -> None:
    facts = facts_of(installation, 10)
    assert json.loads(json.dumps(facts)) == facts


def test_the_documentation_names_the_facts() -> None:
    returned = yaml.safe_load(agent_cipher_facts.RETURN)["ansible_facts"]["contains"]
    contains = returned["workload_security_agent"]["contains"]
    assert list(contains) == list(facts_of(NOTHING, 10))
    assert list(contains["sources"]["contains"]) == list(facts_of(found(12, 0, 0, 1), 10)["sources"][0])
    assert list(contains["tls"]["contains"]) == list(facts_of(found(12, 0, 0, 1), 10)["tls"][0])


def test_the_module_refuses_an_interval(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"heartbeat_interval": 0}), pytest.raises(SystemExit):
        agent_cipher_facts.main()
    assert json.loads(capsys.readouterr().out)["failure"]["option"] == "heartbeat_interval"


def test_the_module_refuses_windows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(platform, "system", lambda: "CYGWIN_NT-10.0-19045")
    with patch_module_args({}), pytest.raises(SystemExit) as ended:
        agent_cipher_facts.main()
    result = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert result["failed"] is True
    assert "workload_security.agent.agent_cipher_info" in result["msg"]
    assert "ansible_facts" not in result
