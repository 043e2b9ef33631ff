# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(make bench) measures: all of them do the same work, and the figures say what was measured. Nothing is timed."""

from __future__ import annotations

import itertools
import json
import typing as t
import xml.etree.ElementTree
from collections import Counter
from pathlib import Path

import pytest

from tests.bench import page, sdk
from tests.bench.__main__ import missed
from tests.bench.bare import send_all
from tests.bench.bench import differ_by_hand, seen_requests
from tests.bench.figures import (
    BARE,
    COLLECTION,
    DEBUG,
    LOOP,
    PAGES,
    PING,
    URI,
    Case,
    Figures,
    Measured,
    Sample,
    Usage,
    estimate,
)
from tests.bench.fleet import MODULE, RESTRICTION, DeclaredFleet
from tests.bench.measure import run, run_play
from tests.bench.work import DIRECTION, SETTINGS, Work, uri_play
from tests.integration.in_process import run_tasks
from tests.integration.support import run_profiles
from tests.lab.manager.process import LabManager

NAMESPACE = "workload_security.agent"
OWN = {"overrides": "true"}
Target = tuple[str, int]


class Scene:
    """Twenty computers as declared, some with settings of their own, and what is seen of them."""

    def __init__(self, lab: LabManager) -> None:
        self.lab = lab
        self.fleet = DeclaredFleet(lab)
        for computers in (False, True):
            self.converge(self.fleet.profiles(computers=computers))
        self.changed: list[Target] = [("computers", target) for target in self.fleet.some_servers(3)]
        differ_by_hand(lab, self.changed)
        self.converge(self.fleet.profiles())
        policies = lab.api("POST", "/policies/search", {}, OWN)["policies"]
        computers = lab.api("POST", "/computers/search", {}, {"expand": "none"})["computers"]
        self.told: dict[Target, str] = {("policies", one["ID"]): one["name"] for one in policies}
        self.told |= {("computers", one["ID"]): one["platform"] for one in computers}

    def converge(self, profiles: list[dict[str, t.Any]]) -> None:
        """The collection's way."""
        assert not run_profiles(self.lab, profiles)["failed_targets"]

    def rule_on_all_policies(self) -> None:
        """The collection's way, too."""
        task = {f"{NAMESPACE}.firewall_restriction": {"policies": self.fleet.servers + self.fleet.macs, **RESTRICTION}}
        (result,) = run_tasks(self.lab, [task]).results
        assert not result["failed"], result

    def work(self, **options: t.Any) -> Work:
        return Work(self.lab.url, self.lab.ca_path, **options)

    def state(self) -> dict[str, t.Any]:
        """What is set on each target itself, and what results of it."""
        found = {}
        for kind, target in self.told:
            settings = {"policies": "policySettings", "computers": "computerSettings"}[kind]
            for overrides in ("true", "false"):
                query = {"overrides": overrides}
                one = self.lab.api("GET", f"/{kind}/{target}", query=query)
                rules = self.lab.api("GET", f"/{kind}/{target}/firewall/assignments", query=query)["assignedRuleIDs"]
                values = {name: (one[settings] or {}).get(name) for name in SETTINGS}
                found[kind, target, overrides] = (values, sorted(rules or []))
        return found

    def written(self) -> Counter[Target]:
        """How often each target was written to, by the log."""
        paths = [one["path"].strip("/").split("/") for one in self.lab.requests() if one["kind"] != "read"]
        return Counter((kind, int(target)) for kind, target, *_rest in paths)


@pytest.fixture(scope="module")
def scene() -> t.Iterator[Scene]:
    with LabManager(computers=20, policies=8, seed=4) as lab, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKLOAD_SECURITY_API_KEY", lab.api_key)
        yield Scene(lab)


@pytest.fixture
def declared(scene: Scene) -> t.Iterator[dict[str, t.Any]]:
    """The state that everybody has to bring about, and did."""
    state = scene.state()
    scene.lab.clear_requests()
    yield state
    assert scene.state() == state


def test_a_check_by_each_writes_nothing(scene, declared):
    scene.converge(scene.fleet.profiles())
    seen = seen_requests(scene.lab)
    assert seen["requests"] and not any(one["writes"] for one in seen["requests"])
    send_all(seen)
    assert len(scene.lab.requests()) == 2 * len(seen["requests"])
    assert sdk.run("pages", scene.work()) == {"written": []}
    before = len(scene.lab.requests())
    assert sdk.run("loop", scene.work()) == {"written": []}
    # A listing of each kind, the rule, and of each target its settings and its rules.
    assert len(scene.lab.requests()) - before == 3 + len(scene.told) * (len(SETTINGS) + 1)
    assert not scene.written()


