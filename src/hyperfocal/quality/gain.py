"""What restoring a picture is worth: how much nearer to its original than a photo model's result.

Little nets read this off the traces that a picture bears of what it has been through. They learnt
from pictures that were damaged in many ways, or not at all, by how far the results of a restore
model and of a photo model were from their originals (``tools/gain_net.py``). So they have seen what
no single figure tells apart: the rims that sharpening leaves beside edges from the edges, faint
noise from grass. Their weights are with this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Array, check_pixels
from hyperfocal.quality.luma import to_levels
from hyperfocal.quality.traces import traces

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Squares of this side, as many by as many at most, are looked at: the cost is that of a small
# picture, whatever the size. Smaller pictures show too little.
SIDE, SQUARES = 64, 3

# Of traces, in deviations from their mean over the pictures that the nets learnt from; what is
# further off is as good as this.
FURTHEST = np.float32(4.0)

WEIGHTS = "gain.npz"


@dataclass(frozen=True)
class GainNet:
    """The mean of several nets that learnt the same, each by its own chances.

    Means and deviations of the traces ``(n,)``; of each layer the kernels ``(nets, in, out)`` and
    biases ``(nets, 1, out)``, ReLU between layers.
    """

    means: Floats
    deviations: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def __call__(self, found: Floats) -> float:
        """The gain in dB, of traces."""
        x = np.clip((found - self.means) / self.deviations, -FURTHEST, FURTHEST)[None, None]
        *inner, (last, bias) = self.layers
        for kernel, shift in inner:
            x = np.maximum(x @ kernel + shift, np.float32(0.0))
        return float((x @ last + bias).mean())

    def arrays(self) -> dict[str, Floats]:
        """As :func:`read` takes them."""
        parts = {"means": self.means, "deviations": self.deviations}
        for at, (kernel, bias) in enumerate(self.layers):
            parts |= {f"kernel{at}": kernel, f"bias{at}": bias}
        return parts


def expected_gain(pixels: Array, visible: Flags | None = None) -> float | None:
    """PSNR in dB that a restore model's result is expected to have over that of a photo model.

    Below zero for clean pictures. ``pixels``: ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float,
    of which what is beyond [0, 1] counts as that; ``visible``: ``(H, W)``, squares with a pixel for
    which it is False are not looked at. None where there is no square of
    :data:`SIDE`. :class:`ArrayError` for other arrays.
    """
    check_pixels(pixels)
    found = squares(pixels, visible)
    return None if found is None else _shipped()(traces(found))


def squares(pixels: Array, visible: Flags | None = None) -> Floats | None:
    """What :func:`expected_gain` looks at: RGB in levels, ``(N, side, side, 3)``."""
    found = [
        _levels(pixels[top : top + SIDE, left : left + SIDE])
        for top in _spread(pixels.shape[0])
        for left in _spread(pixels.shape[1])
        if visible is None or visible[top : top + SIDE, left : left + SIDE].all()
    ]
    return np.stack(found) if found else None


@cache
def _shipped() -> GainNet:
    with (
        resources.files(__package__).joinpath(WEIGHTS).open("rb") as file,
        np.load(file, allow_pickle=False) as kept,
    ):
        return read(dict(kept))


def read(kept: dict[str, Floats]) -> GainNet:
    """A net from its arrays."""
    count = sum(name.startswith("kernel") for name in kept)
    layers = tuple((kept[f"kernel{at}"], kept[f"bias{at}"]) for at in range(count))
    return GainNet(kept["means"], kept["deviations"], layers)


def _spread(length: int) -> list[int]:
    """Where squares begin, evenly over a side of the picture; nowhere on one that is too short."""
    count, room = min(SQUARES, length // SIDE), length - SIDE
    return [room // 2] if count == 1 else [room * at // (count - 1) for at in range(count)]


def _levels(pixels: Array) -> Floats:
    levels = to_levels(pixels)
    return np.stack([levels] * 3, axis=-1) if levels.ndim == 2 else levels
