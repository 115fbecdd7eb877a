"""A program that a test starts does not outlive a test run that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Starts a program that says so and stays, and stays too.
PARENT = """
import subprocess, sys
from bound import bound

code = "import time; print('begun', flush=True); time.sleep(3600)"
subprocess.Popen(bound(sys.executable, "-c", code)).wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the end of a parent")
def test_it_ends_with_whoever_started_it() -> None:
    here = Path(__file__).parent
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=here, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "begun\n"
        parent.kill()
        # The program holds the other end of the pipe for as long as it is there.
        assert parent.stdout.read() == ""
