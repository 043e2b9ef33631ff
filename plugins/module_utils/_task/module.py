# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to its result: what all modules that talk to the manager share."""

from __future__ import annotations

import os
import typing as t

from .._activation.activation import ACTIVATION_ARGUMENTS, ActivationWish, keep_activation
from .._basis.errors import OptionError, Problem
from .._basis.libraries import import_problem, require
from .._basis.module import Module
from .._communication.document import Document, facet_document, read_document
from .._communication.result import LONGEST_FAILED_RESULT, LONGEST_RESULT, Run, converge, failure_message, shortened
from .._facets.registry import FACETS
from .._fleet.expression import JMESPATH_IMPORT_ERROR
from .._fleet.targets import TARGET_ARGUMENTS
from .._manager.api_key import VARIABLE, secrets_of
from .._manager.client import Client
from .._manager.connection import CONNECTION_ARGUMENTS, Connection
from .._manager.pool import URLLIB3_IMPORT_ERROR, URLLIB3_NEEDED
from .._manager.transport import Transport

# Documented in plugins/doc_fragments/run.py.
RUN_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "stop_after": {"type": "int", "default": 10},
    "list_targets": {"type": "bool", "default": False},
}

T = t.TypeVar("T")
Result = t.Dict[str, t.Any]


def run_facet(name: str) -> None:
    """A module with one facet."""
    _run_writing(
        {**RUN_ARGUMENTS, **TARGET_ARGUMENTS, **FACETS[name].arguments},
        lambda params, deployment: facet_document(name, params, deployment),
        _converge,
    )


def run_profiles() -> None:
    """The module that takes a whole document."""
    facets = {name: {"type": "dict", "options": facet.arguments} for name, facet in FACETS.items()}
    options = {"name": {"type": "str", "required": True}, **TARGET_ARGUMENTS, **facets}
    profiles = {"type": "list", "elements": "dict", "required": True, "options": options}
    arguments = {**RUN_ARGUMENTS, "profiles": profiles}
    _run_writing(arguments, lambda params, deployment: read_document(params["profiles"], deployment), _converge)


def run_activation() -> None:
    """The module that keeps the manager's settings for agent-initiated activation."""
    _run_writing(
        ACTIVATION_ARGUMENTS,
        ActivationWish.from_options,
        lambda client, wanted, run: keep_activation(client, wanted, check_mode=run.check_mode),
    )


def run_reading(
    arguments: dict[str, t.Any],
    prepare: t.Callable[[dict[str, t.Any], str], T],
    read: t.Callable[[Client, T], Result],
    conceal: t.Callable[[Result], Result] | None = None,
) -> None:
    """A module that only reads: C(prepare) checks the options, C(read) makes the result.

    C(conceal) takes the secrets out of a result that Ansible is going to show: that of a task without C(no_log).
    """
    module = _module(arguments)
    connection, prepared = _prepared(module, prepare)
    with Transport(connection) as transport:
        try:
            result = read(Client(transport), prepared)
        except Problem as error:
            module.fail(error)
    if conceal and not module.no_log:
        result = conceal(result)
    _warn(module, result)
    module.exit_json(changed=False, **result)


def _run_writing(
    arguments: dict[str, t.Any],
    prepare: t.Callable[[dict[str, t.Any], str], T],
    carry_out: t.Callable[[Client, T, Run], Result],
) -> None:
    """A module that writes, unless in check mode; a result of C(carry_out) with C(msg) is that of a failed task."""
    module = _module(arguments)
    connection, prepared = _prepared(module, prepare)
    run = _run(module, connection)
    with Transport(connection) as transport:
        try:
            result = carry_out(Client(transport), prepared, run)
        except Problem as error:
            module.fail(error)
    _warn(module, result)
    if not module._diff:
        del result["diff"]
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _converge(client: Client, document: Document, run: Run) -> Result:
    result = converge(client, document, run)
    if result["failed_targets"]:
        result["msg"] = failure_message(result, run.check_mode)
        result["failure"] = {"code": "failed_targets", "message": result["msg"]}
    if run.list_targets:
        return result
    return shortened(result, LONGEST_FAILED_RESULT if "msg" in result else LONGEST_RESULT)


def _run(module: Module, connection: Connection) -> Run:
    given = {name: module.params[name] for name in RUN_ARGUMENTS if name in module.params}
    if given.get("stop_after", 0) < 0:
        module.fail(OptionError("stop_after", given["stop_after"], "it must be a number of writes, 0 for never"))
    return Run(module.check_mode, connection.concurrency, **given)


def _warn(module: Module, result: Result) -> None:
    for warning in result.pop("warnings", ()):
        module.warn(warning)


def _module(arguments: dict[str, t.Any]) -> Module:
    module = Module({**CONNECTION_ARGUMENTS, **arguments})
    # What Ansible knows by the option alone: the last net below everything that this task shows.
    for given in (module.params["api_key"], os.environ.get(VARIABLE)):
        module.no_log_values.update(secrets_of(given))
    try:
        require(
            {
                "jmespath": JMESPATH_IMPORT_ERROR,
                "paramiko": import_problem("paramiko") if module.params["jump_host"] else None,
                URLLIB3_NEEDED: URLLIB3_IMPORT_ERROR,
            }
        )
    except Problem as error:
        module.fail(error)
    return module


def _prepared(module: Module, prepare: t.Callable[[dict[str, t.Any], str], T]) -> tuple[Connection, T]:
    try:
        connection = Connection.from_options(module.params)
        module.no_log_values.update(secrets_of(connection.api_key))
        for warning in connection.warnings:
            module.warn(warning)
        return connection, prepare(module.params, connection.deployment)
    except OptionError as error:
        module.fail(error)
