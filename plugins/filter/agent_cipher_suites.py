# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._agent.cipher_suites import documented
from ..module_utils._basis.plain import plain_text


def agent_cipher_suites(value: object) -> dict[str, t.Any]:
    """Return the documented cipher suites of an agent; see the documentation of the filter."""
    try:
        return documented(plain_text(value, "an agent's version or release"))
    except TypeError as error:
        raise AnsibleFilterError(f"agent_cipher_suites: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"agent_cipher_suites": agent_cipher_suites}
