"""``--depth`` and ``--no-depth`` of ``hyperfocal upscale``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import Answer, Photo, Run
from PIL import Image
from skimage.filters import gaussian

MODEL = ("-m", "restore-fast-x2")


def map_file(name: str, height: int = 12, width: int = 16) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
    Image.fromarray(plane).save(path)
    return path


def soft_scene() -> tuple[Path, Path]:
    """A picture whose right half is out of focus, and its depth map."""
    random = np.random.default_rng(0)
    sharp = np.full((160, 240, 3), 128.0)
    for _ in range(640):
        top, left = random.integers(-8, 160), random.integers(-8, 240)
        tall, wide = random.integers(6, 24, 2)
        sharp[max(top, 0) : top + tall, max(left, 0) : left + wide] = random.uniform(20, 235, 3)
    sharp[:, 120:] = gaussian(sharp, 1.2, channel_axis=2)[:, 120:]
    depth = np.zeros((160, 240), np.uint8)
    depth[:, 120:] = 200
    Image.fromarray(sharp.astype(np.uint8)).save("scene.jpg", quality=60)
    Image.fromarray(depth).save("scene-depth.png")
    return Path("scene.jpg"), Path("scene-depth.png")


def told(answer: Answer) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    files: list[dict[str, Any]] = json.loads(answer.out)["files"]
    return files


def test_what_the_map_was_good_for_is_told(run: Run) -> None:
    picture, depth = soft_scene()
    (with_map,) = told(run("upscale", picture, "--depth", depth, "-o", "a.png", "--json"))
    assert with_map["depth"]["source"] == "given"
    assert with_map["depth"]["used"] is True
    assert with_map["depth"]["share"] == pytest.approx(0.5, abs=0.1)
    assert with_map["timings"]["depth"] > 0
    (without,) = told(run("upscale", picture, "-o", "b.png", "--json"))
    assert without["depth"] is None
    assert Path("a.png").read_bytes() != Path("b.png").read_bytes()


def test_and_to_people(run: Run) -> None:
    picture, depth = soft_scene()
    err = run("upscale", *MODEL, picture, "--depth", depth, "-o", "a.png", "-v").err
    assert "of the picture is out of focus by the depth map, by up to" in err
    flat = map_file("flat.png", 1, 1)
    Image.new("L", (240, 160), 7).save(flat)
    err = run("upscale", *MODEL, picture, "--depth", flat, "-o", "b.png", "-v").err
    assert "the depth map shows nothing out of focus" in err
    err = run("upscale", "-m", "photo-fast-x2", picture, "--depth", depth, "-o", "c.png", "-v").err
    assert "the depth map was not needed: the model leaves blur as it is" in err


def test_a_folder_of_maps_that_are_called_as_the_pictures_are(run: Run, photo: Photo) -> None:
    photo("in/a.png")
    photo("in/sub/b.jpg")
    map_file("maps/a.tif")
    map_file("maps/sub/b.png")
    Path("maps/a.txt").write_text("no map")
    files = told(run("upscale", *MODEL, "in", "-r", "--depth", "maps", "-o", "out", "--json"))
    assert [each["depth"]["source"] for each in files] == ["given", "given"]


def test_a_picture_without_its_map_fails_and_the_rest_goes_on(run: Run, photo: Photo) -> None:
    photo("in/a.png")
    photo("in/b.png")
    map_file("maps/b.png")
    answer = run("upscale", *MODEL, "in", "--depth", "maps", "-o", "out")
    assert answer.code == 1
    assert "no depth map called a in maps" in answer.err
    assert sorted(path.name for path in Path("out").iterdir()) == ["b.png"]


def test_a_dry_run_misses_a_map_as_well(run: Run, photo: Photo) -> None:
    photo("in/a.png")
    map_file("maps/b.png")
    answer = run("upscale", *MODEL, "in", "--depth", "maps", "-o", "out", "--dry-run")
    assert answer.code == 3
    assert "no depth map called a in maps" in answer.err


def test_two_maps_of_one_name_are_not_chosen_between(run: Run, photo: Photo) -> None:
    map_file("maps/a.png")
    map_file("maps/a.tif")
    answer = run("upscale", *MODEL, photo("a.png"), "--depth", "maps", "-o", "out.png")
    assert answer.code == 2
    assert "a.png and a.tif in maps may both be its depth map" in answer.err
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--depth", "none.png"), 3, "--depth none.png: no such file or folder"),
        (("--depth", "map.png", "--no-depth"), 2, "--depth and --no-depth exclude each other"),
        (("--depth", "map.png", "b.png"), 2, "may be several pictures"),
        (("--depth", "other.png"), 2, "other proportions"),
        (("--depth", "colour.png"), 2, "has colour"),
        (("--depth", "broken.png"), 3, "broken.png"),
    ],
)
def test_maps_that_cannot_be_used(
    run: Run, photo: Photo, options: tuple[str, ...], code: int, says: str
) -> None:
    map_file("map.png")
    map_file("other.png", 16, 12)
    photo("b.png")
    Image.fromarray(np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)).save("colour.png")
    Path("broken.png").write_bytes(Path("map.png").read_bytes()[:40])
    answer = run("upscale", *MODEL, photo("a.png"), "-o", "out.png", *options)
    if "several" in says:
        answer = run("upscale", *MODEL, "a.png", *options)
    assert answer.code == code
    assert says in answer.err
    assert not Path("out.png").exists()


def test_a_folder_has_no_map_for_what_comes_through_a_pipe(run: Run, photo: Photo) -> None:
    data = photo("a.png").read_bytes()
    map_file("maps/a.png")
    answer = run("upscale", *MODEL, "-", "--depth", "maps", "-o", "out.png", stdin=data)
    assert answer.code == 2
    assert "has no name to find its depth map by" in answer.err
    one = run("upscale", *MODEL, "-", "--depth", "maps/a.png", "-o", "out.png", stdin=data)
    assert one.code == 0


def test_maps_among_the_pictures_are_no_pictures(run: Run, photo: Photo) -> None:
    photo("in/a.png")
    photo("in/sub/b.png")
    map_file("in/maps/a.png")
    map_file("in/maps/sub/b.png")
    for _ in range(2):
        run("upscale", *MODEL, "in", "-r", "--depth", "in/maps", "-o", "in/out", "--overwrite")
        made = sorted(path.relative_to("in/out").as_posix() for path in Path("in/out").rglob("*.*"))
        assert made == ["a.png", "sub/b.png"]


@pytest.mark.parametrize("verb", [[], ["-f", "png"]])
def test_a_map_is_not_replaced(run: Run, photo: Photo, verb: list[str]) -> None:
    photo("a.png")
    depth = map_file("map.png")
    before = depth.read_bytes()
    answer = run("upscale", "a.png", "--depth", depth, "-o", depth, "--overwrite", *verb)
    assert answer.code == 1, answer.err
    assert "would replace the depth map map.png" in answer.err
    assert depth.read_bytes() == before


def test_nor_is_one_in_a_folder_of_maps(run: Run, photo: Photo) -> None:
    photo("a.png")
    photo("b.png")
    before = map_file("maps/a.png").read_bytes()
    map_file("maps/b.tif")
    answer = run("upscale", "a.png", "b.png", "--depth", "maps", "-o", "maps/", "--overwrite")
    assert "would replace the depth map maps/a.png" in answer.err
    assert Path("maps/a.png").read_bytes() == before
    # Where there is nothing yet, nothing is lost.
    assert Path("maps/b.png").exists()
    assert answer.code == 1


def test_a_dry_run_tells_of_a_map_of_another_picture(run: Run, photo: Photo) -> None:
    photo("a.png")
    depth = map_file("map.png", 12, 40)
    answer = run("upscale", "a.png", "--depth", depth, "-o", "b.png", "--dry-run")
    assert answer.code == 2
    assert "other proportions" in answer.err
