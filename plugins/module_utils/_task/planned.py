# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of C(communication_profile) to a document, and to the conditions for its plan."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._basis.errors import OptionError
from .._basis.files import no_regular_file
from .._basis.text import one_line
from .._communication.document import (
    DECLARED,
    KEEP,
    REMOVE,
    SCOPES,
    UNDECLARED,
    Document,
    profile_arguments,
    read_document,
)
from .._communication.result import Terms
from .._communication.slices import SLICE_ARGUMENTS, Slice
from .._fleet.targets import TARGET_ARGUMENTS, Selector

if t.TYPE_CHECKING:
    from .._communication.plan_file import PlanFile
    from .._communication.reviewed import Reviewed

# The options that choose a part of a plan.
PART_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **SLICE_ARGUMENTS,
    "only": {"type": "dict", "options": TARGET_ARGUMENTS},
}

# The options that a plan's file keeps.
_DOCUMENT_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "profiles": {"type": "list", "elements": "dict", "options": profile_arguments()},
    "undeclared": {"type": "str", "choices": list(UNDECLARED), "default": KEEP},
    "scope": {"type": "str", "choices": list(SCOPES), "default": DECLARED},
    **PART_ARGUMENTS,
}

PROFILES_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **_DOCUMENT_ARGUMENTS,
    "plan_file": {"type": "path"},
    "apply_plan": {"type": "path"},
    "expected_digest": {"type": "str"},
    "undo_plan": {"type": "path"},
}

Options = t.Dict[str, t.Any]


class Asked(t.NamedTuple):
    """A document, and the conditions for carrying out its plan. options: the document's options.

    of_whole: whether the reviewed plan is the whole document's, of which only a part is carried out. undoes: another
    plan; only what that plan has written is undone.
    """

    document: Document
    options: t.Mapping[str, t.Any]
    reviewed: Reviewed | None = None
    plan_file: str | None = None
    apply_plan: str | None = None
    of_whole: bool = False
    undoes: PlanFile | None = None

    @classmethod
    def from_options(cls, params: Options, deployment: str) -> Asked:
        """Read the task's options. Raises C(OptionError), before anything is sent."""
        path, digest = params.get("apply_plan"), params.get("expected_digest")
        reviewed = None if digest is None else _reviewed(str(digest))
        plan_file = params.get("plan_file")
        if plan_file is not None:
            _check_place("plan_file", plan_file)
        if path is None:
            if params.get("profiles") is None:
                raise OptionError("profiles", None, "it must be given, or apply_plan with the file of a plan")
            undo_plan = params.get("undo_plan")
            if undo_plan is not None and plan_file is not None:
                raise OptionError(
                    "plan_file",
                    None,
                    "it must be left out if undo_plan is given, because a plan in a file cannot undo another",
                )
            undoes = None if undo_plan is None else _plan_in("undo_plan", undo_plan)
            options = _given({name: params.get(name) for name in _DOCUMENT_ARGUMENTS})
            document = _document(options, params["profiles"], deployment)
            if undoes:
                document = document._replace(undone=undoes.steps)
            return cls(document, options, reviewed, plan_file, undoes=undoes)
        for option in (*_DOCUMENT_ARGUMENTS.keys() - PART_ARGUMENTS.keys(), "plan_file", "undo_plan"):
            if params.get(option) not in (None, _DOCUMENT_ARGUMENTS.get(option, {}).get("default")):
                raise OptionError(
                    option, None, "it must be left out if apply_plan is given, because the plan contains the document"
                )
        plan = _plan_in("apply_plan", path)
        if reviewed and reviewed.digest != plan.digest:
            raise OptionError(
                "expected_digest", digest, f"it must be the digest of the plan in apply_plan, {plan.digest}"
            )
        parts = _given({name: params.get(name) for name in PART_ARGUMENTS})
        if parts and not plan.document.keys().isdisjoint(PART_ARGUMENTS):
            option = next(iter(parts))
            raise OptionError(
                option, None, "it must be left out if this apply_plan is given, because it is the plan of a part"
            )
        try:
            document = _document(plan.document, plan.document["profiles"], deployment)
        except OptionError as error:
            raise OptionError("apply_plan", path, f"its document cannot be right: {error}") from None
        if parts:
            document = _with_part(document, parts)
        if document.undeclared == REMOVE:
            document = document._replace(reviewed=plan.steps)
        reviewed = _reviewed(plan.digest, plan)
        return cls(document, plan.document, reviewed, apply_plan=path, of_whole=bool(parts))

    def terms(self, url: str) -> Terms:
        """The conditions for a plan on the manager at this URL. Raises C(OptionError) if the plan is for another one."""
        for option, path, plan in (
            ("apply_plan", self.apply_plan, self.reviewed and self.reviewed.plan),
            ("undo_plan", None, self.undoes),
        ):
            if plan and plan.manager != url:
                raise OptionError(option, path, f"it must be a plan for {url}, but it is one for {plan.manager}")
        return Terms(self.reviewed, self.of_whole, self.plan_file, self.options, self.undoes)


def _reviewed(digest: str, plan: PlanFile | None = None) -> Reviewed:
    # Imported here, like the reader of plans below, because few tasks have a plan in a file or a digest.
    from .._communication.reviewed import Reviewed

    return Reviewed.by_digest("expected_digest", digest) if plan is None else Reviewed(digest, plan)


def _plan_in(option: str, path: str) -> PlanFile:
    from .._communication.plan_file import read_plan_file

    return read_plan_file(option, path, _checked)


def _document(options: Options | t.Mapping[str, t.Any], profiles: t.Sequence[Options], deployment: str) -> Document:
    document = read_document(profiles, deployment, options.get("undeclared", KEEP), options.get("scope", DECLARED))
    return _with_part(document, options)


def _with_part(document: Document, options: t.Mapping[str, t.Any]) -> Document:
    only = options.get("only")
    return document._replace(
        part=Slice.from_options(options.get("slice")),
        only=None if only is None else Selector.from_options(only, "only"),
    )


def _check_place(option: str, path: str) -> None:
    """Raise C(OptionError) if it is already clear that a file cannot be written."""
    right = "it must be the path of a file in a folder that exists, where this task runs"
    try:
        target = os.path.realpath(path)
        kind = no_regular_file(path) or no_regular_file(target)
    except (OSError, ValueError) as error:
        raise OptionError(option, path, f"{right}: {one_line(error)}") from None
    if kind:
        raise OptionError(option, path, f"{right}, but it is {kind}")
    if not os.path.isdir(os.path.dirname(target)):
        raise OptionError(option, path, right)


def _checked(document: Options) -> Options:
    """The document in a file, checked like the task's own options. Raises C(ValueError)."""
    validator: t.Any = ArgumentSpecValidator  # The class has no type annotations.
    try:
        checked = validator(_DOCUMENT_ARGUMENTS).validate(document)
    except TypeError:
        # Ansible's check raises such errors for a number in place of a dictionary.
        raise ValueError("its document is not valid: there is something else where options must be") from None
    if checked.error_messages:
        raise ValueError(f"its document is not valid: {'; '.join(checked.error_messages)}")
    if checked.validated_parameters["profiles"] is None:
        raise ValueError("its document has no profiles")
    return t.cast("Options", _given(checked.validated_parameters))


def _given(value: t.Any) -> t.Any:
    """The options that were given."""
    if isinstance(value, dict):
        return {name: _given(item) for name, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, (list, tuple)) else value
