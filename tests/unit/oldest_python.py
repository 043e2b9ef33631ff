# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest Python that managed hosts may have, if this machine has it."""

from __future__ import annotations

import functools

from tests.gates.environments import find_interpreters


@functools.lru_cache(maxsize=None)
def oldest_python() -> str:
    """The path of Python 3.8, or of the next newer one that this machine has."""
    interpreters = find_interpreters()
    return str(interpreters[min(version for version in interpreters if version >= (3, 8))])
