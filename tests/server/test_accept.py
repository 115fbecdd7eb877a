from __future__ import annotations

import httpx
import pytest

from hyperfocal.imaging.formats import FORMATS, WRITABLE
from hyperfocal.server import accept
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
        ("image/webp;q=0.5, */*", None),
        ("image/png;q=0, */*", "jpeg"),
        ("*/*, image/png;q=0, image/jpeg;q=0", "webp"),
        ("image/png;q=0, image/webp;q=0.2, image/*;q=0.1", "webp"),
        ("image/png;q=0, image/jpeg;q=0.2, image/*;q=0.5", "webp"),
        ("image/*;q=0, image/tiff", "tiff"),
        ("image/*;q=0.3, */*", None),
        ("image/gif", "gif"),
        (
            "image/*, image/png;q=0, image/jpeg;q=0, image/webp;q=0, image/tiff;q=0, "
            "image/avif;q=0, image/bmp;q=0, image/heic;q=0",
            "gif",
        ),
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
        "image/*;q=0, */*",
        "*/*, image/png;q=0, image/jpeg;q=0, image/webp;q=0, image/tiff;q=0, image/avif;q=0, "
        "image/bmp;q=0, image/heic;q=0, image/gif;q=0",
        ",",
        ";",
    ],
)
def test_where_no_picture_will_do_there_is_none(accept):
    with pytest.raises(NotAcceptable):
        wanted_format(accept)


def test_all_that_can_be_written_can_be_accepted(monkeypatch):
    monkeypatch.setattr(accept, "missing_extra", lambda form: None)
    accept.formats.cache_clear()
    try:
        for name in WRITABLE:
            assert wanted_format(FORMATS[name].media_type) == name
        # Without its extra it can not.
        monkeypatch.setattr(accept, "missing_extra", lambda form: form.extra)
        accept.formats.cache_clear()
        with pytest.raises(NotAcceptable):
            wanted_format("image/heic")
    finally:
        accept.formats.cache_clear()


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/preview"])
@pytest.mark.parametrize("accept", ["application/json", "image/png;q=0", "*/*;q=0"])
def test_a_format_that_is_named_goes_before_it(running, path, accept):
    for sent in (
        {"params": {"format": "png"}, "content": b"abc"},
        {"data": {"format": "png"}, "files": {"image": b"abc"}},
    ):
        answer = running.client.post(path, headers={"accept": accept}, **sent)
        assert answer.status_code == 200, answer.text
        assert running.pool.tasks[-1].options.format == "png"


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/preview"])
def test_all_lines_of_the_header_count(running, path):
    lines = [("accept", "text/html"), ("accept", "image/webp")]
    # The client would add one of its own.
    with httpx.Client(base_url=running.url, trust_env=False) as client:
        del client.headers["accept"]
        assert client.post(path, content=b"abc", headers=lines).status_code == 200
    assert running.pool.tasks[-1].options.format == "webp"


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/preview"])
def test_what_is_refused_is_not_given(running, path):
    accept = {"accept": "image/png;q=0, */*"}
    assert running.client.post(path, content=b"abc", headers=accept).status_code == 200
    assert running.pool.tasks[-1].options.format == "jpeg"
