from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from hyperfocal.errors import ArrayError
from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality
from hyperfocal.quality import evidence, imresize
from hyperfocal.quality.evidence import (
    blockiness,
    examine,
    immerkaer,
    judge,
    quiet_noise,
    sharpness,
    signs,
)


def scene(seed: int = 0, side: int = 256) -> np.ndarray:
    """A clean picture: smooth tones and sharp edges, reduced with a good filter."""
    generator = np.random.default_rng(seed)
    large = 2 * side
    y, x = np.mgrid[:large, :large] / large
    made = np.stack([0.5 + 0.2 * np.sin(3 * x + k) * np.cos(2 * y - k) for k in range(3)], axis=-1)
    for _ in range(25):
        angle, offset = generator.uniform(0, np.pi), generator.uniform(-0.3, 1.0)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        made[(across > 0) & (across < 0.06)] += generator.uniform(-0.25, 0.25, 3)
    return imresize(np.clip(made * 255, 0, 255).astype(np.uint8), 0.5).astype(np.uint8)


def compressed(pixels: np.ndarray, quality: int) -> tuple[bytes, np.ndarray]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue(), np.asarray(Image.open(buffer))


def luma(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)]


def test_a_clean_picture_is_a_photo_and_says_so() -> None:
    kind, reasons, figures = judge(None, scene())
    assert kind == "photo"
    assert reasons == ("no sign of compression, noise, blur or sharpening",)
    assert figures.jpeg_quality is None
    assert set(figures.to_dict()) == {
        "jpeg_quality",
        "gain",
        "blockiness",
        "noise",
        "detail",
        "sharpness",
    }


@pytest.mark.parametrize("quality", [20, 50, 75])
def test_the_quality_of_a_jpeg_comes_from_its_tables(quality: int) -> None:
    data, pixels = compressed(scene(), quality)
    kind, reasons, figures = judge(estimate_jpeg_quality(data), pixels)
    assert kind == "restore"
    assert figures.jpeg_quality == quality
    assert any(f"a JPEG of quality {quality}" in reason for reason in reasons)


def photograph() -> Image.Image:
    path = Path(__file__).parents[2] / "examples" / "astronaut-original.webp"
    return Image.open(path).convert("RGB").resize((256, 256), Image.Resampling.BICUBIC)


def test_a_fine_jpeg_of_a_photograph_is_a_photo() -> None:
    # Stripes at this quality are better restored: beside them it shows.
    data, pixels = compressed(np.asarray(photograph()), 97)
    assert judge(estimate_jpeg_quality(data), pixels)[0] == "photo"


def test_what_is_expected_of_restoring_decides() -> None:
    sharpened = photograph().filter(ImageFilter.UnsharpMask(1, 100, 0))
    kind, reasons, figures = judge(None, np.asarray(sharpened))
    assert kind == "restore"
    assert figures.gain is not None
    assert f"expected to come {figures.gain:.1f} dB nearer" in reasons[-1]
    assert reasons[:-1] == ("traces of damage",)


def test_what_is_seen_is_told_though_it_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = compressed(scene(), 25)[1]
    monkeypatch.setattr(evidence, "expected_gain", lambda *_: 0.05)
    kind, reasons, figures = judge(None, pixels)
    assert kind == "photo"
    assert reasons == (
        "restoring is not expected to come nearer to the original",
        *signs(figures),
    )
    assert any("8x8 blocks" in sign for sign in signs(figures))
    # The tables of a file are proof.
    assert judge(60, pixels)[0] == "restore"


def test_of_small_pictures_what_is_seen_decides() -> None:
    small = scene()[:60, :60]
    assert judge(None, small)[2].gain is None
    assert judge(None, small)[0] == "photo"
    noise = np.random.default_rng(0).normal(0, 12, small.shape)
    noisy = np.clip(small + noise, 0, 255).astype(np.uint8)
    assert judge(None, noisy)[0] == "restore"


def test_what_is_no_jpeg_has_no_quality() -> None:
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG")
    assert estimate_jpeg_quality(buffer.getvalue()) is None


def test_blocks_are_found_when_the_file_no_longer_tells() -> None:
    kind, reasons, _ = judge(None, compressed(scene(), 25)[1])
    assert kind == "restore"
    assert any("8x8 blocks" in reason for reason in reasons)


