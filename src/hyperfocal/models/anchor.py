"""The bicubic residual ("anchor") as one fixed convolution.

Bicubic enlargement by a whole number is linear and repeats itself from pixel to pixel, so it is a
convolution to ``3 * scale**2`` channels followed by a pixel-shuffle. As a convolution it
costs a few milliseconds on CPU, where a resize operator costs tens, and it stays in float
beside an int8 net.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.kernel import contributions


def _phases(scale: int, cell: int) -> tuple[npt.NDArray[np.float64], int]:
    """Weights ``(scale * cell, cell * (2 * pad + 1))`` of one axis, and ``pad`` in cells."""
    pad = -(-2 // cell)
    window = cell * (2 * pad + 1)
    length = 8 * cell + window
    start = length // cell // 2 * cell
    indices, weights = contributions(length, scale * length, float(scale))
    rows = slice(scale * start, scale * (start + cell))
    phases = np.zeros((scale * cell, window))
    columns = indices[rows] - (start - pad * cell)
    np.add.at(phases, (np.arange(scale * cell)[:, None], columns), weights[rows])
    return phases, pad


def bicubic_anchor(scale: int, unshuffle: int = 1) -> tuple[npt.NDArray[np.float32], int]:
    """Kernel and padding of the convolution that enlarges bicubically.

    The kernel is ``(3 * (scale * unshuffle)**2, 3 * unshuffle**2, k, k)``; it takes a picture
    pixel-unshuffled by ``unshuffle`` and edge-padded by the returned padding (in cells), and its
    output pixel-shuffled by ``scale * unshuffle`` is the picture enlarged by ``scale``. Channel
    order is that of ONNX ``SpaceToDepth``-free pixel (un)shuffle: colour, row, column. Equal to
    ``imresize`` except in the two pixels nearest a border, where MATLAB reflects.
    """
    phases, pad = _phases(scale, unshuffle)
    side, taps = scale * unshuffle, 2 * pad + 1
    # axes: output phase y, x; cell y, row in cell; cell x, column in cell
    both = np.einsum("ab,cd->acbd", phases, phases).reshape(
        side, side, taps, unshuffle, taps, unshuffle
    )
    kernel = np.zeros((3, side, side, 3, unshuffle, unshuffle, taps, taps), dtype=np.float32)
    for colour in range(3):
        kernel[colour, :, :, colour] = both.transpose(0, 1, 3, 5, 2, 4)
    return kernel.reshape(3 * side**2, 3 * unshuffle**2, taps, taps), pad


def is_anchor(kernel: npt.NDArray[np.float32]) -> bool:
    """Whether a kernel ``(out, in, k, k)`` interpolates.

    Of equal pixels it makes the same, and no pixel counts for more than itself.
    """
    if kernel.dtype != np.float32 or kernel.ndim != 4 or np.abs(kernel).max() > 1.0:
        return False
    return bool(np.abs(kernel.sum(axis=(1, 2, 3), dtype=np.float64) - 1.0).max() < 1e-4)


def whole_anchor(
    kernel: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """An interpolating kernel ``(out, in, k, k)`` in whole numbers, and their sums ``(out,)``.

    Divided by its sum, each output's is the kernel to less than one in a hundred, and exact where
    all pixels are equal. The sums are odd, so that no sum of 8-bit pixels lies in the middle
    between two, where engines round differently.
    """
    flat = kernel.reshape(len(kernel), -1).astype(np.float64)
    counts = np.floor(127.0 / np.abs(flat).max(axis=1))
    counts -= counts % 2 == 0
    wanted = flat * counts[:, None]
    steps = np.rint(wanted)
    for row, aim, count in zip(steps, wanted, counts, strict=True):
        while (missing := count - row.sum()) != 0:
            # Moved is what is nearest to being rounded the other way, and never a zero.
            gain = np.where(aim != 0.0, (aim - row) * np.sign(missing), -np.inf)
            row[np.argmax(gain)] += np.sign(missing)
    return steps.reshape(kernel.shape).astype(np.int8), counts
