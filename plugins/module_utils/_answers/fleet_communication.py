# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a whole manager communicates: what holds where, who overrides what, whose port is open, who is silent.

A fleet is described by its policies: computers without anything of their own are as their policy is, however many.
"""

from __future__ import annotations

import heapq
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._basis.text import enumerated, in_words, shown
from .._facets.communication_direction import CommunicationDirection
from .._facets.facet import SettingsFacet
from .._facets.firewall.description import DO_NOT_LISTEN, Rule, RulesThere, port_rules, who_connects
from .._facets.firewall.facet import FirewallRestriction
from .._facets.heartbeat import Heartbeat
from .._fleet.catalogue import (
    COMMUNICATION_DIRECTION,
    FIREWALL_STATE,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_MISSED_BEFORE_ALERT,
    NETWORK_ENGINE_MODE,
    Setting,
    Value,
)
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .._fleet.targets import Selector
from .._manager.client import Client
from .._vendor.communication import CLOUD_HEARTBEAT_INTERVAL, DIRECTIONS
from .._vendor.deployment import CLOUD
from .context import Contexts, date_of
from .platforms import platform_name
from .some_computers import CHOOSING_ARGUMENTS, at_most, choose, read_choice
from .table import as_csv

FLEET_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **CHOOSING_ARGUMENTS,
    "computers_most": {"type": "int", "default": 2000},
    "rule_overrides": {"type": "bool", "default": False},
}

# What is said of the agents' port.
RESTRICTED, OPEN, NOT_LISTENING, UNKNOWN = "restricted", "open", "not_listening", "unknown"
PORTS = (RESTRICTED, OPEN, NOT_LISTENING, UNKNOWN)
# And of when an agent was last heard from.
HEARD, SILENT, NEVER, NO_AGENT = "heard", "silent", "never", "no_agent"
CONTACTS = (HEARD, SILENT, NEVER, NO_AGENT, UNKNOWN)

# After how many heartbeats without communication an agent is called silent.
SILENT_AFTER = 2

# How many computers to name of many that are alike, and how many sources of a port in a cell.
_EXAMPLES = 5
_SOURCES = 10

_SETTINGS: tuple[tuple[type[SettingsFacet], Setting], ...] = tuple(
    (facet, setting) for facet in (Heartbeat, CommunicationDirection) for setting in facet.settings
)
COLUMNS = (
    *("type", "id", "name", "display_name", "policy", "policy_path", "group_path", "platform", "agent_version"),
    *("last_agent_communication", "contact", "direction", "direction_set_by", "interval", "interval_set_by"),
    *("missed_before_alert", "agent_port", "admitted", "why", "overrides"),
)

Row = t.Dict[str, t.Any]


@dataclass(frozen=True)
class FleetAsked:
    """Which computers to look at, how many to list, whether policies are asked for rules that they override.

    C(now): seconds since 1970.
    """

    deployment: str
    selector: Selector | None = None
    most: int = 2000
    rule_overrides: bool = False
    now: float = field(default_factory=time.time)

    @classmethod
    def from_options(cls, params: dict[str, t.Any], deployment: str) -> FleetAsked:
        """Read the options of C(communication_fleet_info). Raises C(OptionError)."""
        return cls(deployment, read_choice(params), at_most(params["computers_most"]), bool(params["rule_overrides"]))


def read_fleet(client: Client, asked: FleetAsked) -> dict[str, t.Any]:
    """The result of C(communication_fleet_info). Raises C(OptionError), C(ManagerError)."""
    fleet = Fleet(client)
    if asked.selector is None:
        fleet.begin(["policies"])
    computers, missing = choose(fleet, asked.selector)
    fleet.read_overrides([*fleet.policies.values(), *computers])
    stock = _Stock(fleet, asked)
    policies = [stock.row(policy) for policy in stock.outlook.from_the_top(fleet.policies.values())]
    rows = [stock.row(computer) for computer in computers]
    directly = Counter(computer.policy_id for computer in computers)
    for row in policies:
        row["computers"] = directly[row["id"]]
    return {
        "manager": client.transport.url,
        "read_at": date_of(int(asked.now * 1000)),
        "rule_overrides": asked.rule_overrides,
        "summary": {"policies": len(policies), **_counted(rows), "overriding_policies": _overriding(policies)},
        "heartbeats": _alike(rows, policies, ("interval", "missed_before_alert")),
        "directions": _alike(rows, policies, ("direction",)),
        "ports": _alike(rows, policies, ("agent_port", "admitted", "why")),
        "overrides": stock.overrides,
        "breakdowns": {
            kind: _broken_down(rows, key)
            for kind, key in (("policy", "policy_path"), ("group", "group_path"), ("platform", "platform_name"))
        },
        "policies": policies,
        "computers": heapq.nsmallest(asked.most, rows, key=_urgency),
        "targets_csv": as_csv(COLUMNS, ([_cell(row[column]) for column in COLUMNS] for row in (*policies, *rows))),
        "warnings": missing,
    }


class _RulesAsDefined(RulesThere):
    """Rules as they are defined, or, if policies are asked, as they are on the policy nearest to a target."""

    def __init__(self, ask_policies: bool) -> None:
        super().__init__()
        self._ask_policies = ask_policies

    def of(self, fleet: Fleet, target: Target, rule_id: int) -> Rule | str:
        policy = target if isinstance(target, Policy) else next(iter(fleet.lineage(target)), None)
        if self._ask_policies and policy and rule_id in fleet.assignments.effective(policy):
            return super().of(fleet, policy, rule_id)
        return fleet.rules[rule_id]


class _Stock:
    """What there is of targets, told once of all that are alike."""

    def __init__(self, fleet: Fleet, asked: FleetAsked) -> None:
        self.outlook = Outlook(fleet)
        self._fleet = fleet
        self._asked = asked
        self._contexts = Contexts(fleet)
        self._rules = _RulesAsDefined(asked.rule_overrides)
        self._ports: dict[tuple[t.Any, ...], Row] = {}
        self._plain: dict[int | None, Row] = {}
        self._overrides: dict[tuple[t.Any, ...], Row] = {}

    def row(self, target: Target) -> Row:
        """All that is said of one target."""
        context = self._contexts.of(target)
        facets = self._facets(target)
        silent = {"contact": None} if isinstance(target, Policy) else {"contact": self._contact(target, facets)}
        return {
            **target.reference,
            **context,
            "platform_name": platform_name(context["platform"]),
            **facets,
            **silent,
            "overrides": self._noted(target),
        }

    @property
    def overrides(self) -> list[Row]:
        """What is set on targets themselves: equal ones counted together, those of most targets first."""
        rows = self._overrides.values()
        return sorted(rows, key=lambda row: (-len(row["policies"]) - row["computers"], row["facet"], row["option"]))

    def _own_rules(self, target: Target) -> frozenset[int]:
        """The rules that a target has from nowhere else."""
        return target.rule_ids - self._fleet.assignments.inherited(target)

    def _facets(self, target: Target) -> Row:
        if isinstance(target, Policy) or target.overrides or self._own_rules(target):
            return self._told(target)
        if target.policy_id not in self._plain:
            self._plain[target.policy_id] = self._told(target)
        return self._plain[target.policy_id]

    def _told(self, target: Target) -> Row:
        told: Row = {}
        for name, setting in (
            ("direction", COMMUNICATION_DIRECTION),
            ("interval", HEARTBEAT_INTERVAL),
            ("missed_before_alert", HEARTBEAT_MISSED_BEFORE_ALERT),
        ):
            value, source = self.outlook.effective(target, setting)
            told[name] = _safe(value)
            told[f"{name}_set_by"] = "here" if source == target.label else source
        return {**told, **self._port(target)}

    def _port(self, target: Target) -> Row:
        effective = self.outlook.effective
        settings = (COMMUNICATION_DIRECTION, FIREWALL_STATE, NETWORK_ENGINE_MODE)
        place = target.id if isinstance(target, Policy) else target.policy_id
        key = (place, self._own_rules(target), *(effective(target, setting)[0] for setting in settings))
        if key not in self._ports:
            self._ports[key] = _port_told(who_connects(self.outlook, target, self._rules))
        return self._ports[key]

    def _contact(self, computer: Computer, facets: Row) -> str:
        heard = computer.last_agent_communication
        if heard is None:
            return NEVER if computer.has_agent else NO_AGENT
        interval = facets["interval"]
        if interval is None and self._asked.deployment == CLOUD:
            interval = CLOUD_HEARTBEAT_INTERVAL
        if not isinstance(interval, int):
            return UNKNOWN
        return SILENT if self._asked.now - heard / 1000 > SILENT_AFTER * interval * 60 else HEARD

    def _noted(self, target: Target) -> list[str]:
        """What the target sets itself, in words; and that is counted."""
        noted = []
        for facet, setting in _SETTINGS:
            value = self.outlook.override(target, setting)
            if value is not None:
                inherited = self.outlook.inherited(target, setting)[0]
                noted.append(self._note(target, facet.name, setting.option, value, inherited))
        rules = self._own_rules(target)
        for rule_id in port_rules(self._fleet, rules) if rules else ():
            name = shown(self._fleet.rules[rule_id].get("name"))
            noted.append(self._note(target, FirewallRestriction.name, "rule", name, None))
        return noted

    def _note(self, target: Target, facet: str, option: str, value: Value, inherited: Value | None) -> str:
        key = (facet, option, value, inherited, isinstance(value, bool), isinstance(inherited, bool))
        row = self._overrides.get(key)
        if row is None:
            of_targets: Row = {"policies": [], "computers": 0, "examples": []}
            row = {"facet": facet, "option": option, "value": _safe(value), "inherits": _safe(inherited), **of_targets}
            self._overrides[key] = row
        if isinstance(target, Policy):
            row["policies"].append(shown(self._fleet.path(target)))
        else:
            row["computers"] += 1
            if row["computers"] <= _EXAMPLES:
                row["examples"].append(shown(target.name))
        return (
            f"{option}: {_words(value)}" if option == "rule" else f"{option}: {_words(value)}, not {_words(inherited)}"
        )


def _port_told(described: Row) -> Row:
    """The state of the agents' port in one word, who is admitted, and why it is not restricted."""
    if described["without_effect_because"] == DO_NOT_LISTEN:
        return {"agent_port": NOT_LISTENING, "admitted": None, "why": DO_NOT_LISTEN}
    state = {True: RESTRICTED, False: OPEN, None: UNKNOWN}[described["restricted"]]
    admitted = described["admitted"]
    return {
        "agent_port": state,
        "admitted": None if admitted is None else enumerated(admitted, _SOURCES),
        "why": described["restricted_because"],
    }


