# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How targets communicate, and where each value comes from."""

from __future__ import annotations

import typing as t

from .._basis.address_set import PrefixLimit
from .._facets.facet import Facet, Scope
from .._facets.firewall.description import width_warnings
from .._facets.firewall.restriction import prefix_limit
from .._facets.registry import FACETS
from .._fleet.fleet import Fleet
from .._fleet.outlook import Outlook
from .._fleet.targets import Selector, missing_told, resolve
from .._manager.client import Client
from .._manager.progress import READING
from .context import Contexts

FACET_NAMES = list(FACETS)


class CommunicationAsked(t.NamedTuple):
    """The targets whose communication to describe, and which facets of it."""

    selector: Selector
    facets: tuple[Facet[t.Any], ...]
    limit: PrefixLimit

    @classmethod
    def from_options(cls, params: dict[str, t.Any], deployment: str) -> CommunicationAsked:
        """Read the options of C(communication_info). Raises C(OptionError)."""
        facets = tuple(kind(deployment) for name, kind in FACETS.items() if name in params["facets"])
        return cls(Selector.from_options(params, ""), facets, prefix_limit(params, Scope()))


def describe_communication(client: Client, asked: CommunicationAsked) -> dict[str, t.Any]:
    """The result of C(communication_info). Raises C(OptionError) for targets that cannot be found."""
    fleet = Fleet(client)
    ((targets, missing),) = resolve(fleet, [asked.selector])
    fleet.read_overrides(targets)
    outlook = Outlook(fleet)
    contexts = Contexts(fleet)
    described = []
    with client.transport.progress.stage(READING, "what is effective", len(targets)) as stage:
        for target in targets:
            facets = {facet.name: facet.describe(outlook, target) for facet in asked.facets}
            described.append({**target.reference, **contexts.of(target), **facets})
            stage.advance()
    warnings = [
        *missing_told(missing, "the result is without"),
        *fleet.warnings,
        *width_warnings(described, asked.limit),
    ]
    return {"targets": described, "warnings": warnings}
