# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel says of threads."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path


def blocks(process: int | str, thread: int | str, signals: t.Iterable[int]) -> bool:
    """Whether a thread of a process, by their IDs, blocks all of these signals. Raises C(OSError) if it has ended."""
    status = Path(f"/proc/{process}/task/{thread}/status").read_text()
    blocked = int(t.cast("re.Match[str]", re.search(r"^SigBlk:\s*([0-9a-f]+)$", status, re.MULTILINE))[1], 16)
    return all(blocked >> number - 1 & 1 for number in signals)
