"""Run an experiment: fit, validate, keep checkpoints, resume, test."""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch.utils.data import DataLoader

from hyperfocal.errors import OutputExists, OutputRefused, SettingsError
from hyperfocal.lock import alone
from hyperfocal.paths import FULL, made_folder
from hyperfocal.training.arithmetic import precision_here, say_other_precision
from hyperfocal.training.bar import Bar
from hyperfocal.training.calibrate import ceilings, observe, training_pictures
from hyperfocal.training.checkpoints import BEST, LAST, Checkpoints
from hyperfocal.training.collapse import COLLAPSE, Collapse
from hyperfocal.training.curves import CurveFile
from hyperfocal.training.data import OneBatch, PatchPool
from hyperfocal.training.degraded import DegradedPool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.group import ALONE, Group
from hyperfocal.training.interrupts import (
    OthersSignals,
    Terminating,
    kept_interrupts,
    terminated_between_steps,
)
from hyperfocal.training.memory import keep_freed
from hyperfocal.training.module import Restoration
from hyperfocal.training.nets import build_net, native
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.pictures import Pictures, files_of
from hyperfocal.training.samples import Samples
from hyperfocal.training.stored import read_checkpoint, starting_cost, starting_net
from hyperfocal.training.tracking import Tracking, track
from hyperfocal.training.weights import Folded, fold

_log = logging.getLogger(__name__)

# Pictures that set ranges and ceilings at the start of a training; the share that is clipped
# where quantisation-aware training starts.
_CALIBRATION = 16
_CLIPPED = 1e-4

# What of a net matters before its first step only.
_BEGINNING = {"start", "pretrained", "ceiled"}

# Why a training ended before its budget did; COLLAPSE is the other reason.
_PATIENCE = "patience"


Preset = Literal["one-batch", "dev-run"]


@dataclass(frozen=True)
class Trained:
    """What a training came to. PSNR is of luma over the validation pictures, in dB.

    ``test``: means over the test pictures of the best net, by metric; empty without any.
    ``step_seconds``: wall time of a step in the last epoch that was whole, validation included.
    """

    steps: int
    seconds: float
    best_psnr: float
    final_psnr: float
    step_seconds: float | None = None
    test: dict[str, float] = field(default_factory=dict)
    run_id: str | None = None


def fit(
    experiment: Experiment,
    out: Path,
    *,
    resume: bool = False,
    progress: bool = True,
    tracking: bool | None = None,
    preset: Preset | None = None,
    group: Group = ALONE,
) -> Trained:
    """Train; checkpoints, curves and samples go under ``out``.

    ``out/best.ckpt`` has the highest ``val_psnr``, ``out/last.ckpt`` the newest state;
    ``resume`` goes on from the latter, with the same steps that would have followed without the
    interruption. One that has ended is only tested again: where it collapsed, or its patience was
    at an end, until it is given another budget or more patience. ``tracking``: whether MLflow is
    told, as the experiment says when not given.

    ``preset``: "one-batch" trains and validates on the first batch alone, which a sound net
    learns by heart; "dev-run" runs one step, one validation picture and one test picture, and
    writes nothing.

    :class:`OutputExists` where ``out`` holds a training and ``resume`` is not said, and where
    another one is at work there; :class:`SettingsError` where its state does not belong to this
    experiment; :class:`OutputRefused` where the disk is full.

    ``group``: the processes that train this net together, each of which calls this. The first
    one alone writes, and tells MLflow.

    :class:`KeyboardInterrupt` on Ctrl-C and on a request to terminate, which is obeyed, and the
    state kept, when a step is whole.
    """
    last = out / LAST
    if not resume and preset != "dev-run":
        refuse_another(out)
    _hush()
    if group.leads:
        say_other_precision(experiment)
    keep_freed()
    lightning.seed_everything(experiment.seed, verbose=False)
    with group.agreed():
        state = read_checkpoint(last) if resume and last.exists() else None
        if state is not None:
            _refuse_other_state(state["experiment"], experiment, last)
        net = first_net(experiment) if state is None else build_net(experiment)
        module = Restoration(experiment, net)
        if state is None:
            module.before = starting_cost(experiment)
        pictures = Pictures(experiment, group, one_batch=preset == "one-batch")
    module.judged_by = pictures.validation.digest
    anew = False
    if state is not None:
        pictures.training.position = state.get("batches", state["global_step"])
        # Checkpoints from before it was told are taken at their word.
        anew = group.told(state.get("judged_by", module.judged_by) != module.judged_by)
    if preset == "dev-run":
        return _dev_run(experiment, module, pictures)

    made_folder(out)
    # Workers that are started anew may meet those that end.
    lock = alone(out, "training") if group.size == 1 else contextlib.nullcontext()
    with _room(out), lock:
        if not resume:
            # It may have come, and ended, since.
            refuse_another(out)
        since = None if state is None else int(state["global_step"])
        ended = state is not None and not anew and _ended(state, experiment, last)
        until = since if group.told(ended) else None
        if anew and group.leads:
            _log.warning(
                "the validation pictures are not those that %s was judged by: which state is the "
                "best is decided anew, among those to come",
                last,
            )
        checkpoints = Checkpoints(out, anew=anew)
        return _trained(
            experiment, checkpoints, module, pictures, group, since, until, progress, tracking
        )


