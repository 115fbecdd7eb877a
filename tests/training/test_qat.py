"""Quantisation-aware training: the net computes what the int8 graph will."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from test_graph import SHAPES, picture, run

from hyperfocal.errors import SettingsError
from hyperfocal.training.balance import balance, balanced, feel
from hyperfocal.training.calibrate import observe, training_pictures
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.fit import first_net, fit
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.nets.rounding import rounded, whole_bias, whole_kernel
from hyperfocal.training.nets.steps import neighbours
from hyperfocal.training.pairing import arranged
from hyperfocal.training.quantise import least_steps
from hyperfocal.training.stored import load_average
from hyperfocal.training.weights import fold, read_onnx


def trained_like(scale: int, channels: int, depth: int, unshuffle: int) -> PlainNet:
    """A net in training whose every weight matters, with ranges that clip a little."""
    torch.manual_seed(1)
    net = PlainNet(scale, channels, depth, unshuffle, qat=True).eval()
    for layer in net.convolutions:
        torch.nn.init.normal_(layer.bias, std=0.04)
    torch.nn.init.normal_(net.tail.direct, std=0.02)
    net.set_ranges([1.5 - 0.1 * index for index in range(depth + 1)])
    return net


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_the_net_computes_what_the_int8_graph_does(shape: tuple[int, int, int, int]) -> None:
    net, x = trained_like(*shape), picture()
    want = net(torch.tensor(x)).clamp(0, 1).numpy()
    folded = fold(net)
    off = np.abs(run(build(folded, net.ranges), x) - want) * 255.0
    assert off.max() < 0.01
    float_off = np.abs(run(build(folded), x) - want) * 255.0
    assert float_off.mean() > 2.0 * off.mean()


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_float_weights_end_where_the_training_did(shape: tuple[int, int, int, int]) -> None:
    net, x = trained_like(*shape), picture()
    # Most activations are above these.
    net.set_ranges([0.2] * (shape[2] + 1))
    want, folded = run(build(fold(net), net.ranges), x), fold(net)
    off = np.abs(run(build(folded), x) - want).mean()
    unending = np.abs(run(build(replace(folded, ceilings=None)), x) - want).mean()
    assert off < 0.2 * unending


def test_every_parameter_has_a_gradient() -> None:
    net = trained_like(2, 16, 2, 1)
    net(torch.rand(2, 3, 12, 12)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_rounding_stops_gradients_only_where_it_clips() -> None:
    x = torch.tensor([-3.0, 0.4, 100.6, 254.9, 300.0], requires_grad=True)
    y = rounded(x)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 101.0, 255.0, 255.0]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_a_range_has_the_gradient_of_learned_step_size() -> None:
    reach = torch.tensor(2.0, requires_grad=True)
    x = torch.tensor([0.3, 1.7, 5.0])
    step = reach / 255.0
    made = rounded(x / step) * step
    made.sum().backward()
    inside = x[:2]
    kept = torch.round(inside / 2.0 * 255.0) / 255.0
    want = (kept - inside / 2.0).sum() + 1.0
    assert reach.grad is not None
    assert float(reach.grad) == pytest.approx(float(want), abs=1e-5)


def filled(whole: torch.Tensor) -> torch.Tensor:
    """What share of the steps that there are each output channel uses."""
    rows = whole.detach().double().flatten(1).numpy()
    return torch.from_numpy(least_steps(rows, neighbours(whole.shape[1], whole.shape[2])))


def test_kernels_become_whole_steps() -> None:
    kernel = torch.randn(4, 3, 3, 3, requires_grad=True)
    whole, step = whole_kernel(kernel)
    assert torch.equal(whole, whole.round())
    assert whole.abs().max() <= 127.0
    # As fine as they can be.
    assert bool((filled(whole) > 0.99).all())
    off = (whole * step[:, None, None, None] - kernel).abs()
    assert bool((off <= step[:, None, None, None] * 0.5001).all())
    (whole * step[:, None, None, None]).sum().backward()
    assert kernel.grad is not None
    assert torch.allclose(kernel.grad, torch.ones_like(kernel))


def test_steps_around_a_kernel_make_its_gain_one_over_an_odd_number() -> None:
    torch.manual_seed(7)
    kernel, ratio = torch.randn(6, 4, 3, 3), torch.tensor(1.3)
    whole, step = whole_kernel(kernel, ratio)
    count = ratio / step
    assert torch.allclose(count, count.round(), rtol=1e-5)
    assert bool((count.round() % 2 == 1).all())
    # As fine as they can be: the largest weights keep nearly all of the steps there are.
    assert bool((filled(whole) > 1 - 2 / count - 1 / 128).all())
    bias = torch.tensor([0.3, -0.7], requires_grad=True)
    moved = whole_bias(bias, torch.tensor([1 / 301, 1 / 77]))
    assert torch.allclose(moved * torch.tensor([301.0, 77.0]), torch.tensor([90.0, -54.0]))
    moved.sum().backward()
    assert bias.grad is not None
    assert bias.grad.tolist() == [1.0, 1.0]


def test_goes_on_from_a_float_net_and_exports_its_own_ranges(
    experiment_file: Path, tmp_path: Path
) -> None:
    plain = Experiment.read(experiment_file)
    fit(plain, tmp_path / "float", progress=False, tracking=False)
    first = export(tmp_path / "float" / "best.ckpt", tmp_path / "first")
    assert first.clipped_share is not None
    # Rounded by what convolutions see.
    folded = read_onnx(tmp_path / "first" / "tiny-x2.float.onnx")
    seen = observe(folded, training_pictures(plain, 48))
    assert any(each is not None for each in seen.products)
    shipped = onnx.load(tmp_path / "first" / "tiny-x2.int8.onnx")
    ranges = seen.ranges[first.clipped_share]
    felt = feel(folded, training_pictures(plain, 48))
    factors = balance(folded, ranges, seen.products, felt)
    likely = [
        build(moved, ranges, products)
        for moved, products in (
            arranged(folded, seen.products, felt.sums),
            arranged(*balanced(folded, factors, seen.products), felt.with_fainter(factors)),
        )
    ]
    assert shipped in likely
    assert shipped != build(folded, ranges)
    start = tmp_path / "first" / "tiny-x2.float.onnx"
    text = experiment_file.read_text()
    text = text.replace("[net]", f'[net]\nqat = true\nstart = "{start}"')
    text = text.replace("rate = 4e-3", "rate = 2e-4").replace("steps = 250", "steps = 40")
    again = experiment_file.with_name("qat.toml")
    again.write_text(text)
    fit(Experiment.read(again), tmp_path / "qat", progress=False, tracking=False)
    second = export(tmp_path / "qat" / "best.ckpt", tmp_path / "second")
    assert second.clipped_share is None
    _, net, _ = load_average(tmp_path / "qat" / "best.ckpt")
    assert isinstance(net, PlainNet)
    assert net.ranges is not None
    # Neither lost the float net: a range far off would cost decibels.
    assert second.validation["int8"] > first.validation["int8"] - 0.1
    assert second.validation["float"] > first.validation["float"] - 0.2


@pytest.mark.parametrize("how", ["qat = true", "ceiled = 1e-4"])
@pytest.mark.parametrize("net", ["", 'start = "x.onnx"\nname = "depthpro-sr"'])
def test_what_cannot_be_trained_so_is_told(experiment_file: Path, net: str, how: str) -> None:
    text = experiment_file.read_text().replace("[net]", f"[net]\n{how}\n{net}")
    experiment_file.write_text(text)
    with pytest.raises(SettingsError, match=f"{how.split()[0]} is for plain nets"):
        Experiment.read(experiment_file)


def test_ranges_begin_where_activations_of_the_float_net_end(
    experiment_file: Path, tmp_path: Path
) -> None:
    plain = Experiment.read(experiment_file)
    net = first_net(plain)
    assert isinstance(net, PlainNet)
    # Far above one, where ranges lie that nobody has set.
    with torch.no_grad():
        net.head.direct.mul_(40.0)
    onnx.save(build(fold(net)), tmp_path / "loud.onnx")
    text = experiment_file.read_text()
    how = f'[net]\nqat = true\nstart = "{tmp_path / "loud.onnx"}"'
    experiment_file.write_text(text.replace("[net]", how))
    aware = first_net(Experiment.read(experiment_file))
    assert isinstance(aware, PlainNet)
    seen = observe(fold(net), training_pictures(plain, 16))
    assert aware.ranges == pytest.approx(seen.ranges[1e-4], rel=1e-4)
    assert max(aware.ranges) > 2.0


def test_ceilings_are_set_once_and_bound_the_ranges(experiment_file: Path, tmp_path: Path) -> None:
    plain = Experiment.read(experiment_file)
    onnx.save(build(fold(first_net(plain))), tmp_path / "free.onnx")

    def started(name: str, how: str) -> PlainNet:
        text = experiment_file.read_text()
        again = experiment_file.with_name("again.toml")
        again.write_text(text.replace("[net]", f'[net]\n{how}\nstart = "{tmp_path / name}"'))
        net = first_net(Experiment.read(again))
        assert isinstance(net, PlainNet)
        return net

    assert started("free.onnx", "").ceilings is None
    net = started("free.onnx", "ceiled = 5e-3")
    folded = fold(net)
    seen = observe(folded, training_pictures(plain, 16))
    assert seen.ranges[0.0] == pytest.approx(net.ceilings)
    onnx.save(build(folded), tmp_path / "ceiled.onnx")
    assert started("ceiled.onnx", "ceiled = 1e-2").ceilings == net.ceilings
    aware = started("ceiled.onnx", "qat = true")
    aware.set_ranges([2.0 * each for each in net.ceilings or ()])
    assert aware.ranges == pytest.approx(net.ceilings)
    aware(torch.tensor(picture())).square().sum().backward()
    assert aware.log_ranges is not None
    assert aware.log_ranges.grad is not None
    assert float(aware.log_ranges.grad.abs().min()) > 0.0
