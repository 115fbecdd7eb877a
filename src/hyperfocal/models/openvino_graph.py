"""Getting at OpenVINO: importing it quietly, reading ONNX, reading its errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hyperfocal.errors import ModelBroken, RuntimeMissing

# Sides are given to OpenVINO as a range. Unbounded ones make its layout arithmetic overflow
# (2026.4), and the bound itself costs neither time nor memory.
_LONGEST_SIDE = 65536


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """As if the module ``name`` were not installed."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before


def import_openvino() -> Any:
    """The ``openvino`` module; :class:`RuntimeMissing` tells how to get it.

    Importing it reports the import to its maker over the network, unless the package that does
    so is missing: so it is, for that moment.
    """
    try:
        if "openvino" in sys.modules:
            import openvino
        else:
            with _absent("openvino_telemetry"):
                import openvino
    except ImportError as error:
        raise RuntimeMissing(f"OpenVINO is missing: pip install openvino ({error})") from error
    return openvino


def last_line(error: Exception) -> str:
    """The line of OpenVINO's many that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def read_graph(weights: bytes) -> Any:
    """An ``openvino.Model`` from the bytes of an ONNX file, or :class:`ModelBroken`."""
    try:
        return import_openvino().Core().read_model(weights)
    except RuntimeError as error:
        raise ModelBroken(f"OpenVINO cannot read it as ONNX: {last_line(error)}") from error


def free_sides(graph: Any) -> None:
    """Let ``graph`` take ``(1, 3, H, W)`` with H and W of any length; may raise RuntimeError."""
    openvino = import_openvino()
    side = openvino.Dimension(1, _LONGEST_SIDE)
    graph.reshape(openvino.PartialShape([1, 3, side, side]))


def with_pixels_around(graph: Any, dtype: np.dtype[Any], *, fuse: bool = True) -> Any:
    """``graph`` taking and giving ``(1, H, W, 3)`` of ``dtype``; H and W of any length.

    ``fuse``: let the last convolution round to uint8, which OpenVINO (2026.4) cannot do where
    that convolution runs in bf16.
    """
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    free_sides(graph)
    around = PrePostProcessor(graph)
    element = openvino.Type(dtype)
    around.input().tensor().set_element_type(element).set_layout(openvino.Layout("NHWC"))
    around.input().model().set_layout(openvino.Layout("NCHW"))
    if dtype == np.uint8:
        around.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
        return _giving_bytes(around.build(), fuse)
    around.output().model().set_layout(openvino.Layout("NCHW"))
    around.output().postprocess().convert_element_type(element)
    around.output().tensor().set_layout(openvino.Layout("NHWC"))
    return around.build()


def _giving_bytes(graph: Any, fuse: bool) -> Any:
    """``graph`` with its output rounded to uint8 and laid out as ``(1, H, W, 3)``."""
    openvino = import_openvino()
    from openvino import opset13 as ops

    output = graph.output(0).get_node().input_value(0)
    shuffle = output.get_node()
    if _is_pixel_shuffle(shuffle):
        side = shuffle.get_attributes()["block_size"]
        pixels = _shuffled_bytes(shuffle.input_value(0), side, fuse)
    else:
        pixels = ops.transpose(_bytes(output, fuse), np.array([0, 2, 3, 1])).output(0)
    return openvino.Model([pixels], graph.get_parameters(), graph.get_friendly_name())


def _bytes(unit: Any, fuse: bool) -> Any:
    """[0, 1] to uint8, clipped and rounded half to even; NaN becomes anything."""
    from openvino import opset13 as ops

    low, high, top = np.float32(0.0), np.float32(1.0), np.float32(255.0)
    if fuse:
        # One FakeQuantize, which the convolution before it takes in, instead of three operators.
        levels = ops.fake_quantize(unit, low, high, low, top, 256)
    else:
        levels = ops.round(ops.multiply(ops.clamp(unit, low, high), top), "half_to_even")
    return ops.convert(levels, "u8").output(0)


def _is_pixel_shuffle(node: Any) -> bool:
    """Whether whole RGB pixels lie side by side in the channels, row by row of a block."""
    if node.get_type_name() != "DepthToSpace":
        return False
    facts = node.get_attributes()
    channels = node.get_input_partial_shape(0)[1]
    return bool(
        facts["mode"] == "blocks_first"
        and channels.is_static
        and channels.get_length() == 3 * facts["block_size"] ** 2
    )


def _shuffled_bytes(blocks: Any, side: int, fuse: bool) -> Any:
    """``(1, side * side * 3, h, w)`` float to ``(1, h * side, w * side, 3)`` uint8.

    Rounding comes first, when a quarter of the bytes have yet to move, and shuffle and change of
    layout are one transposition: at x4 that is a quarter of the whole network's time.
    """
    from openvino import opset13 as ops

    stored = _bytes(blocks, fuse)
    shape = ops.shape_of(stored)
    axis = np.int64(0)
    rows, columns = (ops.gather(shape, np.array([at]), axis) for at in (2, 3))
    split = ops.concat([np.array([side, side * 3]), rows, columns], 0)
    turned = ops.transpose(ops.reshape(stored, split, False), np.array([2, 0, 3, 1]))
    one, factor = np.array([1]), np.array([side])
    joined = [one, ops.multiply(rows, factor), ops.multiply(columns, factor), np.array([3])]
    return ops.reshape(turned, ops.concat(joined, 0), False).output(0)


def executed_arithmetic(compiled: Any) -> str:
    """What most convolutions of a compiled model are executed in: "u8s8", "bf16" or "f32"."""
    counts: dict[str, int] = {}
    for node in compiled.get_runtime_model().get_ops():
        facts = node.get_rt_info()
        if facts["layerType"].astype(str) in ("Convolution", "FullyConnected", "MatMul"):
            kind = facts["runtimePrecision"].astype(str)
            counts[kind] = counts.get(kind, 0) + 1
    common = max(counts, key=lambda kind: counts[kind], default="f32")
    return {"u8": "u8s8", "i8": "u8s8", "bf16": "bf16"}.get(common, "f32")
