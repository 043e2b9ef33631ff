# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in a file: the document, the resulting plan on one manager, and the time. What is read back is not trusted.

The steps in a file are never carried out. They say what was reviewed. A new plan is made from the file's document and
the manager's state at that time, and it is carried out if it is the same plan.
"""

from __future__ import annotations

import json
import typing as t

from .._basis.errors import FileError, OptionError
from .._basis.files import read_whole, replace_whole
from .._basis.text import one_line, quoted, shown
from .._facets.step import Refusal, Step
from .groups import digest, grouped, is_on_target

_FORMAT = "workload_security.agent plan"
_VERSION = 1

# Bytes. A plan for 100,000 computers with five steps each has about 300 million.
LONGEST = 512 * 1024 * 1024

Item = t.Dict[str, t.Any]


class PlanFile(t.NamedTuple):
    """The content of a file. document: checked options of the module. time: when it was made, in UTC, ISO 8601."""

    manager: str
    time: str
    document: t.Mapping[str, t.Any]
    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]
    # Groups of undeclared overrides that are only reported. For people.
    undeclared: t.Sequence[Item] = ()

    @property
    def digest(self) -> str:
        """The short name of the plan."""
        return digest(self.steps, self.refusals)

    def as_dict(self) -> Item:
        """All of it as JSON. The parts for people come first; they follow from the rest."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "manager": self.manager,
            "time": self.time,
            "digest": self.digest,
            "groups": [group.as_dict() for group in grouped(step for step in self.steps if is_on_target(step))],
            "undeclared": list(self.undeclared),
            "document": self.document,
            "refusals": [refusal.as_dict() for refusal in self.refusals],
            "steps": [step.as_dict() for step in self.steps],
        }

    def write(self, path: str, is_secret: t.Callable[[str], bool]) -> None:
        """Write the file as a whole, readable only for its owner. C(is_secret): whether a text has secrets.

        Raises C(FileError).
        """
        text = _text(self.as_dict())
        if is_secret(text):
            raise FileError("plan_file", path, "the document holds the API key")
        if len(text) > LONGEST:
            raise FileError(
                "plan_file",
                path,
                f"the plan has {len(text)} bytes, and plans of more than {LONGEST} are not read again; plan fewer targets"
                " at once",
            )
        try:
            replace_whole(path, text.encode("ascii"))
        except OSError as error:
            raise FileError("plan_file", path, error) from error


def read_plan_file(option: str, path: str, checked: t.Callable[[Item], t.Mapping[str, t.Any]]) -> PlanFile:
    """The plan in a file that an option names. C(checked) returns a document's options, or raises C(ValueError).

    Raises C(OptionError) for any content that this collection would not write.
    """
    try:
        return _read(path, checked)
    except OSError as error:
        raise OptionError(option, path, f"it must be a file with a plan: {error.strerror}") from error
    except ValueError as error:
        # Also JSON that is not text, is nested too deeply, or has too long a number.
        raise OptionError(
            option, path, f"it must be a file with a plan of this collection, but {one_line(error)}"
        ) from None


def _read(path: str, checked: t.Callable[[Item], t.Mapping[str, t.Any]]) -> PlanFile:
    try:
        held = json.loads(read_whole(path, LONGEST), parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(held, dict) or held.get("format") != _FORMAT:
        raise ValueError(f"its format is not {quoted(_FORMAT)}")
    version = held.get("version")
    if version != _VERSION or isinstance(version, bool):
        raise ValueError(
            f"its version is {quoted(version)}, and this release of the collection reads version {_VERSION}"
        )
    expected = ("manager", "time", "digest", "groups", "undeclared", "document", "refusals", "steps")
    unknown = held.keys() - {"format", "version", *expected}
    if unknown:
        raise ValueError(f"it has fields that are not known: {shown(', '.join(sorted(unknown)))}")
    for name, kind, word in zip(expected, (str, str, str, list, list, dict, list, list), ("text",) * 3 + _WORDS):
        if not isinstance(held.get(name), kind):
            raise ValueError(f"its {name} must be {word}")
    plan = PlanFile(
        held["manager"],
        held["time"],
        checked(held["document"]),
        tuple(_each(Step.from_dict, held["steps"], "step")),
        tuple(_each(Refusal.from_dict, held["refusals"], "refusal")),
        tuple(held["undeclared"]),
    )
    if len({step.id for step in plan.steps}) < len(plan.steps):
        raise ValueError("two of its steps are the same")
    if plan.digest != held["digest"]:
        raise ValueError(f"its digest {quoted(held['digest'])} does not fit its steps, whose digest is {plan.digest}")
    if plan.as_dict()["groups"] != held["groups"]:
        raise ValueError("its groups do not fit its steps")
    return plan


_WORDS = ("a list", "a list", "an object", "a list", "a list")


def _each(read: t.Callable[[t.Any], t.Any], items: list[t.Any], word: str) -> t.Iterator[t.Any]:
    for number, item in enumerate(items, start=1):
        try:
            yield read(item)
        except ValueError as error:
            raise ValueError(f"its {word} {number} is not valid: {error}") from None


def _no_number(constant: str) -> t.NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _text(held: Item) -> str:
    """JSON with a line for each field and each item of a list, so that it can be read and compared by line."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(value)}" for name, value in held.items()) + "\n}\n"


def _lines(value: t.Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
