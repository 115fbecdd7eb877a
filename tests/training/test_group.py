from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hyperfocal.errors import SettingsError
from hyperfocal.training.degraded import training_pool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.group import ALONE, Group


def test_alone_everything_is_mine() -> None:
    assert ALONE.leads
    assert ALONE.batch_share(7) == 7
    assert ALONE.share([1, 2, 3]) == [1, 2, 3]


def test_a_batch_is_split_evenly_or_not_at_all() -> None:
    assert Group(1, 4).batch_share(16) == 4
    with pytest.raises(SettingsError, match="multiple of 3"):
        Group(0, 3).batch_share(16)


def test_shares_of_pictures_hold_each_one_once() -> None:
    shares = [Group(rank, 3).share(list(range(8))) for rank in range(3)]
    assert sorted(number for share in shares for number in share) == list(range(8))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_too_few_pictures_are_judged_by_all() -> None:
    assert [Group(rank, 3).share([1, 2]) for rank in range(3)] == [[1, 2]] * 3


def test_workers_draw_different_patches_and_the_first_those_of_a_lone_process(
    experiment_file: Path,
) -> None:
    experiment = Experiment.read(experiment_file)
    first, second = (training_pool(experiment, Group(rank, 2)) for rank in range(2))
    mine, other = first.batch(3)[1], second.batch(3)[1]
    assert mine.shape == other.shape
    assert len(mine) * 2 == experiment.data.batch
    assert not torch.equal(mine, other)
    assert torch.equal(mine, training_pool(experiment, Group(0, 2)).batch(3)[1])


def test_an_error_is_everybodys() -> None:
    with pytest.raises(SettingsError, match="mine"), ALONE.agreed():
        raise SettingsError("mine")
