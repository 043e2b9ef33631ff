# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests to the manager: search with paging, read, modify, create, delete, assign rules.

Every reply is checked here, with checks.py, so that the layers above work with known types: it has its envelope, no ID
comes twice or unasked, and each object is what its C(Kind) says.
"""

from __future__ import annotations

import bisect
import typing as t

from .._basis.text import lowered, shown
from .checks import all_fit, check, checked_rule_ids, checked_settings
from .errors import BadReply, BadRequest, ManagerError, NotFound
from .kinds import COMPUTER, FIREWALL_RULE, POLICY, Item, Kind
from .parser import Page
from .progress import READING
from .shapes import what_is

if t.TYPE_CHECKING:
    from .transport import Transport

Criterion = t.Dict[str, t.Any]

# The manager's default and maximum for C(maxItems).
PAGE = 5000

# Limits of a listing: more objects, or pages, than any manager has.
MOST_OBJECTS = 1_000_000
MOST_PAGES = 10_000

# A manager may return fewer objects than requested, and the vendor does not say how many. Any limit that people would
# choose is a multiple of one of these, so a page may be cut off if its length is.
_ROUND = (10, 16, 25)

# The request for the default policy's settings.
_DEFAULT = ("GET", "/policies/default")

# How often an object is looked up, and created again, if the outcome of the create is unknown.
CREATE_ATTEMPTS = 3


class Client:
    """Operations on the manager's objects, over a C(Transport). Every one of them raises C(ManagerError)."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        # Whether the manager has answered any search of this task with its envelope.
        self._has_answered = False
        # Lengths of pages that were followed by another page, and the longest page of each way to search.
        self._cut_at: set[int] = set()
        self._longest: dict[tuple[t.Any, ...], int] = {}
        # Whether any page was as long as requested.
        self._gives_all = False

    # -- searches

    @property
    def largest_page(self) -> int:
        """How many objects this manager returns at once, as far as is known: the longest page counts, because objects
        may be left out of a page that was cut off.
        """
        return min({PAGE, *self._cut_at})

    def pages(
        self,
        kind: Kind,
        criteria: t.Sequence[Criterion] = (),
        *,
        overrides: bool | None = None,
        expand: t.Sequence[str] = (),
        ahead: bool = True,
    ) -> t.Iterator[list[Item]]:
        """Every object that meets all criteria, one page of at most 5,000 at a time, by ascending ID.

        While the caller works on a page, the next one is already requested, unless C(ahead) is false, for callers that
        may not need it. If C(overrides) is true, computers without overrides may be left out. Raises C(BadReply) if the
        manager's pages do not move forward, or do not end.
        """
        if kind == COMPUTER and overrides:
            # If computers without overrides are returned without their ID, only a plain page tells where the next one
            # starts.
            for page in self.pages(kind, criteria, expand=["none"], ahead=ahead):
                ids = sorted(item["ID"] for item in page)
                yield self.known(kind, ids, overrides=True, expand=expand)
            return
        with self.transport.progress.stage(READING, kind.plural) as stage:
            for items in self._pages(kind, criteria, overrides, expand, ahead):
                stage.advance(len(items))
                yield items

    def _pages(
        self,
        kind: Kind,
        criteria: t.Sequence[Criterion],
        overrides: bool | None,
        expand: t.Sequence[str],
        ahead: bool,
    ) -> t.Iterator[list[Item]]:
        last = length = seen = 0
        wanted = list(criteria)
        for page in range(1, MOST_PAGES + 1):
            items = self._search(kind, wanted, overrides=overrides, expand=expand)
            if items and last:
                self._cut_at.add(length)
            came = self._ids_of(kind, items, last + 1)
            length, seen = len(items), seen + len(items)
            if not self._may_be_cut((kind, overrides, *expand), length):
                yield items
                return
            last = max(came)
            wanted = [*criteria, {"idTest": "greater-than", "idValue": last}]
            if page == MOST_PAGES or seen >= MOST_OBJECTS:
                yield items
                break
            if ahead:
                self.transport.ahead(**_searching(kind, wanted, overrides, expand))
            yield items
        raise _bad_search(kind, f"its pages do not end: {seen} objects were listed")

    def begin_pages(self, kind: Kind, *, overrides: bool | None = None, expand: t.Sequence[str] = ()) -> None:
        """Request the first page of a list ahead. The caller must be sure to call C(pages) for it, in the same way."""
        self.transport.ahead(**_searching(kind, (), overrides, expand))

    def known(
        self, kind: Kind, ids: t.Sequence[int], *, overrides: bool | None = None, expand: t.Sequence[str] = ()
    ) -> list[Item]:
        """The objects with these IDs, which are all known IDs from the first to the last.

        This takes one request if the manager does not cut pages off. C(ids): ascending, at most C(largest_page). If
        C(overrides) is true, computers without overrides may be left out.
        """
        found: list[Item] = []
        rest = list(ids)
        while rest:
            items = self._search(kind, _between(rest[0], rest[-1]), overrides=overrides, expand=expand)
            identified = [item for item in items if item.get("ID") is not None]
            came = self._ids_of(kind, identified, rest[0], rest[-1])
            found += identified
            length = len(items)
            if length >= len(rest) or not self._may_be_cut((kind, overrides, *expand), length):
                break
            if not came:
                # There are objects without IDs, and as many as the manager returns at once. Smaller windows, which a
                # page can always hold, show which objects they are.
                for start in range(0, len(rest), length):
                    found += self.known(kind, rest[start : start + length], overrides=overrides, expand=expand)
                break
            rest = rest[bisect.bisect_right(rest, max(came)) :]
        return found

    def of_id(self, kind: Kind, object_id: int, *, expand: t.Sequence[str] = ()) -> Item | None:
        """The object with that ID, found by a search, or none."""
        return next(iter(self.known(kind, [object_id], expand=expand)), None)

    def named(
        self, kind: Kind, name: str, *, by: str = "name", any_case: bool = False, expand: t.Sequence[str] = ()
    ) -> list[Item]:
        """The objects whose field C(by) exactly equals the name: none, one or many.

        With C(any_case), also objects that differ in case. Some managers do not find these.
        """
        criteria = [{"fieldName": by, "stringTest": "equal", "stringValue": name, "stringWildcards": False}]
        found = [item for page in self.pages(kind, criteria, expand=expand) for item in page]
        for item in found:
            if not isinstance(item.get(by), str):
                raise _bad_search(kind, f"{kind.noun} {item['ID']} comes without the '{by}' that was searched for")
        if any_case:
            return [item for item in found if lowered(item[by]) == lowered(name)]
        return [item for item in found if item[by] == name]

    def _search(
        self,
        kind: Kind,
        criteria: t.Sequence[Criterion],
        *,
        overrides: bool | None = None,
        expand: t.Sequence[str] = (),
        most: int = PAGE,
    ) -> list[Item]:
        """One page of checked objects."""
        asked = _searching(kind, criteria, overrides, expand, most)
        reply = self.transport.read(**asked)
        if reply.keys() <= {kind.envelope} and reply.get(kind.envelope) is None:
            # A manager may omit the list if nothing was found. But a list can also get lost, so the manager is asked
            # twice, and an empty reply is not believed if it means that no objects of a kind exist at all.
            reply = self.transport.read(**asked)
            if criteria and reply.keys() <= {kind.envelope} and reply.get(kind.envelope) is None:
                if not self._has_answered:
                    self._search(POLICY, (), most=1)
                return []
        items = reply.get(kind.envelope)
        if not isinstance(items, list):
            fields = ", ".join(f"'{shown(name, 50)}'" for name in list(reply)[:5])
            raise _bad_search(kind, f"the reply has no list '{kind.envelope}', but {fields or 'nothing at all'}")
        self._has_answered = True
        if not all_fit(kind, items, overrides=bool(overrides), checked=isinstance(reply, Page)):
            for item in items:
                check(kind, item, asked["method"], asked["path"], overrides=bool(overrides))
        return items

    def _ids_of(self, kind: Kind, items: t.Sequence[Item], first: int, last: int | None = None) -> set[int]:
        """The IDs of a page's objects, checked to be within the requested ones, each once."""
        numbers = [item["ID"] for item in items]
        ids = set(numbers)
        if ids and (len(ids) < len(numbers) or min(ids) < first or (last is not None and max(ids) > last)):
            seen: set[int] = set()
            for number in numbers:
                if number in seen or number < first or (last is not None and number > last):
                    what = "twice" if number in seen else "where it was not asked for"
                    raise _bad_search(kind, f"{kind.noun} {number} comes {what}")
                seen.add(number)
        return ids

    def _may_be_cut(self, way: tuple[t.Any, ...], length: int) -> bool:
        """Whether a page of that length may be followed by others. C(way): the kind, overrides and expand."""
        longest = self._longest[way] = max(length, self._longest.get(way, 0))
        self._gives_all = self._gives_all or length >= PAGE
        if length < (PAGE if self._gives_all else longest) or not length:
            return False
        return length >= PAGE or not all(length % each for each in _ROUND) or length in self._cut_at

    # -- one object

    def get(self, kind: Kind, object_id: int, *, overrides: bool | None = None, expand: t.Sequence[str] = ()) -> Item:
        """One object by its ID; raises C(NotFound). A computer without overrides may have none in that reply."""
        path = f"{kind.path}/{object_id}"
        reply = self.transport.read("GET", path, query=_query(overrides, expand))
        check(kind, reply, "GET", path, overrides=bool(overrides), object_id=object_id)
        return reply

    def modify(self, kind: Kind, object_id: int, body: Item, *, expand: t.Sequence[str] = ()) -> Item:
        """Change the fields in C(body). The reply shows the object, but only overrides of a policy or computer."""
        path, overrides = f"{kind.path}/{object_id}", kind in (POLICY, COMPUTER) or None
        reply = self.transport.write("POST", path, query=_query(overrides, expand), body=body) or {}
        check(kind, reply, "POST", path, overrides=bool(overrides), object_id=object_id, doubt=True)
        return reply

    def create(self, kind: Kind, body: Item) -> tuple[int, bool]:
        """Create an object with a name, once, however often the connection breaks.

        Returns the ID of the object with that name, and whether this call created it: another run may have created it
        in the meantime. The caller must read its content.
        """
        in_doubt = False
        for attempt in range(CREATE_ATTEMPTS):
            try:
                made = self.transport.create(kind.path, body)
                check(kind, made, "POST", kind.path, overrides=True, doubt=True)
                return made["ID"], True
            except ManagerError as error:
                taken = isinstance(error, BadRequest) and "already exists" in error.message.lower()
                in_doubt = in_doubt or not taken
                if not (error.outcome_unknown or taken or isinstance(error, BadReply)):
                    raise
                try:
                    found = self.named(kind, body["name"])
                except ManagerError as second:
                    raise _unseen("POST", kind.path, error, second) if in_doubt else second from None
                if len(found) == 1:
                    return found[0]["ID"], in_doubt
                if found or taken or attempt == CREATE_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def create_once(self, kind: Kind, body: Item) -> Item:
        """Create an object with a unique name, and never a second time, because it may be gone soon after its creation.

        If it is not found, raises the request's error. With C(outcome_unknown), it may have been created and be gone.
        """
        try:
            made = self.transport.create(kind.path, body)
            check(kind, made, "POST", kind.path, overrides=True, doubt=True)
            return made
        except ManagerError as error:
            if not error.outcome_unknown:
                raise
            try:
                found = self.named(kind, body["name"])
            except ManagerError as second:
                raise _unseen("POST", kind.path, error, second) from None
            if not found:
                raise
            return found[0]

    def delete(self, kind: Kind, object_id: int) -> None:
        """Delete an object. It is no error if it is already gone. Raises C(ManagerError) unless it is gone."""
        path = f"{kind.path}/{object_id}"
        refusal: ManagerError = BadReply(
            "DELETE", path, message=f"it reports success, but the {kind.noun} is still there"
        )
        met: ManagerError | None = None
        try:
            self.transport.write("DELETE", path)
        except ManagerError as error:
            if not (error.outcome_unknown or isinstance(error, NotFound)):
                raise
            met = refusal = error
        try:
            self.get(kind, object_id)
        except NotFound:
            return
        except ManagerError as error:
            # If the object was not found, nobody can have deleted it.
            raise error if isinstance(met, NotFound) else _unseen("DELETE", path, met, error) from None
        raise refusal

    # -- settings

    def default_settings(self) -> dict[str, t.Any]:
        """The default policy's settings, at least one: name to its object C({"value": ...})."""
        return checked_settings(*_DEFAULT, self.transport.read(*_DEFAULT))

    def begin_default_settings(self) -> None:
        """Request the default policy's settings ahead. The caller must be sure to call C(default_settings) later."""
        self.transport.ahead(*_DEFAULT)

    def system_settings(self) -> dict[str, t.Any]:
        """The manager's own settings: name to its object C({"value": ...}). They include passwords and tokens."""
        path = "/systemsettings"
        return checked_settings("GET", path, self._unshown(self.transport.read, "GET", path))

    def system_setting(self, name: str) -> dict[str, t.Any]:
        """One of the system settings. Raises C(BadRequest) or C(NotFound) if the manager does not know the name."""
        path = f"/systemsettings/{name}"
        reply = self._unshown(self.transport.read, "GET", path)
        value = reply.get("value")
        if (reply and "value" not in reply) or not (value is None or isinstance(value, str)):
            raise BadReply("GET", path, message=f"the setting's value must be a text, and is {what_is(value)}")
        return reply

    def modify_system_settings(self, settings: dict[str, t.Any]) -> dict[str, t.Any]:
        """Change these system settings, all or none of them. Returns settings as they are then."""
        path = "/systemsettings"
        return checked_settings("POST", path, self._unshown(self.transport.write, "POST", path, settings), doubt=True)

    def deployment_script(self, wanted: dict[str, t.Any]) -> str:
        """The script that installs and activates agents, which has secrets. This is a POST, but changes nothing."""
        path = "/agentdeploymentscripts"
        script = self._unshown(self.transport.read, "POST", path, wanted).get("scriptBody")
        if not isinstance(script, str) or not script.strip():
            raise BadReply("POST", path, message="the reply has no script in 'scriptBody'")
        return script

    @staticmethod
    def _unshown(
        exchange: t.Callable[..., dict[str, t.Any] | None], method: str, path: str, body: t.Any = None
    ) -> dict[str, t.Any]:
        """Read or write something with secrets. Errors do not repeat the reply."""
        try:
            return exchange(method, path, body=body) or {}
        except BadReply as error:
            raise BadReply(
                method,
                path,
                url=error.url,
                status=error.status,
                message="its body is not a JSON object, and is not shown here, since it may hold secrets",
                outcome_unknown=error.outcome_unknown,
            ) from None

    # -- assignments of firewall rules

    def rule_is_used(self, rule_id: int) -> bool:
        """Whether any policy or computer has a firewall rule, directly or inherited; true if pages do not tell."""
        told = False
        for kind, expand in ((POLICY, ()), (COMPUTER, ("firewall",))):
            # The first page may already show an object that has the rule.
            for page in self.pages(kind, overrides=False, expand=expand, ahead=False):
                for item in page:
                    rule_ids = (item.get("firewall") or {}).get("ruleIDs")
                    told = told or rule_ids is not None
                    if rule_id in (rule_ids or ()):
                        return True
        return not told

    def assigned_rules(self, kind: Kind, object_id: int) -> set[int]:
        """The IDs of the firewall rules assigned to a policy or computer itself, without inherited ones."""
        path = _assignments(kind, object_id)
        return checked_rule_ids("GET", path, self.transport.read("GET", path, query=[("overrides", "true")]))

    def rules_on(self, kind: Kind, object_id: int) -> dict[int, dict[str, t.Any]]:
        """The firewall rules as they apply to a policy or computer, including inherited and overridden ones, by ID."""
        path = f"{kind.path}/{object_id}/firewall/rules"
        rules = self.transport.read("GET", path).get(FIREWALL_RULE.envelope)
        if not isinstance(rules, list):
            raise BadReply("GET", path, message=f"the reply has no list '{FIREWALL_RULE.envelope}'")
        for rule in rules:
            # A manager may only show the overridden properties.
            check(FIREWALL_RULE, rule, "GET", path, overrides=True)
        return {rule["ID"]: rule for rule in rules}

    def assign_rules(self, kind: Kind, object_id: int, rule_ids: t.Iterable[int]) -> set[int]:
        """Add rules to those of a policy or computer. Returns all rules that it has then, according to the reply."""
        path = _assignments(kind, object_id)
        body = {"ruleIDs": sorted(rule_ids)}
        return checked_rule_ids(
            "POST", path, self.transport.write("POST", path, query=[("overrides", "true")], body=body)
        )

    def unassign_rule(self, kind: Kind, object_id: int, rule_id: int) -> None:
        """Unassign one rule from a policy or computer. It is no error if it is already unassigned.

        Raises C(ManagerError) unless it is gone.
        """
        path = f"{_assignments(kind, object_id)}/{rule_id}"
        refusal: ManagerError = BadReply("DELETE", path, message="it reports success, but the rule is still assigned")
        met: ManagerError | None = None
        try:
            reply = self.transport.write("DELETE", path, query=[("overrides", "true")])
            if reply and "assignedRuleIDs" in reply and rule_id not in checked_rule_ids("DELETE", path, reply):
                return
        except ManagerError as error:
            # Either the assignment was not found, which is fine, or the policy or computer itself was not.
            if not (error.outcome_unknown or isinstance(error, (NotFound, BadReply))):
                raise
            met = refusal = error
        try:
            left = self.assigned_rules(kind, object_id)
        except ManagerError as error:
            raise error if isinstance(met, NotFound) else _unseen("DELETE", path, met, error) from None
        if rule_id in left:
            raise refusal


