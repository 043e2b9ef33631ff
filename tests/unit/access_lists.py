# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists of files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

# The name of a file's list among its extended attributes.
ACCESS = "system.posix_acl_access"


_NOBODY = 0xFFFFFFFF
# As Linux stores it: the owner and user 1000 may read and write, the group and others nothing; the mask is the fourth.
_ENTRIES = ((1, 6, _NOBODY), (2, 6, 1000), (4, 0, _NOBODY), (16, 6, _NOBODY), (32, 0, _NOBODY))
ACCESS_LIST = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in _ENTRIES)


def give_access_list(path: Path) -> None:
    """Give a file this access control list, or skip the test where there are none."""
    try:
        os.setxattr(path, ACCESS, ACCESS_LIST)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
