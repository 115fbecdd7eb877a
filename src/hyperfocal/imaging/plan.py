"""What becomes of a picture in a given format, decided before a byte is written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.errors import OutputRefused
from hyperfocal.imaging import (
    code_points,
    exif,
    exif_shortened,
    geo,
    ifd,
    maker_notes,
    png_text,
    profile,
    tiff,
    xmp,
    xmp_extension,
    xmp_pixels,
)
from hyperfocal.imaging.depth import clipped, convert
from hyperfocal.imaging.formats import FORMATS, Format, missing_extra, written_format
from hyperfocal.imaging.geo import Georeference
from hyperfocal.imaging.guard import attempt
from hyperfocal.imaging.header import remark
from hyperfocal.imaging.picture import CodePoints, Metadata, Picture, Pixels, Text

_ROWS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """How ``picture`` will be written.

    ``grey``, ``alpha``, ``bit_depth``: of the file. ``icc``, ``metadata``: what goes into it,
    with dimensions corrected; ``convert_from``: the profile to convert from to sRGB, where the
    file cannot carry it; ``code_points``: to declare. ``xmp_more``: the extension of the XMP
    packet, b"" where it has none. ``quality``: 0 to 100, or None for the format's default;
    ``lossless``: the format's lossless kind, where it has both.
    ``notes``: what is converted or dropped whatever the samples are, one sentence each.
    """

    picture: Picture
    format: Format
    bit_depth: int
    grey: bool
    alpha: bool
    icc: bytes | None
    convert_from: bytes | None
    code_points: CodePoints | None
    metadata: Metadata
    xmp_more: bytes
    quality: int | None
    lossless: bool
    notes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Samples a pixel: 1 to 4."""
        return (1 if self.grey else 3) + self.alpha

    def done(self, top: int, bottom: int) -> None:
        """Rows that will not be asked for again: where they lie on disk, memory lets them go."""
        pages.release(self.picture.pixels[top:bottom])
        if self.picture.alpha is not None:
            pages.release(self.picture.alpha[top:bottom])

    def rows(self, top: int, bottom: int) -> Pixels:
        """Rows as the file holds them: ``(h, W)`` or ``(h, W, C)``; often a view."""
        picture = self.picture
        pixels = picture.pixels[top:bottom]
        alpha = None if picture.alpha is None else picture.alpha[top:bottom]
        if alpha is not None and not self.alpha:
            pixels = _over_white(pixels, alpha, picture.full_scale)
        pixels = convert(pixels, self.bit_depth)
        if self.convert_from is not None:
            turned = profile.to_srgb(cast("npt.NDArray[np.uint8]", pixels), self.convert_from)
            pixels = turned[..., 0] if self.grey else turned
        if pixels.ndim == 2 and not self.grey:
            pixels = cast(Pixels, np.repeat(pixels[..., None], 3, axis=2))
        if alpha is None or not self.alpha:
            return pixels
        out = np.empty((*pixels.shape[:2], self.channels), pixels.dtype)
        out[..., :-1] = pixels if pixels.ndim == 3 else pixels[..., None]
        out[..., -1] = convert(alpha, self.bit_depth)
        return cast(Pixels, out)


def make_plan(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
) -> Plan:
    """Decide how to write; OutputRefused when the format cannot hold the picture at all."""
    form = check_fits(format, picture.width, picture.height, bit_depth)
    check_quality(quality)
    notes: list[str] = []
    bits = _bits(picture, form, bit_depth, notes)
    grey = picture.is_grey and form.grey
    if picture.is_grey and not form.grey:
        notes.append(f"{form.label} has no grey: converted to RGB")
    alpha = picture.alpha is not None and form.alpha
    if picture.alpha is not None and not alpha:
        notes.append(f"{form.label} has no transparency: the picture was laid over white")
    points = picture.code_points
    if points is not None and not form.code_points:
        picture, points = _shown(picture, points, form, notes), None
    icc, convert_from = _profile(picture, form, grey, notes)
    if points is not None and form.name != "png":
        # PNG has an order for the two (section 4.3); elsewhere they would contradict each other.
        icc = None
    metadata, xmp_more = _metadata(picture, form, strip_metadata, notes)
    if form.name == "gif" and not (grey and not alpha):
        notes.append("reduced to the 256 colours that GIF holds")
    lossless = form.lossless or (quality is None and picture.lossless)
    return Plan(
        picture,
        form,
        bits,
        grey,
        alpha,
        icc,
        convert_from,
        points,
        metadata,
        xmp_more,
        quality,
        lossless,
        tuple(notes),
    )


