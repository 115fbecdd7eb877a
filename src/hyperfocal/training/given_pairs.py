"""Training pairs whose low-resolution pictures are given, rather than made.

``HR/NAME`` and ``LR/NAME`` lie side by side; an experiment names the folder ``HR``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyperfocal.errors import PairMismatch
from hyperfocal.training.data import PatchPool, PatchSettings, Pixels, read_rgb

HIGH, LOW = "HR", "LR"


def low_of(path: Path) -> Path:
    """Where the low-resolution picture of the original at ``path`` lies."""
    return path.parent.parent / LOW / path.name


def given_pair(path: Path, scale: int, multiple: int = 1) -> tuple[Pixels, Pixels]:
    """``(lr, hr)`` of the original at ``path``, LR cropped to a multiple of ``multiple``.

    uint8 ``(h, w, 3)`` and ``(scale * h, scale * w, 3)``. :class:`PairMismatch` without an LR
    picture, or with one of another size.
    """
    hr = read_rgb(path)
    if not low_of(path).is_file():
        raise PairMismatch(f"{path} has no low-resolution picture {low_of(path)}")
    lr = read_rgb(low_of(path))
    if (lr.shape[0] * scale, lr.shape[1] * scale) != hr.shape[:2]:
        raise PairMismatch(
            f"{low_of(path)} and {path} have {lr.shape[1]}x{lr.shape[0]} and "
            f"{hr.shape[1]}x{hr.shape[0]} pixels, which is not x{scale}"
        )
    height, width = (side // multiple * multiple for side in lr.shape[:2])
    return lr[:height, :width], hr[: height * scale, : width * scale]


class PairPool(PatchPool):
    """As :class:`PatchPool`, with patches cut from given pairs.

    Flipped and turned, never reduced: what happened to the LR picture is what is to be learnt.
    """

    def __init__(self, files: list[Path], settings: PatchSettings) -> None:
        super().__init__(files, settings)
        self.pairs = [self._taught(*given_pair(path, settings.scale)) for path in files]
        area = np.array([lr.shape[0] * lr.shape[1] for lr, _ in self.pairs], np.float64)
        self._cumulative = np.cumsum(area / area.sum())

    def refresh(self, turn: int) -> None:
        """Nothing to make: the pairs are given."""
