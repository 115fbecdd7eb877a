"""Depth maps that come with a picture, or lie in its file, and what of them is for a part of it."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.filters import gaussian

from hyperfocal.depth.given import cut_map
from hyperfocal.errors import BrokenPicture, UsageError
from hyperfocal.imaging import Picture
from hyperfocal.server.pool import Answer, Options, Task, work
from hyperfocal.server.pool.asked import cropped
from hyperfocal.server.pool.estimate import Rates
from hyperfocal.server.pool.models import Models
from hyperfocal.settings import Settings

HEIGHT, WIDTH = 160, 240
MODEL = "restore-fast-x2"


def scene() -> bytes:
    """A JPEG whose right half is out of focus."""
    random = np.random.default_rng(0)
    sharp = np.full((HEIGHT, WIDTH, 3), 128.0)
    for _ in range(640):
        top, left = random.integers(-8, HEIGHT), random.integers(-8, WIDTH)
        tall, wide = random.integers(6, 24, 2)
        sharp[max(top, 0) : top + tall, max(left, 0) : left + wide] = random.uniform(20, 235, 3)
    sharp[:, WIDTH // 2 :] = gaussian(sharp, 1.2, channel_axis=2)[:, WIDTH // 2 :]
    return encoded(sharp.astype(np.uint8), "JPEG", quality=60)


def encoded(array: np.ndarray, form: str = "PNG", **options: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(array).save(data, form, **options)
    return data.getvalue()


def depth(width: int = WIDTH) -> bytes:
    """Near on the left, far on the right."""
    plane = np.zeros((HEIGHT, width), np.uint8)
    plane[:, width // 2 :] = 200
    return encoded(plane)


def with_map_inside(jpeg: bytes) -> bytes:
    """As Google's phones did, see tests/imaging/test_embedded_depth.py."""
    packet = (
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:GDepth='
        b'"http://ns.google.com/photos/1.0/depthmap/" GDepth:Mime="image/png" GDepth:Data="'
        + base64.b64encode(depth())
        + b'"/></rdf:RDF></x:xmpmeta>'
    )
    return jpeg[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(packet) + 2) + packet + jpeg[2:]


Do = Callable[..., Answer]


@pytest.fixture(scope="module")
def models() -> Models:
    return Models((MODEL,), Settings(threads=1))


@pytest.fixture
def do(tmp_path: Path, models: Models) -> Do:
    def done(source: bytes, given: bytes | None = None, kind: str = "upscale", **options) -> Answer:
        paths = {"source": tmp_path / "in", "output": tmp_path / "out"}
        paths["source"].write_bytes(source)
        if given is not None:
            paths["depth"] = tmp_path / "depth"
            paths["depth"].write_bytes(given)
        task = Task(**paths, options=Options(model=MODEL, format="png", **options), kind=kind)
        # As it travels to a worker.
        task = Task.from_plain(task.to_plain())
        settings = Settings(threads=1)
        return work.do(work.Job(task, models, settings, lambda _: None, lambda: False, Rates()))

    return done


def test_a_map_that_was_sent(do: Do, tmp_path: Path) -> None:
    plain = do(scene())
    assert plain.depth == {}
    without = (tmp_path / "out").read_bytes()
    answer = Answer.from_plain(do(scene(), depth()).to_plain())
    assert answer.depth["source"] == "given"
    assert answer.depth["used"] is True
    assert answer.depth["share"] == pytest.approx(0.5, abs=0.1)
    assert 0.5 < answer.depth["blur"] < 2.5
    assert (tmp_path / "out").read_bytes() != without


def test_the_map_in_the_file(do: Do, tmp_path: Path) -> None:
    answer = do(with_map_inside(scene()))
    assert answer.depth["source"] == "embedded"
    assert answer.depth["share"] == pytest.approx(0.5, abs=0.1)
    with_it = (tmp_path / "out").read_bytes()
    assert do(with_map_inside(scene()), use_depth=False).depth == {}
    assert (tmp_path / "out").read_bytes() != with_it
    assert do(scene(), depth(), use_depth=False).depth == {}


def test_one_that_was_sent_goes_before_it(do: Do) -> None:
    flat = encoded(np.full((HEIGHT, WIDTH), 7, np.uint8))
    answer = do(with_map_inside(scene()), flat)
    nothing = {"share": 0.0, "blur": 0.0, "given_back": 0.0}
    assert answer.depth == {"source": "given", "used": True, **nothing}


@pytest.mark.parametrize("crop", [None, (0, 0, 240, 160), (60, 10, 120, 140), (1, 2, 3, 100)])
def test_a_part_of_a_picture_has_that_part_of_the_map(do: Do, crop) -> None:
    """The part has other proportions than the picture, whose map then is no other picture's."""
    for source, given in ((with_map_inside(scene()), None), (scene(), depth())):
        answer = do(source, given, "preview", crop=crop)
        assert answer.depth["source"] == ("embedded" if given is None else "given")
    if crop == (60, 10, 120, 140):
        assert answer.depth["share"] == pytest.approx(0.5, abs=0.1)


def test_a_map_of_another_picture(do: Do, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the depth map \(80x160\) has other proportions"):
        do(scene(), depth(80))
    with pytest.raises(UsageError, match="has colour"):
        do(scene(), scene())
    assert not (tmp_path / "out").exists()


def test_a_map_that_is_broken_is_told_without_a_path(do: Do, tmp_path: Path) -> None:
    with pytest.raises(BrokenPicture) as error:
        do(scene(), depth()[:60])
    task = Task(tmp_path / "in", tmp_path / "out", depth=tmp_path / "depth")
    told = work.tell(error.value, task)
    assert told.startswith("the depth map: ")
    assert str(tmp_path) not in told


@pytest.mark.parametrize("crop", [(0, 0, 12, 8), (3, 2, 5, 4), (11, 7, 1, 1)])
def test_a_map_of_the_pictures_size_is_cut_as_it_is(crop) -> None:
    x, y, across, down = crop
    plane = np.arange(96, dtype=np.float32).reshape(8, 12)
    cut = cut_map(plane, crop, 8, 12)
    assert np.array_equal(cut, plane[y : y + down, x : x + across])
    picture = Picture(np.zeros((8, 12, 3), np.uint8), depth_map=plane)
    assert np.array_equal(cropped(picture, crop).depth_map, cut)


@pytest.mark.parametrize("finer", [1, 4])
@pytest.mark.parametrize("crop", [(0, 0, 40, 40), (13, 6, 17, 30), (39, 39, 1, 1), (0, 20, 40, 3)])
def test_a_map_of_another_size_is_cut_where_the_picture_is(crop, finer) -> None:
    """A map that holds where its samples lie, which is then where the crop's lie."""
    x, y, across, down = crop
    rows, columns = 10 * finer, 20 * finer
    down_the_map = (np.arange(rows, dtype=np.float32) + 0.5) * (40 / rows)
    across_it = (np.arange(columns, dtype=np.float32) + 0.5) * (40 / columns)
    for plane, start, length, size, axis in (
        (np.repeat(down_the_map[:, None], columns, 1), y, down, rows, 0),
        (np.repeat(across_it[None], rows, 0), x, across, columns, 1),
    ):
        cut = cut_map(plane, crop, 40, 40)
        many = cut.shape[axis]
        assert many == max(round(length * size / 40), 1)
        wanted = start + (np.arange(many) + 0.5) * (length / many)
        found = cut[:, 0] if axis == 0 else cut[0]
        # Within half a sample of the map.
        assert np.abs(found - wanted).max() <= 20 / size + 1e-4
