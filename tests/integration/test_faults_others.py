# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the surroundings: limits, slow replies, keys, certificates, names."""

from __future__ import annotations

import pytest
import trustme

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import (
    TimedOut,
    Unauthorized,
    UntrustedCertificate,
)
from tests.integration.scene import APPLY, CHANGE, REMOVE, Scene, Truth, assert_honest
from tests.integration.support import run_profiles, writes
from tests.lab.manager.process import LabManager
from tests.lab.waiting import until

# -- the manager's limit


@pytest.fixture(scope="module")
def limited_lab():
    """A manager that takes fewer requests a minute than a run needs."""
    with LabManager(computers=20, policies=8, requests_per_minute=12) as lab:
        yield lab


@pytest.mark.parametrize("retry_after", [0, 61])
# Below the limit, since this clock jumps while requests are on their way, and so they arrive closer together.
@pytest.mark.parametrize("paced", [0, 7])
def test_a_limit_that_lasts_a_minute(limited_lab, retry_after, paced):
    limited_lab.reset()
    limited_lab.switch(retry_after=retry_after)
    scene = Scene(limited_lab)
    for stage, writes_needed in ((APPLY, 11), (APPLY, 0), (REMOVE, 11)):
        limited_lab.advance(61)
        before = Truth.of(limited_lab)
        limited_lab.advance(61)
        limited_lab.clear_requests()
        result = scene.run(stage, requests_per_minute=paced)
        refused = [request for request in limited_lab.requests() if request["status"] == 429]
        limited_lab.advance(61)
        after = Truth.of(limited_lab)
        assert result["failed_targets"] == []
        assert_honest(before, after, result)
        scene.assert_settled(after, stage)
        assert len(writes(limited_lab)) - sum(request["kind"] != "read" for request in refused) == writes_needed
        # Refused requests are not counted by the manager, but hammering it is no way to wait: pauses grow. At most
        # the requests that were under way together are refused at once, once for each pause.
        if paced:
            assert refused == []
        else:
            assert len(refused) <= 8 * (6 if retry_after == 0 else 2)


# -- slow replies


SLOW = {
    "read": ("POST", "/policies/search$"),
    "settings write": ("POST", r"/policies/\d+$"),
    "create": ("POST", "/firewallrules$"),
    "assign": ("POST", "/assignments$"),
}


@pytest.mark.parametrize("operation", SLOW)
def test_a_reply_past_the_timeout(lab, operation):
    scene, method, path = Scene(lab), *SLOW[operation]
    before = Truth.of(lab)
    lab.add_fault(method=method, path=path, action={"kind": "delay", "seconds": 30})
    result = scene.run(APPLY, timeout=2)
    after = Truth.of(lab)
    assert result["failed_targets"] == []
    assert_honest(before, after, result)
    scene.assert_settled(after, APPLY)
    scene.assert_nothing_to_do(APPLY, after)


@pytest.mark.parametrize("operation", ["settings write", "create"])
def test_a_request_that_is_carried_out_after_its_timeout(lab, operation):
    scene, method, path = Scene(lab), *SLOW[operation]
    before = Truth.of(lab)
    lab.add_fault(method=method, path=path, action={"kind": "stall", "seconds": 4})
    result = scene.run(APPLY, timeout=2)
    until(lambda: None not in {request["status"] for request in lab.requests()}, "all requests are carried out")
    after = Truth.of(lab)
    assert result["failed_targets"] == []
    assert_honest(before, after, result)
    scene.assert_settled(after, APPLY)
    scene.assert_nothing_to_do(APPLY, after)


def test_a_manager_that_is_always_too_slow(lab):
    scene = Scene(lab)
    before = Truth.of(lab)
    lab.add_fault(path="/policies/search$", times=0, action={"kind": "delay", "seconds": 30})
    outcome = scene.attempt(scene.profiles(APPLY), timeout=1)
    lab.clear_faults()
    assert isinstance(outcome, TimedOut) and "timeout" in str(outcome)
    assert_honest(before, Truth.of(lab), outcome)
    assert writes(lab) == []
    scene.assert_converges(APPLY)


# -- keys and certificates


@pytest.mark.parametrize(("before", "stage"), [(None, APPLY), (APPLY, CHANGE), (APPLY, REMOVE)])
def test_a_key_that_may_only_read(lab, before, stage):
    scene = Scene(lab)
    if before:
        scene.run(before)
    truth = Truth.of(lab)
    lab.clear_requests()
    result = scene.run(stage, api_key=lab.read_only_api_key)
    assert Truth.of(lab) == truth
    assert_honest(truth, truth, result)
    assert not result["changed"] and result["changed_targets"] == []
    assert {failure["name"] for failure in result["failed_targets"]} >= set(scene.keys)
    assert all(request["status"] == 403 for request in writes(lab, "read_only"))
    refused = [failure for failure in result["failed_targets"] if failure["failure"]]
    assert {failure["failure"]["code"] for failure in refused} == {"forbidden"}
    assert all("Not authorized to" in failure["reason"] and "role" in failure["reason"] for failure in refused)
    # What a reader can do: see what would change, and make sure that there is nothing to do.
    assert scene.run(stage, api_key=lab.read_only_api_key, check=True)["failed_targets"] == []
    scene.assert_converges(stage)
    assert not scene.run(stage, api_key=lab.read_only_api_key)["failed_targets"]


def test_a_key_that_the_manager_does_not_know(lab):
    scene = Scene(lab)
    outcome = scene.attempt(scene.profiles(APPLY), api_key="7:not-a-key-of-this-manager")
    assert isinstance(outcome, Unauthorized) and "api_key" in str(outcome) and "not-a-key" not in str(outcome)
    assert lab.summary()["total"] == lab.summary()["read"] == 1


@pytest.mark.parametrize("other_ca", [True, False], ids=["another CA", "the system's CAs"])
def test_an_untrusted_certificate(lab, tmp_path, other_ca):
    scene = Scene(lab)
    ca_path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_path))
    outcome = scene.attempt(scene.profiles(APPLY), ca_path=str(ca_path) if other_ca else None)
    assert isinstance(outcome, UntrustedCertificate) and "ca_path" in str(outcome)
    assert lab.requests() == [], "not even a request was sent, and so no key"


# -- names


@pytest.mark.parametrize("listed", [False, True], ids=["searched", "listed"])
def test_a_name_that_two_computers_share(lab, listed):
    scene = Scene(lab)
    twins = [lab.api("POST", "/computers", {"hostName": "twin.example.com"})["ID"] for _twin in range(2)]
    profiles = scene.profiles(APPLY)
    profiles[0]["computers"].append("twin.example.com")
    if listed:
        profiles[0]["computers"] += [f"nobody-{number}.example.com" for number in range(12)]
    before = Truth.of(lab)
    with pytest.raises(OptionError) as caught:
        run_profiles(lab, profiles)
    assert Truth.of(lab) == before
    assert all(f"ID {twin}" in str(caught.value) for twin in twins) and "2 have that name" in str(caught.value)
    if listed:
        assert "none of these 12 computers: 'nobody-0.example.com'" in str(caught.value)
    # Named by its ID, one of them is done.
    profiles[0]["computers"] = [*scene.profiles(APPLY)[0]["computers"], twins[1]]
    result = run_profiles(lab, profiles)
    assert result["failed_targets"] == []
    assert {one["id"] for one in result["changed_targets"] if one["name"] == "twin.example.com"} == {twins[1]}
    assert not Truth.of(lab).targets.get(("computer", twins[0]), {})
