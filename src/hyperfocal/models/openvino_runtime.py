"""Models on OpenVINO, the default engine on CPUs.

Pixels go in and come out as ``(1, H, W, 3)`` of the caller's type: scaling by 255, rounding,
clamping and the change of layout are part of the compiled graph, where they cost next to
nothing. One compiled model serves pictures of every size.
"""

from __future__ import annotations

import locale
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from hyperfocal import forks
from hyperfocal.errors import ModelBroken
from hyperfocal.imaging.guard import is_hosts
from hyperfocal.models.compiled_cache import CompiledCache
from hyperfocal.models.hardware import available_cores
from hyperfocal.models.openvino_graph import (
    broken,
    executed_arithmetic,
    import_openvino,
    new_core,
    read_graph,
    with_pixels_around,
)
from hyperfocal.models.openvino_output import BLOCKS, in_place
from hyperfocal.models.tiles import Tile

# What OpenVINO has prepared of a model's layers for the shape of one tile is kept for when that
# shape comes again, by default thousands of times: half a megabyte for every new size of picture.
# To prepare it again takes microseconds; this is enough for the shapes that come in turns.
_LAYERS_KEPT = 128


@dataclass(frozen=True, slots=True)
class Plan:
    """How to execute: ``threads`` 0 means all cores; ``arithmetic`` applies to float weights."""

    threads: int = 0
    hint: Literal["latency", "throughput"] = "latency"
    arithmetic: Literal["f32", "bf16"] = "f32"
    cache: Path | None = None

    def properties(self) -> dict[str, Any]:
        """OpenVINO's own names for the same."""
        return {
            "PERFORMANCE_HINT": self.hint.upper(),
            "INFERENCE_NUM_THREADS": self.threads or available_cores(),
            # Named even when it is float32: by default OpenVINO takes bf16 where it can.
            "INFERENCE_PRECISION_HINT": self.arithmetic,
            # Pinning would put the threads of several processes onto the same cores.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _LAYERS_KEPT,
        }


class _Request:
    """An inference request, and memory for blocks that are yet to be put in place."""

    def __init__(self, infer: Any) -> None:
        self.infer = infer
        self._memory = np.empty(0, np.uint8)

    def blocks(self, *shape: int) -> npt.NDArray[np.uint8]:
        """uint8 of ``shape``, valid until asked again.

        Kept from tile to tile: the first touch of new memory costs as much as several layers.
        """
        # Another thread may forget it at any time, but not what this one holds.
        size, memory = math.prod(shape), self._memory
        if memory.size < size:
            self._memory = memory = np.empty(size, np.uint8)
        return memory[:size].reshape(shape)

    def forget(self) -> None:
        """Give that memory back."""
        self._memory = np.empty(0, np.uint8)


class _Variant:
    """A compiled model for one pixel type, with as many requests as threads have asked at once."""

    def __init__(self, compiled: Any) -> None:
        tensor = import_openvino().Tensor
        self.compiled = compiled
        self.blocks = BLOCKS in compiled.output(0).get_names()
        self._blanks = [
            tensor(end.element_type, end.partial_shape.get_min_shape())
            for end in (compiled.input(0), compiled.output(0))
        ]
        self._idle: list[_Request] = []

    @contextmanager
    def request(self) -> Iterator[_Request]:
        # list.pop and list.append are atomic, so the pool needs no lock.
        try:
            request = self._idle.pop()
        except IndexError:
            request = _Request(self.compiled.create_infer_request())
        yield request
        # A waiting request must not keep the last caller's arrays alive. After an error the
        # request is dropped instead.
        request.infer.set_input_tensor(self._blanks[0])
        request.infer.set_output_tensor(self._blanks[1])
        self._idle.append(request)

    def release(self) -> None:
        """Give back what requests keep between tiles."""
        for request in tuple(self._idle):
            request.forget()
        # Refused while another thread runs a tile, which needs that memory anyway.
        with suppress(RuntimeError):
            self.compiled.release_memory()


class _Compiled:
    """What belongs to one process: a child that is forked in the middle of work has its own."""

    def __init__(self) -> None:
        self.core: Any = None
        self.lock = threading.Lock()
        self.variants: dict[str, _Variant] = {}


