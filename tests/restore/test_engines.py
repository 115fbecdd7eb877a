"""The engine on a real runtime, and within a real budget."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperfocal import imaging
from hyperfocal.imaging.picture import Picture
from hyperfocal.models.card import ModelCard, Weights
from hyperfocal.models.registry import SHIPPED
from hyperfocal.restore.upscaler import Upscaler
from hyperfocal.settings import Settings

onnx = pytest.importorskip("onnx")

SAMPLE = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
SHIPPED_NAMES = sorted({path.name.partition(".")[0] for path in SHIPPED.glob("*.onnx")})


def small_net(scale, unshuffle):
    """Three zero-padded 3x3 convolutions at reduced resolution, as ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    inputs, outputs = 3 * unshuffle**2, 3 * (scale * unshuffle) ** 2
    nodes = [helper.make_node("SpaceToDepth", ["in"], ["x0"], blocksize=unshuffle)]
    constants = []
    for number, (a, b) in enumerate([(inputs, 8), (8, 8), (8, outputs)]):
        kernel = rng.normal(0, 0.5 / np.sqrt(9 * a), (b, a, 3, 3)).astype(np.float32)
        bias = rng.uniform(0, 0.4, b).astype(np.float32)
        constants += [
            numpy_helper.from_array(kernel, f"w{number}"),
            numpy_helper.from_array(bias, f"b{number}"),
        ]
        nodes += [
            helper.make_node(
                "Conv", [f"x{number}", f"w{number}", f"b{number}"], [f"y{number}"], pads=[1] * 4
            ),
            helper.make_node("Relu", [f"y{number}"], [f"x{number + 1}"]),
        ]
    nodes.append(
        helper.make_node("DepthToSpace", ["x3"], ["d"], blocksize=scale * unshuffle, mode="CRD")
    )
    sizes = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "sizes")
    tenth = numpy_helper.from_array(np.float32(0.1), "tenth")
    nodes += [
        helper.make_node("Resize", ["in", "", "sizes"], ["u"], mode="nearest"),
        helper.make_node("Mul", ["d", "tenth"], ["e"]),
        helper.make_node("Add", ["u", "e"], ["out"]),
    ]
    picture = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, "h", "w"])
    made = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, "H", "W"])
    graph = helper.make_graph(nodes, "net", [picture], [made], [*constants, sizes, tenth])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    for scale, unshuffle in ((2, 2), (4, 1)):
        data = small_net(scale, unshuffle)
        name = f"small-x{scale}"
        (path / f"{name}.onnx").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        ModelCard(
            name=name,
            scale=scale,
            input_multiple=unshuffle,
            receptive_radius=4 * unshuffle,
            weights={"float": Weights(file=f"{name}.onnx", sha256=digest)},
        ).write(path / f"{name}.toml")
    return path


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 5.5])
def test_tiled_equals_untiled(folder, tmp_path, photo, runtime, dtype, scale):
    pytest.importorskip(runtime)
    picture = Picture(photo(151, 203, dtype=dtype))
    given = {"models": folder, "cache": tmp_path, "runtime": runtime, "threads": 1}
    whole = Upscaler.load("small", settings=Settings.read({}, **given))(picture, scale)
    tiled = Upscaler.load("small", settings=Settings.read({}, memory="1MB", **given))(
        picture, scale
    )
    assert tiled.tiles > whole.tiles
    difference = np.abs(whole.picture.pixels.astype(int) - tiled.picture.pixels).max()
    assert difference <= np.iinfo(dtype).max // 255


@pytest.mark.parametrize("precision", ["float", "int8"])
@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_models_in_tiles(tmp_path, name, precision):
    """A radius on a card that is too small would show as a seam."""
    pixels = imaging.open(SAMPLE).pixels[20:151, 30:193]
    given = {"cache": tmp_path, "precision": precision}
    whole = Upscaler.load(name, settings=Settings.read({}, **given))(Picture(pixels))
    tiled = Upscaler.load(name, settings=Settings.read({}, memory="1MB", **given))(Picture(pixels))
    assert tiled.tiles > whole.tiles
    difference = np.abs(whole.picture.pixels.astype(int) - tiled.picture.pixels)
    assert difference.max() <= 1


BUDGET = """
import sys
import numpy as np
from hyperfocal import Picture, Upscaler
row = np.linspace(0, 255, 3000, dtype=np.uint8)
pixels = np.empty((2000, 3000, 3), np.uint8)
pixels[:] = row[None, :, None]
result = Upscaler.load("bicubic-x2", memory=sys.argv[1])(Picture(pixels))
assert result.picture.pixels.shape == (4000, 6000, 3)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_budget_smaller_than_the_result_holds():
    """24 megapixels, 72 MB, made in a process that never has 220 MB."""

    def peak(memory):
        command = [sys.executable, "-c", BUDGET, memory]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout) * 1024

    assert peak("220MB") < 220_000_000 < peak("2GB")


MANY_SIZES = """
import numpy as np
from hyperfocal import Picture, Upscaler
sides = np.random.default_rng(1).integers(17, 111, (300, 2))
upscaler = Upscaler.load("photo-realtime-x2", threads=1)

def held():
    with open("/proc/self/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))

for number, (height, width) in enumerate(sides):
    upscaler(Picture(np.full((height, width, 3), number % 256, np.uint8)))
    if number == 99:
        before = held()
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_pictures_of_ever_other_sizes_take_no_more_memory():
    """Two hundred more sizes would add 100 MB if what is prepared for each were kept."""
    command = [sys.executable, "-c", MANY_SIZES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 50_000_000
