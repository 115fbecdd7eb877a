"""What docs/training.md gives as an example is a training."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from typer.main import get_command

from hyperfocal.cli.app import build
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_the_example_trains(photographs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    path = photographs / "portraits.toml"
    # The pictures of the tests are smaller than photographs.
    path.write_text(found[1].replace("patch = 48", "patch = 24"))
    trained = fit(Experiment.read(path), tmp_path / "run", preset="dev-run", tracking=False)
    assert trained.steps == 1


def test_the_commands_are_there() -> None:
    lines = re.findall(r"^hyperfocal (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        command = get_command(build())
        words = line.partition("#")[0].split()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= options, line
