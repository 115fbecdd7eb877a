"""Linear filters along one axis of a picture, as products with a banded matrix.

A filter with few taps is a matrix with a narrow band; cut into small dense blocks, it runs at
the speed of the machine's matrix product, several times faster than sums of shifted arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

# Multiply-adds in one matrix product. OpenBLAS runs larger ones on all cores, and at these sizes
# its threads cost more than they give: threefold when another program has a core.
_PRODUCT = 2**18


class Band(NamedTuple):
    """One dense piece of the matrix: outputs from ``top`` on, made of inputs ``low:high``."""

    top: int
    low: int
    high: int
    matrix: Floats


def row_bands(
    indices: npt.NDArray[np.intp], weights: npt.NDArray[np.float64], step: int, dtype: str
) -> tuple[Band, ...]:
    """Blocks of ``step`` outputs of a filter given by ``indices`` and ``weights``.

    Both are ``(outputs, taps)``. A block is used as ``matrix @ rows[low:high]``.
    """
    # Away from the borders the same weights come back; one copy of them stays small in cache.
    known: dict[tuple[int, bytes], Floats] = {}
    bands = []
    for top in range(0, indices.shape[0], step):
        rows = indices[top : top + step]
        low, high = int(rows.min()), int(rows.max()) + 1
        matrix = np.zeros((rows.shape[0], high - low), dtype=dtype)
        np.add.at(
            matrix, (np.arange(rows.shape[0])[:, None], rows - low), weights[top : top + step]
        )
        matrix = known.setdefault((matrix.shape[0], matrix.tobytes()), matrix)
        bands.append(Band(top, low, high, matrix))
    return tuple(bands)


def column_bands(rows: Sequence[Band], channels: int) -> tuple[Band, ...]:
    """The same filter for interleaved columns, used as ``row[low:high] @ matrix``.

    Positions count samples, not pixels. Leaving the channels interleaved multiplies by zeros
    for the other channels, which is still several times cheaper than transposing the picture.
    """
    known: dict[int, Floats] = {}
    bands = []
    for top, low, high, matrix in rows:
        if id(matrix) not in known:
            spread = np.kron(matrix, np.eye(channels, dtype=matrix.dtype))
            known[id(matrix)] = np.ascontiguousarray(spread.T)
        bands.append(Band(top * channels, low * channels, high * channels, known[id(matrix)]))
    return tuple(bands)


def multiply_rows(matrix: Floats, rows: Floats, out: Floats) -> None:
    """``out = matrix @ rows``, in pieces."""
    step = max(_PRODUCT // matrix.size // 16 * 16, 16)
    for left in range(0, rows.shape[1], step):
        part = slice(left, left + step)
        np.matmul(matrix, rows[:, part], out=out[:, part])


def multiply_columns(rows: Floats, columns: Sequence[Band], out: Floats) -> None:
    """Filter every row of ``rows`` into ``out``, in pieces."""
    for band in columns:
        step = max(_PRODUCT // band.matrix.size, 4)
        taken = rows[:, band.low : band.high]
        made = out[:, band.top : band.top + band.matrix.shape[1]]
        for top in range(0, rows.shape[0], step):
            np.matmul(taken[top : top + step], band.matrix, out=made[top : top + step])
