# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask one name server one question. A host's resolver library does not tell which server said what.

Anybody may send anything back. Messages that do not belong to the question are ignored, and the time to read an answer
is linear in its length.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import time
from typing import Any, Callable, List, NamedTuple, Tuple

from .._basis.text import shown
from .records import Record

NOERROR = "NOERROR"
NXDOMAIN = "NXDOMAIN"
_CODES = (NOERROR, "FORMERR", "SERVFAIL", NXDOMAIN, "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH")

_TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
_TYPE_NAMES = {number: name for name, number in _TYPES.items()}
_INTERNET = 1

_HEADER = struct.Struct("!6H")
_IS_ANSWER, _OPCODE, _TRUNCATED, _RECURSION_DESIRED, _CODE = 0x8000, 0x7800, 0x0200, 0x0100, 0x000F
_LONGEST_NAME = 255

# A datagram may be lost, so the question is sent this often within its time.
_TRIES = 3


class DnsTimeout(OSError):
    """The server did not answer in time."""


class DnsMalformed(OSError):
    """The server answered with something that is not a DNS message."""


class Response(NamedTuple):
    """What a server said.

    code: C(NOERROR), C(NXDOMAIN), C(SERVFAIL), C(REFUSED), or the number of any other code. records: the A, AAAA and
    CNAME records of the answer in its order, those that CNAMEs lead to included.
    """

    code: str
    records: List[Record]