def check_quality(quality: int | None) -> None:
    """OutputRefused unless it is None or a number from 0 to 100."""
    if quality is not None and not (isinstance(quality, int | np.integer) and 0 <= quality <= 100):
        raise OutputRefused(f"quality is a number from 0 to 100, not {quality!r}")


def check_fits(format: str, width: int, height: int, bit_depth: int | None = None) -> Format:
    """The format; OutputRefused unless it can be written and holds a picture of that size.

    ``bit_depth``: and of that depth; None for any.
    """
    form = written_format(format)
    if (extra := missing_extra(form)) is not None:
        raise OutputRefused(extra)
    if max(width, height) > form.max_side:
        raise OutputRefused(
            f"{form.label} holds at most {form.max_side} pixels a side, the picture is"
            f" {width} x {height}; choose {_roomy(width, height)}"
        )
    if form.max_pixels is not None and width * height > form.max_pixels:
        raise OutputRefused(
            f"{form.label} holds at most {form.max_pixels:,} pixels, the picture is"
            f" {width} x {height}; choose {_roomy(width, height)}"
        )
    check_depth(form, bit_depth)
    return form


def _roomy(width: int, height: int) -> str:
    """The formats that hold pictures of such a size without loss."""
    return "PNG or TIFF" if max(width, height) <= FORMATS["png"].max_side else "TIFF"


def check_depth(form: Format, bit_depth: int | None) -> None:
    """OutputRefused unless the format can be written with so many bits; None for any."""
    if bit_depth is not None and bit_depth not in form.depths:
        depths = ", ".join(map(str, form.depths))
        raise OutputRefused(
            f"{form.label} is written with {' or '.join(depths.rsplit(', ', 1))} bits,"
            f" not {bit_depth}"
        )


def conversions(
    picture: Picture, format: str, bit_depth: int | None = None, *, strip_metadata: bool = False
) -> tuple[str, ...]:
    """What writing ``picture`` in ``format`` would convert or drop, one sentence each."""
    plan = make_plan(picture, format, bit_depth=bit_depth, strip_metadata=strip_metadata)
    # These look at every sample, which who only writes need not.
    notes = list(plan.notes)
    _note_clipping(picture, plan.bit_depth, notes)
    if plan.format.name == "gif" and _is_partial(picture):
        notes.append("transparency is all or nothing in GIF: what was partial became one of these")
    return tuple(notes)


def _bits(picture: Picture, form: Format, asked: int | None, notes: list[str]) -> int:
    if asked is not None:
        return asked
    have = picture.significant_bits or picture.bit_depth
    bits = min((depth for depth in form.depths if depth >= have), default=form.depths[-1])
    if bits < have:
        before = "float" if have == 32 else f"{have} bits"
        notes.append(f"reduced from {before} to {bits} bits a sample")
    return bits


def _note_clipping(picture: Picture, bits: int, notes: list[str]) -> None:
    """Of visible float samples, those that integers of so many bits cannot come close to."""
    if picture.pixels.dtype != np.float32 or bits == 32:
        return
    low, high = 0.0, 1.0
    for pixels, alpha in _strips(picture):
        seen = pixels if alpha is None else pixels[alpha != 0]
        if seen.size:
            low, high = min(low, float(seen.min())), max(high, float(seen.max()))
    if (note := clipped(low, high, bits)) is not None:
        notes.append(note)


