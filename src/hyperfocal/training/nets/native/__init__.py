"""The body of a plain net on the matrix tiles of Intel AMX, much faster than layer by layer.

``body.cpp``, which says how, is compiled when it is first needed, and kept in the cache folder.
Where the processor has no tiles, the system does not give them, or there is no compiler,
:func:`usable` is false and everything runs as it does elsewhere.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import logging
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hyperfocal.errors import SettingsError
from hyperfocal.models.hardware import processor
from hyperfocal.settings import Settings
from hyperfocal.training.nets.native.kept_library import load_library

_log = logging.getLogger(__name__)

_SOURCE = Path(__file__).with_name("body.cpp")
_NEEDED = frozenset({"amx_tile", "amx_bf16", "avx512_bf16", "avx512bw", "avx512dq", "avx512vl"})
_FLAGS = (
    *("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread"),
    *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16"),
    *("-mamx-tile", "-mamx-bf16"),
)
# Columns of a tile, and bytes of a line of the cache.
_CHANNELS = 16
_LINE = 64


# Whether it is used where it can be.
_on = contextvars.ContextVar("on", default=True)


@contextlib.contextmanager
def switched(on: bool) -> Iterator[None]:
    """Within it, bodies run on tiles or never do."""
    token = _on.set(on)
    try:
        yield
    finally:
        _on.reset(token)


def usable(x: Tensor) -> bool:
    """Whether :func:`body` takes ``x``, a batch of activations, here and now."""
    return (
        _on.get()
        and x.device.type == "cpu"
        and x.dtype == torch.bfloat16
        and torch.is_grad_enabled()
        and x.numel() > 0
        and fits(x.shape[1])
    )


def fits(channels: int) -> bool:
    """Whether nets of so many channels run on tiles here."""
    return channels % _CHANNELS == 0 and compiled() is not None


def body(x: Tensor, kernels: Tensor, biases: Tensor, ceilings: tuple[float, ...]) -> Tensor:
    """3x3 convolutions, zero padded, each moved to between 0 and its ceiling, one after the other.

    ``x``: bfloat16 ``(N, C, H, W)``; ``kernels``: float32 ``(layers, C, C, 3, 3)``; ``biases``:
    float32 ``(layers, C)``; ``ceilings``: of ``x``, of which it is known that nothing is above it,
    and of each layer. Returns bfloat16 of the shape of ``x``.
    Kernels and activations are rounded to bfloat16, sums are float32; gradients of activations are
    bfloat16, those of kernels and biases float32. Only where :func:`usable`; :class:`MemoryError`.
    """
    assert len(ceilings) == len(kernels) + 1 == len(biases) + 1
    made: Tensor = _Body.apply(  # type: ignore[no-untyped-call]
        x, kernels, biases, torch.tensor(ceilings).bfloat16().float()
    )
    return made


class _Body(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, biases: Tensor, ceilings: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        kernels, biases = kernels.float().contiguous(), biases.float().contiguous()
        images, channels, height, width = x.shape
        shape = images, height, width, channels, len(kernels)
        built = compiled()
        assert built is not None
        kept = _Kept(built.hyperfocal_body_kept(*shape))
        made = torch.empty_like(x, memory_format=torch.channels_last)
        pointers = (part.data_ptr() for part in (x, made, kernels, biases, ceilings, kept.values))
        if built.hyperfocal_body_forward(*pointers, *shape, torch.get_num_threads()):
            raise MemoryError("no memory for a training step")
        ctx.save_for_backward(kernels, biases, ceilings)
        ctx.kept, ctx.shape = kept, shape
        return made

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        kernels, biases, ceilings = ctx.saved_tensors
        gradient = gradients[0].bfloat16().contiguous(memory_format=torch.channels_last)
        of_x = torch.empty_like(gradient, memory_format=torch.channels_last)
        of_kernels, of_biases = torch.empty_like(kernels), torch.empty_like(biases)
        parts = (gradient, of_x, kernels, ceilings, ctx.kept.values, of_kernels, of_biases)
        built = compiled()
        assert built is not None
        pointers = (part.data_ptr() for part in parts)
        if built.hyperfocal_body_backward(*pointers, *ctx.shape, torch.get_num_threads()):
            raise MemoryError("no memory for the gradient of a training step")
        return of_x, of_kernels, of_biases, None


class _Kept:
    """What a forward pass keeps for its gradient, in memory that an earlier one has given back.

    To be given a hundred megabytes by the system, page by page, takes long beside a step.
    """

    _spare: list[Tensor] = []  # noqa: RUF012 - of all of them

    def __init__(self, count: int) -> None:
        self._memory: Tensor | None = None
        spare = self._spare.pop() if self._spare else None
        fits = spare is not None and len(spare) >= count + _LINE
        memory = spare if fits else torch.empty(count + _LINE, dtype=torch.bfloat16)
        assert memory is not None
        self._memory = memory
        # From where a line of the cache begins.
        start = -memory.data_ptr() % _LINE // memory.element_size()
        self.values = memory[start : start + count]

    def __del__(self) -> None:
        if self._memory is not None and not self._spare:
            self._spare.append(self._memory)


def give_back() -> None:
    """Leaves to the system what is kept from one training step to the next."""
    _Kept._spare.clear()


@functools.lru_cache(maxsize=1)
def compiled() -> ctypes.CDLL | None:
    """The compiled body; None where there can be none, which is told once."""
    if platform.system() != "Linux" or not processor().flags >= _NEEDED:
        return None
    try:
        compiler = _compiler()
        if compiler is None:
            _log.info("this processor would train faster with a C++ compiler (g++)")
            return None
        loaded = load_library([*compiler, *_FLAGS], _SOURCE, _folder())
    # ValueError: an open quotation in CXX.
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", None) or error).strip()
        _log.warning("%s cannot be compiled, training is slower: %s", _SOURCE.name, told[-400:])
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_long
    loaded.hyperfocal_body_kept.restype = number
    loaded.hyperfocal_body_kept.argtypes = [number] * 5
    loaded.hyperfocal_body_forward.argtypes = [pointer] * 6 + [number] * 6
    loaded.hyperfocal_body_backward.argtypes = [pointer] * 7 + [number] * 6
    return loaded if loaded.hyperfocal_body_permitted() else None


def _folder() -> Path | None:
    """Where the compiled body is kept."""
    try:
        return Settings.read().cache / "native"
    except SettingsError:
        # It is told by whoever needs the settings.
        return None


def _compiler() -> list[str] | None:
    asked = shlex.split(os.environ.get("CXX", ""))
    for command in [asked] if asked else [["g++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    return None