def look_up(server: str, name: str, type: str, timeout: float, port: int = 53) -> Response:
    """Ask the server at an IP address for a name's records of C(type): C(A), C(AAAA) or C(CNAME).

    Uses UDP, and TCP if the answer is too long for UDP. C(timeout): seconds for all of it. Raises C(ValueError) for a
    wrong server, name or type, C(DnsTimeout), C(DnsMalformed), and any other C(OSError) of the network, such as
    C(ConnectionRefusedError) if there is no server.
    """
    ipaddress.ip_address(server.partition("%")[0])
    if type not in _TYPES:
        raise ValueError(f"records of type {type!r} cannot be asked for, only {', '.join(_TYPES)}")
    question = _encoded(name) + struct.pack("!2H", _TYPES[type], _INTERNET)
    query = _HEADER.pack(int.from_bytes(os.urandom(2), "big"), _RECURSION_DESIRED, 1, 0, 0, 0) + question
    late = DnsTimeout(f"no answer from {server} port {port} within {timeout:.3g} seconds")
    # This only converts numeric addresses, so it does not wait for any name server.
    family, _kind, _protocol, _name, where = socket.getaddrinfo(
        server, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    deadline = time.monotonic() + timeout
    try:
        reply = by_datagram(family, where, query, deadline, lambda reply: _is_reply(reply, query))
        if _HEADER.unpack_from(reply)[1] & _TRUNCATED:
            reply = by_stream(family, where, query, deadline)
            if not _is_reply(reply, query):
                raise DnsMalformed(f"the answer over TCP does not belong to the question: {reply[:24]!r}")
    except socket.timeout:
        raise late from None
    return _read(reply)


def _encoded(name: str) -> bytes:
    labels = (name[:-1] if name.endswith(".") else name).encode("ascii").split(b".")
    encoded = b"".join(bytes([len(label) & 0xFF]) + label for label in labels) + b"\0"
    if not all(0 < len(label) < 64 for label in labels) or len(encoded) > _LONGEST_NAME:
        raise ValueError(f"'{shown(name)}' is not a name that DNS can hold")
    return encoded


def by_datagram(
    family: int, where: Tuple[Any, ...], query: bytes, deadline: float, is_reply: Callable[[bytes], bool]
) -> bytes:
    """Send a query to a server with UDP until its answer comes. Everything else that comes is ignored.

    C(where) is the socket address, C(deadline) a time of C(time.monotonic()). Raises C(socket.timeout) after it, and
    any other C(OSError) of the network.
    """
    pause = (deadline - time.monotonic()) / _TRIES
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        # Connected, so that only the server's datagrams arrive, and a port without a server is an error at once.
        connection.connect(where)
        while True:
            connection.send(query)
            again = min(deadline, time.monotonic() + pause)
            try:
                while True:
                    connection.settimeout(_left(again))
                    reply = connection.recv(65535)
                    if is_reply(reply):
                        return reply
            except socket.timeout:
                _left(deadline)


def by_stream(family: int, where: Tuple[Any, ...], query: bytes, deadline: float) -> bytes:
    """Send a query to a server with TCP, and return the first message that comes back, whatever it is.

    Arguments and errors are those of C(by_datagram), and C(DnsMalformed) if the connection ends within the message.
    """
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(_left(deadline))
        connection.connect(where)
        connection.sendall(struct.pack("!H", len(query)) + query)
        (length,) = struct.unpack("!H", _receive(connection, 2, deadline))
        return _receive(connection, length, deadline)


def _receive(connection: socket.socket, length: int, deadline: float) -> bytes:
    received = b""
    while len(received) < length:
        connection.settimeout(_left(deadline))
        data = connection.recv(length - len(received))
        if not data:
            raise DnsMalformed("the connection ends in the middle of the answer")
        received += data
    return received


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _is_reply(reply: bytes, query: bytes) -> bool:
    """Whether this is an answer, and the answer to this query."""
    if len(reply) < _HEADER.size:
        return False
    fields: Tuple[int, int, int] = struct.unpack_from("!3H", reply)
    number, flags, questions = fields
    if number != struct.unpack_from("!H", query)[0] or not flags & _IS_ANSWER or flags & _OPCODE:
        return False
    # A server that refuses a question may omit it from the answer.
    if questions == 0:
        return flags & _CODE != 0
    question = query[_HEADER.size :]
    return questions == 1 and reply[_HEADER.size :][: len(question)].lower() == question.lower()


def _read(reply: bytes) -> Response:
    _number, flags, questions, answers, _authority, _additional = _HEADER.unpack_from(reply)
    code = flags & _CODE
    records = []
    try:
        position = _HEADER.size
        for _question in range(questions):
            _name, position = _read_name(reply, position)
            position += 4
        for _answer in range(answers):
            name, position = _read_name(reply, position)
            kind, group, ttl, length = struct.unpack_from("!HHIH", reply, position)
            position += 10
            if position + length > len(reply):
                raise ValueError("a record is longer than the message")
            if group == _INTERNET and kind in _TYPE_NAMES:
                value = _read_value(reply, position, length, kind)
                # A TTL with its highest bit set counts as 0 (RFC 2181, section 8).
                records.append(Record(name, _TYPE_NAMES[kind], value, 0 if ttl >> 31 else ttl))
            position += length
    except (ValueError, IndexError, struct.error) as error:
        raise DnsMalformed(f"the answer cannot be read: {error}") from error
    return Response(_CODES[code] if code < len(_CODES) else str(code), records)


def _read_value(reply: bytes, position: int, length: int, kind: int) -> str:
    if kind == _TYPES["CNAME"]:
        target, end = _read_name(reply, position)
        if end != position + length:
            raise ValueError("a CNAME is longer than its name")
        return target
    address = ipaddress.ip_address(reply[position : position + length])
    if address.version != (4 if kind == _TYPES["A"] else 6):
        raise ValueError(f"an address of {length} bytes in a record of type {_TYPE_NAMES[kind]}")
    return str(address)


def _read_name(reply: bytes, position: int) -> Tuple[str, int]:
    """A name, and the position after it. Pointers only lead backward, so this always ends."""
    labels: List[str] = []
    size = 1
    end = None
    lowest = position
    while reply[position]:
        length = reply[position]
        if length >= 0xC0:
            (pointer,) = struct.unpack_from("!H", reply, position)
            end = position + 2 if end is None else end
            position = pointer & 0x3FFF
            if not _HEADER.size <= position < lowest:
                raise ValueError("a name points forward, or in a circle")
            lowest = position
            continue
        label = reply[position + 1 : position + 1 + length]
        size += 1 + length
        if length > 63 or len(label) < length or size > _LONGEST_NAME:
            raise ValueError("a name is too long")
        labels.append(_shown(label))
        position += 1 + length
    return ".".join(labels), position + 1 if end is None else end


def _shown(label: bytes) -> str:
    """A label as text, in lower case. Dots and all but printable ASCII become digits as in RFC 1035, section 5.1."""
    return "".join(
        chr(byte) if 0x21 <= byte < 0x7F and byte not in b".\\" else f"\\{byte:03d}" for byte in label.lower()
    )
