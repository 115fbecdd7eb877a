"""Kernels in whole numbers: what they may change, and that they change less than rounding does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_graph import picture, run, trained_like

from hyperfocal.training.calibrate import observe
from hyperfocal.training.graph import build
from hyperfocal.training.quantise import whole
from hyperfocal.training.weights import fold


@pytest.fixture
def inputs() -> np.ndarray:
    """``(n, in * k * k)``: never negative and much alike, as patches of activations are."""
    generator = np.random.default_rng(1)
    alike = generator.normal(size=(4000, 6)) @ generator.normal(size=(6, 36))
    return np.maximum(alike + 0.3 * generator.normal(size=(4000, 36)), 0.0)


def products_of(inputs: np.ndarray) -> np.ndarray:
    ones = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    return ones.T @ ones / len(ones)


def sums(kernel: np.ndarray, bias: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return inputs @ kernel.reshape(len(kernel), -1).T + bias


@pytest.mark.parametrize("leaving", [None, 0.02])
def test_rounded_as_a_whole_the_sums_change_less(inputs: np.ndarray, leaving: float | None) -> None:
    generator = np.random.default_rng(2)
    kernel = generator.normal(size=(5, 4, 3, 3)).astype(np.float32)
    bias = generator.normal(size=5).astype(np.float32)
    want = sums(kernel, bias, inputs)

    def error(products: np.ndarray | None) -> float:
        found = whole(kernel, bias, entering=0.01, leaving=leaving, products=products)
        assert found.kernel.dtype == np.int8
        assert np.abs(found.kernel.astype(int)).max() <= 127
        made = found.kernel * found.steps[:, None, None, None]
        # No weight leaves its neighbourhood for the others' sake.
        assert np.abs(made - kernel).max() < 8 * found.steps.max()
        return float(np.square(sums(made, found.bias, inputs) - want).mean())

    assert error(products_of(inputs)) < 0.5 * error(None)


def test_without_products_every_weight_is_the_nearest(inputs: np.ndarray) -> None:
    kernel = np.random.default_rng(3).normal(size=(5, 4, 3, 3)).astype(np.float32)
    found = whole(kernel, np.zeros(5, np.float32), entering=0.01, leaving=None)
    made = found.kernel * found.steps[:, None, None, None]
    assert np.all(np.abs(made - kernel) <= 0.501 * found.steps[:, None, None, None])
    # Inputs that have nothing to do with each other cannot stand in for each other.
    apart = whole(kernel, found.bias, entering=0.01, leaving=None, products=np.eye(37))
    np.testing.assert_array_equal(apart.kernel, found.kernel)


def test_inputs_that_are_always_zero_are_no_trouble() -> None:
    kernel = np.ones((2, 4, 3, 3), np.float32)
    nothing = np.zeros((37, 37))
    nothing[-1, -1] = 1.0
    found = whole(kernel, np.ones(2, np.float32), entering=0.01, leaving=0.01, products=nothing)
    assert np.all(np.isfinite(found.bias))
    assert np.all(found.kernel > 0)


@pytest.mark.parametrize("unshuffle", [1, 2])
@torch.no_grad()
def test_an_int8_net_is_nearer_to_the_float_one_when_rounded_as_a_whole(unshuffle: int) -> None:
    folded, x = fold(trained_like(2, 16, 2, unshuffle)), picture(128, 192)
    seen = observe(folded, [x[0].transpose(1, 2, 0)])
    want = run(build(folded), x)

    def error(products: tuple[np.ndarray, ...] | None) -> float:
        return float(np.square(run(build(folded, seen.ranges[0.0], products), x) - want).mean())

    assert error(seen.products) < 0.9 * error(None)


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_products_are_of_what_convolutions_see(unshuffle: int) -> None:
    folded = fold(trained_like(2, 16, 2, unshuffle))
    seen = observe(folded, [np.full((40, 40, 3), 0.5, np.float32)])
    for (kernel, _), products in zip(folded.layers, seen.products, strict=True):
        assert products.shape == (kernel[0].size + 1,) * 2
        assert products[-1, -1] == pytest.approx(1.0)
    # Of a grey picture: every pixel is a half, and so is its product with the bias's one.
    np.testing.assert_allclose(seen.products[0][-1, :-1], 0.5, rtol=1e-6)
    np.testing.assert_allclose(seen.products[0][:-1, :-1], 0.25, rtol=1e-6)
