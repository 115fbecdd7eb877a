from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from hyperfocal.models.onnx_runtime import import_onnxruntime
from hyperfocal.models.openvino_graph import new_core
from hyperfocal.training.calibrate import ceilings, observe
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import GREY, PlainNet
from hyperfocal.training.nets.steps import odd_count
from hyperfocal.training.weights import fold, read_onnx, start_from

SHAPES = [(2, 16, 2, 1), (3, 16, 1, 1), (4, 16, 2, 2), (2, 16, 2, 2)]


def trained_like(
    scale: int, channels: int, depth: int, unshuffle: int, clipped: bool = False
) -> PlainNet:
    """A net whose every weight matters, as after training."""
    torch.manual_seed(1)
    net = PlainNet(scale, channels, depth, unshuffle, clipped=clipped).eval()
    for layer in net.convolutions:
        torch.nn.init.normal_(layer.bias, std=0.03)
    torch.nn.init.normal_(net.tail.direct, std=0.02)
    return net


def picture(height: int = 22, width: int = 30) -> np.ndarray:
    pixels = np.random.default_rng(5).integers(0, 256, (1, 3, height, width))
    return (pixels / 255.0).astype(np.float32)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = import_onnxruntime().InferenceSession(model.SerializeToString())
    return session.run(None, {"image": x})[0]


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_the_float_graph_is_the_net(shape: tuple[int, int, int, int], clipped: bool) -> None:
    net, x = trained_like(*shape, clipped), picture()
    want = net(torch.tensor(x)).clamp(0, 1).numpy()
    assert np.abs(run(build(fold(net)), x) - want).max() < 1e-5


def ceiled_like(shape: tuple[int, int, int, int]) -> tuple[PlainNet, np.ndarray]:
    """A net that loses a tenth of its activations at the top, and a picture."""
    net, x = trained_like(*shape), picture()
    net.set_ceilings(ceilings(fold(net), [x[0].transpose(1, 2, 0)], 0.1))
    return net, x


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_activations_end_at_their_ceilings_in_net_and_engines(
    shape: tuple[int, int, int, int],
) -> None:
    net, x = ceiled_like(shape)
    want = net(torch.tensor(x)).clamp(0, 1).numpy()
    for made in (run(build(fold(net)), x), run_openvino(build(fold(net)), x)):
        assert np.abs(made - want).max() < 0.01 / 255.0
    # They change what is made, and int8 keeps to them even where it is told wider ranges.
    free = trained_like(*shape)(torch.tensor(x)).clamp(0, 1).numpy()
    assert np.abs(free - want).max() > 1.0 / 255.0
    wide = [2.0 * ceiling for ceiling in net.ceilings or ()]
    assert build(fold(net), wide) == build(fold(net), net.ceilings)
    error = run(build(fold(net), wide), x) - want
    assert np.sqrt((error**2).mean()) < np.sqrt(((free - want) ** 2).mean())


@torch.no_grad()
def test_ceilings_are_exceeded_by_their_share() -> None:
    net, pictures = trained_like(2, 16, 2, 1), [picture(40, 60), picture(90, 30)]
    seen = [one[0].transpose(1, 2, 0) for one in pictures]
    few, many = (ceilings(fold(net), seen, share) for share in (0.01, 0.1))
    assert len(few) == 3
    assert all(a > b for a, b in zip(few, many, strict=True))
    padded = (
        torch.nn.functional.pad(torch.tensor(x), (2,) * 4, mode="replicate") for x in pictures
    )
    first = torch.cat([net.head(x - GREY).relu().flatten() for x in padded])
    assert float((first > many[0]).float().mean()) == pytest.approx(0.1, abs=0.01)


@torch.no_grad()
def test_a_layer_that_is_rarely_active_has_no_ceiling() -> None:
    net, seen = trained_like(2, 16, 2, 1), picture()[0].transpose(1, 2, 0)
    net.body[0].bias.fill_(-100.0)
    found = ceilings(fold(net), [seen], 0.01)
    assert [math.isinf(each) for each in found] == [False, True, False]
    net.set_ceilings(found)
    want = net(torch.tensor(picture())).clamp(0, 1).numpy()
    assert np.abs(run(build(fold(net)), picture()) - want).max() < 0.01 / 255.0


