# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The properties that a firewall rule may have, and those that the manager fills in."""

from __future__ import annotations

import typing as t

from tests.lab.manager.items import normal_ip, normal_mac, normal_ports, spell_mac
from tests.lab.manager.message import ApiError, choice, integer, text
from tests.lab.manager.state import State
from tests.lab.manager.switches import Switches

CHOICES: dict[str, tuple[str, ...]] = {
    "action": ("log-only", "allow", "deny", "force-allow", "bypass"),
    "priority": ("0", "1", "2", "3", "4"),
    "direction": ("incoming", "outgoing"),
    "frameType": ("any", "ip", "arp", "revarp", "ipv4", "ipv6", "other"),
    "protocol": (
        *("any", "icmp", "igmp", "ggp", "tcp", "pup", "udp", "idp", "nd", "raw", "tcp-udp", "icmpv6", "other"),
    ),
}
_DEFAULT_CHOICES = {
    "action": "allow",
    "priority": "0",
    "direction": "incoming",
    "frameType": "ip",
    "protocol": "any",
}
_FRAME_NUMBERS = {"any": 0, "ip": 2048, "arp": 2054, "revarp": 32821, "ipv4": 2048, "ipv6": 34525}
_PROTOCOL_NUMBERS = {
    **{"any": 0, "icmp": 1, "igmp": 2, "ggp": 3, "tcp": 6, "pup": 12, "udp": 17, "idp": 22, "nd": 77, "raw": 255},
    "icmpv6": 58,
}
# Actions that need a certain priority.
_PRIORITY_OF = {"bypass": "4", "log-only": "4", "allow": "0"}

FLAGS = ("frameNot", "protocolNot", "TCPNot", "ICMPNot", "logDisabled", "includePacketData", "alertEnabled")
_TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg")
_OPTIONAL_IDS = ("scheduleID", "contextID")
_OPTIONAL_NUMBERS = ("ICMPType", "ICMPCode", *_OPTIONAL_IDS)

# For each kind of source or destination: its types, and the properties that each type needs.
_ENDS: dict[str, dict[str, tuple[str, ...]]] = {
    "IP": {
        "any": (),
        "masked-ip": ("Value", "Mask"),
        "range": ("RangeFrom", "RangeTo"),
        "ip-list": ("ListID",),
        "single": ("Value",),
        "multiple": ("Multiple",),
    },
    "MAC": {"any": (), "single": ("Value",), "mac-list": ("ListID",), "multiple": ("Multiple",)},
    "Port": {"any": (), "multiple": ("Multiple",), "port-list": ("ListID",)},
}
_ITEM_CHECKS: dict[str, t.Callable[[str], str]] = {"IP": normal_ip, "MAC": normal_mac, "Port": normal_ports}
END_PREFIXES = [(f"{side}{kind}", kind) for side in ("source", "destination") for kind in _ENDS]

PROPERTIES = frozenset(
    {
        *("ID", "name", "description", "frameNumber", "protocolNumber", "anyFlags", "tcpflags"),
        *CHOICES,
        *FLAGS,
        *_OPTIONAL_NUMBERS,
        *(f"{prefix}{suffix}" for prefix, _kind in END_PREFIXES for suffix in ("Type", "Not")),
        *(f"{prefix}{suffix}" for prefix, kind in END_PREFIXES for needed in _ENDS[kind].values() for suffix in needed),
    }
)


def shown_rule(rule: dict[str, t.Any], switches: Switches) -> dict[str, t.Any]:
    """A rule in which MAC addresses have the separator from the switches."""
    shown = dict(rule)
    for side in ("source", "destination"):
        if f"{side}MACValue" in shown:
            shown[f"{side}MACValue"] = spell_mac(shown[f"{side}MACValue"], switches)
        if f"{side}MACMultiple" in shown:
            shown[f"{side}MACMultiple"] = [spell_mac(item, switches) for item in shown[f"{side}MACMultiple"]]
    return shown


