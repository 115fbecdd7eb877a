"""In which arithmetic a training runs: what was asked for, where this machine trains in it."""

from __future__ import annotations

import logging

from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from hyperfocal.training.experiment import Experiment

_log = logging.getLogger(__name__)


def precision_here(experiment: Experiment) -> str:
    """The precision that a training has on this machine, by Lightning's names.

    That of the experiment, but for "16-mixed" without a GPU: no CPU trains in float16, and what
    Lightning takes instead is "bf16-mixed", with the same range as float32 and no scaled losses.
    An experiment that is meant for a GPU can so be tried on any machine.
    """
    on_gpu = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    if experiment.precision == "16-mixed" and not on_gpu:
        return "bf16-mixed"
    return experiment.precision


def say_other_precision(experiment: Experiment) -> None:
    """Tell the user where a training has another precision than its experiment asks for."""
    here = precision_here(experiment)
    if here != experiment.precision:
        _log.warning(
            "no GPU here: the training runs in '%s' rather than '%s'", here, experiment.precision
        )
