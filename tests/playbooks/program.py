# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook as a program for scripts that look for it on their PATH. Runs use an Ansible that is loaded once."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

from tests import playbooks

PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    asked.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    asked.shutdown(socket.SHUT_WR)
    status, printed = json.loads(asked.makefile().read())
sys.stdout.write(printed)
sys.exit(status)
"""
# Variables that scripts set for Ansible. Runs that only differ in other variables can share a loaded Ansible.
FOR_ANSIBLE = ("ANSIBLE_", "WORKLOAD_SECURITY_", "PYTHON", "PWD")


class Ran(t.NamedTuple):
    """A run: its arguments, its exit status, and what it printed."""

    arguments: list[str]
    status: int
    printed: str


@contextlib.contextmanager
def program(folder: Path, tool: str = "ansible-playbook") -> t.Iterator[list[Ran]]:
    """Put an ansible-playbook, or another C(tool), into C(folder). Yields a list that each of its runs is added to."""
    runs: list[Ran] = []

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            arguments, given, cwd = json.loads(self.rfile.read())
            environment = {
                **{name: value for name, value in os.environ.items() if name in given},
                **{name: value for name, value in given.items() if name.startswith(FOR_ANSIBLE)},
            }
            ended = playbooks.ansible_playbook(
                *arguments, environment=environment, cwd=Path(cwd), loaded=True, tool=tool
            )
            runs.append(Ran(arguments, ended.returncode, ended.stdout))
            self.wfile.write(json.dumps([ended.returncode, ended.stdout]).encode())

    folder.mkdir(exist_ok=True)
    path = folder / tool
    with (
        # The path of a socket must be short.
        tempfile.TemporaryDirectory(prefix="program-") as beside,
        socketserver.ThreadingUnixStreamServer(f"{beside}/socket", Answer) as server,
    ):
        path.write_text(PROGRAM.format(python=sys.executable, address=server.server_address))
        path.chmod(0o755)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield runs
        finally:
            server.shutdown()
            thread.join()
            path.unlink()
