# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unbound: a site's resolver, which is controlled through a UNIX socket."""

from __future__ import annotations

import typing as t

from tests.lab.nameserver.server import NameServer

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

# Debian's package has other files in this folder.
_SITE = "/etc/unbound/unbound.conf.d/site.conf"

_SERVER = """\
server:
    interface: 0.0.0.0
    interface: ::0
    access-control: 198.18.0.0/16 allow
    access-control: 2001:db8::/64 allow
    # Otherwise Unbound answers for everything below test. that there is nothing.
    local-zone: "test." nodefault
"""

# The site's zones are not signed.
_ZONE = """\
server:
    domain-insecure: "{zone}"
stub-zone:
    name: "{zone}"
    stub-addr: {address}
"""


class Unbound(NameServer):
    """A resolver for the lab's hosts. C(zones) maps zones of the site to the addresses of their primary servers."""

    program = "unbound"

    def __init__(self, host: Host, zones: t.Mapping[str, str] | None = None) -> None:
        super().__init__(host)
        self.zones = dict(zones or {})

    def configure(self) -> None:
        """Write the site's part of the configuration, and the trust anchor that Debian's service creates."""
        self.host.write(_SITE, _SERVER + "".join(_ZONE.format(zone=z, address=a) for z, a in self.zones.items()))
        self.host.run(["install", "-o", "unbound", "-g", "unbound", "/usr/share/dns/root.key", "/var/lib/unbound"])

    @property
    def command(self) -> list[str]:
        """As Debian's service starts it: in the foreground, without a PID file."""
        return ["unbound", "-d", "-p"]
