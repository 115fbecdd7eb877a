"""Writing WebP, AVIF and GIF through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from hyperfocal.imaging.plan import Plan

if TYPE_CHECKING:
    from PIL import Image

WEBP_QUALITY = 92
AVIF_QUALITY = 90
_WEBP_METHOD = 2
_WEBP_LOSSLESS_EFFORT = 20
# libaom's speed: 6, Pillow's default, takes twice as long for a file a fifth smaller.
_AVIF_SPEED = 8
_OPAQUE_FROM = 128


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which need not be seekable."""
    image = _image(plan)
    if plan.format.name == "gif":
        _write_gif(image, plan, sink)
        return
    found = plan.metadata
    options: dict[str, Any] = {}
    if plan.icc is not None:
        options["icc_profile"] = plan.icc
    if found.exif is not None:
        options["exif"] = found.exif
    if found.xmp is not None:
        options["xmp"] = found.xmp
    if plan.format.name == "webp":
        if plan.lossless:
            options.update(lossless=True, quality=_WEBP_LOSSLESS_EFFORT, exact=True)
        else:
            options.update(quality=WEBP_QUALITY if plan.quality is None else plan.quality)
        image.save(sink, "WEBP", method=_WEBP_METHOD, **options)
        return
    quality = AVIF_QUALITY if plan.quality is None else plan.quality
    colour = "4:0:0" if plan.grey else "4:4:4"
    image.save(sink, "AVIF", quality=quality, subsampling=colour, speed=_AVIF_SPEED, **options)


def _image(plan: Plan) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(plan.rows(0, plan.picture.height)))


def _write_gif(image: Image.Image, plan: Plan, sink: BinaryIO) -> None:
    from PIL import Image

    if image.mode == "L":
        image.save(sink, "GIF")
        return
    clear = None
    if plan.alpha:
        clear = np.asarray(image)[..., -1] < _OPAQUE_FROM
    colour = image.convert("RGB")
    palette = colour.quantize(255 if plan.alpha else 256)
    indexed = colour.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if clear is None or not clear.any():
        indexed.save(sink, "GIF")
        return
    values = np.array(indexed)
    values[clear] = 255
    table = (indexed.getpalette() or []) + [0] * 768
    out = Image.fromarray(values, "P")
    out.putpalette([*table[:765], 0, 0, 0])
    out.save(sink, "GIF", transparency=255)
