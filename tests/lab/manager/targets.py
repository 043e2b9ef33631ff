# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and computers: the values that they set themselves or inherit, and the rules assigned to them."""

from __future__ import annotations

import operator
import typing as t

import orjson

from tests.lab.manager import settings
from tests.lab.manager.faults import without_fields
from tests.lab.manager.message import ApiError, Call, Reply, choice, integer, not_found, text
from tests.lab.manager.render import MODULES, parts_of
from tests.lab.manager.resources import Resource
from tests.lab.manager.rule_fields import PROPERTIES, checked, difference, rule_at, shown_rule
from tests.lab.manager.search import Field
from tests.lab.manager.state import Computer, Policy, Table

_NO_VALUE = {"empty_object": b"{}", "null_value": b'{"value":null}', "empty_value": b'{"value":""}'}
_NO_RULES: dict[str, dict[str, t.Any]] = {
    "empty_list": {"assignedRuleIDs": []},
    "null": {"assignedRuleIDs": None},
    "absent": {},
}

_FIREWALL_PROPERTIES = {
    "state",
    "moduleStatus",
    "globalStatefulConfigurationID",
    "statefulConfigurationAssignments",
    "ruleIDs",
}
_FIREWALL_STATES = ("inherited", "on", "off")

Target = t.Union[Policy, Computer]

# The attributes that are sent to agents.
_SENT = {"settings", "firewall_state", "rule_ids", "rule_overrides", "policy_id", "parent_id"}

# Fields that searches leave out, by the value of the switch, unless that is itself the name of the field.
_LEFT_OUT = {"names": ("name", "hostName", "displayName")}


