from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.quality import imresize
from hyperfocal.training.nets.plain import MergedConv, PlainNet
from hyperfocal.training.weights import fold


def zero_tail(net: PlainNet) -> PlainNet:
    torch.nn.init.zeros_(net.tail.direct)
    if net.tail.point is not None:
        torch.nn.init.zeros_(net.tail.point)
    return net.eval()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("unshuffle", [1, 2])
@torch.no_grad()
def test_an_untrained_tail_gives_bicubic(scale: int, unshuffle: int) -> None:
    net = zero_tail(PlainNet(scale, 8, 1, unshuffle))
    picture = np.random.default_rng(0).random((20, 26, 3))
    made = net(torch.tensor(picture.transpose(2, 0, 1))[None].float())[0].permute(1, 2, 0).numpy()
    inner = (slice(2 * scale, -2 * scale),) * 2
    assert np.abs(made - imresize(picture, scale))[inner].max() < 1e-5


@pytest.mark.parametrize("channels", [8, 12, 16])
@torch.no_grad()
def test_an_untrained_net_is_near_bicubic(channels: int) -> None:
    """With 12 channels too, which is as many as there are outputs."""
    torch.manual_seed(0)
    net, x = PlainNet(2, channels, 2).eval(), torch.rand(1, 3, 20, 26)
    off = net(x) - zero_tail(PlainNet(2, 8, 1))(x)
    assert 0.0 < float(off.square().mean().sqrt()) < 0.03


@torch.no_grad()
def test_borders_do_not_darken() -> None:
    net = zero_tail(PlainNet(2, 8, 1, 2))
    white = net(torch.ones(1, 3, 8, 8))
    assert torch.allclose(white, torch.ones_like(white), atol=1e-5)


def test_every_parameter_has_a_gradient() -> None:
    net = PlainNet(2, 8, 2)
    net(torch.rand(2, 3, 12, 12)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@torch.no_grad()
def test_loading_folded_kernels_changes_nothing() -> None:
    source, target = (MergedConv(8, 8, 32, skip=True) for _ in range(2))
    target.load_folded(source.kernel(), source.bias)
    x = torch.rand(1, 8, 9, 9)
    assert torch.allclose(source(x), target(x), atol=1e-5)


@settings(max_examples=10)
@given(
    scale=st.sampled_from([2, 4]),
    unshuffle=st.sampled_from([1, 2]),
    depth=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_nothing_beyond_the_radius_matters(
    scale: int, unshuffle: int, depth: int, seed: int
) -> None:
    torch.manual_seed(seed)
    net = PlainNet(scale, 8, depth, unshuffle).eval()
    radius = fold(net).radius
    side = 4 * radius + 8 * unshuffle
    side += -side % unshuffle
    picture, at = torch.rand(1, 3, side, side), side // 2
    changed = picture.clone()
    changed[..., at, at] = 1.0 - changed[..., at, at]
    with torch.no_grad():
        rows = (net(picture) - net(changed)).abs().amax(dim=(0, 1, 3)).nonzero().flatten()
    reach = torch.stack([at - rows.min() // scale, rows.max() // scale - at]).max()
    assert 0 < int(reach) <= radius
