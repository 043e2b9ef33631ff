# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the lab's manager: C(python -m tests.lab.manager)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import os
import shlex
import signal
import ssl
import sys
import tempfile
import typing as t
from pathlib import Path

try:
    from aiohttp import web

    from tests.lab.manager.agents import Agents
    from tests.lab.manager.control import Control
    from tests.lab.manager.manager import ADMIN, COLLEAGUE, READ_ONLY, Manager
    from tests.lab.manager.network import Doorman, agents_protocol, make_tls, tell_agents_by_name
    from tests.lab.manager.server import BASE_PATH, Server
except ImportError as error:
    sys.exit(f"The lab's manager needs aiohttp, orjson and trustme ({error}). Run it from the repository's root.")

try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = asyncio.new_event_loop

# Seconds that running requests have to end.
_FAREWELL = 0.2


def arguments(given: t.Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.manager",
        description="A stand-in for the manager's REST API, in memory, over HTTPS. When it listens, it prints one line"
        " of JSON: its URL, the file with its certificate authority, API keys, and the URL that controls it.",
        epilog="Nothing is kept: a new start is a new fleet, the same one for the same seed. End it with Ctrl-C.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; empty for all")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="port for tests, on loopback; 0 takes a free one")
    parser.add_argument("--computers", type=int, default=1000, help="size of the fleet")
    parser.add_argument("--policies", type=int, default=40, help="policies in the tree, at least 1")
    parser.add_argument("--shared-host-names", type=int, default=0, help="computers with another one's host name")
    parser.add_argument("--seed", type=int, default=1, help="makes this fleet and no other")
    parser.add_argument("--deployment", choices=("on_premises", "cloud"), default="on_premises", help="what it plays")
    parser.add_argument("--heartbeat-port", type=int, help="port for agents; 0 takes a free one, no agents if left out")
    parser.add_argument("--name", action="append", default=[], help="host name in the certificate; can be repeated")
    parser.add_argument("--time-factor", type=float, default=1.0, help="how many times as fast its clock runs")
    parser.add_argument("--living", action="store_true", help="let all agents beat, and take what is sent to them")
    parser.add_argument("--exports", action="store_true", help="print how to reach it for a shell, instead of JSON")
    parser.add_argument("--socket-dir", type=Path, help="folder for sockets of the API and of control, without TLS")
    parser.add_argument("--requests-per-minute", type=int, default=0, help="limit of each API key; 0 for none")
    parser.add_argument("--state-dir", type=Path, help="folder for the certificate; a temporary one if left out")
    parser.add_argument("--ready-file", type=Path, help="file to write the line of JSON to, too")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input, a pipe, is closed")
    return parser.parse_args(given)


async def serve(options: argparse.Namespace, folder: Path, cleanup: contextlib.ExitStack) -> None:
    """Listen until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.exit_with_parent:
        _watch_standard_input(loop, ended)

    fleet = {
        "computers": options.computers,
        "policies": options.policies,
        "seed": options.seed,
        "shared_host_names": options.shared_host_names,
    }
    manager = Manager(
        options.deployment,
        options.requests_per_minute,
        fleet,
        host_name=_host_name_for_agents(options.name),
        time_factor=options.time_factor,
    )
    if options.living:
        manager.sending.let_live(None, True, ())
    server = Server(manager)
    agents = Agents(server)
    ca_path = folder / "ca.pem"
    names = [*filter(None, ("localhost", "127.0.0.1", options.host)), *options.name]
    tls = make_tls(names, ca_path, agents=options.heartbeat_port is not None)
    cleanup.callback(ca_path.unlink, missing_ok=True)

    api, control = await _answering(server.handle), await _answering(Control(server, agents).handle)
    listen = functools.partial(_listen, cleanup, options.host)
    talk = agents_protocol(agents.answer)
    if tls.agents and options.heartbeat_port == options.port != 0:
        doorman = functools.partial(Doorman, tls, api.server, talk)
        api_port = manager.heartbeat_port = await listen(options.port, doorman, tell_agents_by_name(tls))
    else:
        api_port = await listen(options.port, api.server, tls.api)
        if tls.agents:
            manager.heartbeat_port = await listen(options.heartbeat_port, talk, tls.agents)
    control_port = await _listen(cleanup, "127.0.0.1", options.control_port, control.server, None)
    if options.socket_dir:
        await web.UnixSite(api, options.socket_dir / "api").start()
        await web.UnixSite(control, options.socket_dir / "control").start()
    keys = manager.keys.secrets
    ready = json.dumps(
        {
            "url": f"https://localhost:{api_port}{BASE_PATH}",
            "ca_path": str(ca_path),
            "control_url": f"http://127.0.0.1:{control_port}",
            "heartbeat_url": f"dsm://{manager.host_name}:{manager.heartbeat_port}/",
            "api_key": keys[ADMIN],
            "colleague_api_key": keys[COLLEAGUE],
            "read_only_api_key": keys[READ_ONLY],
            "pid": os.getpid(),
        }
    )
    if options.ready_file:
        _write_private(options.ready_file, ready)
        cleanup.callback(options.ready_file.unlink, missing_ok=True)
    print(_exports(json.loads(ready)) if options.exports else ready, flush=True)
    waiting = [asyncio.create_task(ended.wait())]
    if tls.agents:
        waiting.append(asyncio.create_task(agents.run()))
    done, _pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        # The agents' loop only ends after an error, which tests that wait for agents must see.
        task.result()
    await api.cleanup()
    await control.cleanup()


async def _answering(handler: t.Callable[[web.BaseRequest], t.Awaitable[web.StreamResponse]]) -> web.ServerRunner:
    runner = web.ServerRunner(web.Server(handler, keepalive_timeout=3600), shutdown_timeout=_FAREWELL)
    await runner.setup()
    return runner


async def _listen(
    cleanup: contextlib.ExitStack, host: str, port: int, factory: t.Any, tls: ssl.SSLContext | None
) -> int:
    """Create a protocol for each connection to a port, on all addresses or on one. Returns the port."""
    server = await asyncio.get_running_loop().create_server(factory, host or None, port, ssl=tls, backlog=1024)
    cleanup.callback(server.close)
    return server.sockets[0].getsockname()[1]


def _host_name_for_agents(names: t.Sequence[str]) -> str:
    """The manager's name for agents. On the cloud, agents use separate names."""
    return next((name for name in names if name.startswith("agents")), names[0] if names else "localhost")


def _exports(ready: t.Mapping[str, t.Any]) -> str:
    """Environment variables for a shell, so that modules find the manager by themselves."""
    wanted = {"URL": "url", "CA_PATH": "ca_path", "API_KEY": "api_key"}
    return "\n".join(f"export WORKLOAD_SECURITY_{name}={shlex.quote(ready[key])}" for name, key in wanted.items())


def _watch_standard_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), readable)


def _write_private(path: Path, text: str) -> None:
    """Write a file with API keys that only its owner can read, in one step."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(f"{text}\n")
    os.replace(file.name, path)


def main() -> None:
    """Run until a signal comes, and then remove everything."""
    options = arguments()
    with contextlib.ExitStack() as cleanup:
        if options.state_dir:
            options.state_dir.mkdir(parents=True, exist_ok=True)
        folder = options.state_dir or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="lab-manager-")))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            try:
                runner.run(serve(options, folder.absolute(), cleanup))
            except (OSError, ValueError) as error:
                sys.exit(f"The lab's manager cannot start: {error}")


if __name__ == "__main__":
    main()
