"""Learning from a better model as well as from the originals.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015. What the teacher makes of a
picture is what can be made of it: a target without the detail that nobody could guess, which is
most of the noise in a step. The mean of several models is nearer to it than any of them, the more
so the less they are alike: of another scale, say. The teacher looks at whole tiles, once for all
patches that are cut from them, with the engine that ships; where every patch is damaged in its own
way, at every patch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import Picture
from hyperfocal.models.registry import find, read_entry

if TYPE_CHECKING:
    from hyperfocal.restore import Upscaler

Pixels = npt.NDArray[np.uint8]


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _upside_down(pixels: Pixels) -> Pixels:
    return pixels[::-1, ::-1]


def _transposed(pixels: Pixels) -> Pixels:
    return pixels.swapaxes(0, 1)


def _other_diagonal(pixels: Pixels) -> Pixels:
    return _upside_down(_transposed(pixels))


TURNS: tuple[Callable[[Pixels], Pixels], ...] = (
    _same,
    _upside_down,
    _transposed,
    _other_diagonal,
)
"""Ways round a teacher sees a picture ``(H, W, 3)``; each of them undoes itself.

A network's errors depend on which way round the picture is, and go out in the mean of its answers
(Timofte et al., "Seven Ways to Improve Example-based Single Image Super Resolution", CVPR 2016).
Of two ways these first two gain most; of four these gain more than those that are not transposed.
"""


class Teacher:
    """Shipped or own models by name, or by their card's file (``.toml``).

    ``weight``: above 0 to 1, of their results beside the originals in :meth:`target`. ``turns``: of
    how many of :data:`TURNS` the result of each is the mean, 1, 2 or 4. A model of another scale
    runs as often as it takes, and what comes of it is reduced. They are loaded when first asked, by
    the process that asks; one that there is not is told at once, by :class:`ModelMissing` or
    :class:`ModelBroken`.
    """

    def __init__(self, models: Sequence[str], weight: float, turns: int = 1) -> None:
        for model in models:
            read_entry(Path(model)) if model.endswith(".toml") else find(model)
        self.models, self.weight, self.turns = tuple(models), weight, turns

    @cached_property
    def _upscalers(self) -> list[Upscaler]:
        from hyperfocal.restore import Upscaler

        return [Upscaler.load(model) for model in self.models]

    def target(self, lr: Pixels, hr: Pixels) -> Pixels:
        """What to learn from ``lr`` ``(h, w, 3)``: between ``hr`` ``(H, W, 3)`` and the teacher's.

        Raises whatever loading and running the models raises.
        """
        total = np.zeros(hr.shape, np.float32)
        for turn in TURNS[: self.turns]:
            height, width = turn(hr).shape[:2]
            turned = Picture(np.ascontiguousarray(turn(lr)))
            for upscaler in self._upscalers:
                made = upscaler(turned, size=(width, height)).picture.pixels
                total += turn(cast("Pixels", made))
        answers = np.float32(self.turns * len(self.models))
        mixed = hr + np.float32(self.weight) * (total / answers - hr)
        return np.rint(mixed).astype(np.uint8)
