# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samba as the domain controller of an Active Directory. Its zone only accepts updates signed with Kerberos."""

from __future__ import annotations

import json
import typing as t

from tests.lab.nameserver.kdc import client_configuration
from tests.lab.nameserver.server import NameServer

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host

_PASSWORD = "Not-for-people-1"

_OPTIONS = (
    # Services for anything other than names and tickets only take time.
    "--option=server services = ldap, kdc, dns",
    # A database for the attributes of files, because the file system in memory has none.
    "--option=posix:eadb = /var/lib/samba/private/eadb.tdb",
)

_TOOL = """\
import json, runpy, sys
for command in json.loads(sys.argv[1]):
    sys.argv = ["samba-tool", *command]
    try:
        runpy.run_path("/usr/bin/samba-tool", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


class ActiveDirectory(NameServer):
    """A separate domain and its only controller, which has the name of its host.

    realm: in upper case, such as C(CORP.EXAMPLE); zone: that of the domain. C(users) are accounts without special
    rights: they may create names, and change the names that they have created. Each of them has a keytab.
    """

    program = "samba"

    def __init__(self, host: Host, realm: str = "CORP.EXAMPLE", *, users: t.Sequence[str] = ()) -> None:
        super().__init__(host)
        self.realm = realm
        self.zone = realm.lower()
        self.name = f"{host.name}.{self.zone}"
        self.users = users

    def configure(self) -> None:
        """Create the domain and its users. This takes a few seconds."""
        self.host.run(["rm", "-f", "/etc/samba/smb.conf"])
        commands = [
            [
                *("domain", "provision", f"--realm={self.realm}", f"--domain={self.realm.partition('.')[0]}"),
                *("--server-role=dc", "--dns-backend=SAMBA_INTERNAL", f"--adminpass={_PASSWORD}"),
                *(f"--host-name={self.host.name}", f"--host-ip={self.address}", *_OPTIONS),
            ],
            *(["user", "create", user, "--random-password"] for user in self.users),
            *(
                ["domain", "exportkeytab", self.keytab(user), f"--principal={user}@{self.realm}"]
                for user in (*self.users, "Administrator")
            ),
        ]
        # One process for all commands, because its start takes longer than most of them.
        self.host.run(["python3", "-c", _TOOL, json.dumps(commands)])

    @property
    def command(self) -> list[str]:
        """In the foreground, with its log on its standard output."""
        return ["samba", "--interactive", "--model=single"]

    @property
    def configuration(self) -> str:
        """The krb5.conf for members of the domain."""
        return client_configuration(self.realm, self.address)

    @staticmethod
    def keytab(user: str) -> str:
        """The path of a user's keytab on the host."""
        return f"/etc/{user}.keytab"
