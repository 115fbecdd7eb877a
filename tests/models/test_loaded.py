import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import hyperfocal
import hyperfocal.models as models
from hyperfocal.errors import ArrayError, ModelBroken, ModelMissing
from hyperfocal.models import openvino_runtime
from hyperfocal.models.hardware import processor
from hyperfocal.models.onnx_runtime import import_onnxruntime
from hyperfocal.models.registry import SHIPPED

ENGINES = ["openvino", "onnxruntime"]


def pixels(height=24, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def astronaut():
    """96 x 128 of a photograph."""
    sample = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
    return np.ascontiguousarray(hyperfocal.open(sample).pixels[40:136, 60:188])


def load(settings, name="net", **changes):
    return models.load(name, settings=settings.model_copy(update=changes))


def load_either(settings, engine):
    if engine == "bicubic":
        return load(settings, "bicubic-x2")
    return load(settings, runtime=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_uint8_is_float_rounded(settings, add_model, network, engine):
    add_model("net", scale=3, float=network(3, clip=False))
    model = load(settings, runtime=engine)
    tile = pixels()
    whole, fine = model.run(tile), model.run(tile.astype(np.float32) / 255)
    assert whole.dtype == np.uint8
    assert fine.dtype == np.float32
    assert whole.shape == fine.shape == (72, 120, 3)
    assert 0 <= fine.min() < fine.max() <= 1
    assert np.abs(whole - fine * 255).max() < 0.501


@pytest.mark.parametrize(("scale", "unshuffle"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_engines_agree_on_float_weights(settings, add_model, network, scale, unshuffle):
    add_model("net", scale=scale, multiple=unshuffle, float=network(scale, unshuffle=unshuffle))
    tile = pixels(26, 38)
    fine = tile.astype(np.float32) / 255
    first, second = (load(settings, runtime=engine) for engine in ENGINES)
    assert np.abs(first.run(fine) - second.run(fine)).max() < 1e-4
    assert np.abs(first.run(tile).astype(int) - second.run(tile)).max() <= 1


def test_openvino_computes_what_the_reference_computes(settings, add_model, network):
    onnx_reference = pytest.importorskip("onnx.reference")
    weights = network(2, depth=1, channels=4)
    add_model("net", float=weights)
    tile = pixels(9, 7).astype(np.float32) / 255
    import onnx

    reference = onnx_reference.ReferenceEvaluator(onnx.load_from_string(weights))
    (expected,) = reference.run(None, {"x": tile.transpose(2, 0, 1)[None]})
    made = load(settings, runtime="openvino").run(tile)
    assert np.abs(made - expected[0].transpose(1, 2, 0)).max() < 1e-5


@pytest.mark.skipif(
    not processor().exact_int8, reason="each engine loses something else where sums have 16 bits"
)
def test_engines_agree_on_foreign_int8_weights_within_a_few_levels(settings, add_model, network):
    add_model("net", int8=network(int8=True))
    first, second = (load(settings, runtime=engine) for engine in ENGINES)
    assert first.precision == second.precision == "int8"
    difference = np.abs(first.run(pixels()).astype(int) - second.run(pixels()))
    assert difference.max() <= 8
    assert difference.mean() < 0.5


@pytest.mark.parametrize(
    "name", sorted({path.name.partition(".")[0] for path in SHIPPED.glob("*.onnx")})
)
def test_engines_agree_on_shipped_models(settings, name, astronaut):
    for precision in ("float", "int8"):
        first, second = (
            load(settings, name, runtime=engine, precision=precision).run(astronaut)
            for engine in ENGINES
        )
        difference = np.abs(first.astype(int) - second)
        if precision == "int8" and _is_clipped(SHIPPED / f"{name}.int8.onnx"):
            # OpenVINO rounds the bicubic part by itself, from a kernel in hundredths.
            assert difference.max() <= 3
            assert (difference > 1).mean() < 1e-3
            assert difference.mean() < 0.3
        else:
            assert difference.max() <= 1
            assert difference.mean() < 0.001


def _is_clipped(path):
    onnx = pytest.importorskip("onnx")
    return any(entry.key == "clipped" for entry in onnx.load(path).metadata_props)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_size_down_to_one_pixel(settings, add_model, network, engine):
    add_model("net", float=network())
    model = load(settings, runtime=engine)
    for height, width in [(1, 1), (1, 7), (33, 2), (5, 300), (64, 64)]:
        assert model.run(pixels(height, width)).shape == (2 * height, 2 * width, 3)


@pytest.mark.parametrize("engine", [*ENGINES, "bicubic"])
def test_memory_order_and_writability_do_not_matter(settings, add_model, network, engine):
    add_model("net", float=network())
    model = load_either(settings, engine)
    tile = pixels(32, 48)
    expected = model.run(tile)
    frozen = tile.copy()
    frozen.setflags(write=False)
    large = pixels(64, 96)
    large[::2, ::2] = tile
    for same in (frozen, np.asfortranarray(tile), large[::2, ::2], tile[:, ::-1][:, ::-1]):
        before = same.copy()
        np.testing.assert_array_equal(model.run(same), expected)
        np.testing.assert_array_equal(same, before)


@pytest.mark.parametrize("engine", [*ENGINES, "bicubic"])
def test_results_are_the_callers_own(settings, add_model, network, engine):
    add_model("net", float=network())
    model = load_either(settings, engine)
    for convert in (lambda x: x, lambda x: x.astype(np.float32) / 255):
        first = model.run(convert(pixels(seed=1)))
        kept = first.copy()
        model.run(convert(pixels(seed=2)))
        np.testing.assert_array_equal(first, kept)
        first[:] = 0  # writable


@pytest.mark.parametrize("engine", ENGINES)
def test_many_threads_do_not_mix_pictures(settings, add_model, network, engine):
    add_model("net", float=network())
    model = load(settings, runtime=engine)
    alone = load(settings, runtime=engine)
    tiles = [pixels(16 + 2 * seed, 24, seed) for seed in range(16)]
    expected = [alone.run(tile) for tile in tiles]
    start = threading.Barrier(16)

    def work(index):
        start.wait()
        for _ in range(3):
            made = model.run(tiles[index])
            if index % 4 == 0:
                model.release()
        return made

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(work, range(16)))
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_stays_visible_in_float(settings, add_model, graph, engine):
    # 0 / 0 where the input is black
    zero = graph.node("Mul", ["x", graph.constant(np.float32(0))])
    add_model(
        "net", scale=1, float=graph.finish(graph.node("Add", ["x", graph.node("Div", [zero, "x"])]))
    )
    tile = np.full((8, 8, 3), 0.5, np.float32)
    tile[3, 4] = 0
    made = load(settings, runtime=engine).run(tile)
    assert np.isnan(made[3, 4]).all()
    assert np.isnan(made).sum() == 3
    assert load(settings, runtime=engine).run((tile * 255).astype(np.uint8)).shape == (8, 8, 3)


def test_wrong_tiles(settings, add_model, network):
    add_model("net", multiple=2, float=network(unshuffle=2))
    model = load(settings)
    for bad, message in [
        (pixels(8, 8)[..., 0], "must be"),
        (np.zeros((8, 8, 4), np.uint8), "must be"),
        (np.zeros((0, 8, 3), np.uint8), "not empty"),
        (np.zeros((8, 8, 3)), "uint8 or float32"),
        (np.zeros((8, 8, 3), np.uint16), "uint8 or float32"),
        (pixels(8, 7), "multiples of 2"),
    ]:
        with pytest.raises(ArrayError, match=message):
            model.run(bad)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("said", "true"), [(4, 2), (2, 4)])
def test_a_card_that_lies_about_the_scale(settings, add_model, network, engine, said, true):
    add_model("net", scale=said, float=network(true))
    model = load(settings, runtime=engine)
    with pytest.raises(ModelBroken, match=r"pixels|failed"):
        model.run(pixels())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_card_that_lies_about_the_multiple(settings, add_model, network, engine):
    add_model("net", float=network(unshuffle=2))
    model = load(settings, runtime=engine)
    with pytest.raises(ModelBroken, match="failed"):
        model.run(pixels(9, 9))
    assert model.run(pixels(8, 8)).shape == (16, 16, 3)  # still usable


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_are_no_network(settings, add_model, engine):
    add_model("net", float=b"not a network")
    with pytest.raises(ModelBroken, match=r"net: .* cannot read it"):
        load(settings, runtime=engine)


def test_precision_on_request(settings, add_model, network):
    add_model("net", float=network(), int8=network(int8=True))
    add_model("plain", float=network())
    assert load(settings, precision="float").arithmetic == "f32"
    assert load(settings, precision="int8").precision == "int8"
    with pytest.raises(ModelMissing, match="no int8 weights, only float"):
        load(settings, "plain", precision="int8")


def test_float_weights_run_in_exact_float(settings, add_model, network):
    """OpenVINO would take bf16 by itself where the processor has it."""
    add_model("net", float=network())
    tile = pixels().astype(np.float32) / 255
    first, second = (load(settings, runtime=e, precision="float").run(tile) for e in ENGINES)
    assert np.abs(first - second).max() < 1e-4


@pytest.mark.skipif(not processor().has_bf16, reason="needs a processor with bf16")
def test_bf16_takes_bytes(settings, add_model, graph, convolution):
    """Rounding fused into a bf16 convolution makes OpenVINO 2026.4 fail when it runs."""
    generator = np.random.default_rng(0)

    def layer(source, outputs, inputs):
        kernel = generator.standard_normal((outputs, inputs, 3, 3)) * 0.05
        weights = graph.constant(kernel.astype(np.float32))
        return graph.node("Conv", [source, weights], pads=[1] * 4)

    wide = graph.node("Relu", [layer("x", 16, 3)])
    both = graph.node("Add", [layer("x", 12, 3), layer(wide, 12, 16)])
    limits = [graph.constant(np.float32(0)), graph.constant(np.float32(1))]
    clipped = graph.node("Clip", [both, *limits])
    shuffled = graph.node("DepthToSpace", [clipped], blocksize=2, mode="DCR")
    add_model("net", float=graph.finish(shuffled))
    exact = load(settings, precision="float").run(pixels())
    made = load(settings, precision="bf16").run(pixels())
    assert np.abs(made.astype(int) - exact).max() <= 4


def test_threads_follow_settings(settings, add_model, network):
    add_model("net", float=network())
    for engine in ENGINES:
        assert load(settings, runtime=engine, threads=1).threads == 1


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_hints_change_no_pixel(settings, add_model, network, hint):
    add_model("net", float=network())
    expected = load(settings, runtime="onnxruntime").run(pixels())
    made = load(settings, runtime="openvino", hint=hint).run(pixels())
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_a_builtin_that_is_not_there(settings):
    settings.models.mkdir()
    (settings.models / "magic.toml").write_text('name = "magic"\nscale = 2\nkind = "builtin"')
    with pytest.raises(ModelBroken, match="no builtin"):
        models.load("magic", settings=settings)


class TimeLimit(RuntimeError):
    """As that of a queue of jobs, which comes in the midst of anything."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("error", [TimeLimit, TimeoutError])
def test_a_time_limit_says_nothing_of_the_model(
    settings, add_model, network, monkeypatch, engine, error
):
    def late(*args, **kwargs):
        raise error("time is up")

    add_model("net", float=network())
    model = load(settings, runtime=engine)
    if engine == "openvino":
        monkeypatch.setattr(openvino_runtime.OpenVINOEngine, "_infer", late)
        monkeypatch.setattr(openvino_runtime, "new_core", late)
    else:
        monkeypatch.setattr(import_onnxruntime().InferenceSession, "run", late)
    with pytest.raises(error, match=r"^time is up$"):
        model.run(pixels())
    if engine == "onnxruntime":
        monkeypatch.setattr(import_onnxruntime(), "InferenceSession", late)
    with pytest.raises(error, match=r"^time is up$"):
        load(settings, runtime=engine)


def test_no_thread_to_load_a_device_by_is_told_as_a_broken_model(
    settings, add_model, network, monkeypatch
):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    add_model("net", float=network())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ModelBroken, match="can't start new thread"):
        load(settings, runtime="openvino")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_picture_one_cell_wide_is_widened(settings, add_model, network, engine, dtype):
    """As convolutions with strides whose result is one wide are wrong on some processors."""
    add_model("net", multiple=2, int8=network(unshuffle=2, int8=True))
    model = load(settings, runtime=engine)
    narrow = pixels(20, 2) if dtype == np.uint8 else pixels(20, 2).astype(np.float32) / 255
    made = model.run(narrow)
    wide = np.concatenate([narrow, narrow[:, 1:], narrow[:, 1:]], axis=1)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, model.run(wide)[:, :4])
