"""One network asked three times, twice with the picture mirrored, and the mean of its answers.

The geometric self-ensemble of Lim et al., "Enhanced Deep Residual Networks for Single Image
Super-Resolution", CVPRW 2017, and Timofte et al., "Seven Ways to Improve Example-based Single Image
Super Resolution", CVPR 2016. What a network gets wrong depends partly on which way round the
picture is; that part goes out in the mean. A fourth question, mirrored along both axes, would add
a sixth of what these do and take a third as long again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.models.tiles import Engine, Tile

MIRRORED: tuple[tuple[int, ...], ...] = ((), (1,), (0,))
"""Along which axes of ``(H, W, 3)`` each question is mirrored."""


@dataclass(frozen=True, slots=True)
class SelfEnsemble:
    """An engine made of another one; safe from many threads where that one is.

    A whole picture and its tiles give the same: every pixel has the same three surroundings.
    """

    engine: Engine

    @property
    def arithmetic(self) -> str:
        """That of the network."""
        return self.engine.arithmetic

    @property
    def threads(self) -> int:
        """Those of the network."""
        return self.engine.threads

    def run(self, tile: Tile) -> Tile:
        """``(H, W, 3)`` uint8 or float32 in [0, 1] to ``(sH, sW, 3)`` of the same type.

        uint8: the answers have been rounded, and so is their mean.
        """
        answers = (np.flip(self.engine.run(np.flip(tile, axes)), axes) for axes in MIRRORED)
        return _mean_level(answers) if tile.dtype == np.uint8 else _mean(answers)

    def release(self) -> None:
        """Give back the network's working memory."""
        self.engine.release()


def _mean(answers: Iterator[Tile]) -> npt.NDArray[np.float32]:
    total = next(answers).astype(np.float32)
    for answer in answers:
        total += answer
    total *= np.float32(1 / len(MIRRORED))
    return total


def _mean_level(answers: Iterator[Tile]) -> npt.NDArray[np.uint8]:
    total = next(answers).astype(np.uint16)
    for answer in answers:
        total += answer.astype(np.uint8, copy=False)
    # Of whole numbers a third is never between two.
    total += 1
    total //= len(MIRRORED)
    return total.astype(np.uint8)
