"""Comparing two pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperfocal import imaging
from hyperfocal.errors import PairMismatch, UsageError
from hyperfocal.imaging import code_points, profile
from hyperfocal.imaging.depth import clipped
from hyperfocal.imaging.picture import CodePoints, Picture
from hyperfocal.quality.arrays import Flags, check_pixels
from hyperfocal.quality.fidelity import consistency
from hyperfocal.quality.metrics import mse, psnr, scores, snr
from hyperfocal.quality.similarity import WINDOW
from hyperfocal.restore.alpha import bleed
from hyperfocal.settings import Settings

Array = npt.NDArray[np.generic]
Comparable = str | Path | bytes | Picture | Array
_WITHOUT_WINDOW = {"psnr": psnr, "mse": mse, "snr": snr}


class _Colour(NamedTuple):
    """What samples mean: the profile, and what goes before it; sRGB without either."""

    icc: bytes | None = None
    code_points: CodePoints | None = None

    def describe(self) -> str:
        said = code_points.describe(self.code_points)
        if said is None and self.icc is not None:
            said = profile.describe(self.icc) or "a profile without a name"
        return said or "sRGB"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of ``a`` against ``b``.

    Of one size: ``psnr`` and ``snr`` in dB, ``ssim``, ``mse`` in squared 8-bit levels; ``b`` is
    the reference. Where one is an enlargement of the other: ``consistency``, in dB, of the
    larger reduced to the smaller, and ``scale``. What does not apply is None. ``basis``:
    ``"luma"`` (BT.601, 16 to 235), ``"grey"`` values, or ``"rgb"`` for consistency.
    """

    a: str
    b: str
    basis: str
    psnr: float | None = None
    ssim: float | None = None
    mse: float | None = None
    snr: float | None = None
    consistency: float | None = None
    scale: float | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain values by name, lists and dicts only."""
        return {**asdict(self), "notes": list(self.notes)}

    def to_json(self) -> str:
        """JSON text, indented."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def compare(
    a: Comparable, b: Comparable, *, shave: int = 0, settings: Settings | None = None
) -> Comparison:
    """Compare two pictures: files, bytes of files, arrays or Pictures.

    Arrays are ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float in [0, 1]. ``shave``: pixels
    left out along every border of two pictures of one size; the literature of super-resolution
    leaves out the scale. Pictures too small for SSIM have no figure for it, and a note; so have
    those with transparency, of which only what both show is compared, so that nothing differs
    where that is nothing. Hidden colours are replaced by those around them, as they are before a
    picture is enlarged.
    So have those with samples beyond 0 to 1, which are clipped for all but consistency (see
    :func:`hyperfocal.quality.consistency`), and those whose colours are declared otherwise.
    :class:`PairMismatch` when the sizes are neither equal nor in proportion;
    :class:`UsageError` for a shave of two sizes; :class:`ArrayError` for arrays that are no
    pictures.
    """
    notes: list[str] = []
    (name_a, first, alpha_a, colour_a) = _take(a, settings, notes)
    (name_b, second, alpha_b, colour_b) = _take(b, settings, notes)
    notes = list(dict.fromkeys(notes))
    if colour_a != colour_b:
        notes.append(f"{_difference(colour_a, colour_b)}; sample values are compared as they are")
    if first.ndim != second.ndim:
        notes.append("one is grey; it is compared as RGB with equal channels")
        first, second = _as_rgb(first), _as_rgb(second)
    basis = "grey" if first.ndim == 2 else "luma"
    if first.shape == second.shape:
        visible = _shown(first.shape[:2], alpha_a, alpha_b)
        figures = _figures(first, second, shave, visible, notes)
        notes += _clipped((name_a, first), (name_b, second), shave=shave)
        return Comparison(name_a, name_b, basis, **figures, notes=tuple(notes))
    large, small = (first, second) if first.size > second.size else (second, first)
    scale = _enlargement(large, small)
    if scale is None:
        raise PairMismatch(
            f"{name_a} is {_size(first)} and {name_b} is {_size(second)} pixels: neither equal "
            "nor in proportion"
        )
    if shave:
        raise UsageError(
            f"shaving is for two pictures of one size, not {_size(first)} and {_size(second)}"
        )
    return Comparison(
        name_a,
        name_b,
        basis if basis == "grey" else "rgb",
        consistency=consistency(large, small, _shown(small.shape[:2], alpha_a, alpha_b)),
        scale=scale,
        notes=tuple(notes),
    )


def _figures(
    made: Array, wanted: Array, shave: int, visible: Flags | None, notes: list[str]
) -> dict[str, float]:
    if min(made.shape[:2]) - 2 * shave >= WINDOW:
        return scores(made, wanted, shave=shave, visible=visible).to_dict()
    figures = {
        name: one(made, wanted, shave=shave, visible=visible)
        for name, one in _WITHOUT_WINDOW.items()
    }
    notes.append(f"SSIM needs at least {WINDOW}x{WINDOW} pixels")
    return figures


def _take(
    given: Comparable, settings: Settings | None, notes: list[str]
) -> tuple[str, Array, Array | None, _Colour]:
    """A name to call it by, its pixels without hidden colour, transparency, what pixels mean."""
    if isinstance(given, np.ndarray):
        check_pixels(given)
        return "array", given, None, _Colour()
    if isinstance(given, Picture):
        name, picture = given.source or "picture", given
    else:
        picture = imaging.open(given, settings=settings)
        name = "bytes" if isinstance(given, bytes) else str(Path(given))
    pixels: Array = picture.pixels
    alpha = picture.alpha if _is_transparent(picture) else None
    if alpha is not None:
        notes.append("transparency is not compared, nor is colour that it hides")
        pixels = bleed(pixels, alpha)
    return name, pixels, alpha, _Colour(picture.icc, picture.code_points)


def _difference(one: _Colour, other: _Colour) -> str:
    if one.code_points == other.code_points:
        return "the colour profiles differ"
    return f"the colours that are declared differ ({one.describe()} and {other.describe()})"


def _clipped(*given: tuple[str, Array], shave: int) -> list[str]:
    """Of what figures of 8 bits cannot see, a note a picture."""
    notes = []
    for name, pixels in given:
        if pixels.dtype.kind != "f":
            continue
        inner = pixels[shave : pixels.shape[0] - shave, shave : pixels.shape[1] - shave]
        if (note := clipped(float(inner.min()), float(inner.max()), 8)) is not None:
            notes.append(f"{name}: {note}")
    return notes


def _is_transparent(picture: Picture) -> bool:
    return picture.alpha is not None and not picture.alpha.min() >= picture.full_scale


def _shown(size: tuple[int, ...], *alphas: Array | None) -> Flags | None:
    """Which pixels of ``size`` all pictures show, None for all; of a larger one, by its middle."""
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


def _as_rgb(pixels: Array) -> Array:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _enlargement(large: Array, small: Array) -> float | None:
    """The factor between two sizes in proportion, sides rounded to whole pixels; or None."""
    (height, width), (low_height, low_width) = large.shape[:2], small.shape[:2]
    scale = width / low_width if width >= height else height / low_height
    exact = low_height * scale, low_width * scale
    # Either side may have been rounded, on the large picture and (times the scale) on the small.
    slack = 1.0 + scale / 2.0
    close = abs(exact[0] - height) <= slack and abs(exact[1] - width) <= slack
    return scale if close and height >= low_height and width >= low_width else None


def _size(pixels: Array) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
