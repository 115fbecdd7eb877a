"""Making photographs smaller before they are learnt from, in the ways they were made smaller."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Reduction = Literal["bicubic", "lanczos", "hamming", "box", "aliased"]

_PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
}


def smaller(pixels: Pixels, factor: float, by: Reduction) -> Pixels:
    """A picture ``(H, W, 3)`` with sides ``factor`` as long, which is at most 1."""
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    return reduced(pixels, (height, width), by)


def reduced(pixels: Pixels, size: tuple[int, int], by: Reduction) -> Pixels:
    """A picture ``(H, W, 3)`` of a smaller size, height and width.

    "aliased" is bicubic whose kernel is not widened, as OpenCV does it: detail turns into jags.
    """
    image, (height, width) = Image.fromarray(pixels), size
    if by == "aliased":
        whole = (0, 0, image.width, image.height)
        method = Image.Resampling.BICUBIC
        return np.asarray(image.transform((width, height), Image.Transform.EXTENT, whole, method))
    return np.asarray(image.resize((width, height), _PILLOW[by]))
