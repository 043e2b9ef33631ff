# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the lab's hosts: C(python -m tests.lab.hosts)."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import typing as t
from pathlib import Path

from tests.lab.hosts.process import LabError, LabHosts


def arguments(given: t.Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.hosts",
        description="Machines with addresses, disks and SSH servers of their own. When they are up, one line of JSON"
        " is printed: an Ansible inventory of them, and what to put before a command to run it in their network.",
        epilog="Nothing is kept. End it with Ctrl-C.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--hosts", type=int, default=10, help="how many")
    parser.add_argument("--ready-file", type=Path, help="file to write the line of JSON to, too")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input, a pipe, is closed")
    return parser.parse_args(given)


def serve(options: argparse.Namespace) -> None:
    """Run the hosts until told to end."""
    with contextlib.ExitStack() as cleanup:
        lab = cleanup.enter_context(LabHosts(options.hosts))
        ready = json.dumps(
            {
                "inventory": str(lab.inventory),
                "controller_address": lab.controller_address,
                "prefix": lab.prefix,
                "hosts": {
                    name: {"address": host.address, "address6": host.address6, "mac": host.mac, "prefix": host.prefix}
                    for name, host in lab.hosts.items()
                },
            }
        )
        if options.ready_file:
            partial = options.ready_file.with_name(f".{options.ready_file.name}.partial")
            cleanup.callback(options.ready_file.unlink, missing_ok=True)
            partial.write_text(f"{ready}\n", encoding="utf-8")
            partial.replace(options.ready_file)
        print(ready, flush=True)
        if options.exit_with_parent:
            sys.stdin.read()
        else:
            signal.pause()


def main() -> None:
    """Run until a signal comes, and then remove everything."""
    options = arguments()
    # Handle SIGTERM like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            serve(options)
    except LabError as error:
        sys.exit(f"The lab's hosts cannot start: {error}")


if __name__ == "__main__":
    main()
