# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first broken step on the way to an endpoint: the likely cause in words, and how to fix it."""

from __future__ import annotations

import errno
import ipaddress
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from .._basis.text import enumerated, shown
from .._dns.wire import NOERROR, NXDOMAIN
from . import tls
from .endpoints import HEARTBEAT, Endpoint
from .listening import Listening
from .resolution import ADDRESS_SOURCE, HOSTS_FILE_SOURCE, Resolution, Said
from .sources import HOSTS_FILE, NSSWITCH_CONF, RESOLV_CONF, Sources

# The steps, in their order.
RESOLUTION = "resolution"
TCP = "tcp"
TLS = "tls"
CERTIFICATE = "certificate"
LISTENING = "listening"

_LOCAL_DNS = "workload_security.agent.local_dns"
_DIRECTION = "workload_security.agent.communication_direction"

_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL)


class Attempt(NamedTuple):
    """A connection that was tried. C(number): the error's number; C(None) if it was made or if nobody answered."""

    address: str
    error: Optional[str]
    number: Optional[int]
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """For the module's result."""
        return dict(
            address=self.address, connected=self.error is None, error=self.error, seconds=round(self.seconds, 3)
        )


class Problem(NamedTuple):
    """The step that failed, the most likely cause, and what to do."""

    step: str
    cause: str
    remedy: str


def diagnose(
    endpoint: Endpoint,
    sources: Sources,
    resolution: Resolution,
    attempts: Sequence[Attempt],
    handshake: Optional[tls.Handshake],
) -> Optional[Problem]:
    """The first problem on the way to an endpoint; C(None) if there is none."""
    if not resolution.addresses:
        return Problem(RESOLUTION, *_unresolved(endpoint, sources, resolution))
    if attempts and all(attempt.error for attempt in attempts):
        return Problem(TCP, *_unconnected(endpoint, resolution, attempts))
    if not endpoint.tls:
        return None if attempts else Problem(TLS, *_unspoken(endpoint, None))
    if handshake is None or handshake.failed:
        return Problem(TLS, *_unspoken(endpoint, handshake))
    # On-premises managers have self-signed certificates, and agents keep trusting the first one that they have seen.
    if endpoint.is_cloud and not handshake.trusted:
        return Problem(CERTIFICATE, *_untrusted(endpoint, handshake))
    if endpoint.is_cloud and not handshake.chain[0].is_for(endpoint.name):
        return Problem(CERTIFICATE, *_foreign(endpoint, handshake))
    return None


def diagnose_listening(listening: Listening) -> Optional[Problem]:
    """The problem of a host whose agent should listen but does not."""
    if listening.listens is not False:
        return None
    return Problem(
        LISTENING,
        f"{_nothing_listens(listening)}: the agent does not run, or it initiates all communication",
        f"start the agent, and see with workload_security.agent.communication_info which direction it has;"
        f" {_DIRECTION} changes it",
    )


def _nothing_listens(listening: Listening) -> str:
    if not listening.addresses:
        return f"nothing listens on port {listening.port}"
    return (
        f"port {listening.port} is listened on for this host alone ({enumerated(listening.addresses)}), and no manager can"
        " reach that"
    )


