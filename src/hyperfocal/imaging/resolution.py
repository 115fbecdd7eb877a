"""Dots an inch, and samples a metre as PNG and BMP count them."""

from __future__ import annotations

_METRE = 0.0254


def to_metre(dpi: float) -> int:
    """Samples a metre, at least 1."""
    return min(max(1, round(dpi / _METRE)), 2**31 - 1)


def from_metre(count: int) -> float:
    """Dots an inch; a whole number where that is what the writer must have meant."""
    dpi = count * _METRE
    whole = round(dpi)
    return float(whole) if whole and to_metre(whole) == count else round(dpi, 2)
