# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of variables with a document: read, and changed only where it differs from a snapshot.

A file is parsed twice: as Ansible does, in YAML 1.1, for its values, and with ruamel.yaml, which keeps comments, quotes
and anchors, for writing. Only the variable's lines are taken from the latter. The other lines of the file stay the
same, byte by byte.
"""

from __future__ import annotations

import errno
import io
import math
import os
import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._basis.errors import FileError, OptionError
from .._basis.files import expect_replaceable, keep_permissions, read_whole, replace_whole
from .._basis.text import one_line, shown
from .._facets.registry import FACETS
from .._fleet.targets import listed_policies
from .document import profile_arguments
from .line_merge import merged, with_line_ends
from .snapshot import Snapshot, Written, misplaced, profiles_path
from .snapshot_editor import Editor, Node, shown_as_escapes

try:
    from ruamel.yaml import YAML, constructor, events
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
except ImportError as import_error:
    RUAMEL_IMPORT_ERROR: str | None = str(import_error)
else:
    RUAMEL_IMPORT_ERROR = None

# The longest file that is read, in bytes.
_LONGEST = 64 * 1024 * 1024
# The most values in a file, where each alias counts as all values that it stands for. Long files may have more.
_MOST_VALUES = 1_000_000
# Bits of a number. Python does not print much longer ones.
_LONGEST_NUMBER = 10_000
# The beginning of comments that say what could not be captured, and a pattern for the whole comment.
NOT_CAPTURED = "# not captured: "
_NOTE = re.compile(rf"^({NOT_CAPTURED}({'|'.join(FACETS)}) of .+: .+)(?:\n|\Z)", re.MULTILINE)
# The lines of a file without variables that can come before the first one.
_STARTS = re.compile(r"(---)?[ \t]*(#.*)?\Z|%")
# Indentation of mappings, of sequences, and of the dash in sequences, the most likely first.
_LAYOUTS = ((2, 4, 2), (2, 2, 0), (4, 6, 4), (4, 4, 2), (4, 4, 0))


class Untold:
    """The unknown value of a template or a vault."""

    def __str__(self) -> str:
        return "(a template or a vault)"


def read_text(path: str) -> str | None:
    """The text of a file, C(None) if there is no file. Raises C(OptionError)."""
    try:
        return read_whole(path, _LONGEST).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise OptionError("path", path, "it must be a file in UTF-8") from None
    except OSError as error:
        raise OptionError("path", path, f"it must be a file that can be read: {one_line(error.strerror)}") from None


def replace_text(path: str, before: str | None, after: str) -> None:
    """Replace the text C(before) of a file (C(None): there is no file) by C(after), or leave the file unchanged.

    Mode, owner and access control list stay. A new file, and new folders for it, get this user's default modes. If the
    path is a symbolic link, the file that it points to is replaced. Raises C(FileError), and C(OptionError) if somebody
    else has changed the file meanwhile.
    """
    target = os.path.realpath(path)

    def check() -> None:
        if read_text(path) != before:
            raise OptionError("path", path, "it must not be changed by somebody else meanwhile; run again")

    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        replace_whole(target, after.encode("utf-8"), lambda handle, _candidate: _permit(handle, target), check)
    except OSError as error:
        raise _unwritable(path, error) from error


def expect_writable(path: str) -> None:
    """Raise the C(FileError) that C(replace_text) is sure to raise here, without trying it. For check mode."""
    new = os.path.realpath(path)
    while not os.path.lexists(os.path.dirname(new)):
        new = os.path.dirname(new)
    try:
        expect_replaceable(new)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> FileError:
    advice = "; the owner of the file has to do it" if error.errno == errno.EPERM else ""
    return FileError("path", path, f"{error.strerror}{advice}")


def _permit(handle: int, target: str) -> None:
    try:
        keep_permissions(handle, target)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)


class DocumentText:
    """The text of a file of variables, and the profiles in one of its variables. Raises C(OptionError)."""

    def __init__(self, text: str, variable: str, path: str) -> None:
        self._whole = text
        self._variable = variable
        self._path = path
        self._bom = "\ufeff" if text.startswith("\ufeff") else ""
        body = text.removeprefix("\ufeff").replace("\r\n", "\n")
        said = self._plain(body)
        if not isinstance(said, (dict, type(None))):
            raise OptionError("path", path, "it must be a file of variables, which is a mapping of YAML")
        # Comments of an earlier snapshot are not part of the file's own text.
        self._body, self._notes = self._without_notes(body)
        profiles = (said or {}).get(variable)
        if isinstance(profiles, Untold):
            raise OptionError(variable, None, "it must be a list of profiles, written out in the file")
        if not isinstance(profiles, (list, type(None))):
            raise OptionError(variable, profiles, f"it must be a list of profiles in {shown(path)}")
        self._profiles: list[t.Any] = profiles or []

    # -- reading

    def profiles(self) -> list[Written]:
        """The profiles, checked like Ansible's options. Raises C(OptionError)."""
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
        # These options stay, and do not matter here.
        silent = ("name", "try_on")
        arguments = {option: argument for option, argument in profile_arguments().items() if option not in silent}
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
        if "policies" in options:
            options["policies"] = listed_policies(options["policies"], f"{path}.policies")
        return Written(number, name, path, options, untold)

    # -- writing

    def with_snapshot(self, snapshot: Snapshot, written: t.Sequence[Written]) -> str:
        """The text with all of the snapshot in it; exactly the same text if nothing differs."""
        try:
            return self._with_snapshot(snapshot, written)
        except (YAMLError, RecursionError) as error:
            raise self._unreadable(error) from None

    def _with_snapshot(self, snapshot: Snapshot, written: t.Sequence[Written]) -> str:
        notes = self._notes_with(snapshot)
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
        if self._others(body) != self._others(self._body):
            raise OptionError(
                "path",
                self._path,
                f"it must be a file to which {self._variable} can be written without a change of its other variables;"
                " keep it in a file of its own",
            )
        return self._bom + with_line_ends(self._whole.removeprefix("\ufeff"), body)

    def _notes_with(self, snapshot: Snapshot) -> list[str]:
        """The comments on what was not captured. Existing ones about parts that were not captured now stay."""
        new = [f"{NOT_CAPTURED}{_escaped(one.sentence)}" for one in snapshot.noted]
        kept = [
            note
            for note in self._notes
            if note in new or not snapshot.is_whole or _facet_of(note) not in snapshot.facets
        ]
        return list(dict.fromkeys([*kept, *new]))

    def _edited(self, snapshot: Snapshot, written: t.Sequence[Written]) -> str:
        yaml, base = self._layout()
        tree = yaml.load(self._body)
        if tree is None:
            # Its comments and its start stay; a null, or its end, would make the variable part of another document.
            start = [line for line in self._body.rstrip("\n").split("\n") if _STARTS.match(line)]
            head = "".join(f"{line}\n" for line in start) if self._body else "---\n"
            yaml.explicit_start, yaml.version = False, None
            tree = CommentedMap()
        else:
            head = ""
        Editor(tree, self._variable, written).edit(snapshot)
        after = _dumped(yaml, tree)
        if head:
            return head + shown_as_escapes(after)
        wanted = {**self._others(self._body), self._variable: _comparable(self._plain(after))[self._variable]}
        kept = next((lines for lines in self._kept(base, after) if self._says(lines, wanted)), after)
        return shown_as_escapes(kept)

    def _kept(self, base: str, after: str) -> t.Iterator[str]:
        """Versions of C(after) with many of the file's own lines, most lines first. Their content must be checked."""
        yield self._put_in_place(base, after, merged)
        yield self._put_in_place(base, after, lambda _mine, _old, new: new)
        # An alias elsewhere may refer to something that was removed from the profiles.
        yield merged(self._body, base, after)

    def _put_in_place(self, base: str, after: str, merge: t.Callable[[str, str, str], str]) -> str:
        """The text with the variable's lines from C(after), and everything else unchanged."""
        text = self._body
        mine, old, new = (_Place.of(self._variable, one, _events(one)) for one in (text, base, after))
        margin = "" if mine.flow else " " * mine.column
        written = _indented(new.part(after), margin)
        if mine.start is not None:
            if not mine.flow:
                written = merge(mine.part(text), _indented(old.part(base), margin), written)
            return text[: mine.start] + written + text[mine.end :]
        if mine.flow:
            first = mine.root_start + 1
            return f"{text[:first]}{written}, {text[first:]}"
        before = text[: mine.root_end]
        return f"{before}{'' if before.endswith(chr(10)) else chr(10)}{written}\n{text[mine.root_end :]}"

    def _says(self, text: str, wanted: t.Any) -> bool:
        try:
            return bool(_comparable(self._plain(text)) == wanted)
        except OptionError:
            return False

    def _others(self, text: str) -> t.Any:
        """The values of the other variables in a text."""
        said = _comparable(self._plain(text)) or {}
        return {name: value for name, value in said.items() if name != self._variable}

    def _layout(self) -> tuple[t.Any, str]:
        """The writer with the layout of the profiles, or of the file, and the unchanged file as it writes it."""
        own = self._layout_of_profiles(YAML().load(self._body))
        lines = set(self._body.split("\n"))
        tried: list[tuple[int, t.Any, str]] = []
        for mapping, sequence, offset in _LAYOUTS if own is None else (own,):
            yaml = YAML()
            yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
            yaml.width = 1_000_000
            yaml.preserve_quotes = True
            yaml.explicit_start = bool(re.search(r"^---(?: |$)", self._body, re.MULTILINE))
            base = _dumped(yaml, yaml.load(self._body))
            tried.append((len(lines.intersection(base.split("\n"))), yaml, base))
        _same, yaml, base = max(tried, key=lambda one: one[0])
        return yaml, base

    def _layout_of_profiles(self, tree: Node) -> tuple[int, int, int] | None:
        """The indentation of the profiles, C(None) if there are no profiles below each other."""
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
        """The values as Ansible reads them, with C(Untold) for templates and vaults."""
        yaml = YAML(typ="safe", pure=True)
        yaml.version = (1, 1)
        yaml.Constructor = _constructor()
        try:
            said = yaml.load(text)
            _check_size(said, max(_MOST_VALUES, len(text)))
            # Raises one of the errors below if the value contains itself.
            _comparable(said)
        except (YAMLError, ValueError, TypeError, RecursionError) as error:
            raise self._unreadable(error) from None
        return said

    def _without_notes(self, text: str) -> tuple[str, list[str]]:
        """A text without the comments of an earlier snapshot, and these comments."""
        if NOT_CAPTURED not in text:
            return text, []
        # In quoted text, # does not begin a comment.
        quoted = [
            (event.start_mark.index, event.end_mark.index)
            for event in _events(text)
            if isinstance(event, events.ScalarEvent) and event.style in ("'", '"')
        ]
        notes: list[str] = []

        def without(found: re.Match[str]) -> str:
            if any(start < found.start() < end for start, end in quoted):
                return found[0]
            notes.append(found[1])
            return ""

        return _NOTE.sub(without, text), notes

    def _unreadable(self, error: Exception) -> OptionError:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = one_line(getattr(error, "problem", None) or type(error).__name__, 200)
        if isinstance(error, RecursionError):
            problem = "it is nested too deeply, or something of it stands in itself by an alias, which is not supported"
        return OptionError("path", self._path, f"it must be a file of variables in YAML, but{where}: {problem}")


