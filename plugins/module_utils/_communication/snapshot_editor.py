# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a snapshot into a YAML tree that keeps comments, quotes and anchors. Equal parts are not touched."""

from __future__ import annotations

import copy
import re
import typing as t

from .._basis.text import shown
from .._fleet.names import Key
from .snapshot import Copied, Declared, Edit, Named, Snapshot, Written

try:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString
    from ruamel.yaml.tokens import CommentToken
except ImportError:
    pass  # snapshot_file.py reports that it is missing.

# The placeholder for an invisible character, until the text is written.
_HIDDEN = "\ue000{:08x}\ue001"
# Text that every YAML parser reads as text even without quotes.
_PLAIN = re.compile(
    r"[A-Za-z][A-Za-z0-9_.,-]*(?: [A-Za-z0-9(>][A-Za-z0-9_.,()-]*| >)*"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?:/\d\d?)?"
)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}

Node = t.Any


class Editor:
    """Changes a tree that keeps comments, quotes and anchors."""

    def __init__(self, tree: Node, variable: str, written: t.Sequence[Written]) -> None:
        self._tree = tree
        self._variable = variable
        self._written = {one.number: one for one in written}
        # How often each mapping and list is used, including aliases, by its identity.
        self._references: dict[int, int] = {}
        self._count(tree)
        # Nodes with several references that are already changed.
        self._done: set[int] = set()

    def edit(self, snapshot: Snapshot) -> None:
        """Write all of a snapshot into the tree."""
        profiles = self._tree.get(self._variable)
        if profiles:
            # This comment is not part of the variable's lines, so it stays in the file anyway.
            _cut_comment_behind(self._tree, self._variable)
        new = [self._profile(one.name, one.targets, one.facets) for one in snapshot.profiles]
        for number, edit in snapshot.edits.items():
            if not edit.gone:
                self._edit(profiles[number], self._written[number], edit, snapshot)
        if profiles:
            for number in sorted((number for number, edit in snapshot.edits.items() if edit.gone), reverse=True):
                del profiles[number]
        if not profiles:
            self._tree[self._variable] = profiles = CommentedSeq()
        elif self._is_shared(profiles):
            self._tree[self._variable] = profiles = _unanchored(profiles)
        profiles.extend(new)

    # -- one profile

    def _edit(self, node: Node, one: Written, edit: Edit, snapshot: Snapshot) -> None:
        for facet, options in edit.facets.items():
            self._facet(node, facet, one.options[facet], options, self._agree(node.get(facet), snapshot))
        for option, keys in edit.dropped.items():
            self._drop(node, option, one.options[option], keys)
        if edit.query_gone:
            _remove(node, "computers_query")
        elif edit.excluded:
            node["computers_query"] = _like(
                node.get("computers_query"), _without(str(one.options["computers_query"]), edit.excluded)
            )
        for named in sorted(edit.added, key=lambda named: named.option != "policies"):
            self._add(node, named, one.options.get(named.option) or ())

    def _agree(self, facet: Node, snapshot: Snapshot) -> bool:
        """Whether all references to this facet need the same change, so that it can be changed once for all of them."""
        wanted = []
        for number, edit in snapshot.edits.items():
            for name, options in edit.facets.items():
                if self._tree[self._variable][number].get(name) is facet and not edit.gone:
                    wanted.append(options)
        return len(wanted) == self._references.get(id(facet), 0) and all(one == wanted[0] for one in wanted)

    def _facet(self, node: Node, name: str, before: t.Any, after: t.Any, agree: bool) -> None:
        if not after:
            _remove(node, name)
            return
        facet = node[name]
        if id(facet) in self._done:
            return
        own = isinstance(facet, CommentedMap) and _is_own(node, name)
        if not own or (self._is_shared(facet) and not agree):
            facet = node[name] = _unanchored(facet) if isinstance(facet, CommentedMap) else CommentedMap()
        else:
            self._done.add(id(facet))
        for option in before:
            if option not in after:
                _remove(facet, option)
        for option, value in after.items():
            if option not in before or before[option] != value:
                self._option(facet, option, before.get(option), value)

    def _option(self, facet: Node, option: str, before: t.Any, value: t.Any) -> None:
        there = facet.get(option)
        if not isinstance(value, list):
            facet[option] = _like(there, value)
            return
        if not isinstance(there, CommentedSeq) or not isinstance(before, list) or not _is_own(facet, option):
            facet[option] = _sequence(value)
            return
        if self._is_shared(there):
            there = facet[option] = _unanchored(there)
        for number in range(len(before) - 1, -1, -1):
            if before[number] not in value or before[number] in before[:number]:
                del there[number]
        _extend(there, [item for item in value if item not in before])

    def _drop(self, node: Node, option: str, before: t.Sequence[Key], keys: set[Key]) -> None:
        gone = set(map(_key, keys))
        left = [number for number, key in enumerate(before) if _key(key) not in gone]
        there = node[option]
        if not left:
            _remove(node, option)
        elif not isinstance(there, CommentedSeq) or len(there) != len(before):
            node[option] = _sequence([_key(before[number]) for number in left])
        else:
            if self._is_shared(there) or not _is_own(node, option):
                there = node[option] = _unanchored(there)
            for number in range(len(before) - 1, -1, -1):
                if number not in left:
                    del there[number]

    def _add(self, node: Node, named: Named, before: t.Sequence[Key]) -> None:
        there = node.get(named.option)
        if there is None:
            _remove(node, named.option)
            after = "policies" if named.option == "computers" and "policies" in node else "name"
            place = [*node].index(after) + 1 if after in node else 0
            there = CommentedSeq()
            node.insert(place, named.option, there)
        elif not isinstance(there, CommentedSeq):
            there = node[named.option] = _sequence(map(_key, before))
        elif self._is_shared(there) or not _is_own(node, named.option):
            there = node[named.option] = _unanchored(there)
        _extend(there, [named.key], named.comment)

    def _profile(self, name: str, targets: t.Sequence[Named], facets: Declared) -> Node:
        profile = CommentedMap()
        profile["name"] = _scalar(name)
        for option in ("policies", "computers"):
            named = [one for one in targets if one.option == option]
            if named:
                profile[option] = CommentedSeq()
            for one in named:
                _extend(profile[option], [one.key], one.comment)
        for facet, options in facets.items():
            if isinstance(options, Copied):
                profile[facet] = _unanchored(self._tree[self._variable][options.number][facet])
                continue
            profile[facet] = CommentedMap()
            for option, value in options.items():
                profile[facet][option] = _sequence(value) if isinstance(value, list) else _scalar(value)
        return profile

    # -- aliases

    def _count(self, node: Node) -> None:
        todo = [node]
        while todo:
            one = todo.pop()
            anchor = getattr(one, "anchor", None)
            if anchor is not None and anchor.value is not None:
                # Keep the anchor even if nothing refers to it anymore.
                anchor.always_dump = True
            if not isinstance(one, (dict, list)):
                continue
            self._references[id(one)] = self._references.get(id(one), 0) + 1
            if self._references[id(one)] > 1:
                continue
            if isinstance(one, list):
                todo.extend(one)
            else:
                todo.extend(one[key] for key in one if _is_own(one, key))
                # A mapping that is merged into several others belongs to all of them.
                todo.extend(merged for merged in _merged_into(one) for _twice in range(2))

    def _is_shared(self, node: Node) -> bool:
        return self._references.get(id(node), 1) > 1


