# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records in a hosts file of dnsmasq, which is all of its configuration that it reads again without a restart."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from typing import Any, Dict, Iterator, List, Optional

from .._basis.text import shown
from . import managed_file
from .answers import Server
from .errors import DnsError
from .hosts_text import line_of, whole_line
from .programs import hang_up, program_path
from .records import Record
from .served_file import SERVER_ARGUMENTS, ServedFile

ARGUMENTS: Dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/dnsmasq.hosts/workload_security_agent"},
    "pid_file": {"type": "path"},
    **SERVER_ARGUMENTS,
}

# Where Debian's and Red Hat's services have it.
_PID_FILES = ("/run/dnsmasq/dnsmasq.pid", "/run/dnsmasq.pid")
_LOOPBACK = "127.0.0.1"
# Seconds; a trial takes about one.
_TRIAL = 60


class Dnsmasq(ServedFile):
    """A hosts file that dnsmasq reads because of its options addn-hosts or hostsdir."""

    program = "dnsmasq"

    def __init__(self, options: Dict[str, Any]) -> None:
        super().__init__(options)
        given = options["pid_file"] is not None
        self._pid_files = [managed_file.path_of(options, "pid_file", self.program)] if given else _PID_FILES

    @property
    def hint(self) -> str:
        return (
            f"it does not read {self._shown_path} unless its configuration has"
            f" addn-hosts={shown(os.path.dirname(self._path))}, and"
            " it was restarted since; or another of its files speaks of this name"
        )

    def parse(self, line: str) -> Optional[List[Record]]:
        return whole_line(line.encode()) or None

    def render(self, records: List[Record]) -> str:
        return "".join(f"{line_of(record)}\n" for record in records)

    def check(self, text: str, records: List[Record]) -> None:
        """Start another dnsmasq, for this moment and on the loopback only: its checker does not read hosts files."""
        # In the folder of the file itself, as it runs as a user of its own, who can read there.
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
        hang_up(self.program, self._pid_files)


@contextlib.contextmanager
def _serving(hosts_file: str) -> Iterator[int]:
    """A dnsmasq that knows nothing but this file; the port that it answers at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((_LOOPBACK, 0))
        port = free.getsockname()[1]
    # With an end of its own, as whoever started it may be killed.
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
        # Both at once: told to end while it starts, timeout may do so without what it has started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