@torch.no_grad()
def test_ceilings_go_with_the_weights(tmp_path: Path) -> None:
    net, x = ceiled_like((2, 8, 2, 1))
    onnx.save(build(fold(net)), tmp_path / "net.onnx")
    stored = read_onnx(tmp_path / "net.onnx")
    assert stored.ceilings == net.ceilings
    larger = PlainNet(2, 12, 4, 1).eval()
    start_from(larger, stored)
    assert torch.allclose(net(torch.tensor(x)), larger(torch.tensor(x)), atol=1e-5)
    # Through a checkpoint, also one from before there were any.
    again = PlainNet(2, 8, 2, 1)
    again.load_state_dict(net.state_dict())
    assert again.ceilings == net.ceilings
    again.load_state_dict({k: v for k, v in net.state_dict().items() if "ceilings" not in k})
    assert again.ceilings is None
    del (model := build(fold(net))).graph.initializer[:]
    model.graph.initializer.extend(
        one for one in build(fold(net)).graph.initializer if one.name != "conv1.ceiling"
    )
    onnx.save(model, tmp_path / "half.onnx")
    with pytest.raises(ValueError, match="ceilings for some activations only"):
        read_onnx(tmp_path / "half.onnx")


def run_openvino(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    core = new_core()
    graph = core.read_model(model.SerializeToString())
    return core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]


@pytest.mark.parametrize("size", [(22, 30), (64, 16), (8, 8)])
@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_net_and_both_engines_agree(
    shape: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    net, x = trained_like(*shape), picture(*size)
    want = net(torch.tensor(x)).clamp(0, 1).numpy()
    model = build(fold(net))
    assert want.shape == (1, 3, size[0] * shape[0], size[1] * shape[0])
    # A hundredth of an 8-bit level: no picture differs but by a rounding at the very edge.
    for made in (run(model, x), run_openvino(model, x)):
        assert np.abs(made - want).max() < 0.01 / 255.0


@pytest.mark.parametrize("shape", SHAPES)
def test_both_engines_agree_on_int8(shape: tuple[int, int, int, int]) -> None:
    folded, x = fold(trained_like(*shape)), picture()
    ranges = observe(folded, [x[0].transpose(1, 2, 0)]).ranges[0.0]
    model = build(folded, ranges)
    error = run_openvino(model, x) - run(model, x)
    # A sum that falls between two steps may be rounded either way, and is then passed on.
    assert np.sqrt((error**2).mean()) < 0.25 / 255.0


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_stays_near_float(shape: tuple[int, int, int, int]) -> None:
    folded, x = fold(trained_like(*shape)), picture()
    ranges = observe(folded, [x[0].transpose(1, 2, 0)]).ranges
    error = run(build(folded, ranges[0.0]), x) - run(build(folded), x)
    assert np.sqrt((error**2).mean()) < 1.5 / 255.0
    assert np.abs(error).max() > 0.0


def test_ranges_shrink_with_the_share_that_is_clipped() -> None:
    folded = fold(trained_like(2, 16, 2, 1))
    ranges = observe(folded, [picture()[0].transpose(1, 2, 0)]).ranges
    assert len(ranges[0.0]) == len(folded.layers) - 1
    assert all(a > b for a, b in zip(ranges[0.0], ranges[1e-3], strict=True))


def test_every_convolution_but_the_last_needs_a_range() -> None:
    with pytest.raises(ValueError, match="every convolution but the last"):
        build(fold(trained_like(2, 16, 2, 1)), [1.0])


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_training_goes_on_from_an_exported_file(
    shape: tuple[int, int, int, int], clipped: bool, tmp_path: Path
) -> None:
    net, again = trained_like(*shape, clipped), PlainNet(*shape, clipped=clipped).eval()
    onnx.save(build(fold(net)), tmp_path / "net.onnx")
    assert read_onnx(tmp_path / "net.onnx").clipped is clipped
    assert start_from(again, read_onnx(tmp_path / "net.onnx")) == len(net.convolutions)
    x = torch.tensor(picture())
    assert torch.allclose(net(x), again(x), atol=1e-5)


@torch.no_grad()
def test_another_scale_keeps_all_but_the_tail(tmp_path: Path) -> None:
    onnx.save(build(fold(trained_like(2, 16, 2, 1))), tmp_path / "net.onnx")
    other = PlainNet(4, 16, 2, 1)
    assert start_from(other, read_onnx(tmp_path / "net.onnx")) == len(other.convolutions) - 1


@pytest.mark.parametrize("unshuffle", [1, 2])
@torch.no_grad()
def test_a_larger_net_starts_as_the_smaller_one(unshuffle: int, tmp_path: Path) -> None:
    small, large = trained_like(2, 8, 2, unshuffle), PlainNet(2, 12, 4, unshuffle).eval()
    onnx.save(build(fold(small)), tmp_path / "net.onnx")
    assert start_from(large, read_onnx(tmp_path / "net.onnx")) == len(small.convolutions)
    x = torch.tensor(picture())
    assert torch.allclose(small(x), large(x), atol=1e-5)


@torch.no_grad()
def test_channels_of_its_own_are_as_loud_as_those_they_repeat(tmp_path: Path) -> None:
    small, large = trained_like(2, 8, 3, 1), PlainNet(2, 20, 4, 1).eval()
    onnx.save(build(fold(small)), tmp_path / "net.onnx")
    start_from(large, read_onnx(tmp_path / "net.onnx"))
    heard: dict[str, list[np.ndarray]] = {"small": [], "large": []}
    for name, net in (("small", small), ("large", large)):
        y = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(5)) - 0.5
        for layer in net.convolutions[:4]:
            y = layer.activated(y, math.inf)
            heard[name].append(y.square().mean((0, 2, 3)).sqrt().numpy())
    for few, many in zip(heard["small"], heard["large"], strict=True):
        assert np.allclose(few, many[:8], rtol=1e-4, atol=1e-6)
        for loudness in many[8:]:
            assert np.isclose(loudness, few, rtol=1e-4, atol=1e-6).any()


