# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._answers.preflight import Admission, assess
from ..module_utils._basis.errors import OptionError


def preflight(
    hosts: t.Mapping[str, dict],
    communication: t.Mapping[str, t.Any] | None = None,
    source_ips: t.Sequence[str] | None = None,
    manager_addresses: t.Sequence[str] | None = None,
    region: str | None = None,
) -> dict[str, t.Any]:
    """Answer both questions for all hosts; see the documentation of the filter."""
    try:
        for option, value in (("_input", hosts), ("communication", communication or {})):
            if not isinstance(value, dict):
                raise OptionError(option, value, "it must be a dictionary")
        admission = Admission.from_options(source_ips or (), manager_addresses or (), region)
        return assess(hosts, communication or {}, admission)
    except OptionError as error:
        raise AnsibleFilterError(f"preflight: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"preflight": preflight}
