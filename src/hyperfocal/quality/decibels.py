"""Ratios of power in decibels."""

from __future__ import annotations

import math

DECIBEL_CAP = 100.0
"""Given for an error of zero, whose ratio has no logarithm: means and JSON stay finite.

Beyond any real difference: one level of 16 bits in every sample is 96 dB. Its negative is the
least that is given, for an error that is infinite, or as good as that: floats may hold anything.
"""


def decibels(signal: float, error: float) -> float:
    """``10 log10(signal / error)`` of two mean squares, within :data:`DECIBEL_CAP` of 0.

    A silent signal with an error gives the negative of the cap.
    """
    if error <= 0.0:
        return DECIBEL_CAP
    # The ratio to an error that is beyond all measure is 0 as well.
    if signal <= 0.0 or signal / error == 0.0:
        return -DECIBEL_CAP
    return min(max(10.0 * math.log10(signal / error), -DECIBEL_CAP), DECIBEL_CAP)
