# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same work with the vendor's SDK: in a loop as in its samples, or used as well as possible.

    python -m tests.bench.sdk loop|pages WORK.json

WORK.json is a C(Work) of tests/bench/work.py. C(loop): list all targets, then read and write one setting of one target
at a time. C(pages): search in pages of 5,000, read only the overrides, compute the inherited values here, and write a
target's settings in one request, eight targets at once. Both try again after a 429 as the samples do. The key comes
from the environment. The result is printed as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import deepsecurity
from deepsecurity.rest import ApiException

from tests.bench.work import Work

V1 = "v1"
PAGE = 5_000
# From the samples: how often a call is tried again after a 429.
RETRIES = 12
NONE, OWN = ["none"], ["computerSettings", "firewall"]
# The SDK's names of settings, by their names in the API. They are the same for policies and computers.
ATTRIBUTES = {name: attribute for attribute, name in deepsecurity.ComputerSettings.attribute_map.items()}


def patiently(call: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any) -> t.Any:
    """Make a call. If the manager allows no more requests for now, try again after the same waits as the samples."""
    for retry in range(RETRIES):
        try:
            return call(*arguments, **options)
        except ApiException as error:
            if error.status != 429:
                raise
            time.sleep(2 ** (retry + 4) / 1000)
    return call(*arguments, **options)


class Api:
    """The parts of the SDK that the work needs, with verified TLS."""

    def __init__(self, work: Work) -> None:
        configuration = deepsecurity.Configuration()
        configuration.host = work.url
        configuration.verify_ssl = True
        configuration.ssl_ca_cert = work.ca_path
        configuration.api_key = {"api-secret-key": os.environ["WORKLOAD_SECURITY_API_KEY"]}
        client = deepsecurity.ApiClient(configuration)
        self.policies = deepsecurity.PoliciesApi(client)
        self.computers = deepsecurity.ComputersApi(client)
        self.groups = deepsecurity.ComputerGroupsApi(client)
        self.rules = deepsecurity.FirewallRulesApi(client)
        self.of_policies = deepsecurity.PolicyFirewallRuleAssignmentsApi(client)
        self.of_computers = deepsecurity.ComputerFirewallRuleAssignmentsApi(client)

    def rule(self, name: str) -> int:
        """The ID of the rule with that name."""
        wanted = deepsecurity.SearchCriteria(
            field_name="name", string_test="equal", string_value=name, string_wildcards=False
        )
        found = patiently(
            self.rules.search_firewall_rules, V1, search_filter=deepsecurity.SearchFilter(search_criteria=[wanted])
        )
        (rule,) = found.firewall_rules
        return rule.id

    def assign(self, kind: str, target: int, rule: int) -> None:
        """Assign a rule directly to a policy or a computer."""
        rules = deepsecurity.RuleIDs(rule_ids=[rule])
        add = {
            "policies": self.of_policies.add_firewall_rule_ids_to_policy,
            "computers": self.of_computers.add_firewall_rule_ids_to_computer,
        }[kind]
        patiently(add, target, rules, V1, overrides=True)


# -- the loop of the samples


def loop(api: Api, work: Work) -> dict[str, t.Any]:
    """Handle one target after the other, and for each target, one setting after the other, then its rules."""
    rule = api.rule(work.rule)
    written = []
    for kind, target, told in _listed(api, work) if work.only is None else work.only:
        ask, write, rules = {
            "policies": (
                api.policies.describe_policy_setting,
                api.policies.modify_policy_setting,
                api.of_policies.list_firewall_rule_ids_on_policy,
            ),
            "computers": (
                api.computers.describe_computer_setting,
                api.computers.modify_computer_setting,
                api.of_computers.list_firewall_rule_ids_on_computer,
            ),
        }[kind]
        differs = False
        for name, value in work.settings_of(told).items():
            if patiently(ask, target, name, V1, overrides=False).value != value:
                patiently(write, target, name, deepsecurity.SettingValue(value=value), V1, overrides=True)
                differs = True
        if rule not in (patiently(rules, target, V1, overrides=work.rule_itself).assigned_rule_ids or []):
            api.assign(kind, target, rule)
            differs = True
        if differs:
            written.append([kind, target])
    return {"written": written}


