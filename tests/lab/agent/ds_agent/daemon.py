# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's daemon: C(ds_agent)."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading

from .agent import FAILURES, Agent
from .asking import SOCKET
from .commands import INSTALLED, STOP

# The exit status of dsa_control if the agent must be reset first.
_NEEDS_RESET = 101


def main() -> None:
    """Run until killed; with the argument C(--exit-with-parent), until standard input, a pipe, is closed."""
    if sys.argv[1:] == ["--exit-with-parent"]:
        threading.Thread(target=_exit_with_parent, daemon=True).start()
    agent = Agent(INSTALLED)
    path = INSTALLED.folder / SOCKET
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        agent.run()
        # From here on, commands are accepted, so an answer means that the agent is running.
        listening.listen()
        while True:
            connection, _address = listening.accept()
            threading.Thread(target=_answer, args=(agent, connection), daemon=True).start()


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _answer(agent: Agent, connection: socket.socket) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as file:
        command = json.loads(file.readline())
        status, output = _obey(agent, command)
        json.dump({"status": status, "output": output}, file)
        file.flush()
        if command == STOP:
            os._exit(0)


def _obey(agent: Agent, command: list[str]) -> tuple[int, list[str]]:
    """Carry out a command: its exit status, and the lines that it prints."""
    try:
        return _carry_out(agent, command)
    except FAILURES as error:
        return 1, [f"HTTP Status: 400 - {error}"]


def _carry_out(agent: Agent, command: list[str]) -> tuple[int, list[str]]:
    done = ["HTTP Status: 200 - OK"]
    match command:
        case ["dsa_control", "-a", url, *arguments]:
            if agent.activated:
                return _NEEDS_RESET, ["The agent is activated already. Reset it first: dsa_control -r"]
            return 0, agent.activate(url, _parameters(arguments)) + done
        case ["dsa_control", "-m"]:
            if not agent.activated:
                return 1, ["The agent is not activated."]
            agent.heartbeat()
            return 0, done
        case ["dsa_control", "-r"]:
            agent.reset()
            return 0, done
        case ["dsa_query", "-c", "GetAgentStatus"]:
            return 0, agent.query()
        case ["dsa_query", "-c", "GetPluginVersion"]:
            return 0, [f"PluginVersion.core: {'-'.join(agent.installed.version.rsplit('.', 1))}"]
        case command if command == STOP:
            return 0, []
        # Tests set a host's clock in this way, because all hosts of a lab share the real one.
        case ["dsa_control", "--move-clock", seconds]:
            agent.store.keep(clock_moved=agent.store["clock_moved"] + float(seconds))
            return 0, []
    return 2, [f"Unknown command: {' '.join(command)}"]


def _parameters(arguments: list[str]) -> dict[str, str]:
    """The C(key:value) arguments of an activation, keys in lower case; raises C(ValueError)."""
    found = {}
    for argument in arguments:
        match = re.fullmatch(r"([A-Za-z]+):(.*)", argument, re.DOTALL)
        if not match:
            raise ValueError(f"{argument} is not of the form key:value")
        found[match[1].lower()] = match[2]
    return found


if __name__ == "__main__":
    main()
