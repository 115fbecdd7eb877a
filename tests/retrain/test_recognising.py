"""Which pictures are known again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from discs import discs
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from hyperfocal.retrain.looks import Gallery, Seen


def seen(picture: Image.Image, name: str = "picture.png") -> Seen:
    return Seen.of(Path(name), np.asarray(picture))


def cut(picture: Image.Image, *shares: float) -> Image.Image:
    left, top, right, bottom = shares
    width, height = picture.size
    return picture.crop(
        (
            round(left * width),
            round(top * height),
            round(width - right * width),
            round(height - bottom * height),
        )
    )


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the left and upper hundredth cut off": lambda p: cut(p, 0.01, 0.01, 0.0, 0.0),
    "five hundredths cut off all round": lambda p: cut(p, 0.05, 0.05, 0.05, 0.05),
    "cut unevenly": lambda p: cut(p, 0.09, 0.0, 0.02, 0.06),
    "half the size": lambda p: p.reduce(2),
    "mirrored": ImageOps.mirror,
    "turned": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "brighter": lambda p: ImageEnhance.Brightness(p).enhance(1.1),
    "with more contrast": lambda p: ImageEnhance.Contrast(p).enhance(1.1),
    "all of it": lambda p: ImageEnhance.Brightness(
        ImageOps.mirror(cut(p, 0.04, 0.01, 0.0, 0.03).rotate(90, expand=True).reduce(2))
    ).enhance(0.9),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_that_was_changed_a_little_is_known(change: str) -> None:
    originals = [Image.fromarray(discs(seed, side=320)) for seed in range(6)]
    for number, original in enumerate(originals):
        changed = CHANGES[change](original)
        assert Gallery(map(seen, originals)).find(seen(changed)) == number
        # Whichever of the two was there first.
        others = [one for at, one in enumerate(originals) if at != number]
        assert Gallery(map(seen, [*others, changed])).find(seen(original)) == len(others)


def test_different_pictures_are_not_taken_for_one() -> None:
    pictures = [seen(Image.fromarray(discs(seed))) for seed in range(60)]
    gallery = Gallery()
    for picture in pictures:
        assert gallery.find(picture) is None
        gallery.add(picture)


def page(seed: int) -> Image.Image:
    """Lines of short and long dark bars, all pages with the same margins."""
    generator = np.random.default_rng(seed)
    made = Image.new("L", (620, 876), 255)
    draw = ImageDraw.Draw(made)
    for top in range(60, 816, 22):
        at = 60
        while at < 540:
            long = int(generator.integers(12, 70))
            draw.rectangle(
                (at, top, min(at + long, 560), top + 10), fill=int(generator.integers(90))
            )
            at += long + 8
    return made


def test_pages_of_text_are_not_taken_for_one() -> None:
    gallery = Gallery()
    for seed in range(12):
        assert gallery.find(seen(page(seed))) is None
        gallery.add(seen(page(seed)))
    assert gallery.find(seen(page(3).reduce(2))) == 3


def facade(rows: int, columns: int, seed: int) -> Image.Image:
    """A wall of windows, each of a tone of its own."""
    generator = np.random.default_rng(seed)
    wall = generator.normal(200, 3, (480, 480))
    height, width = 480 // rows, 480 // columns
    for top in range(height // 4, 480, height):
        for left in range(width // 4, 480, width):
            wall[top : top + height // 2, left : left + width // 2] = generator.uniform(20, 110)
    return Image.fromarray(wall.clip(0, 255).astype(np.uint8))


def product(seed: int) -> Image.Image:
    """The same disc on white for all, of another material."""
    generator = np.random.default_rng(seed)
    grain = Image.fromarray(generator.integers(-30, 30, (40, 40)).astype(np.float32))
    y, x = np.mgrid[:480, :480]
    inside = (x - 240) ** 2 + (y - 240) ** 2 < 144**2
    made = generator.uniform(60, 130) + np.asarray(grain.resize((480, 480)))
    return Image.fromarray(np.where(inside, made, 240).astype(np.uint8))


LAYOUTS: dict[str, Callable[[int], Image.Image]] = {
    "few windows": lambda seed: facade(4, 4, seed),
    "many windows": lambda seed: facade(6, 8, seed),
    "products": product,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_of_one_layout_are_not_taken_for_one(layout: str) -> None:
    pictures = [LAYOUTS[layout](seed) for seed in range(12)]
    gallery = Gallery()
    for picture in pictures:
        assert gallery.find(seen(picture)) is None
        gallery.add(seen(picture))
    for number, picture in enumerate(pictures):
        smaller = cut(picture, 0.04, 0.0, 0.03, 0.02).reduce(2)
        assert gallery.find(seen(ImageEnhance.Contrast(smaller).enhance(0.9))) == number


def test_what_compression_did_to_a_soft_picture_is_no_difference() -> None:
    soft = [
        Image.fromarray(discs(seed, side=320)).filter(ImageFilter.GaussianBlur(12))
        for seed in range(6)
    ]
    gallery = Gallery(map(seen, soft))
    for number, picture in enumerate(soft):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=20)
        assert gallery.find(seen(Image.open(file).convert("RGB"))) == number


def test_plain_pictures_are_told_apart_by_their_pixels() -> None:
    greys = [Image.new("L", (64, 64), grey) for grey in (100, 101)]
    ramp = Image.linear_gradient("L")
    gallery = Gallery(map(seen, [greys[0], ramp]))
    assert gallery.find(seen(greys[1])) is None
    fainter = ramp.point([60 + level // 2 for level in range(256)])
    assert gallery.find(seen(fainter)) is None
    assert gallery.find(seen(greys[0].convert("RGB"))) == 0


def test_small_pictures_have_looks_too() -> None:
    small = [Image.fromarray(discs(seed, side=24)) for seed in range(8)]
    gallery = Gallery(map(seen, small))
    for number, picture in enumerate(small):
        lighter = ImageEnhance.Brightness(picture).enhance(1.05)
        assert gallery.find(seen(lighter)) == number
