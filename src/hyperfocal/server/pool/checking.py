"""Whether a picture that is to be kept is one, all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.pool.task import Answer

if TYPE_CHECKING:
    from hyperfocal.settings import Settings


def checked(data: bytes, settings: Settings) -> Answer:
    """Decode a picture within the limits; the answer tells its size and format.

    Raises what decoding it for a restoration would raise.
    """
    from hyperfocal import imaging

    form = imaging.inspect(data, settings=settings, limits=True).format
    picture = imaging.open(data, settings=settings)
    return Answer(
        model="",
        model_version="",
        width=picture.width,
        height=picture.height,
        scale=1.0,
        format=form,
        media_type=FORMATS[form].media_type,
        bytes=len(data),
        consistency_db=None,
        psnr=0.0,
        ssim=0.0,
        basis="consistency",
        timing_ms={},
        statistics={},
    )
