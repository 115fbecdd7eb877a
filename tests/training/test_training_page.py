"""What docs/training.md gives as an example is a training."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import torch

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


def tables() -> dict[str, set[str]]:
    """The keys that the page lists, by section; those at the top of the file under ""."""
    part = PAGE.read_text(encoding="utf-8").partition("<!-- experiment: begin -->")[2]
    found = {}
    for title, body in re.findall(r"^### (.*)$((?:\n(?!###).*)*)", part, re.MULTILINE):
        section = "" if title == "At the top" else title.strip("[]")
        found[section] = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
    return found


def test_every_key_of_an_experiment_is_listed() -> None:
    listed = tables()
    # The ranges of degradations have a page of their own.
    own = {name for name in Experiment.model_fields if name != "degradation"}
    assert own == listed.pop("") | listed.keys()
    for section, keys in listed.items():
        annotation = Experiment.model_fields[section].annotation
        kind = next(k for k in (annotation, *get_args(annotation)) if hasattr(k, "model_fields"))
        assert keys == kind.model_fields.keys(), section


@pytest.mark.parametrize("path", sorted((PAGE.parents[1] / "experiments").glob("*.toml")))
def test_every_key_that_an_experiment_of_ours_uses_is_listed(path: Path) -> None:
    listed = tables()
    used = tomllib.loads(path.read_text(encoding="utf-8"))
    used.pop("degradation", None)
    for name, value in used.items():
        if isinstance(value, dict):
            assert value.keys() <= listed[name], name
        else:
            assert name in listed[""]
