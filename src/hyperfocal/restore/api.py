"""The one function that other programs embed: whatever it is given, it gives the same kind back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from hyperfocal import paths
from hyperfocal.errors import OutputError, UsageError
from hyperfocal.imaging.picture import Picture
from hyperfocal.kinds import check_kinds
from hyperfocal.restore.kept import KEPT
from hyperfocal.restore.progress import Cancel, OnProgress
from hyperfocal.restore.shelf import DEFAULT_MODEL
from hyperfocal.restore.target import Target
from hyperfocal.restore.upscaler import model_name, with_changes
from hyperfocal.settings import Settings

_Kind = TypeVar("_Kind")


def upscale(
    source: _Kind,
    output: str | Path | None = None,
    *,
    scale: float | None = None,
    size: tuple[int | None, int | None] | None = None,
    long_edge: int | None = None,
    megapixels: float | None = None,
    model: str | Path = DEFAULT_MODEL,
    format: str | None = None,
    quality: int | None = None,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    overwrite: bool = True,
    min_fidelity: float | None = None,
    back_project: float | None = None,
    depth: object = None,
    settings: Settings | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    precision: str | None = None,
    runtime: str | None = None,
) -> _Kind:
    """Restore a picture to a higher resolution.

    ``source`` decides what comes back:

    - a path (str or Path): the path written, which ``output`` must name;
    - bytes of a picture file: bytes, in the same format or in ``format``;
    - an array ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8, uint16 or float in [0, 1]: an
      array of the same channels and dtype;
    - a Pillow image: a Pillow image;
    - a :class:`Picture`: a :class:`Picture`.

    ``output``: also write the result to this path, in ``format`` or by its suffix; it may not be
    ``source`` itself, and where ``overwrite`` is false nothing may be there yet. For what is
    written, and for bytes, ``quality``: 0 to 100 for lossy formats; ``bit_depth``: 8, 10, 12, 16
    or 32, left out as deep as the input; ``strip_metadata``: drop EXIF, XMP and IPTC. ``model``: a
    model or a family, see :meth:`Upscaler.load`, which also explains ``settings`` to ``runtime``.
    The rest is as for a call of :class:`Upscaler`. Models stay loaded for the next call; a program
    that wants to decide that itself, or to know the fidelity of the result, uses an
    :class:`Upscaler`.

    Raises :class:`UsageError` (:class:`ArrayError` for an array that is no picture),
    :class:`InputError`, :class:`OutputError`, :class:`ModelError`, :class:`FidelityTooLow` or
    :class:`Cancelled`.
    """
    from hyperfocal import imaging

    if isinstance(source, str | os.PathLike) and output is None:
        raise UsageError("say where the result shall go: upscale('in.jpg', 'out.png')")
    check_kinds(
        settings=(settings, Settings | None),
        output=(output, str | os.PathLike | None),
        format=(format, str | None),
    )
    name = model_name(model)
    _check_writing(source, output, format, quality, bit_depth, overwrite)
    settings = with_changes(
        settings, memory=memory, threads=threads, precision=precision, runtime=runtime
    )
    upscaler = KEPT.get(name, settings)
    picture = _taken(source, upscaler.settings)
    height, width = upscaler.plan(
        picture.height, picture.width, Target(scale, size, long_edge, megapixels)
    )
    if output is not None:
        imaging.check_fits(imaging.format_for(output, format), width, height, bit_depth)
    if isinstance(source, bytes):
        imaging.check_fits(_encoding(picture, format), width, height, bit_depth)
    result = upscaler(
        picture,
        scale,
        size=size,
        long_edge=long_edge,
        megapixels=megapixels,
        on_progress=on_progress,
        cancel=cancel,
        min_fidelity=min_fidelity,
        back_project=back_project,
        depth=depth,
    ).picture
    if output is not None:
        result.save(
            output,
            format=format,
            quality=quality,
            bit_depth=bit_depth,
            strip_metadata=strip_metadata,
            overwrite=overwrite,
        )
    if isinstance(source, bytes):
        data = imaging.encode(
            result,
            _encoding(result, format),
            quality=quality,
            bit_depth=bit_depth,
            strip_metadata=strip_metadata,
        )
        return cast(_Kind, data)
    return cast(_Kind, _given_back(source, result, output))


def _check_writing(
    source: object,
    output: str | Path | None,
    format: str | None,
    quality: int | None,
    bit_depth: int | None,
    overwrite: bool,
) -> None:
    """What can be told before the picture is even looked at."""
    from hyperfocal import imaging
    from hyperfocal.imaging.atomic import check_target
    from hyperfocal.imaging.plan import check_quality

    check_quality(quality)
    form = format if output is None else imaging.format_for(output, format)
    if form is not None:
        imaging.check_fits(form, 1, 1, bit_depth)
    if output is None:
        return
    own = paths.of_picture(source)
    if own is not None and paths.identity(own) == paths.identity(output):
        raise OutputError(f"the result would replace the input {output}; name another output")
    check_target(Path(output), overwrite=overwrite)


def _encoding(picture: Picture, format: str | None) -> str:
    """The format of a result that is given back as bytes."""
    return format or picture.source or "png"


def _taken(source: object, settings: Settings) -> Picture:
    from hyperfocal import imaging

    if isinstance(source, Picture):
        return source
    if isinstance(source, str | Path | bytes):
        return imaging.open(source, settings=settings)
    if isinstance(source, np.ndarray):
        return imaging.from_array(source)
    if _is_pil(source):
        return imaging.from_pil(cast(Any, source))
    raise UsageError(
        f"a {type(source).__name__} is no picture; give a path, bytes, an array, "
        "a Pillow image or a Picture"
    )


def _given_back(source: object, result: Picture, output: str | Path | None) -> object:
    from hyperfocal import imaging

    if isinstance(source, str | Path):
        return type(source)(str(output))
    if isinstance(source, np.ndarray):
        return imaging.to_array(result).astype(source.dtype, copy=False)
    return imaging.to_pil(result) if _is_pil(source) else result


def _is_pil(source: object) -> bool:
    """Without importing Pillow: where it is not imported, nobody has an image of it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(source, module.Image)