def _is_partial(picture: Picture) -> bool:
    """Whether any pixel is neither opaque nor wholly transparent."""
    return any(
        bool(((alpha > 0) & (alpha < picture.full_scale)).any())
        for _, alpha in _strips(picture)
        if alpha is not None
    )


def _strips(picture: Picture) -> Iterator[tuple[Pixels, Pixels | None]]:
    """Rows by the hundred: where they lie on disk, memory lets them go again."""
    for top in range(0, picture.height, _ROWS):
        pixels = picture.pixels[top : top + _ROWS]
        alpha = None if picture.alpha is None else picture.alpha[top : top + _ROWS]
        yield pixels, alpha
        pages.release(pixels)
        if alpha is not None:
            pages.release(alpha)


def _profile(
    picture: Picture, form: Format, grey: bool, notes: list[str]
) -> tuple[bytes | None, bytes | None]:
    """The profile to carry, and the one to convert from because it cannot be carried."""
    icc = picture.icc
    if icc is None:
        return None, None
    found, wanted = profile.space(icc), "grey" if grey else "rgb"
    if form.icc and found == wanted and len(icc) <= form.longest_profile:
        return icc, None
    if found == ("grey" if picture.is_grey else "rgb") and form.depths == (8,):
        if not profile.is_usable(icc, grey=picture.is_grey):
            notes.append("the colour profile is damaged: it was dropped, and sRGB is taken instead")
            return None, None
        notes.append(f"{form.label} cannot carry the colour profile: converted to sRGB")
        return None, icc
    notes.append(f"{form.label} cannot carry the colour profile: it was dropped")
    return None, None


def _shown(picture: Picture, points: CodePoints, form: Format, notes: list[str]) -> Picture:
    """The picture with a profile for what a format cannot declare."""
    how = "it is taken as the profile says"
    if picture.icc is None:
        made = code_points.shown(points, grey=picture.is_grey)
        picture, how = replace(picture, icc=made), "it is taken as sRGB"
        if made is not None:
            how = "a profile shows it, and what is brighter than white as white"
    notes.append(f"{form.label} cannot declare the colour ({code_points.describe(points)}): {how}")
    return picture


def corrected(picture: Picture, notes: list[str]) -> Metadata:
    """The picture's metadata with its size in EXIF and XMP; EXIF that is damaged is left out."""
    found = picture.metadata
    block, packet = found.exif, found.xmp
    if block is not None:
        whole = block
        block = attempt(
            lambda: exif.resized(whole, picture.width, picture.height, before=found.size),
            notes,
            exif.DAMAGED,
        )
    if packet is not None:
        packet = xmp_pixels.resized(packet, picture.width, picture.height, before=found.size)
    return replace(found, exif=block, xmp=packet, size=(picture.width, picture.height))


def _metadata(
    picture: Picture, form: Format, strip: bool, notes: list[str]
) -> tuple[Metadata, bytes]:
    """What goes into the file, and the extension of its XMP packet."""
    if strip:
        picture = replace(picture, metadata=Metadata(dpi=picture.metadata.dpi))
    found = corrected(picture, notes)
    block, packet, iptc = found.exif, found.xmp, found.iptc
    if form.name == "tiff" and block is not None:
        whole = block
        block = attempt(lambda: _of_tiff(whole, notes), notes, exif.DAMAGED)
    block = _shortened(block, form, notes)
    block = _fitting("EXIF", block, form, form.exif, notes)
    dpi = found.dpi
    if dpi is not None and form.dpi == "exif":
        block = _with_dpi(block, dpi, form, notes)
    elif dpi is not None and form.dpi == "none":
        notes.append(f"{form.label} cannot carry the resolution: it was dropped")
    packet, more = _divided(packet, form, notes)
    packet = _fitting("XMP", packet, form, form.xmp, notes)
    told = packet is not None and xmp.says_copyrighted(packet)
    if found.copyrighted and not form.iptc and not told:
        notes.append(f"{form.label} cannot carry Photoshop's copyright flag: it was dropped")
    metadata = Metadata(
        exif=block,
        xmp=packet,
        iptc=_fitting("IPTC", iptc, form, form.iptc, notes),
        dpi=dpi if form.dpi == "own" else None,
        geo=_place(picture, form, notes),
        texts=_texts(found, form, notes),
        copyrighted=found.copyrighted and form.iptc,
    )
    return metadata, more


