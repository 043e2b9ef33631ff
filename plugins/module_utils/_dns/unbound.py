# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as local data of Unbound."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Optional

from .._basis.errors import OptionError
from .._basis.files import tidy
from .._basis.text import shown
from .._host.commands import Answer
from . import managed_file
from .errors import DnsError
from .processes import hang_up
from .programs import run, said
from .records import LONGEST_TTL, Record, address, host_name, type_of
from .served_file import SERVER_ARGUMENTS, ServedFile
from .unbound_configuration import configuration_with, files_of

ARGUMENTS: Dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/unbound/unbound.conf.d/workload_security_agent.conf"},
    "configuration": {"type": "path", "default": "/etc/unbound/unbound.conf"},
    **SERVER_ARGUMENTS,
}

_DATA = re.compile(r'    local-data: "(\S+)\. ([0-9]{1,10}) IN (A|AAAA) (\S+)"', re.ASCII)
_FRAME = re.compile(r'server:|    local-zone: "\S+\." transparent', re.ASCII)


class Unbound(ServedFile):
    """A file with local data, which Unbound's configuration includes."""

    program = "unbound"
    names = (program,)
    default_ttl = 3600
    hint = "another part of its configuration may speak of this name, or another server answers there"

    def __init__(self, options: Dict[str, Any]) -> None:
        super().__init__(options)
        self._configuration = managed_file.path_of(options, "configuration", self.program)

    def files(self) -> List[str]:
        return [*super().files(), *files_of(self._configuration, self._path)]

    def parse(self, line: str) -> Optional[List[Record]]:
        data = _DATA.fullmatch(line)
        if data and int(data[2]) <= LONGEST_TTL:
            name, ttl, kind, value = data.groups()
            # Somebody may have written it. Unbound takes names that no task can name, and in any spelling.
            try:
                record = Record(host_name(name, "path"), kind, address(value, "path"), int(ttl))
            except OptionError:
                return None
            return [record] if kind == type_of(record.value) else None
        return [] if _FRAME.fullmatch(line) else None

    def render(self, records: List[Record]) -> str:
        lines = ["server:"] if records else []
        # A zone for each name. So the name is answered from here, whatever is set for the zones around it, and names
        # below it are looked up as before.
        for name in sorted({record.name for record in records}):
            lines.append(f'    local-zone: "{name}." transparent')
            lines += [
                f'    local-data: "{name}. {record.ttl} IN {record.type} {record.value}"'
                for record in records
                if record.name == name
            ]
        return "".join(f"{line}\n" for line in lines)

    def expect_writable(self) -> None:
        super().expect_writable()
        # For the checker.
        managed_file.expect_temporary(self._configuration)

    def check(self, text: str, _records: List[Record]) -> None:
        """Let unbound-checkconf read the whole configuration with the text in place of the file."""
        whole = configuration_with(self._configuration, self._path, text)
        if whole is None:
            raise DnsError(
                "not_included",
                f"{shown(self._configuration)} does not include {self._shown_path}: add the line"
                f' include-toplevel: "{self._shown_path}" to it, or name a path that it includes',
                "unbound.path",
            )
        checked = self._checkconf(whole)
        if checked.status:
            # If the configuration was broken before, people need the names and lines of its own files.
            old = run("unbound-checkconf", self._configuration)
            raise DnsError(
                "refused", f"unbound-checkconf refuses the configuration: {said(old if old.status else checked)}"
            )

    def tidy(self) -> None:
        super().tidy()
        tidy(self._configuration)

    def reload(self) -> None:
        # Not every version can keep its cache, and without remote control only the signal works. Debian's service has
        # no PID file.
        for command in ("reload_keep_cache", "reload"):
            if run("unbound-control", "-c", self._configuration, command).status == 0:
                return
        pid_file = run("unbound-checkconf", "-o", "pidfile", self._configuration).output.strip()
        hang_up(
            self.names,
            [pid_file],
            self._server.address,
            self._server.port,
            "use become, or set control-enable: yes in the section remote-control of its configuration",
        )

    def _checkconf(self, whole: str) -> Answer:
        # Beside the configuration, because Unbound may only be allowed to read that folder, and with a name that
        # patterns such as *.conf do not match.
        with managed_file.temporary(self._configuration) as (file, candidate):
            try:
                file.write(whole.encode("utf-8", "surrogateescape"))
                file.flush()
            except OSError as error:
                folder = shown(os.path.dirname(candidate))
                raise DnsError(
                    "unwritable", f"cannot write to {folder} what is to be checked: {error.strerror}"
                ) from error
            return run("unbound-checkconf", candidate)
