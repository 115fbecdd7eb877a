"""How far a training is, told on stderr: a bar on a terminal, a line a validation elsewhere."""

from __future__ import annotations

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

from hyperfocal.training.module import Restoration


class Bar(Callback):
    """One bar over the whole budget, steps or minutes, with the newest loss and PSNR."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._psnr = ""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        if not self._console.is_terminal:
            return
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            Remaining(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task(pl_module.experiment.name, total=1.0, told="")
        self._progress.start()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Restoration,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self._progress is not None:
            loss = float(trainer.callback_metrics.get("train_loss", float("nan")))
            self._progress.update(
                self._task,
                completed=pl_module.progress,
                told=f"step {trainer.global_step}  loss {loss:.5f}{self._psnr}",
            )

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        found = trainer.callback_metrics
        self._psnr = f"  {float(found['val_psnr']):.3f} dB"
        if self._progress is None and not trainer.sanity_checking:
            self._console.print(
                f"step {trainer.global_step}, {pl_module.clock / 60.0:.1f} min: "
                f"{float(found['val_psnr']):.3f} dB, SSIM {float(found['val_ssim']):.4f}",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        self._stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: Restoration, exception: BaseException
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
