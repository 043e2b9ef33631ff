# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask servers which TLS versions and cipher suites they accept, and compare it with what is documented."""

from __future__ import annotations

import collections
import concurrent.futures
import socket
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from .._agent.cipher_suites import DOCUMENTED, documented
from .._agent.tls_versions import VERSIONS
from .._basis.signals import leave_signals
from .._ssh.errors import SessionEnded, said
from .._ssh.server import Server
from .._vendor.communication import AGENT_PORT
from .handshake import ACCEPTED, CLOSED, LONGEST_REPLY, NOT_TLS, REFUSED, Reply, client_hello, not_tls, read_reply
from .offered import can_be_in, name_of, weaknesses
from .way import Deadline, NoAnswer, Straight, ThroughSsh, Unreachable

# Results of a target, besides REFUSED and NOT_TLS.
ANSWERED = "answered"
NO_ANSWER = "no_answer"
UNREACHABLE = "unreachable"
NOT_ASKED = "not_asked"

# The version that most servers speak comes first. If nobody answers to it, the others are not tried.
_ASKING_ORDER = ("1.2", "1.3", "1.1", "1.0")
_NEWEST_FIRST = ("1.3", "1.2", "1.1", "1.0")
_DEPRECATED = "deprecated (RFC 8996)"

# Replies that end a version: the server refuses all the remaining suites, so there is nothing more to find.
_SAID_NO = (REFUSED, CLOSED)


class Listener(NamedTuple):
    """A port to ask. With C(ssh), the SSH server connects to C(host), instead of this machine.

    server_name: the server's name in the handshake (SNI), None to send no name.
    """

    host: str
    port: int = AGENT_PORT
    agent_version: Optional[str] = None
    server_name: Optional[str] = None
    ssh: Optional[Server] = None


class Inquiry(NamedTuple):
    """What to ask, and how long it may take.

    versions: such as C(1.2). suites: code points. timeout: seconds for a handshake, from the connection to the answer.
    target_timeout: seconds for all questions to one target. concurrency: targets at a time.
    """

    versions: Tuple[str, ...]
    suites: Tuple[int, ...]
    timeout: float = 5
    target_timeout: float = 10
    concurrency: int = 100


class _Version:
    """What a target answers to one version of TLS. C(is_empty): whether there is nothing to offer in this version."""

    def __init__(self, state: str = NOT_ASKED, detail: str = "", is_empty: bool = False) -> None:
        self.state = state
        self.detail = detail
        self.is_empty = is_empty
        self.suites: List[int] = []
        self.order: Optional[str] = None
        self.complete = False

    def as_dict(self) -> Dict[str, Any]:
        return dict(
            state=self.state,
            suites=[name_of(suite) for suite in self.suites],
            order=self.order,
            complete=self.complete,
            detail=self.detail,
        )


def probe_all(targets: Sequence[Listener], inquiry: Inquiry) -> List[Dict[str, Any]]:
    """Ask all targets, C(concurrency) at a time. The results are in the targets' order. No server makes it raise.

    It takes at most C(target_timeout) seconds for every C(concurrency) targets, plus the time that the system needs to
    look up names.
    """
    users = collections.Counter(target.ssh for target in targets)
    gateways = {server: ThroughSsh(server, count) for server, count in users.items() if server}

    def probe_one(target: Listener) -> Dict[str, Any]:
        way = gateways[target.ssh] if target.ssh else Straight()
        try:
            return _Inquirer(target, way, inquiry).result()
        finally:
            way.close()

    if not targets:
        return []
    threads = min(inquiry.concurrency, len(targets))
    with concurrent.futures.ThreadPoolExecutor(threads, initializer=leave_signals) as pool:
        return list(pool.map(probe_one, targets))


class _Inquirer:
    """Asks one target."""

    def __init__(self, target: Listener, way: Union[Straight, ThroughSsh], inquiry: Inquiry) -> None:
        self._target = target
        self._way = way
        self._inquiry = inquiry
        self._deadline = Deadline(inquiry.target_timeout)

    def result(self) -> Dict[str, Any]:
        versions = {version: _Version() for version in sorted(self._inquiry.versions)}
        for version in _ASKING_ORDER:
            if version in versions:
                versions[version] = asked = self._version(version)
                if not _was_heard(versions) and asked.state in (NO_ANSWER, UNREACHABLE):
                    break
        return _result(self._target, self._inquiry, versions)

    def _version(self, version: str) -> _Version:
        """Find the suites of one version: each suite that the server chooses is left out of the next offer."""
        left = [suite for suite in self._inquiry.suites if can_be_in(suite, version)]
        if not left:
            return _Version(detail="none of the suites to offer exists in this version", is_empty=True)
        found = []
        while left:
            answer = self._ask(version, left)
            if answer.kind == CLOSED:
                # Without an alert, the connection may have ended by accident.
                answer = self._ask(version, left)
            if answer.kind != ACCEPTED:
                break
            found.append(answer.suite)
            left.remove(answer.suite)
        if not found:
            asked = _Version(REFUSED if answer.kind == CLOSED else answer.kind, answer.detail)
            asked.complete = answer.kind in _SAID_NO
            return asked
        asked = _Version(ACCEPTED, "accepted")
        asked.suites = found
        asked.complete = not left or answer.kind in _SAID_NO
        if not asked.complete:
            asked.detail = f"there may be more suites: {answer.detail}"
        if len(found) > 1:
            choice = self._ask(version, found[::-1])
            asked.order = {found[0]: "server", found[-1]: "client"}.get(choice.suite)
        return asked

    def _ask(self, version: str, suites: Sequence[int]) -> Reply:
        target = self._target
        try:
            deadline = self._deadline.within(self._inquiry.timeout)
        except NoAnswer:
            return Reply(NOT_ASKED, f"{self._inquiry.target_timeout:.3g} seconds for this target have passed")
        hello = client_hello(version, suites, target.server_name)
        try:
            connection = self._way.open(target.host, target.port, deadline)
            try:
                return _exchange(connection, hello, deadline, version, suites)
            finally:
                connection.close()
        except NoAnswer as error:
            return Reply(NO_ANSWER, str(error))
        except Unreachable as error:
            return Reply(UNREACHABLE, str(error))


