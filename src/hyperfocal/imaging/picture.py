"""The picture that everything works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError

if TYPE_CHECKING:
    from pathlib import Path

    from hyperfocal.imaging.geo import Georeference

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]

# Colour primaries and transfer function, ITU-T H.273.
CodePoints = tuple[int, int]

_Array = TypeVar("_Array", bound=npt.NDArray[Any])
_FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def native(samples: _Array) -> _Array:
    """``samples`` in the machine's own byte order; the same array where they are."""
    return cast(_Array, samples.astype(samples.dtype.newbyteorder("="), copy=False))


NOT_FINITE = "a depth map must hold finite numbers only"


def check_depth_map(plane: object) -> None:
    """:class:`ArrayError` for what is no ``(h, w)`` float32 array of finite numbers."""
    if not isinstance(plane, np.ndarray) or plane.dtype != np.float32:
        kind = plane.dtype if isinstance(plane, np.ndarray) else type(plane).__name__
        raise ArrayError(f"a depth map must be a float32 array, not {kind}")
    if plane.ndim != 2 or 0 in plane.shape:
        raise ArrayError(f"a depth map must be (h, w) and not empty, not {plane.shape}")
    if not np.isfinite((plane.min(), plane.max())).all():
        raise ArrayError(NOT_FINITE)


def fits_picture(shape: tuple[int, ...], height: int, width: int) -> bool:
    """Whether a map of that ``(h, w)`` has the proportions of a picture, within 2 %.

    More means that it is the map of another picture, or of a part of it.
    """
    rows, columns = shape
    # Half a pixel of rounding is much of a small map.
    allowed = max(0.02, 1 / rows, 1 / columns)
    ratio = (columns * height) / (rows * width)
    # The same of both when they are turned.
    return max(ratio, 1 / ratio) <= 1 + allowed


class Text(NamedTuple):
    """A text of a PNG file: what its ``keyword`` says, such as the author's name.

    ``language``: that of the text (RFC 5646), and ``translated``: the keyword in it; "" for none.
    """

    keyword: str
    text: str
    language: str = ""
    translated: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture. Orientation is already applied and reset.

    ``exif``: a TIFF structure, without the ``Exif\\0\\0`` prefix; ``xmp``: a packet; ``iptc``:
    IIM records; ``dpi``: horizontal, vertical. ``geo``: the place on Earth of a GeoTIFF's raster,
    which is made to fit the picture's size when it is written. ``size``: width and height of the
    picture that all this is about, by which what EXIF says in pixels is made to fit as well; None
    where it is not known. ``texts``: of a PNG file. ``copyrighted``: Photoshop's flag, which lies
    beside IPTC.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    geo: Georeference | None = None
    size: tuple[int, int] | None = None
    texts: tuple[Text, ...] = ()
    copyrighted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels as deep as the file had them, and everything that must not be lost.

    ``pixels``: ``(H, W, 3)``, or ``(H, W)`` for grey; uint8, uint16 (full range) or float32
    (nominally [0, 1]) in the file's own colour space; of either byte order, which becomes the
    machine's. Native depth rather than float, because a 100-megapixel result would otherwise need
    1.2 GB. ``alpha``: ``(H, W)`` of the same dtype, not premultiplied, or None. ``icc``: the
    colour profile of ``pixels``, or None for sRGB. ``source``: name of the format it came from,
    such as ``"jpeg"``, or None. ``notes``: what was converted or dropped while decoding, one
    sentence each. ``lossless``: the pixels come from an exact source (a lossless file, an array),
    so a result should not lose any by default.
    ``jpeg_quality``: 1 to 100, how finely the JPEG it came from was quantised; None for others.
    ``significant_bits``: bits a sample of the file, where the pixels have room for more (10 and 12
    in AVIF, HEIC and some TIFF); None where they have not. ``code_points``: what the file declares
    of its colour, where no profile can say the same (HDR's PQ and HLG); it goes before ``icc``.
    ``depth_map``: ``(h, w)`` finite float32 over the same field of view, of any size, or None: how
    near or how far things are, of which only the order counts, either way round.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    source: str | None = None
    notes: tuple[str, ...] = ()
    lossless: bool = False
    jpeg_quality: int | None = None
    significant_bits: int | None = None
    code_points: CodePoints | None = None
    depth_map: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, samples in (("pixels", self.pixels), ("alpha", self.alpha)):
            if not (isinstance(samples, np.ndarray) or (name == "alpha" and samples is None)):
                raise ArrayError(f"{name} must be a numpy array, not a {type(samples).__name__}")
            if samples is not None and not samples.dtype.isnative:
                # A type of the other byte order is not equal to its own kind, and its bytes are
                # noise to whoever writes them.
                object.__setattr__(self, name, native(samples))
        shape, dtype = self.pixels.shape, self.pixels.dtype.name
        if dtype not in _FULL_SCALE:
            raise ArrayError(f"pixels must be uint8, uint16 or float32, not {dtype}")
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3) or 0 in shape:
            raise ArrayError(f"pixels must be (H, W) or (H, W, 3) and not empty, not {shape}")
        if self.alpha is not None and (
            self.alpha.shape != shape[:2] or self.alpha.dtype != self.pixels.dtype
        ):
            raise ArrayError(
                f"alpha must be {shape[:2]} {dtype}, not {self.alpha.shape} {self.alpha.dtype}"
            )
        if self.depth_map is not None:
            check_depth_map(self.depth_map)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def is_grey(self) -> bool:
        """One channel rather than three."""
        return self.pixels.ndim == 2

    @property
    def bit_depth(self) -> int:
        """Bits a sample: 8, 16, or 32 for float."""
        return int(self.pixels.dtype.itemsize) * 8

    @property
    def full_scale(self) -> float:
        """The sample value that means white: 255, 65535 or 1.0."""
        return _FULL_SCALE[self.pixels.dtype.name]

    def save(self, path: str | Path, **options: object) -> None:
        """Write to a file; format by suffix. Options are those of :func:`imaging.save`."""
        from hyperfocal.imaging import save

        save(self, path, **options)  # type: ignore[arg-type]
