"""Quick looks at whether a training can work at all, before it is given hours."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from hyperfocal.quality.metrics import psnr
from hyperfocal.quality.resize import enlarge_bicubic
from hyperfocal.training.data import OneBatch
from hyperfocal.training.degraded import training_pool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import Trained, fit


@dataclass(frozen=True)
class Learnt:
    """PSNR in dB over the patches of one batch: of bicubic, and of the net that saw only them."""

    bicubic: float
    net: float
    steps: int

    @property
    def sound(self) -> bool:
        """Whether the net learnt anything: it then beats bicubic by half a decibel at least."""
        return self.net > self.bicubic + 0.5


def overfit_one_batch(
    experiment: Experiment, out: Path | None = None, *, steps: int = 300, progress: bool = True
) -> Learnt:
    """Train on the first batch alone. A net that cannot learn it by heart has a fault.

    ``out``: where its checkpoints, curves and samples go; without it they are not kept.
    :class:`OutputExists` where it holds a training.
    """
    every = max(1, steps // 3)
    schedule = experiment.schedule.model_copy(
        update={
            "steps": steps,
            "minutes": None,
            "warmup": min(experiment.schedule.warmup, steps // 10),
            "validate_every": every,
            "patience": None,
        }
    )
    plan = experiment.model_copy(update={"schedule": schedule})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if out is None else out
        trained = fit(plan, folder, progress=progress, tracking=False, preset="one-batch")
    pairs = OneBatch(training_pool(plan)).pairs()
    scale = plan.net.scale
    bicubic = fmean(psnr(enlarge_bicubic(lr, scale), hr, shave=scale) for lr, hr in pairs)
    return Learnt(bicubic, trained.best_psnr, trained.steps)


def dev_run(experiment: Experiment) -> Trained:
    """One step, one validation and one test picture; writes nothing."""
    return fit(experiment, Path(), tracking=False, preset="dev-run")
