"""Colour that TIFF's own fields declare, where there is no profile. TIFF 6.0, section 20."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import code_points, ifd
from hyperfocal.imaging.guard import attempt

TRANSFER, WHITE, PRIMARIES = 301, 318, 319
TAGS = (TRANSFER, WHITE, PRIMARIES)
DAMAGED = "primaries that make no sense were ignored: the colours are taken as sRGB"
LONE_WHITE = "a white point without primaries was ignored: the colours are taken as sRGB"
UNKNOWN_CURVE = "a transfer function of an unusual shape was ignored"
_D65, _SAME_WHITE = (0.3127, 0.3290), 0.005
# Where there is no transfer function.
_USUAL_GAMMA, _ANY_USUAL_GAMMA = 2.2, 0.1
# Of full scale, by which a transfer function may differ from a curve of a known shape.
_SAME_CURVE = 0.005
_MOST_BITS = 16
# In place of values that cannot be read; they are too few as well.
_NONSENSE = (math.nan,)

_Curve = npt.NDArray[np.float64]


def profile_of(main: ifd.Directory, bits: int, notes: list[str], *, grey: bool) -> bytes | None:
    """The profile that says what the fields of a directory do; None where there is none, or sRGB.

    ``bits``: of a sample, for each of whose values a transfer function has one. A note where
    something cannot be understood.
    """
    white, primaries = (
        (main.rationals(tag, count) or _NONSENSE) if tag in main.fields else ()
        for tag, count in ((WHITE, 2), (PRIMARIES, 6))
    )
    curve = main.fields.get(TRANSFER)
    values = None
    if curve is not None:
        data = curve.data if curve.type == ifd.SHORT else b""
        values = np.frombuffer(data[: len(data) // 2 * 2], "<u2")
    return declared(white, primaries, values, bits, notes, grey=grey)


def declared(
    white: Sequence[float],
    primaries: Sequence[float],
    transfer: npt.NDArray[np.uint16] | None,
    bits: int,
    notes: list[str],
    *,
    grey: bool,
) -> bytes | None:
    """As :func:`profile_of`, of values.

    ``white``: CIE x and y; ``primaries``: those of red, green and blue, one after the other; both
    empty where they are not stated. ``transfer``: how light each value is, of all channels or of
    one after the other.
    """
    gamma: float | None = _USUAL_GAMMA
    if transfer is not None:
        try:
            gamma = _gamma(transfer, bits)
        except ValueError:
            notes.append(UNKNOWN_CURVE)
    if grey or not primaries:
        if white and not grey and not (len(white) == 2 and math.dist(white, _D65) < _SAME_WHITE):
            notes.append(LONE_WHITE)
        if gamma is None or abs(gamma - _USUAL_GAMMA) <= _ANY_USUAL_GAMMA:
            return None
        lone = gamma
        return attempt(lambda: code_points.of_gamma(lone, grey=grey), notes, UNKNOWN_CURVE)

    def made() -> bytes | None:
        x, y = white or _D65
        numbers = iter(primaries)
        colours = list(zip(numbers, numbers, strict=True))
        if len(colours) != 3:
            raise ValueError("three primaries have six numbers")
        return code_points.of_primaries((x, y), colours, gamma)

    return attempt(made, notes, DAMAGED)


def _gamma(transfer: npt.NDArray[np.uint16], bits: int) -> float | None:
    """The power that a transfer function is, or None of sRGB's; ValueError where it is neither."""
    count = 1 << bits if bits <= _MOST_BITS else 0
    if len(transfer) not in (count, 3 * count) or not count:
        raise ValueError("of another length than there are values")
    channels = transfer.reshape(-1, count) / 65535
    value, light = np.linspace(0, 1, count), channels[0]
    off_srgb = _apart(channels, _srgb(value))
    middle = count // 2
    gamma, off_power = 1.0, math.inf
    if 0 < light[middle] < 1 and value[middle] < 1:
        gamma = math.log(light[middle]) / math.log(value[middle])
        off_power = _apart(channels, value**gamma)
    if min(off_srgb, off_power) > _SAME_CURVE:
        raise ValueError("of another shape")
    return gamma if off_power < off_srgb else None


def _srgb(value: _Curve) -> _Curve:
    """Light of samples (IEC 61966-2-1)."""
    bright = ((value + 0.055) / 1.055) ** 2.4
    return cast(_Curve, np.where(value <= 0.04045, value / 12.92, bright))


def _apart(channels: _Curve, curve: _Curve) -> float:
    return float(np.abs(channels - curve).max())
