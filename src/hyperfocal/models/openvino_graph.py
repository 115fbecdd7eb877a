"""Getting at OpenVINO: importing it quietly, reading ONNX, reading its errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hyperfocal import forks
from hyperfocal.errors import ModelBroken, RuntimeMissing
from hyperfocal.models.openvino_output import giving_bytes

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


class _OneCore:
    """The ``openvino.Core`` of this process.

    A core gives the thread that first uses it a stack for handlers of signals, and unmaps it with
    its last model (2026.4). It puts back what the thread had before, which is gone by then if that
    was an earlier core's: the next signal that Python handles, Ctrl-C say, then ends the process.
    So there is one, and it stays.
    """

    def __init__(self) -> None:
        self._begin()
        forks.renew_in_children(self)

    def _begin(self) -> None:
        self._core: Any = None
        self._lock = threading.Lock()

    def renew(self) -> object:
        """Have another one, in a forked child; see :mod:`hyperfocal.forks`."""
        inherited = self._core
        self._begin()
        return inherited

    def get(self) -> Any:
        """It; :class:`RuntimeMissing` where there is no OpenVINO."""
        openvino = import_openvino()
        with forks.held_off(), self._lock:
            if self._core is None:
                self._core = openvino.Core()
            return self._core


_ONE = _OneCore()


def the_core() -> Any:
    """The one ``openvino.Core`` of this process, whose models may come and go."""
    return _ONE.get()


def last_line(error: Exception) -> str:
    """The line of OpenVINO's many that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def read_graph(weights: bytes) -> Any:
    """An ``openvino.Model`` from the bytes of an ONNX file, or :class:`ModelBroken`."""
    try:
        return the_core().read_model(weights)
    except RuntimeError as error:
        raise ModelBroken(f"OpenVINO cannot read it as ONNX: {last_line(error)}") from error


def free_sides(graph: Any) -> None:
    """Let ``graph`` take ``(1, 3, H, W)`` with H and W of any length; may raise RuntimeError."""
    openvino = import_openvino()
    side = openvino.Dimension(1, _LONGEST_SIDE)
    graph.reshape(openvino.PartialShape([1, 3, side, side]))


def with_pixels_around(graph: Any, dtype: np.dtype[Any], *, fuse: bool = True) -> Any:
    """``graph`` taking and giving ``(1, H, W, 3)`` of ``dtype``; H and W of any length.

    Where uint8 comes out, it may have yet to be put in place, and ``fuse`` says whether the last
    convolution may round: see :func:`~hyperfocal.models.openvino_output.giving_bytes`.
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
        return giving_bytes(around.build(), fuse)
    around.output().model().set_layout(openvino.Layout("NCHW"))
    around.output().postprocess().convert_element_type(element)
    around.output().tensor().set_layout(openvino.Layout("NHWC"))
    return around.build()


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