def _counted(rows: t.Sequence[Row]) -> Row:
    """How many of these computers are how."""
    directions, ports, contacts = (Counter(row[key] for row in rows) for key in ("direction", "agent_port", "contact"))
    others = sum(count for value, count in directions.items() if value not in DIRECTIONS)
    return {
        "computers": len(rows),
        "directions": {**{value: directions[value] for value in DIRECTIONS}, UNKNOWN: others},
        "agent_port": {value: ports[value] for value in PORTS},
        "contact": {value: contacts[value] for value in CONTACTS},
        "overriding": _overriding(rows),
    }


def _overriding(rows: t.Iterable[Row]) -> int:
    return sum(bool(row["overrides"]) for row in rows)


def _broken_down(rows: t.Iterable[Row], key: str) -> list[Row]:
    """The same for each policy, group or platform, the largest first; C(None) is the name of those without one."""
    parts: dict[str | None, list[Row]] = {}
    for row in rows:
        parts.setdefault(row[key], []).append(row)
    told = [{"name": name, **_counted(of_part)} for name, of_part in parts.items()]
    return sorted(told, key=lambda part: (-part["computers"], part["name"] or ""))


def _alike(computers: t.Iterable[Row], policies: t.Iterable[Row], keys: t.Sequence[str]) -> list[Row]:
    """Which values there are of these keys, on how many computers and on which policies; the most frequent first."""
    found: dict[tuple[t.Any, ...], Row] = {}
    for row in (*policies, *computers):
        values = tuple(row[key] for key in keys)
        part = found.get(values)
        if part is None:
            part = found[values] = {**dict(zip(keys, values)), "computers": 0, "policies": [], "examples": []}
        if row["type"] == "policy":
            part["policies"].append(row["policy_path"])
        else:
            part["computers"] += 1
            if part["computers"] <= _EXAMPLES:
                part["examples"].append(row["name"])
    return sorted(found.values(), key=lambda part: -part["computers"])


def _urgency(row: Row) -> tuple[int, int]:
    """Whom to look at first: an agent that is silent, an open port, one that is not known, an override; then by ID."""
    states = (
        row["contact"] in (SILENT, NEVER),
        row["agent_port"] == OPEN,
        UNKNOWN in (row["agent_port"], row["contact"]),
        bool(row["overrides"]),
    )
    return next((place for place, state in enumerate(states) if state), len(states)), row["id"]


def _cell(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return "; ".join(value)
    return _words(value) if isinstance(value, bool) else value


def _safe(value: Value | None) -> Value | None:
    """A value of a setting for a result; what a manager says of one can be any text."""
    return shown(value, 200) if isinstance(value, str) else value


def _words(value: Value | None) -> str:
    return "not reported" if value is None else shown(in_words(value), 200)
