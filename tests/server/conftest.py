"""A service with a pool that pretends; one for a whole file, or one with settings of its own."""

from __future__ import annotations

import io
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from pretending import PretendPool, serve

from hyperfocal.server.settings import ServerSettings
from hyperfocal.storage import Storage, StorageUnavailable


@pytest.fixture(scope="session", autouse=True)
def _recorded():
    """What was answered is written down however long a busy machine takes for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hyperfocal.server.work._RECORDING", 60.0)
        yield


@pytest.fixture
def refused(monkeypatch) -> set[str]:
    """Names of files that cannot be removed, as if they were immutable; to be filled by tests."""
    names, delete = set(), Storage.delete

    def refuse(storage, name):
        if name in names:
            raise StorageUnavailable("the storage cannot be used: Operation not permitted")
        return delete(storage, name)

    monkeypatch.setattr(Storage, "delete", refuse)
    return names


@pytest.fixture
def pretending(tmp_path, monkeypatch):
    """``with pretending(rate=3) as running``: a service with these settings."""

    @contextmanager
    def start(*, wait: bool = True, loads: bool = True, **changes):
        monkeypatch.setattr(
            "hyperfocal.server.pool.Pool",
            lambda settings: PretendPool(settings, loads=loads),
            raising=False,
        )
        settings = ServerSettings.read({}, data=tmp_path / "data", port=0, **changes)
        with serve(settings, wait=wait) as running:
            yield running

    return start


@pytest.fixture(scope="session")
def _shared(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hyperfocal.server.pool.Pool", PretendPool, raising=False)
        data = tmp_path_factory.mktemp("shared")
        with serve(ServerSettings.read({}, data=data, port=0)) as made:
            yield made


@pytest.fixture
def running(_shared):
    """A service with the usual settings, which the tests share: none may stop or change it."""
    # What the test before gave up on, requests and jobs, may only now reach the pool.
    _shared.until_idle()
    _shared.pool.forget()
    return _shared


@pytest.fixture(scope="session")
def png() -> bytes:
    """A picture of 24 x 16 pixels."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (4, 6, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((24, 16), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
