"""The whole service on loopback, with a fake pool, in a thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

import httpx
import uvicorn


class Served:
    """``client`` speaks to the service; ``pool`` is its pool; ``do`` runs in its event loop."""

    def __init__(self, app, server: uvicorn.Server, loop) -> None:
        self.app, self._server, self._loop = app, server, loop
        port = server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @property
    def service(self):
        return self.app.state.service

    @property
    def pool(self):
        return self.service.pool

    def do(self, work):
        """What a coroutine gives that the service's event loop runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def release(self):
        self._loop.call_soon_threadsafe(self.pool.release)


@contextmanager
def serve(app):
    """Serve an application on a free port until the end of the block."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=5)
    )
    started, held = threading.Event(), {}

    async def main():
        held["loop"] = asyncio.get_running_loop()
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        started.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(60)
    assert server.started
    served = Served(app, server, held["loop"])
    try:
        yield served
    finally:
        served.client.close()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