def complete(rule: dict[str, t.Any], written: dict[str, t.Any], state: State) -> dict[str, t.Any]:
    """A rule after a write, with all that the manager fills in; raises C(ApiError)."""
    merged = {**rule, **written}
    result: dict[str, t.Any] = {
        "name": text(merged, "name", ""),
        "description": text(merged, "description", ""),
    }
    for key, choices in CHOICES.items():
        result[key] = choice(merged, key, _DEFAULT_CHOICES[key], choices)
    result["frameNumber"] = _FRAME_NUMBERS.get(result["frameType"], integer(merged, "frameNumber", 0))
    result["protocolNumber"] = _PROTOCOL_NUMBERS.get(result["protocol"], integer(merged, "protocolNumber", 0))
    for key in FLAGS:
        result[key] = _flag(merged, key, False)
    for prefix, kind in END_PREFIXES:
        result.update(_end(merged, prefix, kind, state))
    result["anyFlags"] = _flag(merged, "anyFlags", True)
    if not result["anyFlags"]:
        result["tcpflags"] = [
            choice({"tcpflags": item}, "tcpflags", "", _TCP_FLAGS) for item in _list(merged, "tcpflags")
        ]
    for key in _OPTIONAL_NUMBERS:
        # For an ID, 0 means none.
        if key in merged and (integer(merged, key, 0) or key.startswith("ICMP")):
            result[key] = merged[key]
    return result


def checked(rule: dict[str, t.Any], written: dict[str, t.Any], state: State, switches: Switches) -> dict[str, t.Any]:
    """A complete rule after a write. Raises C(ApiError), also if the action does not allow the priority."""
    result = complete(rule, written, state)
    needed = _PRIORITY_OF.get(result["action"])
    if switches["bypass_priority_enforced"] and needed and result["priority"] != needed:
        raise ApiError(400, f"Invalid value for priority: action {result['action']} requires priority {needed}")
    return result


def rule_at(state: State, rule_id: int, policy_id: int, own: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    """A rule with the overrides of a policy and its parents, and with C(own), a target's. C(policy_id) may be 0."""
    rule = state.rules.items[rule_id]
    above = [policy.rule_overrides.get(rule_id) for policy in state.lineage(policy_id)]
    for layer in (*reversed(above), own):
        if layer:
            rule = complete(rule, layer, state) | {"ID": rule_id}
    return rule


def difference(rule: dict[str, t.Any], inherited: dict[str, t.Any]) -> dict[str, t.Any]:
    """The properties in which a complete rule differs from an inherited one. C(complete) can merge the two again."""
    own = {key: value for key, value in rule.items() if key not in inherited or inherited[key] != value}
    for prefix, kind in END_PREFIXES:
        # An overridden type keeps the properties that it needs, even if the inherited rule changes.
        if f"{prefix}Type" in own:
            own |= {f"{prefix}{suffix}": rule[f"{prefix}{suffix}"] for suffix in _ENDS[kind][own[f"{prefix}Type"]]}
    return own | {key: 0 for key in _OPTIONAL_IDS if key in inherited and key not in rule}


def _end(rule: dict[str, t.Any], prefix: str, kind: str, state: State) -> dict[str, t.Any]:
    """The properties of one source or destination, without those that its type does not use."""
    types = _ENDS[kind]
    end_type = choice(rule, f"{prefix}Type", "any", tuple(types))
    result: dict[str, t.Any] = {f"{prefix}Type": end_type, f"{prefix}Not": _flag(rule, f"{prefix}Not", False)}
    for suffix in types[end_type]:
        key = f"{prefix}{suffix}"
        if key not in rule:
            raise ApiError(400, f"{key} is required when {prefix}Type is {end_type}")
        result[key] = _end_value(rule, key, suffix, kind, state)
    return result


def _end_value(rule: dict[str, t.Any], key: str, suffix: str, kind: str, state: State) -> t.Any:
    if suffix == "ListID":
        tables = {"IP": state.ip_lists, "MAC": state.mac_lists, "Port": state.port_lists}
        list_id = integer(rule, key, 0)
        if tables[kind].get(list_id) is None:
            raise ApiError(400, f"Invalid value for {key}: {list_id} does not exist")
        return list_id
    items = _list(rule, key) if suffix == "Multiple" else [text(rule, key, "")]
    for item in items:
        try:
            _ITEM_CHECKS[kind](item)
        except ValueError:
            raise ApiError(400, f"Invalid value for {key}: {item}") from None
    if not items:
        raise ApiError(400, f"Invalid value for {key}: must not be empty")
    return list(items) if suffix == "Multiple" else items[0]


def _flag(rule: dict[str, t.Any], key: str, default: bool) -> bool:
    value = rule.get(key, default)
    if not isinstance(value, bool):
        raise ApiError(400, f"Invalid value for {key}: must be true or false")
    return value


def _list(rule: dict[str, t.Any], key: str) -> list[str]:
    value = rule.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ApiError(400, f"Invalid value for {key}: must be a list of strings")
    return value
