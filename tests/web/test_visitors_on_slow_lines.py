"""Visitors who take their time to read an answer, and one who takes for ever."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from fronting import request_head
from upstreams import pour
from waiting import wait_until

from hyperfocal.server.reader import unacknowledged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")


@contextmanager
def asking(web):
    """A connection of a visitor, with little room for what is not read; the answer has begun."""
    with socket.socket() as visitor:
        # Before it is connected: then it is kept to.
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        visitor.settimeout(60)
        visitor.connect((web.host, web.port))
        visitor.sendall(request_head("GET", "/v1/results/a.png"))
        assert visitor.recv(100).startswith(b"HTTP/1.1 200 ")
        yield visitor


def read(visitor, count):
    while count > 0:
        piece = visitor.recv(count)
        assert piece, "closed"
        count -= len(piece)


def test_who_reads_slowly_is_not_given_up_and_who_stops_is(upstream, fronted, monkeypatch):
    now, looks = [1000.0], [0]

    def look():
        looks[0] += 1
        return now[0]

    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("hyperfocal.web.channel.time", clock)
    monkeypatch.setattr("hyperfocal.web.listen.time", SimpleNamespace(monotonic=look))
    monkeypatch.setattr("hyperfocal.web.listen._LOOK_SECONDS", 0.2)
    upstream.behave = pour
    with fronted(body_seconds=600) as web, asking(web) as visitor:
        (channel,) = web.server.active_channels.values()
        # More than all buffers hold: the rest waits here.
        wait_until(lambda: channel.total_outbufs_len > 1_000_000)

        def is_still():
            """Nothing has moved for as long as the server looked twice."""
            before, count = unacknowledged(channel.socket), looks[0]
            wait_until(lambda: looks[0] > count + 1)
            return before == unacknowledged(channel.socket) == channel._reader._left

        for _ in range(3):
            wait_until(is_still)
            now[0] += 400
            # Less than the system wants to be rid of before it takes more.
            read(visitor, 32_000)
            wait_until(lambda: channel._reader.at == now[0])
            assert channel.connected
        now[0] += 601
        assert upstream.gone.wait(60)
        web.until_idle()


def test_the_api_sees_that_a_slow_visitor_reads(upstream, fronted):
    sent, connections = [0], []

    def pour_counted(connection, head):
        connections.append(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent[0] += connection.send(b"x" * 65536)

    def arrived():
        before = sent[0]
        return before - unacknowledged(connections[0])

    upstream.behave = pour_counted
    with fronted(body_seconds=600) as web, asking(web) as visitor:
        # At first nothing waits anywhere, and then all that there can.
        for _ in range(30):
            before = arrived()
            read(visitor, 250_000)
            wait_until(lambda before=before: arrived() > before)
