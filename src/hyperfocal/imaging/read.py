"""Opening a picture: bytes in, :class:`Picture` out; and looking at one without decoding it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from hyperfocal.errors import BrokenPicture, InputError, UnknownFormat
from hyperfocal.imaging import code_points, exif, geo, orient, profile, xmp, xmp_pixels
from hyperfocal.imaging.content import HEAD, sniff
from hyperfocal.imaging.depth import white_of_integers
from hyperfocal.imaging.formats import FORMATS, READABLE
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import Header, Raster, check_limits
from hyperfocal.imaging.picture import Metadata, Picture, Pixels
from hyperfocal.imaging.source import Source, name_of, read_all
from hyperfocal.settings import Settings


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says about its picture.

    ``width`` and ``height`` are of the upright picture, that is after ``orientation`` (EXIF, 1
    to 8) has been applied. ``mode``: ``"grey"``, ``"rgb"``, ``"palette"``, ``"cmyk"`` or ``"1
    bit"``. ``bit_depth``: as the file stores it; ``is_float``: whether these are floats rather than
    integers, which may be of 16 or 32 bits both. ``profile``: the colour profile's description, or
    "BT.2020, PQ" of what none can say; None without one. ``dpi``: horizontal, vertical. ``bytes``:
    size of the file.
    """

    format: str
    width: int
    height: int
    frames: int
    mode: str
    bit_depth: int
    has_alpha: bool
    profile: str | None
    orientation: int
    dpi: tuple[float, float] | None
    has_exif: bool
    has_xmp: bool
    has_iptc: bool
    bytes: int
    is_float: bool = False


class _Decoder(NamedTuple):
    header: Callable[[bytes], Header]
    pixels: Callable[[bytes, Header], Raster]


def open(source: Source, *, settings: Settings | None = None) -> Picture:
    """Decode a picture from a path, bytes or a binary file object.

    The format is found from the content. Limits of ``settings`` are checked before decoding;
    the orientation is applied. Raises InputMissing, UnknownFormat, BrokenPicture or TooLarge.
    """
    settings = settings or Settings()
    try:
        data = read_all(source, settings.max_bytes)
        header, decoder = _header(data, settings)
        label = FORMATS[header.format].label
        with decoding(label):
            raster = decoder.pixels(data, header)
            return _picture(header, raster)
    except InputError as error:
        raise type(error)(f"{name_of(source)}: {error}") from error


def inspect(source: Source, *, settings: Settings | None = None, limits: bool = False) -> Facts:
    """What a file says about its picture; no pixel is decoded.

    ``limits``: whether those of ``settings`` on pixels and frames are enforced as :func:`open`
    does; ``max_bytes`` always is. Raises InputMissing, UnknownFormat, BrokenPicture or TooLarge.
    """
    settings = settings or Settings()
    try:
        data = read_all(source, settings.max_bytes)
        header, _ = _header(data, settings, limits=limits)
    except InputError as error:
        raise type(error)(f"{name_of(source)}: {error}") from error
    width, height = header.width, header.height
    if orient.swaps_sides(header.orientation):
        width, height = height, width
    found = header.metadata
    return Facts(
        format=header.format,
        width=width,
        height=height,
        frames=header.frames,
        mode=header.mode,
        bit_depth=header.bit_depth,
        has_alpha=header.has_alpha,
        profile=code_points.describe(header.code_points) or profile.describe(header.icc),
        orientation=header.orientation,
        dpi=orient.upright_dpi(found.dpi, _turned_by(header)),
        has_exif=found.exif is not None,
        has_xmp=found.xmp is not None,
        has_iptc=found.iptc is not None,
        bytes=len(data),
        is_float=header.is_float,
    )


