# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of variables that holds a document: read, and changed where it differs from a snapshot, and nowhere else.

Two readings of a file go side by side: one as Ansible reads it, in YAML 1.1, for what it says, and one in which
ruamel.yaml keeps comments, quotes and anchors, for what is written. What ruamel.yaml would lay out anew although
nothing of it changes is put back line by line.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import errno
import io
import os
import re
import stat
import tempfile
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._basis.errors import OptionError
from .._basis.files import read_whole
from .._basis.text import one_line, shown
from .._facets.registry import FACETS
from .._fleet.names import Key
from .._fleet.targets import ALL
from .document import profile_arguments
from .snapshot import Copied, Declared, Edit, Named, Snapshot, Written, misplaced, profiles_path

try:
    from ruamel.yaml import YAML, constructor
    from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
    from ruamel.yaml.error import CommentMark, YAMLError
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString
    from ruamel.yaml.tokens import CommentToken
except ImportError as import_error:
    RUAMEL_IMPORT_ERROR: str | None = str(import_error)
else:
    RUAMEL_IMPORT_ERROR = None

# The longest file that is read, in bytes.
_LONGEST = 64 * 1024 * 1024
# The first words of the comments that say what could not be captured. Nothing else of a file begins with them.
NOT_CAPTURED = "# not captured: "
# Indentation of mappings, of sequences, and of the dash in it, the likeliest first.
_LAYOUTS = ((2, 4, 2), (2, 2, 0), (4, 6, 4), (4, 4, 2), (4, 4, 0))
# What stands for a character that cannot be seen, until the text is written.
_HIDDEN = "\ue000{:08x}\ue001"
# Text that every reader of YAML takes for text without quotes.
_PLAIN = re.compile(
    r"[A-Za-z][A-Za-z0-9_.,-]*(?: [A-Za-z0-9(>][A-Za-z0-9_.,()-]*| >)*"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?:/\d\d?)?"
)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
# More lines than this are compared by a faster way, which may find more of them different.
_MANY_LINES = 2000

Node = t.Any
# The indentation of a line, and whether an item of a list begins there.
Level = t.Tuple[int, bool]


class Untold:
    """What a template or a vault holds, which is not known here."""

    def __str__(self) -> str:
        return "(a template or a vault)"


def read_text(path: str) -> str | None:
    """The text of a file, C(None) where there is none. Raises C(OptionError)."""
    try:
        return read_whole(path, _LONGEST).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise OptionError("path", path, "it must be a file in UTF-8") from None
    except OSError as error:
        raise OptionError("path", path, f"it must be a file that can be read: {one_line(error.strerror)}") from None