def _texts(found: Metadata, form: Format, notes: list[str]) -> tuple[Text, ...]:
    if form.texts:
        return found.texts
    for text in found.texts:
        remark(notes, png_text.dropped(text.keyword))
    return ()


def _shortened(block: bytes | None, form: Format, notes: list[str]) -> bytes | None:
    """EXIF without what makes it too long, where anything is left."""
    if block is None or len(block) <= form.longest_block:
        return block
    too_long = f"EXIF of {len(block):,} bytes is too long for {form.label}"
    whole = block
    found = attempt(
        lambda: exif_shortened.shortened(whole, form.longest_block),
        notes,
        f"{too_long}: it was dropped",
    )
    if found is None:
        return None
    if found[1]:
        notes.append(f"{too_long}: it was written without {found[1]}")
    return found[0]


def _divided(packet: bytes | None, form: Format, notes: list[str]) -> tuple[bytes | None, bytes]:
    """The packet, and what of it goes into an extension because it is too long as a whole."""
    if packet is None or form.name != "jpeg" or len(packet) <= form.longest_block:
        return packet, b""
    whole = packet
    said = f"XMP of {len(whole):,} bytes is too long for {form.label}: it was dropped"
    parts = attempt(lambda: xmp_extension.divided(whole, form.longest_block), notes, said)
    return parts or (None, b"")


def _place(picture: Picture, form: Format, notes: list[str]) -> Georeference | None:
    found = picture.metadata.geo
    if found is None:
        return None
    if form.name != "tiff":
        notes.append(f"{form.label} cannot carry georeferencing (GeoTIFF): it was dropped")
        return None
    return attempt(lambda: geo.resized(found, picture.width, picture.height), notes, geo.UNCLEAR)


def _of_tiff(block: bytes, notes: list[str]) -> bytes | None:
    """The block that a TIFF file's own directory takes up, as far as its fields belong there."""
    main, _ = ifd.opened(block)
    notes += tiff.missed(main)
    block = maker_notes.where_they_fit(block, notes)
    left = exif.without_layout(block)
    if left is not block:
        notes.append("a description of how another TIFF file is laid out was dropped")
    return left


def _with_dpi(
    block: bytes | None, dpi: tuple[float, float], form: Format, notes: list[str]
) -> bytes | None:
    """EXIF that states the resolution, for formats that have no other place for it."""
    if block is None:
        return exif.with_dpi(dpi)
    stated = exif.read(block).dpi
    if stated is not None:
        # The file it comes from may have had another one where its own format has a place for it.
        is_same = all(math.isclose(*pair, rel_tol=5e-3) for pair in zip(stated, dpi, strict=True))
        return block if is_same else exif.changing_dpi(block, dpi)
    more = exif.adding_dpi(block, dpi)
    if more is None:
        notes.append(f"{form.label} cannot carry the resolution: it was dropped")
    return more or block


def _fitting(
    name: str, block: bytes | None, form: Format, possible: bool, notes: list[str]
) -> bytes | None:
    if block is None:
        return None
    if not possible:
        notes.append(f"{form.label} cannot carry {name}: it was dropped")
        return None
    if len(block) > form.longest_block:
        notes.append(f"{name} of {len(block):,} bytes is too long for {form.label}: it was dropped")
        return None
    return block


def _over_white(pixels: Pixels, alpha: Pixels, full: float) -> Pixels:
    weight = alpha.astype(np.float32) / np.float32(full)
    if pixels.ndim == 3:
        weight = weight[..., None]
    mixed = pixels.astype(np.float32) * weight + np.float32(full) * (1 - weight)
    if pixels.dtype != np.float32:
        np.rint(mixed, out=mixed)
    return cast(Pixels, mixed.astype(pixels.dtype))
