"""``hyperfocal web`` in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from hyperfocal.web.app import create_app
from hyperfocal.web.listen import addresses, make_server
from hyperfocal.web.loop import Loop
from hyperfocal.web.settings import WebSettings
from hyperfocal.web.upstream import Upstream


class Front:
    """``client`` speaks to it at ``url``; ``server`` is waitress', in ``thread`` until it ends."""

    def __init__(self, server: Any, loop: Loop) -> None:
        self.server, self.loop = server, loop
        self.thread = threading.Thread(target=loop.run)
        self.host, self.port = addresses(server)[0]
        self.url = f"http://{self.host}:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection; waits for 60 s at most."""
        with socket.create_connection((self.host, self.port), timeout=60) as made:
            yield made

    def until_idle(self) -> None:
        """Until no answer is being given."""
        ends, threads = time.monotonic() + 60, self.server.task_dispatcher
        while threads.queue or threads.active_count:
            assert time.monotonic() < ends, "an answer is still being given"
            time.sleep(0.005)


@contextmanager
def front(api: str, *, grace: float = 60, **changes: Any) -> Iterator[Front]:
    """Serve on a free port until the end of the block, and ``grace`` seconds longer at most."""
    settings = WebSettings.read({}, api=api, port=0, **changes)
    upstream = Upstream(settings)
    server = make_server(create_app(settings, upstream), settings)
    made = Front(server, Loop(server, give_up=upstream.close, grace=grace))
    made.thread.start()
    try:
        yield made
    finally:
        made.client.close()
        if made.thread.is_alive():
            made.loop.stop()
        made.thread.join(120)
        assert not made.thread.is_alive()


def request_head(method: str = "POST", path: str = "/v1/upscale", **headers: Any) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit('http://x').netloc}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
