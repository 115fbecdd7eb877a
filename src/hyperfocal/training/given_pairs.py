"""Training pairs whose low-resolution pictures are given, rather than made.

``HR/NAME`` and ``LR/NAME`` lie side by side; an experiment names the folder ``HR``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hyperfocal.errors import PairMismatch
from hyperfocal.training.data import PatchPool, Pixels, read_rgb
from hyperfocal.training.headers import sizes, some

HIGH, LOW = "HR", "LR"


def low_of(path: Path) -> Path:
    """Where the low-resolution picture of the original at ``path`` lies."""
    return path.parent.parent / LOW / path.name


def refuse_mismatched(files: Sequence[Path], scale: int) -> None:
    """:class:`PairMismatch` for originals without an LR picture, or with one of another size.

    By their headers; what :func:`~hyperfocal.training.headers.sizes` raises where those are broken.
    """
    lows = [low_of(path) for path in files]
    alone = [
        f"{path} has no low-resolution picture {low}"
        for path, low in zip(files, lows, strict=True)
        if not low.is_file()
    ]
    if alone:
        raise PairMismatch(some(alone, "; "))
    found = zip(files, lows, sizes(files), sizes(lows), strict=True)
    other = [
        f"{low} and {path} have {width}x{height} and {wide}x{high} pixels"
        for path, low, (high, wide), (height, width) in found
        if (height * scale, width * scale) != (high, wide)
    ]
    if other:
        raise PairMismatch(f"{some(other, '; ')}, which is not x{scale}")


def given_pair(path: Path, scale: int, multiple: int = 1) -> tuple[Pixels, Pixels]:
    """``(lr, hr)`` of the original at ``path``, LR cropped to a multiple of ``multiple``.

    uint8 ``(h, w, 3)`` and ``(scale * h, scale * w, 3)``. Raises what :func:`refuse_mismatched`
    does.
    """
    refuse_mismatched([path], scale)
    return _read(path, scale, multiple)


def _read(path: Path, scale: int, multiple: int = 1) -> tuple[Pixels, Pixels]:
    lr, hr = read_rgb(low_of(path)), read_rgb(path)
    height, width = (side // multiple * multiple for side in lr.shape[:2])
    return lr[:height, :width], hr[: height * scale, : width * scale]


class PairPool(PatchPool):
    """As :class:`PatchPool`, with patches cut from given pairs.

    Flipped and turned, never reduced: what happened to the LR picture is what is to be learnt.
    """

    def _bytes_a_pixel(self) -> float:
        return 3.0 * (1.0 + 1.0 / self.settings.scale**2)

    def _decode(self, files: list[Path]) -> None:
        refuse_mismatched(files, self.settings.scale)
        self.pairs = [self._taught(*_read(path, self.settings.scale)) for path in files]
        area = np.array([lr.shape[0] * lr.shape[1] for lr, _ in self.pairs], np.float64)
        self._cumulative = np.cumsum(area / area.sum())

    def refresh(self, turn: int) -> None:
        """Nothing to make: the pairs are given."""
