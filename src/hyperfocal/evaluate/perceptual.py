"""Figures closer to the eye than PSNR, of a model on a suite, beside bicubic."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hyperfocal.evaluate.engine import load_engine
from hyperfocal.evaluate.pairs import read_example
from hyperfocal.evaluate.run import scored, select
from hyperfocal.evaluate.suites import find_suite
from hyperfocal.quality.fsim import fsim
from hyperfocal.quality.perceptual import LEAST, gmsd, haarpsi
from hyperfocal.quality.resize import enlarge_bicubic
from hyperfocal.settings import Settings

_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Perceptual:
    """Means over the pictures: ``gmsd``, less is better, ``fsim`` and ``haarpsi``, at most 1."""

    gmsd: float
    fsim: float
    haarpsi: float
    bicubic_gmsd: float
    bicubic_fsim: float
    bicubic_haarpsi: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return asdict(self)


def perceptual(
    suite: str | Path,
    model: str,
    scale: int | None = None,
    first: int | None = None,
    settings: Settings | None = None,
    precision: str | None = None,
) -> Perceptual:
    """GMSD, FSIM and HaarPSI of a model on a suite; arguments and errors as for :func:`evaluate`.

    A border as wide as the scale is left out, as for PSNR, and what transparency hides;
    :class:`InputError` for a picture of which less than 16x16 pixels are left.
    """
    settings = settings or Settings.read()
    engine = load_engine(model, scale, settings, precision)
    rows = []
    for pair in select(find_suite(suite, engine.scale), first).pairs:
        example = read_example(pair, engine.scale, settings)
        high = _inner(scored(example, engine.scale, LEAST), engine.scale)
        visible = None if example.visible is None else _inner(example.visible, engine.scale)
        cubic = enlarge_bicubic(example.low, engine.scale)
        rows.append(
            [
                figure(_inner(made, engine.scale), high, visible)
                for made in (engine.enlarge(example.low), cubic)
                for figure in (gmsd, fsim, haarpsi)
            ]
        )
    return Perceptual(*(fmean(column) for column in zip(*rows, strict=True)))


def _inner(picture: npt.NDArray[_Kind], shave: int) -> npt.NDArray[_Kind]:
    return picture[shave : picture.shape[0] - shave, shave : picture.shape[1] - shave]
