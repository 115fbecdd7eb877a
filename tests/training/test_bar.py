from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from hyperfocal.training.bar import Bar

MODULE: Any = SimpleNamespace(experiment=SimpleNamespace(name="tiny-x2"), progress=0.5, clock=90.0)
TRAINER: Any = SimpleNamespace(
    global_step=7,
    callback_metrics={"train_loss": 0.25, "val_psnr": 31.5, "val_ssim": 0.9},
    sanity_checking=False,
)


def watched(**terminal: Any) -> str:
    """What a training of one validation shows."""
    screen = io.StringIO()
    bar = Bar(Console(file=screen, width=120, **terminal))
    bar.on_train_start(TRAINER, MODULE)
    bar.on_validation_end(TRAINER, MODULE)
    bar.on_train_batch_end(TRAINER, MODULE, None, None, 0)
    bar.on_train_end(TRAINER, MODULE)
    return screen.getvalue()


def test_a_terminal_gets_one_bar_with_the_newest_figures() -> None:
    shown = watched(force_terminal=True)
    for text in ("tiny-x2", "50%", "step 7  loss 0.25000  31.500 dB"):
        assert text in shown
    assert "min:" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def test_elsewhere_there_is_a_line_a_validation() -> None:
    assert watched() == "step 7, 1.5 min: 31.500 dB, SSIM 0.9000\n"
