"""The Lightning module: loss, schedule, moving average, validation."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from hyperfocal.training.experiment import Experiment
from hyperfocal.training.losses import luma, reconstruction
from hyperfocal.training.nets import NETS

Batch = tuple[Tensor, Tensor]

# The factors of an over-parameterised kernel. Adam moves each of hundreds of them a whole step
# in the same direction, so the kernel moves about ten steps: enough to kill ReLUs for good.
FACTORS = (".wide", ".point")
FACTOR_RATE = 0.1


def build_net(experiment: Experiment) -> nn.Module:
    """The untrained net of an experiment."""
    net = experiment.net
    return NETS[net.name](
        scale=net.scale,
        channels=net.channels,
        depth=net.depth,
        unshuffle=net.unshuffle,
        expand=net.expand,
    )


def psnr_y(output: Tensor, target: Tensor, shave: int) -> float:
    """PSNR in dB of luma, ``(1, 3, H, W)`` in [0, 1], output rounded to 8 bits first."""
    output = torch.round(output.clamp(0.0, 1.0) * 255.0) / 255.0
    error = luma(output.double() - target.double())[..., shave:-shave, shave:-shave]
    return -10.0 * math.log10(max(float((error * error).mean()), 1e-10))


def _unit(batch: Batch) -> Batch:
    """uint8 to float32 in [0, 1], channels last."""
    lr, hr = (part.to(memory_format=torch.channels_last).float() / 255.0 for part in batch)
    return lr, hr


class Restoration(lightning.LightningModule):
    """Trains ``net``; validates and exports its exponential moving average ``average``."""

    def __init__(self, experiment: Experiment, net: nn.Module) -> None:
        super().__init__()
        self.experiment = experiment
        # Channels last is the layout of the CPU's (and the GPU's tensor-core) convolutions.
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(net).requires_grad_(False).eval()
        self.clock = 0.0
        self._resumed = 0.0
        self._started = time.monotonic()

    def setup(self, stage: str) -> None:
        self._started = time.monotonic()
        self._resumed = self.clock

    @property
    def progress(self) -> float:
        """How much of the budget is used, 0 to 1."""
        schedule = self.experiment.schedule
        if schedule.steps is not None:
            return min(1.0, self.global_step / schedule.steps)
        assert schedule.minutes is not None
        return min(1.0, self.clock / 60.0 / schedule.minutes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        factors = [p for name, p in self.net.named_parameters() if name.endswith(FACTORS)]
        direct = [p for name, p in self.net.named_parameters() if not name.endswith(FACTORS)]
        groups = [{"params": direct, "share": 1.0}]
        if factors:
            groups.append({"params": factors, "share": FACTOR_RATE})
        return torch.optim.Adam(groups, lr=self.experiment.schedule.rate)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> int | None:
        self.clock = self._resumed + time.monotonic() - self._started
        schedule, progress = self.experiment.schedule, self.progress
        if progress >= 1.0:
            self.trainer.should_stop = True
        rate = schedule.final_rate + (schedule.rate - schedule.final_rate) * 0.5 * (
            1.0 + math.cos(math.pi * progress)
        )
        if schedule.warmup:
            rate *= min(1.0, (self.global_step + 1) / schedule.warmup)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["share"]
        self.log("train_lr", rate)
        return None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        lr, hr = _unit(batch)
        schedule = self.experiment.schedule
        squared = self.progress >= 1.0 - schedule.mse_finish
        loss = reconstruction(
            self.net(lr).float(), hr, squared=squared, luma_weight=schedule.luma_weight
        )
        # A squared error is hundreds of times smaller; Adam does not mind, clipping would.
        self.log("train_loss", loss, prog_bar=True)
        return loss * 100.0 if squared else loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.experiment.schedule.clip)
        self.log("train_grad_norm", norm)

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        # A short memory at first, so that the average is never mostly the random start.
        decay = min(self.experiment.schedule.ema, (1 + self.global_step) / (10 + self.global_step))
        averaged, current = list(self.average.parameters()), list(self.net.parameters())
        torch._foreach_lerp_(averaged, current, 1.0 - decay)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        lr, hr = _unit(batch)
        value = psnr_y(self.average(lr).float(), hr, self.experiment.net.scale)
        self.log("val_psnr", value, prog_bar=True, batch_size=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["experiment"] = self.experiment.model_dump()
        checkpoint["clock"] = self.clock

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock = checkpoint["clock"]
