# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BIND: the primary server of a zone, which accepts signed dynamic updates."""

from __future__ import annotations

import base64
import secrets
import typing as t
from dataclasses import dataclass, field

from tests.lab.nameserver.server import NameServer

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

_OPTIONS = """\
options {
    directory "/var/cache/bind";
    recursion no;
    dnssec-validation no;
    listen-on { any; };
    listen-on-v6 { any; };
%s
};
"""

_KEY = """\
key "{key.name}" {{
    algorithm {key.algorithm};
    secret "{key.secret}";
}};
"""

_ZONE = """\
zone "{zone}" {{
    type primary;
    file "{file}";
    update-policy {{ {policy} }};
}};
"""

_FILE = """\
$TTL 3600
@    SOA  ns1 hostmaster 1 1h 15m 30d 2m
     NS   ns1
ns1  A    {host.address}
     AAAA {host.address6}
{records}
"""


@dataclass(frozen=True)
class TsigKey:
    """A key that signs updates. C(secret) is in base64, and C(algorithm) in BIND's spelling."""

    name: str = "ansible"
    algorithm: str = "hmac-sha256"
    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())


class Bind(NameServer):
    """The primary server of C(zone).

    C(key) may change everything in the zone, unless C(policy), the rules of BIND's update-policy, says otherwise.
    The server also knows C(more_keys). C(records) are additional lines of the zone's file, and C(options) are
    additional statements in BIND's options.
    """

    program = "named"

    def __init__(
        self,
        host: Host,
        zone: str = "lab.test",
        key: TsigKey | None = None,
        *,
        more_keys: t.Sequence[TsigKey] = (),
        policy: str | None = None,
        records: str = "",
        options: str = "",
    ) -> None:
        super().__init__(host)
        self.zone = zone
        self.key = key or TsigKey()
        self.more_keys = more_keys
        self.policy = f"grant {self.key.name} zonesub ANY;" if policy is None else policy
        self.records = records
        self.options = options

    def configure(self) -> None:
        """Write the options, the keys, and the zone."""
        file = f"/var/lib/bind/db.{self.zone}"
        keys = "".join(_KEY.format(key=key) for key in (self.key, *self.more_keys))
        self.host.write("/etc/bind/named.conf.options", _OPTIONS % self.options)
        self.host.write(
            "/etc/bind/named.conf.local", keys + _ZONE.format(zone=self.zone, file=file, policy=self.policy), 0o640
        )
        self.host.run(["chgrp", "bind", "/etc/bind/named.conf.local"])
        self.host.write(file, _FILE.format(host=self.host, records=self.records))

    @property
    def command(self) -> list[str]:
        """In the foreground, with its log on its standard error."""
        return ["named", "-g", "-u", "bind"]

    def update(self, *lines: str, key: TsigKey | None = None) -> None:
        """Change the zone with nsupdate, as a colleague at the site would; raises an error if the server refuses."""
        key = key or self.key
        script = "\n".join([f"server {self.address}", f"zone {self.zone}", *lines, "send", ""])
        self.host.run(["nsupdate", "-y", f"{key.algorithm}:{key.name}:{key.secret}"], input=script)