def _unresolved(endpoint: Endpoint, sources: Sources, resolution: Resolution) -> Sequence[str]:
    name = endpoint.name
    if not endpoint.documented and endpoint.is_cloud:
        return (
            f"{name} has no address on this host, and the vendor does not document it for this region: it may not exist",
            "nothing, unless the vendor says that agents of this region need it",
        )
    record = (
        f"add an A or AAAA record for {name} to the site's DNS, or a line to {HOSTS_FILE}, for example with"
        f" {_LOCAL_DNS}"
    )
    public = (
        f"let the site's name servers resolve {name.partition('.')[2]} from the internet; or {record}"
        if endpoint.is_public
        else record
    )
    if not sources.asks_dns:
        return (
            f"{NSSWITCH_CONF} does not let this host ask DNS (hosts: {shown(' '.join(sources.services), 200)}), and {HOSTS_FILE}"
            f" does not name {name}",
            f"add dns to the line hosts: of {NSSWITCH_CONF}; or add {name} to {HOSTS_FILE}, for example with"
            f" {_LOCAL_DNS} and its option hosts_file",
        )
    knowing = [said for said in resolution.answers if said.addresses]
    denying = [said for said in resolution.answers if said.code == NXDOMAIN and said.server not in _servers(knowing)]
    refusing = [said for said in resolution.answers if said.code not in (None, NOERROR, NXDOMAIN)]
    mute = [said for said in resolution.answers if said.error]
    if knowing and denying:
        return (
            f"the name servers do not agree: {NXDOMAIN} from {_named(denying)}, but an address from {_named(knowing)},"
            " and this host believes the first one that answers",
            f"{record}, on all the name servers in {RESOLV_CONF}; or take the others out",
        )
    if knowing and mute:
        return (
            f"this host's resolver waits for {_named(mute)}, which does not answer, before it asks {_named(knowing)},"
            f" which knows {name}",
            f"take {_named(mute)} out of {RESOLV_CONF}, or bring it back; agents wait as long as this host does",
        )
    if knowing:
        return (
            f"{name} is known to {_named(knowing)}, but this host's own resolver says: {resolution.error}",
            f"look at the order of services in {NSSWITCH_CONF}, and at what a local cache, such as nscd, sssd or"
            " systemd-resolved, has cached",
        )
    if denying:
        return f"no name server knows {name}: {NXDOMAIN} from {_named(denying)}", public
    if refusing:
        codes = ", ".join(sorted({str(said.code) for said in refusing}))
        return (
            f"no name server has an answer for {name}: {codes} from {_named(refusing)}",
            "let the name server answer this host (REFUSED), and make sure that it can reach the servers that it asks in"
            " turn"
            f" (SERVFAIL); or put other servers into {RESOLV_CONF}",
        )
    if mute:
        errors = "; ".join(f"{said.server}: {said.error}" for said in mute)
        return (
            f"no name server answers this host ({errors})",
            f"put name servers that this host can reach into {RESOLV_CONF}, and let UDP and TCP port 53 to them through"
            f" firewalls; or add {name} to {HOSTS_FILE} with {_LOCAL_DNS} and its option hosts_file",
        )
    return f"{name} has no address: neither an A nor an AAAA record from {_named(resolution.answers)}", record


def _unconnected(endpoint: Endpoint, resolution: Resolution, attempts: Sequence[Attempt]) -> Sequence[str]:
    where = f"{endpoint.name} port {endpoint.port}"
    tried = "; ".join(f"{attempt.address}: {attempt.error}" for attempt in attempts)
    told = {address for said in resolution.answers for address in said.addresses}
    if resolution.source == HOSTS_FILE_SOURCE and told and not told & set(resolution.addresses):
        line = next(line for line in resolution.hosts_lines if line.address in resolution.addresses)
        return (
            f"line {line.line} of {HOSTS_FILE} gives {endpoint.name} the address {line.address}, to which this"
            f" host cannot connect ({tried}); DNS says {enumerated(sorted(told))}",
            f"take the name out of line {line.line} of {HOSTS_FILE}, or put the right address there with {_LOCAL_DNS}",
        )
    if all(_is_own(attempt.address) for attempt in attempts):
        if resolution.source == ADDRESS_SOURCE:
            return (
                f"{endpoint.name} is an address of this host itself ({tried})",
                f"set the option that has {endpoint.name} to {endpoint.server}'s own name or address",
            )
        return (
            f"{endpoint.name} resolves to this host itself ({tried})",
            f"give {endpoint.name} {endpoint.server}'s address where it is resolved ({resolution.source}), with {_LOCAL_DNS}",
        )
    numbers = {attempt.number for attempt in attempts}
    if numbers == {errno.ECONNREFUSED}:
        return (
            f"{where} refuses connections ({tried}): nothing listens there, or a firewall rejects them",
            f"make sure that {endpoint.server} runs, and that this is its port{_port_hint(endpoint)};"
            f" let TCP port {endpoint.port} through firewalls",
        )
    if numbers <= set(_NO_WAY):
        return (
            f"there is no way from this host to {where} ({tried})",
            f"make sure that this host has a route to {', '.join(attempt.address for attempt in attempts)}, and that this"
            " is"
            f" {endpoint.server}'s address",
        )
    return (
        f"cannot connect to {where} ({tried}): most likely a firewall drops the packets, or no machine has this address",
        f"let TCP port {endpoint.port} from this host to {', '.join(attempt.address for attempt in attempts)} through"
        f" firewalls, and make sure that this is {endpoint.server}'s address",
    )


