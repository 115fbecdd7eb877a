"""Channels in another order: the same net, and less of it lost by int8's pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from test_graph import picture, run, trained_like

from hyperfocal.training.calibrate import observe
from hyperfocal.training.graph import build
from hyperfocal.training.nets import steps
from hyperfocal.training.pairing import arranged, best_order
from hyperfocal.training.quantise import least_steps
from hyperfocal.training.weights import fold


def all_pairings(channels: list[int]) -> Iterator[list[int]]:
    if len(channels) < 2:
        yield channels
        return
    first, *rest = channels
    for other in rest:
        left = [each for each in rest if each != other]
        yield from ([first, other, *order] for order in all_pairings(left))
    if len(channels) % 2:
        yield from ([*order, first] for order in all_pairings(rest))


def lost(kernel: np.ndarray, order: np.ndarray | list[int], felt: np.ndarray) -> float:
    rows = kernel[:, order].reshape(len(kernel), -1).astype(np.float64)
    sets = steps.neighbours(kernel.shape[1], kernel.shape[2])
    return float(felt @ np.square(least_steps(rows, sets)))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 8])
def test_the_best_neighbours_are_found(count: int) -> None:
    drawn = np.random.default_rng(count)
    kernel = drawn.standard_t(3, size=(6, count, 3, 3)).astype(np.float32)
    felt = drawn.uniform(0.1, 4.0, 6)
    order = best_order(kernel, felt)
    assert sorted(order) == list(range(count))
    costs = [lost(kernel, each, felt) for each in all_pairings(list(range(count)))]
    # An exchange at a time does not always come to the best of all.
    assert min(costs) * (1 - 1e-9) <= lost(kernel, order, felt) <= min(costs) * 1.02
    if count == 8:
        assert lost(kernel, order, felt) < lost(kernel, list(range(count)), felt)


@pytest.mark.parametrize("shape", [(2, 16, 2, 1), (3, 16, 1, 1), (4, 16, 2, 2)])
def test_an_arranged_net_makes_the_same(shape: tuple[int, int, int, int]) -> None:
    folded, x = fold(trained_like(*shape)), picture(192, 240)
    image = x[0].transpose(1, 2, 0)
    seen = observe(folded, [image])
    felt = [np.ones(len(kernel)) for kernel, _ in folded.layers]
    moved, products = arranged(folded, seen.products, felt)
    assert any(
        not np.array_equal(one, other)
        for (one, _), (other, _) in zip(folded.layers, moved.layers, strict=True)
    )
    np.testing.assert_allclose(run(build(moved), x), run(build(folded), x), atol=2e-6)
    # And its products are what would be seen of it.
    for of_inputs, anew in zip(products, observe(moved, [image]).products, strict=True):
        np.testing.assert_allclose(of_inputs, anew, rtol=1e-4, atol=1e-9)
    # What is not known stays so.
    assert arranged(folded, [None] * len(felt), felt)[1] == (None,) * len(felt)