class OpenVINOEngine:
    """One network, compiled for uint8 and, when first needed, for float32.

    ``weights``: an ONNX file; ``key``: its sha256, under which compiled models are cached. In a
    forked child it is compiled again when first used there.
    """

    def __init__(self, weights: bytes, key: str, *, scale: int, plan: Plan) -> None:
        self._openvino = import_openvino()
        self._weights, self._key = weights, key
        self._scale, self._plan = scale, plan
        self._compiled = _Compiled()
        compiled = self._variant(np.dtype(np.uint8)).compiled
        with forks.held_off():
            self.arithmetic = executed_arithmetic(compiled)
            self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        forks.renew_in_children(self)

    def renew(self) -> object:
        """Forget what is compiled; see :mod:`hyperfocal.forks`."""
        inherited, self._compiled = self._compiled, _Compiled()
        return inherited

    def run(self, tile: Tile) -> Tile:
        """``(H, W, 3)`` uint8 or float32 to ``(sH, sW, 3)``; float is clipped, NaN stays NaN."""
        # Writable only because OpenVINO insists on it; it does not write there.
        source = np.require(tile, requirements=["C", "W"])
        variant, (height, width), scale = self._variant(tile.dtype), source.shape[:2], self._scale
        with broken("the model failed"), forks.held_off(), variant.request() as request:
            if variant.blocks:
                blocks = request.blocks(height, width, 3 * scale**2)
                self._infer(request.infer, source, blocks)
                return in_place(blocks, scale)
            result = np.empty((height * scale, width * scale, 3), dtype=tile.dtype)
            self._infer(request.infer, source, result)
        # numpy's clip lets NaN through, so that whoever checks the result can see it.
        if tile.dtype == np.float32:
            np.clip(result, 0.0, 1.0, out=result)
        return cast("Tile", result)

    def _infer(self, infer: Any, source: Tile, result: Tile) -> None:
        wrap = self._openvino.Tensor
        infer.set_input_tensor(wrap(source[None], shared_memory=True))
        infer.set_output_tensor(wrap(result[None], shared_memory=True))
        infer.infer()
        made = tuple(infer.get_output_tensor().shape)
        if made != (1, *result.shape):
            raise ModelBroken(f"the model made {made[1:3]}, not {result.shape[:2]} pixels")

    def release(self) -> None:
        """Give back intermediate memory, which otherwise stays as large as the largest tile's."""
        for variant in list(self._compiled.variants.values()):
            variant.release()

    def _variant(self, dtype: np.dtype[Any]) -> _Variant:
        own = self._compiled
        if (known := own.variants.get(dtype.name)) is not None:
            return known
        with forks.held_off(), own.lock:
            if dtype.name not in own.variants:
                own.variants[dtype.name] = self._make(own, dtype)
            return own.variants[dtype.name]

    def _make(self, own: _Compiled, dtype: np.dtype[Any]) -> _Variant:
        def compile_graph() -> Any:
            fuse = self._plan.arithmetic != "bf16"
            graph = with_pixels_around(read_graph(self._weights), dtype, fuse=fuse)
            return own.core.compile_model(graph, "CPU", self._plan.properties())

        def restore(blob: bytes) -> Any:
            return own.core.import_model(blob, "CPU", self._plan.properties())

        with broken("OpenVINO cannot compile it"):
            own.core = own.core or new_core()
            return _Variant(self._cached(own.core, dtype, compile_graph, restore))

    def _cached(
        self,
        core: Any,
        dtype: np.dtype[Any],
        compile_graph: Callable[[], Any],
        restore: Callable[[bytes], Any],
    ) -> Any:
        if self._plan.cache is None:
            return compile_graph()
        cache = CompiledCache(self._plan.cache)
        parts = (
            self._openvino.get_version(),
            str(core.get_property("CPU", "FULL_DEVICE_NAME")),
            repr(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
            repr(sorted(self._plan.properties().items())),
            dtype.name,
            self._key,
        )
        if (blob := cache.get(parts)) is not None:
            try:
                return restore(blob)
            except RuntimeError as error:
                # Refused when made by a build that differs in something the key does not tell.
                if is_hosts(error):
                    raise
        compiled = compile_graph()
        # It writes numbers as the host's locale has them, and reads them with a point (2026.4):
        # with a decimal comma every process that found the blob would restore wrongly.
        if locale.localeconv()["decimal_point"] == ".":
            cache.put(parts, compiled.export_model().getvalue())
        return compiled
