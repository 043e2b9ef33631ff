# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tutorial, as a newcomer goes through it: every block is carried out, and prints what the page shows.

But for ansible-playbook, whose runs are those of C(tests.playbooks).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.gates.environments import ROOT
from tests.integration.support import SHARED
from tests.lab.waiting import until
from tests.playbooks.program import program

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
# The last line of text before a block, its language, and what is in it.
BLOCKS = re.findall(r"([^\n]*)\n\n```(\w+)\n(.*?)```\n", PAGE, re.DOTALL)


@contextlib.contextmanager
def in_another_terminal(command: str, log: Path) -> t.Iterator[None]:
    """Let a command run in the root of the checkout, until Ctrl-C."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)


def shows(output: str, text: str) -> bool:
    """Whether the output has the lines of the text in their order. C(...) stands for anything, also for lines."""
    lines = [re.escape(line.strip()).replace(re.escape("..."), ".*") for line in text.strip().splitlines()]
    return re.search(".*".join(lines), output, re.DOTALL) is not None


def test_every_block_does_what_the_page_says(tmp_path):
    (_before, _language, start), (_before, language, exports), *blocks = BLOCKS
    assert language == "text" and len(blocks) > 9
    log = tmp_path / "lab.txt"
    with in_another_terminal(start, log), program(tmp_path / "programs") as ran:
        until(lambda: log.read_text().count("export ") == 3, "the lab's manager listens")
        assert shows(log.read_text(), exports)
        environment = {
            **os.environ,
            **dict(word.split("=", 1) for word in shlex.split(log.read_text()) if word.startswith("WORKLOAD_")),
            "PATH": f"{tmp_path / 'programs'}{os.pathsep}{os.environ['PATH']}",
            **SHARED,
        }
        folder, ended_in, output = tmp_path, tmp_path / "ended_in", ""
        for before, language, block in blocks:
            if language == "shell":
                done = subprocess.run(
                    # The next one begins where this one ends.
                    ["bash", "-euc", f"{block}pwd > {shlex.quote(str(ended_in))}"],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                output = done.stdout
                assert done.returncode == 0, output
                folder = Path(ended_in.read_text().strip())
            elif language == "yaml":
                path = folder / re.findall(r"ave this as `([\w./]+)`", before)[0]
                path.parent.mkdir(exist_ok=True)
                path.write_text(block)
            else:
                assert language == "text" and shows(output, block), (block, output)
        assert len(ran) == PAGE.count("\nansible-playbook ")
    # No later step has replaced it with a page of its own.
    assert "<h1>Communication of the agents</h1>" in (tmp_path / "fleet" / "report" / "lab.html").read_text()
