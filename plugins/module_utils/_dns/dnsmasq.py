# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records in a hosts file of dnsmasq. Only hosts files are read again without a restart."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
from dataclasses import replace
from typing import Any, Dict, Iterator, List, Optional, Set

from .._basis.errors import OptionError
from .._basis.text import shown
from . import managed_file
from .answers import Server
from .errors import DnsError
from .hosts_text import line_of, whole_line
from .processes import hang_up, listening_at, name_of
from .programs import program_path
from .records import Record, host_name
from .served_file import SERVER_ARGUMENTS, ServedFile
from .wire import look_up

ARGUMENTS: Dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/dnsmasq.hosts/workload_security_agent"},
    "pid_file": {"type": "path"},
    **SERVER_ARGUMENTS,
}

# The dnsmasq inside Pi-hole, and the folder that reveals it if processes cannot be seen.
_PIHOLE = "pihole-FTL"
_PIHOLE_FOLDER = "/etc/pihole"
_NAMES = ("dnsmasq", _PIHOLE)
# The places where the services of Debian, Red Hat and Pi-hole have it.
_PID_FILES = ("/run/dnsmasq/dnsmasq.pid", "/run/dnsmasq.pid", "/run/pihole-FTL.pid")
_LOOPBACK = "127.0.0.1"
# Seconds; a trial takes about one.
_TRIAL = 60
# Seconds for one answer.
_ANSWER = 2.0


class LocalisingServer(Server):
    """A dnsmasq that may only answer a name's addresses in the same subnet as the server address that was asked.

    This is its option localise-queries, which Pi-hole sets.
    """

    def is_right(self, found: Set[Record], expected: Set[Record]) -> bool:
        return found == expected or (found < expected and self._is_narrowed(found, expected - found))

    def _is_narrowed(self, found: Set[Record], others: Set[Record]) -> bool:
        asked = ipaddress.ip_address(self.address)
        if not found or any(record.type != "A" for record in found) or asked.version != 4:
            return False
        # The bits in which each of the two differs from the address that was asked.
        near, far = (
            [(int(ipaddress.ip_address(record.value)) ^ int(asked)).bit_length() for record in records]
            for records in (found, others)
        )
        if max(near) >= min(far):
            return False
        # The file may not have been read yet. If asked at the loopback, the server leaves no address out.
        record = next(iter(found))
        answers = self._ask_at(_LOOPBACK, record.name, record.type)
        return answers is None or {one.value for one in answers} == {one.value for one in found | others}

    def _ask_at(self, address: str, name: str, kind: str) -> Optional[List[Record]]:
        """The answer at another address; C(None) if nobody answers there, or if it is the address of this server."""
        if address == self.address:
            return None
        try:
            return look_up(address, name, kind, _ANSWER, self.port).records
        except OSError:
            return None


class Dnsmasq(ServedFile):
    """A hosts file that dnsmasq, or the one in Pi-hole, reads because of its options addn-hosts or hostsdir."""

    program = "dnsmasq"
    names = _NAMES
    server_kind = LocalisingServer

    def __init__(self, options: Dict[str, Any]) -> None:
        super().__init__(options)
        given = options["pid_file"] is not None
        self._pid_files = [managed_file.path_of(options, "pid_file", self.program)] if given else _PID_FILES

    @property
    def hint(self) -> str:
        if self._is_pihole():
            return (
                f"Pi-hole does not read {self._shown_path} unless it is in {_PIHOLE_FOLDER}/hosts, or"
                f" misc.dnsmasq_lines of its configuration has addn-hosts={shown(os.path.dirname(self._path))}; or another"
                " of its files speaks of this name"
            )
        return (
            f"it does not read {self._shown_path} unless its configuration has"
            f" addn-hosts={shown(os.path.dirname(self._path))}, and"
            " it was restarted since; or another of its files speaks of this name"
        )

    def parse(self, line: str) -> Optional[List[Record]]:
        # Somebody may have written it. For dnsmasq, unlike for hosts, a dot at the end of a name changes nothing.
        try:
            return [replace(one, name=host_name(one.name, "path")) for one in whole_line(line.encode())] or None
        except OptionError:
            return None

    def render(self, records: List[Record]) -> str:
        return "".join(f"{line_of(record)}\n" for record in records)

    def check(self, text: str, records: List[Record]) -> None:
        """Start another dnsmasq for a moment, on the loopback only. Its own check does not read hosts files.

        The one in Pi-hole cannot be started without all of Pi-hole. So only the server itself tries the file.
        """
        if self._is_pihole():
            return
        # In the same folder as the file, because dnsmasq runs as a user of its own, who can read there.
        try:
            with managed_file.temporary(self._path) as (file, candidate):
                file.write(text.encode("ascii"))
                file.flush()
                os.chmod(candidate, 0o644)
                with _serving(candidate) as port:
                    contradiction = Server(self.program, _LOOPBACK, port, False).wait_for(records)
        except OSError as error:
            raise DnsError("unwritable", f"cannot try the new file in another dnsmasq: {error.strerror}") from error
        if contradiction:
            raise DnsError("refused", f"in a trial, {contradiction}")

    def reload(self) -> None:
        advice = "use become, or name the file that holds the number of its process in dnsmasq.pid_file"
        hang_up(_NAMES, self._pid_files, self._server.address, self._server.port, advice)

    def _is_pihole(self) -> bool:
        servers = [name_of(pid) for pid in listening_at(self._server.address, self._server.port, _NAMES)]
        return _PIHOLE in servers if servers else os.path.isdir(_PIHOLE_FOLDER)


@contextlib.contextmanager
def _serving(hosts_file: str) -> Iterator[int]:
    """Run a dnsmasq that only knows this file. Yields the port at which it answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((_LOOPBACK, 0))
        port = free.getsockname()[1]
    # With its own time limit, because this run may be killed.
    command = [program_path("timeout"), str(_TRIAL), program_path("dnsmasq"), "--keep-in-foreground"]
    command += ["--conf-file=/dev/null", "--pid-file="]
    command += [f"--port={port}", f"--listen-address={_LOOPBACK}", "--bind-interfaces"]
    command += ["--no-resolv", "--no-hosts", f"--addn-hosts={hosts_file}", "--log-facility=/dev/null"]
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command waits for the end
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield port
    finally:
        # The whole group at once: if timeout is told to end while it starts, it may end without ending dnsmasq.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
