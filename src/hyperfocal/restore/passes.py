"""Which models run after one another to reach a scale."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations_with_replacement
from math import prod

from hyperfocal.errors import UsageError

# Beyond x8 is never asked for, so that three x2 passes are the most that can be needed.
_MOST = 3
# A target in whole pixels may exceed the model's scale by a rounding; no second pass for that.
_SLACK = 1e-2


def passes_between(
    have: tuple[int, int], wanted: tuple[int, int], native: Iterable[int]
) -> tuple[int, ...]:
    """:func:`choose_passes` for two sizes ``(height, width)``: enough for the longer way."""
    return choose_passes(max(wanted[0] / have[0], wanted[1] / have[1]), native)


def choose_passes(needed: float, native: Iterable[int]) -> tuple[int, ...]:
    """The native scales to run one after another, largest first, to reach ``needed`` or more.

    The fewest passes, then the least overshoot, which the final reduction takes away:
    ``choose_passes(3, (2, 4))`` is ``(4,)``, 8 gives ``(4, 2)``. For ``needed`` of 1 a model of
    scale 1 is used where there is one, and else the smallest. :class:`UsageError` where no
    three passes reach it.
    """
    scales = sorted(set(native))
    for count in range(1, _MOST + 1):
        chains = [
            chain
            for chain in combinations_with_replacement(scales, count)
            if prod(chain) >= needed * (1 - _SLACK)
        ]
        if chains:
            return tuple(sorted(min(chains, key=prod), reverse=True))
    raise UsageError(f"models of scale {scales} do not reach an enlargement of {needed:.3g}")
