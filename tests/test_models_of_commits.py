"""What shipped at some commit, for tables that set it beside what ships now."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import models_of_commits as earlier

from hyperfocal.models.integrity import read_weights
from hyperfocal.models.registry import read_entry


def history() -> bool:
    """Whether git is here, and takes this for a checkout of ours."""
    if shutil.which("git") is None:
        return False
    words = ["git", "-C", str(earlier.ROOT), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not history(), reason="needs the history")
@pytest.mark.parametrize("name", ["photo-fast-x2", "photo-fine-x2"])
def test_a_model_comes_with_the_files_its_card_names(name: str, tmp_path: Path) -> None:
    """Fine cards use the files of the fast models."""
    entry = read_entry(earlier._shipped("HEAD", name, tmp_path))
    assert set(entry.card.weights) == {"float", "int8"}
    for precision in entry.card.weights:
        assert read_weights(entry, precision)
