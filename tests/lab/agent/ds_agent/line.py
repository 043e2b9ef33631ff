# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON lines over a connection."""

from __future__ import annotations

import json
from typing import Any

from tlslite.api import TLSConnection

# The longest line, in bytes. A configuration with all settings takes about ten thousand.
_LONGEST = 4 << 20


class Line:
    """One object per line, in both directions."""

    def __init__(self, tls: TLSConnection) -> None:
        self._tls = tls
        self._received = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self._tls.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message, C(None) if the connection was closed; raises C(ValueError) for anything else."""
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _LONGEST:
                raise ValueError("an endless line")
            if not (part := self._tls.recv(65536)):
                return None
            self._received += part
        message = json.loads(self._received[:end])
        del self._received[: end + 1]
        if not isinstance(message, dict):
            raise ValueError("a line that is no object")
        return message
