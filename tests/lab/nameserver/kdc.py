# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MIT Kerberos: the KDC of a realm, for name servers that accept its tickets."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    from tests.lab.hosts.process import Host, Process

# Seconds to wait for the first ticket.
_START = 20.0

_CLIENT = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
[realms]
    {realm} = {{
        kdc = {address}
    }}
"""

# Each test's lab has a separate realm, so the encryption is chosen to be quick, not safe.
_KDC = """\
[realms]
    {realm} = {{
        master_key_type = aes128-cts
        supported_enctypes = aes256-cts:normal
    }}
"""


def client_configuration(realm: str, address: str) -> str:
    """A krb5.conf with one realm and its KDC, which looks up no other KDCs in the DNS."""
    return _CLIENT.format(realm=realm, address=address)


class Kdc:
    """The KDC of C(realm), as a context manager: it is started on entry, and stopped on exit."""

    def __init__(self, host: Host, realm: str = "LAB.TEST") -> None:
        self.host = host
        self.realm = realm
        self._process: Process | None = None

    def __enter__(self) -> t.Self:
        self.host.write("/etc/krb5.conf", client_configuration(self.realm, "127.0.0.1"))
        self.host.write("/etc/krb5kdc/kdc.conf", _KDC.format(realm=self.realm))
        self.host.run(["kdb5_util", "create", "-s", "-r", self.realm, "-P", "master"])
        self.add("probe")
        self._process = self.host.start(["krb5kdc", "-n"])
        deadline = time.monotonic() + _START
        while self.host.run(
            ["kinit", "-c", "/tmp/probe", "-k", "-t", self.keytab("probe"), "probe"], check=False
        ).returncode:
            if time.monotonic() > deadline or not self._process.alive:
                raise RuntimeError(f"krb5kdc does not answer: {self.host.read('/var/log/krb5kdc.log')}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process:
            self._process.terminate()

    @property
    def configuration(self) -> str:
        """The krb5.conf for clients of this KDC."""
        return client_configuration(self.realm, self.host.address)

    @staticmethod
    def keytab(principal: str) -> str:
        """The path of a principal's keytab on the host."""
        return f"/etc/{principal.replace('/', '_')}.keytab"

    def add(self, *principals: str) -> None:
        """Create principals, each with random keys in a keytab."""
        script = "".join(
            f"addprinc -randkey {principal}\nktadd -k {self.keytab(principal)} {principal}\n"
            for principal in principals
        )
        self.host.run(["kadmin.local", "-r", self.realm], input=script)
