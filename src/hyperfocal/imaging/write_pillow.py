"""Writing WebP and GIF through Pillow."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.plan import Plan

if TYPE_CHECKING:
    from PIL import Image

WEBP_QUALITY = 92
# Lossy: 4, the default, takes a quarter longer for 0.2 %. Lossless: 2 and above take five times as
# long for 6 %.
_WEBP_METHOD, _WEBP_LOSSLESS_METHOD = 2, 0
_WEBP_LOSSLESS_EFFORT = 20
_OPAQUE_FROM = 128


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which need not be seekable."""
    # By way of memory: given a real file, Pillow writes behind Python's back and does not say
    # why it could not.
    memory = BytesIO()
    if plan.format.name == "gif":
        _write_gif(_image(plan), plan, memory)
    else:
        _write_webp(_image(plan), plan, memory)
    sink.write(memory.getbuffer())


def _write_webp(image: Image.Image, plan: Plan, sink: BinaryIO) -> None:
    found = plan.metadata
    options: dict[str, Any] = {}
    if plan.icc is not None:
        options["icc_profile"] = plan.icc
    if found.exif is not None:
        options["exif"] = found.exif
    if found.xmp is not None:
        options["xmp"] = found.xmp
    if plan.lossless:
        options.update(lossless=True, quality=_WEBP_LOSSLESS_EFFORT, exact=True)
        options["method"] = _WEBP_LOSSLESS_METHOD
    else:
        options["quality"] = WEBP_QUALITY if plan.quality is None else plan.quality
        options["method"] = _WEBP_METHOD
    image.save(sink, "WEBP", **options)


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
    if image.mode == "LA" and clear is not None:
        _write_grey_gif(np.array(image)[..., 0], clear, sink)
        return
    colour = image.convert("RGB")
    palette = colour.quantize(255 if plan.alpha else 256)
    indexed = colour.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if clear is None or not clear.any():
        indexed.save(sink, "GIF")
        return
    table = (indexed.getpalette() or []) + [0] * 768
    _save_indexed(np.array(indexed), clear, 255, [*table[:765], 0, 0, 0], sink)


def _write_grey_gif(
    greys: npt.NDArray[np.uint8], clear: npt.NDArray[np.bool_], sink: BinaryIO
) -> None:
    """All greys as they are, but where there are 256 of them: the lightest two become one."""
    free = np.setdiff1d(np.arange(256), greys[~clear])
    if not len(free):
        greys[greys == 255] = 254
        free = np.array([255])
    _save_indexed(greys, clear, int(free[0]), np.repeat(np.arange(256), 3).tolist(), sink)


def _save_indexed(
    values: npt.NDArray[np.uint8],
    clear: npt.NDArray[np.bool_],
    free: int,
    palette: list[int],
    sink: BinaryIO,
) -> None:
    """``values``: places in the ``palette``, of which ``free`` is for what is ``clear``."""
    from PIL import Image

    values[clear] = free
    out = Image.fromarray(values, "P")
    out.putpalette(palette)
    out.save(sink, "GIF", transparency=free)
