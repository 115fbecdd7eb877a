"""Ranges to draw from, and what they must be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

Range = tuple[float, float]
"""The least and the largest value, both included."""

Pixels = npt.NDArray[np.float32]
"""``(H, W, 3)`` RGB, gamma-encoded as in the file, nominally in [0, 1], not clipped."""

# A misspelt name in an experiment file must not pass in silence.
FORBID: Any = {"extra": "forbid"}


def others_of(usual: Any) -> BeforeValidator:
    """What a table of an experiment leaves out is as in ``usual``, a dataclass.

    Of itself it would be as in the class, whatever the field that it is for has instead.
    """

    def completed(given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {one.name: getattr(usual, one.name) for one in fields(usual)} | dict(given)

    return BeforeValidator(completed)


def differing(given: Any, usual: Any) -> dict[str, Any]:
    """What of a dataclass is not as in ``usual``, as plain values; tables within it likewise.

    Completed by :func:`others_of` it is ``given`` again. What a class has as its default says
    nothing about that.
    """
    found: dict[str, Any] = {}
    for one in fields(usual):
        value, other = getattr(given, one.name), getattr(usual, one.name)
        if value != other:
            found[one.name] = differing(value, other) if is_dataclass(value) else value
    return found


def uniform(generator: np.random.Generator, between: Range) -> float:
    """A value from ``between``, each as likely."""
    return float(generator.uniform(*between))


def log_uniform(generator: np.random.Generator, between: Range) -> float:
    """A value from ``between``, each ratio as likely: weak steps are then as common as strong."""
    return math.exp(generator.uniform(math.log(between[0]), math.log(between[1])))


def check_range(name: str, between: Range, least: float, most: float) -> None:
    """:class:`ValueError` unless ``least <= between[0] <= between[1] <= most``."""
    low, high = between
    if not least <= low <= high <= most:
        raise ValueError(
            f"{name} must rise and lie in {least:g} to {most:g}, not {low:g}, {high:g}"
        )


def check_share(name: str, share: float) -> None:
    """:class:`ValueError` unless ``share`` is a probability."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{name} is a probability from 0 to 1, not {share:g}")
