# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._agent.cipher_suites import supports_tls
from ..module_utils._agent.tls_versions import VERSIONS, normalize
from ..module_utils._basis.plain import plain_bool, plain_text
from ..module_utils._basis.text import quoted


def agent_supports_tls(value: object, tls: object, when_unknown: object = False) -> bool:
    """Tell whether an agent is documented to speak a TLS version; see the documentation of the test."""
    try:
        version = plain_text(value, "an agent's version or release")
        wanted = plain_text(tls, "a version of TLS")
        fallback = plain_bool(when_unknown, "when_unknown")
        number = normalize(wanted)
        if number is None:
            raise ValueError(f"{quoted(wanted, 80)} is not a version of TLS, which are {', '.join(VERSIONS)}")
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"agent_supports_tls: {error}") from error
    answer = supports_tls(version, number).supported
    return fallback if answer is None else answer


class TestModule:
    """The test for Ansible."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"agent_supports_tls": agent_supports_tls}
