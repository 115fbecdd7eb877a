"""Being told to stop in the middle of a training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from hyperfocal.terminating import kept_handler, terminated_by


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Raises Ctrl-C, and a request to terminate, as :class:`KeyboardInterrupt`.

    Lightning makes of the one the end of the process with code 1, and of the other, where
    nobody else handles it, that with code 0, as if the training were done. After the first
    Ctrl-C it is deaf to others; what comes after the training can be stopped again.
    """
    try:
        with kept_handler(signal.SIGINT):
            yield
    except SystemExit as stopped:
        is_interrupt = isinstance(stopped.__context__, KeyboardInterrupt)
        if is_interrupt or isinstance(stopped, SIGTERMException):
            raise KeyboardInterrupt from stopped
        raise


class Terminating(Callback):
    """Tells Lightning of a request to terminate when a step is whole and no validation is due.

    It would obey in the middle of a validation as well, and one that is not whole is not made up
    for by a training that goes on: neither its figures nor the state that it judged. Several
    processes have to agree, which is Lightning's affair.
    """

    def __init__(self) -> None:
        self._is_asked = False

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        def ask(*_: object) -> None:
            self._is_asked = True
            _tell(trainer, not _validates_next(trainer))

        # In the place of Lightning's own, which has been there since just before.
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ask)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self._is_asked:
            _tell(trainer, not _validates_next(trainer))

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if self._is_asked:
            _tell(trainer, True)


class OthersSignals(Callback):
    """Keeps Lightning from setting signals that are not its own.

    After a training, a validation and a test it sets each one there is to what Python knew of it
    before. What was not set by Python's ``signal``, it knows as the system's default: the handlers
    of :mod:`faulthandler` would be gone, and a later crash end without a trace.
    """

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        # What a cluster sends before it ends a job, where it is one that Lightning knows of.
        cluster = trainer._accelerator_connector.cluster_environment
        asked = getattr(cluster, "requeue_signal", None) or signal.SIGTERM
        taken = {signal.SIGTERM, asked}
        connector = trainer._signal_connector
        connector._get_current_signal_handlers = lambda: {
            number: signal.getsignal(number) for number in taken
        }


def _validates_next(trainer: lightning.Trainer) -> bool:
    """Whether the step at work, or the last one, is the last before a validation."""
    return trainer.fit_loop.epoch_loop._num_ready_batches_reached()


def _tell(trainer: lightning.Trainer, is_asked: bool) -> None:
    trainer._signal_connector.received_sigterm = is_asked


@contextmanager
def terminated_between_steps() -> Iterator[None]:
    """Leaves a request to terminate to Lightning, and to :class:`Terminating`.

    It would call an earlier handler as well, and the command line's ends whatever is running.
    """
    with terminated_by(signal.SIG_DFL):
        yield
