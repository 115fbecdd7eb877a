"""A process that has used models goes on handling signals, whatever became of those."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bound import bound

# Two engines, of which the first goes first; then a signal that Python handles.
SCRIPT = """
import gc, signal
from hyperfocal.models.loaded import load
{before}
engines = [load("photo-realtime-x2"), load("photo-realtime-x4")]
while engines:
    del engines[0]
    gc.collect()
handled = []
signal.signal(signal.SIGTERM, lambda *_: handled.append("handled"))
signal.raise_signal(signal.SIGTERM)
print(*handled, flush=True)
{after}
"""

# The parent has used models, too.
BEFORE = """
import os
up = [load("photo-realtime-x2"), load("photo-realtime-x4")]
child = os.fork()
"""
AFTER = """
if child:
    assert os.waitpid(child, 0)[1] == 0
    os.kill(os.getpid(), signal.SIGTERM)
    print(*handled)
else:
    os._exit(0)
"""


def output(script: str) -> list[str]:
    command = bound(sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.split()


def test_signals_are_handled_after_models_are_gone() -> None:
    assert output(SCRIPT.format(before="", after="")) == ["handled"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_so_they_are_in_forked_children_and_their_parents() -> None:
    assert output(SCRIPT.format(before=BEFORE, after=AFTER)) == ["handled"] * 4
