# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All facets. A new facet is a file beside this one and a line here."""

from __future__ import annotations

import typing as t

from .communication_direction import CommunicationDirection
from .facet import Facet
from .firewall.facet import FirewallRestriction
from .heartbeat import Heartbeat

# By name, in the order in which they are planned.
FACETS: dict[str, type[Facet[t.Any]]] = {
    facet.name: facet for facet in (Heartbeat, CommunicationDirection, FirewallRestriction)
}
