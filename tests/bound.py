"""Programs that end with the tests that started them, however those end."""

from __future__ import annotations

import os
import signal
import sys

# Asks Linux for a signal when the thread that started it is gone (prctl(2), PR_SET_PDEATHSIG), and
# becomes the program. Not in Popen's preexec_fn, which would run Python in a fork of a process with
# threads.
_BIND = """
import ctypes, os, sys

number, parent, *words = sys.argv[1:]
ctypes.CDLL(None).prctl(1, int(number), 0, 0, 0)
# It may be gone by now.
if os.getppid() == int(parent):
    os.execvp(words[0], words)
"""


def bound(*words: str) -> list[str]:
    """A command that is told to end (SIGTERM) when the thread that starts it has ended.

    The process is the program's own. On other systems than Linux it is the command itself.
    """
    if sys.platform != "linux":
        return list(words)
    how = (str(int(signal.SIGTERM)), str(os.getpid()))
    return [sys.executable, "-I", "-S", "-c", _BIND, *how, *words]
