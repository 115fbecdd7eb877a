"""Channels made fainter for int8: the same net, and less noise where the result feels it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_graph import ceiled_like, picture, run, trained_like
from torch.nn import functional as F

from hyperfocal.training.balance import balance, balanced, feel
from hyperfocal.training.calibrate import Observed, observe
from hyperfocal.training.graph import build
from hyperfocal.training.weights import Folded, fold

SHAPES = [(2, 16, 2, 1), (3, 16, 1, 1), (4, 16, 2, 2)]
BT_601 = np.array([65.481, 128.553, 24.966]) / 255.0


def one_faint(shape: tuple[int, int, int, int]) -> Folded:
    """A net one of whose channels is faint after every ReLU, and read by large weights for that."""
    folded = fold(trained_like(*shape))
    faint = [np.ones(len(kernel)) for kernel, _ in folded.layers[:-1]]
    for factor in faint:
        factor[3] = 1.0 / 16.0
    return balanced(folded, faint, [None] * len(folded.layers))[0]


def seen_by(folded: Folded) -> tuple[np.ndarray, Observed]:
    x = picture(192, 240)
    return x, observe(folded, [x[0].transpose(1, 2, 0)])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_balanced_net_makes_the_same(shape: tuple[int, int, int, int]) -> None:
    folded, drawn = fold(trained_like(*shape)), np.random.default_rng(2)
    factors = [drawn.uniform(0.2, 1.0, len(kernel)) for kernel, _ in folded.layers[:-1]]
    x, seen = seen_by(folded)
    fainter, products = balanced(folded, factors, seen.products)
    np.testing.assert_allclose(run(build(fainter), x), run(build(folded), x), atol=2e-6)
    # And its products are what would be seen of it.
    for of_inputs, anew in zip(
        products, observe(fainter, [x[0].transpose(1, 2, 0)]).products, strict=True
    ):
        np.testing.assert_allclose(of_inputs, anew, rtol=1e-4, atol=1e-9)


def test_without_ceilings_which_channels_do_not_share_any_more() -> None:
    net, _ = ceiled_like(SHAPES[0])
    folded = fold(net)
    ones = [np.ones(16)] * (len(folded.layers) - 1)
    assert folded.ceilings is not None
    made, products = balanced(folded, ones, [None] * len(folded.layers))
    assert made.ceilings is None
    assert products == (None,) * len(folded.layers)


@pytest.mark.parametrize("at", [0, 1, 3])
@torch.no_grad()
def test_noise_is_felt_as_told(at: int) -> None:
    """Noise in a channel's sums, and in activations, makes as much in the luma of the result."""
    folded = fold(trained_like(2, 16, 2, 1))
    x = picture(72, 72)
    felt = feel(folded, [x[0].transpose(1, 2, 0)] * 64)
    drawn = torch.Generator().manual_seed(3)

    def made(sums: float = 0.0, entering: float = 0.0) -> np.ndarray:
        inputs = F.pad(torch.tensor(x), (1,) * 4, mode="replicate")
        for index, (kernel, bias) in enumerate(folded.layers):
            if index == at:
                inputs[:, 2] += entering * torch.randn(inputs[:, 2].shape, generator=drawn)
            weights = torch.tensor(kernel), torch.tensor(bias)
            outputs = F.conv2d(inputs, *weights, padding=min(index, 1))
            if index == at:
                outputs[:, 2] += sums * torch.randn(outputs[:, 2].shape, generator=drawn)
            inputs = outputs.clamp(min=0.0)
        rgb = F.pixel_shuffle(outputs, folded.scale)[0].permute(1, 2, 0).numpy()
        return rgb.astype(np.float64) @ BT_601

    def variance(**noise: float) -> float:
        return float(np.mean([np.square(made(**noise) - made()).mean() for _ in range(24)]))

    small = 1e-3
    assert variance(sums=small) == pytest.approx(felt.sums[at][2] * small**2, rel=0.1)
    if at:
        told = felt.activations[at - 1][2] * small**2
        assert variance(entering=small) == pytest.approx(told, rel=0.1)


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_nearer_to_float_where_one_channel_is_faint(
    shape: tuple[int, int, int, int],
) -> None:
    folded = one_faint(shape)
    x, seen = seen_by(folded)
    ranges, want = seen.ranges[0.0], run(build(folded), x)
    factors = balance(folded, ranges, seen.products, feel(folded, [x[0].transpose(1, 2, 0)] * 8))
    for factor in factors:
        assert factor.shape == (16,)
        assert factor.max() <= 1.0
        # The others are made fainter, and it is not.
        assert factor[3] == 1.0
        assert np.median(factor) < 1.0

    def error(net: Folded, products: tuple[np.ndarray | None, ...]) -> float:
        return float(np.square(run(build(net, ranges, products), x) - want).mean())

    assert error(*balanced(folded, factors, seen.products)) < 0.7 * error(folded, seen.products)


def test_nothing_is_changed_where_too_little_was_seen() -> None:
    folded = fold(trained_like(*SHAPES[0]))
    small = picture(24, 30)[0].transpose(1, 2, 0)
    seen = observe(folded, [small])
    factors = balance(folded, seen.ranges[0.0], seen.products, feel(folded, [small]))
    for factor in factors:
        np.testing.assert_array_equal(factor, np.ones(16))


def test_channels_that_are_never_heard_are_no_trouble() -> None:
    folded = fold(trained_like(*SHAPES[0]))
    (kernel, bias), *others = folded.layers
    bias = np.where(np.arange(16) == 5, np.float32(-100.0), bias)
    silent = replace(folded, layers=((kernel, bias), *others))
    x, seen = seen_by(silent)
    factors = balance(
        silent, seen.ranges[0.0], seen.products, feel(silent, [x[0].transpose(1, 2, 0)])
    )
    made = run(build(*_for_build(silent, factors, seen)), x)
    assert np.isfinite(made).all()
    assert np.sqrt(np.square(made - run(build(silent), x)).mean()) < 1.5 / 255.0


def _for_build(folded: Folded, factors: tuple[np.ndarray, ...], seen: Observed):
    fainter, products = balanced(folded, factors, seen.products)
    return fainter, seen.ranges[0.0], products
