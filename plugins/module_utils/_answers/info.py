# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is, without changing it: policies, computers, and how targets communicate."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._basis.address_set import PrefixLimit
from .._basis.errors import OptionError
from .._facets.facet import Facet, Scope
from .._facets.firewall.description import width_warnings
from .._facets.firewall.restriction import prefix_limit
from .._facets.registry import FACETS
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Target
from .._fleet.outlook import Outlook
from .._fleet.query import Query
from .._fleet.targets import Selector, resolve
from .._manager.client import COMPUTER, POLICY, Client, Kind

FACET_NAMES = list(FACETS)

# What a computer can be expanded with (source: the vendor's SDK), without `all`, which the vendor advises against.
COMPUTER_PARTS = (
    "none computerStatus tasks securityUpdates computerSettings allSecurityModules antiMalware webReputation"
    " activityMonitoring firewall intrusionPrevention integrityMonitoring logInspection applicationControl SAP"
    " interfaces ESXSummary allVirtualMachineSummaries azureARMVirtualMachineSummary azureVMVirtualMachineSummary"
    " ec2VirtualMachineSummary noConnectorVirtualMachineSummary vmwareVMVirtualMachineSummary"
    " vcloudVMVirtualMachineSummary workspaceVirtualMachineSummary gcpVirtualMachineSummary"
).split()

# A policy always comes whole; these are the parts that make it large.
POLICY_PARTS = {
    "settings": "policySettings",
    **{
        part: part
        for part in (
            "interfaceTypes antiMalware webReputation activityMonitoring firewall intrusionPrevention"
            " integrityMonitoring logInspection applicationControl SAP"
        ).split()
    },
}


@dataclass(frozen=True)
class ObjectsWanted:
    """Which objects to read and what of them: names and IDs (none for all), parts, overrides only, and a query."""

    kind: Kind
    keys: tuple[str | int, ...]
    parts: tuple[str, ...]
    overrides: bool
    query: Query | None

    @classmethod
    def from_options(cls, kind: Kind, params: dict) -> ObjectsWanted:
        """Read the options of C(policy_info) or C(computer_info). Raises C(OptionError)."""
        selector = None
        if params.get(kind.envelope):
            selector = Selector.from_options({kind.envelope: params[kind.envelope]}, "")
        keys = (selector.policies or selector.computers) if selector else ()
        query = None if params.get("query") is None else Query(str(params["query"]), "query")
        return cls(kind, keys, tuple(str(part) for part in params["expand"]), bool(params["overrides"]), query)


def read_objects(client: Client, wanted: ObjectsWanted) -> dict[str, t.Any]:
    """The result of C(policy_info) and C(computer_info): the manager's objects as they are, or what a query makes of them.

    Raises C(OptionError) for a name or ID that the manager does not have, or that several objects share.
    """
    expand = wanted.parts if wanted.kind is COMPUTER else ()
    options = {"overrides": wanted.overrides, "expand": expand}
    if not wanted.keys:
        found = [item for page in client.pages(wanted.kind, **options) for item in page]
    else:
        # Resolved without overrides, since a computer that has none may come without its name.
        selector = Selector(wanted.keys, (), None) if wanted.kind is POLICY else Selector((), wanted.keys, None)
        found = [client.get(wanted.kind, target.id, **options) for target in _resolved(Fleet(client), selector)]
    if wanted.kind is POLICY:
        hidden = {field for part, field in POLICY_PARTS.items() if part not in wanted.parts}
        found = [{key: value for key, value in item.items() if key not in hidden} for item in found]
    if wanted.query:
        return {"result": wanted.query.evaluate(found)}
    return {wanted.kind.envelope: found}


@dataclass(frozen=True)
class CommunicationWanted:
    """Whose communication to describe, and which facets of it."""

    selector: Selector
    facets: tuple[Facet[t.Any], ...]
    limit: PrefixLimit

    @classmethod
    def from_options(cls, params: dict, deployment: str) -> CommunicationWanted:
        """Read the options of C(communication_info). Raises C(OptionError)."""
        facets = tuple(kind(deployment) for name, kind in FACETS.items() if name in params["facets"])
        return cls(Selector.from_options(params, ""), facets, prefix_limit(params, Scope()))


def describe_communication(client: Client, wanted: CommunicationWanted) -> dict[str, t.Any]:
    """The result of C(communication_info). Raises C(OptionError) for a name or ID that cannot be resolved."""
    fleet = Fleet(client)
    targets = _resolved(fleet, wanted.selector)
    fleet.read_overrides(target for target in targets if isinstance(target, Computer))
    outlook = Outlook(fleet)
    described = [
        {**target.reference, **{facet.name: facet.describe(outlook, target) for facet in wanted.facets}}
        for target in targets
    ]
    return {"targets": described, "warnings": width_warnings(described, wanted.limit)}


def _resolved(fleet: Fleet, selector: Selector) -> list[Target]:
    ((targets, unresolved),) = resolve(fleet, [selector])
    for lost in unresolved:
        raise OptionError("policies" if lost.type == "policy" else "computers", lost.key, lost.reason)
    return targets
