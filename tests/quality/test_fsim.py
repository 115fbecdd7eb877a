from __future__ import annotations

import numpy as np
import pytest
from damage import blurred, darker, noisy, redder, stripes

from hyperfocal.errors import ArrayError
from hyperfocal.quality.fsim import _bank, _congruency, _viewed, fsim


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Stripes with grain: nowhere is there nothing."""
    generator = np.random.default_rng(seed)
    made = stripes(generator, height, width) * 255
    return np.clip(np.rint(made + generator.normal(0, 4, made.shape)), 0, 255).astype(np.uint8)


# By piq 0.8.0 in float64 (function fsim, data_range 255, chromatic where there is colour), for
# these pictures. Their numbers of pixels are odd: its median of an even number is the lower
# neighbour, not the mean of both. The last two are looked at from afar.
CASES = [
    (0, 97, 97, noisy, True, 0.8104052042260242),
    (1, 97, 81, blurred, True, 0.8772813278473167),
    (2, 101, 97, redder, False, 0.9767878826610155),
    (3, 97, 97, darker, False, 0.9958978127429247),
    (4, 403, 603, blurred, True, 0.9649491240861889),
    (5, 1031, 769, redder, False, 0.9858516412511058),
]


@pytest.mark.parametrize(("seed", "height", "width", "damage", "grey", "want"), CASES)
def test_figures_are_those_of_another_implementation(
    seed: int, height: int, width: int, damage: object, grey: bool, want: float
) -> None:
    reference = picture(seed, height, width)
    if grey:
        reference = reference[..., 1]
    made = damage(reference)  # type: ignore[operator]
    # That implementation has a smaller constant where there is nearly nothing.
    assert fsim(made, reference) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize(
    ("short", "by"), [(128, 1), (383, 1), (384, 2), (639, 2), (640, 3), (896, 4), (1152, 5)]
)
def test_large_pictures_are_reduced_as_the_authors_reduce_them(short: int, by: int) -> None:
    """MATLAB rounds halves away from zero."""
    assert _viewed(np.zeros((short + 90, short))).shape == ((short + 90) // by, short // by)


@pytest.mark.parametrize("side", [16, 33, 64])
def test_equal_pictures_are_perfect(side: int) -> None:
    same = picture(4, side, side)
    assert fsim(same, same) == pytest.approx(1.0, abs=1e-12)
    flat = np.full((side, side, 3), 90, np.uint8)
    assert fsim(flat, flat) == 1.0
    assert fsim(np.zeros_like(flat), np.zeros_like(flat)) == 1.0


def test_more_noise_is_worse_and_the_order_does_not_matter() -> None:
    reference = picture(5, 96, 80)
    worse = [noisy(reference, sigma) for sigma in (3.0, 9.0, 27.0)]
    found = [fsim(made, reference) for made in worse]
    assert found == sorted(found, reverse=True)
    assert found[0] < 1.0
    assert fsim(reference, worse[1]) == pytest.approx(found[1], abs=1e-12)


def test_depth_does_not_matter() -> None:
    reference = picture(6, 64, 64)
    made = noisy(reference)
    want = fsim(made, reference)
    assert fsim(made.astype(np.uint16) * 257, reference.astype(np.uint16) * 257) == want
    unit = made.astype(np.float32) / 255, reference.astype(np.float32) / 255
    assert fsim(*unit) == want


def test_an_opposite_colour_counts_by_the_real_part_of_the_root() -> None:
    # Of NTSC's two axes of colour, one is turned round; the other, and luma, are the same.
    to_rgb = np.linalg.inv(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    luma = picture(7, 97, 97)[..., :1] * 0.4 + 76.0
    away = to_rgb @ [0.0, 30.0, 0.0]
    first, second = (np.rint(luma + sign * away).astype(np.uint8) for sign in (1.0, -1.0))
    product = (200.0 - 2.0 * 30.0**2) / (200.0 + 2.0 * 30.0**2)
    want = (complex(product) ** 0.03).real
    assert want < abs(product) ** 0.03 - 0.004
    assert fsim(first, second) == pytest.approx(want, abs=0.002)


def test_features_are_at_edges_however_faint_and_not_in_noise() -> None:
    bank = _bank(16, 256)
    faint, strong = np.full((2, 16, 256), 100.0)
    faint[:, 128:] += 10.0
    strong[:, 128:] += 100.0
    seen, found = _congruency(faint, bank), _congruency(strong, bank)
    np.testing.assert_allclose(seen, found, atol=1e-3)
    assert found[:, 127:129].min() > 0.8
    assert found[:, 130:150].max() < 0.4
    grain = np.random.default_rng(3).normal(100.0, 10.0, (128, 128))
    assert _congruency(grain, _bank(128, 128)).mean() < 0.1


def test_what_cannot_be_compared_is_refused() -> None:
    reference = picture(7, 64, 64)
    with pytest.raises(ArrayError, match="differ in shape"):
        fsim(reference[:50], reference)
    with pytest.raises(ArrayError, match="16x16"):
        fsim(reference[:15], reference[:15])
