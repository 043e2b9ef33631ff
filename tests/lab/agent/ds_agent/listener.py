# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's port: open or closed, and a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Listener:
    """Hands connections to C(serve), together with the address that they come from, while told to listen."""

    def __init__(self, address: str, port: int, serve: Callable[[socket.socket, str], None]) -> None:
        self._address = (address, port)
        self._serve = serve
        self._socket: socket.socket | None = None

    def listen(self, wanted: bool) -> None:
        """Open or close the port, or leave it as it is; raises C(OSError) if another program has it."""
        if wanted and self._socket is None:
            family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
            both = self._address[0] == "::"
            self._socket = socket.create_server(self._address, family=family, backlog=50, dualstack_ipv6=both)
            threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()
        elif not wanted and self._socket is not None:
            closing, self._socket = self._socket, None
            # Closing alone does not wake the thread that waits for connections.
            with contextlib.suppress(OSError):
                closing.shutdown(socket.SHUT_RDWR)
            closing.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, peer = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_over, args=(connection, peer[0]), daemon=True).start()

    def _hand_over(self, connection: socket.socket, peer: str) -> None:
        with connection:
            self._serve(connection, peer.removeprefix("::ffff:"))
