"""What the processor can do, as far as it decides which weights to run."""

from __future__ import annotations

import contextlib
import importlib
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hyperfocal.cores import available_cores

__all__ = ["Processor", "available_cores", "processor"]

# Names as Linux gives them; numpy's names for the same are mapped to these.
_NUMPY_NAMES = {
    "AVX2": "avx2",
    "AVX512F": "avx512f",
    "AVX512VNNI": "avx512_vnni",
    "AVX512_ICL": "avx512_vnni",
    "AVX512_SPR": "avx512_vnni",
    "ASIMDDP": "asimddp",
}
_BF16 = frozenset({"avx512_bf16", "amx_bf16"})
_EXACT_INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})


@dataclass(frozen=True, slots=True)
class Processor:
    """``name``; ``flags`` in Linux's spelling; ``cores`` available to this process."""

    name: str
    flags: frozenset[str]
    cores: int

    @property
    def described(self) -> str:
        """The name with the instructions that decide the speed: many have one name, "AMD EPYC"."""
        kinds = (("AMX", "amx_int8"), ("VNNI", "avx512_vnni"), ("VNNI", "avx_vnni"))
        for kind, flag in (*kinds, ("AVX2", "avx2"), ("dot product", "asimddp")):
            if flag in self.flags:
                return f"{self.name} ({kind})"
        return self.name

    @property
    def exact_int8(self) -> bool:
        """Whether u8 x s8 products are summed in 32 bits.

        Older instructions sum pairs in 16 bits and saturate: there only weights will do whose pairs
        cannot overflow (``exact_anywhere`` on the card). Of others the float ones are right.
        """
        return bool(self.flags & _EXACT_INT8)

    @property
    def has_int8(self) -> bool:
        """Whether it multiplies 8-bit numbers faster than floats, exactly or not."""
        return self.exact_int8 or "avx2" in self.flags

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bf16 natively."""
        return bool(self.flags & _BF16)


def _from_linux(text: str) -> tuple[str, frozenset[str]]:
    """Name and flags out of ``/proc/cpuinfo``."""
    name, flags = "", frozenset[str]()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.strip().lower()
        if key == "model name" and not name:
            name = value.strip()
        elif key in ("flags", "features") and not flags:
            flags = frozenset(value.split())
    return name, flags


def _from_numpy() -> frozenset[str]:
    """Flags as numpy detected them for its own dispatch; works on every system."""
    try:
        umath = importlib.import_module("numpy._core._multiarray_umath")
    except ImportError:
        return frozenset()
    features: dict[str, bool] = getattr(umath, "__cpu_features__", {})
    return frozenset(
        _NUMPY_NAMES[key] for key, on in features.items() if on and key in _NUMPY_NAMES
    )


@lru_cache(maxsize=1)
def processor() -> Processor:
    """The processor of this machine."""
    name, flags = "", frozenset[str]()
    with contextlib.suppress(OSError):  # not Linux: numpy knows enough
        name, flags = _from_linux(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return Processor(
        name or platform.processor() or platform.machine(),
        flags or _from_numpy(),
        available_cores(),
    )
