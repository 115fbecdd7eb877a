"""Reading TIFF. TIFF 6.0 (Adobe, 1992), its Technical Notes 1 to 3, and BigTIFF."""

from __future__ import annotations

import math
from collections import Counter
from io import BytesIO
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture, UnknownFormat
from hyperfocal.imaging import (
    exif,
    geo,
    ifd,
    iptc,
    jpeg_walk,
    maker_notes,
    photoshop,
    profile,
    tiff_colour,
    tiff_pages,
    ycbcr,
)
from hyperfocal.imaging.depth import convert, full_scale, widen
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import CREDENTIALS, UNUSED_ALPHA, Header, Raster
from hyperfocal.imaging.picture import Metadata, Pixels
from hyperfocal.imaging.planes import unmultiplied
from hyperfocal.imaging.threads import in_order

WIDTH, HEIGHT, BITS, PHOTOMETRIC = 256, 257, 258, 262
SAMPLES, EXTRA, FORMAT = 277, 338, 339
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
# Photoshop's layers and what else belongs to its documents (Adobe's TIFF Technical Notes of 2002),
# and the content credentials of C2PA.
_LAYERS, _CREDENTIALS = 37724, 52545
# Print Image Matching (Epson), by which cameras tell printers what to do.
_PRINTING = 50341
# What describes the photograph rather than how its pixels are stored: what it was processed with,
# name, description, maker, model, page, software, date, artist, computer, printer, rating (in stars
# and percent), copyright and Windows' five; and the exposure as TIFF/EP (ISO 12234-2) has it,
# outside EXIF's directory.
DESCRIPTIVE = (11, 269, 270, 271, 272, 285, 305, 306, 315, 316, 337, 18246, 18249, 33432, 33434,
               33437, 34850, 34852, 34855, 36867, 36868, *range(37377, 37390), 37393, 37395, 37397,
               37399, *range(40091, 40096))  # fmt: skip
RESOLUTION = (282, 283, 296)
# TIFF's own fields, which but for those above are about how pixels are stored, how a page lies
# among others, or colour that the profile tells. Others are whoever's asked for one. Of these
# nothing is lost: tables of JPEG, parameters of fax, JBIG and LERC, how samples, rows and tiles
# are laid out, what white is in LogLuv, Windows' padding.
_OWN = {*range(254, 348), *range(400, 406), *range(433, 435), *range(512, 533), 559}
_STORAGE = {20624, 20625, *range(32995, 32999), 34019, 34232, 34750, *range(34908, 34912), 37439,
            50674, 59932, 59933}  # fmt: skip
# Of EXIF's own directory, where they are kept; and Adobe's for raw pictures.
_OF_EXIF = {*range(34864, 34870), *range(36864, 37888), *range(40960, 42241)}
_DNG_VERSION, _DNG = 50706, {*range(50706, 53600)}
# Numbers of fields that anyone would read.
_LISTED = 8

_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 2, 3, 5, 6
_MODES = {0: "grey", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "rgb"}
_CHANNELS = {"grey": 1, "palette": 1, "rgb": 3, "cmyk": 4}
_PREMULTIPLIED, _STRAIGHT = 1, 2
_UNSIGNED, _FLOAT = 1, 3
_FAX = (2, 3, 4)
# Of which each part is a JPEG file but for the tables.
_JPEG = (7, 33007, 34892)
# JPEG, JPEG 2000 and WebP, whose decoders give RGB; the other compressions that are read are exact.
_LOSSY = (6, 7, 33007, 34892, 33003, 33005, 34712, 50001)
# Colours and the masks and spot colours beside them: Photoshop has 56 channels at most.
_MOST_SAMPLES = 64
# Bytes that a tile may have however small the picture is.
_ANY_TILE = 1 << 26
# How much larger than their places in the picture the parts of JPEG may be, and samples that each
# of them, and all of them together, may have besides.
_LARGER, _ANY_PART, _ANY_PARTS = 4, 1 << 16, 1 << 22
_COMPRESSION, _LUMA, _SUBSAMPLING, _REFERENCE = 259, 529, 530, 532
_ORIENTATION = 274
INK_SET, INKS_OF_CMYK = 332, 1
_TOLD = {
    _LAYERS: photoshop.OTHERS,
    _CREDENTIALS: CREDENTIALS,
    _PRINTING: "a camera's hints for printers (PrintIM) were dropped",
}
# What is read here; there may be hundreds of megabytes of others, such as Photoshop's layers.
_READ = frozenset((
    WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, EXTRA, FORMAT, XMP, IPTC, PHOTOSHOP, ICC,
    *DESCRIPTIVE, *RESOLUTION, *ifd.SUB_IFDS, *geo.TAGS, _COMPRESSION, _LUMA, _SUBSAMPLING,
    _REFERENCE, _ORIENTATION, INK_SET, *tiff_colour.TAGS,
))  # fmt: skip


