# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How commands reach the daemon: by a socket in its folder."""

from __future__ import annotations

import json
import socket
from pathlib import Path

SOCKET = "control.sock"
# Seconds that a command may take.
_LONGEST = 120.0


def ask(folder: Path, command: list[str]) -> tuple[int, list[str]]:
    """Have the daemon with that folder carry out a command: its exit status, and the lines that it prints.

    Raises C(OSError) if there is no daemon.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LONGEST)
        connection.connect(str(folder / SOCKET))
        with connection.makefile("rw", encoding="utf-8") as file:
            file.write(json.dumps(command) + "\n")
            file.flush()
            answer = json.load(file)
    return answer["status"], answer["output"]
