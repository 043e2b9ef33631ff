# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the lab's manager: C(python -m tests.lab.manager)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
import tempfile
import typing as t
from pathlib import Path

try:
    import trustme
    from aiohttp import web

    from tests.lab.manager.control import Control
    from tests.lab.manager.manager import ADMIN, COLLEAGUE, READ_ONLY, Manager
    from tests.lab.manager.server import BASE_PATH, Server
except ImportError as error:
    sys.exit(f"The lab's manager needs aiohttp, orjson and trustme ({error}). Run it from the repository's root.")

try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = asyncio.new_event_loop

# How long requests under way may take to end, in seconds.
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
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="port for tests, on loopback; 0 takes a free one")
    parser.add_argument("--computers", type=int, default=1000, help="size of the fleet")
    parser.add_argument("--policies", type=int, default=40, help="policies in the tree, at least 1")
    parser.add_argument("--shared-host-names", type=int, default=0, help="computers with another one's host name")
    parser.add_argument("--seed", type=int, default=1, help="makes this fleet and no other")
    parser.add_argument("--deployment", choices=("on_premises", "cloud"), default="on_premises", help="what it plays")
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
    server = Server(Manager(options.deployment, options.requests_per_minute, fleet))
    ca_path = folder / "ca.pem"
    tls = _tls_context(options.host, ca_path)
    cleanup.callback(ca_path.unlink, missing_ok=True)

    api_runner, api_port = await _listen(server.handle, options.host, options.port, tls)
    control_runner, control_port = await _listen(Control(server).handle, "127.0.0.1", options.control_port, None)
    keys = server.manager.keys.secrets
    ready = json.dumps(
        {
            "url": f"https://localhost:{api_port}{BASE_PATH}",
            "ca_path": str(ca_path),
            "control_url": f"http://127.0.0.1:{control_port}",
            "api_key": keys[ADMIN],
            "colleague_api_key": keys[COLLEAGUE],
            "read_only_api_key": keys[READ_ONLY],
            "pid": os.getpid(),
        }
    )
    if options.ready_file:
        _write_private(options.ready_file, ready)
        cleanup.callback(options.ready_file.unlink, missing_ok=True)
    print(ready, flush=True)
    await ended.wait()
    await api_runner.cleanup()
    await control_runner.cleanup()


async def _listen(
    handler: t.Callable[[web.BaseRequest], t.Awaitable[web.StreamResponse]],
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
) -> tuple[web.ServerRunner, int]:
    runner = web.ServerRunner(web.Server(handler, keepalive_timeout=3600), shutdown_timeout=_FAREWELL)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls, backlog=1024).start()
    return runner, runner.addresses[0][1]


def _tls_context(host: str, ca_path: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys(("localhost", "127.0.0.1", host))).configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_path))
    return context


def _watch_standard_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), readable)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step: it holds API keys."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(f"{text}\n")
    os.replace(file.name, path)


def main() -> None:
    """Run until a signal comes, and remove what was made."""
    options = arguments()
    with contextlib.ExitStack() as cleanup:
        if options.state_dir:
            options.state_dir.mkdir(parents=True, exist_ok=True)
        folder = options.state_dir or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="lab-manager-")))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            try:
                runner.run(serve(options, folder.resolve(), cleanup))
            except (OSError, ValueError) as error:
                sys.exit(f"The lab's manager cannot start: {error}")


if __name__ == "__main__":
    main()
