# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of ours for a name server on this host: checked, put in place, loaded, and then verified by questions."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, List, Optional, Sequence, Type

from .._basis.files import tidy
from .._basis.numbers import port_number
from .._basis.text import enumerated, quoted, shown
from . import managed_file
from .answers import Server
from .errors import DnsError
from .place import Place
from .processes import listening_at, may_read
from .records import Record, address

HEADER = "# Managed by workload_security.agent.local_dns, which replaces the whole file.\n"
# The line below the header while the server may not have read the file. It tells the next run that a run was
# interrupted.
UNREAD = "# Not loaded yet.\n"

SERVER_ARGUMENTS = {
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 53},
}


class ServedFile(Place):
    """A file with nothing but our records. The server's answers decide whether the records are right.

    A subclass has the name of the server's C(program), the C(names) that its process may have, a C(hint) why the server
    may not answer the file's records, and the four methods below.
    """

    program: str
    names: Sequence[str] = ()
    server_kind: Type[Server] = Server

    def __init__(self, options: Dict[str, Any]) -> None:
        super().__init__()
        port_number(f"{self.program}.port", options["port"])
        server = address(options["address"], f"{self.program}.address")
        self._path = managed_file.path_of(options, "path", self.program)
        self._shown_path = shown(self._path)
        self._server = self.server_kind(self.program, server, options["port"], self.default_ttl is not None)
        self._names: List[str] = []
        self._content: Optional[bytes] = None
        self._held: List[Record] = []
        self._unread = False

    @property
    def hint(self) -> str:
        raise NotImplementedError

    def parse(self, line: str) -> Optional[List[Record]]:
        """The records of a line of the file; C(None) for a line that is not ours."""
        raise NotImplementedError

    def render(self, records: List[Record]) -> str:
        """The file's text with these records."""
        raise NotImplementedError

    def check(self, text: str, records: List[Record]) -> None:
        """Let the server's own code check the text, which has these records. Raises C(DnsError) if it is refused."""
        raise NotImplementedError

    def reload(self) -> None:
        """Make the running server read the file again. Raises C(DnsError) if that is not possible."""
        raise NotImplementedError

    def read(self, names: List[str]) -> List[Record]:
        self._names = names
        self._content = managed_file.read(self._path)
        self._held = self._parse((self._content or b"").decode("utf-8", "backslashreplace"))
        ours = [record for record in self._held if record.name in names]
        self._server.expect()
        contradiction = self._server.contradiction(ours)
        if contradiction:
            self.warnings.append(
                f"{contradiction}, though {self._shown_path} holds that, so it is to read the file again"
            )
        elif self._unread:
            self.warnings.append(f"an earlier run was cut short, so {self.program} is to read {self._shown_path} again")
        self.unfinished = self._unread or contradiction is not None
        return sorted(ours)

    def expect_writable(self) -> None:
        managed_file.expect_writable(self._path)
        # Made to read its files again, Unbound ends if it may not read one, and dnsmasq forgets what it had from it.
        servers = listening_at(self._server.address, self._server.port, self.names)
        files = self.files() if servers else []
        for path in [*files, *sorted({os.path.dirname(file) for file in files})]:
            if not all(may_read(pid, path) for pid in servers):
                raise DnsError(
                    "unreadable",
                    f"{self.program}, which runs as a user of its own, may not read {shown(path)}: allow that, such as with"
                    " chmod a+rX",
                    f"{self.program}.path" if path == self._path else None,
                )

    def files(self) -> List[str]:
        """The files that the server reads when it is to read its files again."""
        return [self._path]

    def write(self, before: List[Record], after: List[Record]) -> None:
        records = sorted([record for record in self._held if record.name not in self._names] + after)
        data = self.render(records)
        self.check(HEADER + data, records)
        old = self._content
        self._put((HEADER + UNREAD + data).encode("ascii"))
        try:
            self.reload()
            contradiction = self._server.wait_for(after)
            if contradiction:
                raise DnsError("other_answer", f"{contradiction}: {self.hint}")
            self._put((HEADER + data).encode("ascii"))
        except DnsError as error:
            raise DnsError(error.code, f"{error}. {self._shown_path} {self._roll_back(old)}", error.option) from None
        # This may be right, for example if the server forwards to servers that have the same records.
        kept = {record.identity for record in after}
        left = self._server.still_answers([record for record in before if record.identity not in kept])
        if left:
            answers = enumerated([f"'{record}'" for record in left])
            self.warnings.append(f"{self.program} still answers {answers}, which it has from elsewhere")

    def tidy(self) -> None:
        tidy(self._path)

    def _parse(self, text: str) -> List[Record]:
        # Not splitlines(), which has more line ends than servers have. There is no line after the last line end.
        *lines, last = text.split("\n")
        lines += [last] if last else []
        self._unread = UNREAD.strip() in lines[1:]
        parsed = [(line, self.parse(line)) for line in lines[1:] if line != UNREAD.strip()]
        foreign = [line for line, records in parsed if records is None]
        if lines and lines[0] != HEADER.strip():
            foreign = lines[:1]
        if foreign:
            raise DnsError(
                "not_ours",
                f"{self._shown_path} holds a line that local_dns has not written, {quoted(foreign[0], 200)}, and it would"
                " replace the whole file: name another path, or move that line to another file",
                f"{self.program}.path",
            )
        return [record for _line, records in parsed for record in records or []]

    def _put(self, content: bytes) -> None:
        managed_file.replace(self._path, self._content, content)
        self._content = content

    def _roll_back(self, old: Optional[bytes]) -> str:
        """Put the old file back, and say whether that worked."""
        try:
            self._put((HEADER + UNREAD).encode("ascii") + (old or b"")[len(HEADER) :])
            # If the server cannot be made to reload, this is reported anyway.
            with contextlib.suppress(DnsError):
                self.reload()
            if old is None:
                managed_file.remove(self._path)
            else:
                self._put(old)
        except DnsError as error:
            return f"could not be put back as it was: {error}"
        return "is as it was before"
