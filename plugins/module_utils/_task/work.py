# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to a result: what all tasks that talk to the manager share, wherever they run."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._basis.errors import Problem
from .._basis.interpreter import fit_for_fleets
from .._basis.libraries import import_problem, require
from .._basis.refusal import failed
from .._fleet.expression import JMESPATH_IMPORT_ERROR
from .._manager.api_key import VARIABLE, secrets_of
from .._manager.client import Client
from .._manager.connection import CONNECTION_ARGUMENTS, Connection
from .._manager.pool import URLLIB3_IMPORT_ERROR, URLLIB3_NEEDED
from .._manager.progress import Progress
from .._manager.proxy import may_hold_password, proxy_secrets
from .._manager.transport import Transport
from .._vendor.manager_address import secrets_in_address

Options = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]
T = t.TypeVar("T")


class Host(t.Protocol):
    """What a task runs in: its own process, as a module, or Ansible's worker."""

    @property
    def params(self) -> Options:
        """The options, checked against C(Work.arguments)."""

    @property
    def environment(self) -> Mapping[str, str] | None:
        """The task's environment, None if this process was started with it."""

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be written."""

    @property
    def diff(self) -> bool:
        """Whether the result must have a diff."""

    @property
    def no_log(self) -> bool:
        """Whether Ansible hides the whole result."""

    @property
    def no_log_values(self) -> set[str]:
        """Values that must not be shown. More are added when they become known."""

    def warn(self, warning: str) -> None:
        """Add a warning to the result."""

    def watched(self, progress: Progress, seconds: int, /) -> t.ContextManager[None]:
        """Show the progress every C(seconds) seconds, 0 for never, until the end of the block."""


@dataclass(frozen=True)
class Work(t.Generic[T]):
    """What a module does: its options besides those of the connection, and the way from them to its result.

    prepare: checks the options for a deployment, and sends nothing. carry_out: makes the result, which has C(msg) if
    the task failed, and may have C(warnings). Both raise C(Problem). libraries: additional libraries that it needs,
    each with its import problem, if any. slices: how many runs share the work, and C(requests_per_minute), at the same
    time.
    """

    options: Options
    prepare: t.Callable[[Options, str], T]
    carry_out: t.Callable[[Client, T, Host, Connection], Result]
    libraries: Mapping[str, str | None] = field(default_factory=dict)
    slices: t.Callable[[T], int] = lambda _prepared: 1

    @property
    def arguments(self) -> Options:
        """The argument spec."""
        return {**CONNECTION_ARGUMENTS, **self.options}


def of_reading(
    options: Options,
    prepare: t.Callable[[Options, str], T],
    read: t.Callable[[Client, T], Result],
    conceal: t.Callable[[Result], Result] | None = None,
) -> Work[T]:
    """Work that only reads: C(prepare) checks the options, C(read) makes the result.

    C(conceal) removes secrets from a result that Ansible will show, which is the result of a task without C(no_log).
    """

    def carry_out(client: Client, wanted: T, host: Host, _connection: Connection) -> Result:
        with fit_for_fleets():
            result = read(client, wanted)
        if conceal and not host.no_log:
            result = conceal(result)
        return {"changed": False, **result}

    return Work(options, prepare, carry_out)


def of_keeping(
    options: Options,
    prepare: t.Callable[[Options, str], T],
    keep: t.Callable[[Client, T, bool], Result],
    libraries: Mapping[str, str | None] | None = None,
) -> Work[T]:
    """Work that may write: C(keep) makes the result. Its last argument says that it must not write."""

    def carry_out(client: Client, wanted: T, host: Host, _connection: Connection) -> Result:
        return with_diff(host, keep(client, wanted, host.check_mode))

    return Work(options, prepare, carry_out, libraries or {})


def result_of(work: Work[t.Any], host: Host) -> Result:
    """Do the work, and return the task's result, with C(msg) if it failed. Raises no C(Problem)."""
    try:
        # Ansible only masks the value of the option. This also masks keys from elsewhere, as the last protection.
        environment = os.environ if host.environment is None else host.environment
        for given in (host.params["api_key"], environment.get(VARIABLE)):
            host.no_log_values.update(secrets_of(given))
        if not secrets_of(host.params["api_key"]):
            # It is too short for a key, and masking it would hide ordinary text.
            host.no_log_values.discard(host.params["api_key"])
        if not may_hold_password(host.params["proxy"] or ""):
            # Without a password, messages may show the proxy.
            host.no_log_values.discard(host.params["proxy"])
        host.no_log_values.update(proxy_secrets(host.params, environment))
        host.no_log_values.update(secrets_in_address(host.params["url"] or ""))
        require(libraries_of(work, host.params))
        connection = Connection.from_options(host.params, host.environment)
        host.no_log_values.update(secrets_of(connection.api_key))
        for warning in connection.warnings:
            host.warn(warning)
        prepared = work.prepare(host.params, connection.deployment)
        connection = connection.shared_by(work.slices(prepared))
        with Transport(connection) as transport, host.watched(transport.progress, connection.progress_interval):
            result = work.carry_out(Client(transport), prepared, host, connection)
    except Problem as error:
        return failed(error)
    for warning in result.pop("warnings", ()):
        host.warn(warning)
    return result


def libraries_of(work: Work[t.Any], params: Mapping[str, t.Any]) -> dict[str, str | None]:
    """The libraries that a task with these options needs, each with its import problem, or C(None)."""
    return {
        "jmespath": JMESPATH_IMPORT_ERROR,
        "paramiko": import_problem("paramiko") if params.get("jump_host") else None,
        URLLIB3_NEEDED: URLLIB3_IMPORT_ERROR,
        **work.libraries,
    }


def with_diff(host: Host, result: Result) -> Result:
    """The result, without C(diff) if that is not wanted."""
    return result if host.diff else {name: value for name, value in result.items() if name != "diff"}
