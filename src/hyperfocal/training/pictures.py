"""The pictures of an experiment: to train on, to validate with, to test with."""

from __future__ import annotations

from pathlib import Path

from hyperfocal.training.data import (
    OneBatch,
    PatchPool,
    ValidationPictures,
    hold_back,
    pictures_in,
)
from hyperfocal.training.degraded import judged_pairs, training_pool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.given_pairs import low_of
from hyperfocal.training.group import Group


class Pictures:
    """The pictures of an experiment, decoded."""

    def __init__(self, experiment: Experiment, group: Group, *, one_batch: bool) -> None:
        self._group = group
        pool = training_pool(experiment, group)
        self.training: PatchPool | OneBatch = pool
        self.test: ValidationPictures | None = None
        if one_batch:
            self.training = OneBatch(pool)
            self.validation = ValidationPictures(self.training.pairs())
            return
        validation, test = judged_on(experiment)
        self.validation = ValidationPictures(judged_pairs(experiment, validation))
        if test:
            self.test = ValidationPictures(judged_pairs(experiment, test))

    def share(self, pictures: ValidationPictures | None) -> ValidationPictures | None:
        """Those that this process judges. Their mean is that of all: they go by their number."""
        return pictures and ValidationPictures(self._group.share(pictures.pairs))


def judged_on(experiment: Experiment) -> tuple[list[Path], list[Path]]:
    """The files of validation, which choose checkpoint and int8 ranges, and those of the test."""
    data = experiment.data
    files = pictures_in(Path(data.validation))
    if data.test is not None:
        return files, pictures_in(Path(data.test))
    return hold_back(files, data.held_back)


def files_of(experiment: Experiment) -> dict[str, list[Path]]:
    """Every picture file a training reads, by what it is for.

    The low-resolution pictures of given pairs are parts of their own, such as ``train-lr``.
    """
    data = experiment.data
    validation, test = judged_on(experiment)
    training = pictures_in(Path(data.train))[: data.limit]
    parts = {"train": training, "validation": validation, "test": test}
    if data.degradation == "given":
        parts |= {f"{part}-lr": [low_of(path) for path in files] for part, files in parts.items()}
    return parts