class TargetResource(Resource):
    """What policies and computers have in common."""

    settings_key: t.ClassVar[str]

    def above(self, target: t.Any) -> int:
        """The ID of the policy that a target inherits from, 0 for the default policy."""
        raise NotImplementedError

    def changed(self, target: t.Any) -> None:
        """Called after a target's own values have changed."""

    def answer(self, call: Call, path: list[str]) -> Reply:
        """Answer a call. Searches leave out what a switch says. Raises C(ApiError)."""
        reply = super().answer(call, path)
        left_out = self.switches["search_leaves_out"]
        if path != ["search"] or left_out == "nothing":
            return reply
        return without_fields(reply, _LEFT_OUT.get(left_out, (left_out,)))

    # -- settings and firewall in an object

    def _check_own(self, target: Target, written: dict[str, t.Any], *, new: bool) -> dict[str, t.Any]:
        """The attributes that a write sets on a target, after all checks; raises C(ApiError)."""
        own: dict[str, t.Any] = {}
        if self.settings_key in written:
            own["settings"] = self._merged(target, written[self.settings_key])
        firewall = written.get("firewall", {})
        if not isinstance(firewall, dict) or firewall.keys() - _FIREWALL_PROPERTIES:
            raise ApiError(400, "Invalid value for firewall")
        if "state" in firewall:
            state = choice(firewall, "state", "", _FIREWALL_STATES)
            own["firewall_state"] = None if state == "inherited" else state
        if "ruleIDs" in firewall:
            rule_ids = self._rule_ids(firewall)
            treatment = "replaced" if new else self.switches["policy_rule_ids_on_modify"]
            if treatment == "merged":
                rule_ids |= set(target.rule_ids)
            if treatment != "ignored":
                own["rule_ids"] = tuple(sorted(rule_ids))
        return own

    def _merged(self, target: Target, written: t.Any) -> dict[str, str]:
        values = settings.check_all(written, settings.POLICY_SETTINGS, self.switches, self.state.deployment)
        return {name: value for name, value in {**target.settings, **values}.items() if value != ""}

    def _rule_ids(self, written: dict[str, t.Any]) -> set[int]:
        rule_ids = written.get("ruleIDs") or []
        if not isinstance(rule_ids, list) or not all(rule_id.__class__ is int for rule_id in rule_ids):
            raise ApiError(400, "Invalid value for ruleIDs: must be a list of integers")
        for rule_id in rule_ids:
            if self.state.rules.get(rule_id) is None:
                raise ApiError(400, f"Firewall Rule {rule_id} does not exist")
        return set(rule_ids)

    def _assign(self, target: Target, own: dict[str, t.Any]) -> None:
        differs = any(getattr(target, name) != value for name, value in own.items() if name in _SENT)
        for name, value in own.items():
            setattr(target, name, value)
        self.changed(target)
        if differs:
            self.state.touched(target)
        if target.rule_overrides:
            # If it no longer has a rule, its overrides of the rule are removed, too.
            rule_ids = self._inherited_rules(target).union(target.rule_ids)
            target.rule_overrides = {number: own for number, own in target.rule_overrides.items() if number in rule_ids}

    # -- paths below an object

    def below(self, call: Call, item: Target, path: list[str]) -> Reply:
        """Answer a call to a setting, to the assigned rules, or to their details."""
        match path:
            case ["settings", name]:
                return self._setting(call, item, name)
            case ["firewall", "assignments", *rule]:
                return self._assignments(call, item, rule)
            case ["firewall", "rules", *rule]:
                return self._rules(call, item, rule)
        raise ApiError(404, "HTTP 404 Not Found")

    def _setting(self, call: Call, target: Target, name: str) -> Reply:
        overrides = call.flag("overrides")
        if call.method == "POST":
            self._assign(target, {"settings": self._merged(target, {name: call.json()})})
        elif call.method == "DELETE":
            self._assign(target, {"settings": self._merged(target, {name: {"value": ""}})})
        elif call.method != "GET":
            raise ApiError(405, "HTTP 405 Method Not Allowed")
        elif name not in settings.POLICY_SETTINGS:
            raise ApiError(400, f"Unknown setting: {name}")
        value = target.settings.get(name)
        if value is None:
            if overrides:
                return Reply(200, _NO_VALUE[self.switches["inherited_single_setting"]])
            value = self.state.effective_settings(self.above(target))[name]
        return Reply.of({"value": settings.spell(name, value, self.switches)})

    def _inherited_rules(self, target: Target) -> frozenset[int]:
        return self.state.effective_rules(self.above(target))

    def _assignments(self, call: Call, target: Target, rule: list[str]) -> Reply:
        direct = set(target.rule_ids)
        match call.method, rule:
            case "GET", []:
                pass
            case "POST", []:
                self._assign(target, {"rule_ids": tuple(sorted(direct | self._rule_ids(call.json())))})
            case "PUT", []:
                self._assign(target, {"rule_ids": tuple(sorted(self._rule_ids(call.json())))})
            case "DELETE", [number]:
                self._unassign(target, int(number) if number.isdecimal() else 0)
            case _:
                raise ApiError(405, "HTTP 405 Method Not Allowed")
        rule_ids = set(target.rule_ids)
        if not call.flag("overrides"):
            rule_ids |= self._inherited_rules(target)
        return Reply.of(
            {"assignedRuleIDs": sorted(rule_ids)} if rule_ids else _NO_RULES[self.switches["no_assigned_rules"]]
        )

    def _unassign(self, target: Target, rule_id: int) -> None:
        if rule_id in target.rule_ids:
            self._assign(target, {"rule_ids": tuple(other for other in target.rule_ids if other != rule_id)})
        elif rule_id not in self._inherited_rules(target) or self.switches["unassign_inherited"] == "not_found":
            raise not_found("firewall rule")
        elif self.switches["unassign_inherited"] == "rejected":
            raise ApiError(400, f"Firewall Rule {rule_id} could not be unassigned because it is inherited")

    def _rules(self, call: Call, target: Target, path: list[str]) -> Reply:
        """The rules of a target with all overrides, also inherited ones, or only the target's own overrides."""
        overrides = call.flag("overrides")
        rule_ids = sorted(self._inherited_rules(target).union(target.rule_ids))
        match call.method, path:
            case "GET", []:
                if overrides and self.switches["rule_overrides"] == "assigned_rules":
                    rule_ids, overrides = sorted(target.rule_ids), False
                elif overrides:
                    rule_ids = [rule_id for rule_id in rule_ids if rule_id in target.rule_overrides]
                return Reply.of({"firewallRules": [self._rule(target, rule_id, overrides) for rule_id in rule_ids]})
            case (("GET" | "POST" | "DELETE"), [number]):
                rule_id = int(number) if number.isdecimal() else 0
                if rule_id not in rule_ids:
                    raise not_found("firewall rule")
                if call.method != "GET":
                    self._override(target, rule_id, call.json() if call.method == "POST" else None)
                return Reply.of(self._rule(target, rule_id, overrides))
        raise ApiError(405, "HTTP 405 Method Not Allowed")

    def _rule(self, target: Target, rule_id: int, overrides: bool) -> dict[str, t.Any]:
        own = target.rule_overrides.get(rule_id)
        rule = {**(own or {}), "ID": rule_id} if overrides else rule_at(self.state, rule_id, self.above(target), own)
        return shown_rule(rule, self.switches)

    def _override(self, target: Target, rule_id: int, written: dict[str, t.Any] | None) -> None:
        """Override more properties of a rule on a target, or, if C(written) is C(None), none of them any more."""
        kept = {other: own for other, own in target.rule_overrides.items() if other != rule_id}
        if written is not None:
            if unknown := written.keys() - PROPERTIES:
                raise ApiError(400, f"Unrecognized property: {sorted(unknown)[0]}")
            inherited = rule_at(self.state, rule_id, self.above(target))
            written = {**target.rule_overrides.get(rule_id, {}), **written}
            rule = checked(inherited, written, self.state, self.switches) | {"ID": rule_id}
            if own := difference(rule, inherited):
                kept[rule_id] = own
        self._assign(target, {"rule_overrides": kept})


