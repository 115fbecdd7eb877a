"""Ends a training that has lost what it had learnt."""

from __future__ import annotations

import logging
import math
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from hyperfocal.errors import ModelBroken
from hyperfocal.training.checkpoints import BEST, Checkpoints
from hyperfocal.training.module import Restoration

_log = logging.getLogger(__name__)

COLLAPSE = "collapse"
"""Why such a training ended."""

# Too large a rate costs a trained net some tenths of a dB at first, which come back.
_LOST = 2.0
_TIMES = 2


class TrainingFailed(ModelBroken):
    """What was learnt are no numbers of which a picture could come."""


class Collapse(Callback):
    """Stops after some validations in a row with a PSNR far below the best, or with none.

    A net whose activations have died, or whose weights are no numbers, does not come back however
    long it is trained. ``checkpoints``: know the best so far.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._times = 0

    def state_dict(self) -> dict[str, Any]:
        return {"times": self._times}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Judged by other pictures than before there is no best yet to have lost.
        self._times = 0 if self._checkpoints.anew else state_dict["times"]

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        psnr, best = float(trainer.callback_metrics["val_psnr"]), self._checkpoints.best_psnr
        lost = math.isnan(psnr) or psnr < best - _LOST
        self._times = self._times + 1 if lost else 0
        if self._times < _TIMES:
            return
        trainer.should_stop = True
        pl_module.ended = COLLAPSE
        if not trainer.is_global_zero:
            return
        if math.isfinite(best):
            _log.warning(
                "stopped at step %d: validation fell from %.2f to %.2f dB and does not come back; "
                "%s is what it was before; try a lower rate",
                trainer.global_step,
                best,
                psnr,
                BEST,
            )
        else:
            _log.warning(
                "stopped at step %d: no validation so far came to a number, so no checkpoint of it "
                "is of use; try a lower rate, in another folder",
                trainer.global_step,
            )
