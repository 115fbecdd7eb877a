"""How a process ends whose threads restore: those that end with it, and those that go on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hyperfocal
from bound import bound
from hyperfocal import forks
from hyperfocal.imaging import threads
from hyperfocal.models import openvino_graph

BUSY = """
import hyperfocal, os, sys, threading
import numpy as np

pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
stop = threading.Event()

def restored(side):
    return hyperfocal.upscale(
        pixels[:side, :side], model="photo-realtime-x2", threads=1, runtime=sys.argv[1]
    )

def be_busy():
    begun = threading.Barrier(3)

    def work():
        restored(300)
        begun.wait()
        while not stop.is_set():
            restored(300)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    begun.wait(120)
    return workers

"""

# Not flushed: an abort loses it.
SAVED = """
workers = be_busy()
print("saved")
"""

LOADING = """
import sys, threading
from hyperfocal.models.loaded import load
from hyperfocal.settings import Settings

settings = Settings.read(runtime=sys.argv[1], threads=1)
begun = threading.Event()

def work():
    while True:
        load("photo-realtime-x2", settings=settings)
        begun.set()

threading.Thread(target=work, daemon=True).start()
begun.wait(120)
print("saved")
"""

CHILD = """
child = os.fork()
be_busy()
if child:
    print(os.waitpid(child, 0)[1])
"""

# What is registered first is called last.
AT_EXIT = """
import atexit

def last():
    print(restored(20).shape[0])
    stop.set()
    for worker in workers:
        worker.join()
    print("joined")

atexit.register(last)
"""

INTERRUPTED = """
import os, signal, threading
from hyperfocal import forks

inside, interrupted = threading.Event(), threading.Event()

def interrupt(*_):
    interrupted.set()
    raise KeyboardInterrupt

def work():
    with forks.held_off():
        inside.set()
        while forks._GATE.ending is None:
            pass
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait()
        print("done")

signal.signal(signal.SIGINT, interrupt)
threading.Thread(target=work, daemon=True).start()
inside.wait()
"""

# Nothing is imported before the main thread has ended.
GOING_ON = """
import hyperfocal, sys, threading

def work():
    threading.main_thread().join()
    import numpy as np
    pixels = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    made = hyperfocal.upscale(pixels, model="photo-realtime-x2", threads=2, runtime=sys.argv[1])
    for path in sys.argv[2:]:
        hyperfocal.Picture(made).save(path)
        print("saved")

threading.Thread(target=work).start()
"""


def output(script: str, *words: str) -> list[str]:
    command = bound(sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", script, *words)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.split()


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_daemon_threads_end_with_the_process(runtime: str) -> None:
    assert output(BUSY + SAVED, runtime) == ["saved"]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_daemon_threads_that_load_models_end_with_the_process(runtime: str) -> None:
    # Where they are when it ends is another place each time.
    for _ in range(4):
        assert output(LOADING, runtime) == ["saved"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_daemon_threads_of_a_child_end_with_it() -> None:
    assert output(BUSY + CHILD, "openvino") == ["0"]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_what_is_called_at_exit_can_restore_and_wait_for_threads_that_do(runtime: str) -> None:
    assert output(AT_EXIT + BUSY + SAVED, runtime) == ["saved", "40", "joined"]


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill would end the process")
def test_an_interrupt_does_not_end_the_process_in_the_middle_of_a_tile() -> None:
    assert output(INTERRUPTED) == ["done"]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_thread_can_begin_once_the_main_thread_has_ended(runtime: str, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"out.{suffix}") for suffix in ("png", "tif", "jpg")]
    assert output(GOING_ON, runtime, *paths) == ["saved"] * 3
    png, tiff, jpeg = (hyperfocal.open(path).pixels for path in paths)
    assert png.shape == jpeg.shape == (1200, 1200, 3)
    assert np.array_equal(png, tiff)


def test_the_end_waits_for_those_inside_and_holds_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_HELD", 600.0)
    gate, order = forks._Gate(), []
    inside = threading.Event()

    def work() -> None:
        gate.enter()
        inside.set()
        while gate.ending is None:
            pass
        order.append("work")
        gate.leave()

    def more() -> None:
        gate.enter()
        order.append("more")
        gate.leave()

    working, later = (threading.Thread(target=one, daemon=True) for one in (work, more))
    working.start()
    assert inside.wait(60)
    gate.end()
    later.start()
    gate.enter()
    order.append("at exit")
    gate.leave()
    assert order == ["work", "at exit"]
    # Nothing has ended the process for longer than it may hold anyone.
    gate.ending = (threading.get_ident(), 0.0)
    later.join(60)
    assert order == ["work", "at exit", "more"]


def test_the_end_is_not_waited_for_in_a_child() -> None:
    gate = forks._Gate()
    gate.end()
    gate.renew()
    assert gate.ending is None


def refusing(reason: str) -> Callable[[Any], None]:
    """``Thread.start`` that gives ``reason``."""

    def start(self: threading.Thread) -> None:
        raise RuntimeError(reason)

    return start


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 4)


@pytest.mark.usefixtures("cores")
def test_work_is_done_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    # So in Python 3.12, once the main thread has ended.
    reason = "can't create new thread at interpreter shutdown"
    monkeypatch.setattr(threading.Thread, "start", refusing(reason))
    assert list(threads.in_order(str, range(20))) == list(map(str, range(20)))


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("most", range(6))
def test_work_goes_on_when_nothing_more_can_be_submitted(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    submit, taken = ThreadPoolExecutor.submit, []

    def some(*words: Any) -> Any:
        if len(taken) == most:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        taken.append(None)
        return submit(*words)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", some)
    assert list(threads.in_order(str, range(20))) == list(map(str, range(20)))


@pytest.mark.usefixtures("cores")
def test_what_work_raises_is_not_taken_for_a_refusal() -> None:
    def work(item: int) -> int:
        asked.append(item)
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    asked: list[int] = []
    with pytest.raises(RuntimeError):
        list(threads.in_order(work, range(20)))
    assert len(set(asked)) == len(asked)


def test_a_device_is_loaded_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        def get_property(self, device: str, name: str) -> str:
            return threading.current_thread().name

    class OpenVINO:
        def Core(self) -> Core:
            made.append(threading.current_thread())
            return Core()

    made: list[threading.Thread] = []
    # Not OpenVINO's own, which would change this thread's stack for signals.
    monkeypatch.setattr(openvino_graph, "import_openvino", OpenVINO)
    with monkeypatch.context() as patch:
        reason = "can't create new thread at interpreter shutdown"
        patch.setattr(threading.Thread, "start", refusing(reason))
        assert isinstance(openvino_graph.new_core(), Core)
        assert made == [threading.current_thread()]
        patch.setattr(threading.Thread, "start", refusing("can't start new thread"))
        with pytest.raises(RuntimeError, match="can't start new thread"):
            openvino_graph.new_core()
    assert isinstance(openvino_graph.new_core(), Core)
    assert len(made) == 2
    assert made[1] is not threading.current_thread()
