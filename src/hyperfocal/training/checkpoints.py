"""Which states of a training are kept on disk."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

BEST, LAST = "best.ckpt", "last.ckpt"


class Checkpoints(Checkpoint):
    """Keeps the ``count`` states of highest ``val_psnr``, the best as BEST, the newest as LAST.

    Written at every validation, whole or not at all, so that a kill at any moment leaves a
    state to go on from. A request to terminate, which is obeyed between two steps, leaves that very
    step as LAST. The kept ones are called ``step-STEP.ckpt``; BEST is another name of the
    first of them. ``anew``: a training that goes on is judged by other pictures than before; the
    states that those chose keep their names, but have no rank among those to come.
    """

    def __init__(self, folder: Path, count: int = 3, *, anew: bool = False) -> None:
        self.folder = folder
        self.count = count
        self.anew = anew
        self.kept: list[tuple[float, str]] = []
        self.saved_at = -1
        self._validated_at = -1
        self.psnr = float("nan")

    @property
    def best_psnr(self) -> float:
        """The highest ``val_psnr`` so far, in dB."""
        return self.kept[0][0] if self.kept else self.psnr

    def state_dict(self) -> dict[str, Any]:
        return {
            "kept": [list(entry) for entry in self.kept],
            "saved_at": self.saved_at,
            "psnr": self.psnr,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self.anew:
            return
        # Older ones lack both.
        self.saved_at = int(state_dict.get("saved_at", -1))
        self.psnr = float(state_dict.get("psnr", math.nan))
        kept = [(float(psnr), str(name)) for psnr, name in state_dict["kept"]]
        # The first of them is there as long as BEST is: without its figure, anything that comes
        # would be the best.
        named = [entry for entry in kept if (self.folder / entry[1]).is_file()]
        first = kept[:1] if (self.folder / BEST).is_file() else []
        self.kept = [*first, *(entry for entry in named if entry not in first)]

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.is_global_zero and self.kept:
            first, best = self.folder / self.kept[0][1], self.folder / BEST
            if not first.is_file():
                same_file(best, first)
            elif not best.is_file():
                same_file(first, best)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._validated_at = trainer.global_step

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        # Not at the end of the validation: a state saved in the middle of an epoch is resumed
        # in the middle of it. A budget that ends between two validations is judged by fit.
        if self._validated_at == trainer.global_step:
            self.save(trainer)

    def save(self, trainer: lightning.Trainer) -> None:
        """Write the state as it is now, judged by the last validation.

        Where several processes train together all call it, and the first one writes.
        """
        self.saved_at = trainer.global_step
        self.psnr = float(trainer.callback_metrics["val_psnr"])
        name = f"step-{trainer.global_step:07d}.ckpt"
        known = [entry for entry in self.kept if entry[1] != name]
        # What is not a number has no place in an order.
        figure = -math.inf if math.isnan(self.psnr) else self.psnr
        ranked = sorted([*known, (figure, name)], key=lambda entry: entry[0], reverse=True)
        self.kept = ranked[: self.count]
        partial = self._write(trainer)
        if trainer.is_global_zero:
            self._name(partial, name, ranked)
        # None reads the best state before it is there.
        trainer.strategy.barrier("checkpoints")

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        # Not after Ctrl-C, which may come in the middle of a step. Of several processes one
        # alone may have been told, and all of them would have to write.
        if not isinstance(exception, SIGTERMException) or trainer.world_size > 1:
            return
        if self.saved_at != trainer.global_step:
            self._write(trainer).replace(self.folder / LAST)

    def _write(self, trainer: lightning.Trainer) -> Path:
        """The whole state, in a file that has no name of its own yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{LAST}.partial"
        try:
            trainer.save_checkpoint(partial, weights_only=False)
        except OSError:
            # On a full disk it would be in the way of whatever is to go on there.
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        return partial

    def _name(self, partial: Path, name: str, ranked: list[tuple[float, str]]) -> None:
        """Give a state just written the names it has a right to, and drop what it pushes out."""
        names = {entry[1] for entry in self.kept}
        if name in names:
            same_file(partial, self.folder / name)
        if self.kept[0][1] == name:
            same_file(partial, self.folder / BEST)
        partial.replace(self.folder / LAST)
        # Only what this training made and has just pushed out.
        for _, old in ranked[self.count :]:
            (self.folder / old).unlink(missing_ok=True)


def same_file(source: Path, target: Path) -> None:
    """Give a file a second name, all or nothing; a copy where the file system has no links."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    partial.replace(target)
