# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._agent.cipher_suites import supports_suite
from ..module_utils._agent.suites import SUITES, find_suite
from ..module_utils._basis.plain import plain_bool, plain_text
from ..module_utils._basis.text import quoted


def agent_supports_suite(value: object, suite: object, when_unknown: object = False) -> bool:
    """Tell whether an agent is documented to use a cipher suite; see the documentation of the test."""
    try:
        version = plain_text(value, "an agent's version or release")
        name = plain_text(suite, "the name of a cipher suite")
        fallback = plain_bool(when_unknown, "when_unknown")
        known = find_suite(name)
        if known is None:
            names = ", ".join(other.iana for other in SUITES)
            raise ValueError(
                f"{quoted(name, 80)} is not a cipher suite that an agent is documented to use, which are {names}"
            )
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"agent_supports_suite: {error}") from error
    answer = supports_suite(version, known.iana)
    return fallback if answer is None else answer


class TestModule:
    """The test for Ansible."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"agent_supports_suite": agent_supports_suite}
