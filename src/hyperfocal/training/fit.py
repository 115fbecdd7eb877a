"""Run an experiment: fit, validate, keep checkpoints, resume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from hyperfocal.training.data import PatchPool, PatchSettings, ValidationPictures, pictures_in
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.module import Restoration, build_net
from hyperfocal.training.weights import start_from


@dataclass(frozen=True)
class Trained:
    """What a training came to. PSNR is of luma over the validation pictures, in dB."""

    steps: int
    seconds: float
    best_psnr: float
    final_psnr: float


def fit(
    experiment: Experiment, out: Path, *, resume: bool = False, progress: bool = True
) -> Trained:
    """Train; checkpoints and curves go under ``out``.

    ``out/best.ckpt`` has the highest ``val_psnr``, ``out/last.ckpt`` the newest state;
    ``resume`` goes on from the latter, optimizer, moving average and clock included.
    """
    out.mkdir(parents=True, exist_ok=True)
    lightning.seed_everything(experiment.seed, verbose=False)
    net = build_net(experiment)
    if experiment.net.start is not None and not resume:
        start_from(net, Path(experiment.net.start))
    module = Restoration(experiment, net)
    data, schedule = experiment.data, experiment.schedule
    training = PatchPool(
        pictures_in(Path(data.train))[: data.limit],
        PatchSettings(
            scale=experiment.net.scale,
            patch=data.patch,
            batch=data.batch,
            reduce_from=data.reduce_from,
            seed=experiment.seed,
        ),
    )
    validation = ValidationPictures(
        pictures_in(Path(data.validation)), experiment.net.scale, experiment.net.unshuffle
    )
    checkpoints = ModelCheckpoint(
        dirpath=out,
        filename="best",
        monitor="val_psnr",
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=experiment.precision,
        max_steps=schedule.steps or -1,
        max_epochs=-1,
        val_check_interval=schedule.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        callbacks=[checkpoints],
        logger=CSVLogger(out, name="", version=""),
        log_every_n_steps=50,
        enable_progress_bar=progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    last = out / "last.ckpt"
    trainer.fit(
        module,
        DataLoader(training, batch_size=None),
        DataLoader(validation, batch_size=1),
        ckpt_path=str(last) if resume and last.exists() else None,
        weights_only=True,
    )
    # The budget may end between two validations: judge the final weights too.
    trainer.validate(module, DataLoader(validation, batch_size=1), verbose=False)
    final = float(trainer.callback_metrics["val_psnr"])
    best = checkpoints.best_model_score
    if best is None or final >= float(best):
        best = final
        save_checkpoint(trainer, out / "best.ckpt")
    save_checkpoint(trainer, last)
    return Trained(trainer.global_step, module.clock, float(best), final)


def save_checkpoint(trainer: lightning.Trainer, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    trainer.save_checkpoint(partial, weights_only=False)
    partial.replace(path)


def load_average(path: Path) -> tuple[Experiment, torch.nn.Module, dict[str, float]]:
    """The experiment, the averaged net and the cost of a checkpoint written by :func:`fit`.

    The cost: ``steps``, and ``seconds`` of training.
    """
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    experiment = Experiment.model_validate(checkpoint["experiment"])
    net = build_net(experiment)
    prefix = "average."
    net.load_state_dict(
        {k[len(prefix) :]: v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
    )
    history = {"steps": checkpoint["global_step"], "seconds": checkpoint["clock"]}
    return experiment, net.eval(), history
