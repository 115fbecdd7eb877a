"""Training pictures that ranges are found from: nothing is scored by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import SettingsError
from hyperfocal.training.calibrate import training_pictures
from hyperfocal.training.data import read_rgb
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degraded import degraded_pairs, judged_pairs, learnt_from
from hyperfocal.training.experiment import Experiment


def changed(file: Path, text: str, more: str = "") -> Experiment:
    file.write_text(file.read_text().replace("[data]", f"[data]\n{text}") + more)
    return Experiment.read(file)


@pytest.mark.parametrize("kind", ["bicubic", "real"])
def test_they_are_made_as_those_that_judge(experiment_file: Path, kind: str) -> None:
    text = f'degradation = "{kind}"\njudged_at = [1.0, 0.5]\nreduce_by = ["box", "lanczos"]'
    plan = changed(experiment_file, text)
    want = [lr for file in learnt_from(plan) for lr, _ in judged_pairs(plan, [file])]
    found = list(training_pictures(plan, 48))
    assert len(found) == 4 * 2 * (4 if kind == "real" else 1)
    for one, other in zip(found, want, strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float32) / np.float32(255.0))


def test_they_are_degraded_as_in_the_training(experiment_file: Path) -> None:
    plan = changed(
        experiment_file, 'degradation = "real"', "[degradation]\nclean = 1.0\nsecond = 0.0\n"
    )
    assert plan.degradation != Degradations()
    file = learnt_from(plan)[0]
    want = degraded_pairs(read_rgb(file), file.stem, 2, 1, plan.degradation)
    for one, (lr, _) in zip(training_pictures(plan, 1), want, strict=True):
        np.testing.assert_array_equal(one, lr.astype(np.float32) / np.float32(255.0))
    # What judges stays the same for all trainings.
    default = degraded_pairs(read_rgb(file), file.stem, 2)
    for (one, _), (lr, _) in zip(judged_pairs(plan, [file]), default, strict=True):
        np.testing.assert_array_equal(one, lr)
    assert any((one != lr).any() for (one, _), (lr, _) in zip(want, default, strict=True))


@pytest.mark.parametrize("kind", ["bicubic", "real"])
def test_what_is_too_small_to_be_judged_may_be_looked_at(experiment_file: Path, kind: str) -> None:
    """A training by tiles of 96 pixels, 4 of which are left at the least size."""
    plan = changed(experiment_file, f'degradation = "{kind}"\njudged_at = [1.0, 0.14, 0.04]')
    with pytest.raises(SettingsError, match="too few to judge"):
        judged_pairs(plan, learnt_from(plan)[:1])
    found = list(training_pictures(plan, 1))
    sides = [48, 6] if kind == "bicubic" else [24] * 4 + [3] * 4
    assert [picture.shape for picture in found] == [(side, side, 3) for side in sides]


def test_none_that_is_large_enough_is_told(experiment_file: Path) -> None:
    plan = Experiment.read(experiment_file)
    for file in learnt_from(plan):
        Image.open(file).resize((5, 90)).save(file)
    with pytest.raises(SettingsError, match=r"the first 3 pictures of .*train are all too small"):
        list(training_pictures(plan, 3))
    Image.effect_noise((90, 6), 30).save(learnt_from(plan)[1])
    assert [picture.shape for picture in training_pictures(plan, 3)] == [(3, 45, 3)]
