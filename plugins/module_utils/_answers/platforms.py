# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of platforms without builds and kernels, for counting computers."""

from __future__ import annotations

from functools import lru_cache

# The beginnings of details that a manager adds to a platform's name, such as C( (64 bit) (5.14.0-427.el9.x86_64)) and
# C( Build 20348).
_DETAILS = ("(", " Build ", " build ")


@lru_cache(maxsize=10_000)
def platform_name(platform: str | None) -> str | None:
    """The manager's words for a platform up to the first detail, such as C(Ubuntu Linux 22); C(None) without any."""
    if not platform:
        return None
    name = platform
    for detail in _DETAILS:
        name = name.partition(detail)[0]
    return name.strip() or platform