class Policies(TargetResource):
    """Policies, each below another one or below the default policy."""

    noun = "policy"
    plural = "policies"
    envelope = "policies"
    settings_key = "policySettings"
    properties = frozenset(
        {
            "ID",
            "parentID",
            "name",
            "description",
            "policySettings",
            "recommendationScanMode",
            "autoRequiresUpdate",
            "interfaceTypes",
            *MODULES,
        }
    )
    fields = {
        "name": Field("string", operator.attrgetter("name")),
        "description": Field("string", operator.attrgetter("description")),
        "parentID": Field("numeric", lambda policy: policy.parent_id or None),
        "recommendationScanMode": Field("choice", operator.attrgetter("recommendation_scan_mode")),
        "autoRequiresUpdate": Field("choice", operator.attrgetter("auto_requires_update")),
    }

    @property
    def table(self) -> Table[Policy]:
        """The table with the policies."""
        return self.state.policies

    def above(self, target: Policy) -> int:
        """The parent's ID, 0 for the default policy."""
        return target.parent_id

    def changed(self, target: Policy) -> None:
        """Forget all derived values, because a policy affects its children and computers."""
        self.state.policies_changed()

    def show(self, call: Call, items: t.Sequence[Policy]) -> list[bytes]:
        """Policies, encoded."""
        overrides = call.flag("overrides")
        return [orjson.dumps(self.renderer.policy(policy, overrides)) for policy in items]

    def create(self, call: Call, written: dict[str, t.Any]) -> Policy:
        """Add a new policy."""
        self._check_name(written, required=True)
        policy = Policy(self.table.next_id, written["name"])
        self._write(policy, written, new=True)
        return self.table.add(policy.id, policy)

    def modify(self, call: Call, item: Policy, written: dict[str, t.Any]) -> None:
        """Change a policy."""
        self._check_name(written, item.id)
        self._write(item, written, new=False)

    def _write(self, policy: Policy, written: dict[str, t.Any], *, new: bool) -> None:
        own = self._check_own(policy, written, new=new)
        own["name"] = text(written, "name", policy.name)
        own["description"] = text(written, "description", policy.description)
        own["parent_id"] = self._parent(policy, integer(written, "parentID", policy.parent_id))
        own["recommendation_scan_mode"] = choice(
            written, "recommendationScanMode", policy.recommendation_scan_mode, ("off", "ongoing")
        )
        own["auto_requires_update"] = choice(written, "autoRequiresUpdate", policy.auto_requires_update, ("off", "on"))
        self._assign(policy, own)

    def _parent(self, policy: Policy, parent_id: int) -> int:
        if parent_id and self.table.get(parent_id) is None:
            raise ApiError(400, f"Policy {parent_id} does not exist")
        if any(above.id == policy.id for above in self.state.lineage(parent_id)):
            raise ApiError(400, f"Policy {policy.id} cannot be below itself")
        return parent_id

    def remove(self, item: Policy) -> None:
        """Delete a policy that has no children and no computers."""
        self._depended_on(item.id, self.state.user_of_policy(item.id))
        self.table.remove(item.id)
        self.changed(item)