def replace_text(path: str, text: str) -> None:
    """Let a file hold the text, or stay as it was. Raises C(OptionError).

    Mode and owner stay; a new file, and folders that it needs, have those that a program of this user gives its files.
    Of a symbolic link, the file that it leads to is replaced.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    candidate = None
    try:
        os.makedirs(folder, exist_ok=True)
        handle, candidate = tempfile.mkstemp(prefix=".communication_document_", dir=folder)
        with open(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            try:
                there = os.stat(target)
            except FileNotFoundError:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(handle, 0o666 & ~mask)
            else:
                if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(handle, there.st_uid, there.st_gid)
                os.fchmod(handle, stat.S_IMODE(there.st_mode))
            file.flush()
            os.fsync(handle)
        os.replace(candidate, target)
        candidate = None
    except OSError as error:
        advice = "; the owner of the file has to do it" if error.errno == errno.EPERM else ""
        raise OptionError(
            "path", path, f"it must be a file that can be written: {one_line(error.strerror)}{advice}"
        ) from None
    finally:
        if candidate is not None:
            with contextlib.suppress(OSError):
                os.unlink(candidate)


class DocumentText:
    """The text of a file of variables, and the profiles that one of them holds. Raises C(OptionError)."""

    def __init__(self, text: str, variable: str, path: str) -> None:
        self._whole = text
        self._variable = variable
        self._path = path
        # Comments of an earlier snapshot are not those of the file.
        self._body, self._notes = _without_notes(text)
        self._newline = "\r\n" if "\r\n" in self._body else "\n"
        self._bom = "\ufeff" if self._body.startswith("\ufeff") else ""
        self._body = self._body.removeprefix("\ufeff").replace("\r\n", "\n")
        said = self._plain(self._body)
        if not isinstance(said, (dict, type(None))):
            raise OptionError("path", path, "it must be a file of variables, which is a mapping of YAML")
        profiles = (said or {}).get(variable)
        if isinstance(profiles, Untold):
            raise OptionError(variable, None, "it must be a list of profiles, written out in the file")
        if not isinstance(profiles, (list, type(None))):
            raise OptionError(variable, profiles, f"it must be a list of profiles in {shown(path)}")
        self._profiles: list[t.Any] = profiles or []

    # -- what it says

    def profiles(self) -> list[Written]:
        """The profiles, checked as Ansible would. Raises C(OptionError)."""
        read: list[Written] = []
        for number, item in enumerate(self._profiles):
            if not isinstance(item, dict):
                raise OptionError(f"{self._variable}[{number}]", item, "it must be a profile, a mapping of options")
            name = item.get("name")
            name = (
                shown(name)
                if isinstance(name, (str, int)) and not isinstance(name, bool) and str(name)
                else str(number)
            )
            one = self._profile(number, name, item)
            if any(other.name == one.name for other in read):
                raise OptionError(
                    f"{self._variable}[{number}].name", name, "it must be a name that no other profile has"
                )
            read.append(one)
        return read

    def _profile(self, number: int, name: str, item: dict[t.Any, t.Any]) -> Written:
        path = profiles_path(self._variable, name)
        # What the module does not know stays, and says nothing here.
        arguments = {option: argument for option, argument in profile_arguments().items() if option != "name"}
        known = {option: value for option, value in item.items() if option in arguments and value is not None}
        untold = frozenset(option for option, value in known.items() if option in FACETS and _is_untold(value))
        told = {option: value for option, value in known.items() if option not in untold}
        for option, value in told.items():
            if _is_untold(value):
                raise misplaced(path, option)
            if option in FACETS and not isinstance(value, dict):
                raise OptionError(f"{path}.{option}", value, "it must be a mapping of options")
            if option in FACETS:
                own = FACETS[option].arguments
                told[option] = {key: one for key, one in value.items() if key in own and one is not None}
        checked = t.cast(t.Any, ArgumentSpecValidator)(arguments).validate(told)
        if checked.error_messages:
            raise OptionError(path, None, one_line("; ".join(checked.error_messages)))
        options: dict[str, t.Any] = {}
        for option, value in told.items():
            valid = checked.validated_parameters[option]
            options[option] = {key: _as_given(value[key], valid[key]) for key in value} if option in FACETS else valid
        if options.get("policies", ALL) != ALL:
            # Raw, so that this word can be told from a list.
            options["policies"] = _as_list(options["policies"])
        return Written(number, name, path, options, untold)

    # -- what it is to say

    def with_snapshot(self, snapshot: Snapshot, written: t.Sequence[Written]) -> str:
        """The text with all of the snapshot in it; the very same text where nothing differs."""
        notes = [f"{NOT_CAPTURED}{_escaped(one.sentence)}" for one in snapshot.left_out]
        body = self._body
        if snapshot.edits or snapshot.profiles:
            body = self._edited(snapshot, written)
        elif not body.strip():
            body = f"---\n{self._variable}: []\n"
        if body == self._body and notes == self._notes:
            return self._whole
        if notes:
            body = body if body.endswith("\n") or not body else f"{body}\n"
            body += "".join(f"{note}\n" for note in notes)
        return self._bom + body.replace("\n", self._newline)

    def _edited(self, snapshot: Snapshot, written: t.Sequence[Written]) -> str:
        yaml, base = self._layout()
        tree = yaml.load(self._body)
        if tree is None:
            head = self._body if not self._body or self._body.endswith("\n") else f"{self._body}\n"
            head = head or "---\n"
            tree = CommentedMap()
        else:
            head = ""
        _Editor(tree, self._variable, written).edit(snapshot)
        after = _dumped(yaml, tree)
        if head:
            return head + _shown_as_escapes(after)
        kept = _merged(self._body, base, after)
        # Put back in a way that says something else, or nothing any more: then all of it is as ruamel.yaml lays it out.
        if not self._says(kept, after):
            kept = after
        return _shown_as_escapes(kept)

    def _says(self, text: str, like: str) -> bool:
        try:
            return bool(_comparable(self._plain(text)) == _comparable(self._plain(like)))
        except OptionError:
            return False

    def _layout(self) -> tuple[t.Any, str]:
        """The writer whose layout is the file's, and what it makes of the file as it is."""
        lines = set(self._body.split("\n"))
        tried: list[tuple[int, t.Any, str]] = []
        try:
            own = self._layout_of_profiles(YAML().load(self._body))
            for mapping, sequence, offset in _LAYOUTS if own is None else (own, *_LAYOUTS):
                yaml = YAML()
                yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
                yaml.width = 1_000_000
                yaml.preserve_quotes = True
                yaml.explicit_start = bool(re.search(r"^---(?: |$)", self._body, re.MULTILINE))
                base = _dumped(yaml, yaml.load(self._body))
                if base == self._body:
                    return yaml, base
                tried.append((len(lines.intersection(base.split("\n"))), yaml, base))
        except YAMLError as error:
            raise self._unreadable(error) from None
        # New profiles have to stand below those that are there, whatever the layout of the rest.
        _same, yaml, base = max(tried, key=lambda one: one[0]) if own is None else tried[0]
        return yaml, base

    def _layout_of_profiles(self, tree: Node) -> tuple[int, int, int] | None:
        """Indentation as the profiles have it, C(None) where there are none below each other."""
        profiles = tree.get(self._variable) if tree else None
        if not profiles or profiles.fa.flow_style() or not isinstance(profiles[0], CommentedMap):
            return None
        line, column = profiles.lc.item(0)
        text = self._body.split("\n")[line]
        dash = len(text) - len(text.lstrip(" "))
        if not text.startswith("-", dash) or column <= dash:
            return None
        nested = (
            min(place[1] for place in value.lc.data.values()) - column
            for profile in profiles
            for value in (profile.values() if isinstance(profile, CommentedMap) else ())
            if isinstance(value, CommentedMap) and not value.fa.flow_style() and value.lc.data
        )
        return next((one for one in nested if one > 0), 2), column, dash

    def _plain(self, text: str) -> t.Any:
        """What Ansible reads in it, with C(Untold) for what a template or vault holds."""
        yaml = YAML(typ="safe", pure=True)
        yaml.version = (1, 1)
        yaml.Constructor = _constructor()
        try:
            return yaml.load(text)
        except (YAMLError, ValueError, TypeError, RecursionError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> OptionError:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = one_line(getattr(error, "problem", None) or type(error).__name__, 200)
        return OptionError("path", self._path, f"it must be a file of variables in YAML, but{where}: {problem}")


def _constructor() -> t.Any:
    """A constructor of plain values, except for what is not known here."""

    class Plain(constructor.SafeConstructor):
        """A class of its own, since constructors are kept by class."""

    def text(loader: t.Any, node: t.Any) -> t.Any:
        value = loader.construct_scalar(node)
        return Untold() if isinstance(value, str) and re.search(r"\{[{%#]", value) else value

    Plain.add_constructor("tag:yaml.org,2002:str", text)
    Plain.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    Plain.add_multi_constructor("!", lambda *_loader_tag_node: Untold())
    return Plain


class _Editor:
    """Changes of the tree that keeps comments, quotes and anchors."""

    def __init__(self, tree: Node, variable: str, written: t.Sequence[Written]) -> None:
        self._tree = tree
        self._variable = variable
        self._written = {one.number: one for one in written}
        # How often each mapping and list is referred to, by its identity: by aliases, too.
        self._references: dict[int, int] = {}
        self._count(tree)
        # What a node that several refer to was changed into already.
        self._done: set[int] = set()

    def edit(self, snapshot: Snapshot) -> None:
        """Bring all of a snapshot into the tree."""
        profiles = self._tree.get(self._variable)
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
        for one in new:
            rest = _cut_comment_behind(profiles, len(profiles) - 1) if profiles else ""
            profiles.append(one)
            if rest:
                _put_comment_behind(profiles, len(profiles) - 1, rest)

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
            self._add(node, named)

    def _agree(self, facet: Node, snapshot: Snapshot) -> bool:
        """Whether all who refer to this facet want the same of it, so that it is changed once for all of them."""
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
        left = [number for number, key in enumerate(before) if _key(key) not in keys]
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

    def _add(self, node: Node, named: Named) -> None:
        there = node.get(named.option)
        if there is None:
            _remove(node, named.option)
            after = "policies" if named.option == "computers" and "policies" in node else "name"
            place = [*node].index(after) + 1 if after in node else 0
            there = CommentedSeq()
            node.insert(place, named.option, there)
        elif not isinstance(there, CommentedSeq):
            there = node[named.option] = _sequence([there])
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
                # Also where nobody refers to it any more.
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
                # What is merged into several is theirs together.
                todo.extend(merged for merged in _merged_into(one) for _twice in range(2))

    def _is_shared(self, node: Node) -> bool:
        return self._references.get(id(node), 1) > 1


# -- nodes


def _is_own(node: Node, key: t.Any) -> bool:
    """Whether a key stands in the mapping itself, and does not come from one that is merged into it."""
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
        # Only null undoes what is merged into the mapping.
        node[key] = None


def _unanchored(node: Node) -> Node:
    """A copy on its own: without anchors and comments, and with what is merged into it written out."""
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
    """Append to a list; what stands behind its last item, for whatever comes next, stays behind the last one."""
    for value in values:
        rest = _cut_comment_behind(sequence, len(sequence) - 1) if sequence else ""
        sequence.append(_scalar(value))
        if comment or rest:
            _put_comment_behind(sequence, len(sequence) - 1, rest, comment)


def _like(there: Node, value: t.Any) -> Node:
    """A value in the quotes that the one before it had."""
    if isinstance(there, (SingleQuotedScalarString, DoubleQuotedScalarString)) and isinstance(value, str):
        if _visible(value) == value and "{" not in value:
            return type(there)(value)
    return _scalar(value)


def _scalar(value: t.Any) -> Node:
    """A value as it is written: text that anybody could take for something else in quotes, and never as a template."""
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
    """Text with marks in place of the characters that cannot be seen."""
    return "".join(one if shown(one) == one else _HIDDEN.format(ord(one)) for one in text)


def _shown_as_escapes(text: str) -> str:
    """The marks of C(_visible) as escapes of YAML, as they only stand in double quotes."""
    return re.sub("\ue000([0-9a-f]{8})\ue001", lambda found: f"\\U{found[1]}", text)


def _escaped(sentence: str) -> str:
    return shown(sentence, 2000)


def _key(key: t.Any) -> Key:
    return key if isinstance(key, int) else str(key)


def _without(query: str, excluded: t.Collection[int]) -> str:
    """A query without computers of these IDs."""
    found = re.fullmatch(r"(.*) \| \[\?!contains\(`\[([0-9, ]+)\]`, id\)\]", query.strip(), re.DOTALL)
    if found:
        query, excluded = found[1], {*excluded, *map(int, found[2].split(","))}
    return f"{query.strip()} | [?!contains(`[{', '.join(map(str, sorted(excluded)))}]`, id)]"


# -- comments


def _last(node: Node, key: t.Any) -> tuple[Node, t.Any]:
    """Where the comment is kept that stands behind an item: at its last line."""
    while isinstance(node[key], (CommentedMap, CommentedSeq)) and node[key] and not node[key].fa.flow_style():
        node = node[key]
        key = [*node][-1] if isinstance(node, CommentedMap) else len(node) - 1
    return node, key


def _cut_comment_behind(node: Node, key: t.Any) -> str:
    """Take away what stands on the lines behind an item, and return it. A comment on its own line stays."""
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
    # Two blanks before it, as linters want them: one comes by itself.
    first = f" # {comment}" if comment else ""
    token = CommentToken(f"{first}\n{rest}", CommentMark(0), None)
    node.ca.items[key] = [None, None, token, None] if isinstance(node, CommentedMap) else [token, None, None, None]


# -- text


def _dumped(yaml: t.Any, tree: Node) -> str:
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def _without_notes(text: str) -> tuple[str, list[str]]:
    """A text without the comments of an earlier snapshot, and these."""
    lines = text.split("\n")
    notes = [line.rstrip("\r") for line in lines if line.startswith(NOT_CAPTURED)]
    return "\n".join(line for line in lines if not line.startswith(NOT_CAPTURED)), notes


def _merged(text: str, base: str, after: str) -> str:
    """C(text) with all that differs between C(base) and C(after); where both differ from C(base), C(after) has its way.

    Comments of lines that go away stay.
    """
    mine, old, new = (whole.split("\n") for whole in (text, base, after))
    ours = _blocks(old, mine)
    theirs = _blocks(old, new)
    merged: list[str] = []
    levels: dict[Level, int] = {}
    at_old = at_mine = at_new = 0
    for start, end in [*_common(ours, theirs), (len(old), len(old))]:
        to_mine = _mapped(ours, start, len(old), len(mine))
        to_new = _mapped(theirs, start, len(old), len(new))
        was, is_mine, is_new = old[at_old:start], mine[at_mine:to_mine], new[at_new:to_new]
        merged += _stretch(is_mine, was, is_new, levels) if is_new != was else is_mine
        if len(is_mine) == len(was):
            _see(levels, is_mine, was)
        merged += mine[to_mine : to_mine + end - start]
        _see(levels, old[start:end], old[start:end])
        at_old, at_mine, at_new = end, to_mine + end - start, to_new + end - start
    return "\n".join(merged)


def _stretch(mine: list[str], old: list[str], new: list[str], levels: dict[Level, int]) -> list[str]:
    """The same of lines that are not the same in both: a line of C(mine) for each that only its layout makes different.

    C(levels): by level in C(old), how much further in such a line was in C(mine) where it was last seen.
    """
    merged: list[str] = []
    alike = len(mine) == len(old)
    for what, start, end, start_new, end_new in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if alike:
            _see(levels, mine[start:end], old[start:end])
        if what == "equal" and alike:
            merged += mine[start:end]
            continue
        for line in new[start_new:end_new]:
            inside = _indentation(line)
            further = levels.get(_level(line), 0)
            merged.append(f"{' ' * max(0, inside + further)}{line[inside:]}" if line[inside:] else line)
        if what != "equal":
            merged += [line for line in old[start:end] if line.lstrip().startswith("#") and line not in new]
    return merged


def _see(levels: dict[Level, int], mine: list[str], old: list[str]) -> None:
    for one, other in zip(mine, old):
        if other.strip() and not other.lstrip().startswith("#"):
            levels[_level(other)] = _indentation(one) - _indentation(other)


def _level(line: str) -> Level:
    return _indentation(line), line.lstrip(" ").startswith("- ")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _blocks(old: list[str], other: list[str]) -> list[tuple[int, int, int]]:
    """What both have in a row: where it starts in each, and how many lines."""
    if old == other:
        return [(0, 0, len(old))]
    many = len(old) + len(other) > _MANY_LINES
    return [
        block for block in difflib.SequenceMatcher(None, old, other, autojunk=many).get_matching_blocks() if block[2]
    ]


def _common(first: list[tuple[int, int, int]], second: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The stretches of the old lines that are in both others."""
    found, one, two = [], 0, 0
    while one < len(first) and two < len(second):
        start = max(first[one][0], second[two][0])
        ends = first[one][0] + first[one][2], second[two][0] + second[two][2]
        if start < min(ends):
            found.append((start, min(ends)))
        if ends[0] < ends[1]:
            one += 1
        else:
            two += 1
    return found


def _mapped(blocks: list[tuple[int, int, int]], line: int, last: int, last_of_other: int) -> int:
    """The line of the other text for one that both have, or the end."""
    if line == last:
        return last_of_other
    return next(other + line - start for start, other, length in blocks if start <= line < start + length)


def _is_untold(value: t.Any) -> bool:
    if isinstance(value, dict):
        return any(_is_untold(key) or _is_untold(item) for key, item in value.items())
    return any(map(_is_untold, value)) if isinstance(value, list) else isinstance(value, Untold)


def _as_list(value: t.Any) -> t.Any:
    """A list as Ansible makes one of what is none."""
    return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value


def _as_given(given: t.Any, valid: t.Any) -> t.Any:
    """A valid value, but a number that may be one as a number."""
    return given if isinstance(given, (int, bool)) and valid == str(given) else valid


def _comparable(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {str(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return str(value) if isinstance(value, Untold) else value
