"""What of pictures can be seen, where they have transparency."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Flags


def shown_by(size: tuple[int, ...], *alphas: npt.NDArray[Any] | None) -> Flags | None:
    """Which pixels of ``size`` all pictures show, None for all; of a larger one, by its middle.

    ``alphas``: ``(H, W)`` of each, or which of its pixels are visible; None for one without
    transparency.
    """
    shown: Flags | None = None
    for alpha in alphas:
        if alpha is None:
            continue
        rows, columns = (
            ((np.arange(wanted) + 0.5) * (have / wanted)).astype(np.intp)
            for wanted, have in zip(size, alpha.shape, strict=True)
        )
        seen = alpha[np.ix_(rows, columns)] != 0
        shown = seen if shown is None else shown & seen
    return shown
