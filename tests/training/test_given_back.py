"""What a result lacks of its input, given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from test_graph import picture, run, run_openvino, trained_like
from torch.nn import functional as F

from hyperfocal.quality.resize import imresize
from hyperfocal.training.calibrate import observe
from hyperfocal.training.consistency import REACH, correction, reduction
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.weights import Folded, fold, read_onnx, start_from

SCALES = (1, 2, 3, 4)


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    """Blobs in [0.2, 0.8], ``(height, width, 3)``: nothing of them is clipped."""
    noise = np.random.default_rng(seed).random((height // 4, width // 4, 3))
    return np.clip(imresize(noise, 4.0) * 0.6 + 0.2, 0.2, 0.8).astype(np.float32)


@pytest.mark.parametrize("scale", SCALES)
def test_the_reduction_is_imresize(scale: int) -> None:
    y = np.random.default_rng(scale).random((20 * scale, 24 * scale, 3)).astype(np.float32)
    blocks = y.reshape(20, scale, 24, scale, 3).transpose(1, 3, 4, 0, 2).reshape(1, -1, 20, 24)
    down, along = (torch.tensor(kernel) for kernel in reduction(scale))
    reduced = F.conv2d(F.conv2d(torch.tensor(blocks), down, padding=(2, 0)), along, padding=(0, 2))
    found = reduced[0].permute(1, 2, 0).numpy()
    want = imresize(y, 1.0 / scale)
    assert np.abs(found - want)[2:-2, 2:-2].max() < 2e-6


def wrong_where_it_can_be_seen(scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, and an answer that is off by blobs which its reduction shows."""
    hr = smooth(1, 24 * scale, 32 * scale)
    made = hr + 0.05 * (smooth(2, 24 * scale, 32 * scale) - 0.5)
    return imresize(hr, 1.0 / scale).astype(np.float32), made.astype(np.float32), hr


def corrected(lr: np.ndarray, made: np.ndarray, kernel: np.ndarray, scale: int) -> np.ndarray:
    """By loops over taps: no convolution, no shuffle."""
    lacking = lr - imresize(made, 1.0 / scale)
    lacking[:2], lacking[-2:], lacking[:, :2], lacking[:, -2:] = 0, 0, 0, 0
    around = np.pad(lacking, ((1, 1), (1, 1), (0, 0)))
    result = made.astype(np.float64).copy()
    for phase, taps in enumerate(kernel):
        row, column = divmod(phase, scale)
        for (y, x), tap in np.ndenumerate(taps):
            shifted = around[y : y + lr.shape[0], x : x + lr.shape[1]]
            result[row::scale, column::scale] += tap * shifted
    return np.clip(result, 0.0, 1.0)


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_found_brings_the_answer_nearer(scale: int) -> None:
    lr, made, hr = wrong_where_it_can_be_seen(scale)
    kernel = correction([(lr, made, hr)], scale)
    assert kernel.shape == (scale**2, 3, 3)
    inner = (slice(REACH * scale, -REACH * scale),) * 2
    before = np.square(made - hr)[inner].mean()
    after = np.square(corrected(lr, made, kernel, scale) - hr)[inner].mean()
    assert after < 0.2 * before
    # The least squares: no other is better.
    other = kernel + np.float32(0.01) * np.random.default_rng(0).standard_normal(kernel.shape)
    assert np.square(corrected(lr, made, other, scale) - hr)[inner].mean() > after


def test_nothing_is_given_back_for_what_says_nothing() -> None:
    lr, made, hr = wrong_where_it_can_be_seen(2)
    assert np.abs(correction([(lr, hr, hr)], 2)).max() < 1e-3
    # Differences that have nothing to do with what is wrong.
    noise = np.random.default_rng(3).normal(0, 0.02, lr.shape).astype(np.float32)
    assert np.abs(correction([(lr + noise, hr, hr)], 2)).max() < 1e-3
    small = hr[:8, :8]
    assert not correction([(lr[:4, :4], small, small)], 2).any()
    assert np.abs(correction([(lr, made, hr)], 2)).max() > 0.1


def with_correction(scale: int = 2, depth: int = 2) -> Folded:
    folded = fold(trained_like(scale, 16, depth, 1))
    kernel = np.random.default_rng(7).normal(0.3, 0.2, (scale**2, 3, 3)).astype(np.float32)
    return replace(folded, correction=kernel)


