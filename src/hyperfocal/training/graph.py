"""Folded weights as an ONNX graph, float or int8.

Built node by node rather than traced: the graph that ships then holds exactly what the
runtimes are fast at, with dynamic sides, and a newcomer can read it.

int8 is quantise-dequantise (QDQ): unsigned activations after each ReLU, signed weights
per output channel, the input at exactly 1/255 so that an 8-bit picture enters unchanged, and
everything that touches the output (tail sum, bicubic anchor) in float, because a quantised
output sum clips bright pixels and throws the gain away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hyperfocal.models.anchor import bicubic_anchor
from hyperfocal.training.consistency import (
    CORRECTED_FROM,
    REDUCED_FROM,
    over_colours,
    reduction,
)
from hyperfocal.training.quantise import whole
from hyperfocal.training.weights import Array, Folded, pixels_last, strided

_OPSET = 17
_IR_VERSION = 9


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        array = np.array(value, dtype=dtype, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output

    def quantised(self, source: str, scale: float) -> str:
        """``source`` rounded to unsigned 8 bits of ``scale`` and back."""
        step = self.constant(f"{source}.scale", scale, np.float32)
        zero = self.constant(f"{source}.zero", 0, np.uint8)
        stored = self.node("QuantizeLinear", [source, step, zero], f"{source}.u8")
        return self.node("DequantizeLinear", [stored, step, zero], f"{source}.dq")

    def whole_weights(self, name: str, kernel: npt.NDArray[np.int8], steps: Array) -> str:
        """A kernel in signed 8 bits, one step an output channel."""
        parts = [
            self.constant(f"{name}.s8", kernel),
            self.constant(f"{name}.scale", steps),
            self.constant(f"{name}.zero", np.zeros(len(kernel), dtype=np.int8)),
        ]
        return self.node("DequantizeLinear", parts, f"{name}.dq", axis=0)


def build(
    folded: Folded,
    ranges: Sequence[float] | None = None,
    products: Sequence[npt.NDArray[np.float64] | None] | None = None,
) -> onnx.ModelProto:
    """The graph of a folded net.

    Input ``image``: float32 ``(1, 3, H, W)`` in [0, 1], sides multiples of ``unshuffle``;
    output ``restored``: float32 ``(1, 3, scale*H, scale*W)`` in [0, 1]. ``ranges``: the largest
    activation worth keeping after each ReLU; given, the net is int8. ``products``: of what each
    convolution sees (:class:`~hyperfocal.training.calibrate.Observed`); given, an int8 kernel is
    rounded as a whole, so that its sums change least, and not weight by weight.
    """
    if folded.correction is not None and (folded.unshuffle != 1 or folded.clipped):
        raise ValueError("a correction is for nets at the input's resolution, and not clipped ones")
    if ranges is not None and len(ranges) != len(folded.layers) - 1:
        raise ValueError("one range for every convolution but the last")
    if ranges is not None and folded.ceilings is not None:
        ranges = [min(ends) for ends in zip(ranges, folded.ceilings, strict=True)]
    cell, graph = folded.unshuffle, _Graph()
    side = folded.scale * cell
    anchor, pad = bicubic_anchor(folded.scale, cell)
    edge = pad * cell
    border = graph.constant("edge", np.array([0, 0, edge, edge, 0, 0, edge, edge], np.int64))
    edged = graph.node("Pad", ["image", border], "edged", mode="edge")
    base = graph.node(
        "Conv",
        [edged, graph.constant("anchor", strided(pixels_last(anchor, side), cell))],
        "bicubic",
        strides=[cell, cell],
    )
    limits = [graph.constant("black", 0.0, np.float32), graph.constant("white", 1.0, np.float32)]
    if folded.clipped:
        base = graph.node("Clip", [base, *limits], "bicubic.clipped")

    last = len(folded.layers) - 1
    steps = [1.0 / 255.0, *(reach / 255.0 for reach in ranges or ())]
    x = edged if ranges is None else graph.quantised(edged, steps[0])
    for index, (kernel, bias) in enumerate(folded.layers):
        name = f"conv{index}"
        first = index == 0
        if index == last:
            kernel, bias = pixels_last(kernel, side), pixels_last(bias, side)
        if ranges is None:
            stored = graph.constant(f"{name}.weight", strided(kernel, cell) if first else kernel)
        else:
            found = whole(
                kernel,
                bias,
                entering=steps[index],
                leaving=None if index == last else steps[index + 1],
                products=None if products is None else products[index],
                cell=cell if first else None,
            )
            bias, numbers = found.bias, strided(found.kernel, cell) if first else found.kernel
            stored = graph.whole_weights(f"{name}.weight", numbers, found.steps)
        step, margin = (cell, 0) if first else (1, 1)
        x = graph.node(
            "Conv",
            [x, stored, graph.constant(f"{name}.bias", bias)],
            f"{name}.sum",
            strides=[step, step],
            pads=[margin] * 4,
        )
        if index < last:
            if ranges is not None:
                # Ends with the range.
                x = graph.quantised(graph.node("Relu", [x], name), steps[index + 1])
            elif folded.ceilings is not None:
                ceiling = graph.constant(f"{name}.ceiling", folded.ceilings[index], np.float32)
                x = graph.node("Clip", [x, limits[0], ceiling], name)
            else:
                x = graph.node("Relu", [x], name)

    # Clipped before the shuffle, so that a runtime may round to 8 bits there too and move a
    # quarter of the memory.
    both = graph.node("Add", [base, x], "both")
    made = graph.node("Clip", [both, *limits], "clipped")
    if folded.correction is not None:
        given_back = _given_back(graph, made, folded.scale, folded.correction)
        corrected = graph.node("Add", [made, given_back], "corrected")
        made = graph.node("Clip", [corrected, *limits], "corrected.clipped")
    graph.node("DepthToSpace", [made], "restored", blocksize=side, mode="DCR")

    return _model(graph, folded)


def _given_back(graph: _Graph, made: str, scale: int, correction: Array) -> str:
    """What ``made``, reduced, lacks of the input, brought to every pixel by a correction."""
    reduced, margin = made, REDUCED_FROM
    for axis, kernel in zip(("rows", "columns"), reduction(scale), strict=True):
        pads = [margin, 0, margin, 0] if axis == "rows" else [0, margin, 0, margin]
        down = graph.constant(f"reduction.{axis}", kernel)
        reduced = graph.node("Conv", [reduced, down], f"reduced.{axis}", pads=pads)
    lacking = graph.node("Sub", ["image", reduced], "lacking")
    for at, axis in ((2, "rows"), (3, "columns")):
        lacking = graph.node("Mul", [lacking, _inside(graph, at, axis)], f"lacking.{axis}")
    weight = pixels_last(over_colours(correction), scale)
    return graph.node(
        "Conv",
        [lacking, graph.constant("correction.weight", weight)],
        "given.back",
        pads=[CORRECTED_FROM] * 4,
    )


def _inside(graph: _Graph, axis: int, name: str) -> str:
    """Along an axis of the input, one where a reduction sees pixels only, and zero at its ends.

    Worked out by numbers, as pictures may be smaller than what there would be to cut off.
    """
    shape = graph.node("Shape", ["image"], f"{name}.shape", start=axis, end=axis + 1)
    zero, one = (graph.constant(f"{name}.{n}", n, np.int64) for n in (0, 1))
    count = graph.node("Squeeze", [shape], f"{name}.count")
    index = graph.node("Range", [zero, count, one], f"{name}.index")
    last = graph.node("Sub", [count, one], f"{name}.last")
    opposite = graph.node("Sub", [last, index], f"{name}.opposite")
    nearest = graph.node("Min", [index, opposite], f"{name}.nearest")
    as_float = graph.node("Cast", [nearest], f"{name}.float", to=TensorProto.FLOAT)
    border = graph.constant(f"{name}.border", REDUCED_FROM - 1, np.float32)
    beyond = graph.node("Sub", [as_float, border], f"{name}.beyond")
    inside = graph.node("Clip", [beyond, "black", "white"], f"{name}.inside")
    form = graph.constant(f"{name}.form", [-1, 1] if axis == 2 else [1, -1], np.int64)
    return graph.node("Reshape", [inside, form], f"{name}.mask")


def _model(graph: _Graph, folded: Folded) -> onnx.ModelProto:
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "hyperfocal",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "H", "W"])],
            [helper.make_tensor_value_info("restored", TensorProto.FLOAT, [1, 3, "sH", "sW"])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="hyperfocal",
    )
    facts = {"scale": folded.scale, "unshuffle": folded.unshuffle, "radius": folded.radius}
    if folded.clipped:
        facts["clipped"] = 1
    helper.set_model_props(model, {key: str(value) for key, value in facts.items()})
    onnx.checker.check_model(model, full_check=True)
    return model
