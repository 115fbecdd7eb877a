"""``hyperfocal web``: the page as a service of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from hyperfocal.errors import RuntimeMissing


def web(
    host: str | None = typer.Option(None, "--host", help="Address to listen on: 127.0.0.1."),
    port: int | None = typer.Option(None, "--port", help="Port to listen on: 8080; 0: a free one."),
    api: str | None = typer.Option(
        None, "--api", metavar="URL", help="Address of the API; else FASTAPI_SERVER_URL."
    ),
    max_body: str | None = typer.Option(
        None, "--max-body", metavar="BYTES", help="Largest request; else as the API's, 50MB."
    ),
    timeout: float | None = typer.Option(
        None, "--timeout", metavar="SECONDS", help="How long the API may take: 120."
    ),
) -> None:
    """Serve the web page, and pass on to the API what it asks; needs the extra [web]."""
    _check_installed()
    from hyperfocal.settings import parse_bytes
    from hyperfocal.web.app import create_app
    from hyperfocal.web.listen import addresses, make_server
    from hyperfocal.web.loop import GRACE_SECONDS, Loop
    from hyperfocal.web.settings import WebSettings
    from hyperfocal.web.upstream import Upstream

    given: dict[str, str | int | float | None] = {
        "host": host,
        "port": port,
        "api": api,
        "max_body": parse_bytes(max_body) if max_body is not None else None,
        "answer_seconds": timeout,
    }
    settings = WebSettings.read(
        None, **{name: value for name, value in given.items() if value is not None}
    )
    upstream = Upstream(settings)
    try:
        server = make_server(create_app(settings, upstream), settings)
        loop = Loop(server, give_up=upstream.close, grace=GRACE_SECONDS)
        with _signals_call(loop.stop):
            for name, number in addresses(server):
                where = f"[{name}]" if ":" in name else name
                # On stdout, so that a program that asked for port 0 can read where the page is.
                typer.echo(f"http://{where}:{number}")
            loop.run()
    finally:
        upstream.close()


def _check_installed() -> None:
    from importlib.util import find_spec

    for module in ("flask", "waitress"):
        if find_spec(module) is None:
            raise RuntimeMissing(
                f"the web page needs {module}; install it with: pip install 'hyperfocal[web]'"
            )


@contextmanager
def _signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGTERM and Ctrl-C call it, unless Ctrl-C is ignored.

    They raise nothing: that would leave the loop at any place, with half an answer sent.
    """
    import signal

    from hyperfocal.terminating import kept_handler, terminated_by

    def handle(*_: object) -> None:
        stop()

    with terminated_by(handle), kept_handler(signal.SIGINT):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, handle)
        yield
