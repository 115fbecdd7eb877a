"""From files to arrays that may be scored: making, cropping and checking pairs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hyperfocal import imaging
from hyperfocal.errors import PairMismatch
from hyperfocal.evaluate.suites import Pair
from hyperfocal.evaluate.visible import shown_by
from hyperfocal.quality.arrays import Flags
from hyperfocal.quality.luma import luma, to_8_bit
from hyperfocal.quality.resize import imresize
from hyperfocal.restore.alpha import bleed
from hyperfocal.settings import Settings

Bytes = npt.NDArray[np.uint8]

LEAST_CORRELATION = 0.75
"""Between a low-resolution picture and its reduced original. Strong blur, noise and JPEG leave
more than this (0.98 on most pictures, 0.90 on thin lines); another picture, or a mirrored or
turned one, seldom reaches half."""

# A picture with less contrast than this (8-bit levels, standard deviation) has no pattern to
# correlate; its mean is compared instead.
_FLAT, _SAME_MEAN = 1.0, 8.0

# Other ways of reducing move a picture by up to half a pixel, where neither place is clearly
# better; nothing in a real pair makes a whole pixel fit so much better.
_CLEARLY = 0.5
_LEAST_TO_MOVE = 8


class PictureTooSmall(PairMismatch):
    """An original with less than one low-resolution pixel on a side."""


@dataclass(frozen=True, slots=True)
class Example:
    """A low-resolution picture and the original to score against, cropped to fit it exactly.

    Both uint8, ``(H, W)`` or ``(H, W, 3)``; ``high`` is ``scale`` times ``low`` on both sides.
    ``visible``: ``(H, W)`` of the original, false where it is wholly transparent; ``visible_low``:
    ``(H, W)`` of the low-resolution picture, false where either of the two is. None where all is to
    be seen.
    """

    name: str
    low: Bytes
    high: Bytes
    visible: Flags | None = None
    visible_low: Flags | None = None


def read_example(pair: Pair, scale: int, settings: Settings | None = None) -> Example:
    """Read a pair, in 8 bits; colour that transparency hides is replaced by that around it.

    Without a low-resolution file one is made by the protocol: the original is cropped to a
    multiple of ``scale`` at its right and lower edge, then reduced as MATLAB does. With one, it
    must be the reduced original: :class:`PairMismatch` says what is wrong otherwise, and
    :class:`PictureTooSmall` that an original has not even one pixel when it is reduced.
    """
    high, visible = _read(pair.high, settings)
    height, width = (side - side % scale for side in high.shape[:2])
    if min(height, width) == 0:
        raise PictureTooSmall(f"{pair.high} is smaller than {scale}x{scale} pixels")
    if pair.low is None:
        high = np.ascontiguousarray(high[:height, :width])
        return _example(pair.name, make_low(high, scale), high, visible, None)
    low, visible_low = _read(pair.low, settings)
    if low.ndim != high.ndim:
        raise PairMismatch(f"{pair.low} and {pair.high}: one is grey, the other is not")
    check_sizes(pair, low.shape, high.shape, scale)
    high = np.ascontiguousarray(high[: low.shape[0] * scale, : low.shape[1] * scale])
    check_content(pair, low, make_low(high, scale))
    return _example(pair.name, low, high, visible, visible_low)


def _example(
    name: str, low: Bytes, high: Bytes, visible: Flags | None, visible_low: Flags | None
) -> Example:
    """``visible``: of the original before it was cropped."""
    if visible is not None:
        visible = visible[: high.shape[0], : high.shape[1]]
    return Example(name, low, high, visible, shown_by(low.shape[:2], visible, visible_low))


def make_low(high: Bytes, scale: int) -> Bytes:
    """The low-resolution picture of the literature: MATLAB's bicubic reduction, in 8 bits."""
    return imresize(high, 1.0 / scale).astype(np.uint8, copy=False)


def check_sizes(pair: Pair, low: tuple[int, ...], high: tuple[int, ...], scale: int) -> None:
    """:class:`PairMismatch` unless ``low`` is ``high`` cropped to a multiple, by ``scale``."""
    if (high[0] // scale, high[1] // scale) == low[:2]:
        return
    ratios = high[0] / low[0], high[1] / low[1]
    sizes = f"{low[1]}x{low[0]} and {high[1]}x{high[0]} pixels"
    if abs(ratios[0] - ratios[1]) < 0.02 * ratios[0]:
        raise PairMismatch(
            f"{pair.low} and {pair.high} have {sizes}: that is x{ratios[0]:.3g}, not x{scale}"
        )
    raise PairMismatch(f"{pair.low} and {pair.high} have {sizes}, which are not in proportion")


def check_content(pair: Pair, low: Bytes, reduced: Bytes) -> None:
    """:class:`PairMismatch` unless ``low`` shows what the reduced original shows."""
    given, expected = luma(low).ravel(), luma(reduced).ravel()
    difference = abs(given.mean() - expected.mean())
    given, expected = given - given.mean(), expected - expected.mean()
    if max(given.std(), expected.std()) < _FLAT:
        if difference > _SAME_MEAN:
            raise PairMismatch(f"{pair.low} and {pair.high} are plain areas of different tones")
        return
    power = float(np.dot(given, given)) * float(np.dot(expected, expected))
    correlation = float(np.dot(given, expected)) / power**0.5 if power > 0.0 else 0.0
    if correlation < LEAST_CORRELATION:
        raise PairMismatch(
            f"{pair.low} does not show what {pair.high} shows: they correlate by "
            f"{correlation:.2f}, where a pair reaches {LEAST_CORRELATION}"
        )
    _check_registration(pair, low, reduced)


def _check_registration(pair: Pair, low: Bytes, reduced: Bytes) -> None:
    """:class:`PairMismatch` if ``low`` fits far better when moved by a pixel or turned BGR."""
    stays = _distance(low, reduced)
    if low.ndim == 3 and _distance(low[..., ::-1], reduced) < _CLEARLY * stays:
        raise PairMismatch(f"{pair.low} has red and blue swapped against {pair.high}")
    height, width = low.shape[:2]
    if min(height, width) < _LEAST_TO_MOVE:
        return
    inner = reduced[1:-1, 1:-1]
    fits = {
        (down, right): _distance(
            low[1 + down : height - 1 + down, 1 + right : width - 1 + right], inner
        )
        for down, right in product((-1, 0, 1), repeat=2)
    }
    down, right = min(fits, key=fits.__getitem__)
    if fits[down, right] < _CLEARLY * fits[0, 0]:
        raise PairMismatch(
            f"{pair.low} is {pair.high} moved by about a pixel ({right:+d} across, {down:+d} "
            "down): the pictures do not lie on each other"
        )


def _distance(one: Bytes, other: Bytes) -> float:
    """Mean squared difference in 8-bit levels; at least that of rounding."""
    difference = np.subtract(one, other, dtype=np.float32)
    return max(float(np.square(difference).mean()), 1.0)


def _read(path: Path, settings: Settings | None) -> tuple[Bytes, Flags | None]:
    picture = imaging.open(path, settings=settings)
    if picture.alpha is None or picture.alpha.all():
        return to_8_bit(picture.pixels), None
    return to_8_bit(bleed(picture.pixels, picture.alpha)), picture.alpha != 0
