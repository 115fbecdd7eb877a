"""What a process keeps of the memory that it has freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from hyperfocal.training.memory import keep_freed

# Larger than what glibc learns to keep by itself.
_SCRIPT = """
import resource, torch
from hyperfocal.training.memory import keep_freed

assert keep_freed()
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(9 << 20) for _ in range(4)]
    del held
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_not_fetched_again() -> None:
    # In a process of its own: the setting is for good.
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True
    )
    # They are 36,864 pages.
    assert int(done.stdout) < 1000


def test_another_c_library_has_no_such_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed()
