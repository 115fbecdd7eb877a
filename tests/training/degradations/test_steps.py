from __future__ import annotations

import io
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality
from hyperfocal.training.degradations import (
    Compress,
    CompressionRange,
    LowLight,
    LowLightRange,
    Noise,
    NoiseRange,
    Resize,
    ResizeRange,
)
from hyperfocal.training.degradations.low_light import encoded, linear

Textured = Callable[[int, int], np.ndarray]


def flat(level: float, side: int = 160) -> np.ndarray:
    return np.full((side, side, 3), level, np.float32)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def photograph(textured: Textured) -> np.ndarray:
    return textured(1, 96).astype(np.float32) / np.float32(255.0)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(("kind", "brightness"), [("gaussian", 1.0), ("poisson", 0.5)])
def test_noise_has_the_variance_asked_for_and_keeps_the_mean(
    kind: str, brightness: float, grey: bool, generator: np.random.Generator
) -> None:
    step = Noise(kind, 10.0, grey)  # type: ignore[arg-type]
    noisy = step.apply(flat(0.5), generator)
    assert noisy.shape == (160, 160, 3)
    assert noisy.dtype == np.float32
    want = 10.0 / 255.0 * math.sqrt(brightness)
    assert (noisy - 0.5).std() == pytest.approx(want, rel=0.03)
    assert noisy.mean() == pytest.approx(0.5, abs=4 * want / 160)
    spread = np.ptp(noisy, axis=2)
    assert (spread.max() < 1e-6) == grey


def test_photon_noise_grows_as_the_root_of_brightness(generator: np.random.Generator) -> None:
    step = Noise("poisson", 8.0, False)
    deviations = [(step.apply(flat(level), generator) - level).std() for level in (0.1, 0.4)]
    assert deviations[1] / deviations[0] == pytest.approx(2.0, rel=0.05)


def test_levels_of_noise_are_drawn_by_their_logarithm(generator: np.random.Generator) -> None:
    ranges = NoiseRange(probability=0.5, level=(1.0, 16.0), poisson=0.25, grey=0.4)
    drawn = [ranges.draw(generator) for _ in range(3000)]
    noises = [noise for noise in drawn if noise is not None]
    assert len(noises) / 3000 == pytest.approx(0.5, abs=0.04)
    levels = np.array([noise.level for noise in noises])
    assert levels.min() >= 1.0
    assert levels.max() <= 16.0
    assert np.median(levels) == pytest.approx(4.0, rel=0.15)
    assert np.mean([noise.kind == "poisson" for noise in noises]) == pytest.approx(0.25, abs=0.04)
    assert np.mean([noise.grey for noise in noises]) == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_files_are_what_was_asked_for(
    quality: int, halved: bool, photograph: np.ndarray
) -> None:
    data = Compress("jpeg", quality, halved).encode(photograph)
    assert estimate_jpeg_quality(data) == quality
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        sampling = image.layer[0][1:3]  # type: ignore[attr-defined]
    assert sampling == ((2, 2) if halved else (1, 1))


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_less_quality_is_less_like_the_original(
    kind: str, photograph: np.ndarray, generator: np.random.Generator
) -> None:
    errors = []
    for quality in (95, 60, 20):
        made = Compress(kind, quality).apply(photograph, generator)  # type: ignore[arg-type]
        assert made.shape == photograph.shape
        assert made.dtype == np.float32
        assert made.min() >= 0.0
        assert made.max() <= 1.0
        errors.append(float(np.square(made - photograph).mean()))
    assert all(less < more for less, more in pairwise(errors))
    assert errors[-1] < 0.02