def _unspoken(endpoint: Endpoint, handshake: Optional[tls.Handshake]) -> Sequence[str]:
    where = f"{endpoint.name} port {endpoint.port}"
    if handshake is None:
        return f"the time ran out before {where} could be tried", "raise option timeout"
    if handshake.failed == tls.NOT_TLS:
        return (
            f"{where} {handshake.error}",
            "make sure that this is the manager's port, that no load balancer on the way ends TLS, and that no proxy"
            " answers"
            " in its place",
        )
    if handshake.failed == tls.REFUSED:
        return (
            f"{where} refuses TLS up to version 1.2: {handshake.error}",
            "let the manager, and whatever is in front of it, accept TLS 1.2 with a suite that the agents speak;"
            " workload_security.agent.agent_cipher_probe shows what it accepts",
        )
    return (
        f"{where} takes the connection and then {handshake.error}: most likely a firewall or proxy that looks into TLS"
        " stops it, or the service is not ready",
        f"let TLS from this host to {where} through uninspected, and make sure that the manager runs",
    )


def _untrusted(endpoint: Endpoint, handshake: tls.Handshake) -> Sequence[str]:
    leaf = handshake.chain[0]
    # If the handshake ended before that, nobody knows whether a CA would vouch for the certificate.
    because = str(handshake.untrusted_because or handshake.error)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # The expired certificate may also be that of a CA.
    if not leaf.not_before <= now <= leaf.not_after:
        return (
            f"the certificate of {endpoint.name} is valid from {leaf.not_before} to {leaf.not_after}, and this host's"
            " clock says another time",
            "set this host's clock, for example by NTP (UDP port 123)",
        )
    return (
        f"no CA that this host trusts vouches for the certificate of {endpoint.name} ({because});"
        f" its issuer is {leaf.issuer}. Most likely a proxy or firewall opens TLS on the way, which agents do not"
        " accept; or this host lacks the public CAs",
        f"exempt *.{endpoint.name.partition('.')[2]} from TLS inspection; where the issuer is a public CA, bring this"
        " host's CA certificates up to date",
    )


def _foreign(endpoint: Endpoint, handshake: tls.Handshake) -> Sequence[str]:
    leaf = handshake.chain[0]
    return (
        f"the certificate is for {enumerated(leaf.names, 5) or leaf.subject}, not for {endpoint.name}: another server"
        " answers, or a proxy opens TLS on the way",
        f"make sure that {endpoint.name} resolves to the vendor's addresses, and exempt it from TLS inspection",
    )


def _port_hint(endpoint: Endpoint) -> str:
    is_own = endpoint.check == HEARTBEAT and not endpoint.is_public
    return " (options manager and heartbeat_port)" if is_own else ""


def _servers(answers: Sequence[Said]) -> List[str]:
    return list(dict.fromkeys(said.server for said in answers))


def _named(answers: Sequence[Said]) -> str:
    return " and ".join(_servers(answers))


def _is_own(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