def _header(data: bytes, settings: Settings, *, limits: bool = True) -> tuple[Header, _Decoder]:
    name = sniff(data[:HEAD])
    if name is None:
        labels = ", ".join(FORMATS[name].label for name in READABLE)
        raise UnknownFormat(f"not a picture in a format that is read here ({labels})")
    decoder = _decoder(name)
    with decoding(FORMATS[name].label):
        header = decoder.header(data)
    if header.width < 1 or header.height < 1:
        raise BrokenPicture(f"corrupt {FORMATS[name].label}: the picture has no pixels")
    if limits:
        check_limits(header, settings)
    return header, decoder


def _decoder(name: str) -> _Decoder:
    """The two functions that read a format, imported when first needed."""
    from importlib import import_module

    module = import_module(f"hyperfocal.imaging.{_MODULES.get(name, name)}")
    return _Decoder(module.read_header, module.read_pixels)


_MODULES = {"heic": "heif"}


def _picture(header: Header, raster: Raster) -> Picture:
    notes = [*header.notes, *raster.notes]
    if header.frames > 1:
        notes.append(f"only the first of {header.frames} frames was read")
    _check_finite(raster)
    if (white := white_of_integers(raster.pixels)) is not None:
        notes.append(
            f"floating-point samples go from 0 to 1, and these look like 0 to {white}: divide them"
            f" by {white} and try again, or all that is more than 1 counts as brighter than white"
        )
    pixels = orient.upright(raster.pixels, header.orientation)
    alpha = raster.alpha
    if alpha is not None:
        if not alpha.any():
            notes.append("the picture is transparent everywhere: its alpha is 0")
        alpha = orient.upright(alpha, header.orientation)
    depth_map = raster.depth_map
    if depth_map is not None:
        depth_map = orient.upright(depth_map, header.orientation)
    return Picture(
        pixels=pixels,
        alpha=alpha,
        icc=raster.icc,
        metadata=_cleaned(header, (pixels.shape[1], pixels.shape[0]), notes),
        source=header.format,
        notes=tuple(dict.fromkeys(notes)),
        lossless=header.lossless,
        jpeg_quality=header.jpeg_quality,
        code_points=header.code_points,
        significant_bits=_significant(header.bit_depth, pixels),
        depth_map=depth_map,
    )


def _significant(bits: int, pixels: Pixels) -> int | None:
    return bits if pixels.dtype == np.uint16 and bits < 16 else None


def _check_finite(raster: Raster) -> None:
    """BrokenPicture on NaN or infinity, which would spread over everything around them."""
    for samples in (raster.pixels, raster.alpha):
        if samples is None or samples.dtype.kind != "f":
            continue
        # The smallest and the largest are NaN when any sample is.
        if not np.isfinite((samples.min(), samples.max())).all():
            raise BrokenPicture("the picture holds samples that are not finite numbers")


def _turned_by(header: Header) -> int:
    """The orientation that is applied, here or by the decoder; the metadata are of before."""
    return header.applied if header.orientation == 1 else header.orientation


def _cleaned(header: Header, size: tuple[int, int], notes: list[str]) -> Metadata:
    """True of the upright picture, without thumbnails and without what could not be parsed.

    ``size``: its width and height.
    """
    found = header.metadata
    orientation = _turned_by(header)
    block, packet = found.exif, found.xmp
    if block is not None:
        whole = block
        block = attempt(
            lambda: exif.cleaned(whole, *size, orientation=orientation), notes, exif.DAMAGED
        )
    if packet is not None:
        notes += xmp.missed(packet)
        # Decoders of these two may have turned it already.
        turned_before = header.format in ("avif", "heic")
        packet = xmp.cleaned(packet, turned=turned_before or orientation != 1)
        packet = xmp.turned(packet, orientation, notes)
        packet = xmp_pixels.upright(packet, *size, orientation, notes)
    if header.mode == "cmyk":
        block = None if block is None else exif.in_srgb(block)
        packet = None if packet is None else xmp.in_srgb(packet)
    dpi = orient.upright_dpi(found.dpi, orientation)
    place = found.geo
    if place is not None and orientation != 1:
        # Its numbers are about the raster as it is stored.
        notes.append(geo.TURNED)
        place = None
    return replace(found, exif=block, xmp=packet, dpi=dpi, geo=place, size=size)