def test_a_change_by_each_leads_to_the_same(scene, declared):
    once = Counter(scene.changed)
    differ_by_hand(scene.lab, scene.changed)
    assert scene.state() != declared
    scene.lab.clear_requests()
    scene.converge(scene.fleet.profiles())
    assert scene.written() == once
    seen = seen_requests(scene.lab)
    some = [(kind, target, scene.told[kind, target]) for kind, target in scene.changed]
    ways: dict[str, tuple[t.Callable[[], t.Any], int]] = {
        "bare": (lambda: send_all(seen), 1),
        "pages": (lambda: sdk.run("pages", scene.work()), 1),
        "loop": (lambda: sdk.run("loop", scene.work()), len(SETTINGS)),
        "sample": (lambda: sdk.run("loop", scene.work(only=some)), len(SETTINGS)),
    }
    for name, (way, writes) in ways.items():
        differ_by_hand(scene.lab, scene.changed)
        scene.lab.clear_requests()
        way()
        assert scene.written() == Counter({target: writes for target in scene.changed}), name
        assert scene.state() == declared, name


def test_a_rule_put_on_policies_by_each_leads_to_the_same(scene):
    policies = [target for target in scene.told if target[0] == "policies"]
    scene.rule_on_all_policies()
    state = scene.state()
    differ_by_hand(scene.lab, policies)
    assert scene.state() != state
    scene.lab.clear_requests()
    scene.rule_on_all_policies()
    seen = seen_requests(scene.lab)
    work = scene.work(settings={}, rule_itself=True, computers=False)
    ways: dict[str, t.Callable[[], t.Any]] = {
        "bare": lambda: send_all(seen),
        "pages": lambda: sdk.run("pages", work),
        "loop": lambda: sdk.run("loop", work),
    }
    for name, way in ways.items():
        differ_by_hand(scene.lab, policies)
        scene.lab.clear_requests()
        way()
        assert scene.written() == Counter(policies), name
        assert scene.state() == state, name


@pytest.mark.slow
def test_a_loop_of_uri_leads_to_the_same(scene, declared, tmp_path):
    """A computer of which everything differs: its settings, and a rule that it is to have itself."""
    (target, *_others) = scene.changed
    differ_by_hand(scene.lab, [target])
    scene.lab.clear_requests()
    run_play(scene.lab, uri_play(scene.work(), {target: scene.told[target]}), tmp_path)
    assert scene.written() == {target: len(SETTINGS)}
    # The rule, each setting and what is written, and the rules of the computer.
    assert len(scene.lab.requests()) == 1 + 2 * len(SETTINGS) + 1


def test_reads_by_the_sdk_find_what_the_collection_finds(scene, declared, tmp_path):
    work = scene.work(file=str(tmp_path / "found.json"))
    document = {f"{NAMESPACE}.communication_document": {"path": str(tmp_path / "captured.yml")}}
    report, captured = run_tasks(scene.lab, [{f"{NAMESPACE}.communication_fleet_info": {}}, document]).results
    found = sdk.run("report", work)
    directions = found["counts"][DIRECTION]
    assert sum(directions.values()) == found["computers"] == 20 and len(directions) == 2
    assert report["summary"]["computers"] == 20
    assert sdk.run("capture", work)["own"] == found["own"] >= len(scene.changed)
    assert len(json.loads(Path(work.file).read_text())["computers"]) == 20 and captured["targets"]
    assert sdk.run("inventory", work) == {"hosts": 20}
    assert sdk.run("drift", work)["differing"] == []
    differ_by_hand(scene.lab, scene.changed)
    drift = {MODULE: {"profiles": scene.fleet.profiles(), "undeclared": "report"}, "check_mode": True}
    (result,) = run_tasks(scene.lab, [drift]).results
    assert [tuple(one) for one in sdk.run("drift", work)["differing"]] == scene.changed
    assert result["counts"]["changed"] == len(scene.changed)
    scene.converge(scene.fleet.profiles())


# -- figures and the page


def measured(wall: float, requests: int, *, estimated: bool = False) -> Measured:
    return Measured([Usage(wall, wall / 2, 50 << 20)], requests, estimated=estimated)


