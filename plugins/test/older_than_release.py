# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._agent.releases import CERTAINTIES, is_older
from ..module_utils._agent.versions import parse
from ..module_utils._basis.plain import plain_bool, plain_text
from ..module_utils._basis.text import quoted


def older_than_release(
    value: object, release: object, when_unknown: object = False, certainty: object = "inferred"
) -> bool:
    """Tell whether an agent is older than a release; see the documentation of the test."""
    try:
        version = plain_text(value, "an agent's version or release")
        than = plain_text(release, "a release")
        fallback = plain_bool(when_unknown, "when_unknown")
        wanted = plain_text(certainty, "the certainty")
        if parse(than) is None:
            raise ValueError(
                f"{quoted(than, 80)} is neither a release such as '11.0 Update 6' nor a version such as '11.0.0.582'"
            )
        if wanted not in CERTAINTIES:
            raise ValueError(f"there is no certainty {quoted(wanted, 80)}, choose one of {', '.join(CERTAINTIES)}")
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"older_than_release: {error}") from error
    answer = is_older(version, than, wanted)
    return fallback if answer is None else answer


class TestModule:
    """The test for Ansible."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"older_than_release": older_than_release}