class _Place(t.NamedTuple):
    """Where the mapping of all variables, and one of the variables if it exists, begin and end, in characters.

    flow: whether the mapping is in braces. Otherwise, a variable's place is whole lines, without the last line break.
    """

    flow: bool
    column: int
    root_start: int
    root_end: int
    start: int | None
    end: int

    def part(self, text: str) -> str:
        """The text of the variable."""
        return "" if self.start is None else text[self.start : self.end]

    @classmethod
    def of(cls, variable: str, text: str, parsed: t.Iterable[t.Any]) -> _Place:
        """The place of a variable in a text with a mapping."""
        flow, column, root_start, root_end = False, 0, 0, len(text)
        depth = nodes = 0
        start, end, inside = None, 0, False
        for event in parsed:
            ends = isinstance(event, events.CollectionEndEvent)
            depth -= ends
            if depth == 0:
                if ends:
                    root_end = event.start_mark.index
                elif isinstance(event, events.MappingStartEvent):
                    flow, column, root_start = bool(event.flow_style), event.start_mark.column, event.start_mark.index
            elif depth == 1 and not ends:
                # Names and values alternate.
                nodes += 1
                if nodes % 2:
                    inside = isinstance(event, events.ScalarEvent) and event.value == variable
                    start = event.start_mark.index if inside else start
            # A collection without braces ends where the next node begins.
            if inside and (not ends or event.end_mark.index > event.start_mark.index) and depth:
                end = event.end_mark.index
            depth += isinstance(event, events.CollectionStartEvent)
        if start is not None:
            end = len(text[:end].rstrip())
            if not flow:
                start = text.rfind("\n", 0, start) + 1
                line_end = text.find("\n", end)
                end = len(text) if line_end < 0 else line_end
        return cls(flow, column, root_start, root_end, start, end)


