# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent: its directions, its heartbeats, and what it answers to its manager."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tlslite.errors import BaseTLSException

from . import firewall, tls
from .commands import Installed
from .line import Line
from .listener import Listener
from .store import Store

MANAGER_INITIATED = "Manager Initiated"
AGENT_INITIATED = "Agent/Appliance Initiated"

_DIRECTION = "platformSettingAgentCommunicationsDirection"
_INTERVAL = "platformSettingHeartbeatInterval"

# How long the other side may stay silent, in real seconds (not sped up), because its processor may be busy.
_PATIENCE = 20.0

FAILURES = (OSError, BaseTLSException, ValueError, KeyError, TypeError)


class Refused(OSError):
    """The manager refuses, in its words."""


class Agent:
    """One agent. Its listener, its heartbeats and its commands run in threads of their own."""

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        self.store = Store(installed.folder / "dsa_core" / "state.json", installed.time_factor)
        self._profile = tls.profile_of(installed.version, installed.tls)
        self._certificate = tls.Certificate(installed.folder / "dsa_core")
        self._listener = Listener(installed.address, firewall.PORT, self._serve)
        self._changed = threading.Condition()
        self._last_beat = float("-inf")

    # -- state

    @property
    def activated(self) -> bool:
        """Whether it has a manager."""
        return self.store["identity"] is not None

    @property
    def direction(self) -> str | None:
        """Who initiates, in the manager's words; unknown before the first configuration."""
        if self.installed.platform.startswith("macOS"):
            return AGENT_INITIATED
        configuration = self.store["configuration"]
        return configuration["settings"][_DIRECTION] if configuration else None

    @property
    def listens(self) -> bool:
        """Whether managers can connect. An agent without a manager waits for any manager."""
        return self.direction != AGENT_INITIATED

    @property
    def interval(self) -> float:
        """Seconds between heartbeats, already sped up."""
        configuration = self.store["configuration"]
        number, unit = (configuration["settings"][_INTERVAL] if configuration else "10 Minutes").split()
        return int(number) * (3600 if unit.startswith("Hour") else 60) / self.installed.time_factor

    # -- running

    def run(self) -> None:
        """Start: the firewall first, then the port, then heartbeats."""
        self.store.note("Started")
        self._settle()
        threading.Thread(target=self._beat_forever, daemon=True).start()

    def _settle(self) -> None:
        """Bring the host to the state that the configuration asks for."""
        self._filter()
        self._listener.listen(self.listens)
        with self._changed:
            self._changed.notify_all()

    def _filter(self) -> None:
        wanted = (self.store["configuration"] or {}).get("firewall", {"state": "off"})
        try:
            if wanted["state"] == "on":
                firewall.load(firewall.ruleset(wanted["rules"], wanted["conditions"]))
            elif self.store["filtering"]:
                firewall.unload()
            self.store.keep(filtering=wanted["state"] == "on", driver="online")
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            self.store.note(f"The driver failed: {reason}")
            self.store.keep(driver="offline")

    def _beat_forever(self) -> None:
        while True:
            with self._changed:
                while (wait := self._until_heartbeat()) > 0:
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX))
                self._last_beat = time.monotonic()
            with contextlib.suppress(*FAILURES):
                self.heartbeat()

    def _until_heartbeat(self) -> float:
        if not self.activated or self.direction == MANAGER_INITIATED:
            return float("inf")
        return self._last_beat + self.interval - time.monotonic()

    # -- towards the manager

    def heartbeat(self) -> None:
        """Find the manager by its host name, and answer what it asks. A failure is an event, and is raised."""
        manager = self.store["manager"]
        try:
            with self._connected(manager["host"], manager["port"]) as (line, _suite, fingerprint):
                if fingerprint != manager["fingerprint"]:
                    raise Refused("the manager's certificate is not the one of the activation")
                identity = self.store["identity"]
                line.send({"agent": {**self._about(), "guid": identity["guid"]}, "secret": identity["secret"]})
                self._talk(line)
        except FAILURES as error:
            self.store.note(f"Heartbeat failed: {error}")
            raise

    def activate(self, url: str, parameters: dict[str, str]) -> list[str]:
        """Ask the manager at C(dsm://host:port/) to take this agent; returns what happened. Raises C(Refused)."""
        parts = urlsplit(url)
        if parts.scheme not in ("dsm", "https") or not parts.hostname:
            raise Refused(f"{url} is no URL of a manager, such as dsm://dsm.example.com:4120/")
        host, port = parts.hostname, parts.port or 4120
        with self._connected(host, port) as (line, suite, fingerprint):
            # Stored before the conversation in which the agent gets an identity and a configuration.
            self.store.keep(manager={"host": host, "port": port, "fingerprint": fingerprint})
            self._last_beat = time.monotonic()
            line.send({"agent": self._about(), "activate": parameters})
            self._talk(line)
        self.store.note(f"Activated by {host}")
        return [
            f"Attempting to connect to https://{host}:{port}/",
            "SSL handshake completed successfully - initiating command session.",
            f"Connected with {suite} to peer at {host}",
        ]

    def reset(self) -> None:
        """Forget the manager."""
        self.store.forget()
        self.store.note("Reset")
        self._settle()

    @contextlib.contextmanager
    def _connected(self, host: str, port: int) -> Iterator[tuple[Line, str, str]]:
        """A connection to the manager: the line, the cipher suite, and the fingerprint of the manager's certificate."""
        address = self.installed.address
        source = None if address == "::" else (address, 0)
        with socket.create_connection((host, port), _PATIENCE, source) as connection:
            connected, fingerprint = tls.connect(connection, self._profile, host)
            yield Line(connected), tls.suite_of(connected), fingerprint
            connected.close()

    def _about(self) -> dict[str, str]:
        return {
            "hostName": socket.gethostname(),
            "machine": self.installed.machine,
            "platform": self.installed.platform,
            "version": self.installed.version,
            "certificate": self._certificate.fingerprint,
        }

    def _serve(self, connection: socket.socket, peer: str) -> None:
        """Serve a connection to the agent's port."""
        connection.settimeout(_PATIENCE)
        self.store.count("connections")
        try:
            accepted = tls.accept(connection, self._profile, self._certificate)
            line = Line(accepted)
            hello = line.receive()
            if hello is not None:
                known = self.store["identity"]
                if not known or not secrets.compare_digest(str(hello.get("secret")), known["secret"]):
                    raise Refused("not the manager of this agent")
                self._talk(line)
            accepted.close()
        except FAILURES as error:
            self.store.note(f"Connection from {peer} failed: {error!r}")

    # -- conversations with the manager, whoever connected

    def _talk(self, line: Line) -> None:
        """Answer until the manager ends the conversation; raises one of C(FAILURES)."""
        answers = {
            "status": self._status,
            "events": self._events,
            "configure": self._configure,
            "activate": self._take_identity,
            "refuse": self._be_refused,
        }
        self.store.count("conversations")
        while (asked := line.receive()) is not None and asked["ask"] != "end":
            line.send(answers[asked["ask"]](asked))
        if asked is None:
            raise ConnectionError("the manager hung up")
        self.store.keep(last_conversation=self.store.clock())

    def _status(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "driver": self.store["driver"],
            "agent": {"state": "green", "clock": self.store.clock(), **self._about()},
            "counters": self.store["counters"],
            "fingerprint": self.fingerprint(),
        }

    def _events(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"events": self.store.events_after(asked["after"])}

    def _configure(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.store.keep(configuration=asked["configuration"])
        self.store.count("configurations")
        self.store.note("Configuration updated")
        self._settle()
        return {"fingerprint": self.fingerprint()}

    def _take_identity(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.store.keep(identity={"guid": asked["guid"], "secret": asked["secret"]})
        return {}

    def _be_refused(self, asked: dict[str, Any]) -> dict[str, Any]:
        raise Refused(asked["message"])

    def fingerprint(self) -> str:
        """SHA-256 of the active configuration, empty if there is none."""
        configuration = self.store["configuration"]
        if configuration is None:
            return ""
        return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()

    def query(self) -> list[str]:
        """The status as C(dsa_query -c GetAgentStatus) prints it."""
        manager = self.store["manager"]
        values: dict[str, Any] = {
            "agentState": "green",
            "currentTime": int(self.store.clock()),
            "driverHooked": str(self.store["driver"] == "online").lower(),
            "fingerprint": self.fingerprint(),
            "lastAgentToManagerSession": int(self.store["last_conversation"] or 0),
        }
        if self.activated:
            values["dsmUrl"] = f"https://{manager['host']}:{manager['port']}/"
        index = [f"AgentStatus.{number}: {name}" for number, name in enumerate(values, start=1)]
        return index + [f"AgentStatus.{name}: {value}" for name, value in values.items()]