def _listed(api: Api, work: Work) -> list[tuple[str, int, str]]:
    """All targets, each kind in one call."""
    policies = patiently(api.policies.list_policies, V1, overrides=False).policies
    targets = [("policies", one.id, one.name) for one in policies]
    if work.computers:
        computers = patiently(api.computers.list_computers, V1, expand=NONE, overrides=False).computers
        targets += [("computers", one.id, one.platform) for one in computers]
    return targets


# -- the SDK, used well


@dataclass(slots=True)
class Target:
    """A policy or computer: its ID, its name or platform, the policy that it inherits from, and its own values."""

    id: int
    told: str
    parent: int | None
    settings: dict[str, str] = field(default_factory=dict)
    rules: list[int] = field(default_factory=list)


class Fleet:
    """All policies and computers, in pages, with their own values."""

    def __init__(self, api: Api, *, computers: bool = True) -> None:
        self._default = self._values(patiently(api.policies.list_default_settings, V1))
        self.policies = {
            one.id: Target(one.id, one.name, one.parent_id, self._values(one.policy_settings), self._rules(one))
            for one in in_pages(api.policies.search_policies, "policies", overrides=True)
        }
        self.computers: dict[int, Target] = {}
        if computers:
            for one in in_pages(api.computers.search_computers, "computers", expand=NONE, overrides=False):
                self.computers[one.id] = Target(one.id, one.platform, one.policy_id)
            known = list(self.computers)
            for one in in_windows(api.computers.search_computers, "computers", known, expand=OWN, overrides=True):
                own = self.computers[one.id]
                own.settings, own.rules = self._values(one.computer_settings), self._rules(one)
        self._inherited = functools.cache(self._of_policy)

    @staticmethod
    def _values(settings: t.Any) -> dict[str, str]:
        values = (
            {name: getattr(settings, attribute, None) for name, attribute in ATTRIBUTES.items()} if settings else {}
        )
        return {name: value.value for name, value in values.items() if value and value.value}

    @staticmethod
    def _rules(one: t.Any) -> list[int]:
        return (one.firewall.rule_ids if one.firewall else None) or []

    def _of_policy(self, policy: int | None) -> tuple[dict[str, str], frozenset[int]]:
        if policy not in self.policies:
            return self._default, frozenset()
        own = self.policies[policy]
        settings, rules = self._inherited(own.parent)
        return {**settings, **own.settings}, rules.union(own.rules)

    def effective(self, target: Target) -> tuple[dict[str, str], frozenset[int]]:
        """What is in effect on a policy or computer: its settings, and the IDs of its rules."""
        settings, rules = self._inherited(target.parent)
        if not target.settings and not target.rules:
            return settings, rules
        return {**settings, **target.settings}, rules.union(target.rules)


def in_pages(call: t.Callable[..., t.Any], plural: str, **options: t.Any) -> t.Iterator[t.Any]:
    """All objects that a search finds."""
    last = 0
    while True:
        page = getattr(_page(call, _criterion("greater-than", last), **options), plural)
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].id


def in_windows(
    call: t.Callable[..., t.Any], plural: str, known: t.Sequence[int], **options: t.Any
) -> t.Iterator[t.Any]:
    """The objects with these IDs that a search finds. Its pages may contain nulls instead of objects."""
    for start in range(0, len(known), PAGE):
        ids = known[start : start + PAGE]
        window = (_criterion("greater-than-or-equal", ids[0]), _criterion("less-than-or-equal", ids[-1]))
        yield from (one for one in getattr(_page(call, *window, **options), plural) if one and one.id)


def _criterion(test: str, number: int) -> deepsecurity.SearchCriteria:
    return deepsecurity.SearchCriteria(id_test=test, id_value=number)


def _page(call: t.Callable[..., t.Any], *criteria: deepsecurity.SearchCriteria, **options: t.Any) -> t.Any:
    wanted = deepsecurity.SearchFilter(max_items=PAGE, search_criteria=list(criteria), sort_by_object_id=True)
    return patiently(call, V1, search_filter=wanted, **options)


