"""The page's server in front of a service, or of something that pretends to be one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

# The service that the tests of the service are made with.
sys.path.append(str(Path(__file__).parent.parent / "server"))

from fronting import Front, front
from pretending import PretendPool, Running, serve
from upstreams import Upstream, pretend

from hyperfocal.server.settings import ServerSettings

Serving = Callable[..., AbstractContextManager[tuple[Front, Running]]]


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """``with serving(keys=…) as (front, service)``: settings of the service; ``web``: of the page's
    server."""
    monkeypatch.setattr("hyperfocal.server.pool.Pool", PretendPool, raising=False)

    @contextmanager
    def start(web: dict[str, Any] | None = None, **changes: Any) -> Iterator[tuple[Front, Running]]:
        settings = ServerSettings.read({}, data=tmp_path / "data", port=0, **changes)
        with serve(settings) as service, front(service.url, **(web or {})) as made:
            yield made, service

    return start


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Running]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hyperfocal.server.pool.Pool", PretendPool, raising=False)
        settings = ServerSettings.read({}, data=tmp_path_factory.mktemp("service"), port=0)
        with serve(settings) as service, front(service.url) as made:
            yield made, service


@pytest.fixture
def service(_shared: tuple[Front, Running]) -> Running:
    """The service behind ``web``, with a pool that does as it is told."""
    # What the test before gave up on may only now reach the pool.
    _shared[1].until_idle()
    _shared[1].pool.forget()
    return _shared[1]


@pytest.fixture
def web(_shared: tuple[Front, Running], service: Running) -> Front:
    """The page's server in front of ``service``."""
    return _shared[0]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An API that answers with what it is told to, byte by byte."""
    with pretend() as made:
        yield made


@pytest.fixture
def fronted(upstream: Upstream) -> Callable[..., AbstractContextManager[Front]]:
    """``with fronted(max_body=9) as web``: the page's server in front of ``upstream``."""

    def start(*, api: str | None = None, **changes: Any) -> AbstractContextManager[Front]:
        return front(api or upstream.url, **changes)

    return start


@pytest.fixture(scope="session")
def png() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(file, "PNG")
    return file.getvalue()