def _trained(
    experiment: Experiment,
    checkpoints: Checkpoints,
    module: Restoration,
    pictures: Pictures,
    group: Group,
    since: int | None,
    until: int | None,
    progress: bool,
    tracking: bool | None,
) -> Trained:
    """What :func:`fit` says, of a net that is made.

    ``since``: the step it goes on from. ``until``: the step it ends at, before its budget does.
    """
    out = checkpoints.folder
    if group.leads:
        partial = out / "experiment.partial"
        partial.write_text(experiment.to_toml(), encoding="utf-8")
        partial.replace(out / "experiment.toml")
    told = group.leads and (experiment.tracking if tracking is None else tracking)
    judged = _loader(pictures.share(pictures.validation))
    with (
        _tracked(experiment, out, module, resumed=since is not None, wanted=told) as tracker,
        kept_interrupts(),
    ):
        trainer = _trainer(
            experiment,
            group,
            until,
            callbacks=[
                _Position(pictures.training),
                *([Bar()] if progress and group.leads else []),
                *([Samples(out, pictures.validation.pairs)] if group.leads else []),
                *_patience(experiment, anew=checkpoints.anew),
                Collapse(checkpoints),
                Terminating(),
                OthersSignals(),
                checkpoints,
            ],
            logger=[
                CurveFile(out, kept_until=since),
                *([tracker] if tracker else []),
            ]
            if group.leads
            else False,
        )
        with terminated_between_steps():
            trainer.fit(
                module,
                _loader(
                    pictures.training,
                    helped=_helped(experiment, module.net, pictures.training),
                ),
                judged,
                ckpt_path=None if since is None else str(out / LAST),
                weights_only=True,
            )
        native.give_back()
        if trainer.global_step == since:
            # Nothing was left to do, and a state is saved before its epoch counts as over.
            epochs = trainer.fit_loop.epoch_progress.current
            epochs.completed = epochs.processed
        if checkpoints.saved_at != trainer.global_step:
            # The budget ended between two validations: judge the final weights too. The row is
            # named by the last step, as those of other validations are.
            _count_steps(trainer, trainer.global_step - 1)
            trainer.validate(module, judged, verbose=False)
            _count_steps(trainer, trainer.global_step)
            checkpoints.save(trainer)
        steps, final = trainer.global_step, checkpoints.psnr
        test = _test(trainer, module, pictures.share(pictures.test), out / BEST)
        if tracker:
            tracker.finish(out, module)
    return Trained(
        steps=steps,
        seconds=module.clock,
        best_psnr=checkpoints.best_psnr,
        final_psnr=final,
        step_seconds=module.step_seconds,
        test=test,
        run_id=tracker.run_id if tracker else None,
    )


def refuse_another(out: Path) -> None:
    """:class:`OutputExists` where a folder holds a training that could be gone on with."""
    if (out / LAST).exists():
        raise OutputExists(
            f"{out} holds a training already: go on with it (--resume), or train in another folder"
        )


