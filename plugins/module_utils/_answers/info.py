# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and computers as the manager has them."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._fleet.expression import Expression
from .._fleet.fleet import Fleet, paths
from .._fleet.objects import Computer, Target
from .._fleet.query import COMPUTER_NAMES, EXAMPLE, FIELDS, POLICY_EXAMPLE, Shown, missing_names
from .._fleet.targets import SEARCHED_AT_MOST, Selector, Unresolved, chosen_by, missing_told, resolve
from .._manager.client import Client
from .._manager.errors import Forbidden, NotFound
from .._manager.kinds import COMPUTER, POLICY, Kind
from .._manager.progress import READING

# The values of C(expand) for computers (source: the vendor's SDK), without C(all), which the vendor advises against.
COMPUTER_PARTS = (
    "none computerStatus tasks securityUpdates computerSettings allSecurityModules antiMalware webReputation"
    " activityMonitoring firewall intrusionPrevention integrityMonitoring logInspection applicationControl SAP"
    " interfaces ESXSummary allVirtualMachineSummaries azureARMVirtualMachineSummary azureVMVirtualMachineSummary"
    " ec2VirtualMachineSummary noConnectorVirtualMachineSummary vmwareVMVirtualMachineSummary"
    " vcloudVMVirtualMachineSummary workspaceVirtualMachineSummary gcpVirtualMachineSummary"
).split()

# Policies are always returned as a whole. These are the parts that make them large.
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


# The fields that a whole object has (source: the vendor's SDK, models/computer.py and models/policy.py). A manager may
# have more fields. Those in its replies are accepted, too.
API_FIELDS = {
    COMPUTER: (
        "ID hostName displayName description lastIPUsed platform groupID policyID assetImportanceID relayListID"
        " agentFingerPrint applianceFingerPrint lastAgentCommunication lastApplianceCommunication"
        " lastSendPolicyRequest lastSendPolicySuccess agentVersion computerStatus tasks securityUpdates"
        " computerSettings interfaces biosUUID azureARMVirtualMachineSummary azureVMVirtualMachineSummary"
        " ec2VirtualMachineSummary noConnectorVirtualMachineSummary vmwareVMVirtualMachineSummary"
        " vcloudVMVirtualMachineSummary workspaceVirtualMachineSummary gcpVirtualMachineSummary hostGUID antiMalware"
        " webReputation activityMonitoring firewall intrusionPrevention integrityMonitoring logInspection"
        " applicationControl ESXSummary SAP"
    ).split(),
    POLICY: (
        "ID name parentID description policySettings recommendationScanMode autoRequiresUpdate interfaceTypes"
        " antiMalware webReputation activityMonitoring firewall intrusionPrevention integrityMonitoring logInspection"
        " applicationControl SAP"
    ).split(),
}


class ObjectsAsked(t.NamedTuple):
    """Which objects to read (those of a selector, or all), which parts, whether only overrides, and a query."""

    kind: Kind
    selector: Selector | None
    parts: tuple[str, ...]
    overrides: bool
    query: Expression | None

    @classmethod
    def from_options(cls, kind: Kind, params: dict[str, t.Any]) -> ObjectsAsked:
        """Read the options of C(policy_info) or C(computer_info). Raises C(OptionError)."""
        given = chosen_by(params)
        if given and not any(params[option] for option in given) and not params.get("allow_empty"):
            option = given[0]
            raise OptionError(option, params[option], f"it must name a {kind.noun}; leave it out for all of them")
        selector = Selector.from_options(params, "") if given else None
        query = None if params.get("query") is None else Expression(str(params["query"]), "query")
        return cls(kind, selector, tuple(str(part) for part in params["expand"]), bool(params["overrides"]), query)


def read_objects(client: Client, asked: ObjectsAsked) -> dict[str, t.Any]:
    """The result of C(policy_info) and C(computer_info): the manager's objects, or the result of a query on them.

    Raises C(OptionError) for a name or ID that does not exist on the manager, or that several objects share.
    """
    fleet = Fleet(client)
    absent: list[Unresolved] = []
    expand = asked.parts if asked.kind is COMPUTER else ()
    if asked.selector is None:
        pages = client.pages(asked.kind, overrides=asked.overrides, expand=expand)
        found = [item for page in pages for item in page]
    else:
        # Resolved without C(overrides), because a computer without overrides may be returned without its name and ID.
        ((targets, absent),) = resolve(fleet, [asked.selector])
        found = _read(fleet, asked, targets, expand)
    warnings = [*missing_told(absent, "the result is without"), *fleet.warnings]
    if asked.kind is POLICY:
        hidden = {field for part, field in POLICY_PARTS.items() if part not in asked.parts}
        path_of = _policy_paths(fleet, asked, found)
        found = [
            {**{key: value for key, value in item.items() if key not in hidden}, "path": path_of.get(item["ID"], "")}
            for item in found
        ]
    if asked.query is None:
        if asked.kind is COMPUTER and not asked.overrides:
            found = _with_group_paths(fleet, found)
        return {asked.kind.envelope: found, "warnings": warnings}
    rows = (_computer_rows if asked.kind is COMPUTER else _policy_rows)(fleet, asked, asked.query, found)
    _check(fleet, asked, asked.query, rows)
    return {"result": asked.query.result(rows), "warnings": warnings}