# -- nodes


def _is_own(node: Node, key: t.Any) -> bool:
    """Whether a key is in the mapping itself, not in one that is merged into it."""
    return not _merged_into(node) or key in getattr(node, "_ok", ())


def _merged_into(node: Node) -> list[Node]:
    merged = []
    for one in getattr(node, "merge", None) or ():
        merged.append(one[1] if isinstance(one, tuple) else one)
    return merged


def _remove(node: Node, key: str) -> None:
    if key in node and _is_own(node, key):
        del node[key]
    if key in node:
        # Only null overrides a key that comes from a merged mapping.
        node[key] = None


def _unanchored(node: Node) -> Node:
    """An independent copy: without anchors and comments, and with merged mappings written out."""
    copied: Node
    if isinstance(node, CommentedMap):
        copied = CommentedMap()
        for key in node:
            copied[key] = _unanchored(node[key])
    elif isinstance(node, CommentedSeq):
        copied = CommentedSeq(map(_unanchored, node))
    else:
        copied = copy.deepcopy(node)
        if getattr(copied, "anchor", None) is not None:
            copied.anchor.value = None
        return copied
    if node.fa.flow_style():
        copied.fa.set_flow_style()
    return copied


def _sequence(values: t.Iterable[t.Any]) -> Node:
    sequence = CommentedSeq()
    _extend(sequence, values)
    return sequence


