# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of name servers on this host."""

from __future__ import annotations

import os

from .._basis.text import one_line
from .._host import commands
from .._host.commands import Answer
from .errors import DnsError


def program_path(name: str) -> str:
    """The path of a program, also in the folders for administrators. Raises C(DnsError) if it is missing."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/usr/local/sbin", "/sbin"]
    program = commands.find_program([os.path.join(folder, name) for folder in folders if os.path.isabs(folder)])
    if program is None:
        raise DnsError("no_program", f"there is no program {name} on this host")
    return program


def run(name: str, *arguments: str) -> Answer:
    """Run a program to its end. Raises C(DnsError) if it is missing or hangs."""
    try:
        return commands.ask([program_path(name), *arguments])
    except commands.Unanswered as error:
        raise DnsError("no_answer", str(error)) from error


def said(answer: Answer) -> str:
    """What a program said, as one line for a message."""
    return one_line("; ".join((answer.errors or answer.output).strip().splitlines()), 500)
