from __future__ import annotations

from collections.abc import Iterator

import pytest
from faking import Fake, serving

from hyperfocal.client import Client, Retry


@pytest.fixture(scope="session")
def service() -> Iterator[Fake]:
    with serving(Fake()) as service:
        yield service


@pytest.fixture
def fake(service: Fake) -> Fake:
    service.reset()
    return service


@pytest.fixture
def client(fake: Fake) -> Iterator[Client]:
    """One that does not sleep."""
    with Client(fake.url, retry=Retry(attempts=4, first=0.0, longest=0.0)) as client:
        yield client