def pages(api: Api, work: Work) -> dict[str, t.Any]:
    """Compare all targets, then write those that differ."""
    rule = api.rule(work.rule)
    fleet = Fleet(api, computers=work.computers)
    tasks: list[tuple[str, int, dict[str, str], bool]] = []
    for kind, targets in (("policies", fleet.policies), ("computers", fleet.computers)):
        for target in targets.values():
            settings, rules = fleet.effective(target)
            wrong = {name: value for name, value in work.settings_of(target.told).items() if settings[name] != value}
            without = rule not in (target.rules if work.rule_itself else rules)
            if wrong or without:
                tasks.append((kind, target.id, wrong, without))

    def write(task: tuple[str, int, dict[str, str], bool]) -> None:
        kind, target, wrong, without = task
        values = {ATTRIBUTES[name]: deepsecurity.SettingValue(value=value) for name, value in wrong.items()}
        if values and kind == "policies":
            policy = deepsecurity.Policy(policy_settings=deepsecurity.PolicySettings(**values))
            patiently(api.policies.modify_policy, target, policy, V1, overrides=True)
        elif values:
            computer = deepsecurity.Computer(computer_settings=deepsecurity.ComputerSettings(**values))
            patiently(api.computers.modify_computer, target, computer, V1, expand=NONE, overrides=True)
        if without:
            api.assign(kind, target, rule)

    with ThreadPoolExecutor(work.concurrency) as writers:
        list(writers.map(write, tasks))
    return {"written": [[kind, target] for kind, target, _wrong, _without in tasks]}


def report(api: Api, work: Work) -> dict[str, t.Any]:
    """How many computers have which values, and how many targets have their own values."""
    fleet = Fleet(api)
    counts: dict[str, Counter[str]] = {name: Counter() for name in work.settings_of("")}
    for computer in fleet.computers.values():
        settings = fleet.effective(computer)[0]
        for name, counter in counts.items():
            counter[settings[name]] += 1
    return {"computers": len(fleet.computers), "counts": counts, "own": _with_own(fleet, work)}


def capture(api: Api, work: Work) -> dict[str, t.Any]:
    """Write the own values of all targets to a file."""
    fleet = Fleet(api)
    own = {
        kind: {target.id: [target.settings, target.rules] for target in targets.values()}
        for kind, targets in (("policies", fleet.policies), ("computers", fleet.computers))
    }
    Path(work.file).write_text(json.dumps(own))
    return {"own": _with_own(fleet, work)}


def drift(api: Api, work: Work) -> dict[str, t.Any]:
    """Which targets differ from what is declared, and how many have their own values."""
    fleet = Fleet(api)
    rule = api.rule(work.rule)
    differing = []
    for kind, targets in (("policies", fleet.policies), ("computers", fleet.computers)):
        for target in targets.values():
            settings, rules = fleet.effective(target)
            wanted = work.settings_of(target.told)
            if rule not in rules or any(settings[name] != value for name, value in wanted.items()):
                differing.append([kind, target.id])
    return {"differing": differing, "own": _with_own(fleet, work)}


def inventory(api: Api, work: Work) -> dict[str, t.Any]:
    """Write every computer as a host to a file, in groups by policy, computer group and status."""
    names = {one.id: one.name for one in in_pages(api.policies.search_policies, "policies", overrides=True)}
    groups = {one.id: one.name for one in in_pages(api.groups.search_computer_groups, "computer_groups")}
    found: dict[str, list[str]] = {}
    hosts: dict[str, dict[str, t.Any]] = {}
    for one in in_pages(api.computers.search_computers, "computers", expand=["computerStatus"], overrides=False):
        hosts[one.host_name] = {"id": one.id, "platform": one.platform, "agent_version": one.agent_version}
        for group in (names.get(one.policy_id), groups.get(one.group_id), one.computer_status.agent_status):
            found.setdefault(str(group), []).append(one.host_name)
    Path(work.file).write_text(json.dumps({"hosts": hosts, "groups": found}))
    return {"hosts": len(hosts)}


def _with_own(fleet: Fleet, work: Work) -> int:
    names = work.settings_of("").keys()
    return sum(
        not names.isdisjoint(target.settings) for target in (*fleet.policies.values(), *fleet.computers.values())
    )


MANNERS: dict[str, t.Callable[[Api, Work], dict[str, t.Any]]] = {
    one.__name__: one for one in (loop, pages, report, capture, drift, inventory)
}


def run(manner: str, work: Work) -> dict[str, t.Any]:
    """Do the work. The key comes from the environment."""
    return MANNERS[manner](Api(work), work)


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Work.read(Path(sys.argv[2])))))
