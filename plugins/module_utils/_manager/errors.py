# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors between an option and the manager's reply, each with its own type."""

from __future__ import annotations

import typing as t

from .._basis.errors import Problem
from .._basis.text import one_line, shown


class ManagerError(Problem):
    """A request that failed.

    method, path: the request. url: the manager's base URL, if known. status: the HTTP status, None if no reply came.
    message: what came back, one printable line of at most 500 characters. outcome_unknown: true for a write that may or
    may not have happened.

    The base class is for a status that has no class of its own.
    """

    code = "unexpected_status"
    advice = "this is not a reply of the documented API"

    def __init__(
        self,
        method: str,
        path: str,
        *,
        url: str | None = None,
        status: int | None = None,
        message: str = "",
        outcome_unknown: bool = False,
    ) -> None:
        self.method = method
        self.path = shown(path)
        self.url = url
        self.status = status
        self.message = one_line(message)
        self.outcome_unknown = outcome_unknown
        doubt = "; it is not known whether the change was made" if outcome_unknown else ""
        super().__init__(self._sentence(doubt))

    @property
    def account(self) -> str:
        """What happened, as in the whole sentence, but without whether a change was made."""
        return self._sentence("")

    def _sentence(self, doubt: str) -> str:
        where = f" at {self.url}" if self.url else ""
        answered = f"the manager answered {self.status}" if self.status else ""
        what = ": ".join(part for part in (answered, self.message) if part)
        return f"{self.method} {self.path}{where} failed, {what or 'nothing came back'}{doubt} ({self.advice})"

    def as_failure(self) -> dict[str, t.Any]:
        """The failure for a module's result: C(code) is one word for tests, C(message) the whole sentence."""
        return {
            "code": self.code,
            "message": str(self),
            "method": self.method,
            "path": self.path,
            "status": self.status,
        }


class BadRequest(ManagerError):
    """400: the manager does not accept what was sent."""

    code = "bad_request"
    advice = "the manager's text says what it does not accept"


class Unauthorized(ManagerError):
    """401: the manager does not know the API key."""

    code = "unauthorized"
    advice = "check option api_key, and whether the key belongs to this manager; option deployment says how it is sent"


class Forbidden(ManagerError):
    """403: the API key may not do this, has expired, or is locked."""

    code = "forbidden"
    advice = "check the role of the API key, and whether the key has expired or is locked"


class NotFound(ManagerError):
    """404: there is no such object."""

    code = "not_found"
    advice = "it may have been removed meanwhile; if nothing at all is found, check option url"


class RateLimited(ManagerError):
    """429, even after minutes of waiting."""

    code = "rate_limited"
    advice = "set option requests_per_minute below the manager's limit, or run fewer tasks with this user at once"


class Unavailable(ManagerError):
    """5xx, even after retries."""

    code = "unavailable"
    advice = "check that the manager is up, and any proxy in front of it"


class ConnectionFailed(ManagerError):
    """No connection could be made, or it broke, even after retries."""

    code = "connection_failed"
    advice = "check option url, the network between here and there, and whether a proxy or jump_host is needed"


class TimedOut(ManagerError):
    """The manager did not answer in time, even after retries."""

    code = "timed_out"
    advice = "check the network, or raise option timeout"


class DeadlinePassed(ManagerError):
    """The task's time, from the option deadline, is over."""

    code = "deadline"
    advice = "raise option deadline, or run the task again: it continues where this run stopped"


class UntrustedCertificate(ManagerError):
    """The manager's certificate cannot be verified. Nothing was sent."""

    code = "untrusted_certificate"
    advice = (
        "name the PEM file of the CA that issued it in option ca_path, and use the name in it in option url; "
        "validate_certs: false would send the API key to whoever answers"
    )


class BadReply(ManagerError):
    """A successful reply that does not match the documentation of the manager's API."""

    code = "bad_reply"
    advice = "check that option url leads to the manager's API, and not to a portal or proxy"


class Redirected(ManagerError):
    """3xx: the manager redirects. Redirects are not followed, because they would also get the API key."""

    code = "redirected"
    advice = "redirects are not followed, since the API key would be sent along; check option url"


class JumpHostError(ManagerError):
    """The manager cannot be reached through the jump host. Nothing was sent."""

    code = "jump_host"
    advice = "check option jump_host"


class ProxyRefused(ManagerError):
    """The manager cannot be reached through the proxy. Nothing was sent to the manager."""

    code = "proxy"
    advice = "check option proxy, or HTTPS_PROXY and NO_PROXY in the environment"


class ProxyUnauthorized(ManagerError):
    """407 from a proxy: it needs a user name and password, or refuses these. Nothing was sent to the manager."""

    code = "proxy_unauthorized"
    advice = (
        "give http://USER:PASSWORD@HOST:PORT as option proxy or in the environment as HTTPS_PROXY, with what is special "
        "in a URL as %XX; only HTTP Basic authentication is supported"
    )


_BY_STATUS: dict[int, type[ManagerError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
}


def error_for_status(status: int) -> type[ManagerError]:
    """The type of error for an HTTP status other than 2xx."""
    if 300 <= status < 400:
        return Redirected
    if status >= 500:
        return Unavailable
    return _BY_STATUS.get(status, ManagerError)
