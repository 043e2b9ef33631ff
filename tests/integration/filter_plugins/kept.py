# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter with which a test's playbook hands over its results, because a task that writes a file takes a second."""

from __future__ import annotations

import os
import typing as t


def kept_in(text: str, path: str) -> str:
    """Write text to a file that only its owner can read. Returns the path."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


class FilterModule:
    """The class that Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters of this file."""
        return {"kept_in": kept_in}
