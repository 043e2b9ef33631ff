# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that bring targets to their declared state."""

from __future__ import annotations

import typing as t

from .._basis.errors import OptionError
from .._communication.document import Document, facet_document
from .._communication.result import Run, Terms, converge
from .._communication.short import LONGEST_FAILED_RESULT, LONGEST_RESULT, failure_message, shortened
from .._communication.slices import SLICE_ARGUMENTS
from .._facets.registry import FACETS
from .._fleet.targets import TARGET_ARGUMENTS
from .._manager.client import Client
from .._manager.connection import Connection
from .planned import PROFILES_ARGUMENTS, Asked
from .work import Host, Result, Work, with_diff

# Documented in plugins/doc_fragments/run.py.
RUN_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "stop_after": {"type": "int", "default": 10},
    "list_targets": {"type": "bool", "default": False},
}


def of_facet(name: str) -> Work[Document]:
    """Work that keeps one facet."""
    return Work(
        {**RUN_ARGUMENTS, **SLICE_ARGUMENTS, **TARGET_ARGUMENTS, **FACETS[name].arguments},
        lambda params, deployment: facet_document(name, params, deployment),
        _converge,
        slices=_slices,
    )


def of_profiles() -> Work[Asked]:
    """Work that keeps a whole document, or carries out a plan for one."""
    return Work(
        {**RUN_ARGUMENTS, **PROFILES_ARGUMENTS},
        Asked.from_options,
        _converge_as_asked,
        slices=lambda asked: _slices(asked.document),
    )


def _slices(document: Document) -> int:
    return document.part.of if document.part else 1


def _converge_as_asked(client: Client, asked: Asked, host: Host, connection: Connection) -> Result:
    return _converge(client, asked.document, host, connection, asked.terms(connection.url))


def _converge(
    client: Client, document: Document, host: Host, connection: Connection, terms: Terms | None = None
) -> Result:
    given = {name: host.params[name] for name in RUN_ARGUMENTS}
    if given["stop_after"] < 0:
        raise OptionError("stop_after", given["stop_after"], "it must be a number of writes, 0 for never")
    run = Run(host.check_mode, connection.concurrency, **given)
    result = converge(client, document, run, terms)
    if "msg" in result:
        return with_diff(host, result)
    if result["failed_targets"]:
        result["msg"] = failure_message(result, run.check_mode)
        result["failure"] = {"code": "failed_targets", "message": result["msg"]}
    if not run.list_targets:
        result = shortened(result, LONGEST_FAILED_RESULT if "msg" in result else LONGEST_RESULT)
    return with_diff(host, result)
