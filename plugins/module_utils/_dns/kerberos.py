# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kerberos half of updates that are signed with GSS-TSIG (RFC 3645), through the library gssapi.

It runs beside the playbook, like the conversation with the primary server. No ticket or key is ever in a message.
"""

from __future__ import annotations

import contextlib
import sys
import uuid
from dataclasses import dataclass
from typing import Dict, Iterator, Optional

from .._basis.errors import OptionError, Problem
from .._basis.files import read_beginning
from .._basis.text import one_line, shown
from .errors import DnsError

try:
    import gssapi
except ImportError as import_error:
    GSSAPI_IMPORT_ERROR: Optional[str] = str(import_error)
# Without Kerberos on the machine, it raises what is none of Python's.
except Exception as import_error:
    GSSAPI_IMPORT_ERROR = f"{type(import_error).__name__}: {import_error}"
else:
    GSSAPI_IMPORT_ERROR = None
    _EXPIRED = (
        gssapi.exceptions.MissingCredentialsError,
        gssapi.exceptions.ExpiredCredentialsError,
        gssapi.exceptions.ExpiredContextError,
    )

# Codes of MIT Kerberos, which Heimdal shares: what it adds them to, and each with what it means here.
_BASE = -1765328384
_MALFORMED, _NOT_IN_CACHE, _NO_CACHE = 134, 141, 195
_CODES = {
    6: "unknown_principal",  # the KDC does not know who asks
    7: "unknown_service",  # the KDC does not know who is asked for
    18: "unknown_principal",  # locked
    23: "bad_keytab",  # the password has expired
    24: "bad_keytab",  # the KDC has another password
    31: "bad_keytab",  # the answer cannot be decrypted
    32: "no_ticket",  # it has expired
    33: "bad_time",  # it is not valid yet
    37: "bad_time",
    68: "wrong_realm",
    _NOT_IN_CACHE: "no_ticket",
    148: "bad_time",  # in the KDC's answer
    154: "no_kdc",  # the realm has none
    156: "no_kdc",  # none answers
    181: "bad_keytab",  # the principal is not in it
    _NO_CACHE: "no_ticket",
    220: "no_kdc",  # its address is not found
}
_ADVICE = {
    "no_ticket": "get a ticket with kinit, or name a keytab in option rfc2136.keytab",
    "bad_keytab": "the keytab must be readable, and hold the principal's present keys: check options rfc2136.keytab and "
    "rfc2136.principal",
    "unknown_principal": "check option rfc2136.principal, and that the account is not locked",
    "no_kdc": "check the realm in option rfc2136.principal, and the KDCs in krb5.conf or in DNS",
    "bad_time": "the clocks of this machine, the KDC and the server must not differ by more than five minutes: set the "
    "clocks",
    "unknown_service": "the name of the server must be the one that Active Directory or the KDC has: check option "
    "rfc2136.server_name",
    "wrong_realm": "the ticket is of another realm than the server: take one of the server's realm with options "
    "rfc2136.principal and rfc2136.keytab or rfc2136.ticket_cache, or let krb5.conf tell the server's realm",
    "kerberos": "the server's and the KDC's logs may tell more",
}
_OPTIONS = {
    "no_ticket": "rfc2136.ticket_cache",
    "bad_keytab": "rfc2136.keytab",
    "unknown_principal": "rfc2136.principal",
    "no_kdc": "rfc2136.principal",
    "unknown_service": "rfc2136.server_name",
    "wrong_realm": "rfc2136.principal",
}


@dataclass
class Kerberos:
    """Who signs, and for which server; C(signer) is that principal, once there are tickets.

    C(server_name) is the host name in the server's service principal, C(DNS/host). C(principal) is taken from the keytab
    or ticket cache if it is C(None); C(keytab) is the path of one; C(ticket_cache) is a path or has a type, as
    C(KCM:); without either, Kerberos's own environment counts.
    """

    server_name: str
    principal: Optional[str]
    keytab: Optional[str]
    ticket_cache: Optional[str]
    signer: str = "nobody"

    @property
    def service(self) -> str:
        """The server as Kerberos knows it, without the realm."""
        return f"DNS/{self.server_name}"

    def context(self) -> gssapi.SecurityContext:
        """The beginning of a conversation with the server. Raises C(DnsError) without gssapi, and what C(problems) does."""
        if GSSAPI_IMPORT_ERROR:
            raise DnsError(
                "missing_library",
                f"{sys.executable or 'this Python'} lacks gssapi, which signs with Kerberos's tickets "
                f"({one_line(GSSAPI_IMPORT_ERROR)}). Install it into this Python: with pip, which takes a compiler and "
                "Kerberos's headers (libkrb5-dev or krb5-devel), or for the system's own Python as package python3-gssapi",
                "rfc2136.authentication",
            )
        with self.problems():
            credentials = self._credentials()
            self.signer = shown(str(credentials.name), 200)
            return gssapi.SecurityContext(
                name=gssapi.Name(f"DNS@{self.server_name}", gssapi.NameType.hostbased_service),
                creds=credentials,
                mech=gssapi.MechType.kerberos,
                # The server proves who it is, and nothing is taken twice. It gets no ticket to act for who signs.
                flags=[
                    gssapi.RequirementFlag.mutual_authentication,
                    gssapi.RequirementFlag.replay_detection,
                    gssapi.RequirementFlag.integrity,
                ],
                usage="initiate",
            )

    def _credentials(self) -> gssapi.Credentials:
        store: Dict[str, str] = {}
        if self.keytab:
            self._check_keytab(self.keytab)
            # The tickets that are got with it are kept nowhere.
            store = {"client_keytab": f"FILE:{self.keytab}", "ccache": f"MEMORY:{uuid.uuid4()}"}
        elif self.ticket_cache:
            store = {"ccache": self.ticket_cache}
        name = None
        if self.principal:
            name = gssapi.Name(self.principal, gssapi.NameType.kerberos_principal)
        return gssapi.Credentials(name=name, usage="initiate", mechs=[gssapi.MechType.kerberos], store=store or None)

    @contextlib.contextmanager
    def problems(self) -> Iterator[None]:
        """Raise C(Problem) for what Kerberos refuses inside."""
        try:
            yield
        except gssapi.exceptions.GSSError as error:
            raise self._problem(error) from error
        except NotImplementedError as error:
            raise OptionError(
                "rfc2136.keytab" if self.keytab else "rfc2136.ticket_cache",
                self.keytab or self.ticket_cache,
                "this machine's Kerberos cannot be told one: set KRB5_CLIENT_KTNAME or KRB5CCNAME in the environment",
            ) from error

    @staticmethod
    def _check_keytab(path: str) -> None:
        """Kerberos says of any keytab that it cannot use that there is no ticket cache."""
        try:
            is_keytab = read_beginning(path, 1) == b"\x05"
        except OSError as error:
            raise DnsError(
                "bad_keytab", f"keytab '{shown(path)}' cannot be read: {error.strerror}", "rfc2136.keytab"
            ) from error
        if not is_keytab:
            raise DnsError("bad_keytab", f"'{shown(path)}' is not a Kerberos keytab", "rfc2136.keytab")

    def _problem(self, error: gssapi.exceptions.GSSError) -> Problem:
        told = error.get_all_statuses(error.min_code, False)
        # What is wrong in GSS-API's own view, such as an expired ticket, may be no error to Kerberos.
        if not error.min_code or told == ["Success"]:
            told = error.get_all_statuses(error.maj_code, True)
        words = "; ".join(told)
        number = _signed(error.min_code) - _BASE
        if number == _MALFORMED and self.principal:
            return OptionError(
                "rfc2136.principal", self.principal, "it must be a principal, as ansible@CORP.EXAMPLE.COM"
            )
        code = _CODES.get(number, "kerberos")
        if code == "kerberos" and isinstance(error, _EXPIRED):
            code = "no_ticket"
        if code == "no_ticket" and self.keytab:
            code = "bad_keytab"
            # It speaks of the cache that was to be filled.
            if number in (_NOT_IN_CACHE, _NO_CACHE):
                words = f"keytab '{self.keytab}' has no keys of {self.principal or 'a principal'}"
        if code == "unknown_service" and self._is_of_another_realm(words):
            code = "wrong_realm"
        return DnsError(
            code,
            f"no Kerberos ticket for {self.service}: {shown(one_line(words))}; {_ADVICE[code]}",
            _OPTIONS.get(code),
        )

    def _is_of_another_realm(self, words: str) -> bool:
        """Whether a KDC that does not know the server is one of another realm than the domain that the server lies in.

        Active Directory does not say what it does not know, others do.
        """
        realm = self.signer.rpartition("@")[2].lower()
        is_elsewhere = "." in self.server_name and not f".{self.server_name}".endswith(f".{realm}")
        return "krbtgt/" in words or is_elsewhere


def _signed(code: int) -> int:
    """A code as Kerberos's lists have it; GSS-API hands it on without its sign."""
    return code - 2**32 if code >= 2**31 else code
