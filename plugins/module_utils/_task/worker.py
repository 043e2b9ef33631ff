# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in Ansible's own process, with the same options and the same result as a module."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

from .._basis.errors import OptionError, Problem
from .._basis.refusal import (
    LONGEST_MESSAGE,
    LONGEST_WARNING,
    STUMBLES,
    failed,
    forget_what_is_no_secret,
    prepared,
    refused,
    secrets_in,
    stumble,
    unusable_text,
)
from .._basis.text import encodable, in_json, shown
from .._manager.progress import Progress
from .work import Options, Result, Work, result_of

Watch = t.Callable[[Progress, int], t.ContextManager[None]]


_NOT_PASSED = (
    "it must be made of text, numbers, booleans, lists and dictionaries, and the keys of these must be text; what YAML "
    "takes for a date must be in quotes"
)


class Checked(t.NamedTuple):
    """Options with defaults, the values that must not be shown, and the result if the options are wrong."""

    params: Options
    no_log_values: set[str]
    refusal: Result | None


def checked(specification: Options, given: Options, unsupported: str = "") -> Checked:
    """Check options as a module does. C(unsupported): the beginning of errors about unknown options."""
    problem: Problem | None
    given = prepared(specification, given)
    try:
        found = ModuleArgumentSpecValidator(specification).validate(given)
    except STUMBLES:
        problem = stumble(specification, given)
        if problem is None:
            raise
        return Checked({}, _secrets(specification, given, ()), failed(problem))
    if found.error_messages:
        message = found.errors.msg
        if isinstance(found.errors[0], UnsupportedError):
            message = f"{unsupported}{message}"
        # Ansible does not mask a secret if another option has the wrong type.
        secrets = _secrets(specification, given, found._no_log_values)
        return Checked(found.validated_parameters, secrets, refused(specification, given, message))
    problem = unusable_text(specification, given, found.validated_parameters)
    secrets = _secrets({}, {}, found._no_log_values)
    return Checked(found.validated_parameters, secrets, failed(problem) if problem else None)


def _secrets(specification: Options, given: Options, known: t.Iterable[str]) -> set[str]:
    secrets = {*known, *secrets_in(specification, given)}
    forget_what_is_no_secret(secrets)
    return secrets


def run_in_worker(
    work: Work[t.Any],
    name: str,
    options: Mapping[str, t.Any],
    internal: Mapping[str, t.Any],
    environment: Mapping[str, str],
    watch: Watch,
) -> Result:
    """Do the work, and return the result that a module with this C(name) would have returned.

    options: the task's options, with templates filled in. internal: what else Ansible passes to a module, by names such
    as C(_ansible_check_mode). environment: the task's. watch: shows progress every given number of seconds.
    """
    host = _Host(work.arguments, options, internal, environment, watch)
    result = host.refusal(name) or result_of(work, host)
    return host.returned(result)


class _Host:
    """The host of a task that runs in Ansible's worker."""

    def __init__(
        self,
        specification: Options,
        options: Mapping[str, t.Any],
        internal: Mapping[str, t.Any],
        environment: Mapping[str, str],
        watch: Watch,
    ) -> None:
        self._specification = specification
        self._given: Options = {}
        self._not_passed: OptionError | None = None
        for option, value in options.items():
            try:
                self._given.update(_passed({option: value}, Direction.CONTROLLER_TO_MODULE))
            except TypeError:  # for a module, Ansible would report this without naming the option
                self._not_passed = OptionError(option, None, _NOT_PASSED)
        self.params: Options = dict(self._given)
        self.environment = environment
        self.check_mode = bool(internal["_ansible_check_mode"])
        self.diff = bool(internal["_ansible_diff"])
        self.no_log = bool(internal["_ansible_no_log"])
        # Before ansible-core 2.20, results always have the options.
        self._shows_options = bool(internal.get("_ansible_inject_invocation", True))
        self.no_log_values: set[str] = set()
        self._warnings: dict[str, None] = {}
        self._watch = watch

    def warn(self, warning: str) -> None:
        """Add a warning to the result, on one line."""
        self._warnings[shown(warning, LONGEST_WARNING)] = None

    def watched(self, progress: Progress, seconds: int) -> t.ContextManager[None]:
        """Show the progress until the end of the block."""
        return self._watch(progress, seconds)

    def refusal(self, name: str) -> Result | None:
        """Check the options, and add defaults. Returns a result only if the options are wrong."""
        if self._not_passed:
            self.no_log_values.update(_secrets(self._specification, self._given, ()))
            return failed(self._not_passed)
        found = checked(self._specification, self._given, f"Unsupported parameters for ({name}) module: ")
        self.params.update(found.params)
        self.no_log_values.update(found.no_log_values)
        return found.refusal

    def returned(self, result: Result) -> Result:
        """The result as it would come back from a module: without secrets, with warnings, only with JSON's types."""
        whole = encodable(result)
        if "msg" in result:
            whole.update(failed=True, msg=in_json(result["msg"], LONGEST_MESSAGE))
        if self._shows_options:
            whole["invocation"] = {"module_args": self.params}
        if self._warnings:
            whole["warnings"] = list(self._warnings)
        # If a secret equals a number or a boolean, whether the task has failed must still not be hidden.
        flags = {key: value for key, value in whole.items() if value is None or isinstance(value, bool)}
        return _passed({**remove_values(whole, self.no_log_values), **flags}, Direction.MODULE_TO_CONTROLLER)


def _passed(value: Mapping[str, t.Any], direction: Direction) -> dict[str, t.Any]:
    """The value as it would arrive in, or from, a module's own process."""
    encoder, decoder = get_module_encoder("legacy", direction), get_module_decoder("legacy", direction)
    passed: dict[str, t.Any] = json.loads(json.dumps(dict(value), cls=encoder), cls=decoder)
    return passed
