# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any fleet, any documents, any faults, kills and colleagues, in any order: one clean run brings what is declared.

Hypothesis makes sequences of these, and the shortest that shows a fault. More of them than in the gate: C(make attack).
"""

from __future__ import annotations

import os
import typing as t

import pytest
from hypothesis import Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import ManagerError
from tests.integration.scene import RULE_FIELDS, SETTINGS, Key, Truth, assert_clear, assert_honest
from tests.integration.support import run_profiles, writes
from tests.integration.test_faults_interrupted import PROCESSES, WRITTEN
from tests.lab.manager.process import LabManager
from tests.lab.waiting import until

# How many sequences the gate tries, of how many steps at most.
SEQUENCES, STEPS = 60, 8

INTERVALS = {"5": "5 Minutes", "60": "60 Minutes", "inherited": None}
DIRECTIONS = {
    "bidirectional": "Bidirectional",
    "manager_initiated": "Manager Initiated",
    "agent_initiated": "Agent/Appliance Initiated",
    "inherited": None,
}
SOURCES = (["192.0.2.0/24"], ["192.0.2.10", "198.51.100.0/24"])
RULES = ("Ours", "Ours too")

ANY_HEARTBEAT = st.sampled_from(sorted(INTERVALS))
ANY_DIRECTION = st.sampled_from(sorted(DIRECTIONS))

# What any request may meet: refused, cut.
ANY_FAILURE = st.one_of(
    st.sampled_from([400, 403, 404, 409, 429, 500, 503]).map(lambda status: {"kind": "status", "status": status}),
    st.sampled_from(["before", "during", "after_processing", "after_reply"]).map(
        lambda when: {"kind": "cut", "when": when}
    ),
)
# What writes may meet: answers without sense, and a lie. Lists that leave out what is there cannot be told from lists of
# what is there: equal values are then written once more, and called a change.
ANY_NONSENSE = st.one_of(
    st.sampled_from(["", "null", "[]", "{}", '{"ID": 0}', "<html>"]).map(lambda body: {"kind": "body", "body": body}),
    st.just({"kind": "ignore_write"}),
    st.sampled_from(["", "/*", "/ID"]).map(lambda pointer: {"kind": "mutate", "pointer": pointer, "to": "missing"}),
)


# Done, and answered when nobody waits any more.
SLOW = st.just({"kind": "delay", "seconds": 30})
TIMEOUT = 1


def faults(
    path: str, actions: st.SearchStrategy[dict[str, t.Any]], times: int = 4
) -> st.SearchStrategy[dict[str, t.Any]]:
    """Actions that some of the requests to a path meet."""
    return st.fixed_dictionaries(
        {
            "method": st.sampled_from(["POST", "DELETE"]),
            "path": st.just(path),
            "skip": st.integers(0, 6),
            "times": st.integers(1, times),
            "action": actions,
        }
    )


ANY_FAULT = st.one_of(
    faults("", ANY_FAILURE), faults(WRITTEN, ANY_FAILURE), faults(WRITTEN, ANY_NONSENSE), faults("", SLOW, 1)
)


@st.composite
def documents(draw: st.DrawFn, targets: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    """Facets by name of the target, for some of them. A rule is declared in one way."""
    sources = {name: draw(st.sampled_from(SOURCES)) for name in RULES}
    declared = {}
    for target in draw(st.lists(st.sampled_from(targets), unique=True, min_size=1)):
        facets: dict[str, t.Any] = {}
        if draw(st.booleans()):
            facets["heartbeat"] = {"interval": draw(ANY_HEARTBEAT)}
        # Macs take one direction only, and nobody else's reaches them.
        way = draw(st.none() | (st.just("agent_initiated") if "Mac" in target else ANY_DIRECTION))
        if way:
            facets["communication_direction"] = {"direction": way}
        name = draw(st.none() | st.sampled_from(RULES))
        if name and draw(st.booleans()):
            facets["firewall_restriction"] = {
                "rule_name": name,
                "source_ips": sources[name],
                "manager_addresses": ["192.0.2.10"],
            }
        elif name:
            facets["firewall_restriction"] = {"rule_name": name, "state": "absent"}
        if facets:
            declared[target] = facets
    # The rule of one target is not to be deleted for another.
    kept = {one["firewall_restriction"]["rule_name"] for one in declared.values() if _restricts(one)}
    for one in declared.values():
        if not _restricts(one) and one.get("firewall_restriction", {}).get("rule_name") in kept:
            del one["firewall_restriction"]
    return {target: facets for target, facets in declared.items() if facets}


def _restricts(facets: dict[str, t.Any]) -> bool:
    return "source_ips" in facets.get("firewall_restriction", {})


class Attack(RuleBasedStateMachine):
    """A fleet, and everything that may happen to it."""

    lab: LabManager

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, Key] = {}
        self.declared: dict[str, dict[str, t.Any]] = {}
        self.switches: dict[str, str] = {}

    @initialize(
        data=st.data(),
        parents=st.lists(st.integers(0, 3), min_size=1, max_size=4),
        places=st.lists(st.integers(0, 4), min_size=1, max_size=4),
        macs=st.integers(0, 1),
        seen=st.sampled_from(["direct", "effective", "absent"]),
    )
    def fleet(self, data: st.DataObject, parents: list[int], places: list[int], macs: int, seen: str) -> None:
        """Policies, each below one before it or none, computers with one of them or none, and a document."""
        self.lab.reset()
        self.switches = {"rule_ids_with_overrides": seen}
        self.lab.switch(**self.switches)
        numbers = [0]
        for index, parent in enumerate(parents):
            above = numbers[parent % len(numbers)]
            numbers.append(self._make("policy", f"Policy {index}", {"parentID": above} if above else {}))
        for index, place in enumerate(places):
            above = numbers[place % len(numbers)]
            self._make("computer", f"host-{index}", {"policyID": above} if above else {})
        for index in range(macs):
            self._make(
                "computer", f"Mac-{index}", {"platform": "macOS 15", "policyID": self._make("policy", "Macs", {})}
            )

        self.declare(data)

    def _make(self, kind: str, name: str, fields: dict[str, t.Any]) -> int:
        path, field = ("/policies", "name") if kind == "policy" else ("/computers", "hostName")
        number = self.lab.api("POST", path, {field: name, **fields})["ID"]
        self.targets[name] = (kind, number)
        return number

    def _path(self, name: str) -> str:
        kind, number = self.targets[name]
        return f"/{'policies' if kind == 'policy' else 'computers'}/{number}"

    def _profiles(self) -> list[dict[str, t.Any]]:
        return [
            {"name": name, ("policies" if self.targets[name][0] == "policy" else "computers"): [name], **facets}
            for name, facets in self.declared.items()
        ]

    def _truth(self) -> Truth:
        return Truth.of(self.lab, self.switches)

    def _run(self, **options: t.Any) -> dict[str, t.Any] | ManagerError | OptionError:
        try:
            return run_profiles(self.lab, self._profiles(), **options)
        except (ManagerError, OptionError) as error:
            return error

    def _run_among(self, faults: list[dict[str, t.Any]], **options: t.Any) -> t.Any:
        for fault in faults:
            self.lab.add_fault(**fault)
        outcome = self._run(timeout=TIMEOUT, **options)
        self.lab.clear_faults()
        return outcome

    # -- what happens

    @rule(data=st.data())
    def declare(self, data: st.DataObject) -> None:
        """Another document. What is no longer declared stays as it is."""
        self.declared = data.draw(documents(sorted(self.targets)))
        note(repr(self.declared))

    @rule(faults=st.lists(ANY_FAULT, max_size=3), concurrency=st.sampled_from([1, 4]))
    def run_among_faults(self, faults: list[dict[str, t.Any]], concurrency: int) -> None:
        """What a run says is what the manager saw."""
        if not self.declared:
            return
        before = self._truth()
        outcome = self._run_among(faults, concurrency=concurrency)
        after = self._truth()
        if isinstance(outcome, OptionError):
            # A manager that lies about what there is; nothing was written on the strength of that.
            assert before == after
            assert_clear(str(outcome))
        else:
            note(repr(outcome if isinstance(outcome, ManagerError) else outcome["failed_targets"]))
            assert_honest(before, after, outcome)

    @rule(faults=st.lists(ANY_FAULT, max_size=2))
    def check(self, faults: list[dict[str, t.Any]]) -> None:
        """Check mode never writes, whatever it meets."""
        if not self.declared:
            return
        self.lab.clear_requests()
        self._run_among(faults, check=True)
        assert writes(self.lab) == []

    @rule(
        method=st.sampled_from(["POST", "DELETE", None]), number=st.integers(1, 6), concurrency=st.sampled_from([1, 4])
    )
    def kill(self, method: str | None, number: int, concurrency: int) -> None:
        """A run ends after one of its writes, or one of all its requests, before it hears what came of it."""
        if not self.declared:
            return
        self.lab.clear_requests()
        where = {"method": method, "path": WRITTEN} if method else {}
        number *= 1 if method else 4
        self.lab.add_fault(**where, skip=number - 1, times=0, action={"kind": "delay", "seconds": 30})

        def there() -> bool:
            met = [one for one in writes(self.lab) if one["method"] == method] if method else self.lab.requests()
            return len(met) >= number

        process = PROCESSES.Process(target=self._run, kwargs={"concurrency": concurrency})
        process.start()
        try:
            until(lambda: not process.is_alive() or there(), "the run is there")
        finally:
            process.kill()
            process.join()
        self.lab.clear_faults()
        self._truth().assert_no_duplicates()

    @rule(data=st.data(), while_it_runs=st.booleans(), skip=st.integers(0, 6))
    def colleague(self, data: st.DataObject, while_it_runs: bool, skip: int) -> None:
        """Somebody else sets a value, takes a rule away or changes one, before a run or between its requests."""
        name = data.draw(st.sampled_from(sorted(self.targets)))
        kind, _number = self.targets[name]
        rules = [
            item["ID"]
            for (what, called), same in self._truth().objects.items()
            if what == "firewall_rule" and called in RULES
            for item in same
        ]
        requests = [("POST", self._path(name), {f"{kind}Settings": {SETTINGS["interval"]: {"value": "15 Minutes"}}})]
        for number in rules:
            requests += [
                ("PUT", f"{self._path(name)}/firewall/assignments", {"ruleIDs": []}),
                ("POST", f"{self._path(name)}/firewall/assignments", {"ruleIDs": [number]}),
                ("POST", f"/firewallrules/{number}", {"action": "force-allow"}),
            ]
        request = dict(zip(("method", "path", "body"), data.draw(st.sampled_from(requests))))
        if while_it_runs and self.declared:
            self.lab.add_fault(skip=skip, action={"kind": "run", "when": "before", "request": request})
            self._run()
            self.lab.clear_faults()
        else:
            self.lab.api(request["method"], request["path"], request["body"])
        self._truth().assert_no_duplicates()

    # -- what must be true

    def teardown(self) -> None:
        """One clean run brings what is declared, and nothing else; one more does nothing."""
        if not self.declared:
            return
        before = self._truth()
        outcome = self._run()
        after = self._truth()
        assert isinstance(outcome, dict) and outcome["failed_targets"] == [], outcome
        assert_honest(before, after, outcome)
        for name, key in self.targets.items():
            assert self._wanted(name, before) == after.targets.get(key, {}), name
        self._assert_rules(after)
        self.lab.clear_requests()
        again = self._run()
        assert isinstance(again, dict) and not again["changed"] and writes(self.lab) == []

    def _assert_rules(self, after: Truth) -> None:
        """The rules that are declared are as declared, and what nobody has any more is gone with its lists."""
        declared = [one["firewall_restriction"] for one in self.declared.values() if "firewall_restriction" in one]
        for facet in declared:
            name = facet["rule_name"]
            rule, ips = (
                after.objects.get((kind, called))
                for kind, called in (("firewall_rule", name), ("ip_list", f"{name} (IPs)"))
            )
            if "source_ips" in facet:
                assert rule and ips and set(ips[0]["items"]) == set(facet["source_ips"])
                expected = {**RULE_FIELDS, "action": "bypass", "sourceIPListID": ips[0]["ID"]}
                assert {field: rule[0].get(field) for field in expected} == expected
            elif not any(f"rule {name}" in parts for parts in after.targets.values()):
                assert (rule, ips) == (None, None)

    def _wanted(self, name: str, before: Truth) -> dict[str, t.Any]:
        """What a target is to have: what it had, but for what is declared of it."""
        wanted = dict(before.targets.get(self.targets[name], {}))
        facets = self.declared.get(name, {})
        values = {
            SETTINGS["interval"]: INTERVALS.get(facets.get("heartbeat", {}).get("interval"), ...),
            SETTINGS["direction"]: DIRECTIONS.get(facets.get("communication_direction", {}).get("direction"), ...),
        }
        if "firewall_restriction" in facets:
            one = facets["firewall_restriction"]
            values[f"rule {one['rule_name']}"] = "assigned" if _restricts(facets) else None
        for part, value in values.items():
            if value is None:
                wanted.pop(part, None)
            elif value is not ...:
                wanted[part] = value
        return wanted


@pytest.fixture(scope="module", name="small_lab")
def small_lab_fixture() -> t.Iterator[LabManager]:
    with LabManager(computers=0, policies=1, seed=1) as lab:
        yield lab


@pytest.mark.slow
def test_any_sequence_ends_in_what_is_declared(small_lab):
    Attack.lab = small_lab
    sequences = int(os.environ.get("ATTACK_SEQUENCES", SEQUENCES))
    run_state_machine_as_test(
        Attack,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=STEPS,
            # More than those of the gate are meant to be others each time.
            derandomize=sequences == SEQUENCES,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