def read_header(data: bytes) -> Header:
    """The header of a TIFF file; UnknownFormat for kinds that hold no photograph."""
    with decoding("TIFF"):
        where = ifd.layout(data)
        page = tiff_pages.picture_page(data, where)
        main = _directory(data, where, page)
    photometric = main.integer(PHOTOMETRIC, 1)
    if photometric not in _MODES:
        raise UnknownFormat(f"a TIFF of photometric interpretation {photometric} is not read")
    mode = _MODES[photometric]
    if mode == "cmyk" and main.integer(INK_SET, INKS_OF_CMYK) != INKS_OF_CMYK:
        raise UnknownFormat("a TIFF of inks other than those of CMYK is not read")
    bits, kinds = _bits(main), main.integers(FORMAT) or (_UNSIGNED,)
    if set(kinds) - {_UNSIGNED, _FLOAT, 4} or len(set(main.integers(BITS))) > 1:
        raise UnknownFormat("a TIFF of signed, complex or unequal samples is not read")
    if bits < 1:
        raise BrokenPicture("corrupt TIFF: its samples have no bits")
    if bits == 24 and kinds[0] != _FLOAT:
        # Writers do not agree on the order of its bytes.
        raise UnknownFormat("a TIFF of 24 bits a sample is not read")
    if photometric == _YCBCR:
        _check_ycbcr(main, bits, kinds[0])
    notes: list[str] = []
    if ifd.is_cut(data, where, page.offset):
        notes.append("metadata that reaches beyond the end of the file was dropped")
    facts = exif.facts(main)
    order = where.order if maker_notes.settle(main, notes) else "<"
    block = attempt(lambda: photographic(main, order), notes, exif.DAMAGED)
    width, height = main.integer(WIDTH), main.integer(HEIGHT)
    place = attempt(lambda: geo.read(main, width, height), notes, geo.UNCLEAR)
    notes += geo.dropped(main)
    notes += missed(main)
    icc = _value(main, ICC)
    if icc is None and mode != "cmyk":
        icc = tiff_colour.profile_of(main, bits, notes, grey=mode == "grey")
    return Header(
        format="tiff",
        width=width,
        height=height,
        mode="1 bit" if mode == "grey" and bits == 1 else mode,
        bit_depth=8 if mode == "palette" else bits,
        has_alpha=any(kind in (_PREMULTIPLIED, _STRAIGHT) for kind in _extra(main)),
        frames=page.pictures,
        orientation=facts.orientation,
        icc=icc,
        metadata=Metadata(
            block,
            _value(main, XMP),
            iptc_of(main, notes),
            facts.dpi,
            place,
            copyrighted=is_copyrighted(main),
        ),
        lossless=main.integer(_COMPRESSION, 1) not in _LOSSY,
        notes=tuple(notes),
        is_float=kinds[0] == _FLOAT,
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the page that holds the picture."""
    import tifffile

    notes: list[str] = []
    with decoding("TIFF"), tifffile.TiffFile(BytesIO(data)) as file:
        where = ifd.layout(data)
        found = tiff_pages.picture_page(data, where)
        main = _directory(data, where, found)
        file.filehandle.seek(found.offset)
        page = tifffile.TiffPage(file, 0)
        if page.is_tiled or page.imagedepth != 1:
            _check_depth(page.imagedepth)
        _check_extent(page, len(data))
        _check_memory(page)
        if int(page.compression) in _FAX and page.bitspersample != 1:
            raise BrokenPicture("corrupt TIFF: fax compression of more than one bit a sample")
        _check_jpeg(page, data, notes)
        values = page.asarray()
        values = _channels_last(values, page, header)
        colours = page.colormap
    return _raster(values, header, main, colours, notes)


def _directory(data: bytes, where: ifd.Layout, page: tiff_pages.Page) -> ifd.Directory:
    """The picture's, with what only the first page, a thumbnail of it, says of the photograph."""
    main = ifd.parse(data, where, page.offset, only=_READ)
    if page.offset != where.first:
        first = ifd.parse(data, where, where.first, only=_READ)
        for tag in (*DESCRIPTIVE, *ifd.SUB_IFDS, XMP, IPTC, PHOTOSHOP, *_private(first)):
            if tag in first.fields:
                main.fields.setdefault(tag, first.fields[tag])
    return main


def _private(main: ifd.Directory) -> set[int]:
    """Private fields that mean something and are not read."""
    return main.fields.keys() - _OWN - _READ - _STORAGE


def missed(main: ifd.Directory) -> list[str]:
    """What else the fields of a TIFF file, or of EXIF for one, hold and is not kept, as notes."""
    private = _private(main)
    notes = [said for tag, said in _TOLD.items() if tag in private]
    private -= _TOLD.keys()
    if private & _OF_EXIF:
        notes.append("EXIF outside its own directory was dropped")
        private -= _OF_EXIF
    if _DNG_VERSION in private:
        notes.append("data for developing a raw picture (DNG) were dropped")
        private -= _DNG
    if others := [str(tag) for tag in sorted(private)]:
        more = [f"{len(others) - _LISTED} more"] if len(others) > _LISTED else []
        listed = ", ".join([*others[:_LISTED], *more])
        notes.append(f"private fields of unknown kinds ({listed}) were dropped")
    return notes


def _extra(main: ifd.Directory) -> tuple[int, ...]:
    """What each sample beyond the colours is, as ExtraSamples says, or should have said."""
    declared = main.integers(EXTRA)
    photometric = main.integer(PHOTOMETRIC, 1)
    undeclared = main.integer(SAMPLES, 1) - _CHANNELS[_MODES[photometric]]
    if declared or undeclared <= 0:
        return declared
    # A fourth sample of RGB is alpha for every writer that leaves the field out.
    return (_STRAIGHT,) if photometric == _RGB and undeclared == 1 else (0,) * undeclared


def _bits(main: ifd.Directory) -> int:
    """Bits a sample as stored; of a palette, those of the places in it."""
    return main.integer(BITS, 1)


def _check_ycbcr(main: ifd.Directory, bits: int, kind: int) -> None:
    """UnknownFormat where YCbCr is stored in a way that would come out in wrong colours."""
    if main.integer(_COMPRESSION, 1) in _LOSSY:
        return
    # Half as many colour samples across and down are meant where the field is left out.
    if (main.integers(_SUBSAMPLING) or (2, 2)) != (1, 1):
        raise UnknownFormat("a TIFF of YCbCr with fewer colour samples is read only as JPEG")
    if bits not in (8, 16) or kind != _UNSIGNED:
        raise UnknownFormat("a TIFF of YCbCr is read only with 8 or 16 bits a sample")


def _check_depth(depth: int) -> None:
    if depth != 1:
        raise UnknownFormat("a TIFF that holds a volume is not read")


def _check_extent(page: Any, size: int) -> None:
    """BrokenPicture where data is missing or reaches beyond the file.

    Some decoders would fill both up with black and not say a word.
    """
    needed = math.prod(page.chunked)
    offsets, lengths = page.dataoffsets[:needed], page.databytecounts[:needed]
    if min(len(offsets), len(lengths)) < needed or 0 in offsets or 0 in lengths:
        raise BrokenPicture("corrupt TIFF: a part of the picture is missing")
    for offset, length in zip(offsets, lengths, strict=True):
        if offset + length > size:
            raise BrokenPicture("truncated TIFF: the picture reaches beyond the end of the file")


def _check_memory(page: Any) -> None:
    """BrokenPicture where decoding would take far more memory than the picture has pixels."""
    samples = int(page.samplesperpixel)
    if samples > _MOST_SAMPLES:
        raise UnknownFormat(f"a TIFF of {samples} samples a pixel is not read")
    if page.is_tiled:
        tile, whole = (
            width * height * samples * page.bitspersample // 8
            for width, height in (
                (page.tilewidth, page.tilelength),
                (page.imagewidth, page.imagelength),
            )
        )
        if tile > max(_ANY_TILE, 4 * whole):
            raise BrokenPicture("corrupt TIFF: its tiles are far larger than the picture")


def _check_jpeg(page: Any, data: bytes, notes: list[str]) -> None:
    """BrokenPicture where codes of JPEG are damaged: the decoder would make grey of what follows.

    And where parts claim to be far larger than their places in the picture, before any is decoded.
    """
    if int(page.compression) not in _JPEG or page.jpegheader is not None:
        return
    needed, tables = math.prod(page.chunked), page.jpegtables or b""
    places = zip(page.dataoffsets[:needed], page.databytecounts[:needed], strict=True)
    # Many places in the picture may share one part.
    uses = Counter(places)
    if sum(length for _, length in uses) > _LARGER * len(data):
        raise BrokenPicture("corrupt TIFF: parts of the picture lie over each other")

    def part(place: tuple[int, int]) -> bytes:
        offset, length = place
        return jpeg_walk.joined(tables, data[offset : offset + length])

    each, claimed = math.prod(page.chunks), 0
    for place, times in uses.items():
        _, height, width, samples = jpeg_walk.frame_of(part(place)) or (0, 0, 0, 0)
        claimed += times * height * width * samples
        if (
            height * width * samples > _LARGER * each + _ANY_PART
            or claimed > _LARGER * each * needed + _ANY_PARTS
        ):
            raise BrokenPicture("corrupt TIFF: a part of it is far larger than the picture")
    heard: dict[str, str] = {}
    for said in in_order(lambda place: jpeg_walk.check(part(place), "TIFF"), uses):
        if said is not None:
            # Of each kind once: parts differ in how many bytes are too many.
            heard.setdefault(said.partition(":")[0], said)
    notes += heard.values()


def _channels_last(values: npt.NDArray[Any], page: Any, header: Header) -> npt.NDArray[Any]:
    """``(H, W, C)`` whatever the planar configuration."""
    if values.ndim == 2:
        values = values[..., None]
    elif int(page.planarconfig) == 2 and values.shape[0] == page.samplesperpixel:
        values = np.moveaxis(values, 0, 2)
    if values.shape[:2] != (header.height, header.width) or values.ndim != 3:
        raise BrokenPicture("corrupt TIFF: its size is not the declared one")
    return values


def _raster(
    values: npt.NDArray[Any],
    header: Header,
    main: ifd.Directory,
    colours: npt.NDArray[Any] | None,
    notes: list[str],
) -> Raster:
    photometric, extra = main.integer(PHOTOMETRIC, 1), _extra(main)
    mode = "grey" if header.mode == "1 bit" else header.mode
    count = _CHANNELS[mode]
    if values.shape[2] < count:
        raise BrokenPicture(f"corrupt TIFF: {mode} with {values.shape[2]} samples a pixel")
    alpha = None
    for number, kind in enumerate(extra):
        if kind in (_PREMULTIPLIED, _STRAIGHT) and values.shape[2] > count + number:
            alpha = _samples(values[..., count + number], _bits(main), notes)
            break
    if len(extra) > (alpha is not None):
        notes.append("extra channels were dropped")
    if alpha is not None and not main.integers(EXTRA) and not alpha.any():
        alpha = None
        notes.append(UNUSED_ALPHA)
    if mode == "palette":
        if colours is None:
            raise BrokenPicture("corrupt TIFF: the palette is missing")
        # Colour maps hold 16 bits, of which nearly every writer means the upper 8; a map without
        # any of these is of the few that mean the lower.
        shift = 8 if colours.max() > 255 else 0
        table = (colours >> shift).astype(np.uint8).T
        places = values[..., 0]
        # One bit a sample comes as a mask, which would choose rows of the table.
        places = places.astype(np.uint8) if places.dtype.kind == "b" else places
        pixels: Pixels = np.ascontiguousarray(table[places])
        alpha = None if alpha is None else convert(alpha, 8)
    else:
        pixels = _samples(values[..., :count], header.bit_depth, notes)
    if photometric == _WHITE_IS_ZERO:
        pixels = cast(Pixels, pixels.dtype.type(full_scale(pixels)) - pixels)  # type: ignore[operator]
    if photometric == _YCBCR and main.integer(_COMPRESSION, 1) not in _LOSSY:
        pixels = ycbcr.to_rgb(pixels, main.rationals(_LUMA, 3), main.rationals(_REFERENCE, 6))
    if mode == "cmyk" and pixels.dtype == np.float32:
        notes.append("CMYK was reduced from float to 16 bits a sample")
        pixels = convert(pixels, 16)
        alpha = None if alpha is None else convert(alpha, 16)
    if alpha is not None and _PREMULTIPLIED in extra and _STRAIGHT not in extra:
        pixels = unmultiplied(pixels, alpha)
    if mode == "cmyk":
        rgb, note = profile.cmyk_to_rgb(cast("npt.NDArray[np.uint16]", pixels), header.icc)
        return Raster(rgb, alpha, None, (*notes, note))
    if mode == "grey":
        pixels = pixels[..., 0]
    icc, to_rgb = profile.fitting(header.icc, grey=mode == "grey", notes=notes)
    if to_rgb:
        pixels = cast(Pixels, np.repeat(pixels[..., None], 3, axis=2))
    return Raster(
        cast(Pixels, np.ascontiguousarray(pixels)),
        None if alpha is None else cast(Pixels, np.ascontiguousarray(alpha)),
        icc,
        tuple(notes),
    )


def _samples(values: npt.NDArray[Any], bits: int, notes: list[str]) -> Pixels:
    """Samples of any depth as uint8, uint16 or float32, by type and never by the largest value."""
    if values.dtype.kind == "f":
        if bits == 64:
            notes.append("64-bit float was reduced to 32 bits")
            return _shortened(values)
        return cast(Pixels, values.astype(np.float32, copy=False))
    if values.dtype.kind == "b":
        return cast(Pixels, values.astype(np.uint8) * np.uint8(255))
    if bits > 16:
        notes.append(f"reduced from {bits} to 16 bits a sample")
        return cast(Pixels, (values >> (bits - 16)).astype(np.uint16))
    return widen(values, bits)


def _shortened(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """As float32, of which the largest stands for what is beyond, as in a value for no data."""
    with np.errstate(over="ignore"):
        out = values.astype(np.float32)
    beyond = np.isinf(out) & np.isfinite(values)
    out[beyond] = np.copysign(np.finfo(np.float32).max, values[beyond])
    return out


def photographic(main: ifd.Directory, order: str = "<") -> bytes | None:
    """What the directory of a file says about the photograph, as an EXIF block of its own.

    Its maker's notes must have been settled, and have a say in the block's byte order.
    """
    kept = ifd.Directory()
    for tag in (*DESCRIPTIVE, *RESOLUTION, *ifd.SUB_IFDS):
        if tag in main.fields:
            kept.fields[tag] = main.fields[tag]
    if not set(kept.fields) - set(RESOLUTION):
        return None
    return ifd.block(kept, order)


def _value(main: ifd.Directory, tag: int) -> bytes | None:
    found = main.fields.get(tag)
    return found.data if found is not None and found.data else None


def is_copyrighted(main: ifd.Directory) -> bool:
    """Whether Photoshop's resources say so."""
    return photoshop.is_copyrighted(_value(main, PHOTOSHOP) or b"")


def iptc_of(main: ifd.Directory, notes: list[str]) -> bytes | None:
    """Records in a field of their own, or within Photoshop's; a note on what else these hold."""
    blocks = _value(main, PHOTOSHOP)
    if blocks is not None:
        photoshop.note_others(blocks, notes)
    direct = _value(main, IPTC)
    # Some writers call the bytes LONGs, which only the byte order then spoils.
    if direct is not None and direct[:1] != b"\x1c" and direct[3:4] == b"\x1c":
        direct = ifd.swapped(direct, 4)
    damaged: list[str] = []
    boxed = None
    if blocks is not None:
        boxed = attempt(lambda: photoshop.iptc_of(blocks), damaged, photoshop.DAMAGED)
    if direct is None:
        notes += damaged
    return iptc.chosen(direct, boxed, notes)
