"""Making photographs smaller before they are learnt from, in the ways they were made smaller."""

from __future__ import annotations

import math
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


LEAST_OF_A_CORNER = 0.7
"""How near the middle a corner of a slanted view may come, as a share of its distance."""


def slanted(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """A square view of a picture ``(H, W, 3)`` by a camera that is tilted and stands to the side.

    Photographs have most of their edges upright or level. Any four corners that are a turned
    square's, each drawn towards the middle by a chance of its own, become those of the view: a
    homography (R. Hartley and A. Zisserman, "Multiple View Geometry", section 2.3), bicubic,
    which is a little soft and wants to be made smaller.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    middle = np.array(
        [generator.uniform(side / 2, length - side / 2) for length in (width, height)]
    )
    angle = generator.uniform(-math.pi / 4, math.pi / 4)
    reach = side / 2 / (abs(math.cos(angle)) + abs(math.sin(angle)))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    share = generator.uniform(LEAST_OF_A_CORNER, 1.0, (4, 1))
    corners = middle + reach * share * (square @ turn.T)
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    made = max(1, round(float(edges.mean())))
    view = _homography((square + 1) * (made / 2), corners)
    image = Image.fromarray(pixels).transform(
        (made, made), Image.Transform.PERSPECTIVE, view, Image.Resampling.BICUBIC
    )
    return np.asarray(image)


def _homography(
    points: npt.NDArray[np.float64], images: npt.NDArray[np.float64]
) -> tuple[float, ...]:
    """The eight numbers, row by row, that take four ``points`` to their ``images``."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(points, images, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return tuple(float(number) for number in np.linalg.solve(np.array(rows), np.array(wanted)))
