"""Pillow images of every mode to plain samples, and back."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from PIL import Image

from hyperfocal.errors import ArrayError
from hyperfocal.imaging import (
    code_points,
    exif,
    geo,
    ifd,
    maker_notes,
    orient,
    photoshop,
    png,
    profile,
    tiff,
    tiff_colour,
    xmp,
    xmp_extension,
    xmp_pixels,
)
from hyperfocal.imaging.depth import convert, full_scale
from hyperfocal.imaging.embedded_depth import XMP_MORE_PREFIX
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import note_aspect
from hyperfocal.imaging.picture import Metadata, Picture, Pixels
from hyperfocal.imaging.plan import corrected

_TO_RGB = {"RGBX", "YCbCr", "HSV"}
_SIXTEEN = {"I;16", "I;16L", "I;16B", "I;16N"}
# As Pillow calls them. An image that was worked on has no format any more, and may have been any.
_OF_CAMERAS = {"JPEG", "MPO"}

_WORKED_ON = (
    "EXIF says Adobe RGB, which counts for JPEG alone, and of a Pillow image that was worked on"
    " it is not known what it was: it is taken as sRGB; give it a profile"
)
_IPTC_KEYWORDS = ("Raw profile type iptc", "Raw profile type 8bim")


def samples_of(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """Pixels and alpha of an image in any mode but CMYK and LAB; ArrayError for those."""
    mode = image.mode
    if mode == "1":
        return _keyed(cast(Pixels, np.asarray(image).astype(np.uint8) * np.uint8(255)), image)
    if mode in _SIXTEEN:
        return _keyed(cast(Pixels, np.asarray(image).astype(np.uint16)), image)
    if mode in ("I", "F"):
        return _keyed(_wide(np.asarray(image)), image)
    if mode in ("La", "RGBa"):
        image = image.convert("LA" if mode == "La" else "RGBA")
    elif mode in ("P", "PA"):
        image = _out_of_palette(image)
    elif mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert("LA" if mode == "L" else "RGBA")
    elif mode in _TO_RGB:
        image = image.convert("RGB")
    values = np.asarray(image)
    if image.mode in ("L", "RGB"):
        return cast(Pixels, values), None
    if image.mode in ("LA", "RGBA"):
        colour = values[..., 0] if image.mode == "LA" else values[..., :3]
        return np.ascontiguousarray(colour), np.ascontiguousarray(values[..., -1])
    raise ArrayError(f"Pillow images of mode {mode} are not taken; convert it to RGB first")


def picture_of(image: Image.Image) -> Picture:
    """A picture of a Pillow image; orientation applied, profile and metadata kept."""
    # Pillow reads the file only now.
    with decoding("image"):
        image.load()
    notes: list[str] = []
    info = image.info
    block, facts = _exif(image, notes)
    icc = _bytes(info.get("icc_profile"))
    alpha: Pixels | None = None
    if image.mode == "CMYK":
        if attempt(lambda: _inks(image), [], "") not in (None, tiff.INKS_OF_CMYK):
            raise ArrayError("Pillow images of inks other than those of CMYK are not taken")
        pixels: Pixels
        pixels, note = profile.cmyk_to_rgb(np.asarray(image), icc)
        icc = None
        notes.append(note)
    else:
        pixels, alpha = samples_of(image)
        if icc is None:
            icc = _declared(image, facts, notes, grey=pixels.ndim == 2)
        icc, to_rgb = profile.fitting(icc, grey=pixels.ndim == 2, notes=notes)
        if to_rgb:
            pixels = cast(Pixels, np.repeat(pixels[..., None], 3, axis=2))
    if 0 in pixels.shape:
        raise ArrayError(f"an image of {image.size[0]} x {image.size[1]} has no pixels")
    _note_aspect(info, notes)
    iptc, copyrighted = _resources(image, notes)
    packet = xmp_extension.whole(_bytes(info.get("xmp")), _extension(image), notes)
    if packet is not None:
        notes += xmp.missed(packet)
        packet = xmp.cleaned(packet, turned=facts.orientation != 1)
        packet = xmp.turned(packet, facts.orientation, notes)
        size = _upright_size(image, facts.orientation)
        packet = xmp_pixels.upright(packet, *size, facts.orientation, notes)
    return Picture(
        pixels=orient.upright(pixels, facts.orientation),
        alpha=None if alpha is None else orient.upright(alpha, facts.orientation),
        icc=icc,
        metadata=Metadata(
            exif=block,
            xmp=packet,
            iptc=iptc,
            dpi=orient.upright_dpi(_dpi(info.get("dpi")) or facts.dpi, facts.orientation),
            size=_upright_size(image, facts.orientation),
            copyrighted=copyrighted,
        ),
        notes=tuple(notes),
        lossless=True,
    )


def image_of(picture: Picture) -> Image.Image:
    """A Pillow image; 16-bit and floating colour comes out with 8 bits."""
    pixels, alpha = picture.pixels, picture.alpha
    if picture.bit_depth != 8 and (pixels.ndim == 3 or alpha is not None):
        pixels = convert(pixels, 8)
    if alpha is not None:
        alpha = convert(alpha, 8)
        colour = pixels if pixels.ndim == 3 else pixels[..., None]
        image = Image.fromarray(np.concatenate([colour, alpha[..., None]], axis=2))
    else:
        image = Image.fromarray(pixels)
    found = corrected(picture, [])
    resources = {photoshop.IPTC: found.iptc} if found.iptc else {}
    if found.copyrighted:
        resources[photoshop.COPYRIGHT_FLAG] = b"\1"
    for name, value in (
        ("icc_profile", picture.icc),
        ("exif", found.exif and exif.PREFIX + found.exif),
        ("xmp", found.xmp),
        ("dpi", found.dpi),
        ("photoshop", resources),
    ):
        if value:
            image.info[name] = value
    return image


def _inks(image: Image.Image) -> object:
    """What a TIFF says of its inks; None where it says nothing.

    EXIF of other files is not about how pixels are stored.
    """
    found = getattr(image, "tag_v2", {}).get(tiff.INK_SET)
    # Pillow gives the bytes of what is stored as such, and all values where there are several.
    return found[0] if isinstance(found, bytes | tuple) else found


def _keyed(pixels: Pixels, image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """With the alpha of a colour key, in the modes of which Pillow makes none of it."""
    key = image.info.get("transparency")
    if not isinstance(key, int) or pixels.dtype == np.float32:
        return pixels, None
    alpha = np.where(pixels == key, 0, full_scale(pixels)).astype(pixels.dtype)
    return pixels, cast(Pixels, alpha)


def _out_of_palette(image: Image.Image) -> Image.Image:
    if image.mode == "PA" or "transparency" in image.info:
        return image.convert("RGBA")
    # A palette of its own may have an alpha channel as well.
    return image.convert("RGBA" if image.palette and image.palette.mode == "RGBA" else "RGB")


def _wide(values: np.ndarray[Any, Any]) -> Pixels:
    """Modes I and F: 16 bits in 32, and floats."""
    low, high = float(values.min()), float(values.max())
    if values.dtype == np.int32:
        if low < 0 or high > 65535:
            raise ArrayError(f"mode I must hold 0 to 65535, this image goes from {low} to {high}")
        return cast(Pixels, values.astype(np.uint16))
    if not (low >= 0.0 and high <= 1.0):
        raise ArrayError(f"mode F must hold 0 to 1, this image goes from {low:g} to {high:g}")
    return cast(Pixels, values.astype(np.float32))


def _declared(
    image: Image.Image, facts: exif.Facts, notes: list[str], *, grey: bool
) -> bytes | None:
    """The profile for colours that chunks of a PNG or fields of a TIFF state.

    Or that EXIF of a camera's JPEG does.
    """
    info = image.info
    if image.format == "TIFF":
        return attempt(
            lambda: _declared_by_fields(image, notes, grey=grey), notes, tiff_colour.DAMAGED
        )
    if "srgb" in info:
        return None
    if facts.is_adobe_rgb and not grey and image.format in _OF_CAMERAS:
        return code_points.adobe_rgb()
    if facts.is_adobe_rgb and not grey and image.format is None:
        notes.append(_WORKED_ON)
    primaries, gamma = info.get("chromaticity", ()), info.get("gamma")
    return attempt(
        lambda: png.of_primaries(primaries, gamma, notes, grey=grey),
        notes,
        "what the image says of its colours makes no sense and was ignored",
    )


def _declared_by_fields(image: Image.Image, notes: list[str], *, grey: bool) -> bytes | None:
    found = getattr(image, "tag_v2", {})
    transfer, bits = found.get(tiff_colour.TRANSFER), found.get(tiff.BITS)
    return tiff_colour.declared(
        [float(number) for number in found.get(tiff_colour.WHITE, ())],
        [float(number) for number in found.get(tiff_colour.PRIMARIES, ())],
        None if transfer is None else np.array(transfer, np.uint16),
        int(bits[0]) if bits else 1,
        notes,
        grey=grey,
    )


def _exif(image: Image.Image, notes: list[str]) -> tuple[bytes | None, exif.Facts]:
    """The block that the file had (``info``), else what Pillow has read or the program has set."""
    block = _bytes(image.info.get("exif"))
    if block is None:
        found = attempt(lambda: _set_since(image, notes), notes, exif.DAMAGED)
        return found or (None, exif.Facts())
    whole = exif.bare(block)
    facts = attempt(lambda: exif.read(whole), notes, exif.DAMAGED)
    if facts is None:
        return None, exif.Facts()
    orientation = facts.orientation
    size = _upright_size(image, orientation)
    return (
        attempt(lambda: exif.cleaned(whole, *size, orientation=orientation), notes, exif.DAMAGED),
        facts,
    )


def _set_since(image: Image.Image, notes: list[str]) -> tuple[bytes | None, exif.Facts]:
    """What ``image.getexif()`` says of the photograph; of a TIFF it says more than that.

    Notes of what is not kept of it.
    """
    found = image.getexif()
    if not found:
        return None, exif.Facts()
    whole = exif.bare(found.tobytes())
    where = ifd.layout(whole)
    main = ifd.parse(whole, where, where.first)
    facts = exif.facts(main)
    # Pillow puts values where there is room for them.
    maker_notes.settle(main, notes, moved=True)
    block = tiff.photographic(main)
    # Whether the image has been turned or cut since cannot be known.
    if attempt(lambda: geo.read(main, *image.size), notes, geo.UNCLEAR) is not None:
        notes.append(geo.OF_PILLOW)
    notes += geo.dropped(main)
    notes += tiff.missed(main)
    if block is not None:
        size = _upright_size(image, facts.orientation)
        block = exif.cleaned(block, *size, orientation=facts.orientation)
    return block, facts


def _upright_size(image: Image.Image, orientation: int) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if orient.swaps_sides(orientation) else (width, height)


def _resources(image: Image.Image, notes: list[str]) -> tuple[bytes | None, bool]:
    """IPTC and the copyright flag, where Pillow has them.

    Photoshop's resources of a JPEG by number, TIFF's fields, PNG's text.
    """
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        photoshop.note_numbers(resources, notes)
        flag = _bytes(resources.get(photoshop.COPYRIGHT_FLAG)) or b""
        return _bytes(resources.get(photoshop.IPTC)), any(flag[:1])
    if image.format == "TIFF":
        found = attempt(lambda: _of_tiff(image, notes), notes, photoshop.DAMAGED)
        return found or (None, False)
    for name in _IPTC_KEYWORDS:
        text = image.info.get(name)
        if isinstance(text, str):
            return _of_text(text, notes)
    return None, False


def _of_text(text: str, notes: list[str]) -> tuple[bytes | None, bool]:
    def found() -> tuple[bytes | None, bool]:
        raw = png.raw_profile(text.encode("latin-1", "replace"))
        return png.iptc_of(raw, notes), png.is_copyrighted(raw)

    return attempt(found, notes, photoshop.DAMAGED) or (None, False)


def _of_tiff(image: Image.Image, notes: list[str]) -> tuple[bytes | None, bool]:
    """From the bytes of the fields, as Pillow's own reader of IPTC has it: as values they may be
    one number of many.
    """
    stored = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
    fields = {tag: _bytes(stored.get(tag)) for tag in (tiff.IPTC, tiff.PHOTOSHOP)}
    main = ifd.Directory(
        {tag: ifd.Field(ifd.UNDEFINED, data) for tag, data in fields.items() if data is not None}
    )
    return tiff.iptc_of(main, notes), tiff.is_copyrighted(main)


def _extension(image: Image.Image) -> list[bytes]:
    """Segments of the rest of the XMP packet, of a JPEG that Pillow has opened."""
    segments = getattr(image, "applist", ())
    return [
        body.removeprefix(XMP_MORE_PREFIX)
        for name, body in segments
        if name == "APP1" and body.startswith(XMP_MORE_PREFIX)
    ]


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _note_aspect(info: dict[Any, Any], notes: list[str]) -> None:
    """Of a PNG and of a JPEG that state one and no resolution."""
    density = info.get("jfif_density") if info.get("jfif_unit") == 0 else None
    match info.get("aspect", density):
        case (int(across), int(down)):
            note_aspect(across, down, notes)


def _dpi(value: object) -> tuple[float, float] | None:
    try:
        across, down = (float(side) for side in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    is_real = all(math.isfinite(side) and side > 0 for side in (across, down))
    return (across, down) if is_real else None
