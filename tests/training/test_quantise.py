"""Kernels in whole numbers: what they may change, and that they change less than rounding does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_graph import picture, run, trained_like
from torch.nn import functional as F

from hyperfocal.training.calibrate import STRIDE, observe
from hyperfocal.training.graph import build
from hyperfocal.training.nets.rounding import whole_kernel
from hyperfocal.training.quantise import whole
from hyperfocal.training.weights import fold, strided


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


def test_without_products_every_weight_is_the_nearest() -> None:
    kernel = np.random.default_rng(3).normal(size=(5, 4, 3, 3)).astype(np.float32)
    found = whole(kernel, np.zeros(5, np.float32), entering=0.01, leaving=None)
    made = found.kernel * found.steps[:, None, None, None]
    assert np.all(np.abs(made - kernel) <= 0.501 * found.steps[:, None, None, None])
    # Inputs that have nothing to do with each other cannot stand in for each other.
    apart = whole(kernel, found.bias, entering=0.01, leaving=None, products=np.eye(37))
    np.testing.assert_array_equal(apart.kernel, found.kernel)


def layouts(kernel: np.ndarray, first: bool) -> list[np.ndarray]:
    """Weights ``(out, n)`` in the orders in which engines multiply them, filled up with zeros."""
    outputs, inputs = kernel.shape[:2]
    filled = np.zeros((outputs, -(-inputs // 4) * 4, *kernel.shape[2:]), int)
    filled[:, :inputs] = kernel
    pixels_first = filled.transpose(0, 2, 3, 1).reshape(outputs, -1)
    if not first:
        return [pixels_first]
    orders = [kernel.transpose(0, 2, 3, 1), kernel]
    return [pixels_first, *(np.pad(each.reshape(outputs, -1), ((0, 0), (0, 3))) for each in orders)]


@pytest.mark.parametrize("cell", [None, 1, 2])
@pytest.mark.parametrize("inputs", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("together", [False, True])
def test_no_two_neighbours_overflow_16_bits(cell: int | None, inputs: int, together: bool) -> None:
    if cell is not None:
        inputs = 3 * cell**2
    generator = np.random.default_rng(inputs)
    # Long tails, and whole channels of one sign, are where they would.
    kernel = generator.standard_t(3, size=(40, inputs, 3, 3)).astype(np.float32)
    kernel[:10] = np.abs(kernel[:10])
    samples = np.maximum(generator.normal(size=(900, inputs * 9)), 0.0)
    found = whole(
        kernel,
        np.zeros(40, np.float32),
        entering=0.01,
        leaving=None,
        products=products_of(samples) if together else None,
        cell=cell,
    )
    learnt, _ = whole_kernel(torch.from_numpy(kernel), torch.tensor(2.0), cell=cell)
    for numbers in (found.kernel, learnt.numpy().astype(np.int8)):
        pixels = numbers if cell is None else strided(numbers, cell)
        fullest = np.abs(pixels.astype(int)).max(axis=(1, 2, 3)) / 127
        assert fullest.max() <= 1
        for weights in layouts(pixels.astype(int), cell is not None):
            left, right = (weights[:, start : weights.shape[1] // 2 * 2 : 2] for start in (0, 1))
            # The loudest and the softest of all activations, both ways.
            sums = np.stack([a * left + b * right for a in (0, 255) for b in (0, 255)])
            assert sums.max() <= 32767
            assert sums.min() >= -32768
            fullest = np.maximum(fullest, np.abs(sums).max(axis=(0, 2)) / 32640)
        if numbers is found.kernel:
            # The rule costs steps, but no more than it has to.
            assert fullest.min() > 0.95


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
    folded, x = fold(trained_like(2, 16, 2, unshuffle)), picture(256, 320)
    seen = observe(folded, [x[0].transpose(1, 2, 0)])
    want = run(build(folded), x)

    def error(products: tuple[np.ndarray, ...] | None) -> float:
        return float(np.square(run(build(folded, seen.ranges[0.0], products), x) - want).mean())

    assert error(seen.products) < 0.9 * error(None)


def slanted(height: int, width: int) -> np.ndarray:
    """A picture ``(H, W, 3)`` that is different along every axis, and along every diagonal."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(0.31 * x + 0.12 * y), np.sin(0.9 * y), np.sign(np.sin(0.2 * x - 0.7 * y))]
    return np.stack(waves, axis=-1).astype(np.float32) * np.float32([0.4, 0.2, 0.3]) + 0.5


@pytest.mark.parametrize("unshuffle", [1, 2])
@torch.no_grad()
def test_products_tell_the_mean_square_of_every_convolution(unshuffle: int) -> None:
    folded, given = fold(trained_like(2, 16, 2, unshuffle)), slanted(240, 280)
    seen = observe(folded, [given])
    x = torch.tensor(given.transpose(2, 0, 1).copy())[None]
    edge = folded.layers[0][0].shape[2] // 2 * unshuffle
    x = F.pixel_unshuffle(F.pad(x, (edge,) * 4, mode="replicate"), unshuffle)
    for index, (kernel, bias) in enumerate(folded.layers):
        weights = torch.tensor(kernel), torch.tensor(bias)
        rows = np.concatenate([kernel.reshape(len(kernel), -1), bias[:, None]], axis=1)
        products = seen.products[index]
        assert products is not None
        told = np.einsum("oi,ij,oj->o", rows, products, rows)
        looked_at = F.conv2d(x, *weights, stride=STRIDE)[0].double()
        np.testing.assert_allclose(told, looked_at.square().mean(dim=(1, 2)), rtol=1e-4)
        x = F.relu(F.conv2d(x, *weights, padding=min(index, 1)))


def test_a_few_pixels_tell_no_products() -> None:
    folded = fold(trained_like(2, 16, 2, 1))
    assert observe(folded, [slanted(24, 30)]).products == (None,) * len(folded.layers)
    assert build(folded, [1.0] * 3, (None,) * 4) == build(folded, [1.0] * 3)