def test_jpeg_quality_is_drawn_evenly(generator: np.random.Generator) -> None:
    ranges = CompressionRange(probability=0.9, quality=(40, 90), webp=0.2, halved=0.5)
    drawn = [ranges.draw(generator) for _ in range(3000)]
    files = [compress for compress in drawn if compress is not None]
    assert len(files) / 3000 == pytest.approx(0.9, abs=0.02)
    quality = np.array([compress.quality for compress in files])
    assert quality.min() >= 40
    assert quality.max() <= 90
    quarters = np.histogram(quality, bins=[40, 52.5, 65, 77.5, 90.5])[0] / len(files)
    np.testing.assert_allclose(quarters, 0.25, atol=0.04)
    assert np.mean([c.kind == "webp" for c in files]) == pytest.approx(0.2, abs=0.03)
    jpegs = [compress for compress in files if compress.kind == "jpeg"]
    assert np.mean([c.halved for c in jpegs]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("name", ["area", "bilinear", "bicubic"])
def test_resizing_keeps_brightness_and_place(
    name: str, antialias: bool, generator: np.random.Generator
) -> None:
    y, x = np.mgrid[:96, :96].astype(np.float32)
    blob = np.exp(-((x - 30.0) ** 2 + (y - 60.0) ** 2) / (2 * 6.0**2))
    pixels = np.repeat(blob[..., None], 3, axis=2)
    step = Resize((64, 64), name, antialias)  # type: ignore[arg-type]
    small = step.apply(pixels, generator)
    assert small.shape == (64, 64, 3)
    assert small.dtype == np.float32
    assert small.mean() == pytest.approx(pixels.mean(), rel=0.02)
    weights = small[..., 0] / small[..., 0].sum()
    rows, columns = np.mgrid[:64, :64]
    # Pixel centres lie at half numbers of the side.
    assert ((weights * rows).sum() + 0.5) * 1.5 - 0.5 == pytest.approx(60.0, abs=0.15)
    assert ((weights * columns).sum() + 0.5) * 1.5 - 0.5 == pytest.approx(30.0, abs=0.15)


def test_only_without_antialiasing_does_fine_detail_survive_as_jags(
    generator: np.random.Generator,
) -> None:
    stripes = np.zeros((90, 90, 3), np.float32)
    stripes[:, ::2] = 1.0
    smooth = Resize((40, 40), "bilinear").apply(stripes, generator)
    jagged = Resize((40, 40), "bilinear", antialias=False).apply(stripes, generator)
    assert jagged[5:-5, 5:-5].std() > 4 * smooth[5:-5, 5:-5].std()


def test_sizes_are_drawn_around_the_final_one(generator: np.random.Generator) -> None:
    ranges = ResizeRange(probability=0.5, factor=(0.5, 2.0))
    drawn = [ranges.draw(generator, (256, 128), (128, 64)) for _ in range(2000)]
    sizes = np.array([resize.size for resize in drawn if resize is not None])
    assert len(sizes) / 2000 == pytest.approx(0.5, abs=0.04)
    assert sizes[:, 0].min() >= 64
    assert sizes[:, 0].max() <= 256
    np.testing.assert_allclose(sizes[:, 0] / sizes[:, 1], 2.0, atol=0.05)
    assert np.median(sizes[:, 0]) == pytest.approx(128, rel=0.1)


def test_nothing_is_enlarged_by_area(generator: np.random.Generator) -> None:
    steps = [ResizeRange().to(generator, (50, 50), (64, 64)) for _ in range(100)]
    assert {step.filter for step in steps} == {"bilinear", "bicubic"}


def test_the_two_encodings_are_each_others_inverse() -> None:
    levels = np.linspace(0.0, 1.0, 256, dtype=np.float32).reshape(16, 16, 1)
    np.testing.assert_allclose(encoded(linear(levels)), levels, atol=0.2 / 255.0)
    # IEC 61966-2-1: half the code is about a fifth of the light.
    assert linear(np.full((1, 1, 1), 0.5, np.float32)).item() == pytest.approx(0.21404, abs=1e-4)


def test_low_light_has_shot_and_read_noise_in_linear_light(generator: np.random.Generator) -> None:
    step = LowLight(exposure=0.25, photons=4000.0, read=5.0, gain=1.0)
    for level in (0.3, 0.7):
        made = step.apply(flat(level), generator)
        assert made.dtype == np.float32
        light, full = linear(made), 4000.0 * 0.25
        truth = float(linear(flat(level, 1))[0, 0, 0])
        assert light.mean() == pytest.approx(truth, rel=0.01)
        want = math.sqrt(truth * full + 5.0**2) / full
        assert light.std() == pytest.approx(want, rel=0.04)


def test_without_gain_the_picture_stays_dark(generator: np.random.Generator) -> None:
    made = LowLight(0.25, 1e5, 0.0, gain=0.0).apply(flat(0.6), generator)
    truth = 0.25 * float(linear(flat(0.6, 1))[0, 0, 0])
    assert linear(made).mean() == pytest.approx(truth, rel=0.02)


def test_by_default_low_light_does_not_change_the_tones(generator: np.random.Generator) -> None:
    drawn = [LowLightRange(probability=1.0).draw(generator) for _ in range(50)]
    assert all(step is not None and step.gain == 1.0 for step in drawn)


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (NoiseRange, {"level": (5.0, 1.0)}, "level must rise"),
        (NoiseRange, {"grey": -0.1}, "grey is a probability"),
        (CompressionRange, {"quality": (0, 90)}, "quality must rise and lie in 1 to 100"),
        (ResizeRange, {"factor": (0.01, 1.0)}, "factor must rise and lie in"),
        (LowLightRange, {"exposure": (0.5, 2.0)}, "exposure must rise and lie in"),
    ],
)
def test_impossible_ranges_are_refused(
    make: type, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_steps_say_what_they_do() -> None:
    assert str(Compress("jpeg", 60, True)) == "JPEG quality 60, 4:2:0"
    assert str(Compress("webp", 60)) == "WebP quality 60"
    assert str(Noise("gaussian", 3.0, True)) == "grey gaussian noise, 3.0 levels"
    assert str(Resize((10, 20), "area")) == "area to 20x10"
    assert "1000 e- at white" in str(LowLight(0.25, 4000.0, 5.0, 1.0))
