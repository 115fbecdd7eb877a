"""Small ONNX networks, and folders of models made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from hyperfocal.settings import Settings


@dataclass
class Graph:
    """Collects nodes and constants of one network."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def finish(
        self,
        output: str,
        shape: Sequence[Any] = (1, 3, "H", "W"),
        element: int = TensorProto.FLOAT,
        more_inputs: Sequence[Any] = (),
    ) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info("x", element, shape), *more_inputs],
            [helper.make_tensor_value_info(output, element, None)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return model.SerializeToString()


def convolution(
    graph: Graph,
    source: str,
    kernel: np.ndarray,
    *,
    int8: bool = False,
) -> str:
    outputs = kernel.shape[0]
    bias = graph.constant(np.linspace(-0.02, 0.02, outputs, dtype=np.float32))
    margin = kernel.shape[2] // 2
    if int8:
        scales = (np.abs(kernel).max(axis=(1, 2, 3)) / 127).astype(np.float32)
        stored = np.rint(kernel / scales[:, None, None, None]).astype(np.int8)
        parts = [graph.constant(v) for v in (stored, scales, np.zeros(outputs, np.int8))]
        weights = graph.node("DequantizeLinear", parts, axis=0)
    else:
        weights = graph.constant(kernel)
    return graph.node("Conv", [source, weights, bias], pads=[margin] * 4)


def stack(
    scale: int = 2,
    *,
    depth: int = 2,
    channels: int = 16,
    unshuffle: int = 1,
    int8: bool = False,
    clip: bool = True,
    seed: int = 0,
    shape: Sequence[Any] = (1, 3, "H", "W"),
) -> bytes:
    """A random stack of convolutions on top of the nearest-neighbour enlargement.

    Its receptive radius in input pixels is ``(depth + 2) * unshuffle + unshuffle - 1``.
    """
    generator = np.random.default_rng(seed)

    def kernel(inputs: int, outputs: int, gain: float = 1.0) -> np.ndarray:
        deviation = gain * np.sqrt(2 / (9 * inputs))
        return (generator.standard_normal((outputs, inputs, 3, 3)) * deviation).astype(np.float32)

    def quantised(source: str, step: float) -> str:
        if not int8:
            return source
        parts = [graph.constant(np.float32(step)), graph.constant(np.uint8(0))]
        return graph.node(
            "DequantizeLinear", [graph.node("QuantizeLinear", [source, *parts]), *parts]
        )

    graph = Graph()
    side = scale * unshuffle
    cells = quantised("x", 1 / 255)
    if unshuffle > 1:
        cells = graph.node("SpaceToDepth", [cells], blocksize=unshuffle)
    y = convolution(graph, cells, kernel(3 * unshuffle**2, channels), int8=int8)
    for _ in range(depth):
        y = quantised(graph.node("Relu", [y]), 4 / 255)
        y = convolution(graph, y, kernel(channels, channels), int8=int8)
    y = quantised(graph.node("Relu", [y]), 4 / 255)
    y = convolution(graph, y, kernel(channels, 3 * side**2, 0.1), int8=int8)
    y = graph.node("DepthToSpace", [y], blocksize=side, mode="CRD")
    sizes = graph.constant(np.array([1, 1, scale, scale], np.float32))
    nearest = graph.node(
        "Resize",
        ["x", "", sizes],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    y = graph.node("Add", [y, nearest])
    if clip:
        limits = [graph.constant(np.float32(0)), graph.constant(np.float32(1))]
        y = graph.node("Clip", [y, *limits])
    return graph.finish(y, shape)


@pytest.fixture(scope="session")
def network() -> Callable[..., bytes]:
    """Maker of random networks; see :func:`stack`."""
    return stack


@pytest.fixture
def graph() -> Graph:
    """An empty graph, for networks that are odd in some way."""
    return Graph()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with folders of their own."""
    return Settings(cache=tmp_path / "cache", models=tmp_path / "models", threads=2)


@pytest.fixture
def add_model(settings: Settings) -> Callable[..., None]:
    """Writes a card and its weights into the user's models."""

    def add(name: str, *, scale: int = 2, multiple: int = 1, **weights: bytes) -> None:
        settings.models.mkdir(exist_ok=True)
        lines = [f'name = "{name}"', f"scale = {scale}", f"input_multiple = {multiple}"]
        for precision, data in weights.items():
            file = f"{name}.{precision}.onnx"
            (settings.models / file).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            lines += [f"[weights.{precision}]", f'file = "{file}"', f'sha256 = "{digest}"']
        (settings.models / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")

    return add


@pytest.fixture(name="convolution")
def convolution_maker() -> Callable[..., str]:
    return convolution
