"""What a client sends is parsed in turns, and not at all where it costs much more than it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import SimpleNamespace

import h11
import pytest
import uvicorn
from pretending import read_answer
from uvicorn.server import ServerState

from hyperfocal.server import parser
from hyperfocal.server.connection import PatientFor
from hyperfocal.server.parser import EVENTS_A_TURN, Parser

HEAD = (
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
# What a connection gives at once, of chunks of one byte.
TINY = b"1\r\na\r\n" * 43_690
# Refused, and whatever is left of its turn.
FEW = parser._CHUNKS + EVENTS_A_TURN


def chunk(size: int) -> bytes:
    return b"%x\r\n%s\r\n" % (size, b"x" * size)


def read(given: Parser, *pieces: bytes) -> list[h11.Event]:
    """All events of what comes in these pieces, over as many turns as it takes."""
    found: list[h11.Event] = []
    for piece in pieces:
        given.receive_data(piece)
        while True:
            given.begin_turn()
            before = len(found)
            while (event := given.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                found.append(event)
            assert len(found) - before <= EVENTS_A_TURN
            if not given.has_more:
                break
    return found


def body_of(events) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, h11.Data))


@pytest.fixture
def parsed(monkeypatch) -> list[object]:
    """Everything that any connection parses."""
    found, whole = [], h11.Connection.next_event

    def note(self):
        event = whole(self)
        if event not in (h11.NEED_DATA, h11.PAUSED):
            found.append(event)
        return event

    monkeypatch.setattr(h11.Connection, "next_event", note)
    return found


@pytest.mark.parametrize("size", [1, 10, 60])
def test_thousands_of_tiny_chunks_are_refused_as_soon_as_they_are_seen(parsed, size):
    with pytest.raises(h11.RemoteProtocolError, match="too many chunks"):
        read(Parser(), HEAD % b"/", chunk(size) * 100_000)
    assert len(parsed) < 20 * FEW


def test_nor_is_it_seen_later_where_they_come_one_by_one(parsed):
    given = Parser()
    with pytest.raises(h11.RemoteProtocolError, match="too many chunks"):
        # Cut so that the size and the byte are never read together.
        read(given, HEAD % b"/", *([b"1\r\n", b"a", b"\r\n"] * 43_690))
    assert len(parsed) <= FEW


@pytest.mark.parametrize(
    "chunks",
    [
        # The end of a form, its parts, text by lines, and a program that writes as it computes.
        [*[1 << 16] * 8, 1],
        [40, 2, 60, 2, 1 << 16, 1 << 16, 2, 44] * 30,
        [80] * 20_000,
        [*[1] * 900, 1 << 20],
    ],
)
def test_honest_clients_do_not_meet_it(chunks):
    events = read(Parser(), HEAD % b"/", b"".join(map(chunk, chunks)), END)
    assert len(body_of(events)) == sum(chunks)
    assert isinstance(events[-1], h11.EndOfMessage)


def test_nor_do_slow_ones(monkeypatch):
    clock = iter(range(100_000))
    # Only there: loops of other tests' services, which go on meanwhile, would sleep for hours.
    slow = SimpleNamespace(monotonic=lambda: next(clock) / parser._CHUNKS_A_SECOND)
    monkeypatch.setattr(parser, "time", slow)
    events = read(Parser(), HEAD % b"/", *([chunk(1)] * 5000), END)
    assert len(body_of(events)) == 5000


def test_nor_is_it_about_how_the_network_cuts_a_body():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
    assert len(body_of(read(Parser(), head, *([b"x"] * 5000)))) == 5000


def test_every_request_of_a_connection_counts_by_itself():
    given = Parser()
    for _ in range(3):
        read(given, HEAD % b"/", chunk(1) * 900, END)
        given.send(h11.Response(status_code=204, headers=[]))
        given.send(h11.EndOfMessage())
        given.start_next_cycle()


def test_many_fields_are_refused_wherever_they_stand():
    fields = b"a:\r\n" * 60_000
    given = Parser()
    with pytest.raises(h11.RemoteProtocolError, match="in the head"):
        read(given, b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
    assert given.is_head_too_large
    with pytest.raises(h11.RemoteProtocolError, match="too long"):
        read(Parser(), HEAD % b"/", b"0\r\n" + fields + b"\r\n")
    with pytest.raises(h11.RemoteProtocolError, match="behind the body"):
        read(Parser(), HEAD % b"/", b"0\r\n" + fields[:4000] + b"\r\n")


def test_some_are_not():
    fields = b"".join(b"x-%d: %d\r\n" % (number, number) for number in range(150))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + fields + b"\r\n"
    # Lines of the body are none of the head's.
    events = read(
        Parser(), head + chunk(1) + b"2000\r\n" + b"\n" * 8192 + b"\r\n0\r\n" + fields + b"\r\n"
    )
    assert len(body_of(events)) == 8193


@pytest.mark.parametrize(
    ("path", "status"),
    # Read; answered, and read to throw it away; refused before.
    [(b"/v1/upscale", 400), (b"/healthz", 405), (b"/v1/jobs", 401)],
)
def test_such_a_client_is_refused_and_closed(pretending, tmp_path, parsed, path, status):
    from hyperfocal.server.security.keys import add_key

    keys = tmp_path / "keys"
    add_key(keys, "a", ("use",))
    changes = {"keys": keys} if status == 401 else {}
    with pretending(**changes) as running, running.connection() as connection:
        parsed.clear()
        # It is closed meanwhile.
        with contextlib.suppress(OSError):
            connection.sendall(HEAD % path)
            if status != 400:
                assert read_answer(connection)[0] == status
            connection.sendall(TINY)
        with contextlib.suppress(ConnectionResetError):
            if status == 400:
                answered, headers, body = read_answer(connection)
                assert (answered, headers["connection"]) == (400, "close")
                assert "chunks" in json.loads(body)["detail"]
            assert connection.recv(10) == b""
        running.until_clean()
        assert len(parsed) <= FEW
        assert running.ready()


def test_what_is_pipelined_has_its_turn(running):
    # Nobody reads the bodies, which are longer than a turn.
    refused = HEAD % b"/nowhere" + chunk(100) * (3 * EVENTS_A_TURN) + END
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with running.connection() as connection:
        connection.sendall((refused + asked) * 5)
        seen = connection.makefile("rb")
        found = []
        for _ in range(10):
            found.append(int(seen.readline().split()[1]))
            length = 0
            while line := seen.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            seen.read(length)
    assert found == [404, 200] * 5


class Pipe(asyncio.Transport):
    """``is_read``: what the client sends now would be read."""

    is_read, closing, written = True, False, b""

    def get_extra_info(self, name, default=None):
        return default

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    abort = close


class Bench:
    """A connection without a network. ``body``: what the application has read, once it may."""

    def __init__(self) -> None:
        self.may_read, self.body, self.ended = asyncio.Event(), b"", asyncio.Event()
        config = uvicorn.Config(self._answer, interface="asgi3", ws="none", log_config=None)
        self.made = PatientFor(config, ServerState(), {}, asyncio.get_running_loop())
        self.pipe = Pipe()
        self.made.connection_made(self.pipe)

    async def _answer(self, scope, receive, send):
        await self.may_read.wait()
        while True:
            message = await receive()
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        self.ended.set()

    def send(self, data: bytes) -> None:
        assert self.pipe.is_read
        self.made.data_received(data)

    async def end(self, count: int) -> None:
        """End the body, of which so many bytes are to have been read."""
        self.send(END)
        await self.ended.wait()
        assert len(self.body) == count
        self.made.connection_lost(None)


def test_others_get_their_turn_in_between(parsed):
    async def run() -> None:
        bench, whole = Bench(), chunk(100) * 2500
        bench.send(HEAD % b"/" + whole)
        turns = 0
        while not bench.pipe.is_read and len(parsed) < 2500:
            before = len(parsed)
            await asyncio.sleep(0)
            # Nothing more is read before this is parsed, whoever would take it.
            bench.made.flow.resume_reading()
            assert len(parsed) - before <= EVENTS_A_TURN
            turns += 1
        assert turns >= 2500 // EVENTS_A_TURN
        bench.may_read.set()
        await asyncio.sleep(0.01)
        await bench.end(250_000)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_body_that_is_not_taken_is_still_not_read_on():
    async def run() -> None:
        bench = Bench()
        bench.send(HEAD % b"/" + chunk(100) * 2500)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not bench.pipe.is_read
        assert bench.made._turn is None
        bench.may_read.set()
        while not bench.pipe.is_read:
            await asyncio.sleep(0)
        await bench.end(250_000)

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize(
    "tail", [chunk(100) * (EVENTS_A_TURN + 40) + b"zz\r\n", TINY], ids=["rubbish", "tiny"]
)
def test_who_asked_for_a_head_is_refused_with_one_and_closed(tail):
    async def run() -> None:
        bench = Bench()
        bench.send((HEAD % b"/").replace(b"POST", b"HEAD", 1) + tail)
        while not bench.pipe.closing:
            await asyncio.sleep(0)
        head, _, body = bench.pipe.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert body == b""
        bench.made.connection_lost(None)
        bench.may_read.set()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_connection_whose_next_turn_fails_is_closed(monkeypatch, caplog):
    async def run() -> None:
        bench = Bench()
        bench.send(HEAD % b"/" + chunk(100) * (2 * EVENTS_A_TURN))
        monkeypatch.setattr(bench.made.conn, "next_event", lambda: 1 / 0)
        while not bench.pipe.closing:
            await asyncio.sleep(0)
        bench.made.connection_lost(None)
        bench.may_read.set()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert "ZeroDivisionError" in caplog.text


def test_a_client_that_leaves_in_the_middle_is_parsed_no_further(parsed):
    async def run() -> None:
        bench = Bench()
        bench.send(HEAD % b"/" + chunk(100) * 2500)
        bench.pipe.closing = True
        bench.made.connection_lost(ConnectionResetError())
        seen = len(parsed)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(parsed) == seen <= EVENTS_A_TURN
        bench.may_read.set()

    asyncio.run(asyncio.wait_for(run(), 60))
