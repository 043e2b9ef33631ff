# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server on loopback that sends what a test tells it, built with another library or byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import typing as t

import dns.message
import dns.rrset

Reply = t.Callable[[bytes], t.Iterable[bytes]]


def answered(query: bytes, *rrsets: tuple, rcode: int = 0, flags: int = 0) -> bytes:
    """The reply of a correct server, built with another library."""
    response = dns.message.make_response(dns.message.from_wire(query))
    response.answer = [dns.rrset.from_text(name + ".", *rest) for name, *rest in rrsets]
    response.set_rcode(rcode)
    response.flags |= flags
    return response.to_wire()


def silence(query: bytes) -> t.Iterable[bytes]:
    """No answer."""
    return []


@contextlib.contextmanager
def server(by_datagram: Reply, by_stream: Reply = silence, host: str = "127.0.0.1", port: int = 0) -> t.Iterator[int]:
    """Yields the port of a server that answers each query with what these return. Over TCP, no length is added."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener, socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        listener.bind((host, port))
        listener.listen()
        port = listener.getsockname()[1]
        datagrams.bind((host, port))

        def serve_datagrams() -> None:
            with contextlib.suppress(OSError):
                while True:
                    query, sender = datagrams.recvfrom(65535)
                    if not query:
                        return
                    for reply in by_datagram(query):
                        datagrams.sendto(reply, sender)

        def serve_streams() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _sender = listener.accept()
                    with connection:
                        length = connection.recv(2, socket.MSG_WAITALL)
                        if not length:
                            return
                        query = connection.recv(struct.unpack("!H", length)[0], socket.MSG_WAITALL)
                        for part in by_stream(query):
                            connection.sendall(part)

        threads = [threading.Thread(target=serve) for serve in (serve_datagrams, serve_streams)]
        for thread in threads:
            thread.start()
        try:
            yield port
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (host, port))
            socket.create_connection((host, port)).close()
            for thread in threads:
                thread.join(10)
                assert not thread.is_alive()
