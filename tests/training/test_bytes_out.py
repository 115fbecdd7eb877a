"""8-bit pixels out of the graphs that training writes, by the engine that ships."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from test_graph import picture, run, trained_like

from hyperfocal.models.openvino_graph import read_graph, with_pixels_around
from hyperfocal.models.openvino_output import BLOCKS
from hyperfocal.models.openvino_runtime import OpenVINOEngine, Plan
from hyperfocal.quality.resize import imresize
from hyperfocal.training.calibrate import observe
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.weights import fold

# Scale, channels, depth, unshuffle, and whether the bicubic part is clipped.
SHAPES = [
    (2, 16, 2, 1, False),
    (2, 16, 2, 1, True),
    (3, 16, 1, 1, True),
    (4, 16, 2, 1, False),
    (4, 16, 2, 1, True),
    (2, 16, 2, 2, True),
]


def pixels(height: int = 22, width: int = 30) -> np.ndarray:
    return np.rint(picture(height, width)[0].transpose(1, 2, 0) * 255).astype(np.uint8)


def int8_graph(net: PlainNet) -> onnx.ModelProto:
    folded = fold(net)
    return build(folded, observe(folded, [picture()[0].transpose(1, 2, 0)]).ranges[0.0])


def engine(model: onnx.ModelProto, scale: int) -> OpenVINOEngine:
    return OpenVINOEngine(model.SerializeToString(), "key", scale=scale, plan=Plan(threads=1))


def idle(scale: int, unshuffle: int = 1, clipped: bool = True) -> PlainNet:
    """A net that adds nothing to the bicubic enlargement."""
    net = trained_like(scale, 16, 1, unshuffle, clipped)
    torch.nn.init.zeros_(net.tail.direct)
    torch.nn.init.zeros_(net.tail.bias)
    assert net.tail.point is not None
    torch.nn.init.zeros_(net.tail.point)
    return net


@pytest.mark.parametrize("size", [(22, 30), (8, 8), (64, 2)])
@pytest.mark.parametrize("shape", SHAPES)
def test_bytes_are_what_onnx_runtime_makes_of_the_graph(
    shape: tuple[int, int, int, int, bool], size: tuple[int, int]
) -> None:
    # Two cells wide at least: LoadedModel widens what is narrower.
    given = pixels(size[0], max(size[1], 2 * shape[3]))
    model = int8_graph(trained_like(*shape))
    want = run(model, given.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0]
    made = engine(model, shape[0]).run(given)
    error = made - want.transpose(1, 2, 0) * 255.0
    # Rounding, by itself a third of a level, and kernels in hundredths: the picture is pure noise,
    # of which they make most.
    assert np.sqrt((error**2).mean()) < 0.9
    assert np.abs(error).max() < 4.0


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 1), (3, 1), (4, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("level", [0, 1, 77, 128, 255])
def test_a_flat_picture_stays_exactly_as_it_is(scale: int, unshuffle: int, level: int) -> None:
    made = engine(int8_graph(idle(scale, unshuffle)), scale).run(
        np.full((12, 16, 3), level, np.uint8)
    )
    assert made.shape == (12 * scale, 16 * scale, 3)
    assert np.all(made == level)


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 1), (3, 1), (4, 1), (2, 2)])
def test_a_net_that_adds_nothing_enlarges_bicubically(scale: int, unshuffle: int) -> None:
    ramps = np.add.outer(np.arange(24) * 3, np.arange(20) * 5)[..., None] + np.array([0, 30, 60])
    given = np.clip(ramps + (pixels(24, 20) >> 4), 0, 255).astype(np.uint8)
    made = engine(int8_graph(idle(scale, unshuffle)), scale).run(given)
    want = imresize(given.astype(np.float32), float(scale)).clip(0, 255)
    inner = slice(3 * scale, -3 * scale)  # at borders MATLAB reflects
    error = np.abs(made[inner, inner] - want[inner, inner])
    # Rounding, and kernels in hundredths.
    assert error.max() < 1.0
    assert error.mean() < 0.35


def test_only_int8_nets_on_a_clipped_enlargement_give_blocks() -> None:
    def gives(model: onnx.ModelProto) -> bool:
        graph = with_pixels_around(read_graph(model.SerializeToString()), np.dtype(np.uint8))
        return BLOCKS in graph.output(0).get_names()

    assert gives(int8_graph(trained_like(4, 16, 1, 1, clipped=True)))
    assert gives(int8_graph(trained_like(2, 16, 1, 1, clipped=True)))
    assert not gives(int8_graph(trained_like(4, 16, 1, 1)))
    assert not gives(int8_graph(trained_like(4, 16, 1, 2, clipped=True)))
    assert not gives(build(fold(trained_like(4, 16, 1, 1, clipped=True))))


@pytest.mark.parametrize("scale", [2, 4])
def test_float_pixels_keep_their_fractions(scale: int) -> None:
    """Of 16 bits an int8 net may see 8; the bicubic part, which is most of it, keeps them."""
    given = np.linspace(0.4, 0.41, 32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3)
    made = engine(int8_graph(idle(scale)), scale).run(given)
    inner = slice(3 * scale, -3 * scale)
    want = imresize(given, float(scale))
    assert np.abs(made[inner, inner] - want[inner, inner]).max() < 1e-5


def test_a_compiled_graph_from_the_cache_still_says_what_it_gives(tmp_path: Path) -> None:
    model, given = int8_graph(trained_like(4, 16, 1, 1, clipped=True)), pixels(8, 9)

    def made() -> np.ndarray:
        plan = Plan(threads=1, cache=tmp_path)
        return OpenVINOEngine(model.SerializeToString(), "key", scale=4, plan=plan).run(given)

    fresh = made()
    assert list((tmp_path / "compiled").iterdir())
    np.testing.assert_array_equal(made(), fresh)


def test_memory_kept_between_tiles_belongs_to_no_result() -> None:
    model = int8_graph(trained_like(4, 16, 1, 1, clipped=True))
    tiles = [pixels(9, 14), pixels(22, 30), pixels(5, 6), pixels(22, 30)[::-1]]
    kept = engine(model, 4)
    made = [kept.run(tile) for tile in tiles]
    kept.release()
    made.append(kept.run(tiles[0]))
    for tile, result in zip([*tiles, tiles[0]], made, strict=True):
        np.testing.assert_array_equal(result, engine(model, 4).run(tile))


def test_memory_kept_between_tiles_is_no_other_threads() -> None:
    shared = engine(int8_graph(trained_like(4, 16, 1, 1, clipped=True)), 4)
    tiles = [np.roll(pixels(12 + at % 3, 30), at, axis=1) for at in range(12)]
    want = [shared.run(tile) for tile in tiles]
    start = threading.Barrier(len(tiles))

    def work(index: int) -> list[np.ndarray]:
        start.wait()
        made = []
        for _ in range(20):
            made.append(shared.run(tiles[index]))
            if index % 3 == 0:
                shared.release()
        return made

    with ThreadPoolExecutor(len(tiles)) as pool:
        for made, one in zip(pool.map(work, range(len(tiles))), want, strict=True):
            for result in made:
                np.testing.assert_array_equal(result, one)