class Computers(TargetResource):
    """Computers. Several of them may have the same host name."""

    noun = "computer"
    plural = "computers"
    envelope = "computers"
    settings_key = "computerSettings"
    properties = frozenset(
        {
            "ID",
            "hostName",
            "displayName",
            "description",
            "platform",
            "policyID",
            "groupID",
            "relayListID",
            "assetImportanceID",
            "computerSettings",
            *MODULES,
        }
    )

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        named = self.state.computers_named
        self.fields = {
            "hostName": Field("string", operator.attrgetter("host_name"), lambda name: named("host_name", name)),
            "displayName": Field(
                "string", operator.attrgetter("display_name"), lambda name: named("display_name", name)
            ),
            "description": Field("string", operator.attrgetter("description")),
            "lastIPUsed": Field("string", operator.attrgetter("last_ip_used")),
            "agentFingerPrint": Field("string", operator.attrgetter("agent_finger_print")),
            "hostGUID": Field("string", operator.attrgetter("host_guid")),
            "agentVersion": Field("version", operator.attrgetter("agent_version")),
            "policyID": Field("numeric", lambda computer: computer.policy_id or None),
            "groupID": Field("numeric", operator.attrgetter("group_id")),
            "relayListID": Field("numeric", operator.attrgetter("relay_list_id")),
            "lastAgentCommunication": Field("date", operator.attrgetter("last_agent_communication")),
            "lastSendPolicyRequest": Field("date", operator.attrgetter("last_send_policy_request")),
            "lastSendPolicySuccess": Field("date", operator.attrgetter("last_send_policy_success")),
        }

    @property
    def table(self) -> Table[Computer]:
        """The table with the computers."""
        return self.state.computers

    def above(self, target: Computer) -> int:
        """The policy's ID, 0 for the default policy."""
        return target.policy_id

    def show(self, call: Call, items: t.Sequence[Computer]) -> list[bytes]:
        """Computers of a list, encoded."""
        return self.renderer.computers(items, parts_of(call.values("expand")), call.flag("overrides"))

    def show_one(self, call: Call, item: Computer) -> bytes:
        """One computer, encoded."""
        return self.renderer.computer(item, parts_of(call.values("expand")), call.flag("overrides"))

    def create(self, call: Call, written: dict[str, t.Any]) -> Computer:
        """Add a new computer without an agent. Tests may set its platform, which a manager only learns from agents."""
        computer = Computer(self.table.next_id, "", platform=text(written, "platform", "Unknown"))
        self._write(computer, written, new=True)
        self.state.computer_names_changed()
        return self.table.add(computer.id, computer)

    def modify(self, call: Call, item: Computer, written: dict[str, t.Any]) -> None:
        """Change a computer."""
        if "platform" in written:
            raise ApiError(400, "Unrecognized property: platform")
        self._write(item, written, new=False)
        if written.keys() & {"hostName", "displayName"}:
            self.state.computer_names_changed()

    def _write(self, computer: Computer, written: dict[str, t.Any], *, new: bool) -> None:
        own = self._check_own(computer, written, new=new)
        own["host_name"] = text(written, "hostName", computer.host_name)
        if not own["host_name"].strip():
            raise ApiError(400, "Computer Host Name cannot be blank")
        own["display_name"] = text(written, "displayName", computer.display_name)
        own["description"] = text(written, "description", computer.description)
        own["policy_id"] = self._existing(self.state.policies, "policyID", written, computer.policy_id)
        own["group_id"] = self._existing(self.state.groups, "groupID", written, computer.group_id)
        own["relay_list_id"] = integer(written, "relayListID", computer.relay_list_id)
        own["basic"] = None
        self._assign(computer, own)

    @staticmethod
    def _existing(table: Table[t.Any], key: str, written: dict[str, t.Any], default: int) -> int:
        object_id = integer(written, key, default)
        if object_id and table.get(object_id) is None:
            raise ApiError(400, f"Invalid value for {key}: {object_id} does not exist")
        return object_id

    def remove(self, item: Computer) -> None:
        """Delete a computer."""
        self.table.remove(item.id)
        self.state.agents.pop(item.id, None)
        self.state.computer_names_changed()