def _exchange(connection: Any, hello: bytes, deadline: Deadline, version: str, suites: Sequence[int]) -> Reply:
    """Send the offer and read the answer, up to a limit of bytes. Raises C(NoAnswer) and C(Unreachable)."""
    received = b""
    try:
        connection.settimeout(deadline.left())
        connection.sendall(hello)
        while len(received) < LONGEST_REPLY:
            connection.settimeout(deadline.left())
            data = connection.recv(4096)
            if not data:
                break
            received += data
            answer = read_reply(received, version, suites)
            if answer:
                return answer
        else:
            return not_tls(f"it sends {len(received)} bytes without finishing its answer")
    except socket.timeout as error:
        raise NoAnswer(deadline.passed) from error
    except SessionEnded as error:
        raise Unreachable(str(error)) from error
    except OSError as error:
        return Reply(CLOSED, f"breaks the connection: {said(error)}")
    return Reply(CLOSED, f"closes the connection {'in the middle of' if received else 'without'} an answer")


def _was_heard(versions: Dict[str, _Version]) -> bool:
    return any(asked.state in (ACCEPTED, REFUSED, NOT_TLS) for asked in versions.values())


def _label(version: str) -> str:
    return f"TLSv{version}"


def _result(target: Listener, inquiry: Inquiry, versions: Dict[str, _Version]) -> Dict[str, Any]:
    accepted = [version for version in versions if versions[version].state == ACCEPTED]
    found: Dict[int, None] = {}
    for version in _NEWEST_FIRST:
        if version in accepted:
            found.update(dict.fromkeys(versions[version].suites))
    names = [name_of(suite) for suite in found]
    states = [asked.state for asked in versions.values()]
    state = next((kind for kind in (ACCEPTED, NOT_TLS, REFUSED, NO_ANSWER, UNREACHABLE) if kind in states), NOT_ASKED)
    details = {asked.detail: None for asked in versions.values() if asked.state == state}
    offered = [asked for asked in versions.values() if not asked.is_empty]
    return dict(
        host=target.host,
        port=target.port,
        ssh_host=target.ssh.host if target.ssh else None,
        state=ANSWERED if state == ACCEPTED else state,
        detail=f"accepts {', '.join(map(_label, accepted))}" if accepted else "; ".join(details),
        complete=bool(offered) and all(asked.complete for asked in offered),
        versions={_label(version): asked.as_dict() for version, asked in versions.items()},
        suites=names,
        weak={name: weaknesses(name) for name in names if weaknesses(name)},
        weak_versions={_label(version): _DEPRECATED for version in accepted if version < "1.2"},
        documented=_compare(target.agent_version, inquiry, versions, names) if target.agent_version else None,
    )


def _compare(
    agent_version: str, inquiry: Inquiry, versions: Dict[str, _Version], names: Sequence[str]
) -> Dict[str, Any]:
    """The differences between what was accepted and what is documented, for all that was offered and answered."""
    facts = documented(agent_version)
    is_documented = facts["state"] == DOCUMENTED
    is_heard = bool(versions) and all(asked.complete for asked in versions.values())
    not_offered = _not_offered(facts["suites"], inquiry)
    differences = dict(
        # A suite that was not found is only missing if it was offered and all answers arrived.
        missing=[name for name in facts["suites"] if is_heard and name not in names and name not in not_offered],
        additional=[name for name in names if is_documented and name not in facts["suites"]],
        **_differing_versions(facts["tls"], versions),
    )
    agrees = True if is_documented and is_heard and not not_offered else None
    return dict(
        agent_version=agent_version,
        state=facts["state"],
        certainty=facts["certainty"],
        reason=facts["reason"],
        source=facts["source"],
        suites=facts["suites"],
        agrees=False if any(differences.values()) else agrees,
        not_offered=not_offered,
        **differences,
    )


def _not_offered(suites: Sequence[str], inquiry: Inquiry) -> List[str]:
    """The suites that were not offered in every version in which they exist."""
    offered = {
        name_of(suite)
        for suite in inquiry.suites
        if all(version in inquiry.versions for version in VERSIONS if can_be_in(suite, version))
    }
    return [name for name in suites if name not in offered]


def _differing_versions(tls: Sequence[Dict[str, Any]], versions: Dict[str, _Version]) -> Dict[str, List[str]]:
    """Versions that are documented but refused, and versions that are documented as unsupported but accepted."""
    supported = {_label(row["version"][len("TLS ") :]): row["supported"] for row in tls}
    refused = [_label(version) for version, asked in versions.items() if asked.state == REFUSED and asked.complete]
    accepted = [_label(version) for version, asked in versions.items() if asked.state == ACCEPTED]
    return dict(
        missing_versions=[label for label in refused if supported.get(label)],
        additional_versions=[label for label in accepted if supported.get(label) is False],
    )