def _refuse_other_state(before: Mapping[str, Any], now: Experiment, path: Path) -> None:
    """:class:`SettingsError` where a state is of another net or another optimizer.

    Budget, rate and the like may change on the way.
    """
    wanted, held = (
        {f"net.{key}": value for key, value in each.net.model_dump(exclude=_BEGINNING).items()}
        | {"schedule.optimizer": each.schedule.optimizer}
        for each in (now, Experiment.checked(before, path))
    )
    for name, value in wanted.items():
        if value != held[name]:
            raise SettingsError(
                f"{path} was trained with {name} = {held[name]!r}, the experiment says {value!r}: "
                "change it back, or train in another folder"
            )


def _ended(state: Mapping[str, Any], experiment: Experiment, path: Path) -> bool:
    """Whether a state is of a training that has ended, and nothing was changed that lets it go on.

    Budgets in steps end it by themselves.
    """
    before, now = Experiment.checked(state["experiment"], path).schedule, experiment.schedule
    if now.minutes is not None and state["clock"] >= 60.0 * now.minutes:
        return True
    # Older ones do not tell.
    why = state.get("ended")
    if why is None or (before.steps, before.minutes) != (now.steps, now.minutes):
        return False
    reason, advice = "its net had collapsed", "another budget lets it"
    if why == _PATIENCE:
        if now.patience is None or now.patience > (before.patience or 0):
            return False
        reason, advice = "its patience was at an end", "more patience, or another budget, lets it"
    _log.warning(
        "%s: the training ended at step %d, as %s: it is tested, but does not go on; %s",
        path,
        state["global_step"],
        reason,
        advice,
    )
    return True


@contextlib.contextmanager
def _room(out: Path) -> Iterator[None]:
    """:class:`OutputRefused` where there is no room for what a training writes into ``out``."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        kept = (
            f"what was saved in {out} is whole, and --resume goes on from the last checkpoint there"
            if (out / LAST).exists()
            else "no checkpoint was saved yet"
        )
        raise OutputRefused(
            f"there is no room for the training in {out}, or in {tempfile.gettempdir()}, where "
            f"checkpoints begin: {error.strerror}; {kept}"
        ) from error


def first_net(experiment: Experiment) -> torch.nn.Module:
    """The net of an experiment before its first step, with the weights it is to start from."""
    net = starting_net(experiment)
    if not isinstance(net, PlainNet):
        return net

    def folded() -> Folded:
        # Without the ranges, which are not known before the net was seen without them.
        return replace(fold(net), ceilings=net.ceilings)

    share = experiment.net.ceiled
    if share is not None and net.ceilings is None:
        pictures = training_pictures(experiment, _CALIBRATION)
        net.set_ceilings(ceilings(folded(), pictures, share))
    if experiment.net.qat:
        seen = observe(folded(), training_pictures(experiment, _CALIBRATION))
        net.set_ranges(seen.ranges[_CLIPPED])
    return net


class _Patience(EarlyStopping):
    """Stops after ``patience`` validations in a row that were no better than the best before.

    ``anew``: those before a resume do not count.
    """

    def __init__(self, patience: int, *, anew: bool) -> None:
        self._anew = anew
        self._validated_at = -1
        # A training that goes on ends, once more, the epoch it was saved in, without a figure.
        super().__init__("val_psnr", mode="max", patience=patience, check_finite=True, strict=False)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        super().on_validation_end(trainer, pl_module)
        self._validated_at = trainer.global_step

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        # A budget that ends between two validations would count the last one a second time.
        if self._validated_at != trainer.global_step:
            return
        others = trainer.should_stop
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.should_stop and not others and isinstance(pl_module, Restoration):
            finite = math.isfinite(float(trainer.callback_metrics["val_psnr"]))
            pl_module.ended = _PATIENCE if finite else COLLAPSE

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._anew:
            return
        # What the experiment says now counts.
        super().load_state_dict({**state_dict, "patience": self.patience})


class _Position(Callback):
    """Before every epoch, puts the endless batches where the training is.

    Lightning draws one batch more than it uses, so their own count would run ahead.
    """

    def __init__(self, batches: PatchPool | OneBatch) -> None:
        self._batches = batches

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        self._batches.position = pl_module.batches

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: Restoration, batch: Any, batch_idx: int
    ) -> None:
        # The step that figures are logged under. Resumed at the end of an epoch, Lightning is
        # one ahead for good.
        _count_steps(trainer, trainer.global_step)


def _count_steps(trainer: lightning.Trainer, steps: int) -> None:
    """Set the step that figures are logged under."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = steps


