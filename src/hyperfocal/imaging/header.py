"""What a decoder knows of a file before its pixels are decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import TooLarge
from hyperfocal.imaging.picture import CodePoints, Metadata, Pixels
from hyperfocal.settings import Settings

# What several formats hold and none here writes.
CREDENTIALS = "content credentials (C2PA) were dropped"
MASTERING = "HDR's mastering display and light levels were dropped"
# Notes that anyone would read, and what stands for more.
_MOST_NOTES = 32
_MORE = "more kinds of data were dropped than are listed here"
# Of formats whose writers often leave a fourth sample at 0.
UNUSED_ALPHA = "an alpha that is 0 everywhere was taken as unused: the picture is opaque"


@dataclass(frozen=True, slots=True)
class Header:
    """One file's header.

    ``width``, ``height``: as stored, before the orientation is applied. ``mode``: ``"grey"``,
    ``"rgb"``, ``"palette"``, ``"cmyk"`` or ``"1 bit"``. ``bit_depth``: of the file; ``is_float``:
    of floating-point samples, which are 16, 32 or 64 bits long as integers may be. ``metadata``:
    as stored; ``orientation``: the EXIF number 1 to 8; ``applied``: the same of what the decoder
    has turned itself, which the metadata are still about. ``lossless``: the file stores its pixels
    without loss. ``jpeg_quality``, ``code_points``: see :class:`Picture`. ``notes``: what could
    not be read. ``coded``: width and height of what is decoded, where the picture is only a
    part of it.
    """

    format: str
    width: int
    height: int
    mode: str
    bit_depth: int = 8
    has_alpha: bool = False
    frames: int = 1
    orientation: int = 1
    applied: int = 1
    icc: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    lossless: bool = False
    jpeg_quality: int | None = None
    code_points: CodePoints | None = None
    notes: tuple[str, ...] = ()
    is_float: bool = False
    coded: tuple[int, int] | None = None


class Raster(NamedTuple):
    """Decoded pixels as stored (orientation not yet applied), as :class:`Picture` wants them.

    ``icc``: the profile of these pixels, which is not the file's where colours were converted.
    ``depth_map``: float32 of any size, turned as the pixels are.
    """

    pixels: Pixels
    alpha: Pixels | None
    icc: bytes | None
    notes: tuple[str, ...] = ()
    depth_map: npt.NDArray[np.float32] | None = None


def remark(notes: list[str], note: str) -> None:
    """Add a note once: a file may hold as many parts as it likes, each with a name of its own."""
    if note not in notes and len(notes) <= _MOST_NOTES:
        notes.append(note if len(notes) < _MOST_NOTES else _MORE)


def note_aspect(across: int, down: int, notes: list[str]) -> None:
    """A note where pixels are said to have another shape than a square, and no size."""
    if across != down and across > 0 and down > 0:
        # The more there are in a unit across, the narrower they are.
        by = math.gcd(across, down)
        shape = f"{down // by}:{across // by}"
        remark(notes, f"pixels that are not square ({shape}) are taken as square")


def unknown_chunk(kind: bytes) -> str:
    """The note on a chunk of a kind that is not known; its name where that can be read."""
    named = f" ({kind.decode('ascii')})" if kind.isalnum() else ""
    return f"a chunk of an unknown kind{named} was dropped"


def check_limits(header: Header, settings: Settings) -> None:
    """Raise TooLarge when the declared pixels or frames are over the limits."""
    for width, height in ((header.width, header.height), header.coded or (0, 0)):
        if width * height > settings.max_pixels:
            raise TooLarge(
                f"declares {width} x {height} = {width * height:,} pixels, more than the"
                f" {settings.max_pixels:,} allowed (setting max_pixels)"
            )
    if header.frames > settings.max_frames:
        raise TooLarge(f"more than the {settings.max_frames:,} frames allowed (setting max_frames)")
