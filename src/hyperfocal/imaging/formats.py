"""Which picture formats there are, and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Literal

from hyperfocal import paths
from hyperfocal.errors import OutputRefused
from hyperfocal.kinds import check_kinds


@dataclass(frozen=True, slots=True)
class Format:
    """One file format, as it is written here.

    ``suffixes``: the first is the usual one. ``depths``: bits a sample that can be written,
    ascending; empty when the format is only read. ``max_side``: largest width or height;
    ``max_pixels``: most pixels, None where the sides alone count.
    ``lossless``: pixels come back as they went in, whatever the quality. ``longest_block``: bytes
    of EXIF, XMP or IPTC that fit; ``longest_profile``: of a colour profile. ``dpi``: whether the
    resolution has a place of its own or only one in EXIF. ``texts``: those of PNG can be written.
    ``extra``: what must be installed too.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    depths: tuple[int, ...]
    max_side: int
    max_pixels: int | None = None
    grey: bool = True
    alpha: bool = True
    lossless: bool = False
    takes_quality: bool = False
    icc: bool = True
    code_points: bool = False
    exif: bool = True
    xmp: bool = True
    iptc: bool = False
    texts: bool = False
    dpi: Literal["own", "exif", "none"] = "own"
    longest_block: int = 2**31 - 1
    longest_profile: int = 2**31 - 1
    extra: str | None = None

    @property
    def media_type(self) -> str:
        """What it is called over HTTP and in mails."""
        return f"image/{self.name}"


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format(
            "jpeg",
            "JPEG",
            (".jpg", ".jpeg", ".jpe", ".jfif"),
            (8,),
            # The standard has 35 more, which libjpeg does not read.
            65500,
            alpha=False,
            takes_quality=True,
            iptc=True,
            longest_block=65_480,
            # 255 segments (ICC.1, annex B.4).
            longest_profile=255 * 65_519,
        ),
        # The standard has 2**31 - 1, but libpng reads no more than this unless it is told to.
        Format("png", "PNG", (".png", ".apng"), (8, 16), 1_000_000, lossless=True, iptc=True,
               code_points=True, texts=True),
        Format(
            "tiff", "TIFF", (".tif", ".tiff"), (8, 16, 32), 2**31 - 1, lossless=True, iptc=True
        ),
        Format(
            "webp",
            "WebP",
            (".webp",),
            (8,),
            16383,
            grey=False,
            takes_quality=True,
            dpi="exif",
        ),
        # AVIF has 65536 a side, but libavif reads no more than this unless it is told to.
        Format("avif", "AVIF", (".avif",), (8, 10, 12), 32768, max_pixels=16384 * 16384,
               takes_quality=True, dpi="exif", code_points=True),
        Format("heic", "HEIC", (".heic", ".heif", ".hif"), (8, 10, 12), 16384,
               takes_quality=True, dpi="exif", code_points=True, extra="heif"),
        Format("bmp", "BMP", (".bmp", ".dib"), (8,), 2**31 - 1, lossless=True, exif=False,
               xmp=False),
        Format("gif", "GIF", (".gif",), (8,), 65535, icc=False, exif=False, xmp=False, dpi="none"),
    )
}  # fmt: skip

READABLE: tuple[str, ...] = tuple(FORMATS)
WRITABLE: tuple[str, ...] = tuple(name for name, form in FORMATS.items() if form.depths)

_PACKAGES = {"heif": "pillow_heif"}
_BY_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}


def format_of_suffix(path: str | PurePath) -> str | None:
    """The format that a file name's suffix stands for (case does not matter), or None."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower())


def is_listed(path: Path) -> bool:
    """Whether a folder's listing takes this for a picture: a file with a suffix that is read.

    Dot files, which some systems put beside pictures, are none.
    """
    return (
        not path.name.startswith(".") and format_of_suffix(path) is not None and paths.is_file(path)
    )


def missing_extra(form: Format) -> str | None:
    """What has to be installed for the format first, as a sentence; None where nothing has."""
    if form.extra is None or find_spec(_PACKAGES[form.extra]) is not None:
        return None
    return f"{form.label} needs an extra: pip install 'hyperfocal[{form.extra}]'"


def written_format(name: str) -> Format:
    """The format called ``name`` (``"jpeg"``, ``"JPG"``, ``".tif"``); OutputRefused if none."""
    check_kinds(format=(name, str))
    plain = name.lower().lstrip(".")
    found = FORMATS.get(plain) or FORMATS.get(_BY_SUFFIX.get("." + plain, ""))
    if found is None or not found.depths:
        raise OutputRefused(f"'{name}' cannot be written; choose one of {', '.join(WRITABLE)}")
    return found
