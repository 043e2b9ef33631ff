# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a firewall rule on the manager to the options that keep it unchanged, whoever created it.

If options cannot describe the rule exactly, C(Unfit) is raised: a nearly equal restriction is a different one.
"""

from __future__ import annotations

import typing as t

from ..._basis.address_set import AddressSet
from ..._basis.addresses import given_ip_span, given_mac, holds_port, ip_text, without_comment
from ..._basis.errors import OptionError
from ..._basis.text import enumerated, quoted, shown
from ..._fleet.shared_objects import SharedObjects, is_ours
from ..._manager.kinds import IP_LIST, MAC_LIST, PORT_LIST, Item, Kind
from ..._vendor.communication import AGENT_PORT
from ..facet import Options, Scope
from .description import opening_candidates
from .restriction import ACTIONS, DEFAULT_RULE_NAME, Restriction
from .shared_objects import FACET, Unfit, find_named, needed_objects

# The options that describe the rule and its lists. The others are permissions and limits for warnings.
_MEANING = ("rule_name", "action", "port", "port_list", "source_ips", "ip_list_name", "source_macs", "mac_list_name")
_LISTS: dict[str, t.Callable[[str], t.Any]] = {"source_ips": given_ip_span, "source_macs": given_mac}

Fill = t.Callable[[Options], t.Dict[str, t.Any]]


def restricting_rules(shared: SharedObjects) -> frozenset[int]:
    """The rules that replace, or may replace, the hidden one, and all rules that we have created."""
    return opening_candidates(shared, AGENT_PORT) | {number for number, rule in shared.rules.items() if is_ours(rule)}


def options_of(shared: SharedObjects, rule: Item, fill: Fill) -> dict[str, t.Any]:
    """The options of a restriction with exactly this rule. Raises C(Unfit) if there are none.

    C(fill): adds default values to options.
    """
    name = rule["name"]
    if name != name.strip():
        raise Unfit("its name begins or ends with a blank, and rule_name cannot")
    options: dict[str, t.Any] = {} if name == DEFAULT_RULE_NAME else {"rule_name": name}
    action = next((option for option, wire in ACTIONS.items() if wire == rule.get("action")), None)
    if action is None:
        raise Unfit(f"its action is {quoted(rule.get('action'), 60)}")
    if action != "bypass":
        options["action"] = action
    options.update(_port(shared, rule))
    for kind, prefix, source, list_name, plural in (
        (IP_LIST, "IP", "source_ips", "ip_list_name", "IPs"),
        (MAC_LIST, "MAC", "source_macs", "mac_list_name", "MACs"),
    ):
        type_of_source = rule.get(f"source{prefix}Type") or "any"
        if type_of_source == "any":
            continue
        if type_of_source != f"{prefix.lower()}-list":
            raise Unfit(
                f"its source {prefix}s are named in the rule itself ({shown(type_of_source, 60)}), not by a list"
            )
        found = _list(shared, kind, rule.get(f"source{prefix}ListID"))
        options[source] = _items(source, found)
        if found["name"] != f"{name} ({plural})":
            options[list_name] = found["name"]
    if "source_ips" not in options and "source_macs" not in options:
        raise Unfit("it admits anybody")
    # The manager's own addresses are not known here.
    options["allow_manager_lockout"] = True
    if AddressSet.of(given_ip_span(item) for item in options.get("source_ips", ())).counts.everybody:
        options["allow_everybody"] = True
    try:
        restriction = Restriction.from_options(fill(options), Scope(FACET))
    except OptionError as error:
        raise Unfit(str(error)) from None
    steps = needed_objects(shared, restriction)
    if steps:
        raise Unfit(
            f"the options cannot say all of it: {enumerated([f'{one.subject.label}: {one.why}' for one in steps])}"
        )
    return options


def adapted(declared: Options, own: Options, fill: Fill) -> dict[str, t.Any]:
    """A declaration changed to match C(own). Options with the same meaning keep their words, and permissions stay."""
    wanted = Restriction.from_options(fill(own), Scope(FACET))
    options = {name: value for name, value in declared.items() if name not in (*_MEANING, "state")}
    for name in _MEANING:
        if name in own:
            options[name] = _in_the_same_words(name, declared.get(name), own[name])
    for name in (*_MEANING, "state"):
        # Declared options stay even if they have the default value.
        if name in declared and name not in options:
            more = fill({**own, name: declared[name]})
            try:
                if Restriction.from_options(more, Scope(FACET)) == wanted:
                    options[name] = declared[name]
            except OptionError:
                pass
    try:
        Restriction.from_options(fill(options), Scope(FACET))
    except OptionError:
        # The declared addresses of the manager are no longer admitted.
        options = {
            **{name: value for name, value in options.items() if not name.startswith("manager_")},
            **{name: value for name, value in own.items() if name not in _MEANING},
        }
    return options


def _port(shared: SharedObjects, rule: Item) -> dict[str, t.Any]:
    """The options of a rule's destination. Raises C(Unfit)."""
    kind = rule.get("destinationPortType") or "any"
    if kind == "port-list":
        found = _list(shared, PORT_LIST, rule.get("destinationPortListID"))
        if not holds_port(found.get("items") or (), AGENT_PORT):
            raise Unfit(f"its port list {quoted(found['name'])} does not hold the agents' port {AGENT_PORT}")
        return {"port_list": found["name"]}
    items = rule.get("destinationPortMultiple")
    ports = [str(item).strip() for item in items] if kind == "multiple" and isinstance(items, list) else []
    if len(ports) != 1 or not (ports[0].isascii() and ports[0].isdigit() and len(ports[0]) < 6):
        raise Unfit(
            f"its destination is {enumerated([shown(port, 60) for port in ports]) or shown(kind, 60)}, not one port"
        )
    return {} if int(ports[0]) == AGENT_PORT else {"port": int(ports[0])}


def _list(shared: SharedObjects, kind: Kind, list_id: t.Any) -> Item:
    """A list that a rule uses, if its name leads to exactly this list. Raises C(Unfit)."""
    found = shared.objects(kind).get(list_id) if isinstance(list_id, int) else None
    if found is None:
        raise Unfit(f"its {kind.noun} with ID {shown(list_id)} is not on the manager, or not shown to this API key")
    find_named(shared, kind, found["name"])
    return found


def _items(option: str, found: Item) -> list[str]:
    """The items of a list in the form of the option, in an order that does not depend on the list's order."""
    items = found.get("items")
    if not isinstance(items, list):
        raise Unfit(f"its list {quoted(found['name'])} has no items that can be read")
    parsed: set[t.Any] = set()
    for item in map(without_comment, map(str, items)):
        try:
            parsed.update([_LISTS[option](item)] if item else ())
        except ValueError as error:
            raise Unfit(
                f"the item {quoted(item, 60)} of its list {quoted(found['name'])} cannot be declared: {error}"
            ) from None
    return [ip_text(one) if option == "source_ips" else one for one in sorted(parsed)]


def _in_the_same_words(name: str, declared: t.Any, own: t.Any) -> t.Any:
    """C(own), but items that are also declared keep the declared spelling and order."""
    if name not in _LISTS:
        return own
    parse = _LISTS[name]
    wanted = {parse(item): item for item in own}
    kept = [item for item in declared or () if parse(str(item)) in wanted]
    there = {parse(str(item)) for item in kept}
    return [*kept, *(item for span, item in wanted.items() if span not in there)]
