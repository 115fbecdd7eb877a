"""Colour profiles: what one is for, what it is called, and out of CMYK.

ICC.1:2022, section 7.2 (the profile header).
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.guard import is_hosts
from hyperfocal.imaging.picture import Pixels

if TYPE_CHECKING:
    from PIL import ImageCms

_ROWS = 256
_FULL = np.float32(65535)
_SPACES = {b"RGB ": "rgb", b"GRAY": "grey", b"CMYK": "cmyk", b"Lab ": "lab"}


def space(icc: bytes | None) -> str | None:
    """``"rgb"``, ``"grey"``, ``"cmyk"``, ``"lab"``, or None for anything else or no profile."""
    if icc is None or len(icc) < 132 or icc[36:40] != b"acsp":
        return None
    return _SPACES.get(icc[16:20])


def describe(icc: bytes | None) -> str | None:
    """The profile's own description, such as ``"Display P3"``; None without a usable profile."""
    if space(icc) is None or icc is None:
        return None
    from PIL import ImageCms

    try:
        text = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(icc)))
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError) as error:
        if is_hosts(error):
            raise
        return None
    return text.strip() or None


def fitting(icc: bytes | None, *, grey: bool, notes: list[str]) -> tuple[bytes | None, bool]:
    """The profile if it suits pixels that are grey or RGB, and whether grey must become RGB.

    Grey files with an RGB profile are common; their grey is that profile's grey, which only
    RGB pixels can keep saying.
    """
    if icc is None:
        return None, False
    found = space(icc)
    if grey and found == "rgb":
        notes.append("grey with an RGB colour profile is treated as RGB")
        return icc, True
    if found == ("grey" if grey else "rgb"):
        return icc, False
    notes.append(
        "the colour profile cannot be read and was dropped"
        if found is None
        else f"the colour profile is for {found} and was dropped"
    )
    return None, False


def cmyk_to_rgb(
    ink: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], icc: bytes | None
) -> tuple[Pixels, str]:
    """sRGB ``(H, W, 3)`` of ``(H, W, 4)`` ink of the same dtype, and a note that says how.

    The dtype's largest value is full ink. Through the profile (relative colorimetric, black
    point compensation) where it is one for CMYK, else by ``(1 - ink)(1 - black)``.
    """
    transform = _to_srgb(icc, "CMYK") if space(icc) == "cmyk" else None
    if ink.dtype == np.uint16:
        out = cast(Pixels, _deep_cmyk(ink, None if transform is None else icc))
    else:
        out = cast(Pixels, _by_stripes(cast("npt.NDArray[np.uint8]", ink), "CMYK", transform))
    if transform is not None:
        return out, "CMYK was converted to sRGB through its colour profile"
    return out, "CMYK without a usable colour profile was converted to sRGB by the plain formula"


def _deep_cmyk(ink: npt.NDArray[Any], icc: bytes | None) -> npt.NDArray[np.uint16]:
    """The same of 16 bits, for which Pillow has no mode; a few rows at a time."""
    import imagecodecs

    out = np.empty((*ink.shape[:2], 3), np.uint16)
    srgb = imagecodecs.cms_profile("srgb")
    for top in range(0, ink.shape[0], _ROWS):
        part = np.ascontiguousarray(ink[top : top + _ROWS])
        if icc is None:
            paper = (_FULL - part.astype(np.float32)) / _FULL
            out[top : top + _ROWS] = np.rint(paper[..., :3] * paper[..., 3:] * _FULL)
            continue
        out[top : top + _ROWS] = imagecodecs.cms_transform(
            part,
            icc,
            srgb,
            colorspace="cmyk",
            planar=False,
            outcolorspace="rgb",
            outdtype=np.uint16,
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
    return out


def is_usable(icc: bytes, *, grey: bool) -> bool:
    """Whether colours can be converted from it: what its header says, its tags may not hold."""
    return _to_srgb(icc, "L" if grey else "RGB") is not None


def to_srgb(pixels: npt.NDArray[np.uint8], icc: bytes) -> npt.NDArray[np.uint8]:
    """sRGB ``(H, W, 3)`` of 8-bit grey or RGB pixels in the profile's space.

    An unusable profile leaves the samples as they are.
    """
    if pixels.ndim == 3:
        return _by_stripes(pixels, "RGB", _to_srgb(icc, "RGB"))
    levels = np.arange(256, dtype=np.uint8)[None]
    table = _by_stripes(levels, "L", _to_srgb(icc, "L"))[0]
    out = np.empty((*pixels.shape, 3), np.uint8)
    for top in range(0, pixels.shape[0], _ROWS):
        out[top : top + _ROWS] = table[pixels[top : top + _ROWS]]
    return out


def _by_stripes(
    pixels: npt.NDArray[np.uint8], mode: str, transform: ImageCms.ImageCmsTransform | None
) -> npt.NDArray[np.uint8]:
    """RGB through the transform, or by Pillow's plain formula; a few rows at a time."""
    from PIL import Image

    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, pixels.shape[0], _ROWS):
        part = np.ascontiguousarray(pixels[top : top + _ROWS])
        image = Image.frombuffer(mode, (part.shape[1], part.shape[0]), part, "raw", mode, 0, 1)
        turned = image.convert("RGB") if transform is None else transform.apply(image)
        out[top : top + _ROWS] = np.asarray(turned)
    return out


def _to_srgb(icc: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    from PIL import ImageCms

    assert icc is not None
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "L":
        # Grey it would put into a table too coarse for the dark levels of a linear profile.
        flags |= ImageCms.Flags.NOOPTIMIZE
    try:
        return ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(BytesIO(icc)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=flags,
        )
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError) as error:
        if is_hosts(error):
            raise
        return None
