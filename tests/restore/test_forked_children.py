"""A child that is forked while its parent restores can restore, too."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperfocal import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

# Children that hang are ended after a while; what becomes of each is printed.
SCRIPT = """
import multiprocessing, sys, threading
import numpy as np
import hyperfocal

pixels = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
up = hyperfocal.Upscaler.load("photo-realtime-x2", threads=2, runtime=sys.argv[1])

def restored(side):
    return up(hyperfocal.Picture(pixels[:side, :side].copy())).picture.pixels

def child(want):
    assert np.array_equal(restored(48), want)
    hyperfocal.upscale(pixels[:48, :48], model="photo-realtime-x2", threads=2)

want = restored(48)
ended, begun = threading.Event(), threading.Event()

def work():
    while not ended.is_set():
        begun.set()
        restored(500)

thread = threading.Thread(target=work)
thread.start()
begun.wait()
fork = multiprocessing.get_context("fork")
children = [fork.Process(target=child, args=(want,)) for _ in range(4)]
for one in children:
    one.start()
for one in children:
    one.join(60)
    if one.is_alive():
        one.kill()
        one.join()
ended.set()
thread.join()
print(*(one.exitcode for one in children))
"""


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_children_of_a_busy_parent(runtime):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, runtime]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    assert done.stdout.split() == ["0"] * 4, done.stderr


class Locked:
    """Something with a lock, as shelves and engines have."""

    def __init__(self):
        self.lock, self.renewed = threading.Lock(), 0
        forks.renew_in_children(self)

    def renew(self):
        self.lock, self.renewed = threading.Lock(), self.renewed + 1


def exit_code_of_child(do):
    """Of a forked child: 0 if ``do()`` is true there."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if do() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_lock_that_another_thread_held_is_free_in_the_child():
    thing = Locked()
    # Held by a thread that the child does not have.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(thing.lock.acquire).result(60)
        assert exit_code_of_child(lambda: thing.lock.acquire(blocking=False)) == 0
    assert thing.renewed == 0


def test_a_fork_waits_for_engines_and_engines_for_a_fork():
    gate, order = forks._Gate(), []
    inside, closing = threading.Event(), threading.Event()

    def work():
        gate.enter()
        inside.set()
        assert closing.wait(60)
        # From inside more work may begin, or nobody would get out.
        gate.enter()
        gate.leave()
        order.append("work")
        gate.leave()

    def fork():
        assert inside.wait(60)
        closing.set()
        gate.close()
        order.append("fork")
        later = threading.Thread(target=more)
        later.start()
        order.append("forked")
        gate.forks.pop()
        later.join()

    def more():
        gate.enter()
        order.append("more")
        gate.leave()

    threads = [threading.Thread(target=one) for one in (work, fork)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert order == ["work", "fork", "forked", "more"]


def test_who_forks_from_inside_does_not_wait_for_itself():
    with forks.held_off():
        assert exit_code_of_child(lambda: not forks._GATE._inside) == 0
    assert not forks._GATE._inside
