"""MATLAB-compatible bicubic resizing.

The super-resolution literature makes its low-resolution pictures with MATLAB's ``imresize``
(bicubic, a = -0.5, kernel widened when reducing). Libraries differ from it in the kernel
constant, the antialiasing or the border, by up to a decibel, so the benchmark needs its own.

Everything works by strips of output rows, so that the floating-point copy of a picture is never
larger than a few dozen rows, whatever the picture's height, and fewer where it is very wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.banded import Floats, multiply_columns, multiply_rows
from hyperfocal.quality.kernel import (
    block_reach,
    resize_columns_matrix,
    resize_rows_matrix,
    usual_block,
)

Array = npt.NDArray[np.generic]

# Bytes that a strip should not need more than. Pictures so wide that they would are worked on with
# fewer rows at once, which is slower, and may change the last bit of a float. Usual ones stay
# below: in colour to and from x4 up to 6,500 pixels of width, x8 up to 3,400.
_MOST = 1 << 26


def strip_bytes(
    have: tuple[int, int],
    wanted: tuple[int, int],
    channels: int = 1,
    *,
    itemsize: int = 4,
) -> int:
    """What :func:`strips` takes at once for two sizes ``(height, width)``.

    With the strip twice more, for whoever works on it; ``itemsize``: of the samples it has.
    """
    scale = wanted[0] / have[0]
    rows = have[1] * channels * itemsize, wanted[1] * channels * itemsize
    return _bytes(_block(scale, *rows, True), scale, *rows, True)


def _block(scale: float, row: int, out_row: int, antialias: bool) -> int:
    """Output rows of a strip, from the bytes of a row of the input and of the output."""
    block = usual_block(scale)
    while block > 1 and _bytes(block, scale, row, out_row, antialias) > _MOST:
        block //= 2
    return block


def _bytes(block: int, scale: float, row: int, out_row: int, antialias: bool) -> int:
    return (block_reach(block, scale, antialias=antialias) + block) * row + 3 * block * out_row


def strips(
    image: Array,
    size: tuple[int, int],
    *,
    scale: float | None = None,
    antialias: bool = True,
    dtype: npt.DTypeLike = np.float32,
    between: tuple[int, int] | None = None,
) -> Iterator[tuple[int, Floats]]:
    """The resized picture, a strip of rows at a time: ``(first row, strip)``.

    ``image``: ``(H, W)`` or ``(H, W, C)``, any real dtype; ``size``: ``(height, width)`` of the
    output; ``scale``: the factor where it is not exactly output over input; ``between``: only
    strips that hold rows from the first number up to the second. Strips have the dtype
    ``dtype`` and the units of ``image``, are neither rounded nor clipped, and are valid only
    until the next one is asked for: the memory is used again.
    """
    height, width = image.shape[:2]
    channels = math.prod(image.shape[2:])
    kind = np.dtype(dtype)
    scale_y = scale if scale is not None else size[0] / height
    scale_x = scale if scale is not None else size[1] / width
    block = _block(
        scale_y,
        width * channels * kind.itemsize,
        size[1] * channels * kind.itemsize,
        antialias,
    )
    rows = resize_rows_matrix(height, size[0], float(scale_y), antialias, kind.str, block)
    columns = resize_columns_matrix(width, size[1], float(scale_x), antialias, kind.str, channels)
    keep_rows = (size[0], scale_y) == (height, 1.0)
    keep_columns = (size[1], scale_x) == (width, 1.0)
    flat = image.reshape(height, width * channels)
    deepest = max(band.high - band.low for band in rows)
    tallest = max(band.matrix.shape[0] for band in rows)
    source = np.empty((deepest, width * channels), kind)
    middle = np.empty((tallest, width * channels), kind)
    result = np.empty((tallest, size[1] * channels), kind)
    for band in rows:
        count = band.matrix.shape[0]
        if between and (band.top + count <= between[0] or band.top >= between[1]):
            continue
        if keep_rows:
            strip = middle[:count]
            np.copyto(strip, flat[band.top : band.top + count], casting="unsafe")
        else:
            taken = source[: band.high - band.low]
            np.copyto(taken, flat[band.low : band.high], casting="unsafe")
            strip = middle[:count]
            # The largest floats there are overshoot, and are cut off.
            with np.errstate(over="ignore"):
                multiply_rows(band.matrix, taken, strip)
            _keep_finite(strip, image)
        if not keep_columns:
            with np.errstate(over="ignore"):
                multiply_columns(strip, columns, result[:count])
            strip = result[:count]
            _keep_finite(strip, image)
        yield band.top, strip.reshape(count, size[1], *image.shape[2:])


def _keep_finite(strip: Floats, image: Array) -> None:
    """No infinity where the next sum would make NaN of it and its neighbours."""
    if image.dtype.kind == "f":
        largest = np.finfo(strip.dtype).max
        np.clip(strip, -largest, largest, out=strip)


def imresize(
    image: Array,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
) -> Array:
    """Resize ``(H, W)`` or ``(H, W, C)`` as MATLAB's ``imresize(image, scale)`` does.

    ``scale``: factor for both axes, output ``ceil(scale * side)``; or ``size``: ``(height,
    width)`` of the output. uint8 and uint16 come back in their own type, rounded and clipped
    (as MATLAB does, which the benchmark's low-resolution pictures depend on); floating types
    are neither clipped nor rounded. All but float32 is computed in float64.
    """
    if (scale is None) == (size is None):
        raise ValueError("give either scale or size")
    if image.ndim not in (2, 3):
        raise ValueError(f"expected (H, W) or (H, W, C), got shape {image.shape}")
    if scale is not None:
        size = (math.ceil(scale * image.shape[0]), math.ceil(scale * image.shape[1]))
    assert size is not None
    work = np.dtype(np.float32 if image.dtype == np.float32 else np.float64)
    dtype = image.dtype if np.issubdtype(image.dtype, np.integer) else work
    out = np.empty((*size, *image.shape[2:]), dtype)
    for top, strip in strips(image, size, scale=scale, antialias=antialias, dtype=work):
        _store(strip, out[top : top + strip.shape[0]])
    return out


def enlarge_bicubic(image: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    """Bicubic enlargement in 8 bits: what models are measured beside."""
    return imresize(image, float(scale)).astype(np.uint8, copy=False)


def resize_picture_array(array: Array, size: tuple[int, int]) -> Array:
    """Resize a picture to ``(height, width)``, antialiased, in its own dtype.

    ``array``: ``(H, W)`` or ``(H, W, C)``, uint8, uint16 or float32. As :func:`imresize`, but
    computed in float32 throughout: within one level of it, and faster. Beside the result it
    needs memory for some dozen rows.
    """
    out = np.empty((*size, *array.shape[2:]), array.dtype)
    for top, strip in strips(array, size):
        _store(strip, out[top : top + strip.shape[0]])
    return out


def _store(strip: Floats, out: Array) -> None:
    if np.issubdtype(out.dtype, np.integer):
        # MATLAB rounds halves away from zero; numpy would round them to even. After clipping
        # all is positive, so that cutting off the fraction rounds down.
        np.clip(strip, 0, np.iinfo(out.dtype).max, out=strip)  # type: ignore[type-var]
        strip += 0.5
    np.copyto(out, strip, casting="unsafe")
