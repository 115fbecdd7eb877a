"""The service on loopback as ``hyperfocal serve`` runs it, with a pool that does as it is told."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx
from waiting import wait_until

from hyperfocal.errors import BrokenPicture, ModelMissing
from hyperfocal.server.app import create_app
from hyperfocal.server.errors import Draining, QueueFull
from hyperfocal.server.http_server import Server
from hyperfocal.server.pool import Answer
from hyperfocal.server.store import jobs

VERSIONS = {"photo-fast-x2": "0123456789ab", "photo-fast-x4": "ba9876543210"}


def answer_for(content: bytes, **changes) -> Answer:
    facts = {
        "model": "photo-fast-x2",
        "model_version": "0123456789ab",
        "width": 32,
        "height": 24,
        "scale": 2.0,
        "format": "png",
        "media_type": "image/png",
        "bytes": len(content),
        "consistency_db": 44.5,
        "psnr": 43.25,
        "ssim": 0.98765,
        "basis": "consistency",
        "timing_ms": {"decode": 1.0, "model": 2.0, "encode": 3.0, "total": 6.0},
        "statistics": {"width": 16.0, "height": 12.0, "brightness": 0.5, "noise": 0.01},
        "notes": ("wide gamut kept, é",),
        "estimate": {"seconds": 0.5, "memory_bytes": 1e6, "tiles": 1},
    }
    return Answer(**{**facts, **changes})


class PretendPool:
    """Answers with the input's bytes, reversed. ``hold``: tasks wait until ``release``.

    ``raises``: what the next tasks end in. ``changes``: to the answers. ``chooses``: the model that
    is told before a task ends. ``tasks``: all it was given; ``stopped``: those that were cancelled.
    """

    def __init__(self, settings, *, loads: bool = True) -> None:
        self.settings = settings
        self.retry_after = 7
        self.ready = False
        self.running = 0
        self.restarts = {"died": 2, "hung": 0, "memory": 0}
        self.models, self.versions = settings.models, dict(VERSIONS)
        self.loads = loads
        self.tell = lambda: None
        self.forget()

    def forget(self) -> None:
        """Everything a test has told it, and all it was given."""
        self.capacity, self.waiting, self.hold = 1, 0, False
        self.replacing = False
        self.raises: list[BaseException] = []
        self.changes: dict = {}
        self.chooses = None
        self.tasks, self.stopped, self.reloads = [], [], []
        self.arrived, self.cancelled = threading.Event(), threading.Event()
        self._go = asyncio.Event()

    @property
    def accepts(self) -> bool:
        return self.ready or self.replacing

    @property
    def room_for_jobs(self) -> int:
        return self.capacity - self.running if self.ready else 0

    def tell_room(self, tell) -> None:
        self.tell = tell

    async def start(self) -> None:
        if "no-such-model" in self.models:
            raise ModelMissing("there is no model 'no-such-model'")
        if self.loads:
            self.ready = True

    async def drain(self, seconds: float) -> None:
        self.ready = False

    def release(self) -> None:
        self.hold = False
        self._go.set()

    async def reload(self, models) -> str:
        if "no-such-model" in models:
            raise ModelMissing("there is no model 'no-such-model'")
        self.reloads.append(models)
        self.models = models
        self.versions = dict.fromkeys(models, "feedfacecafe")
        return f"version {len(self.reloads)}"

    async def run(self, task, *, seconds, on_progress=None, on_model=None, wait=False) -> Answer:
        if not self.accepts:
            raise Draining("stopping")
        if not wait and self.running >= self.capacity and self.waiting >= self.settings.queue:
            raise QueueFull("too many wait")
        self.tasks.append(task)
        content = task.source.read_bytes()
        for beside in (task.reference, task.depth):
            if beside is not None:
                content += beside.read_bytes()
        self.running += 1
        self.arrived.set()
        try:
            if self.hold:
                await self._go.wait()
            if self.chooses is not None and on_model is not None:
                on_model(self.chooses)
            if self.raises:
                raise self.raises.pop(0)
        except asyncio.CancelledError:
            self.stopped.append(task)
            self.cancelled.set()
            raise
        finally:
            self.running -= 1
            self.tell()
        if content == b"broken":
            raise BrokenPicture("truncated PNG")
        made = content[::-1]
        if task.output is not None:
            task.output.write_bytes(made)
        return answer_for(made, **self.changes)


class Running:
    """``client`` speaks to the service at ``url``; ``pool`` is its pool."""

    def __init__(self, app, server: Server, url: str, loop) -> None:
        self.app, self.server, self.url, self.loop = app, server, url, loop
        self.host, self.port = "127.0.0.1", int(url.rpartition(":")[2])
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    @property
    def service(self):
        return self.app.state.service

    @property
    def pool(self):
        return self.service.pool

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.pool.release)

    def until_clean(self) -> None:
        """Until no request's folder is left: they go just after the answer."""
        wait_until(lambda: not list(self.service.settings.spool.glob("request-*")))

    def until_idle(self) -> None:
        """Until no request's folder and no job is left that the pool could still be given."""
        self.release()
        self.until_clean()
        # A job's row says that it has ended a moment before its figures are counted.
        wait_until(lambda: not (self._open_jobs() or self.pool.running or self._works()))

    def _works(self) -> int:
        return len(self.service.jobs._works)

    def _open_jobs(self) -> int:
        counting = asyncio.run_coroutine_threadsafe(self.service.store.call(jobs.counts), self.loop)
        return sum(n for status, n in counting.result(60).items() if not status.has_ended)

    @contextmanager
    def connection(self, *, room: int | None = None):
        """A bare connection; waits for 60 s at most. ``room``: bytes of what is not yet read."""
        with socket.socket() as made:
            if room is not None:
                # Before it is connected: then it is kept to.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            made.settimeout(60)
            made.connect((self.host, self.port))
            yield made

    def ready(self) -> bool:
        return self.client.get("/readyz").status_code == 200


@contextmanager
def serve(settings, *, wait: bool = True):
    """Serve on a free port until the end of the block."""
    app = create_app(settings)
    held, listening = {}, threading.Event()

    def tell(url: str) -> None:
        held["url"], held["loop"] = url, asyncio.get_running_loop()
        listening.set()

    server = Server(app, settings, tell)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert listening.wait(60), "the server did not start"
    made = Running(app, server, held["url"], held["loop"])
    try:
        if wait:
            wait_until(made.ready)
        yield made
    finally:
        made.client.close()
        server.stop(at_once=True)
        thread.join(60)
        assert not thread.is_alive()


def drop_until_answered(connection) -> bytes:
    """Send a byte every now and then until there is an answer; gives its beginning."""
    connection.settimeout(0.02)
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        # Once it is closed nothing can be sent, but what was answered before can be read.
        with suppress(OSError):
            connection.sendall(b"x")
        with suppress(TimeoutError):
            return connection.recv(65536)
    raise AssertionError("no answer")


def read_answer(connection) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (small letters) and body of one answer on a bare connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {data!r}")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return int(first.split()[1]), headers, body


def check_problem(answer, status: int, code: str) -> dict:
    """That an answer is this problem, as RFC 9457 wants it."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    problem = json.loads(answer.text)
    assert set(problem) == {
        "type", "title", "status", "detail", "instance", "code", "request_id",
    }  # fmt: skip
    assert problem["code"] == code, problem
    assert problem["type"] == f"urn:hyperfocal:problem:{code}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["instance"] == answer.request.url.path
    assert problem["title"]
    assert problem["detail"]
    return problem
