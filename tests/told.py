"""Telling a program to stop, whatever it waits for."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import pytest


def told_to_stop(program: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """What it writes to standard output and error until it has ended.

    It is told again where it goes on: between Python's last look at signals and a system call that
    waits there is a moment in which a signal is noted, but ends no waiting.
    """
    for _ in range(5):
        program.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.communicate(timeout=30)
    program.kill()
    pytest.fail("it does not stop")
