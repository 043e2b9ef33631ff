# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to its result: what all modules that talk to the manager share."""

from __future__ import annotations

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._activation.activation import ACTIVATION_ARGUMENTS, ActivationWanted, keep_activation
from .._basis.errors import MissingLibrary, OptionError
from .._communication.converge import converge, failure_message
from .._communication.document import Document, facet_document, read_document
from .._facets.registry import FACETS
from .._fleet.query import JMESPATH_IMPORT_ERROR
from .._fleet.targets import TARGET_ARGUMENTS
from .._manager.client import Client
from .._manager.connection import CONNECTION_ARGUMENTS, Connection
from .._manager.errors import ManagerError
from .._manager.transport import Transport

T = t.TypeVar("T")
Result = t.Dict[str, t.Any]


def run_facet(name: str) -> None:
    """A module with one facet."""
    arguments = next(facet.arguments for facet in FACETS if facet.name == name)
    _run_writing(
        {**TARGET_ARGUMENTS, **arguments},
        lambda params, deployment: facet_document(name, params, deployment),
        _converge,
    )


def run_profiles() -> None:
    """The module that takes a whole document."""
    facets = {facet.name: {"type": "dict", "options": facet.arguments} for facet in FACETS}
    options = {"name": {"type": "str", "required": True}, **TARGET_ARGUMENTS, **facets}
    arguments = {"profiles": {"type": "list", "elements": "dict", "required": True, "options": options}}
    _run_writing(arguments, lambda params, deployment: read_document(params["profiles"], deployment), _converge)


def run_activation() -> None:
    """The module that keeps the manager's settings for agent-initiated activation."""
    _run_writing(
        ACTIVATION_ARGUMENTS,
        ActivationWanted.from_options,
        lambda client, wanted, connection, check_mode: keep_activation(client, wanted, check_mode=check_mode),
    )


def run_reading(
    arguments: dict,
    prepare: t.Callable[[dict, str], T],
    read: t.Callable[[Client, T], Result],
    conceal: t.Callable[[Result], Result] | None = None,
) -> None:
    """A module that only reads: C(prepare) checks the options, C(read) makes the result.

    C(conceal) takes the secrets out of a result that Ansible is going to show: that of a task without C(no_log).
    """
    module = _module(arguments)
    connection, prepared = _prepared(module, prepare)
    with _transport(module, connection) as transport:
        try:
            result = read(Client(transport), prepared)
        except (OptionError, ManagerError) as error:
            _fail(module, error)
    if conceal and not module.no_log:
        result = conceal(result)
    _warn(module, result)
    module.exit_json(changed=False, **result)


def _run_writing(
    arguments: dict,
    prepare: t.Callable[[dict, str], T],
    carry_out: t.Callable[[Client, T, Connection, bool], Result],
) -> None:
    """A module that writes, unless in check mode; a result of C(carry_out) with C(msg) is that of a failed task."""
    module = _module(arguments)
    connection, prepared = _prepared(module, prepare)
    with _transport(module, connection) as transport:
        try:
            result = carry_out(Client(transport), prepared, connection, module.check_mode)
        except (OptionError, ManagerError) as error:
            _fail(module, error)
    _warn(module, result)
    if not module._diff:
        del result["diff"]
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _converge(client: Client, document: Document, connection: Connection, check_mode: bool) -> Result:
    result = converge(client, document, check_mode=check_mode, concurrency=connection.concurrency)
    if result["failed_targets"]:
        result["msg"] = failure_message(result)
    return result


def _warn(module: AnsibleModule, result: Result) -> None:
    for warning in result.pop("warnings", ()):
        module.warn(warning)


def _module(arguments: dict) -> AnsibleModule:
    module = AnsibleModule(argument_spec={**CONNECTION_ARGUMENTS, **arguments}, supports_check_mode=True)
    if JMESPATH_IMPORT_ERROR is not None:
        module.fail_json(
            msg=missing_required_lib("jmespath"), exception="".join(traceback.format_exception(JMESPATH_IMPORT_ERROR))
        )
    return module


def _prepared(module: AnsibleModule, prepare: t.Callable[[dict, str], T]) -> tuple[Connection, T]:
    try:
        connection = Connection.from_options(module.params)
        prepared = prepare(module.params, connection.deployment)
    except OptionError as error:
        _fail(module, error)
    for warning in connection.warnings:
        module.warn(warning)
    return connection, prepared


def _transport(module: AnsibleModule, connection: Connection) -> Transport:
    try:
        return Transport(connection)
    except MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library), exception=error.reason)


def _fail(module: AnsibleModule, error: OptionError | ManagerError) -> t.NoReturn:
    failure = error.as_failure() if isinstance(error, ManagerError) else {"code": "bad_option", "option": error.option}
    module.fail_json(msg=str(error), failure=failure)
