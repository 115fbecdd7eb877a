"""A memory budget: how large a tile may be, and where a large result goes."""

from __future__ import annotations

from dataclasses import dataclass

from hyperfocal.models.card import ModelCard

# numpy, the runtime and a compiled model take 90 to 130 MB; some room for what the caller has.
LEAST = 160_000_000
"""Bytes without which no budget can be kept to: those of a process that has loaded a model."""
# Live at once inside a net, in samples an input pixel: two activations of 64 channels, in float
# or, in an int8 net, partly so; and at output size the tail, the bicubic residual and their sum,
# always in float.
_ACTIVATIONS = 2 * 64
_ACTIVATION_BYTES = {"float": 4, "int8": 2}
_AT_OUTPUT = 3 * 3
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
        return max(self.total - LEAST - self.held, 0)

    def on_disk(self, size: int) -> bool:
        """Whether a result of ``size`` bytes belongs in a file rather than in memory."""
        return size > self.free // 2

    def tile_pixels(self, bytes_a_pixel: int) -> int:
        """Input pixels of the largest tile; not less than 128 x 128, however little is free."""
        return min(max(self.free // bytes_a_pixel, _SMALLEST_TILE), _LARGEST_TILE)

    def without(self, size: int) -> Budget:
        """What is left beside ``size`` more bytes that are held."""
        return Budget(self.total, self.held + size)


def tile_bytes(card: ModelCard, precision: str, sample_bytes: int) -> int:
    """Working memory in bytes an input pixel, for nets as wide as the shipped ones or less.

    ``precision``: of the weights; ``sample_bytes``: of the picture. An estimate on the safe side:
    64 channels at full resolution, where most nets work at half.
    """
    inside = _ACTIVATIONS * _ACTIVATION_BYTES.get(precision, 4)
    # The net's answer and, unless the picture has 8 bits, its conversion.
    answer = 3 * (1 if sample_bytes == 1 else 4 + 4 + sample_bytes)
    if card.self_ensemble:
        # The sum of the answers, and one more of them or what rounding takes.
        answer += 3 * (2 + 2 if sample_bytes == 1 else 4 + 4)
    return inside + (4 * _AT_OUTPUT + answer) * card.scale**2
