"""Models on ONNX Runtime, the second engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from hyperfocal.errors import ModelBroken, RuntimeMissing
from hyperfocal.models.hardware import available_cores
from hyperfocal.models.tiles import Tile


def import_onnxruntime() -> Any:
    """The ``onnxruntime`` module; :class:`RuntimeMissing` tells how to get it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(
            f"ONNX Runtime is missing: pip install hyperfocal[onnxruntime] ({error})"
        ) from error
    # On Windows it reports usage to its maker otherwise.
    onnxruntime.disable_telemetry_events()
    return onnxruntime


class ONNXRuntimeEngine:
    """One network; what OpenVINO does inside its graph, numpy does here around it.

    It gives what OpenVINO gives within 1/255, from float weights and from int8 ones whose steps are
    chosen as ``train export`` does. From other int8 weights single samples may be a few levels off:
    where an activation lies between two levels the engines may round it differently, and every
    layer passes that on. Of int8 nets on a clipped enlargement, which OpenVINO rounds before the
    net's part is added, a quarter of all samples may be one level off.
    """

    def __init__(self, weights: bytes, *, scale: int, arithmetic: str, threads: int = 0) -> None:
        runtime = import_onnxruntime()
        self.arithmetic = arithmetic
        self.threads = threads or available_cores()
        self._scale = scale
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # An arena would hold the memory of the largest tile for good.
        options.enable_cpu_mem_arena = False
        # Idle workers would otherwise spin, and slow down decoding and encoding beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = runtime.InferenceSession(
                weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base of their own
            raise ModelBroken(f"ONNX Runtime cannot read it: {error}") from error
        entry = self._session.get_inputs()[0]
        if any(isinstance(side, int) for side in entry.shape[2:]):
            raise ModelBroken(
                f"its input is fixed to {entry.shape[2:]}, which only OpenVINO can make flexible"
            )
        self._input = entry.name

    def run(self, tile: Tile) -> Tile:
        """``(H, W, 3)`` uint8 or float32 to ``(sH, sW, 3)``; float is clipped, NaN stays NaN."""
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1), dtype=np.float32)[None]
        if tile.dtype == np.uint8:
            planes *= np.float32(1 / 255)
        try:
            (made,) = self._session.run(None, {self._input: planes})
        except Exception as error:
            raise ModelBroken(f"the model failed: {error}") from error
        expected = (1, 3, tile.shape[0] * self._scale, tile.shape[1] * self._scale)
        if made.shape != expected:
            raise ModelBroken(f"the model made {made.shape[2:]}, not {expected[2:]} pixels")
        np.clip(made, 0.0, 1.0, out=made)
        if tile.dtype == np.uint8:
            made *= np.float32(255)
            made = np.rint(np.nan_to_num(made, copy=False, nan=0.0), out=made).astype(np.uint8)
        result: Tile = np.ascontiguousarray(made[0].transpose(1, 2, 0))
        return result

    def release(self) -> None:
        """Nothing is kept between calls: the memory arena is off."""
