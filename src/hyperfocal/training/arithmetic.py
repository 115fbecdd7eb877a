"""In which arithmetic a training runs: what was asked for, where this machine trains in it."""

from __future__ import annotations

import logging

from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from hyperfocal.training.experiment import Experiment
from hyperfocal.training.nets.fused import has_bfloat16

_log = logging.getLogger(__name__)


def precision_here(experiment: Experiment) -> str:
    """The precision that a training has on this machine, by Lightning's names.

    That of the experiment, but for "16-mixed" without a GPU: no CPU trains in float16, and what
    Lightning takes instead is "bf16-mixed", with the same range as float32 and no scaled losses.
    On a CPU without bfloat16 (AVX2 only) both are "32-true", which is several times quicker there
    and loses nothing. Any experiment can so be tried on any machine.
    """
    if CUDAAccelerator.is_available() or MPSAccelerator.is_available():
        return experiment.precision
    if experiment.precision != "32-true" and not has_bfloat16():
        return "32-true"
    return "bf16-mixed" if experiment.precision == "16-mixed" else experiment.precision


def say_other_precision(experiment: Experiment) -> None:
    """Tell the user where a training has another precision than its experiment asks for."""
    here = precision_here(experiment)
    if here != experiment.precision:
        _log.warning("this machine trains in '%s' rather than '%s'", here, experiment.precision)
