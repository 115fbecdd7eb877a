"""An API that answers in ways a good one does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket, bytes], None]

# It hangs up after every answer and says so, or the next request could be sent to a closing door.
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def pour(connection: socket.socket, head: bytes) -> None:
    """An answer that goes on for longer than anybody reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


class Upstream:
    """``behave(connection, head)``: what becomes of the next requests.

    ``heads``: of the requests that came, ``gone``: set when a connection is over.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        self.heads: list[bytes] = []
        self.gone, self.over = threading.Event(), threading.Event()
        self.behave: Behaviour = lambda connection, head: None

    def says(self, answer: bytes) -> None:
        self.behave = lambda connection, head: connection.sendall(answer)

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(60)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            self.heads.append(head)
            self.behave(connection, head)
        self.gone.set()


@contextmanager
def pretend() -> Iterator[Upstream]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        made = Upstream(door)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.over.set()
            # Closing alone does not wake who waits in accept().
            door.shutdown(socket.SHUT_RDWR)
            thread.join(60)
