"""Knowing a picture again: encoded again, resized, brighter, mirrored, turned, or cropped a little.

Two pictures are compared by grids of averages, without what changes slowly, of which unlike
pictures have much in common: skies and floors. The middle of the one is looked for in the other, at
every place where it could be if up to a tenth was cut off at any side of either. Where it is found
the two are compared once more, finer: pictures of one layout have their outlines in common, such as
products photographed on white or rows of windows, but neither the detail nor the tones within them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hyperfocal.evaluate.pairs import Bytes
from hyperfocal.quality.luma import luma

# Sides of the thumbnail that is kept of a picture, and of the grids that are compared: everywhere,
# and where it was found. Some pixels a cell, or cells that lie otherwise hardly compare.
_THUMBNAIL, _GRID, _FINE_GRID = 128, 16, 24
# How much may be cut off at any side, and how far apart the places are that are tried; then nearer
# and nearer around the best of them.
_CUT, _STEP, _FINER = 0.1, 0.05, (0.025, 0.0125, 0.00625, 0.003125)
# Correlations. Places that may be worth a nearer look, and how many of them; after which the same
# picture reaches more than this, and others less, on the fine grid, too: see docs/retrain.md.
_PROMISING, _MOST_TRIED, _SAME, _SAME_FINE = 0.6, 12, 0.93, 0.935
# Turns that are so near the best are tried, too.
_AMBIGUOUS = 0.1
# How far the tones of the same picture may be apart, as a share of its contrast.
_TONE = 0.08
# Below this contrast of what is compared (standard deviation, 8-bit levels) there is nothing to
# recognise.
_PLAIN = 1.0
_TURNS = 8

Plane = npt.NDArray[np.float32]
Stretch = tuple[float, float]
Place = tuple[Stretch, Stretch]


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as it can be recognised: the digest of its pixels, and a thumbnail of its luma."""

    path: Path
    digest: str
    thumbnail: Plane

    @classmethod
    def of(cls, path: Path, pixels: Bytes) -> Seen:
        """``pixels``: uint8 ``(H, W)`` or ``(H, W, 3)``, as they are scored."""
        # Grey pictures are scored on their own values, which are not the luma of the same
        # picture saved in colour.
        colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        whole = Image.fromarray(luma(colour).astype(np.float32))
        size = (_THUMBNAIL, _THUMBNAIL)
        # A box of whole pixels would lie otherwise in the same picture at another size.
        thumbnail = np.asarray(whole.resize(size, Image.Resampling.BILINEAR), np.float32)
        return cls(path, digest_of(colour), thumbnail)


def digest_of(pixels: Bytes) -> str:
    """sha256 of a picture's size and pixels, however its file is named or compressed."""
    shape = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(shape + b":" + np.ascontiguousarray(pixels).tobytes()).hexdigest()


class Gallery:
    """Pictures seen so far, to find one that shows the same."""

    def __init__(self, pictures: Iterable[Seen] = ()) -> None:
        self._by_digest: dict[str, int] = {}
        self._seen: list[Seen] = []
        self._middles: list[Plane] = []
        for picture in pictures:
            self.add(picture)

    def add(self, picture: Seen) -> None:
        """Remember a picture."""
        self._by_digest.setdefault(picture.digest, len(self._seen))
        self._seen.append(picture)
        self._middles.append(_compared(_grids(picture.thumbnail, _MIDDLE, _MIDDLE))[0])

    def find(self, picture: Seen) -> int | None:
        """The number of the first picture added that has the same pixels, or else of one that
        shows the same; None if there is none. Plain pictures are told apart by their pixels alone.
        """
        if (known := self._by_digest.get(picture.digest)) is not None:
            return known
        if not self._seen:
            return None
        grids = _grids(picture.thumbnail, _PLACES, _PLACES)
        tried = np.concatenate([_compared(_turned(grids, turn)) for turn in range(_TURNS)])
        likeness = np.stack(self._middles) @ tried.T
        nearest = likeness.max(axis=1)
        for number in np.argsort(-nearest)[:_MOST_TRIED]:
            if nearest[number] < _PROMISING:
                break
            if self._shows(picture.thumbnail, int(number), likeness[number].reshape(_TURNS, -1)):
                return int(number)
        return None

    def _shows(self, thumbnail: Plane, number: int, likeness: Plane) -> bool:
        """Whether a picture shows what another does; ``likeness``: ``(turns, places)``."""
        nearest = likeness.max(axis=1)
        for turn in np.argsort(-nearest):
            # What is much the same either way up is turned rightly where its detail agrees.
            if nearest[turn] < max(_PROMISING, nearest.max() - _AMBIGUOUS):
                break
            down, across = divmod(int(likeness[turn].argmax()), len(_PLACES))
            place = _PLACES[down], _PLACES[across]
            same, place = _refined(thumbnail, place, int(turn), self._middles[number])
            other = self._seen[number].thumbnail
            if same > _SAME and _confirmed(thumbnail, place, int(turn), other):
                return True
        return False

    def __getitem__(self, number: int) -> Seen:
        return self._seen[number]

    @property
    def pictures(self) -> tuple[Seen, ...]:
        """All of them, in the order they were added."""
        return tuple(self._seen)


