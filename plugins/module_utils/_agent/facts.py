# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a host: the agent that is installed on it, and what is documented of that agent's version."""

from __future__ import annotations

from typing import Dict

from .cipher_suites import documented
from .installed import Installation, Told
from .releases import describe

_NO_VERSION = "No source says which version the agent has."


def facts_of(installation: Installation, interval: int) -> Dict[str, object]:
    """Everything that is known, in plain types. Every key is always present, and is empty if nothing is known.

    C(interval): minutes from one heartbeat to the next.
    """
    version = str(installation.version) if installation.version else None
    release, suites = describe(version), documented(version)
    unknown = None if version else _NO_VERSION if installation.installed else installation.status.reason
    return dict(
        installed=installation.installed,
        version=version,
        version_source=installation.source,
        release=release["release"],
        release_certainty=release["certainty"],
        release_reason=unknown or release["reason"],
        release_source=release["source"],
        suites=suites["suites"],
        suites_state=suites["state"],
        suites_certainty=suites["certainty"],
        suites_reason=unknown or suites["reason"],
        suites_source=suites["source"],
        weak=suites["weak"],
        tls=suites["tls"],
        activation=installation.status.activation,
        activation_reason=installation.status.reason,
        manager_url=installation.status.manager_url,
        **installation.status.as_dict(interval),
        sources=[_source(told) for told in installation.sources],
    )


def _source(told: Told) -> Dict[str, object]:
    return dict(
        name=told.source,
        found=told.found,
        told=told.text,
        version=str(told.version) if told.version else None,
        problem=told.problem,
    )
