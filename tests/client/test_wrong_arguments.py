"""Arguments of kinds that are not asked for are told in a sentence, and nothing is sent."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from faking import Fake

from hyperfocal.client import Client, Retry
from hyperfocal.errors import InputError, UsageError

NOBODY = "http://127.0.0.1:1"
PNG = b"\x89PNG\r\n\x1a\n and more"

MADE: dict[str, Callable[[], object]] = {
    "no address": lambda: Client(None),  # type: ignore[arg-type]
    "an address of a number": lambda: Client(5),  # type: ignore[arg-type]
    "an address of bytes": lambda: Client(b"http://x"),  # type: ignore[arg-type]
    "an address with a query": lambda: Client(f"{NOBODY}/?a=b"),
    "an address with a fragment": lambda: Client(f"{NOBODY}/#c"),
    "a key of a number": lambda: Client(NOBODY, 5),  # type: ignore[arg-type]
    "no timeout": lambda: Client(NOBODY, timeout=None),  # type: ignore[arg-type]
    "a timeout of a text": lambda: Client(NOBODY, timeout="5"),  # type: ignore[arg-type]
    "a timeout beyond every float": lambda: Client(NOBODY, timeout=10**400),
    "patience of a number": lambda: Client(NOBODY, retry=3),  # type: ignore[arg-type]
    "authorities of a number": lambda: Client(NOBODY, verify=5),  # type: ignore[arg-type]
    "what is told of a retry": lambda: Client(NOBODY, on_retry=5),  # type: ignore[arg-type]
    "attempts of a text": lambda: Retry(attempts="3"),  # type: ignore[arg-type]
    "a pause of a text": lambda: Retry(first="3"),  # type: ignore[arg-type]
}

CALLS: dict[str, Callable[[Any], object]] = {
    "scale": lambda client: client.upscale(PNG, scale="2"),
    "a scale beyond every float": lambda client: client.upscale(PNG, scale=10**5000),
    "size": lambda client: client.upscale(PNG, size=5),
    "one side": lambda client: client.upscale(PNG, size=(5,)),
    "sides of text": lambda client: client.upscale(PNG, size=("5", None)),
    "a side of text": lambda client: client.upscale(PNG, size=(5, "6")),
    "sides that pass once": lambda client: client.upscale(PNG, size=iter((5, 6))),
    "model": lambda client: client.upscale(PNG, model=5),
    "format": lambda client: client.upscale(PNG, format=5),
    "quality": lambda client: client.upscale(PNG, quality="high"),
    "bit_depth": lambda client: client.upscale(PNG, bit_depth="8"),
    "min_fidelity": lambda client: client.upscale(PNG, min_fidelity="30"),
    "output": lambda client: client.upscale(PNG, 5),
    "picture": lambda client: client.upscale(5),
    "reference": lambda client: client.upscale(PNG, reference=5),
    "crop": lambda client: client.preview(PNG, crop=5),
    "a side of crop": lambda client: client.preview(PNG, crop=(1, 2, 3, "4")),
    "scale of predict": lambda client: client.predict(PNG, scale=object()),
    "returns of predict": lambda client: client.predict(PNG, returns=5),
    "no job": lambda client: client.jobs.get(None),
    "a job of a number": lambda client: client.jobs.cancel(5),
    "the result of no job": lambda client: client.jobs.result(None),
    "events for a text": lambda client: list(client.jobs.events("job-1", timeout="5")),
    "a wait for a text": lambda client: client.jobs.wait("job-1", timeout="5"),
    "a wait that tells a number": lambda client: client.jobs.wait("job-1", on_progress=5),
    "strip_metadata": lambda client: client.upscale(PNG, strip_metadata="no"),
    "overwrite": lambda client: client.upscale(PNG, "x.png", overwrite="no"),
    "keep_picture": lambda client: client.feedback("r", "up", keep_picture="no", picture=PNG),
    "idempotency_key": lambda client: client.jobs.submit(PNG, idempotency_key=5),
    "no request": lambda client: client.feedback(None, "up"),
    "verdict": lambda client: client.feedback("request-1", 5),
    "reasons": lambda client: client.feedback("request-1", "up", reasons=5),
    "a reason": lambda client: client.feedback("request-1", "up", reasons=[5]),
    "comment": lambda client: client.feedback("request-1", "up", comment=5),
}


@pytest.mark.parametrize("what", MADE)
def test_what_no_client_is_made_of(what: str) -> None:
    with pytest.raises(UsageError) as caught:
        MADE[what]()
    assert str(caught.value)


@pytest.mark.parametrize("what", CALLS)
def test_what_is_not_sent(fake: Fake, client: Client, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        CALLS[what](client)
    assert str(caught.value)
    assert fake.seen == []


def test_numbers_of_numpy_are_numbers(fake: Fake, client: Client) -> None:
    client.upscale(PNG, size=(np.int64(64), None), min_fidelity=np.float32(30))
    assert fake.seen[0].query == {"width": "64", "min_fidelity": "30.0"}


def test_fractions_are_numbers(fake: Fake, client: Client) -> None:
    client.upscale(PNG, scale=Fraction(3, 2))
    assert fake.seen[0].query == {"scale": "1.5"}


def test_a_file_that_is_closed(fake: Fake, client: Client) -> None:
    file = io.BytesIO(PNG)
    file.close()
    with pytest.raises(InputError, match="closed"):
        client.upscale(file)
    assert fake.seen == []
