"""The model under measurement, run as users run it: through the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import UsageError
from hyperfocal.imaging.picture import Picture
from hyperfocal.models.aliasing import resolve
from hyperfocal.quality.luma import to_8_bit
from hyperfocal.settings import Settings

if TYPE_CHECKING:
    from hyperfocal.restore import Upscaler

Bytes = npt.NDArray[np.uint8]
Enlarge = Callable[[Bytes], Bytes]
"""uint8 ``(H, W)`` or ``(H, W, 3)`` to the same, ``scale`` times as large."""


@dataclass(frozen=True, slots=True)
class Engine:
    """``enlarge`` by ``scale``; ``precision``: "float", "int8" or, if asked for, "bf16"."""

    model: str
    enlarge: Enlarge
    scale: int
    precision: str


def load_upscaler(model: str, settings: Settings, precision: str | None = None) -> Upscaler:
    """A model by name, or by its card's file (``.toml``) wherever that lies.

    :class:`UsageError` for an automatic name, and whatever loading the model raises.
    """
    from hyperfocal.models.automatic import AUTOMATIC
    from hyperfocal.restore import Upscaler

    if model in AUTOMATIC:
        raise UsageError(f"name a model to measure: {model} is another one for every picture")
    return Upscaler.load(model, settings=settings, precision=precision)


def name_of(model: str, settings: Settings) -> str:
    """The name of a model given by name, by an alias or by its card's file."""
    return Path(model).stem if model.endswith(".toml") else resolve(model, settings)


def load_engine(
    model: str, scale: float | None, settings: Settings, precision: str | None = None
) -> Engine:
    """Load a model, by name or by its card's file; ``scale`` is its own when not given.

    A family (``"photo-fast"``) gives its member of that scale, under its own name, and an alias
    what it stands for.
    :class:`UsageError` for a scale at which nothing can be measured, and whatever loading
    the model raises.
    """
    upscaler = load_upscaler(model, settings, precision)
    model = name_of(model, settings)
    wanted = upscaler.scales[0] if scale is None else scale
    if wanted != int(wanted) or not 2 <= wanted <= 8:
        raise UsageError(f"models are measured at a whole scale from 2 to 8, not {wanted:g}")
    if len(upscaler.scales) > 1 and wanted in upscaler.scales:
        # Name and precision in the report shall be those of the one that runs.
        model = f"{model}-x{int(wanted)}"
        upscaler = load_upscaler(model, settings, precision)

    def enlarge(low: Bytes) -> Bytes:
        return to_8_bit(upscaler(Picture(low), scale=wanted).picture.pixels)

    asked = upscaler.settings.precision
    return Engine(model, enlarge, int(wanted), asked if asked == "bf16" else upscaler.precision)