@pytest.mark.parametrize("size", [(22, 30), (6, 5), (4, 9), (1, 1)])
@pytest.mark.parametrize("scale", SCALES)
def test_the_graph_gives_back_what_its_answer_lacks(scale: int, size: tuple[int, int]) -> None:
    folded, x = with_correction(scale), picture(*size)
    made = run(build(replace(folded, correction=None)), x)[0].transpose(1, 2, 0)
    lr = x[0].transpose(1, 2, 0)
    want = corrected(lr, made, folded.correction, scale)
    for found in (run(build(folded), x), run_openvino(build(folded), x)):
        assert np.abs(found[0].transpose(1, 2, 0) - want).max() < 2e-5
    if min(size) < 5:
        # No pixel of it is far enough from a border to be reduced to.
        assert np.array_equal(run(build(folded), x)[0].transpose(1, 2, 0), made)


def test_both_engines_agree_on_int8() -> None:
    folded, x = with_correction(), picture()
    ranges = observe(folded, [x[0].transpose(1, 2, 0)]).ranges[0.0]
    error = run_openvino(build(folded, ranges), x) - run(build(folded, ranges), x)
    assert np.sqrt((error**2).mean()) < 0.25 / 255.0
    assert np.abs(run(build(folded, ranges), x) - run(build(folded), x)).max() > 0.0


def test_no_pixel_matters_beyond_the_radius() -> None:
    folded, x = with_correction(), picture(40, 40)
    whole = run(build(folded), x)
    radius, scale = folded.radius, folded.scale
    assert radius == replace(folded, correction=None).radius + REACH
    part = run(build(folded), x[..., 20 - radius :, 20 - radius :])
    inner = part[..., radius * scale :, radius * scale :]
    assert np.abs(inner - whole[..., 20 * scale :, 20 * scale :]).max() < 1e-6
    less = radius - 1
    part = run(build(folded), x[..., 20 - less :, 20 - less :])
    inner = part[..., less * scale :, less * scale :]
    assert np.abs(inner - whole[..., 20 * scale :, 20 * scale :]).max() > 1e-6


def consistent_net(scale: int) -> PlainNet:
    plain = trained_like(scale, 16, 2, 1)
    net = PlainNet(scale, 16, 2, 1, consistent=True).eval()
    # A checkpoint of a net without a correction begins with none.
    net.load_state_dict(plain.state_dict())
    assert net.correction is not None
    assert not net.correction.any()
    torch.nn.init.normal_(net.correction, 0.3, 0.2)
    return net


@pytest.mark.parametrize("size", [(22, 30), (5, 6), (4, 9), (1, 1)])
@pytest.mark.parametrize("scale", SCALES)
@torch.no_grad()
def test_net_and_both_engines_agree(scale: int, size: tuple[int, int]) -> None:
    net, x = consistent_net(scale), picture(*size)
    want = net(torch.tensor(x)).clamp(0, 1).numpy()
    model = build(fold(net))
    for made in (run(model, x), run_openvino(model, x)):
        assert np.abs(made - want).max() < 0.01 / 255.0


def test_all_of_it_is_trained() -> None:
    net, x = consistent_net(2), torch.tensor(picture())
    # Far beyond what pixels can be, where the result is clipped: it must find its way back.
    net.tail.bias.data += 2.0
    made = net(x)
    made.sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0.0, name


@torch.no_grad()
def test_it_is_read_back_and_a_training_goes_on_from_it(tmp_path: Path) -> None:
    folded = with_correction()
    onnx.save(build(folded), tmp_path / "net.onnx")
    again = read_onnx(tmp_path / "net.onnx")
    np.testing.assert_array_equal(again.correction, folded.correction)
    net = PlainNet(2, 16, 2, 1).eval()
    assert start_from(net, again) == 4
    want = run(build(replace(folded, correction=None)), picture())
    assert np.abs(net(torch.tensor(picture())).clamp(0, 1).numpy() - want).max() < 1e-5
    # With it where the net is to have one.
    consistent = PlainNet(2, 16, 2, 1, consistent=True).eval()
    start_from(consistent, again)
    want = run(build(folded), picture())
    assert np.abs(consistent(torch.tensor(picture())).clamp(0, 1).numpy() - want).max() < 1e-5


@pytest.mark.parametrize("changes", [{"unshuffle": 2}, {"clipped": True}])
def test_other_nets_have_none(changes: dict[str, int | bool]) -> None:
    plain = fold(trained_like(2, 16, 2, **{"unshuffle": 1, **changes}))
    folded = replace(plain, correction=np.zeros((4, 3, 3), np.float32))
    with pytest.raises(ValueError, match="at the input's resolution"):
        build(folded)
