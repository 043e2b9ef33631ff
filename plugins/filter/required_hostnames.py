# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._basis.errors import OptionError
from ..module_utils._basis.plain import plain_bool, plain_text
from ..module_utils._vendor import hostnames


def required_hostnames(region: object, shared: object = False, undocumented: object = False) -> list[str]:
    """Return the host names that agents in a region must resolve; see the documentation of the filter."""
    try:
        where = plain_text(region, "a region")
        names = hostnames.required_hostnames(where, plain_bool(shared, "shared"))
        return names + (hostnames.undocumented_hostnames(where) if plain_bool(undocumented, "undocumented") else [])
    except (TypeError, OptionError) as error:
        raise AnsibleFilterError(f"required_hostnames: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"required_hostnames": required_hostnames}
