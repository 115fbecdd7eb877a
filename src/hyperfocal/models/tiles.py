"""What every engine takes and gives, and the check of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.models.card import ModelCard

Tile = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


class Engine(Protocol):
    """Executes one model; safe to call from many threads at once."""

    @property
    def arithmetic(self) -> str:
        """What the convolutions are computed in: "u8s8", "bf16" or "f32"."""

    @property
    def threads(self) -> int:
        """Threads one call uses."""

    def run(self, tile: Tile) -> Tile:
        """``(H, W, 3)`` uint8 or float32 in [0, 1] to ``(sH, sW, 3)`` of the same type."""

    def release(self) -> None:
        """Give back working memory kept for the next call."""


def check_tile(tile: Tile, card: ModelCard) -> None:
    """:class:`ArrayError` unless ``tile`` is one that the model of ``card`` can take."""
    if tile.ndim != 3 or tile.shape[2] != 3 or 0 in tile.shape:
        raise ArrayError(f"a tile must be (H, W, 3) and not empty, not {tile.shape}")
    if tile.dtype not in (np.uint8, np.float32):
        raise ArrayError(f"a tile must be uint8 or float32, not {tile.dtype}")
    multiple = card.input_multiple
    if tile.shape[0] % multiple or tile.shape[1] % multiple:
        raise ArrayError(
            f"{card.name} takes sides that are multiples of {multiple}, not {tile.shape[:2]}"
        )
