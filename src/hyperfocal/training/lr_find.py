"""Which learning rate: a range test after Smith, "Cyclical Learning Rates for Training Neural
Networks", WACV 2017."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
import numpy as np
import torch
from torch import nn

from hyperfocal.errors import SettingsError
from hyperfocal.training.curves import save_figure
from hyperfocal.training.degraded import training_pool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import first_net
from hyperfocal.training.losses import reconstruction
from hyperfocal.training.module import Restoration

# Of the loss, so that single batches do not decide.
_MEMORY = 0.9
# A smoothed loss so many times the lowest one will not come back.
_DIVERGED = 4.0


@dataclass(frozen=True)
class RangeTest:
    """Loss by rate; ``suggestion`` is the rate at which it falls fastest.

    ``losses`` are shares of what the untrained net loses on the same batch, smoothed: some
    batches are several times as hard as others, which would hide what the rate does. The test
    stops where they diverge, so there may be fewer of them than steps were asked for.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float

    def draw(self, out: Path) -> None:
        """The curve as a picture; PNG, WebP, SVG or PDF by its ending."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses)
        axes.axvline(self.suggestion, color="C1", label=f"suggestion: {self.suggestion:.2g}")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss over that of the untrained net, smoothed")
        axes.legend()
        axes.grid(alpha=0.3)
        save_figure(figure, out)


def lr_find(
    experiment: Experiment,
    *,
    steps: int = 100,
    low: float = 1e-6,
    high: float = 1e-1,
    on_step: Callable[[int, int], None] | None = None,
) -> RangeTest:
    """Train for ``steps`` while the rate rises from ``low`` to ``high``, and look at the loss.

    In float32 and with the experiment's own batches, optimizer and clipping; nothing is kept.
    """
    if not 0.0 < low < high or steps < 10:
        raise SettingsError("a range test needs 10 steps or more and 0 < low < high")
    lightning.seed_everything(experiment.seed, verbose=False)
    net = first_net(experiment)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = Restoration(experiment, net).to(device)  # Its average stays the untrained net.
    optimizer = module.configure_optimizers()
    pool, schedule = training_pool(experiment), experiment.schedule
    lost = partial(reconstruction, squared=False, luma_weight=schedule.luma_weight)
    rates: list[float] = []
    losses: list[float] = []
    smoothed = 0.0
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        lr, hr = (part.to(device).float() / 255.0 for part in pool.batch(step))
        optimizer.zero_grad()
        loss, _ = lost(net(lr), hr)
        with torch.no_grad():
            share = float(loss / lost(module.average(lr), hr)[0])
        smoothed = _MEMORY * smoothed + (1.0 - _MEMORY) * share
        # Without this the first values, averaged with nothing, would be too low.
        value = smoothed / (1.0 - _MEMORY ** (step + 1))
        if not math.isfinite(value) or (losses and value > _DIVERGED * min(losses)):
            break
        rates.append(rate)
        losses.append(value)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), schedule.clip)
        optimizer.step()
        if on_step is not None:
            on_step(step + 1, steps)
    return RangeTest(tuple(rates), tuple(losses), steepest(rates, losses))


def steepest(rates: list[float], losses: list[float]) -> float:
    """The rate at which the loss falls fastest over the logarithm of the rate.

    Only up to where the loss is lowest: beyond, it falls in the ups and downs of divergence.
    """
    end = int(np.argmin(losses)) + 1 if losses else 0
    if end < 3:
        raise SettingsError("the loss does not fall at any rate; try lower ones")
    slope = np.gradient(np.log(losses[:end]), np.log(rates[:end]))
    return float(rates[int(np.argmin(slope))])
