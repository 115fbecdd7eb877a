"""Ratios of power in decibels."""

from __future__ import annotations

import math

DECIBEL_CAP = 100.0
"""Given for an error of zero, whose ratio has no logarithm: means and JSON stay finite.

Beyond any real difference: one level of 16 bits in every sample is 96 dB.
"""


def decibels(signal: float, error: float) -> float:
    """``10 log10(signal / error)`` of two mean squares, at most :data:`DECIBEL_CAP`.

    A silent signal with an error gives the negative of the cap.
    """
    if error <= 0.0:
        return DECIBEL_CAP
    if signal <= 0.0:
        return -DECIBEL_CAP
    return min(10.0 * math.log10(signal / error), DECIBEL_CAP)