def _searching(
    kind: Kind, criteria: t.Sequence[Criterion], overrides: bool | None, expand: t.Iterable[str], most: int = PAGE
) -> dict[str, t.Any]:
    """The arguments of the request that searches for one page."""
    body: dict[str, t.Any] = {"maxItems": most, "sortByObjectID": True}
    if criteria:
        body["searchCriteria"] = list(criteria)
    return {
        "method": "POST",
        "path": f"{kind.path}/search",
        "query": _query(overrides, expand),
        "body": body,
        "as_page": kind.as_page,
    }


def _query(overrides: bool | None, expand: t.Iterable[str]) -> list[tuple[str, str]]:
    query = [("expand", part) for part in expand]
    if overrides is not None:
        query.append(("overrides", "true" if overrides else "false"))
    return query


def _between(first: int, last: int) -> list[Criterion]:
    # Without fieldName, as in the vendor's guides for tests of the ID.
    if first == last:
        return [{"idTest": "equal", "idValue": first}]
    return [
        {"idTest": "greater-than-or-equal", "idValue": first},
        {"idTest": "less-than-or-equal", "idValue": last},
    ]


def _assignments(kind: Kind, object_id: int) -> str:
    return f"{kind.path}/{object_id}/firewall/assignments"


def _bad_search(kind: Kind, message: str) -> BadReply:
    return BadReply("POST", f"{kind.path}/search", message=message)


def _unseen(method: str, path: str, met: ManagerError | None, look: ManagerError) -> ManagerError:
    """The error of a write with an unknown result. C(met): its own error, if any. C(look): the later read's error."""
    answer = met or look
    told = f"{met.message or met.status or 'no reply'}; then" if met else "it reports success, but"
    reason = ": ".join(str(part) for part in (look.status, look.message) if part) or "no reply"
    return type(answer)(
        method,
        path,
        url=answer.url,
        status=answer.status,
        message=f"{told} {look.method} {look.path}, to see whether it took effect, failed: {reason}",
        outcome_unknown=True,
    )
