"""The verbs of training where the extra they need is not installed."""

from __future__ import annotations

import importlib.util

import pytest
from calling import Run

from hyperfocal.cli import train

# All there are, so that one that is added is asked too.
VERBS = [str(command.name) for command in train.app().registered_commands]
TWO = {"degrade-suite"}


@pytest.mark.parametrize("verb", VERBS)
def test_what_to_install_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    answer = run("train", verb, "a", *(["b"] if verb in TWO else []))
    assert answer.code == 4
    assert "pip install 'hyperfocal[train]'" in answer.err


def test_retraining_tells_it_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    answer = run("retrain", "--data", "a")
    assert answer.code == 4
    assert "pip install 'hyperfocal[train]'" in answer.err
