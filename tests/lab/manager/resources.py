# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all kinds of objects have in common: list, search, read, create, modify, delete."""

from __future__ import annotations

import typing as t

import orjson

from tests.lab.manager.message import ApiError, Call, Reply, not_found, text
from tests.lab.manager.render import Renderer
from tests.lab.manager.search import Field, Search
from tests.lab.manager.state import State, Table
from tests.lab.manager.switches import Switches


class Resource:
    """A kind of object under one path. Subclasses define its names, its properties, and what is allowed."""

    # In messages: "policy", "policies"; in lists: "policies".
    noun: t.ClassVar[str]
    plural: t.ClassVar[str]
    envelope: t.ClassVar[str]
    # Properties that a write may contain.
    properties: t.ClassVar[frozenset[str]]
    fields: t.Mapping[str, Field]

    def __init__(self, state: State, switches: Switches, renderer: Renderer) -> None:
        self.state = state
        self.switches = switches
        self.renderer = renderer

    @property
    def table(self) -> Table[t.Any]:
        """The table with the objects."""
        raise NotImplementedError

    def show(self, call: Call, items: t.Sequence[t.Any]) -> list[bytes]:
        """Objects of a list, encoded as the call asks for."""
        raise NotImplementedError

    def show_one(self, call: Call, item: t.Any) -> bytes:
        """One object, encoded as the call asks for."""
        return self.show(call, [item])[0]

    def create(self, call: Call, written: dict[str, t.Any]) -> t.Any:
        """Add a new object and return it; raises C(ApiError)."""
        raise ApiError(405, "HTTP 405 Method Not Allowed")

    def modify(self, call: Call, item: t.Any, written: dict[str, t.Any]) -> None:
        """Change an object; raises C(ApiError) before anything is changed."""
        raise ApiError(405, "HTTP 405 Method Not Allowed")

    def remove(self, item: t.Any) -> None:
        """Delete an object; raises C(ApiError) if something depends on it."""
        raise ApiError(405, "HTTP 405 Method Not Allowed")

    def below(self, call: Call, item: t.Any, path: list[str]) -> Reply:
        """Answer a call to something below one object."""
        raise ApiError(404, "HTTP 404 Not Found")

    def answer(self, call: Call, path: list[str]) -> Reply:
        """Answer a call. C(path) is the part after the name of the collection. Raises C(ApiError)."""
        match call.method, path:
            case "GET", []:
                return self._list(call, list(self.table), ordered=False)
            case "POST", []:
                return Reply(200, self.show_one(call, self.create(call, self._written(call))))
            case "POST", ["search"]:
                search = Search(call.json(), self.fields, self.switches)
                return self._list(call, search.run(self.table), ordered=search.ordered)
            case "GET", [number]:
                return Reply(200, self.show_one(call, self.find(number)))
            case "POST", [number]:
                item = self.find(number)
                self.modify(call, item, self._written(call))
                return Reply(200, self.show_one(call, item))
            case "DELETE", [number]:
                self.remove(self.find(number))
                return Reply(self.switches["delete_status"])
            case _, [number, *rest] if rest:
                return self.below(call, self.find(number), rest)
        raise ApiError(405, "HTTP 405 Method Not Allowed")

    def find(self, number: str) -> t.Any:
        """The object with that ID; raises C(ApiError)."""
        item = self.table.get(int(number)) if number.isdecimal() else None
        if item is None:
            raise not_found(self.noun)
        return item

    def _list(self, call: Call, items: list[t.Any], *, ordered: bool) -> Reply:
        encoded = self.show(call, items)
        if not encoded and self.switches["list_envelope_without_results"] == "absent":
            return Reply(200, b"{}")
        return Reply(200, b'{"%s":[%s]}' % (self.envelope.encode(), b",".join(encoded)), ordered=ordered)

    def _written(self, call: Call) -> dict[str, t.Any]:
        written = call.json()
        if unknown := written.keys() - self.properties:
            raise ApiError(400, f"Unrecognized property: {sorted(unknown)[0]}")
        return written

    def _check_name(self, written: dict[str, t.Any], own_id: int | None = None, *, required: bool = False) -> None:
        if "name" not in written and not required:
            return
        title = _title(self.noun)
        name = text(written, "name", "")
        if not name.strip():
            raise ApiError(400, f"{title} Name cannot be blank")
        for item in self.table:
            taken = item["name"] if isinstance(item, dict) else item.name
            number = item["ID"] if isinstance(item, dict) else item.id
            if taken == name and number != own_id:
                raise ApiError(400, f"{title} name already exists: {name}")

    def _depended_on(self, object_id: int, user: str | None) -> None:
        """Refuse to delete an object that C(user), if there is one, needs; raises C(ApiError)."""
        if user:
            title = _title(self.noun)
            raise ApiError(
                400, f"{title} {object_id} could not be removed because {user} depends on {title} {object_id}"
            )


class PlainResource(Resource):
    """A kind of object that is stored as it is shown, except for what the switches change."""

    def show(self, call: Call, items: t.Sequence[dict[str, t.Any]]) -> list[bytes]:
        """Objects of a list, encoded."""
        return [orjson.dumps(self.shown(item)) for item in items]

    def shown(self, item: dict[str, t.Any]) -> dict[str, t.Any]:
        """An object as the switches ask for."""
        return item


class ComputerGroups(PlainResource):
    """Folders of computers. They can only be read."""

    noun = "computer group"
    plural = "computer groups"
    envelope = "computerGroups"
    properties = frozenset()
    fields = {
        "name": Field("string", lambda group: group["name"]),
        "description": Field("string", lambda group: group["description"]),
        "type": Field("choice", lambda group: group["type"]),
        "parentGroupID": Field("numeric", lambda group: group.get("parentGroupID")),
    }

    @property
    def table(self) -> Table[dict[str, t.Any]]:
        """The table with the groups."""
        return self.state.groups


def _title(noun: str) -> str:
    return " ".join(word if word.isupper() else word.capitalize() for word in noun.split())