@pytest.mark.parametrize("offset", [0, 3, 7])
def test_blockiness_rises_with_compression_wherever_the_grid_lies(offset: int) -> None:
    pictures = [scene(), *(compressed(scene(), quality)[1] for quality in (80, 50, 20))]
    figures = [blockiness(luma(made[offset:, offset:])) for made in pictures]
    assert figures == sorted(figures)
    assert figures[0] < 0.1
    assert figures[-1] > 0.6


def test_stripes_of_eight_pixels_are_no_blocks() -> None:
    striped = np.zeros((128, 128, 3), np.uint8)
    striped[:, ::8] = 60
    assert blockiness(luma(striped)) == 0.0


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_noise_is_measured_through_a_picture(sigma: float) -> None:
    generator = np.random.default_rng(1)
    plane = luma(scene())[0]
    noisy = [(plane + generator.normal(0, sigma, plane.shape)).astype(np.float32)]
    assert 0.8 * sigma < quiet_noise(noisy) < 1.05 * sigma
    assert immerkaer(noisy) > 0.95 * sigma


def test_immerkaer_measures_noise_alone_exactly() -> None:
    generator = np.random.default_rng(2)
    ramp = np.add.outer(np.arange(200.0), np.arange(200.0)) * 0.2
    noisy = [(ramp + generator.normal(0, 5.0, ramp.shape)).astype(np.float32)]
    assert immerkaer(noisy) == pytest.approx(5.0, rel=0.02)
    assert immerkaer([ramp.astype(np.float32)]) == pytest.approx(0.0, abs=1e-4)


def test_noise_is_a_reason_to_restore() -> None:
    generator = np.random.default_rng(3)
    noisy = np.clip(scene() + generator.normal(0, 12, scene().shape), 0, 255).astype(np.uint8)
    kind, reasons, figures = judge(None, noisy)
    assert kind == "restore"
    assert figures.noise > 5.0
    assert any("noise of" in reason for reason in reasons)


def test_blur_is_a_reason_to_restore() -> None:
    soft = ndimage.gaussian_filter(scene().astype(float), (1.2, 1.2, 0)).astype(np.uint8)
    kind, reasons, _ = judge(None, soft)
    assert kind == "restore"
    assert any("soft" in reason for reason in reasons)


def test_detail_reduced_without_a_filter_is_a_reason_to_restore() -> None:
    generator = np.random.default_rng(5)
    leaves = ndimage.gaussian_filter(generator.normal(0, 60, (1024, 512)), 1.0)
    found = {}
    for name, small in (("none", leaves[::4, ::4]), ("bicubic", imresize(leaves, 0.25) * 3.0)):
        picture = scene().astype(float)
        picture[:, :128] += ndimage.gaussian_filter(small, 0.6 if name == "bicubic" else 0)[
            ..., None
        ]
        found[name] = judge(None, np.clip(picture, 0, 255).astype(np.uint8))
    assert found["bicubic"][0] == "photo"
    kind, reasons, figures = found["none"]
    assert kind == "restore"
    assert figures.sharpness > 2.1
    assert any("sharpened" in reason for reason in reasons)


def test_sharpness_of_white_noise_is_four() -> None:
    # Averaging four independent values leaves a quarter of the variance.
    noise = np.random.default_rng(4).normal(0, 10, (256, 256)).astype(np.float32)
    assert sharpness([noise]) == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 5, 3), (9, 700)])
def test_tiny_and_plain_pictures_are_photos(shape: tuple[int, ...]) -> None:
    assert judge(None, np.full(shape, 128, np.uint8))[0] == "photo"


def test_depth_and_size_hardly_matter() -> None:
    damaged = compressed(scene(0, 512), 30)[1]
    want = examine(None, damaged)
    for same in (damaged.astype(np.uint16) * 257, damaged.astype(np.float32) / 255):
        found = examine(None, same)
        assert found.blockiness == pytest.approx(want.blockiness, abs=1e-3)
    # Larger than the squares that are looked at.
    wide = np.tile(damaged, (2, 2, 1))
    assert examine(None, wide).blockiness == pytest.approx(want.blockiness, rel=0.25)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ArrayError):
        judge(None, np.zeros((4, 4, 4), np.uint8))
