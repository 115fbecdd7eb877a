"""Models on ONNX Runtime, the second engine."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from hyperfocal import forks
from hyperfocal.errors import ModelBroken, RuntimeMissing
from hyperfocal.imaging.guard import is_hosts
from hyperfocal.models.hardware import available_cores
from hyperfocal.models.tiles import Tile


def import_onnxruntime() -> Any:
    """The ``onnxruntime`` module; :class:`RuntimeMissing` tells how to get it.

    The only place that imports it: as it is imported it begins to report usage to its maker, with
    files in the user's cache and a thread that sends them, unless it is told not to before that.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(
            f"ONNX Runtime is missing: pip install 'hyperfocal[onnxruntime]' ({error})"
        ) from error
    # For builds that do not know that variable.
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
        self._runtime = import_onnxruntime()
        self.arithmetic = arithmetic
        self.threads = threads or available_cores()
        self._weights, self._scale = weights, scale
        self._lock = threading.Lock()
        self._session: Any = self._begin()
        entry = self._session.get_inputs()[0]
        if any(isinstance(side, int) for side in entry.shape[2:]):
            raise ModelBroken(
                f"its input is fixed to {entry.shape[2:]}, which only OpenVINO can make flexible"
            )
        self._input = entry.name
        forks.renew_in_children(self)

    def renew(self) -> object:
        """Forget the session; see :mod:`hyperfocal.forks`. A child's first call makes another."""
        inherited, self._session, self._lock = self._session, None, threading.Lock()
        return inherited

    def _begin(self) -> Any:
        """A session."""
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # An arena would hold the memory of the largest tile for good.
        options.enable_cpu_mem_arena = False
        # Idle workers would otherwise spin, and slow down decoding and encoding beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            with forks.held_off():
                return self._runtime.InferenceSession(
                    self._weights, options, providers=["CPUExecutionProvider"]
                )
        except Exception as error:  # its exceptions share no base of their own
            if is_hosts(error):
                raise
            raise ModelBroken(f"ONNX Runtime cannot read it: {error}") from error

    def _own_session(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._begin()
            return self._session

    def run(self, tile: Tile) -> Tile:
        """``(H, W, 3)`` uint8 or float32 to ``(sH, sW, 3)``; float is clipped, NaN stays NaN."""
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1), dtype=np.float32)[None]
        if tile.dtype == np.uint8:
            planes *= np.float32(1 / 255)
        session = self._own_session()
        try:
            with forks.held_off():
                (made,) = session.run(None, {self._input: planes})
        except Exception as error:
            if is_hosts(error):
                raise
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
