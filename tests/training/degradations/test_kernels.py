from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special

from hyperfocal.training.degradations import Blur, BlurRange
from hyperfocal.training.degradations.kernels import (
    _bessel_j1,
    convolve,
    gaussian,
    generalised,
    plateau,
    sinc,
)

SIGMAS = st.floats(0.05, 4.0)
RATIOS = st.floats(0.3, 1.0)
ANGLES = st.floats(0.0, math.pi)


@given(SIGMAS, RATIOS, ANGLES, st.floats(0.5, 4.0), st.sampled_from([generalised, plateau]))
@settings(max_examples=40)
def test_kernels_sum_to_one_and_look_the_same_upside_down(
    sigma: float, ratio: float, angle: float, shape: float, make: object
) -> None:
    kernel = make(sigma, ratio, angle, shape)  # type: ignore[operator]
    assert kernel.dtype == np.float32
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert kernel.min() >= 0.0
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.5])
def test_a_gaussian_has_the_covariance_asked_for(angle: float) -> None:
    kernel = generalised(2.5, 0.5, angle, 1.0).astype(np.float64)
    radius = kernel.shape[0] // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    found = np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [0.0, (kernel * y * y).sum()]]
    )
    found[1, 0] = found[0, 1]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    want = turn @ np.diag([2.5**2, 1.25**2]) @ turn.T
    # Cut off at three deviations, it has lost some hundredths of its variance.
    np.testing.assert_allclose(found, want, atol=0.04 * 2.5**2)


def test_shape_one_is_the_gaussian_and_a_higher_one_is_flatter() -> None:
    np.testing.assert_array_equal(generalised(1.5, 1.0, 0.0, 1.0), gaussian(1.5))
    flat, sharp = generalised(2.0, 1.0, 0.0, 4.0), generalised(2.0, 1.0, 0.0, 1.0)
    middle = flat.shape[0] // 2
    assert flat[middle, middle + 1] / flat[middle, middle] > 0.99
    assert sharp[middle, middle + 1] / sharp[middle, middle] < 0.9


def test_bessel_is_that_of_scipy() -> None:
    x = np.linspace(0.0, 60.0, 500)
    np.testing.assert_allclose(_bessel_j1(x), special.j1(x), atol=1e-12)


def test_a_sinc_passes_what_is_below_its_cutoff_and_stops_what_is_above() -> None:
    kernel = sinc(math.pi / 2, 10).astype(np.float64)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-7)
    assert kernel.min() < 0.0
    response = np.abs(np.fft.fft2(kernel, (128, 128)))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128) * 2 * math.pi] * 2))
    assert response[frequency < 0.3 * math.pi].min() > 0.8
    assert response[frequency > 0.75 * math.pi].max() < 0.1


@pytest.mark.parametrize("size", [(40, 33), (7, 9), (64, 64)])
def test_blurring_is_convolution_with_a_reflected_border(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.random((*size, 3), dtype=np.float32)
    kernel = generalised(1.2, 0.4, 0.7, 1.5)
    found = convolve(pixels, kernel)
    assert found.shape == pixels.shape
    assert found.dtype == np.float32
    want = np.stack(
        [ndimage.convolve(pixels[..., c], kernel, mode="reflect") for c in range(3)], axis=-1
    )
    np.testing.assert_allclose(found, want, atol=2e-6)


def test_drawn_blurs_keep_to_their_ranges() -> None:
    ranges = BlurRange(probability=0.7, sigma=(0.3, 0.9), ratio=(0.5, 0.8), anisotropic=0.5)
    generator = np.random.default_rng(1)
    drawn = [ranges.draw(generator, 2.0) for _ in range(2000)]
    blurs = [blur for blur in drawn if blur is not None]
    assert len(blurs) / len(drawn) == pytest.approx(0.7, abs=0.04)
    share = {kind: sum(b.kind == kind for b in blurs) / len(blurs) for kind in ("sinc", "plateau")}
    assert share["sinc"] == pytest.approx(ranges.sinc, abs=0.03)
    assert share["plateau"] == pytest.approx(ranges.plateau, abs=0.03)
    others = [blur for blur in blurs if blur.kind != "sinc"]
    # Twice the resolution, twice the pixels.
    assert all(0.6 <= blur.sigma <= 1.8 for blur in others)
    assert np.mean([blur.sigma for blur in others]) == pytest.approx(1.2, abs=0.05)
    assert np.mean([blur.ratio < 1.0 for blur in others]) == pytest.approx(0.5, abs=0.05)
    assert all(blur.ratio == 1.0 or 0.5 <= blur.ratio <= 0.8 for blur in others)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probability": 1.5}, "probability is a probability"),
        ({"sigma": (2.0, 1.0)}, "sigma must rise"),
        ({"ratio": (0.5, 1.5)}, "ratio must rise and lie in"),
        ({"generalised": 0.6, "plateau": 0.6}, "more than all blurs"),
    ],
)
def test_impossible_ranges_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlurRange(**changes)  # type: ignore[arg-type]


def test_a_blur_says_what_it_is() -> None:
    assert str(Blur("gaussian", 1.25)) == "gaussian blur, sigma 1.25 px"
    assert "cutoff 0.50" in str(Blur("sinc", 0.0, cutoff=math.pi / 2))
