"""Clients that take their time to read an answer, and one that takes for ever."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from waiting import wait_until

from hyperfocal.server.reader import unacknowledged

SIZE = 8_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")


def test_who_reads_slowly_is_not_given_up_and_who_stops_is(pretending, monkeypatch):
    now, looks = [1000.0], [0]

    def look():
        looks[0] += 1
        return now[0]

    monkeypatch.setattr("hyperfocal.server.connection.time", SimpleNamespace(monotonic=look))
    monkeypatch.setattr("hyperfocal.server.connection._LOOK_SECONDS", 0.2)
    with pretending(body_seconds=600) as running, running.connection(room=1 << 14) as connection:
        running.client.close()
        head = f"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n"
        connection.sendall(head.encode() + b"x" * SIZE)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        (protocol,) = (each for each in running.server.server_state.connections if each.is_busy)
        # More than all buffers hold: the rest waits here.
        wait_until(lambda: protocol.flow.write_paused)

        def is_still():
            """Nothing has moved for as long as the server looked twice."""
            before, count = left(protocol.transport), looks[0]
            wait_until(lambda: looks[0] > count + 1)
            return before == left(protocol.transport) == protocol.reader._left

        for _ in range(3):
            wait_until(is_still)
            now[0] += 400
            # Much less than the system wants to be rid of before it takes more.
            read(connection, 40_000)
            wait_until(lambda: protocol.reader.at == now[0])
            assert not protocol.transport.is_closing()
        now[0] += 601
        wait_until(lambda: protocol not in running.server.server_state.connections)
        running.until_clean()


def left(transport) -> int:
    socket = transport.get_extra_info("socket")
    return transport.get_write_buffer_size() + unacknowledged(socket)


def read(connection, count: int) -> None:
    while count > 0:
        piece = connection.recv(count)
        assert piece, "closed"
        count -= len(piece)