def test_twins_learn_different_things(tmp_path: Path) -> None:
    onnx.save(build(fold(trained_like(2, 8, 2, 1))), tmp_path / "net.onnx")
    net = PlainNet(2, 12, 3, 1, 0)
    start_from(net, read_onnx(tmp_path / "net.onnx"))
    net(torch.tensor(picture())).square().sum().backward()
    kernels, gradients = net.head.direct.detach(), net.head.direct.grad
    assert gradients is not None
    learning = 0
    for own in range(8, 12):
        (twin,) = [one for one in range(8) if torch.equal(kernels[one], kernels[own])]
        if gradients[own].any():
            learning += 1
            assert not torch.allclose(gradients[own], gradients[twin], rtol=0.01)
    assert learning


def test_a_smaller_net_cannot_start_from_a_larger_one(tmp_path: Path) -> None:
    onnx.save(build(fold(trained_like(2, 16, 2, 1))), tmp_path / "net.onnx")
    for channels, depth in ((8, 2), (16, 1)):
        with pytest.raises(ValueError, match="more than the net's"):
            start_from(PlainNet(2, channels, depth, 1), read_onnx(tmp_path / "net.onnx"))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    model = build(fold(trained_like(2, 16, 1, 1)))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(ValueError, match="not exported from a plain net"):
        read_onnx(tmp_path / "foreign.onnx")


@pytest.mark.parametrize("shape", SHAPES)
def test_no_int8_value_comes_near_the_middle_between_two_steps(
    shape: tuple[int, int, int, int],
) -> None:
    folded = fold(trained_like(*shape))
    ranges = [1.3 + 0.2 * index for index in range(len(folded.layers) - 1)]
    stored = {
        item.name: numpy_helper.to_array(item).astype(np.float64)
        for item in build(folded, ranges).graph.initializer
    }
    entering = 1.0 / 255.0
    for index, reach in enumerate(ranges):
        leaving = reach / 255.0
        count = leaving / (entering * stored[f"conv{index}.weight.scale"])
        whole = np.rint(count)
        np.testing.assert_allclose(count, whole, rtol=1e-6)
        assert np.all(whole % 2 == 1)
        bias = stored[f"conv{index}.bias"] / leaving * whole
        np.testing.assert_allclose(bias, np.rint(bias), atol=0.01)
        entering = leaving


@pytest.mark.parametrize(
    ("ratio", "count"),
    [(0.25, 0.25), (1.0, 1), (2.9, 1), (3.0, 3), (6.2, 5), (7.0, 7), (5000, 1023)],
)
def test_the_largest_odd_count(ratio: float, count: float) -> None:
    assert odd_count(np.array([ratio])).tolist() == [count]
    assert odd_count(torch.tensor([ratio])).tolist() == [count]
