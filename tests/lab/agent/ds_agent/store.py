# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent keeps across restarts: its identity, its manager, its configuration, its events."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

# The most events to keep that no manager has asked for.
_EVENTS = 200


class Store:
    """One JSON file, which is replaced as a whole at every change.

    C(clock) is the host's: seconds since 1970. It runs C(time_factor) times as fast as real time, and tests move it.
    """

    def __init__(self, path: Path, time_factor: float) -> None:
        self._path = path
        self._factor = time_factor
        self._lock = threading.RLock()
        if path.exists():
            self.values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.values = {
                # Both clocks at the same moment, because the host's time also passes while the agent does not run.
                "installed": {"monotonic": time.monotonic(), "time": time.time()},
                "clock_moved": 0.0,
                "events": [],
                "next_event": 1,
                "counters": {"conversations": 0, "connections": 0, "configurations": 0},
                "driver": "online",
                "filtering": False,
            }
            self._forget()
            self.keep()

    def _forget(self) -> None:
        self.values.update(identity=None, manager=None, configuration=None, last_conversation=None)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def keep(self, **changes: Any) -> None:
        """Change values and write the file."""
        with self._lock:
            self.values.update(changes)
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(self.values), encoding="utf-8")
            os.replace(temporary, self._path)

    def forget(self) -> None:
        """Go back to the state before the activation. Events and counters stay."""
        with self._lock:
            self._forget()
            self.keep()

    def clock(self) -> float:
        """The host's time of day."""
        installed = self["installed"]
        passed = (time.monotonic() - installed["monotonic"]) * self._factor
        return installed["time"] + passed + self["clock_moved"]

    def count(self, name: str) -> None:
        """Add one to a counter."""
        with self._lock:
            self["counters"][name] += 1
            self.keep()

    def note(self, text: str) -> None:
        """Add an event."""
        with self._lock:
            event = {"number": self["next_event"], "time": self.clock(), "text": text}
            self.keep(events=[*self["events"], event][-_EVENTS:], next_event=self["next_event"] + 1)

    def events_after(self, number: int) -> list[dict[str, Any]]:
        """The events that the manager does not have yet. Older events are forgotten."""
        with self._lock:
            self.keep(events=[event for event in self["events"] if event["number"] > number])
            return self["events"]
