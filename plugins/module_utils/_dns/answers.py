# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a name server on this host answers, compared with the records that it should have."""

from __future__ import annotations

import time
from typing import Collection, Dict, List, NamedTuple, Optional, Set, Tuple

from .._basis.text import enumerated
from .errors import DnsError
from .records import Record
from .wire import DnsMalformed, DnsTimeout, Response, look_up

# Seconds for one answer, for a server to read its files again, and between two checks.
_ANSWER = 2.0
_RELOAD = 5.0
_PAUSE = 0.05


class Server(NamedTuple):
    """A server, with the name of its program. It answers with the records' TTLs (C(has_ttl)) or with its own."""

    program: str
    address: str
    port: int
    has_ttl: bool

    def expect(self) -> None:
        """Raise C(DnsError) if nobody answers."""
        try:
            look_up(self.address, "localhost", "A", _ANSWER, self.port)
        except (DnsTimeout, DnsMalformed):
            # The server forwards the question, or answers something odd. In any case it is running.
            pass
        except OSError as error:
            raise DnsError(
                "no_server",
                f"no {self.program} answers at {self.address} port {self.port} ({error}): start it, or name the address"
                " and port of the one that runs on this host",
                f"{self.program}.address",
            ) from error

    def contradiction(self, records: List[Record]) -> Optional[str]:
        """How its answers differ from these records, for the first difference; C(None) if there is none."""
        wanted: Dict[Tuple[str, str], Set[Record]] = {}
        for record in records:
            wanted.setdefault((record.name, record.type), set()).add(record)
        for (name, kind), expected in wanted.items():
            answer = self._ask(name, kind)
            found = [record if self.has_ttl else Record(*record.identity) for record in answer.records]
            if not self.is_right(set(found), expected):
                return f"{self.program} answers '{_listed(found) or answer.code}' instead of '{_listed(expected)}'"
        return None

    def is_right(self, found: Set[Record], expected: Set[Record]) -> bool:
        """Whether these records of a name and type are what the server is expected to answer."""
        return found == expected

    def wait_for(self, records: List[Record]) -> Optional[str]:
        """Like C(contradiction), but gives the server time to read its files."""
        deadline = time.monotonic() + _RELOAD
        while True:
            contradiction = self.contradiction(records)
            if contradiction is None or time.monotonic() > deadline:
                return contradiction
            time.sleep(_PAUSE)

    def still_answers(self, removed: Collection[Record]) -> List[Record]:
        """The removed records that it still answers after it had time to read its files."""
        deadline = time.monotonic() + _RELOAD
        left = sorted(removed)
        while True:
            left = [record for record in left if self._answers(record)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(_PAUSE)

    def _answers(self, record: Record) -> bool:
        return record.identity in [found.identity for found in self._ask(record.name, record.type).records]

    def _ask(self, name: str, kind: str) -> Response:
        try:
            return look_up(self.address, name, kind, _ANSWER, self.port)
        except OSError as error:
            return Response(str(error), [])


def _listed(records: Collection[Record]) -> str:
    return enumerated([str(record) for record in sorted(records)])
