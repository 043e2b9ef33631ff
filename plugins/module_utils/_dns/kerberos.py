# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kerberos half of updates that are signed with GSS-TSIG (RFC 3645), through the library gssapi.

It runs on the controller, like the conversation with the primary server. Messages never contain a ticket or key.
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
# If the machine has no Kerberos, the library raises an error that is not one of Python's own.
except Exception as import_error:
    GSSAPI_IMPORT_ERROR = f"{type(import_error).__name__}: {import_error}"
else:
    GSSAPI_IMPORT_ERROR = None
    _EXPIRED = (
        gssapi.exceptions.MissingCredentialsError,
        gssapi.exceptions.ExpiredCredentialsError,
        gssapi.exceptions.ExpiredContextError,
    )

# Error codes of MIT Kerberos, which Heimdal shares: the number that they are added to, and what each means here.
_BASE = -1765328384
_MALFORMED, _NOT_IN_CACHE, _NO_CACHE, _NO_REALM = 134, 141, 195, 224
_CODES = {
    6: "unknown_principal",  # the KDC does not know the client
    7: "unknown_service",  # the KDC does not know the server
    18: "unknown_principal",  # the client is locked
    23: "bad_keytab",  # the password has expired
    24: "bad_keytab",  # the KDC has another password
    31: "bad_keytab",  # the answer cannot be decrypted
    32: "no_ticket",  # the ticket has expired
    33: "bad_time",  # the ticket is not valid yet
    37: "bad_time",
    68: "wrong_realm",
    _NOT_IN_CACHE: "no_ticket",
    148: "bad_time",  # in the KDC's answer
    154: "no_kdc",  # the realm has no KDC
    156: "no_kdc",  # no KDC answers
    181: "bad_keytab",  # the principal is not in it
    _NO_CACHE: "no_ticket",
    220: "no_kdc",  # the KDC's address is not found
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
    "kerberos": "check krb5.conf; the server's and the KDC's logs may tell more",
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
    """The principal that signs, and for which server. C(signer) is the principal's name once there are tickets.

    C(server_name) is the host name in the server's service principal, C(DNS/host). If C(principal) is C(None), it is
    taken from the keytab or ticket cache. C(keytab) is a path. C(ticket_cache) is a path, or has a type such as
    C(KCM:). If both are missing, Kerberos's own environment variables count.
    """

    server_name: str
    principal: Optional[str]
    keytab: Optional[str]
    ticket_cache: Optional[str]
    signer: str = "nobody"

    @property
    def service(self) -> str:
        """The server's name in Kerberos, without the realm."""
        return f"DNS/{self.server_name}"

    def context(self) -> gssapi.SecurityContext:
        """The start of a conversation with the server. Raises C(DnsError), as C(problems) does."""
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
                # The server must prove its identity, and replayed messages are refused. The server gets no ticket to
                # act for us.
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
            # Tickets that the keytab gives are only kept in memory.
            store = {"client_keytab": f"FILE:{self.keytab}", "ccache": f"MEMORY:{uuid.uuid4()}"}
        elif self.ticket_cache:
            self._check_ticket_cache(self.ticket_cache)
            store = {"ccache": self.ticket_cache}
        name = None
        if self.principal:
            name = gssapi.Name(self.principal, gssapi.NameType.kerberos_principal)
        return gssapi.Credentials(name=name, usage="initiate", mechs=[gssapi.MechType.kerberos], store=store or None)

    @contextlib.contextmanager
    def problems(self) -> Iterator[None]:
        """Raise C(Problem) for errors of Kerberos in this block."""
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
        """Refuse a keytab that cannot be used. Kerberos itself would only say that there is no ticket cache."""
        try:
            is_keytab = read_beginning(path, 1) == b"\x05"
        except OSError as error:
            raise DnsError(
                "bad_keytab", f"keytab '{shown(path)}' cannot be read: {error.strerror}", "rfc2136.keytab"
            ) from error
        if not is_keytab:
            raise DnsError("bad_keytab", f"'{shown(path)}' is not a Kerberos keytab", "rfc2136.keytab")

    @staticmethod
    def _check_ticket_cache(cache: str) -> None:
        """Refuse a file that is none. Kerberos itself would wait for a pipe, and does not name what it does not find."""
        kind, colon, path = cache.partition(":")
        if colon and kind not in ("FILE", "WRFILE"):
            return
        try:
            read_beginning(path if colon else cache, 1)
        except OSError as error:
            raise DnsError(
                "no_ticket",
                f"ticket cache '{shown(cache)}' cannot be read: {error.strerror}; {_ADVICE['no_ticket']}",
                "rfc2136.ticket_cache",
            ) from error

    def _problem(self, error: gssapi.exceptions.GSSError) -> Problem:
        told = error.get_all_statuses(error.min_code, False)
        # An error of GSS-API, such as an expired ticket, may be no error to Kerberos.
        if not error.min_code or told == ["Success"]:
            told = error.get_all_statuses(error.maj_code, True)
        words = "; ".join(told)
        number = _signed(error.min_code) - _BASE
        if number == _MALFORMED and self.principal:
            return OptionError(
                "rfc2136.principal", self.principal, "it must be a principal, as ansible@CORP.EXAMPLE.COM"
            )
        if number == _NO_REALM and self.principal:
            return OptionError(
                "rfc2136.principal",
                self.principal,
                "it must have a realm, as ansible@CORP.EXAMPLE.COM, because krb5.conf has no default_realm",
            )
        code = _CODES.get(number, "kerberos")
        if code == "kerberos" and isinstance(error, _EXPIRED):
            code = "no_ticket"
        if code == "no_ticket" and self.ticket_cache:
            words = f"{words} (option rfc2136.ticket_cache is '{self.ticket_cache}')"
        if code == "no_ticket" and self.keytab:
            code = "bad_keytab"
            # The message is about the cache that should have been filled.
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
        """Whether a KDC that does not know the server belongs to another realm than the server's domain.

        Active Directory does not say what it does not know; other KDCs do.
        """
        realm = self.signer.rpartition("@")[2].lower()
        is_elsewhere = "." in self.server_name and not f".{self.server_name}".endswith(f".{realm}")
        return "krbtgt/" in words or is_elsewhere


def _signed(code: int) -> int:
    """A code with its sign, as Kerberos lists it. GSS-API drops the sign."""
    return code - 2**32 if code >= 2**31 else code
