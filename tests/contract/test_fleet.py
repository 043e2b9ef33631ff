# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets: the same seed gives the same one, and it looks like a real one."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.manager import settings
from tests.lab.manager.fleet import MACOS_BRANCH, agent_versions, make_fleet
from tests.lab.manager.state import State

ROOT = Path(__file__).resolve().parents[2]


def everything(state: State) -> list[t.Any]:
    """All that a fleet consists of, comparable."""
    tables = (
        state.policies,
        state.computers,
        state.groups,
        state.rules,
        state.ip_lists,
        state.mac_lists,
        state.port_lists,
    )
    return [list(table) for table in tables]


@pytest.fixture(scope="module")
def fleet() -> State:
    return make_fleet(settings.ON_PREMISES, computers=20_000, policies=60, seed=3)


def test_the_same_seed_gives_the_same_fleet() -> None:
    first = everything(make_fleet(settings.ON_PREMISES, computers=300, policies=30, seed=5))
    assert everything(make_fleet(settings.ON_PREMISES, computers=300, policies=30, seed=5)) == first
    assert everything(make_fleet(settings.ON_PREMISES, computers=300, policies=30, seed=6)) != first


def test_the_same_seed_gives_the_same_fleet_in_another_process() -> None:
    program = (
        "import hashlib; from tests.contract.test_fleet import everything, make_fleet;"
        "fleet = make_fleet('on_premises', computers=300, policies=30, seed=5);"
        "print(hashlib.sha256(repr(everything(fleet)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_policies_are_a_tree_of_three_levels(fleet: State) -> None:
    depths = Counter(len(list(fleet.lineage(policy.id))) for policy in fleet.policies)
    assert depths == {1: 1, 2: 5, 3: 54}
    assert len({policy.name for policy in fleet.policies}) == 60
    assert any(policy.settings for policy in fleet.policies if policy.parent_id)
    states = Counter(fleet.effective_firewall_state(policy.id) for policy in fleet.policies)
    assert states["on"] > states["off"] > 0


def test_ids_have_gaps_and_names_are_unique(fleet: State) -> None:
    for table in (fleet.policies, fleet.computers, fleet.groups):
        assert len(table) < table.next_id - 1
    assert len({computer.host_name for computer in fleet.computers}) == 20_000


def test_shares_are_what_they_should_be(fleet: State) -> None:
    def share(holds: t.Callable[[t.Any], t.Any]) -> float:
        return sum(bool(holds(computer)) for computer in fleet.computers) / len(fleet.computers)

    assert 0.015 < share(lambda one: one.settings) < 0.025
    assert 0.015 < share(lambda one: one.rule_ids) < 0.025
    assert 0.005 < share(lambda one: not one.policy_id) < 0.015
    assert 0.003 < share(lambda one: not one.has_agent) < 0.008
    assert 0.2 < share(lambda one: not one.display_name) < 0.5
    assert 0.1 < share(lambda one: one.display_name not in ("", one.host_name)) < 0.3
    assert 0.05 < share(lambda one: "." in one.host_name) < 0.3
    for word in ("Red Hat", "Ubuntu", "Windows Server 2019", "macOS", "Solaris 11", "AIX 7.2"):
        assert share(lambda one, word=word: word in one.platform) > 0.005, word


def test_agents_are_of_the_release_table_and_fit_their_platform(fleet: State) -> None:
    versions = agent_versions()
    known = {version for builds in versions.values() for version in builds}
    macos = set(versions["macos"])
    assert len(known) > 150 and macos.isdisjoint(versions["linux"])
    for computer in fleet.computers:
        if computer.has_agent:
            assert computer.agent_version in known
            assert (computer.agent_version in macos) == computer.platform.startswith("macOS")


def test_computers_with_macos_are_agent_initiated(fleet: State) -> None:
    for computer in fleet.computers:
        if computer.platform.startswith("macOS"):
            assert MACOS_BRANCH in [policy.name for policy in fleet.lineage(computer.policy_id)]
            effective = fleet.effective_settings(computer.policy_id) | computer.settings
            assert effective[settings.DIRECTION] == settings.AGENT_INITIATED


def test_small_fleets_are_fleets_too() -> None:
    for policies in range(1, 9):
        state = make_fleet(settings.ON_PREMISES, computers=20, policies=policies)
        assert len(state.policies) == policies
        assert all(computer.policy_id in (0, *state.policies.ids) for computer in state.computers)
    for options in ({"policies": 0}, {"computers": -1}, {"computers": 3, "shared_host_names": 2}):
        with pytest.raises(ValueError):
            make_fleet(settings.ON_PREMISES, **options)