_MIDDLE: list[Stretch] = [(_CUT, 1.0 - _CUT)]
_OFF = [at * _STEP for at in range(round(2 * _CUT / _STEP) + 1)]
# Where the middle of one picture can be in another: less was cut off there than here, or more.
_PLACES: list[Stretch] = [(start, 1.0 - end) for start, end in product(_OFF, _OFF)]


def _refined(thumbnail: Plane, place: Place, turn: int, middle: Plane) -> tuple[float, Place]:
    """How like the middle of another picture the best place around one is, and that place."""
    likeness = -1.0
    for step in _FINER:
        rows, columns = (_around(stretch, step) for stretch in place)
        fits = _compared(_turned(_grids(thumbnail, rows, columns), turn)) @ middle
        best = int(fits.argmax())
        likeness = float(fits[best])
        place = rows[best // len(columns)], columns[best % len(columns)]
    return likeness, place


def _confirmed(thumbnail: Plane, place: Place, turn: int, other: Plane) -> bool:
    """Whether a place is like the middle of another picture in its fine detail and tones, too."""
    rows, columns = place
    found = _turned(_grids(thumbnail, [rows], [columns], _FINE_GRID), turn)
    middle = _grids(other, _MIDDLE, _MIDDLE, _FINE_GRID)
    ours, theirs = _detail(found), _detail(middle)
    # Noise, of compression above all, is no difference: it counts as detail that both have.
    noise = ours.size * _PLAIN**2
    lengths = (np.sum(ours**2) + noise) * (np.sum(theirs**2) + noise)
    if np.sum(ours * theirs) + noise <= _SAME_FINE * np.sqrt(lengths):
        return False
    # What was clipped by the one cannot be made from the other, but the other way round.
    return _tones_match(found[0], middle[0]) or _tones_match(middle[0], found[0])


def _tones_match(grid: Plane, other: Plane) -> bool:
    """Whether one curve takes the tones of ``grid`` to those of ``other``, ``(side, side)`` each.

    A cell may have any tone between those around it: edges never lie quite the same.
    """
    tones = (grid - grid.mean()) / max(float(grid.std()), _PLAIN)
    powers = np.vander(tones.ravel(), 4)
    fitted = (powers @ np.linalg.lstsq(powers, other.ravel(), rcond=None)[0]).reshape(grid.shape)
    around = _shifted(np.pad(fitted, 1, mode="edge")[None])
    off = other - np.clip(other, np.min(around, axis=0)[0], np.max(around, axis=0)[0])
    return float(np.sqrt(np.mean(off**2))) < max(_TONE * float(other.std()), _PLAIN)


def _around(stretch: Stretch, step: float) -> list[Stretch]:
    moves = (-step, 0.0, step)
    start, end = stretch
    return [(max(start + one, 0.0), min(end + other, 1.0)) for one, other in product(moves, moves)]


def _grids(
    thumbnail: Plane, rows: Sequence[Stretch], columns: Sequence[Stretch], side: int = _GRID
) -> Plane:
    """Averages of rectangles on a grid, ``(rows * columns, side, side)``."""
    down, across = (np.stack([_averaging(*one, side) for one in some]) for some in (rows, columns))
    rows_of = (down @ thumbnail)[:, None]
    grids: Plane = np.matmul(rows_of, across.swapaxes(1, 2)[None], dtype=np.float32)
    return grids.reshape(-1, side, side)


def _averaging(start: float, end: float, cells: int) -> Plane:
    """What takes a side of the thumbnail to the cells of a stretch of it, which need not be whole
    pixels.
    """
    edges = np.linspace(start, end, cells + 1) * _THUMBNAIL
    pixels = np.arange(_THUMBNAIL)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: Plane = (np.clip(shared, 0.0, 1.0) / np.diff(edges)[:, None]).astype(np.float32)
    return shares


def _turned(grids: Plane, turn: int) -> Plane:
    """One of the eight ways a picture can be turned and mirrored."""
    turned = np.rot90(grids, turn % 4, axes=(1, 2))
    return turned[:, :, ::-1] if turn >= 4 else turned


def _compared(grids: Plane) -> Plane:
    """Detail of grids, of length 1; 0 where that is nothing."""
    detail = _detail(grids)
    length = np.linalg.norm(detail, axis=1, keepdims=True)
    plain = length < _PLAIN * np.sqrt(detail.shape[1])
    vectors: Plane = np.where(plain, 0.0, detail / np.maximum(length, 1e-6)).astype(np.float32)
    return vectors


def _detail(grids: Plane) -> Plane:
    """Grids less what changes slowly, ``(n, side**2)``."""
    # Going on as they do at the border: a ramp has no detail.
    sides = ((0, 0), (1, 1), (1, 1))
    around = np.pad(grids, sides, mode="reflect", reflect_type="odd")
    detail: Plane = (grids - np.mean(_shifted(around), axis=0)).reshape(len(grids), -1)
    detail -= detail.mean(axis=1, keepdims=True)
    return detail


def _shifted(around: Plane) -> list[Plane]:
    """Grids with a border of a cell, ``(n, side + 2, side + 2)``, without, moved all nine ways."""
    side = around.shape[1] - 2
    return [around[:, y : y + side, x : x + side] for y, x in product(range(3), range(3))]
