# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A conversation with an agent: JSON lines, in which the manager always asks."""

from __future__ import annotations

import asyncio
import json
import typing as t

# How long an agent may take to answer, in real seconds (not sped up), because its processor may be busy.
_PATIENCE = 30.0
# Real seconds for closing the connection, which the agent's firewall may prevent.
_FAREWELL = 1.0
LONGEST_LINE = 4 << 20

# The errors if an agent sends nonsense, or nothing.
FAILURES = (OSError, EOFError, ValueError, KeyError, TypeError, asyncio.TimeoutError)


class Conversation:
    """One connection to an agent, whoever opened it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def peer(self) -> str:
        """The agent's address."""
        return self._writer.get_extra_info("peername")[0].removeprefix("::ffff:")

    @property
    def certificate(self) -> bytes | None:
        """The agent's certificate, if it is the server."""
        return self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    async def listen(self) -> dict[str, t.Any]:
        """The agent's next message. Raises one of C(FAILURES)."""
        async with asyncio.timeout(_PATIENCE):
            said = json.loads(await self._reader.readuntil(b"\n"))
        if not isinstance(said, dict):
            raise ValueError("the agent says what is no object")
        return said

    def say(self, **message: t.Any) -> None:
        """Send a message that needs no answer."""
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def ask(self, what: str, **details: t.Any) -> dict[str, t.Any]:
        """Ask for something and return the answer; raises one of C(FAILURES)."""
        self.say(ask=what, **details)
        return await self.listen()

    async def end(self) -> None:
        """Send the end of the conversation, and close the connection."""
        self.say(ask="end")
        await self._writer.drain()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            async with asyncio.timeout(_FAREWELL):
                await self._writer.wait_closed()
        except FAILURES:
            self._writer.transport.abort()
