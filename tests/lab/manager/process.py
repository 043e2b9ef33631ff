# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's manager as a separate process, for tests."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import subprocess
import typing as t
import urllib.parse
from pathlib import Path

from tests.lab.manager import loaded

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

_ENDED_WITHIN = 10.0
# Ports of the API and of heartbeats.
_PORTS = {"on_premises": (4119, 4120), "cloud": (443, 443)}


class LabError(Exception):
    """The lab's manager does not start, or refuses a call. C(status) and C(message) are those of its reply, if any."""

    def __init__(self, text: str, status: int | None = None, message: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.message = message


class LabManager:
    """Starts a manager at C(__enter__) and ends it at C(__exit__).

    C(computers), C(policies), C(seed), C(shared_host_names): the fleet, see C(make_fleet).
    C(deployment): C(on_premises) or C(cloud). C(requests_per_minute): the limit for each key, 0 for none.
    C(host): the lab host in whose network it runs, on the ports of a real manager. C(agents): let agents on loopback
    talk to a manager without C(host). C(names): host names in its certificate. Agents use the first one that starts
    with C(agents), or else the first one. C(time_factor): how many times as fast its clock runs. Agents need the same.
    """

    url: str
    ca_path: str
    control_url: str
    heartbeat_url: str
    api_key: str
    colleague_api_key: str
    read_only_api_key: str
    pid: int

    def __init__(
        self,
        *,
        computers: int = 1000,
        policies: int = 40,
        seed: int = 1,
        shared_host_names: int = 0,
        deployment: str = "on_premises",
        requests_per_minute: int = 0,
        host: Host | None = None,
        agents: bool = False,
        names: t.Sequence[str] = (),
        time_factor: float = 1.0,
    ) -> None:
        self.deployment = deployment
        self._host = host
        self._names = [*names, *([host.address, host.address6] if host else [])]
        self._options: dict[str, object] = {
            "computers": computers,
            "policies": policies,
            "seed": seed,
            "shared-host-names": shared_host_names,
            "deployment": deployment,
            "requests-per-minute": requests_per_minute,
            "time-factor": time_factor,
        }
        if host:
            api_port, heartbeat_port = _PORTS[deployment]
            self._options |= {"host": "", "port": api_port, "heartbeat-port": heartbeat_port}
        elif agents:
            self._options["heartbeat-port"] = 0
        self._process: loaded.Manager | None = None
        self._control: http.client.HTTPConnection | None = None
        self._api: http.client.HTTPConnection | None = None

    def __enter__(self) -> LabManager:
        arguments = ["--exit-with-parent"]
        for name, value in [*self._options.items(), *(("name", name) for name in self._names)]:
            arguments += [f"--{name}", str(value)]
        folder = self._host and self._host.root / "run" / "lab-manager"
        if self._host and folder:
            # We cannot reach its loopback, but we can use its file system, which is removed with the host.
            folder.mkdir(exist_ok=True)
            arguments += ["--socket-dir", str(folder), "--state-dir", str(folder)]
        self._process = loaded.Manager(arguments, self._host.pid if self._host else None)
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise LabError("the lab's manager ended before it listened; see its messages above")
        vars(self).update(json.loads(line))
        if self._host and folder:
            self.url = self.url.replace("localhost", self._host.address, 1)
            self._control = _SocketConnection(folder / "control")
            self._api = _SocketConnection(folder / "api")
            return self
        self._control = http.client.HTTPConnection(urllib.parse.urlsplit(self.control_url).netloc, timeout=60)
        self._api = http.client.HTTPSConnection(
            urllib.parse.urlsplit(self.url).netloc,
            timeout=60,
            context=ssl.create_default_context(cafile=self.ca_path),
        )
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and wait until it is gone."""
        for connection in (self._control, self._api):
            if connection:
                connection.close()
        process, self._process = self._process, None
        if process:
            # This tells it to end. A signal would not reach it in the network of a lab host.
            process.stdin.close()
            try:
                process.wait(_ENDED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    # -- the log of requests

    def requests(self) -> list[dict[str, t.Any]]:
        """Every request since the last C(clear_requests): n, method, path, query, body, status, kind, key, fault.

        Each one also has reply, the parsed body of the reply, C(None) unless C(keep_replies) was called before.
        """
        return self._tell("GET", "/requests")["requests"]

    def summary(self) -> dict[str, int]:
        """How many requests there were: read, settings, assignment, create, modify, delete, total."""
        return self._tell("GET", "/requests?summary=1")

    def keep_replies(self, keep: bool = True) -> None:
        """Let the log keep the bodies of replies from now on, until C(reset)."""
        self._tell("POST", "/requests", {"keep_replies": keep})

    def clear_requests(self) -> None:
        """Empty the log."""
        self._tell("DELETE", "/requests")

    # -- misbehavior

    def add_fault(self, **fault: t.Any) -> None:
        """Affect requests with C(method), C(path), C(body): skip C(skip) of them, then do C(action) to C(times)."""
        self._tell("POST", "/faults", {"faults": [fault]})

    def clear_faults(self) -> None:
        """Forget the waiting faults."""
        self._tell("DELETE", "/faults")

    def switch(self, **names: t.Any) -> dict[str, t.Any]:
        """Choose the manager's answers that its documents leave open; returns all switches."""
        return self._tell("POST", "/switches", names)

    def advance(self, seconds: float) -> None:
        """Move the manager's clock forward. The limit of requests follows this clock."""
        self._tell("POST", "/clock", {"advance": seconds})

    def now(self) -> float:
        """Seconds by the manager's clock, since some fixed moment."""
        return self._tell("GET", "/clock")["now"]

    def searches(self, *searches: tuple[str, t.Sequence[tuple[str, str]]]) -> list[t.Any]:
        """The API's replies to searches for everything, each a path and its query. They bypass the log and faults."""
        return self._tell("POST", "/searches", {"searches": searches})["replies"]

    def keep(self, name: str) -> None:
        """Keep everything that the manager holds under a name, so that C(reset) can bring it back.

        Agents that really run are not kept, only what the manager knows of them.
        """
        self._tell("POST", "/kept", {"name": name})

    def reset(self, name: str | None = None) -> None:
        """Start again with the same fleet, or with what was kept under this name.

        There are no faults then, the log is empty, and the answers are the likeliest ones.
        """
        self._tell("POST", "/reset", name and {"name": name})

    # -- agents

    def agents(self) -> list[dict[str, t.Any]]:
        """Activated agents: computer_id, host_name, address, direction (as last sent), status, tasks."""
        return self._tell("GET", "/agents")["agents"]

    def heartbeats(self, computer_id: int) -> list[dict[str, t.Any]]:
        """A computer's heartbeats in order: n, at, by, request, driver, agent, events, counters, fingerprint.

        C(by) is who connected, agent or manager. C(request) is the last request to the API before it. C(updated_to) is
        the fingerprint of the configuration that was sent in the same conversation. C(n) counts alerts, too.
        """
        return [one for one in self._tell("GET", "/heartbeats")["heartbeats"] if one["computer_id"] == computer_id]

    def alerts(self, computer_id: int) -> list[dict[str, t.Any]]:
        """A computer's alerts: n, at, kind (offline or clock_change), cleared (with number n, or None), and details."""
        return [one for one in self._tell("GET", "/heartbeats")["alerts"] if one["computer_id"] == computer_id]

    def set_virtual_machine(self, computer_id: int, state: str | None) -> None:
        """Tell the manager that a computer is a virtual machine, running or stopped, or that it is none."""
        self._tell("POST", "/virtual-machines", {"computer_id": computer_id, "state": state})

    def let_live(
        self, computer_ids: t.Sequence[int] | None = None, *, beats: bool = True, messages: t.Sequence[str] = ()
    ) -> None:
        """Let agents in name only send heartbeats by the manager's clock, or fall silent, and get changes.

        C(computer_ids): C(None) for those of all computers. C(messages): the errors that the manager shows for them.
        """
        told = {"computer_ids": computer_ids, "beats": beats, "messages": list(messages)}
        self._tell("POST", "/fleet-agents", told)

    # -- the API

    def api(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        query: t.Mapping[str, t.Any] | None = None,
        key: str = "colleague",
    ) -> t.Any:
        """Make one call, to prepare or check something. C(key) is admin, colleague or read_only.

        Returns the parsed reply, C(None) if there is none. Raises C(LabError) for status 400 and above.
        """
        secret = {"admin": self.api_key, "colleague": self.colleague_api_key, "read_only": self.read_only_api_key}[key]
        headers = {"api-version": "v1", "Content-Type": "application/json"}
        if self.deployment == "cloud":
            headers["Authorization"] = f"ApiKey {secret}"
        else:
            headers["api-secret-key"] = secret
        full_path = urllib.parse.urlsplit(self.url).path + path
        if query:
            full_path += "?" + urllib.parse.urlencode(query, doseq=True)
        assert self._api
        return _exchange(self._api, method, full_path, body, headers)

    def _tell(self, method: str, path: str, body: t.Any = None) -> t.Any:
        assert self._control
        return _exchange(self._control, method, path, body, {})


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: t.Any, headers: dict[str, str]
) -> t.Any:
    data = None if body is None else json.dumps(body).encode()
    # If a fault has closed the kept connection, open a new one.
    if connection.sock and _closed(connection):
        connection.close()
    try:
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        content = response.read()
    except Exception:
        connection.close()
        raise
    if response.status >= 400:
        try:
            message = json.loads(content).get("message", "")
        except (ValueError, AttributeError):
            message = content.decode("utf-8", "replace")
        raise LabError(f"{method} {path}: {response.status} {message}", response.status, message)
    return json.loads(content) if content else None


def _closed(connection: http.client.HTTPConnection) -> bool:
    return bool(select.select([connection.sock], [], [], 0)[0])