def _events(text: str) -> t.Iterable[t.Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    return t.cast(t.Iterable[t.Any], yaml.parse(text))


def _constructor() -> t.Any:
    """A constructor of plain values, with C(Untold) for unknown ones."""

    class Plain(constructor.SafeConstructor):
        """A separate class, because constructors are registered by class."""

    def text(loader: t.Any, node: t.Any) -> t.Any:
        value = loader.construct_scalar(node)
        return Untold() if isinstance(value, str) and re.search(r"\{[{%#]", value) else value

    Plain.add_constructor("tag:yaml.org,2002:str", text)
    Plain.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    Plain.add_multi_constructor("!", lambda *_loader_tag_node: Untold())
    return Plain


def _escaped(sentence: str) -> str:
    return shown(sentence, 2000)


# -- text


def _dumped(yaml: t.Any, tree: Node) -> str:
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def _indented(text: str, margin: str) -> str:
    return re.sub("^(?=.)", margin, text, flags=re.MULTILINE) if margin else text


def _facet_of(note: str) -> str:
    found = _NOTE.fullmatch(note)
    return found[2] if found else ""


def _is_untold(value: t.Any) -> bool:
    if isinstance(value, dict):
        return any(_is_untold(key) or _is_untold(item) for key, item in value.items())
    return any(map(_is_untold, value)) if isinstance(value, list) else isinstance(value, Untold)


def _as_given(given: t.Any, valid: t.Any) -> t.Any:
    """The valid value. If the check has only turned a given number into text, the given number."""
    return given if isinstance(given, (int, bool)) and valid == str(given) else valid


def _check_size(value: t.Any, most: int) -> None:
    """Raise a YAML error if aliases turn a short text into too many values, or if a number has too many digits."""
    left = most

    def count(one: t.Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise MarkedYAMLError(problem=f"its aliases make more than {most} values of it, which is not supported")
        if isinstance(one, int) and one.bit_length() > _LONGEST_NUMBER:
            raise MarkedYAMLError(problem="it has a number with thousands of digits")
        for item in one.values() if isinstance(one, dict) else one if isinstance(one, list) else ():
            count(item)

    count(value)


def _comparable(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {str(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        # NaN is not even equal to itself.
        return "nan"
    return str(value) if isinstance(value, Untold) else value
