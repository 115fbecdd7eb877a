"""A memory budget: how large a tile may be, and where a large result goes."""

from __future__ import annotations

from dataclasses import dataclass

from hyperfocal.models.card import ModelCard

# Resident memory of a process that has loaded numpy, the runtime and a compiled model.
_BASE = 160_000_000
# Live at once inside a net, in bytes an input pixel: two activations of 64 float channels, and
# at output size the tail, the bicubic residual and their sum in float beside the 8-bit result.
_ACTIVATIONS = 2 * 64 * 4
_AT_OUTPUT = 3 * (3 * 4 + 1)
# Beyond this a larger tile is not faster, and progress and cancelling become coarse.
_LARGEST_TILE = 1_200_000
# Below this the overlap costs more than the tile itself, and hardly any memory is saved.
_SMALLEST_TILE = 128 * 128


@dataclass(frozen=True, slots=True)
class Budget:
    """What one restoration may use.

    ``total``: bytes for the whole process; ``held``: bytes of the pictures that stay in memory
    all along.
    """

    total: int
    held: int

    @property
    def free(self) -> int:
        """Bytes left for tiles and results, never negative."""
        return max(self.total - _BASE - self.held, 0)

    def on_disk(self, size: int) -> bool:
        """Whether a result of ``size`` bytes belongs in a file rather than in memory."""
        return size > self.free // 2

    def tile_pixels(self, card: ModelCard) -> int:
        """Input pixels of the largest tile; not less than 128 x 128, however little is free."""
        return min(max(self.free // tile_bytes(card), _SMALLEST_TILE), _LARGEST_TILE)

    def without(self, size: int) -> Budget:
        """What is left beside ``size`` more bytes that are held."""
        return Budget(self.total, self.held + size)


def tile_bytes(card: ModelCard) -> int:
    """Working memory of a net, in bytes an input pixel; an estimate on the safe side."""
    return _ACTIVATIONS + _AT_OUTPUT * card.scale**2
