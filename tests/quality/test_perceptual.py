from __future__ import annotations

import numpy as np
import pytest
from damage import blurred, darker, noisy, redder, stripes

from hyperfocal.errors import ArrayError
from hyperfocal.quality.perceptual import gmsd, haarpsi


def picture(seed: int, side: int = 96) -> np.ndarray:
    made = stripes(np.random.default_rng(seed), side, side)
    return np.rint(made * 255).astype(np.uint8)


# By piq 0.8.0 in float64 (functions gmsd and haarpsi, data_range 255), for these pictures.
@pytest.mark.parametrize(
    ("seed", "damage", "grey", "want_gmsd", "want_haarpsi"),
    [
        (0, noisy, False, 0.07975277697232679, 0.7871590918643238),
        (1, blurred, False, 0.10390162508358772, 0.7839439068985162),
        (2, redder, False, 0.0013246759493096424, 0.8334743773052099),
        (3, darker, True, 0.011825518517982542, 0.9872477148271315),
    ],
)
def test_figures_are_those_of_another_implementation(
    seed: int, damage: object, grey: bool, want_gmsd: float, want_haarpsi: float
) -> None:
    reference = picture(seed)
    if grey:
        reference = reference[..., 1]
    made = damage(reference)  # type: ignore[operator]
    assert gmsd(made, reference) == pytest.approx(want_gmsd, abs=1e-9)
    assert haarpsi(made, reference) == pytest.approx(want_haarpsi, abs=1e-9)


@pytest.mark.parametrize("side", [16, 33, 64])
def test_equal_pictures_are_perfect(side: int) -> None:
    same = picture(4, side)
    assert gmsd(same, same) == 0.0
    assert haarpsi(same, same) == pytest.approx(1.0, abs=1e-9)
    flat = np.full((side, side, 3), 90, np.uint8)
    assert haarpsi(flat, flat) == pytest.approx(1.0, abs=1e-9)
    assert haarpsi(np.zeros_like(flat), np.zeros_like(flat)) == 1.0


def test_more_noise_is_worse_and_the_order_does_not_matter() -> None:
    reference = picture(5)
    generator = np.random.default_rng(0)
    worse = [
        np.clip(reference + generator.normal(0, sigma, reference.shape), 0, 255).astype(np.uint8)
        for sigma in (3, 9, 27)
    ]
    deviations, similarities = ([f(made, reference) for made in worse] for f in (gmsd, haarpsi))
    assert deviations == sorted(deviations)
    assert similarities == sorted(similarities, reverse=True)
    assert gmsd(reference, worse[0]) == pytest.approx(deviations[0], abs=1e-12)
    assert haarpsi(reference, worse[0]) == pytest.approx(similarities[0], abs=1e-12)


def test_depth_does_not_matter() -> None:
    reference, made = picture(6), noisy(picture(6))
    deep = made.astype(np.uint16) * 257
    unit = made.astype(np.float32) / 255
    for figure in (gmsd, haarpsi):
        want = figure(made, reference)
        assert figure(deep, reference) == pytest.approx(want, abs=1e-9)
        assert figure(unit, reference) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("figure", [gmsd, haarpsi])
def test_what_cannot_be_compared_is_refused(figure: object) -> None:
    reference = picture(7)
    with pytest.raises(ArrayError, match="differ in shape"):
        figure(reference[:50], reference)  # type: ignore[operator]
    with pytest.raises(ArrayError, match="16x16"):
        figure(reference[:15], reference[:15])  # type: ignore[operator]
