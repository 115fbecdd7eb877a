from __future__ import annotations

import pytest

from hyperfocal.server.accept import wanted_format
from hyperfocal.server.errors import NotAcceptable


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("", None),
        ("*/*", None),
        ("image/*", None),
        ("image/png", "png"),
        ("IMAGE/JPEG", "jpeg"),
        ("image/webp, image/png", "webp"),
        ("image/webp;q=0.5, image/png", "png"),
        ("image/webp;q=0.5, image/tiff;q=0.9, */*;q=0.1", "tiff"),
        ("image/avif,image/webp,*/*;q=0.8", "avif"),
        ("image/png, */*", None),
        ("text/html, image/png;q=0.2", "png"),
        ("application/json, */*;q=0.1", None),
        ("image/png;q=0, image/bmp", "bmp"),
        ("image/jxl, image/png;q=0.1", "png"),
        ("image/png;level=1;q=0.7, image/webp;q=0.6", "png"),
    ],
)
def test_the_format_with_the_greatest_weight_is_taken(accept, expected):
    assert wanted_format(accept) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json",
        "image/jxl",
        "image/png;q=0",
        "*/*;q=0",
        "image/png;q=x",
        "image/png;q=nan",
        "image/png;q=2",
        ",",
        ";",
    ],
)
def test_where_no_picture_will_do_there_is_none(accept):
    with pytest.raises(NotAcceptable):
        wanted_format(accept)
