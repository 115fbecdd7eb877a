"""The model under measurement, run as users run it: through the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal import models
from hyperfocal.errors import UsageError
from hyperfocal.imaging.picture import Picture
from hyperfocal.settings import Settings

Bytes = npt.NDArray[np.uint8]
Enlarge = Callable[[Bytes], Bytes]
"""uint8 ``(H, W)`` or ``(H, W, 3)`` to the same, ``scale`` times as large."""


@dataclass(frozen=True, slots=True)
class Engine:
    """``enlarge`` by ``scale``, with weights of ``precision``."""

    enlarge: Enlarge
    scale: int
    precision: str


def load_engine(model: str, scale: int | None, settings: Settings) -> Engine:
    """Load a model; ``scale`` is its own when not given.

    :class:`UsageError` for a scale at which nothing can be measured, and whatever loading
    the model raises.
    """
    from hyperfocal.restore import Upscaler

    wanted = models.show(model, settings=settings).scale if scale is None else scale
    if wanted != int(wanted) or not 2 <= wanted <= 8:
        raise UsageError(f"models are measured at a whole scale from 2 to 8, not {wanted:g}")
    upscaler = Upscaler.load(model, settings=settings)

    def enlarge(low: Bytes) -> Bytes:
        made = upscaler(Picture(low), scale=wanted).picture.pixels
        return made.astype(np.uint8, copy=False)

    return Engine(enlarge, int(wanted), upscaler.precision)
