# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._agent.suites import NAMES, find_suite
from ..module_utils._basis.plain import plain_text
from ..module_utils._basis.text import quoted


def cipher_suite_names(value: object, to: object = "openssl") -> str | list[str]:
    """Translate names of cipher suites; see the documentation of the filter."""
    try:
        kind = plain_text(to, "the kind of name")
        if kind not in NAMES:
            raise ValueError(f"there are no names of the kind {quoted(kind, 80)}, choose one of {', '.join(NAMES)}")
        if isinstance(value, (list, tuple)):
            return [_translated(name, kind) for name in value]
        return _translated(value, kind)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"cipher_suite_names: {error}") from error


def _translated(value: object, kind: str) -> str:
    name = plain_text(value, "the name of a cipher suite")
    suite = find_suite(name)
    if suite is None:
        raise ValueError(f"{quoted(name, 80)} is not a cipher suite that an agent is documented to use")
    return getattr(suite, kind)


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cipher_suite_names": cipher_suite_names}
