"""What a process can do once it has given models up: handle signals, and fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bound import bound

BEGINNING = """
import faulthandler, gc, os, signal
import numpy as np
from hyperfocal.models.loaded import load

def loaded():
    return [load("photo-realtime-x2"), load("photo-realtime-x4")]

def give_up(models, count):
    # The first one first.
    for _ in range(count):
        del models[0]
        gc.collect()

models = loaded()
"""

SIGNALS = """
give_up(models, 2)
signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True))
signal.raise_signal(signal.SIGTERM)
"""

CHILDREN = """
tile = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
before = [model.run(tile) for model in models]
give_up(models, {count})
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
else:
    # It would wait for ever for threads that are its parent's.
    faulthandler.dump_traceback_later(60, exit=True)
    again = [model.run(tile) for model in loaded()]
    assert all(map(np.array_equal, again, before))
    os._exit(0)
"""

ALTERNATE = """
import ctypes

class Stack(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

def alternate():
    # See sigaltstack(2).
    stack = Stack()
    assert not ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.at, stack.flags, stack.size

before = alternate()
from pathlib import Path
from hyperfocal.models.probing import probe
from hyperfocal.models.registry import SHIPPED
probe((SHIPPED / "photo-realtime-x2.float.onnx").read_bytes(), 2)
print(alternate() == before)
models = loaded()
print(alternate() == before)
give_up(models, 2)
print(alternate() == before)
"""


def output(script: str) -> list[str]:
    command = bound(sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.split()


def test_signals_are_handled() -> None:
    assert output(BEGINNING + SIGNALS) == ["handled"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize("count", [1, 2])
def test_children_load_and_run_others(count: int) -> None:
    assert output(BEGINNING + CHILDREN.format(count=count)) == ["0"]


@pytest.mark.skipif(sys.platform != "linux", reason="no sigaltstack that is known here")
def test_threads_keep_their_stack_for_signals() -> None:
    script = BEGINNING.replace("models = loaded()", "") + ALTERNATE
    assert output(script) == ["True"] * 3
