"""The figures of a training over its steps: written to a CSV file as they come, and drawn."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger

from hyperfocal import paths
from hyperfocal.errors import InputError, InputMissing, OutputRefused
from hyperfocal.training.drawing import check_drawing, write_drawing

FILE = "metrics.csv"
COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_lr",
    "train_grad_norm",
    "train_mse_loss",
    "train_mean_grad_norm",
    "epoch_time",
    "val_mse_loss",
    "val_psnr",
    "val_ssim",
    "val_snr",
    "test_loss",
    "test_psnr",
    "test_ssim",
    "test_snr",
)
PANELS = (
    ("train_loss", "training loss", "log"),
    ("val_psnr", "validation PSNR, dB", "linear"),
    ("train_lr", "learning rate", "linear"),
    ("train_grad_norm", "gradient norm", "log"),
)

_FIGURES = (".png", ".webp", ".svg", ".pdf")

Curve = tuple[list[float], list[float]]
"""Steps and values."""


class CurveFile(Logger):
    """Lightning's figures as rows of ``FILE`` in ``folder``, one on disk as soon as it is known.

    ``kept_until``: rows of later steps, which a killed training wrote after its last
    checkpoint, are dropped: it does those steps again. ``None`` starts the file anew.
    """

    def __init__(self, folder: Path, kept_until: int | None = None) -> None:
        super().__init__()
        self.path = folder / FILE
        rows: list[dict[str, str]] = []
        if kept_until is not None and self.path.is_file():
            # A row is named by the index of its step, which starts at 0.
            rows = [row for row in read_rows(self.path) if float(row["step"]) < kept_until]
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.path)

    @property
    def name(self) -> str:
        """Lightning wants one."""
        return "curves"

    @property
    def version(self) -> str:
        """Lightning wants one."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the experiment file has them."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row, unless there is nothing in it."""
        if not metrics.keys() - {"epoch", "step"}:
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="raise")
            writer.writerow({**metrics, "step": step})


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a curve file that are whole: a kill may have cut the last one."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [row for row in csv.DictReader(whole.splitlines()) if row.get("step")]


def read_curves(run: Path) -> dict[str, Curve]:
    """The curves of a run's folder (or of a CSV file) by name.

    :class:`InputMissing` without any, :class:`InputError` for another kind of file.
    """
    path = run / FILE if paths.is_folder(run) else run
    if not paths.is_file(path):
        raise InputMissing(f"there are no curves in {run}: no {FILE}")
    curves: dict[str, Curve] = {}
    try:
        for row in read_rows(path):
            at = float(row["step"]) + 1.0
            for name, value in row.items():
                if name in ("epoch", "step") or not value:
                    continue
                number = float(value)
                if math.isfinite(number):
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(at)
                    values.append(number)
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is no {FILE} of a training") from error
    if not curves:
        raise InputMissing(f"{path} has no figures yet")
    return curves


def draw(runs: Sequence[Path], out: Path) -> None:
    """A picture of the curves of some runs, one colour a run; PNG, WebP, SVG or PDF by ending."""
    from matplotlib.figure import Figure

    check_figure(out)
    found = [(run, read_curves(run)) for run in runs]
    panels = [panel for panel in PANELS if any(panel[0] in curves for _, curves in found)]
    columns = min(2, len(panels))
    figure = Figure(
        figsize=(6.0 * columns, 3.6 * math.ceil(len(panels) / columns)), layout="constrained"
    )
    grid = figure.subplots(math.ceil(len(panels) / columns), columns, squeeze=False).flatten()
    for axes, (name, title, scale) in zip(grid, panels, strict=False):
        for index, (run, curves) in enumerate(found):
            if name in curves:
                steps, values = curves[name]
                marker = "." if len(steps) < 40 else None
                axes.plot(
                    steps, values, label=_label(run), color=f"C{index % 10}", lw=1.2, marker=marker
                )
        axes.set_yscale(scale)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    grid[0].legend(fontsize="small")
    save_figure(figure, out)


def check_figure(out: Path) -> None:
    """:class:`OutputRefused` unless ``out`` is a name that a figure can be written under."""
    check_drawing(out)
    if out.suffix.lower() not in _FIGURES:
        raise OutputRefused(f"{out}: the name must end in one of {', '.join(_FIGURES)}")


def save_figure(figure: Any, out: Path) -> None:
    """Write a matplotlib figure whole or not at all; :class:`OutputRefused` where that fails."""
    check_figure(out)
    ending = out.suffix[1:].lower()
    write_drawing(out, lambda partial: figure.savefig(partial, dpi=110, format=ending))


def _label(run: Path) -> str:
    run = run.resolve()
    return run.name if run.is_dir() else run.parent.name
