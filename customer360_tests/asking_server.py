"""A server that speaks as much of PostgreSQL's protocol as a log-in takes, and notes it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_NO_ENCRYPTION = {80877103, 80877104}  # requests for SSL and GSS, in place of a version
_ASKS_FOR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)
_LETS_IN = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"


@dataclass
class AskingServer:
    """Lets everybody in who gives a password, and leaves at the first query.

    Attributes:
        port: Of the loopback.
        came: User, database and password of each log-in, in order.
    """

    port: int
    came: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def asking_server() -> Iterator[AskingServer]:
    """Such a server, until the end of the ``with``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = AskingServer(listening.getsockname()[1])
        threading.Thread(target=_serve, args=(listening, server), daemon=True).start()
        yield server


def _serve(listening: socket.socket, server: AskingServer) -> None:
    with suppress(OSError):  # the socket is closed: the end
        while True:
            client, _ = listening.accept()
            with client, suppress(EOFError, ConnectionError):
                _let_in(client, server)


def _let_in(client: socket.socket, server: AskingServer) -> None:
    while struct.unpack("!i", (start := _message(client))[:4])[0] in _NO_ENCRYPTION:
        client.sendall(b"N")
    words = start[4:].decode().split("\0")
    stated = dict(zip(words[::2], words[1::2], strict=False))
    client.sendall(_ASKS_FOR_PASSWORD)
    assert _exactly(client, 1) == b"p"
    password = _message(client).rstrip(b"\0").decode()
    server.came.append((stated["user"], stated["database"], password))
    client.sendall(_LETS_IN)
    client.recv(1)  # a query, or that the client leaves


def _message(client: socket.socket) -> bytes:
    (length,) = struct.unpack("!i", _exactly(client, 4))
    return _exactly(client, length - 4)


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = client.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found