def _extend(sequence: Node, values: t.Iterable[t.Any], comment: str | None = None) -> None:
    """Append to a list. A comment after its old last item, which belongs to what follows, moves after the new one."""
    for value in values:
        rest = _cut_comment_behind(sequence, len(sequence) - 1) if sequence else ""
        sequence.append(_scalar(value))
        if comment or rest:
            _put_comment_behind(sequence, len(sequence) - 1, rest, comment)


def _like(there: Node, value: t.Any) -> Node:
    """A value with the same quotes as the previous value."""
    if isinstance(there, (SingleQuotedScalarString, DoubleQuotedScalarString)) and isinstance(value, str):
        if _visible(value) == value and "{" not in value:
            return type(there)(value)
    return _scalar(value)


def _scalar(value: t.Any) -> Node:
    """A value for writing: text that could be misread gets quotes, and nothing can be read as a template."""
    if not isinstance(value, str):
        return value
    hidden = _visible(value)
    if "{" in value or value.lstrip().lower().startswith("#jinja2"):
        return TaggedScalar(hidden, style='"' if hidden != value else "'", tag="!unsafe")
    if hidden != value:
        return DoubleQuotedScalarString(hidden)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return SingleQuotedScalarString(value)


def _visible(text: str) -> str:
    """Text with placeholders for invisible characters."""
    return "".join(one if shown(one) == one else _HIDDEN.format(ord(one)) for one in text)


def shown_as_escapes(text: str) -> str:
    """The text with the placeholders of C(_visible) as YAML escapes. They are only within double quotes."""
    return re.sub("\ue000([0-9a-f]{8})\ue001", lambda found: f"\\U{found[1]}", text)


def _key(key: t.Any) -> Key:
    return key if isinstance(key, int) else str(key).strip()


def _without(query: str, excluded: t.Collection[int]) -> str:
    """A query that excludes the computers with these IDs."""
    found = re.fullmatch(r"(.*) \| \[\?!contains\(`\[([0-9, ]+)\]`, id\)\]", query.strip(), re.DOTALL)
    if found:
        query, excluded = found[1], {*excluded, *map(int, found[2].split(","))}
    return f"{query.strip()} | [?!contains(`[{', '.join(map(str, sorted(excluded)))}]`, id)]"


# -- comments


def _last(node: Node, key: t.Any) -> tuple[Node, t.Any]:
    """The node and key that hold the comment after an item: those of its last line."""
    while isinstance(node[key], (CommentedMap, CommentedSeq)) and node[key] and not node[key].fa.flow_style():
        if key in (node.lc.data or {}) and (node[key].lc.line or 0) < node.lc.data[key][0]:
            # The target of an alias is further up in the file.
            break
        node = node[key]
        key = [*node][-1] if isinstance(node, CommentedMap) else len(node) - 1
    return node, key


def _cut_comment_behind(node: Node, key: t.Any) -> str:
    """Remove and return the comments on the lines after an item. A comment on the item's own line stays."""
    node, key = _last(node, key)
    place = 2 if isinstance(node, CommentedMap) else 0
    kept = node.ca.items.get(key)
    token = kept[place] if kept else None
    if token is None or isinstance(token, list):
        return ""
    first, newline, rest = token.value.partition("\n")
    if not rest:
        return ""
    if first.strip():
        token.value = first + newline
    else:
        kept[place] = None
    return str(rest)


def _put_comment_behind(node: Node, key: t.Any, rest: str, comment: str | None = None) -> None:
    node, key = _last(node, key)
    # Linters want two blanks before a comment. One is added automatically.
    first = f" # {comment}" if comment else ""
    token = CommentToken(f"{first}\n{rest}", CommentMark(0), None)
    node.ca.items[key] = [None, None, token, None] if isinstance(node, CommentedMap) else [token, None, None, None]