def _read(fleet: Fleet, asked: ObjectsAsked, targets: list[Target], expand: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """The objects of these targets: a few are read one by one, many in pages."""
    client, kind = fleet.client, asked.kind
    pages: dict[int, dict[str, t.Any]] = {}
    if len(targets) > SEARCHED_AT_MOST:

        def keep(page: list[dict[str, t.Any]]) -> None:
            pages.update({item["ID"]: item for item in page})

        if kind is COMPUTER:
            fleet.read_windows({target.id for target in targets}, keep, overrides=asked.overrides, expand=expand)
        else:
            for page in client.pages(kind, overrides=asked.overrides):
                keep(page)
        if asked.overrides:
            # A computer without overrides may be left out of a page.
            pages = {target.id: {} for target in targets} | pages
    found = []
    with client.transport.progress.stage(READING, kind.plural, len(targets)) as stage:
        for target in targets:
            item = pages.get(target.id)
            if item is None:
                item = client.get(kind, target.id, overrides=asked.overrides, expand=expand)
            found.append({**item, "ID": target.id})
            stage.advance()
    return found


def _policy_paths(fleet: Fleet, asked: ObjectsAsked, found: list[dict[str, t.Any]]) -> dict[int, str]:
    """Policies' paths by ID. Uses the policies that were read anyway, if these are all and have names and parents."""
    if asked.selector or asked.overrides:
        return fleet.policy_paths
    return paths({item["ID"]: (item["name"], item.get("parentID") or None) for item in found})


def _with_group_paths(fleet: Fleet, found: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Computers with the path of their group; null if the manager does not show its groups."""
    paths_by_id: dict[int, str] | None = {}
    if any(item.get("groupID") for item in found):
        try:
            paths_by_id = fleet.groups
        except (Forbidden, NotFound):
            # Without the groups, everything that was asked for can still be answered.
            paths_by_id = None
    return [
        {**item, "group_path": None if paths_by_id is None else paths_by_id.get(item.get("groupID") or 0, "")}
        for item in found
    ]


def _computer_rows(
    fleet: Fleet, asked: ObjectsAsked, query: Expression, found: list[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """The manager's objects, and those fields of C(computers_query) that the query looks at."""
    fields = [field for field in FIELDS if query.looks_at(field)]
    if not fields:
        return found
    shown = Shown(fleet, [query])
    # If only overrides were read, other fields may be missing.
    if asked.overrides and asked.selector is None and fields != ["id"]:
        fleet.list_computers()
    rows = []
    for item in found:
        computer = fleet.computers.get(item["ID"]) or Computer(item)
        row = shown.row(computer)
        rows.append({**item, **{field: row[field] for field in fields}})
    return rows


def _policy_rows(
    fleet: Fleet, asked: ObjectsAsked, query: Expression, found: list[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """The manager's objects, and their C(id), C(name) and the name of their C(parent), if the query looks at them."""
    rows = [{**item, "id": item["ID"]} if query.looks_at("id") else dict(item) for item in found]
    for row in rows:
        policy = fleet.policies.get(row["ID"]) if query.looks_at("parent") or asked.overrides else None
        if policy is not None:
            parent = fleet.policies.get(policy.parent_id or 0)
            row["name"] = policy.name
            row["parent"] = parent.name if parent else ""
    return rows


def _check(fleet: Fleet, asked: ObjectsAsked, query: Expression, rows: list[dict[str, t.Any]]) -> None:
    """Refuse a query with fields that no row can have, or with policies and groups that do not exist."""
    seen = {field for row in rows for field, value in row.items() if value is not None}
    fields = {*API_FIELDS[asked.kind], *(field for row in rows for field in row)}
    unread: dict[str, str] = {}
    if not any(part.startswith("all") for part in asked.parts):
        parts = {part: part for part in COMPUTER_PARTS} if asked.kind is COMPUTER else POLICY_PARTS
        unread = {
            field: f"it is read with expand: [{part}] only"
            for part, field in parts.items()
            if part not in asked.parts and field not in seen
        }
    example = {
        **dict.fromkeys(sorted(fields - unread.keys())),
        **(EXAMPLE if asked.kind is COMPUTER else POLICY_EXAMPLE),
    }
    compared = query.inspect(example, asked.kind.envelope, unread)
    for one in missing_names(compared, fleet, COMPUTER_NAMES) if asked.kind is COMPUTER else ():
        raise query.error(f"{one.reason}; contains([...], {one.field}) asks for names that may not exist")
