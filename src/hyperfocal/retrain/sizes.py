"""Which pictures are so small that the others would suffer for them.

All patches of a training have one size, so the smallest picture decides how much of each one is
seen at once: a single icon among photographs would halve the patches of all.
"""

from __future__ import annotations

from collections.abc import Sequence

# Of the pictures that train, and of their pixels, what may be left out: patches are drawn by area,
# so that the training would hardly have seen these.
_MOST, _MOST_PIXELS = 0.25, 0.1
# Patches this near to the largest that could be had are as good.
_NEARLY = 0.9


def left_out(sizes: Sequence[tuple[int, int]], wanted: int) -> set[int]:
    """Numbers of the pictures to leave out: the fewest that let patches be large.

    ``sizes``: height and width of each; ``wanted``: side that is enough for any patch. One may
    always go if it has few of the pixels, and no more than a quarter of them.
    """
    order = sorted(range(len(sizes)), key=lambda at: min(sizes[at]))
    sides = [min(*sizes[at], wanted) for at in order]
    pixels = sum(height * width for height, width in sizes)
    may, gone = 0, 0
    for at in order[: max(1, int(len(order) * _MOST))]:
        height, width = sizes[at]
        gone += height * width
        if gone > pixels * _MOST_PIXELS:
            break
        may += 1
    if may == len(order):
        return set()
    count = next(count for count in range(may + 1) if sides[count] >= _NEARLY * sides[may])
    return set(order[:count])
