"""Comparing two pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperfocal import imaging
from hyperfocal.errors import PairMismatch, UsageError
from hyperfocal.evaluate.visible import shown_by
from hyperfocal.imaging import code_points, profile
from hyperfocal.imaging.depth import clipped
from hyperfocal.imaging.picture import CodePoints, Picture, native
from hyperfocal.kinds import check_kinds
from hyperfocal.quality.arrays import Flags, check_pixels, full_scale
from hyperfocal.quality.fidelity import consistency
from hyperfocal.quality.metrics import mse, psnr, scores, snr
from hyperfocal.quality.similarity import WINDOW
from hyperfocal.restore.alpha import bleed
from hyperfocal.restore.target import shown
from hyperfocal.settings import Settings

Array = npt.NDArray[np.generic]
Comparable = str | Path | bytes | Picture | Array
# Of a level of 8 bits, what samples from 0 to 1 are rounded by in float32.
_FLOAT_ROUNDING = 3e-5
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

    Arrays are ``(H, W)``, ``(H, W, 3)`` or, with transparency, ``(H, W, 4)``; uint8, uint16 or
    float in [0, 1]. ``shave``: pixels left out along every border of two pictures of one size; the
    literature of super-resolution leaves out the scale. Pictures too small for SSIM have no figure
    for it, and a note; so have those with transparency, of which only what both show is compared,
    so that nothing differs where that is nothing. Hidden colours are replaced by those around
    them, as they are before a picture is enlarged.
    So have those deeper than 8 bits, which are rounded to 8 for all but consistency, and those that
    then are the same though their samples differ; those with samples beyond 0 to 1, which are
    clipped for all but consistency (see :func:`hyperfocal.quality.consistency`); and those whose
    colours are declared otherwise.
    :class:`PairMismatch` when the sizes are neither equal nor in proportion;
    :class:`UsageError` for a shave of two sizes, or that is no number of pixels;
    :class:`ArrayError` for arrays that are no pictures.
    """
    check_kinds(settings=(settings, Settings | None))
    if not isinstance(shave, Integral) or isinstance(shave, bool):
        raise UsageError(f"shave must be a whole number of pixels, not {shown(shave)}")
    # A program may have NumPy raise what rounding in float32 does to its smallest numbers.
    with np.errstate(all="ignore"):
        return _compared(a, b, shave, settings)


def _compared(a: Comparable, b: Comparable, shave: int, settings: Settings | None) -> Comparison:
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
        visible = shown_by(first.shape[:2], alpha_a, alpha_b)
        figures = _figures(first, second, shave, visible, notes)
        notes += _rounded(first, second, figures["mse"], shave, visible)
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
        consistency=consistency(large, small, shown_by(small.shape[:2], alpha_a, alpha_b)),
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
    pixels: Array
    alpha: Array | None = None
    colour = _Colour()
    if isinstance(given, np.ndarray):
        name, pixels = "array", native(given)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            pixels, alpha = pixels[..., :3], pixels[..., 3]
        check_pixels(pixels)
    else:
        if isinstance(given, Picture):
            name, picture = given.source or "picture", given
        else:
            picture = imaging.open(given, settings=settings)
            name = "bytes" if isinstance(given, bytes) else str(Path(given))
        pixels, alpha = picture.pixels, picture.alpha
        colour = _Colour(picture.icc, picture.code_points)
    if alpha is not None and _is_transparent(alpha):
        notes.append("transparency is not compared, nor is colour that it hides")
        return name, bleed(pixels, alpha), alpha, colour
    return name, pixels, None, colour


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


def _rounded(one: Array, other: Array, mse: float, shave: int, visible: Flags | None) -> list[str]:
    """Notes on what figures of 8 bits cannot see of deeper pictures."""
    if one.dtype == other.dtype == np.uint8:
        return []
    notes = ["scored in 8 bits, as the literature does"]
    if mse == 0.0 and (most := _furthest(one, other, shave, visible)) > 0.0:
        notes.append(
            f"they are not equal: samples differ by up to {most:.2g} levels of 8 bits, "
            "which the figures do not see"
        )
    return notes


def _furthest(one: Array, other: Array, shave: int, visible: Flags | None) -> float:
    """The largest difference of samples in levels of 8 bits, over what is compared."""
    inner = slice(shave, one.shape[0] - shave), slice(shave, one.shape[1] - shave)
    first, second = (
        part[inner].astype(np.float64) / (full_scale(part) / 255.0) for part in (one, other)
    )
    away = np.abs(first - second)
    if visible is not None:
        away = away[visible[inner]]
    most = float(away.max(initial=0.0))
    # An integer as a float32 is off by as much as that holds.
    return most if one.dtype == other.dtype or most > _FLOAT_ROUNDING else 0.0


def _is_transparent(alpha: Array) -> bool:
    return not alpha.min() >= full_scale(alpha)  # type: ignore[operator]


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
