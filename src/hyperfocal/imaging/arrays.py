"""Arrays and Pillow images to and from :class:`Picture`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.imaging.picture import Picture, Pixels, native

if TYPE_CHECKING:
    from PIL import Image


def from_array(array: npt.ArrayLike) -> Picture:
    """A picture of ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` samples.

    uint8, uint16 (full range) or floating in [0, 1]; floating comes out as float32. Memory is
    shared where the layout allows. ArrayError for any other shape, dtype or range, for NaN, and
    for masked samples, whose values are nobody's.
    """
    if np.ma.is_masked(array):
        raise ArrayError(
            "the array has masked samples; give them a value (.filled()) or an alpha channel"
        )
    values = np.asarray(array)
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise ArrayError(
            f"an array of shape {values.shape} is no picture; give (H, W), (H, W, 3) or (H, W, 4)"
        )
    if 0 in values.shape:
        raise ArrayError(f"an array of shape {values.shape} has no pixels")
    values = np.ascontiguousarray(_samples(values))
    if values.ndim == 3 and values.shape[2] == 4:
        colour = cast(Pixels, np.ascontiguousarray(values[..., :3]))
        alpha = cast(Pixels, np.ascontiguousarray(values[..., 3]))
        return Picture(colour, alpha, lossless=True)
    return Picture(cast(Pixels, values), lossless=True)


def to_array(picture: Picture) -> Pixels:
    """``(H, W)`` grey, ``(H, W, 3)`` or, with alpha (grey too), ``(H, W, 4)``."""
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is None:
        return pixels
    out = np.empty((*pixels.shape[:2], 4), pixels.dtype)
    out[..., :3] = pixels if pixels.ndim == 3 else pixels[..., None]
    out[..., 3] = alpha
    return cast(Pixels, out)


def _samples(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind == "u" and values.dtype.itemsize in (1, 2):
        return native(values)
    if values.dtype.kind != "f":
        raise ArrayError(
            f"samples of type {values.dtype} are not taken; give uint8, uint16 or floats in [0, 1]"
        )
    # Minimum and maximum are NaN when any sample is.
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ArrayError("the array holds NaN or infinite samples")
    if low < 0.0 or high > 1.0:
        raise ArrayError(
            f"floating samples must lie in [0, 1], these go from {low:g} to {high:g};"
            " divide by the value that means white, or give uint8 or uint16"
        )
    # What is too small for float32 becomes 0, whether or not a program has NumPy raise that.
    with np.errstate(under="ignore"):
        return values.astype(np.float32, copy=False)


def from_pil(image: Image.Image) -> Picture:
    """A picture of a Pillow image of any mode; its orientation is applied and its profile kept.

    Metadata are those of ``info``, and EXIF without any there that of ``getexif()``.
    Palettes, transparency and 1 bit become plain samples, CMYK becomes RGB through the profile
    if there is one. ArrayError for modes without a meaning as a photograph, BrokenPicture where
    the rest of its file cannot be read.
    """
    from hyperfocal.imaging import pil

    return pil.picture_of(image)


def to_pil(picture: Picture) -> Image.Image:
    """A Pillow image in mode L, LA, RGB, RGBA, I;16 (grey) or F (grey).

    Pillow has no 16-bit or floating RGB: those come out with 8 bits. The profile and the
    metadata lie in ``info``; ``image.save(path, **image.info)`` writes them, and without that
    Pillow leaves out most. Colour that no profile can say (PQ, HLG) is not declared.
    """
    from hyperfocal.imaging import pil

    return pil.image_of(picture)
