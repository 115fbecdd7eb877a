"""Learning from a better model as well as from the originals.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015. What the teacher makes of a
picture is what can be made of it: a target without the detail that nobody could guess, which is
most of the noise in a step. The teacher looks at whole tiles, once for all patches that are cut
from them, with the engine that ships; where every patch is damaged in its own way, at every patch.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import Picture
from hyperfocal.models.registry import find, read_entry

if TYPE_CHECKING:
    from hyperfocal.restore import Upscaler

Pixels = npt.NDArray[np.uint8]


class Teacher:
    """A shipped or own model by name, or by its card's file (``.toml``).

    ``weight``: above 0 to 1, of its results beside the originals in :meth:`target`. The model is
    loaded when first asked, by the process that asks; one that there is not is told at once, by
    :class:`ModelMissing` or :class:`ModelBroken`.
    """

    def __init__(self, model: str, weight: float) -> None:
        read_entry(Path(model)) if model.endswith(".toml") else find(model)
        self.model, self.weight = model, weight

    @cached_property
    def _upscaler(self) -> Upscaler:
        from hyperfocal.restore import Upscaler

        return Upscaler.load(self.model)

    def target(self, lr: Pixels, hr: Pixels) -> Pixels:
        """What to learn from ``lr`` ``(h, w, 3)``: between ``hr`` ``(H, W, 3)`` and the teacher's.

        Raises whatever loading and running the model raises.
        """
        size = hr.shape[1], hr.shape[0]
        made = self._upscaler(Picture(np.ascontiguousarray(lr)), size=size).picture.pixels
        mixed = hr + np.float32(self.weight) * (made.astype(np.float32) - hr)
        return np.rint(mixed).astype(np.uint8)
