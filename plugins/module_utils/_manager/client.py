# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be asked of the manager: search with paging, read, modify, create, delete, assign rules.

Every reply is checked for its shape here, so that the layers above work with known types.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import BadReply, BadRequest, ManagerError, NotFound

if t.TYPE_CHECKING:
    from .transport import Transport

# The manager's default and ceiling for `maxItems`.
PAGE = 5000

# What the manager says instead of what it was asked for.
_ERROR_KEYS = {"message", "error", "errors"}

# How often a create whose outcome is unknown is looked up and tried again.
CREATE_ATTEMPTS = 3


@dataclass(frozen=True)
class Kind:
    """A kind of object: its path, the key of its list in a search reply, and its name in messages."""

    path: str
    envelope: str
    noun: str


POLICY = Kind("/policies", "policies", "policy")
COMPUTER = Kind("/computers", "computers", "computer")
COMPUTER_GROUP = Kind("/computergroups", "computerGroups", "computer group")
FIREWALL_RULE = Kind("/firewallrules", "firewallRules", "firewall rule")
IP_LIST = Kind("/iplists", "ipLists", "IP list")
MAC_LIST = Kind("/maclists", "macLists", "MAC list")
PORT_LIST = Kind("/portlists", "portLists", "port list")


class Client:
    """Operations on the manager's objects, over a C(Transport)."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def pages(
        self,
        kind: Kind,
        criteria: t.Sequence[dict] = (),
        *,
        overrides: bool | None = None,
        expand: t.Sequence[str] = (),
    ) -> t.Iterator[list[dict]]:
        """Every object that meets all criteria, one page of at most 5,000 at a time, by ascending ID.

        Raises C(ManagerError), and C(BadReply) where the manager's pages make no progress.
        """
        last = None
        while True:
            paging = [] if last is None else [{"fieldName": "ID", "idTest": "greater-than", "idValue": last}]
            items = self.window(kind, [*criteria, *paging], overrides=overrides, expand=expand)
            identified = [item for item in items if isinstance(item.get("ID"), int)]
            if len(identified) < len(items) and not (kind is COMPUTER and overrides):
                raise BadReply("POST", f"{kind.path}/search", message=f"a {kind.noun} has no ID")
            yield identified
            if len(items) < PAGE:
                return
            newest = max((item["ID"] for item in identified), default=None)
            if newest is None or (last is not None and newest <= last):
                raise BadReply(
                    "POST", f"{kind.path}/search", message=f"a full page of objects brought no ID above {last}"
                )
            last = newest

    def window(
        self,
        kind: Kind,
        criteria: t.Sequence[dict],
        *,
        overrides: bool | None = None,
        expand: t.Sequence[str] = (),
    ) -> list[dict]:
        """One search request: at most 5,000 objects. Objects without overrides may lack their ID."""
        query: list[tuple[str, str]] = [("expand", part) for part in expand]
        if overrides is not None:
            query.append(("overrides", "true" if overrides else "false"))
        path = f"{kind.path}/search"
        body: dict[str, t.Any] = {"maxItems": PAGE, "sortByObjectID": True}
        if criteria:
            body["searchCriteria"] = list(criteria)
        # A manager may leave its list out where nothing was found. Since a list can also get lost, it is asked twice.
        reply = self.transport.read("POST", path, query=query, body=body)
        if reply.get(kind.envelope) is None:
            reply = self.transport.read("POST", path, query=query, body=body)
        items = reply.get(kind.envelope)
        if items is None and not reply.keys() & _ERROR_KEYS:
            items = []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadReply("POST", path, message=f"the reply has no list '{kind.envelope}'")
        return items

    def named(self, kind: Kind, name: str, *, field: str = "name", **options: t.Any) -> list[dict]:
        """The objects whose field equals the name, to the letter: none, one or many."""
        criteria = [{"fieldName": field, "stringTest": "equal", "stringValue": name, "stringWildcards": False}]
        found = [item for page in self.pages(kind, criteria, **options) for item in page]
        return [item for item in found if item.get(field) == name]

    def get(self, kind: Kind, object_id: int, *, overrides: bool | None = None, expand: t.Sequence[str] = ()) -> dict:
        """One object by its ID; raises C(NotFound)."""
        query = [("expand", part) for part in expand]
        if overrides is not None:
            query.append(("overrides", "true" if overrides else "false"))
        return self.transport.read("GET", f"{kind.path}/{object_id}", query=query)

    def default_settings(self) -> dict[str, t.Any]:
        """The default policy's settings: setting name to its object C({"value": ...})."""
        return self.transport.read("GET", "/policies/default")

    def system_settings(self) -> dict[str, t.Any]:
        """The manager's own settings: name to its object C({"value": ...}). Passwords and tokens are among them."""
        return self._unshown(self.transport.read, "GET", "/systemsettings")

    def system_setting(self, name: str) -> dict[str, t.Any]:
        """One of them. Raises C(BadRequest) or C(NotFound) where the manager does not know the name."""
        return self._unshown(self.transport.read, "GET", f"/systemsettings/{name}")

    def modify_system_settings(self, settings: dict[str, t.Any]) -> dict[str, t.Any]:
        """Change these, all or none of them; the reply shows settings as they are then."""
        return self._unshown(self.transport.write, "POST", "/systemsettings", settings)

    def deployment_script(self, wanted: dict[str, t.Any]) -> str:
        """The script that installs and activates agents. A POST, but it changes nothing. The script holds secrets."""
        path = "/agentdeploymentscripts"
        script = self._unshown(self.transport.read, "POST", path, wanted).get("scriptBody")
        if not isinstance(script, str) or not script.strip():
            raise BadReply("POST", path, message="the reply has no script in 'scriptBody'")
        return script

    @staticmethod
    def _unshown(exchange: t.Callable, method: str, path: str, body: t.Any = None) -> dict[str, t.Any]:
        """Read or write what holds secrets: an error does not repeat the reply."""
        try:
            return exchange(method, path, body=body)
        except BadReply as error:
            raise BadReply(
                method,
                path,
                url=error.url,
                status=error.status,
                message="its body is no JSON object, and not shown here, since it may hold secrets",
                outcome_unknown=error.outcome_unknown,
            ) from None

    def modify(self, kind: Kind, object_id: int, body: dict, *, expand: t.Sequence[str] = ()) -> dict:
        """Change the fields in C(body); the reply shows the object's overrides only."""
        query = [("expand", part) for part in expand]
        if kind in (POLICY, COMPUTER):
            query.append(("overrides", "true"))
        return self.transport.write("POST", f"{kind.path}/{object_id}", query=query, body=body) or {}

    def create(self, kind: Kind, body: dict) -> tuple[int, bool]:
        """Create an object with a name, once, however often the connection breaks.

        Returns the ID of the object of that name, and whether it was made here: another run may have made it in the
        meantime. What it holds is for the caller to read.
        """
        in_doubt = False
        for attempt in range(CREATE_ATTEMPTS):
            try:
                return self._identified(kind, self.transport.create(kind.path, body))["ID"], True
            except ManagerError as error:
                taken = isinstance(error, BadRequest) and "already exists" in error.message.lower()
                in_doubt = in_doubt or not taken
                if not (error.outcome_unknown or taken or isinstance(error, BadReply)):
                    raise
                found = self.named(kind, body["name"])
                if len(found) == 1:
                    return found[0]["ID"], in_doubt
                if found or taken or attempt == CREATE_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def delete(self, kind: Kind, object_id: int) -> None:
        """Delete an object; that it is gone already is not an error. Raises C(ManagerError) unless it is gone."""
        path = f"{kind.path}/{object_id}"
        refusal: ManagerError = BadReply("DELETE", path, message=f"it says yes, but the {kind.noun} is still there")
        try:
            self.transport.write("DELETE", path)
        except ManagerError as error:
            if not (error.outcome_unknown or isinstance(error, NotFound)):
                raise
            refusal = error
        try:
            self.get(kind, object_id)
        except NotFound:
            return
        raise refusal

    def assigned_rules(self, kind: Kind, object_id: int) -> set[int]:
        """IDs of the firewall rules assigned to the policy or computer itself, without the inherited ones."""
        path = self._assignments(kind, object_id)
        return self._rule_ids("GET", path, self.transport.read("GET", path, query=[("overrides", "true")]))

    def rules_on(self, kind: Kind, object_id: int) -> dict[int, dict[str, t.Any]]:
        """The firewall rules of a policy or computer as they are there, inherited and overridden ones too, by their ID."""
        path = f"{kind.path}/{object_id}/firewall/rules"
        rules = self.transport.read("GET", path).get(FIREWALL_RULE.envelope)
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise BadReply("GET", path, message=f"the reply has no list '{FIREWALL_RULE.envelope}'")
        return {rule["ID"]: rule for rule in rules if isinstance(rule.get("ID"), int)}

    def assign_rules(self, kind: Kind, object_id: int, rule_ids: t.Iterable[int]) -> set[int]:
        """Add rules to a policy or computer, next to those it has; returns all that are assigned to it then."""
        path = self._assignments(kind, object_id)
        body = {"ruleIDs": sorted(rule_ids)}
        reply = self.transport.write("POST", path, query=[("overrides", "true")], body=body)
        return self._rule_ids("POST", path, reply)

    def unassign_rule(self, kind: Kind, object_id: int, rule_id: int) -> None:
        """Take one rule away from a policy or computer; that it is gone already is not an error.

        Raises C(ManagerError) unless it is gone.
        """
        path = f"{self._assignments(kind, object_id)}/{rule_id}"
        refusal: ManagerError = BadReply("DELETE", path, message="it says yes, but the rule is still assigned")
        try:
            reply = self.transport.write("DELETE", path, query=[("overrides", "true")])
            if reply and "assignedRuleIDs" in reply and rule_id not in self._rule_ids("DELETE", path, reply):
                return
        except ManagerError as error:
            # Not found is either the assignment, which is what was asked for, or the policy or computer itself.
            if not (error.outcome_unknown or isinstance(error, (NotFound, BadReply))):
                raise
            refusal = error
        if rule_id in self.assigned_rules(kind, object_id):
            raise refusal

    @staticmethod
    def _assignments(kind: Kind, object_id: int) -> str:
        return f"{kind.path}/{object_id}/firewall/assignments"

    @staticmethod
    def _rule_ids(method: str, path: str, reply: dict | None) -> set[int]:
        ids = (reply or {}).get("assignedRuleIDs", [])
        if not isinstance(ids, list) or not all(isinstance(item, int) for item in ids):
            raise BadReply(method, path, message="'assignedRuleIDs' is not a list of IDs")
        return set(ids)

    @staticmethod
    def _identified(kind: Kind, reply: dict) -> dict:
        if not isinstance(reply.get("ID"), int):
            raise BadReply("POST", kind.path, message=f"the reply to the new {kind.noun} has no ID")
        return reply
