# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's firewall, made with nftables: it decides who can reach the agent's port.

A hidden rule lets everybody in. Assigned rules that meet all conditions of the vendor's page replace it: only their
sources get in then. Nothing else is filtered here.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Iterable
from typing import Any

PORT = 4118
TABLE = "ds_agent"

Rule = dict[str, Any]
_EMPTY = f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def replaces_hidden_rule(rule: Rule, conditions: dict[str, bool]) -> bool:
    """Whether a rule meets all conditions of the page.

    C(conditions) says what counts where the vendor's pages disagree: C(force_allow) besides bypass, a C(port_list), and
    C(several_ports) in a rule that names its ports itself.
    """
    return (
        rule["action"] in ("bypass", *(["force-allow"] if conditions["force_allow"] else []))
        and rule["priority"] == "4"
        and rule["direction"] == "incoming"
        and (rule["frameType"], rule["frameNot"]) == ("ip", False)
        and (rule["protocol"], rule["protocolNot"]) == ("tcp", False)
        and _is_for_port(rule, conditions)
    )


def _is_for_port(rule: Rule, conditions: dict[str, bool]) -> bool:
    if rule["destinationPortNot"]:
        return False
    kind = rule["destinationPortType"]
    if kind == "port-list":
        return conditions["port_list"] and _holds_port(rule["destinationPortListItems"])
    if kind != "multiple":
        return False
    ports = rule["destinationPortMultiple"]
    return ports == [str(PORT)] or (conditions["several_ports"] and _holds_port(ports))


def _holds_port(items: Iterable[str]) -> bool:
    for item in _bare(items):
        first, _dash, last = item.partition("-")
        if int(first) <= PORT <= int(last or first):
            return True
    return False


def _bare(items: Iterable[str]) -> list[str]:
    """The items of a list without comments, and without items that are only a comment."""
    return [text for text in (item.split("#", 1)[0].strip() for item in items) if text]


def ruleset(rules: Iterable[Rule], conditions: dict[str, bool]) -> str:
    """The input of C(nft -f) if the firewall is on. It also deletes the previous table, in the same step."""
    replacing = [rule for rule in rules if replaces_hidden_rule(rule, conditions)]
    if replacing:
        verdicts = [f"{match} accept".strip() for rule in replacing for match in _sources(rule)] + ["counter drop"]
    else:
        verdicts = ["accept"]
    lines = [
        f"table inet {TABLE} {{",
        "  chain agent_port {",
        *(f"    {verdict}" for verdict in verdicts),
        "  }",
        "  chain input {",
        "    type filter hook input priority -10; policy accept;",
        # The vendor's driver is attached to the network cards, so traffic within the host does not pass it.
        f'    iifname != "lo" tcp dport {PORT} jump agent_port',
        "  }",
        "}",
    ]
    return _EMPTY + "\n".join(lines) + "\n"


def _sources(rule: Rule) -> list[str]:
    """The sources of a rule as matches of nft, any of which is enough; empty if they can never match."""
    macs = _macs(rule)
    if macs is None:
        return []
    return [f"{addresses} {macs}".strip() for addresses in _addresses(rule)]


def _addresses(rule: Rule) -> list[str]:
    if rule["sourceIPType"] == "any":
        return [] if rule["sourceIPNot"] else [""]
    ranges = list(_ranges(rule))
    matches = []
    for version, family, keyword in ((4, "ipv4", "ip"), (6, "ipv6", "ip6")):
        merged = _merged(one for one in ranges if one[0].version == version)
        if merged:
            matches.append(f"{keyword} saddr {'!= ' if rule['sourceIPNot'] else ''}{{ {', '.join(merged)} }}")
        elif rule["sourceIPNot"]:
            matches.append(f"meta nfproto {family}")
    return matches


_Range = tuple[Any, Any]


def _ranges(rule: Rule) -> Iterable[_Range]:
    kind = rule["sourceIPType"]
    if kind == "range":
        yield _range(f"{rule['sourceIPRangeFrom']}-{rule['sourceIPRangeTo']}")
    elif kind == "masked-ip":
        yield _range(f"{rule['sourceIPValue']}/{rule['sourceIPMask']}")
    else:
        items = {"single": "sourceIPValue", "multiple": "sourceIPMultiple", "ip-list": "sourceIPListItems"}[kind]
        given = rule[items]
        for item in _bare([given] if kind == "single" else given):
            yield _range(item)


def _range(item: str) -> _Range:
    """An address, a network or a range of addresses as its first and last address."""
    first, dash, last = item.partition("-")
    if dash:
        return ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    network = ipaddress.ip_network(item.strip(), strict=False)
    return network[0], network[-1]


def _merged(ranges: Iterable[_Range]) -> list[str]:
    """Ranges of one family without overlaps, because nft does not accept overlaps in a set."""
    merged: list[list[Any]] = []
    for first, last in sorted(ranges):
        if merged and int(first) <= int(merged[-1][1]) + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return [str(first) if first == last else f"{first}-{last}" for first, last in merged]


def _macs(rule: Rule) -> str | None:
    """The MACs of a rule as a match of nft, empty for any MAC, None if none can match."""
    kind, negated = rule["sourceMACType"], rule["sourceMACNot"]
    if kind == "any":
        return None if negated else ""
    items = {"single": "sourceMACValue", "multiple": "sourceMACMultiple", "mac-list": "sourceMACListItems"}[kind]
    given = [rule[items]] if kind == "single" else rule[items]
    macs = sorted({re.sub("[-:]", ":", item).lower() for item in _bare(given)})
    if not macs:
        return "" if negated else None
    return f"ether saddr {'!= ' if negated else ''}{{ {', '.join(macs)} }}"


def load(text: str) -> None:
    """Load a ruleset into nft, which accepts all of it or nothing; raises C(OSError) or C(CalledProcessError)."""
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True, capture_output=True)


def unload() -> None:
    """Let everybody in: the firewall is off."""
    load(_EMPTY)
