"""The end of a graph: from the sums of the last convolution to pixels in bytes.

Enlarging four times, the last convolution makes 48 numbers of every input pixel, three times 27,
and moving them takes longer than a small net takes to compute them. So they are rounded as early as
can be, when a quarter of the bytes have yet to move, and then moved in whole runs of pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.models.anchor import is_anchor, whole_anchor

BLOCKS = "blocks"
"""Name of the output of a graph whose pixels :func:`in_place` has yet to put in their places."""


def giving_bytes(graph: Any, fuse: bool) -> Any:
    """``graph``, which gives ``(1, 3, H, W)`` in [0, 1], giving uint8.

    That is ``(1, H, W, 3)``, or an output called :data:`BLOCKS`, ``(1, h, w, 3 * side**2)``.
    ``fuse``: let the last convolution round to uint8, which OpenVINO (2026.4) cannot do where that
    convolution runs in bf16.
    """
    import openvino
    from openvino import opset13 as ops

    output = graph.output(0).get_node().input_value(0)
    shuffle = output.get_node()
    if not _is_pixel_shuffle(shuffle):
        pixels = ops.transpose(_bytes(output, fuse), np.array([0, 2, 3, 1])).output(0)
    else:
        blocks, side = shuffle.input_value(0), shuffle.get_attributes()["block_size"]
        if _with_anchor_of_bytes(graph):
            pixels = _channels_last(_bytes(blocks, fuse), 3 * side**2)
            pixels.get_tensor().set_names({BLOCKS})
        else:
            pixels = _shuffled(_bytes(blocks, fuse), side)
    return openvino.Model([pixels], graph.get_parameters(), graph.get_friendly_name())


def in_place(blocks: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    """``(h, w, 3 * scale**2)``, of every input pixel the rows it becomes, to ``(sh, sw, 3)``."""
    height, width, _ = blocks.shape
    # As numpy's "void" a row of one block is moved at once; as bytes, one by one.
    row = np.dtype((np.void, 3 * scale))
    result = np.empty((height * scale, width * scale, 3), dtype=np.uint8)
    rows = blocks.reshape(-1).view(row).reshape(height, width, scale)
    np.copyto(result.reshape(-1).view(row).reshape(height, scale, width), rows.transpose(0, 2, 1))
    return result


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


def _with_anchor_of_bytes(graph: Any) -> bool:
    """Let an int8 net compute and round its bicubic part in int8; whether it is one that can.

    That part must be clipped to [0, 1] before the net's is added: bytes hold nothing beyond.
    Then nothing of 32 bits is left to move.
    """
    from openvino import opset13 as ops

    found = [node for node in graph.get_ops() if _is_float_anchor(node)]
    if len(found) != 1 or (clipped := _clipped(found[0])) is None:
        return False
    (anchor,) = found
    steps, counts = whole_anchor(anchor.input_value(1).get_node().get_data())
    each = (1.0 / counts).astype(np.float32)[:, None, None, None]
    facts = anchor.get_attributes()
    made = ops.convolution(
        _levels(anchor.input_value(0)),
        ops.multiply(ops.convert(ops.constant(steps), "f32"), each),
        *(facts[name] for name in ("strides", "pads_begin", "pads_end", "dilations")),
    )
    clipped.output(0).replace(_levels(made).output(0))
    return True


def _is_float_anchor(node: Any) -> bool:
    """Whether ``node`` enlarges, in float, a picture that the net beside it takes as 8 bits."""
    if node.get_type_name() != "Convolution" or set(node.get_attributes()["strides"]) != {1}:
        return False
    weights = node.input_value(1).get_node()
    if weights.get_type_name() != "Constant" or not is_anchor(weights.get_data()):
        return False
    readers = node.input_value(0).get_target_inputs()
    return any(reader.get_node().get_type_name() == "FakeQuantize" for reader in readers)


def _clipped(node: Any) -> Any:
    """The node that has clipped the values of ``node`` to [0, 1]; None if they are not clipped.

    OpenVINO reads ONNX's Clip as a Maximum and a Minimum.
    """
    for kind, bound in (("Maximum", 0.0), ("Minimum", 1.0)):
        readers = [reader.get_node() for reader in node.output(0).get_target_inputs()]
        if len(readers) != 1 or readers[0].get_type_name() != kind:
            return None
        (node,) = readers
        others = [part.get_node() for part in node.input_values()]
        constants = [part.get_data() for part in others if part.get_type_name() == "Constant"]
        if len(constants) != 1 or not np.all(constants[0] == bound):
            return None
    return node


def _levels(unit: Any) -> Any:
    """[0, 1] rounded to multiples of 1/255."""
    from openvino import opset13 as ops

    low, high = np.float32(0.0), np.float32(1.0)
    return ops.fake_quantize(unit, low, high, low, high, 256)


def _rows_and_columns(stored: Any) -> tuple[Any, Any]:
    from openvino import opset13 as ops

    shape, axis = ops.shape_of(stored), np.int64(0)
    rows, columns = (ops.gather(shape, np.array([at]), axis) for at in (2, 3))
    return rows, columns


def _channels_last(stored: Any, channels: int) -> Any:
    """``(1, C, h, w)`` to ``(1, h, w, C)``, by a transposition that OpenVINO has fast code for.

    That of ``(0, 3, 1, 2)``; with all pixels along one axis it is the one wanted.
    """
    from openvino import opset13 as ops

    rows, columns = _rows_and_columns(stored)
    line = ops.reshape(stored, np.array([1, channels, 1, -1]), False)
    turned = ops.transpose(line, np.array([0, 3, 1, 2]))
    shape = ops.concat([np.array([1]), rows, columns, np.array([channels])], 0)
    return ops.reshape(turned, shape, False).output(0)


def _shuffled(stored: Any, side: int) -> Any:
    """``(1, side * side * 3, h, w)`` to ``(1, h * side, w * side, 3)``.

    Shuffle and change of layout are one transposition.
    """
    from openvino import opset13 as ops

    rows, columns = _rows_and_columns(stored)
    split = ops.concat([np.array([side, side * 3]), rows, columns], 0)
    turned = ops.transpose(ops.reshape(stored, split, False), np.array([2, 0, 3, 1]))
    one, factor = np.array([1]), np.array([side])
    joined = [one, ops.multiply(rows, factor), ops.multiply(columns, factor), np.array([3])]
    return ops.reshape(turned, ops.concat(joined, 0), False).output(0)
