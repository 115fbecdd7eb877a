"""Getting at OpenVINO: importing it quietly, reading ONNX, reading its errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hyperfocal.errors import ModelBroken, RuntimeMissing
from hyperfocal.imaging.guard import is_hosts
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


def new_core() -> Any:
    """An ``openvino.Core`` that has loaded its device; RuntimeError where it cannot.

    The device gives the thread that loads it a stack for handlers of signals, and unmaps it when
    it goes itself (2026.4). It puts back what the thread had before, which has gone by then where
    that was an earlier core's: the next signal that Python handles, Ctrl-C say, would end the
    process. So it is loaded by a thread that is over when this returns. One core for all models
    would not do: it keeps idle threads for models to come, which are not there in a forked child.
    """
    openvino = import_openvino()
    made: list[Any] = []
    failed: list[BaseException] = []

    def make() -> None:
        try:
            core = openvino.Core()
            core.get_property("CPU", "FULL_DEVICE_NAME")
            made.append(core)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failed.append(error)

    thread = threading.Thread(target=make, name="loads OpenVINO's device")
    try:
        thread.start()
    except RuntimeError as error:
        # Python 3.12 may start none any more once the main thread has ended: so near the end the
        # result matters more than the stack. That there is no room for one is another matter.
        if "interpreter shutdown" not in str(error):
            raise
        make()
    else:
        thread.join()
    if failed:
        raise failed[0]
    return made[0]


def last_line(error: Exception) -> str:
    """The line of OpenVINO's many that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@contextmanager
def broken(said: str) -> Iterator[None]:
    """Inside, what OpenVINO raises becomes :class:`ModelBroken`: ``said``, and why.

    What the program that calls us raises stays what it is.
    """
    try:
        yield
    except RuntimeError as error:
        if is_hosts(error):
            raise
        raise ModelBroken(f"{said}: {last_line(error)}") from error


def read_graph(weights: bytes) -> Any:
    """An ``openvino.Model`` from the bytes of an ONNX file, or :class:`ModelBroken`."""
    with broken("OpenVINO cannot read it as ONNX"):
        return import_openvino().Core().read_model(weights)


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
