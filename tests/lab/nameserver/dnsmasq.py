# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dnsmasq: a small site's resolver, which reads names from hosts files."""

from __future__ import annotations

import typing as t

from tests.lab.nameserver.server import NameServer

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

_SITE = "/etc/dnsmasq.d/site.conf"
_PIHOLE = "/etc/pihole/dnsmasq.conf"


class Dnsmasq(NameServer):
    """A resolver for the lab's hosts. C(zones) maps zones of the site to the addresses of their primary servers.

    C(hosts_folder) is the folder with its hosts files, and C(directive) the option that names the folder: C(addn-hosts)
    or C(hostsdir).
    """

    program = "dnsmasq"
    pid_file = "/run/dnsmasq/dnsmasq.pid"

    def __init__(
        self,
        host: Host,
        zones: t.Mapping[str, str] | None = None,
        *,
        hosts_folder: str = "/etc/dnsmasq.hosts",
        directive: str = "addn-hosts",
    ) -> None:
        super().__init__(host)
        self.zones = dict(zones or {})
        self.hosts_folder = hosts_folder
        self.directive = directive

    def configure(self) -> None:
        """Write the site's part of the configuration."""
        lines = ["no-resolv", *(f"server=/{zone}/{address}" for zone, address in self.zones.items())]
        self.host.write(_SITE, "\n".join([*lines, f"{self.directive}={self.hosts_folder}", ""]))
        self.host.run(["mkdir", "-p", self.hosts_folder])

    def start(self) -> None:
        """Start the server and wait until it answers; raises C(RuntimeError) with its log if it does not."""
        # The files in /run are lost when the host is powered off.
        self.host.run(["install", "-d", "-o", "dnsmasq", "/run/dnsmasq"])
        super().start()

    @property
    def command(self) -> list[str]:
        """In the foreground, with the other options as in Debian's service."""
        folders = "/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new"
        options = ["-x", self.pid_file, "-u", "dnsmasq", "-7", folders, "--local-service"]
        return ["dnsmasq", "--keep-in-foreground", "--log-facility=-", *options]


class PiHole(NameServer):
    """Pi-hole's name server as seen from outside: dnsmasq with another name and Pi-hole's configuration."""

    program = "pihole-FTL"
    hosts_folder = "/etc/pihole/hosts"

    def configure(self) -> None:
        """Write the configuration, and rename the program dnsmasq."""
        lines = [f"hostsdir={self.hosts_folder}", "no-resolv", "localise-queries", ""]
        self.host.write(_PIHOLE, "\n".join(lines))
        self.host.run(["mkdir", "-p", self.hosts_folder])
        self.host.run(["mv", "/usr/sbin/dnsmasq", f"/usr/bin/{self.program}"])

    @property
    def command(self) -> list[str]:
        """In the foreground, with only Pi-hole's file."""
        return [self.program, "--keep-in-foreground", "--log-facility=-", "-u", "dnsmasq", "--pid-file=", "-C", _PIHOLE]
