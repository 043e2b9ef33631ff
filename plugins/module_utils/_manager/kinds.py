# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of the manager's objects: how their requests and messages name them, and which types their fields have."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .parser import PageParser, page_parser
from .shapes import FIREWALL, FLAG, REFERENCE, SCHEDULE, SEND_POLICY, SETTINGS, STATUS, TASKS, TEXT, TEXTS, Shape

Item = t.Dict[str, t.Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object: its path, the key of its list in a search reply, and its name in messages.

    C(fields): the shapes of fields, if present. C(named_by): each object has at least one of these fields. C(as_page):
    what parses pages whose other fields are of no use.
    """

    path: str
    envelope: str
    noun: str
    fields: t.Mapping[str, Shape] = field(default_factory=dict, compare=False, repr=False)
    named_by: tuple[str, ...] = ("name",)
    as_page: PageParser | None = field(default=None, compare=False, repr=False)

    @property
    def plural(self) -> str:
        """The name in the plural."""
        return f"{self.noun[:-1]}ies" if self.noun.endswith("y") else f"{self.noun}s"

    def counted(self, number: int) -> str:
        """A number of them, in words."""
        return f"{number} {self.noun if number == 1 else self.plural}"


def _ends(suffixes: t.Mapping[str, Shape]) -> dict[str, Shape]:
    return {f"{side}{suffix}": shape for side in ("source", "destination") for suffix, shape in suffixes.items()}


_NAMED = {"name": TEXT, "description": TEXT}
_LIST = {**_NAMED, "items": TEXTS}

POLICY = Kind(
    "/policies",
    "policies",
    "policy",
    {**_NAMED, "parentID": REFERENCE, "policySettings": SETTINGS, "firewall": FIREWALL},
)
COMPUTER = Kind(
    "/computers",
    "computers",
    "computer",
    {
        **dict.fromkeys(("hostName", "displayName", "description", "platform", "agentVersion", "lastIPUsed"), TEXT),
        **dict.fromkeys(("policyID", "groupID"), REFERENCE),
        "computerStatus": STATUS,
        "tasks": TASKS,
        "computerSettings": SETTINGS,
        "firewall": FIREWALL,
    },
    ("hostName", "displayName"),
)
# For a whole fleet: computers with those fields and dates only, whatever other fields the manager returns.
LISTED_COMPUTER = replace(
    COMPUTER,
    as_page=page_parser(
        COMPUTER.envelope,
        COMPUTER.fields,
        ("lastAgentCommunication", "lastSendPolicyRequest", "lastSendPolicySuccess"),
    ),
)
COMPUTER_GROUP = Kind("/computergroups", "computerGroups", "computer group", {**_NAMED, "parentGroupID": REFERENCE})
FIREWALL_RULE = Kind(
    "/firewallrules",
    "firewallRules",
    "firewall rule",
    {
        **_NAMED,
        **dict.fromkeys(("action", "priority", "direction", "frameType", "protocol"), TEXT),
        **dict.fromkeys(("frameNot", "protocolNot", "anyFlags", "TCPNot"), FLAG),
        **dict.fromkeys(("scheduleID", "contextID"), REFERENCE),
        **_ends({f"{end}Type": TEXT for end in ("IP", "MAC", "Port")}),
        **_ends({f"{end}Not": FLAG for end in ("IP", "MAC", "Port")}),
        **_ends({f"{end}ListID": REFERENCE for end in ("IP", "MAC", "Port")}),
        **_ends({f"{end}Multiple": TEXTS for end in ("IP", "MAC", "Port")}),
        **_ends(dict.fromkeys(("IPValue", "IPMask", "IPRangeFrom", "IPRangeTo", "MACValue"), TEXT)),
    },
)
IP_LIST = Kind("/iplists", "ipLists", "IP list", _LIST)
MAC_LIST = Kind("/maclists", "macLists", "MAC list", _LIST)
PORT_LIST = Kind("/portlists", "portLists", "port list", _LIST)
SCHEDULED_TASK = Kind(
    "/scheduledtasks",
    "scheduledTasks",
    "scheduled task",
    {"name": TEXT, "type": TEXT, "scheduleDetails": SCHEDULE, "sendPolicyTaskParameters": SEND_POLICY},
)
