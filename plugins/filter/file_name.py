# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._basis.plain import plain_text

_LONGEST = 100
_MARK = 12


def file_name(value: object) -> str:
    """Make the name of a file from any text; see the documentation of the filter."""
    try:
        text = plain_text(value, "a text")
    except TypeError as error:
        raise AnsibleFilterError(f"file_name: {error}") from error
    safe = re.sub("^[.-]", "_", re.sub("[^A-Za-z0-9._@+-]", "_", text[:_LONGEST]))
    if safe and safe == text:
        return text
    return f"{safe}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_MARK]}"


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"file_name": file_name}
