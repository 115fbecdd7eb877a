"""Calls at one time keep to the memory of the process together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hyperfocal import Picture, Settings
from hyperfocal.errors import Cancelled
from hyperfocal.restore import Upscaler
from hyperfocal.restore.memory import LEAST
from hyperfocal.restore.turns import TURNS, Turns


def nothing():
    pass


def test_together_no_more_is_planned_than_there_is():
    turns, seen = Turns(), []

    def call(_):
        with turns.take(40, 100, nothing):
            seen.append(turns.planned)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(200)))
    assert len(seen) == 200
    assert max(seen) <= 80
    assert (turns.planned, turns.waiting) == (0, 0)


@pytest.fixture
def busy():
    """Turns of which another thread has taken 60 bytes, and how to end that."""
    turns, taken, done = Turns(), threading.Event(), threading.Event()

    def hold():
        with turns.take(60, 100, nothing):
            taken.set()
            assert done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(60)
    yield turns, done.set
    done.set()
    thread.join()


def test_whoever_waits_looks_whether_it_is_cancelled(busy):
    turns, _ = busy

    def cancelled():
        raise Cancelled("stopped")

    with pytest.raises(Cancelled), turns.take(60, 100, cancelled):
        raise AssertionError("let in")
    assert (turns.planned, turns.waiting) == (60, 0)
    with turns.take(40, 100, cancelled):
        assert turns.planned == 100


def test_what_is_too_large_goes_alone(busy):
    turns, end = busy
    seen = []

    def check():
        seen.append(turns.planned)
        end()

    with turns.take(1000, 100, check):
        assert turns.planned == 1000
    assert set(seen) <= {0, 60}


def test_the_first_to_come_is_the_first_to_begin(busy):
    """Small ones that come after a large one would keep it out for ever."""
    turns, end = busy
    order = []

    def call(name, size):
        with turns.take(size, 100, nothing):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(call, "large", 100)
        while turns.waiting < 1 and not large.done():
            time.sleep(0.001)
        small = pool.submit(call, "small", 10)
        while turns.waiting < 2 and not small.done():
            time.sleep(0.001)
        end()
        large.result(60)
        small.result(60)
    assert order == ["large", "small"]


def test_a_call_from_inside_a_call_does_not_wait_for_it():
    turns = Turns()
    with turns.take(100, 100, nothing), turns.take(100, 100, nothing):
        assert turns.planned == 200
    assert turns.planned == 0


def test_two_restorations_that_are_too_much_together(replicate):
    """The second begins when the first has ended, and gives the same."""
    entered = threading.Event()
    working, most, calls = [], [], []

    def change(made):
        working.append(1)
        most.append(len(working))
        if entered.is_set():
            working.pop()
            return made
        entered.set()
        # Until the other either waits or works as well.
        while len(working) < 2 and not TURNS.waiting and not any(call.done() for call in calls):
            time.sleep(0.001)
        working.pop()
        return made

    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    # Of what is free one tile of the picture takes more than half.
    net = replicate(2, change=change)
    upscaler = Upscaler(net, Settings(memory=LEAST + 80_000_000))
    with ThreadPoolExecutor(2) as pool:
        calls.append(pool.submit(upscaler, Picture(pixels)))
        assert entered.wait(60)
        calls.append(pool.submit(upscaler, Picture(pixels)))
        made = [call.result(60).picture.pixels for call in calls]
    assert max(most) == 1
    assert np.array_equal(*made)
    assert TURNS.planned == 0


def test_a_call_from_on_progress_goes_through(replicate):
    upscaler = Upscaler(replicate(2), Settings(memory=1))
    picture, sizes = Picture(np.zeros((20, 20, 3), np.uint8)), []
    upscaler(picture, on_progress=lambda *_: sizes.append(upscaler(picture).picture.width))
    assert sizes == [40]
