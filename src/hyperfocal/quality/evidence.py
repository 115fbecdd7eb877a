"""What a picture has been through: evidence for choosing between two kinds of model.

Models of the kind "photo" expect clean pictures and keep every detail, grain and blocks
included; those of the kind "restore" take damage away. The evidence is in the file (how coarsely
a JPEG was quantised) and in the pixels (blocks, noise, blur).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Array, check_pixels
from hyperfocal.quality.jpeg_quality import estimate_jpeg_quality
from hyperfocal.quality.luma import to_8_bit
from hyperfocal.quality.statistics import measure

Kind = Literal["photo", "restore"]
Plane = npt.NDArray[np.float32]

# Pixels of the squares looked at, and as many by as many of them: the cost is that of a small
# picture, whatever the size.
_SIDE, _SQUARES = 256, 3
_BLOCK = 8
# A step over a block border is one between two flat areas; edges of objects are larger.
_LARGEST_STEP = 12.0
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What the file says. ``jpeg_quality``: 1 to 100, None if the file is no JPEG."""

    jpeg_quality: int | None = None

    @classmethod
    def of(cls, data: bytes) -> PictureFacts:
        """Facts of a file's content; the beginning of it, up to the picture data, will do."""
        return cls(estimate_jpeg_quality(data))


@dataclass(frozen=True, slots=True)
class Figures:
    """``jpeg_quality``: see :class:`PictureFacts`. The others are of the pixels' luma.

    ``blockiness``: the mean step over the lines of the most marked 8-pixel grid over that
    between other neighbours, 1 without any grid. ``noise``: standard deviation in 8-bit levels,
    robust against detail; ``rough``: the same by Immerkaer, which takes detail for noise.
    ``sharpness``: how much finest detail there is relative to detail twice as coarse, in
    variance; below 0.1 a picture holds less than its pixels could.
    """

    jpeg_quality: int | None
    blockiness: float
    noise: float
    rough: float
    sharpness: float

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values by name."""
        return asdict(self)
