"""The pictures of an experiment: to train on, to validate with, to test with."""

from __future__ import annotations

from pathlib import Path

from hyperfocal.errors import SettingsError
from hyperfocal.training.apart import refuse_same
from hyperfocal.training.data import (
    OneBatch,
    PatchPool,
    ValidationPictures,
    hold_back,
    pictures_in,
)
from hyperfocal.training.degraded import (
    judged_pairs,
    learnt_from,
    least_judged,
    refuse_unjudged,
    training_pool,
)
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.given_pairs import low_of
from hyperfocal.training.group import Group


class Pictures:
    """The pictures of an experiment, decoded.

    :class:`SettingsError` for pictures that are too small, more than fit in memory, or judge a net
    that learns from them; :class:`InputError` for what is no picture, or no pair. ``one_batch``: a
    training that learns one by heart is judged by the same.
    """

    def __init__(self, experiment: Experiment, group: Group, *, one_batch: bool) -> None:
        self._group = group
        self.test: ValidationPictures | None = None
        self.training: PatchPool | OneBatch
        if one_batch:
            _refuse_small_patches(experiment)
            self.training = OneBatch(training_pool(experiment, group))
            self.validation = ValidationPictures(self.training.pairs())
            return
        validation, test = judged_on(experiment)
        # Before any is decoded, which may take minutes.
        refuse_same({"training": learnt_from(experiment), "validation": validation, "test": test})
        refuse_unjudged(experiment, [*validation, *test])
        self.training = training_pool(experiment, group)
        self.validation = ValidationPictures(judged_pairs(experiment, validation))
        if test:
            self.test = ValidationPictures(judged_pairs(experiment, test))

    def share(self, pictures: ValidationPictures | None) -> ValidationPictures | None:
        """Those that this process judges. Their mean is that of all: they go by their number."""
        return pictures and ValidationPictures(self._group.share(pictures.pairs))


def _refuse_small_patches(experiment: Experiment) -> None:
    """:class:`SettingsError` for patches too small to be judged by themselves."""
    scale, cell = experiment.net.scale, experiment.net.unshuffle
    least = least_judged(scale * cell, scale) // scale
    if experiment.data.patch < least:
        raise SettingsError(
            f"patches of {experiment.data.patch * scale}x{experiment.data.patch * scale} pixels "
            f"are too small to judge a net by: one batch needs data.patch = {least} or more"
        )


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
    parts = {"train": learnt_from(experiment), "validation": validation, "test": test}
    if data.degradation == "given":
        parts |= {f"{part}-lr": [low_of(path) for path in files] for part, files in parts.items()}
    return parts
