"""The Lightning module: loss, schedule, moving average, validation."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
import time
from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from hyperfocal.quality.metrics import Scores, scores
from hyperfocal.training import facts
from hyperfocal.training.cost import NOTHING, cost_before
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.losses import reconstruction
from hyperfocal.training.muon import Muon

Batch = tuple[Tensor, Tensor]

# The factors of an over-parameterised kernel. Adam moves each of hundreds of them a whole step
# in the same direction, so the kernel moves about ten steps: enough to kill ReLUs for good.
FACTORS = (".wide", ".point")
FACTOR_RATE = 0.1

# Kernels of the inner convolutions. The first and the last are left to Adam: pixels are no
# activations, and what the last one makes is already the picture.
KERNEL = re.compile(r"body\.\d+\.direct")

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "muon": Muon,
}

# Makes gradients of the squared error about as large as those of the absolute one, whose errors
# are about a twentieth. Adam's idea of their size is a thousand steps old: with ten times this,
# the first steps of the finish were ten times too long and undid what the last thousand gained.
SQUARED_GAIN = 10.0


def protocol_scores(output: Tensor, target: Tensor, shave: int) -> Scores:
    """Scores of a picture ``(1, 3, H, W)`` in [0, 1] by the protocol of ``hyperfocal evaluate``."""
    made, wanted = (
        (part[0].float().clamp(0.0, 1.0) * 255.0).round().byte().permute(1, 2, 0).cpu().numpy()
        for part in (output, target)
    )
    return scores(made, wanted, shave=shave)


def _unit(batch: Batch) -> Batch:
    """uint8 to float32 in [0, 1], channels last."""
    lr, hr = (part.to(memory_format=torch.channels_last).float() / 255.0 for part in batch)
    return lr, hr


class Restoration(lightning.LightningModule):
    """Trains ``net``; validates and exports its exponential moving average ``average``.

    ``clock``: seconds of training so far, ``batches``: so many seen; both outlive a resume.
    ``before``: what the weights cost that it started from; ``judged_by``: digest of the validation
    pictures. ``ended``: why it ended before its budget did, for those that go on.
    """

    def __init__(self, experiment: Experiment, net: nn.Module) -> None:
        super().__init__()
        self.experiment = experiment
        # Channels last is the layout of the CPU's (and the GPU's tensor-core) convolutions.
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(net).requires_grad_(False).eval()
        self.clock = 0.0
        self.before = NOTHING
        self.judged_by: str | None = None
        self.ended: str | None = None
        self.batches = 0
        self._epoch_from = 0
        self._whole = experiment.schedule.validate_every
        # Of a step in the last epoch that was whole, validation included.
        self.step_seconds: float | None = None
        self._means: dict[str, tuple[Tensor, int]] = {}
        self._resumed = 0.0
        self._started = time.monotonic()
        self._epoch_started = self._started
        self._epoch_seconds = 0.0
        self._random: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        self._started = time.monotonic()

    def _time(self) -> float:
        """Seconds of training so far; where they decide, all processes go by the first one's."""
        clock = self._resumed + time.monotonic() - self._started
        if self.experiment.schedule.minutes is None or self.trainer.world_size == 1:
            return clock
        told = torch.tensor(clock, dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(told, 0)
        return float(told)

    @property
    def progress(self) -> float:
        """How much of the budget is used, 0 to 1."""
        schedule = self.experiment.schedule
        if schedule.steps is not None:
            return min(1.0, self.global_step / schedule.steps)
        assert schedule.minutes is not None
        return min(1.0, self.clock / 60.0 / schedule.minutes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        schedule = self.experiment.schedule
        rest = dict(self.net.named_parameters())
        groups: list[dict[str, Any]] = []
        if schedule.optimizer == "muon":
            kernels = [rest.pop(name) for name in list(rest) if KERNEL.fullmatch(name)]
            groups.append({"params": kernels, "share": 1.0, "kernels": True})
        factors = [rest.pop(name) for name in list(rest) if name.endswith(FACTORS)]
        groups.append({"params": list(rest.values()), "share": 1.0})
        if factors:
            groups.append({"params": factors, "share": FACTOR_RATE})
        return OPTIMIZERS[schedule.optimizer](
            groups,
            lr=schedule.rate,
            betas=(schedule.beta1, schedule.beta2),
            weight_decay=schedule.weight_decay,
        )

    def on_train_start(self) -> None:
        # An optimizer that is resumed brings its own; the experiment may have others by now. The
        # rate is set at every step.
        schedule = self.experiment.schedule
        for group in self.trainer.optimizers[0].param_groups:
            group["weight_decay"] = schedule.weight_decay
            group["betas"] = (schedule.beta1, schedule.beta2)
        self._epoch_started = time.monotonic() - self._epoch_seconds
        if self._random is not None:
            random_state(self._random)
            self._random = None

    def on_train_epoch_start(self) -> None:
        self._epoch_started = time.monotonic()
        self._epoch_from = self.batches

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> int | None:
        self.clock = self._time()
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
        finish = schedule.mse_finish
        squared = finish > 0.0 and self.progress >= 1.0 - finish
        output = self.net(lr).float()
        loss, mse = reconstruction(output, hr, squared=squared, luma_weight=schedule.luma_weight)
        self.log("train_loss", loss, prog_bar=True)
        self._note("train_mse_loss", mse)
        return loss * SQUARED_GAIN if squared else loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.experiment.schedule.clip)
        self.log("train_grad_norm", norm)
        self._note("train_mean_grad_norm", norm)

    def _note(self, name: str, figure: Tensor) -> None:
        """Add a figure of a step to its mean over the epoch.

        Lightning's own means are lost with the process: after a resume they would be those of the
        rest of the epoch.
        """
        total, count = self._means.get(name, (torch.zeros((), device=self.device), 0))
        self._means[name] = total.to(figure.device) + figure.detach().float(), count + 1

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.batches += 1
        # A short memory at first, so that the average is never mostly the random start.
        decay = min(self.experiment.schedule.ema, (1 + self.global_step) / (10 + self.global_step))
        averaged, current = list(self.average.parameters()), list(self.net.parameters())
        torch._foreach_lerp_(averaged, current, 1.0 - decay)

    def on_train_epoch_end(self) -> None:
        # A resumed training first ends, once more, the epoch it was saved in.
        if self.batches > self._epoch_from:
            seconds = time.monotonic() - self._epoch_started
            self.log("epoch_time", seconds)
            # A budget may end it early; what was seen of it before a resume counts.
            if {count for _, count in self._means.values()} == {self._whole}:
                self.step_seconds = seconds / self._whole
        for name, (total, count) in self._means.items():
            self.log(name, total / count, sync_dist=True)
        self._means = {}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._judge(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._judge(batch, "test")

    def _judge(self, batch: Batch, kind: str) -> None:
        """PSNR and SNR in dB and SSIM by the protocol; the loss: mean squared error of RGB."""
        lr, hr = _unit(batch)
        output = self.average(lr).float()
        found = protocol_scores(output, hr, self.experiment.net.scale)
        if not bool(torch.isfinite(output).all()):
            # As bytes they would have a PSNR like any others.
            found = Scores(math.nan, math.nan, math.nan, math.nan)
        loss = {"val": "val_mse_loss", "test": "test_loss"}[kind]
        figures = {
            loss: (output - hr).square().mean(),
            f"{kind}_psnr": found.psnr,
            f"{kind}_ssim": found.ssim,
            f"{kind}_snr": found.snr,
        }
        # The weight of a picture. Lightning divides the sum of all weights by the number of
        # processes and drops the fraction: with this weight there is none, whoever has more
        # pictures.
        self.log_dict(figures, batch_size=self.trainer.world_size, sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["experiment"] = self.experiment.model_dump()
        checkpoint["clock"] = self.clock
        checkpoint["hardware"] = facts.hardware(self.device, self.trainer.world_size)
        checkpoint["before"] = dataclasses.asdict(self.before)
        checkpoint["batches"] = self.batches
        checkpoint["judged_by"] = self.judged_by
        checkpoint["ended"] = self.ended
        # What there is of an epoch that is not over.
        checkpoint["epoch"] = {
            "means": {name: [total.cpu(), count] for name, (total, count) in self._means.items()},
            "seconds": time.monotonic() - self._epoch_started if self._means else 0.0,
        }
        checkpoint["random"] = random_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock = self._resumed = checkpoint["clock"]
        self.before = cost_before(checkpoint)
        self._started = time.monotonic()
        self.batches = checkpoint.get("batches", checkpoint["global_step"])
        self._epoch_from = self.batches
        # Older ones lack it.
        epoch = checkpoint.get("epoch", {"means": {}, "seconds": 0.0})
        self._means = {name: (total, count) for name, (total, count) in epoch["means"].items()}
        self._epoch_seconds = epoch["seconds"]
        # Set when the training starts: building loaders and the like would draw from it.
        self._random = checkpoint.get("random")


def random_state(restore: dict[str, Any] | None = None) -> dict[str, Any]:
    """The state of torch's generators; first put back to ``restore`` if given."""
    if restore is not None:
        torch.set_rng_state(restore["cpu"])
        if torch.cuda.is_available() and restore["cuda"]:
            torch.cuda.set_rng_state_all(restore["cuda"])
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}