def figures() -> Figures:
    starts = {PING: [Usage(1.0, 0.5, 1 << 20)], DEBUG: [Usage(0.5, 0.25, 1 << 20)]}
    cases = [
        Case(
            "check",
            computers,
            latency,
            starts=starts,
            measured={
                COLLECTION: Measured([Usage(wall, wall, 60 << 20) for wall in (2.5, 2.0, 90.0)], 9),
                BARE: measured(0.5, 9),
                PAGES: measured(1.25, 9),
                LOOP: measured(computers / 10, computers * 6, estimated=True),
                URI: measured(computers * 2.0, computers * 6, estimated=True),
            },
        )
        for computers in (1_000, 100_000)
        for latency in (0, 100)
    ]
    limited = Case("check", 1_000, requests_per_minute=500, time_factor=6.0, starts=starts, measured=cases[0].measured)
    found = Figures("2 cores", "Python 3", "2026-11-26", 3, [1.0, 9.0], [*cases, limited])
    found.everything, found.everything_computers = Usage(60.0, 50.0, 390_000_000), 100_000
    return found


def test_a_command_takes_what_it_takes_whoever_measures_it(tmp_path):
    ours = b"x" * 10**8
    usage = run(["true"], tmp_path / "output")
    assert 0 < usage.memory < len(ours) and usage.wall > 0
    with pytest.raises(RuntimeError, match="false failed"):
        run(["false"], tmp_path / "output")


def test_a_sample_stands_for_the_whole():
    start, one = Usage(1.0, 0.5, 10), Usage(3.0, 1.5, 30)
    found = estimate((start, 2), [Sample(one, 12, sampled=2, whole=100), Sample(one, 22, sampled=4, whole=8)])
    assert found.estimated and found.requests == 2 + 10 * 50 + 20 * 2
    assert found.usages == [Usage(1.0 + 2.0 * 50 + 2.0 * 2, 0.5 + 50 + 2, 30)]
    # The manager allows no more.
    assert estimate((start, 2), [Sample(one, 12, 2, 100)], requests_per_minute=60).usages[0].wall == 502
    # A sample that was quicker than the start, on a machine that is busy: nothing is less than nothing.
    assert estimate((one, 2), [Sample(start, 12, 2, 100)]).usages == [Usage(one.wall, 0.0, one.memory)]


def test_the_page_says_what_was_measured(tmp_path):
    figures().write(tmp_path / "figures.json")
    found = Figures.read(tmp_path / "figures.json")
    assert found == figures()
    path = tmp_path / "performance.md"
    path.write_text(f"# Performance\n\nBefore.\n\n{page.BEGIN}\nold\n{page.END}\nAfter.\n")
    for _again in range(2):
        page.publish(found, path, tmp_path)
        text = path.read_text()
        assert text.startswith("# Performance\n\nBefore.") and text.endswith("After.\n") and "old" not in text
        # The median of the collection is 2.5 s: 1.5 beyond ping and 2.0 beyond debug, of 0.5.
        assert "| check of 1,000 | 3.00 / 4.00 | 3.00 / 4.00 |" in text
        assert "| check of 1,000 | SDK in pages | 0.50 | 0.50 |" in text
        assert "| check of 1,000 | `uri` in a loop | 800 | 800 |" in text
        assert "| 0 ms | SDK in a loop | ≈ 6,000 | ≈ 100 | ≈ 50.0 | ≥ 50 | ≈ 200 |" in text
        assert "390 MB" in text and "500 requests a minute" in text and "More than the benchmark" in text
        assert text.count("2026-11-26") == 1
    assert sorted(one.name for one in tmp_path.glob("*.svg")) == [
        "performance_check_0.svg",
        "performance_check_100.svg",
    ]
    picture = xml.etree.ElementTree.parse(tmp_path / "performance_check_0.svg").getroot()
    names = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"this collection", "SDK in a loop (estimated)", "1,000", "100,000", "seconds"} <= set(names)
    places = [
        float(element.get("y", ""))
        for element in picture.iter("{http://www.w3.org/2000/svg}text")
        if element.get("fill")
    ]
    assert len(places) == 5 and all(abs(a - b) >= 15 for a, b in itertools.combinations(places, 2))


def test_aims_that_are_missed_are_told():
    found = figures()
    assert missed(found)[:2] == [
        "check of 1,000 at 0 ms: 3.00 times the bare script beyond ping, aim 1.5",
        "check of 1,000 at 0 ms: 4.00 times the bare script beyond debug, aim 1.5",
    ]
    found.everything = Usage(60.0, 50.0, 410_000_000)
    found.cases = found.cases[:1]
    found.cases[0].measured[COLLECTION] = measured(1.25, 10)
    assert missed(found) == [
        "check of 1,000 at 0 ms: 10 requests, the bare script 9",
        "410 MB where all change, aim 400 MB",
    ]
