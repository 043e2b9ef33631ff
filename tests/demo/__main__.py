# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection is for, shown on the lab's manager: C(python -m tests.demo [FOLDER]).

If FOLDER is given, the demo shows the collection that is installed there instead of the checkout.
A real C(ansible-playbook) brings a fleet to what C(inventories/lab) declares. Every claim is checked before it is
printed. The exit status is 0 only if all claims hold and no process is left.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.gates.environments import ROOT, link_collection
from tests.lab.manager import loaded
from tests.lab.manager.process import LabError, LabManager

COMPUTERS, POLICIES = 2000, 60

# What the colleague changes by hand, in the words of the manager's API.
POLICY = "Windows Server"
DIRECTION = "platformSettingAgentCommunicationsDirection"

# The folder of installed collections, if one is given.
_INSTALLED = sys.argv[1] if len(sys.argv) > 1 else None
_SITE = "workload_security.agent.site" if _INSTALLED else "playbooks/site.yml"
_PLAYBOOK = (Path(sys.executable).with_name("ansible-playbook"), "-i", "inventories/lab", _SITE)
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Processes that have lost their parent become children of this one, so that none can hide (Linux, prctl.h).
_PR_SET_CHILD_SUBREAPER = 36


class DemoError(Exception):
    """A claim that does not hold."""


@dataclass(frozen=True)
class Run:
    """The output of an C(ansible-playbook), without colors, and how many requests of each kind it needed."""

    output: str
    requests: dict[str, int]

    @property
    def changed(self) -> bool:
        """Whether the recap counts a change."""
        return self._numbers(r"^lab +: .*\bchanged=(\d+)")[0] > 0

    @property
    def changed_targets(self) -> int:
        """How many targets changed, or would change."""
        return self._numbers(r"(\d+) of \d+ targets")[0]

    @property
    def writes(self) -> int:
        """The number of requests that write."""
        return self.requests["total"] - self.requests["read"]

    @property
    def diff(self) -> list[str]:
        """The lines that the diff removes and adds."""
        return re.findall(r"^[-+](?![-+]{2} ).*$", self.output, re.MULTILINE)

    def _numbers(self, pattern: str) -> list[int]:
        found = re.search(pattern, self.output, re.MULTILINE)
        if not found:
            raise DemoError(f"the playbook's output has no {pattern!r}")
        return [int(number) for number in found.groups()]


def heading(text: str) -> None:
    """Announce the next part."""
    line = f"\n=== {text} "
    print(line.ljust(100, "="), flush=True)


def claim(holds: bool, text: str) -> None:
    """Print what has just been shown, if it is true. Raises C(DemoError) otherwise."""
    if not holds:
        raise DemoError(f"not so: {text}")
    print(f"  [ok] {text}", flush=True)


def play(lab: LabManager, *options: str, diff_shown: bool = True) -> Run:
    """Run the playbook against the lab, and show what it prints. Raises C(DemoError) if it fails."""
    print(f"$ ansible-playbook {' '.join([*_PLAYBOOK[1:], *options])}", flush=True)
    lab.clear_requests()
    lines: list[str] = []
    in_diff = False
    process = subprocess.Popen(
        [*_PLAYBOOK, *options],
        cwd=ROOT,
        env=environment(lab),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        for line in t.cast(t.IO[str], process.stdout):
            lines.append(_COLOR.sub("", line))
            # A diff begins with this line and ends with an empty one.
            in_diff = lines[-1].startswith("--- ") or (in_diff and lines[-1] != "\n")
            if diff_shown or not in_diff:
                sys.stdout.write(line)
                sys.stdout.flush()
    finally:
        process.terminate()
        status = process.wait()
    if status:
        raise DemoError(f"ansible-playbook ended with status {status}")
    run = Run("".join(lines), lab.summary())
    print(f"  The manager counted {run.requests['read']} requests that read and {run.writes} that write.", flush=True)
    return run


def environment(lab: LabManager) -> dict[str, str]:
    """The environment for C(ansible-playbook): how to reach the lab, without the user's settings for other managers."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "WORKLOAD_"))}
    return {
        **inherited,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": _INSTALLED or str(link_collection()),
        **({"ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else {}),
        "WORKLOAD_SECURITY_URL": lab.url,
        "WORKLOAD_SECURITY_API_KEY": lab.api_key,
        "WORKLOAD_SECURITY_CA_PATH": lab.ca_path,
    }


def show(lab: LabManager) -> None:
    """The steps of the demo. Raises C(DemoError) at the first claim that does not hold."""
    heading("What would change? Check mode, with the diff")
    foreseen = play(lab, "--check", "--diff")
    claim(foreseen.changed and foreseen.writes == 0, "Check mode says what would change, and writes nothing.")

    heading("Bring the fleet to what the inventory declares")
    first = play(lab, "--diff", diff_shown=False)
    claim(first.diff == foreseen.diff, "Its diff, not shown again, is the one that check mode had foreseen.")
    claim(
        first.requests["settings"] == first.changed_targets,
        f"Each of the {first.changed_targets} targets that changed took one write for all its settings.",
    )

    heading("Again: nothing is left to do")
    second = play(lab)
    claim(not second.changed and second.writes == 0, "A second run changes nothing and writes nothing.")
    claim(
        second.requests["total"] <= 10,
        f"Looking at {COMPUTERS:,} computers and {POLICIES} policies took {second.requests['total']} requests.",
    )

    heading("Somebody changes a policy by hand")
    print(f"A colleague sets the communication direction of '{POLICY}' to Manager Initiated.", flush=True)
    (policy,) = lab.api("POST", "/policies/search", {"searchCriteria": [_named(POLICY)]})["policies"]
    path = f"/policies/{policy['ID']}"
    lab.api("POST", path, {"policySettings": {DIRECTION: {"value": "Manager Initiated"}}})
    drift = play(lab, "--check", "--diff")
    claim(
        drift.diff == ["-    direction: manager_initiated", "+    direction: bidirectional"],
        "The diff shows that change and no other.",
    )
    claim(drift.writes == 0, "Check mode wrote nothing.")

    heading("Bring it back")
    mended = play(lab)
    claim(mended.changed and mended.writes == 1, "One write brought it back.")
    value = lab.api("GET", f"{path}/settings/{DIRECTION}", query={"overrides": "true"})["value"]
    claim(value == "Bidirectional", f"On the manager, the direction of '{POLICY}' is {value} again.")


def _named(name: str) -> dict[str, t.Any]:
    return {"fieldName": "name", "stringTest": "equal", "stringValue": name, "stringWildcards": False}


def processes_left(patience: float = 5.0) -> bool:
    """Whether a process that was started here, even indirectly, is still running after C(patience) seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    return True
                time.sleep(0.05)
        except ChildProcessError:
            return False


def main() -> int:
    """Run the demo; returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        heading(f"A manager with {COMPUTERS:,} computers and {POLICIES} policies")
        with LabManager(computers=COMPUTERS, policies=POLICIES) as lab:
            print(f"It listens at {lab.url}, and keeps a log of requests.", flush=True)
            show(lab)
        heading("The end")
        loaded.end()
        claim(not processes_left(), "No process is left.")
    except (DemoError, LabError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