def _loader(pictures: Any, *, helped: bool = False) -> DataLoader[Any]:
    # A generator of its own: loaders draw a number whenever they are read anew, and the global
    # one belongs to the training.
    single = None if isinstance(pictures, PatchPool | OneBatch) else 1
    return DataLoader(
        pictures,
        batch_size=single,
        generator=torch.Generator(),
        num_workers=int(helped),
        # Any other way would send it all tiles, and again before every epoch.
        multiprocessing_context="fork" if helped else None,
        worker_init_fn=_deaf,
    )


def _helped(experiment: Experiment, net: torch.nn.Module, pictures: PatchPool | OneBatch) -> bool:
    """Whether a process of its own is to degrade patches beside the training."""
    # A teacher would be loaded anew by the helper of every epoch.
    if not isinstance(pictures, DegradedPool) or pictures.settings.teacher is not None:
        return False
    if "fork" not in multiprocessing.get_all_start_methods():
        return False
    if torch.cuda.is_available():
        return True
    # On tiles threads take pictures as they are free to. Where every step waits for the slowest of
    # its threads, a helper costs more than it saves.
    on_tiles = isinstance(net, PlainNet) and net.on_tiles
    return on_tiles and precision_here(experiment) == "bf16-mixed"


def _deaf(_worker: int) -> None:
    """Leaves it to the training what becomes of a signal that both of them get."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _trainer(
    experiment: Experiment, group: Group, until: int | None, **given: Any
) -> lightning.Trainer:
    schedule = experiment.schedule
    return lightning.Trainer(
        accelerator="auto",
        **group.trainer,
        precision=precision_here(experiment),
        deterministic=experiment.deterministic,
        max_steps=until or schedule.steps or -1,
        max_epochs=-1,
        limit_train_batches=schedule.validate_every,
        num_sanity_val_steps=0,
        log_every_n_steps=min(50, schedule.validate_every),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=True,
        use_distributed_sampler=False,
        **given,
    )


def _hush() -> None:
    """Lightning advertises, and wonders about the average, which is never in training mode."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for text in (r".*in eval mode at the start of training.*", r".*LeafSpec.*is deprecated.*"):
        warnings.filterwarnings("ignore", message=text)
    # One picture a batch and nothing to load: workers would only copy what is in memory.
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
    # Batches do resume in the middle of an epoch: they are numbered from the first step on.
    warnings.filterwarnings("ignore", message=r".*your dataloader is not resumable.*")


def _patience(experiment: Experiment, *, anew: bool) -> list[Callback]:
    patience = experiment.schedule.patience
    if patience is None:
        return []
    return [_Patience(patience, anew=anew)]


def _dev_run(experiment: Experiment, module: Restoration, pictures: Pictures) -> Trained:
    """One step and one picture of everything, in memory."""
    trainer = lightning.Trainer(
        fast_dev_run=True,
        accelerator="auto",
        devices=1,
        precision=precision_here(experiment),
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[OthersSignals()],
    )
    with kept_interrupts():
        trainer.fit(module, _loader(pictures.training), _loader(pictures.validation))
        steps, psnr = trainer.global_step, float(trainer.callback_metrics["val_psnr"])
        test = _test(trainer, module, pictures.test, None)
    return Trained(steps, module.clock, psnr, psnr, test=test)


def _test(
    trainer: lightning.Trainer, module: Restoration, pictures: Any, best: Path | None
) -> dict[str, float]:
    """Scores of the best net on the test pictures, which nothing was chosen by."""
    if pictures is None:
        return {}
    if best is not None:
        state: dict[str, Any] = torch.load(best, map_location="cpu", weights_only=True)
        module.load_state_dict(state["state_dict"])
    (found,) = trainer.test(module, _loader(pictures), verbose=False)
    return {name: float(value) for name, value in found.items()}


@contextlib.contextmanager
def _tracked(
    experiment: Experiment, out: Path, module: Restoration, *, resumed: bool, wanted: bool
) -> Iterator[Tracking | None]:
    if not wanted:
        yield None
        return
    with track(experiment, out, module, files_of(experiment), resumed=resumed) as tracker:
        yield tracker
