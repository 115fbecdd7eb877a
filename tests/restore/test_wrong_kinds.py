"""Arguments of kinds that are not asked for are told in a sentence, as a UsageError."""

import asyncio
from functools import partial

import numpy as np
import pytest

import hyperfocal
from hyperfocal import Picture, Upscaler
from hyperfocal.errors import ModelBroken, UsageError

PIXELS = np.zeros((4, 4, 3), np.uint8)


async def asynchronous(*given):
    return False


async def generating(*given):
    yield False


class Asynchronous:
    async def __call__(self, *given):
        return False


class AsynchronousEvent:
    async def is_set(self):
        return False


@pytest.fixture(scope="module")
def up():
    return Upscaler.load("bicubic-x2")


def with_upscaler(name, *given):
    return lambda up: getattr(up, name)(*given)


WRONG = {
    "an array to an upscaler": with_upscaler("__call__", PIXELS),
    "a path to an upscaler": with_upscaler("__call__", "x.jpg"),
    "nothing to an upscaler": with_upscaler("__call__", None),
    "warm for a text": with_upscaler("warm", "x"),
    "warm for nothing": with_upscaler("warm", 0),
    "plan of nothing": with_upscaler("plan", 0, 0),
    "plan of less": with_upscaler("plan", -1, 5),
    "plan of texts": with_upscaler("plan", "4", "4"),
    "plan for a scale": with_upscaler("plan", 4, 4, 2),
    "format 5": lambda _: hyperfocal.upscale(PIXELS, model="bicubic-x2", format=5),
    "format of bytes": lambda _: hyperfocal.upscale(PIXELS, model="bicubic-x2", format=b"png"),
    "saved in 5": lambda _: Picture(PIXELS).save("x.png", format=5),
    "pixels of a list": lambda _: Picture([[1]]),
    "no pixels": lambda _: Picture(None),
    "alpha of a list": lambda _: Picture(PIXELS, [[1]]),
    "settings of a text": lambda _: Upscaler.load("bicubic-x2", settings="x"),
    "settings of a dict": lambda _: Upscaler.load("bicubic-x2", settings={}, threads=1),
    "an upscaler of a number": lambda _: Upscaler(5),
    "an upscaler of a name": lambda _: Upscaler("photo-fast"),
    "an upscaler with settings of a text": lambda up: Upscaler(up._shelf, settings="x"),
    "a model without a name": lambda _: hyperfocal.models.show(None),
    "a model of a number": lambda _: hyperfocal.models.load(5),
    "an async cancel": lambda up: up(Picture(PIXELS), cancel=asynchronous),
    "an async cancel with more": lambda up: up(Picture(PIXELS), cancel=partial(asynchronous, 1)),
    "an async object to cancel": lambda up: up(Picture(PIXELS), cancel=Asynchronous()),
    "an async event": lambda up: up(Picture(PIXELS), cancel=AsynchronousEvent()),
    "an async progress": lambda up: up(Picture(PIXELS), on_progress=asynchronous),
    "a progress that generates": lambda up: up(Picture(PIXELS), on_progress=generating),
    "an async word on models": lambda up: up(Picture(PIXELS), on_models=asynchronous),
    "a number for models": lambda up: up(Picture(PIXELS), on_models=5),
    "models like a number": lambda _: hyperfocal.models.list(5),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_kind(what, up):
    with pytest.raises(UsageError) as caught:
        WRONG[what](up)
    assert str(caught.value)


@pytest.mark.parametrize("given", [PIXELS, "x.jpg", b"x"], ids=["array", "path", "bytes"])
def test_who_gives_an_upscaler_something_else_is_told_what_to_do(up, given):
    with pytest.raises(UsageError, match=r"open it first .* or use hyperfocal\.upscale"):
        up(given)


def test_a_card_at_a_path_that_cannot_be_is_no_model():
    with pytest.raises(ModelBroken, match="not a model card"):
        hyperfocal.upscale(PIXELS, model="a\0b.toml")


def test_a_plain_function_and_an_event_of_asyncio_are_taken(up):
    told = []
    up(
        Picture(PIXELS),
        on_progress=lambda *given: told.append(given),
        cancel=asyncio.Event(),
        on_models=told.append,
    )
    assert told == [("bicubic-x2",), (1, 1)]
