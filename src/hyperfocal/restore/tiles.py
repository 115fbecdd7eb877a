"""Tile mechanism: cut, run, stitch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.errors import ModelBroken, TooLarge
from hyperfocal.models.card import ModelCard
from hyperfocal.restore.gate import check_tile
from hyperfocal.restore.plan import Tile, TilePlan
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.samples import Array, NetTile, Samples


class Net(Protocol):
    """A loaded model, as far as the engine needs it; safe to call from many threads."""

    @property
    def card(self) -> ModelCard:
        """What it is."""

    @property
    def precision(self) -> str:
        """Of its weights: "float" or "int8"."""

    def run(self, tile: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> NetTile:
        """``(H, W, 3)`` uint8 or float32 in [0, 1] to ``(sH, sW, 3)`` of the same dtype."""


def run_tiles(
    net: Net,
    source: Array,
    plan: TilePlan,
    samples: Samples,
    progress: Progress,
    *,
    on_disk: bool = False,
) -> Array:
    """Enlarge ``source`` by the net's scale, a tile at a time, in the source's own dtype.

    Beyond the right and lower border the last pixels are repeated up to the net's multiple, and
    cut off again. A tile that does not fit into memory is halved, and so are those that follow;
    :class:`TooLarge` where halving does not help. :class:`GarbledOutput` for a bad tile.
    """
    height, width = source.shape[:2]
    scale = net.card.scale
    shape = (height * scale, width * scale, *source.shape[2:])
    # The whole picture at once: the net's answer is the result, without a copy.
    is_whole = not on_disk and (plan.height, plan.width) == (height, width)
    out: Array | None = None
    waiting = list(reversed(plan.tiles))
    limit = max(tile.pixels for tile in plan.tiles)
    while waiting:
        tile = waiting.pop()
        made = None
        if tile.pixels <= limit:
            made = _attempt(net, source, tile, samples, progress)
            if made is None:
                limit = tile.pixels - 1
        if made is None:
            waiting.extend(reversed(_halves(plan, tile, net.card)))
            progress.total += 1
            continue
        if is_whole and len(plan.tiles) == 1 and tile is plan.tiles[0]:
            out = made
        else:
            if out is None:
                out = pages.allocate(shape, samples.dtype, on_disk=on_disk)
            _stitch(made, tile, out, scale)
            pages.release(out[tile.rows.first * scale : tile.rows.last * scale])
            pages.release(source[tile.rows.low : tile.rows.high])
        progress.step()
    assert out is not None
    return out


def _halves(plan: TilePlan, tile: Tile, card: ModelCard) -> tuple[Tile, Tile]:
    parts = plan.halves(tile)
    if parts is None:
        raise TooLarge(
            f"not enough memory for {card.name}, even for a tile of "
            f"{tile.columns.high - tile.columns.low}x{tile.rows.high - tile.rows.low}"
        )
    return parts


def _attempt(
    net: Net, pixels: Array, tile: Tile, samples: Samples, progress: Progress
) -> Array | None:
    """The net's answer to one window as samples of the picture; None when out of memory."""
    progress.check()
    try:
        given = _cut(pixels, tile)
        seen = samples.to_net(given)
        made = net.run(seen)
        check_tile(net.card.name, seen, made)
        return samples.from_net(made, given)
    except (MemoryError, ModelBroken) as error:
        if not _is_out_of_memory(error):
            raise
        return None


def _is_out_of_memory(error: BaseException) -> bool:
    """Engines report it as an error of their own, which only its text tells from others."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or "bad_alloc" in text
        or ("alloc" in text and "memory" in text)
        or "out of memory" in text
    )


def _cut(pixels: Array, tile: Tile) -> Array:
    height, width = pixels.shape[:2]
    rows, columns = tile.rows, tile.columns
    window = pixels[rows.low : min(rows.high, height), columns.low : min(columns.high, width)]
    below, right = max(rows.high - height, 0), max(columns.high - width, 0)
    if below or right:
        around = [(0, below), (0, right), (0, 0)][: pixels.ndim]
        window = np.pad(window, around, mode="edge")
    return window


def _stitch(made: Array, tile: Tile, out: Array, scale: int) -> None:
    top, left = tile.rows.first * scale, tile.columns.first * scale
    bottom = min(tile.rows.last * scale, out.shape[0])
    right = min(tile.columns.last * scale, out.shape[1])
    y, x = tile.rows.low * scale, tile.columns.low * scale
    out[top:bottom, left:right] = made[top - y : bottom - y, left - x : right - x]
