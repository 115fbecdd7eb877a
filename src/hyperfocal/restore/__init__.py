"""The engine: passes, tiles, memory, transparency, fidelity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.restore.api import upscale
    from hyperfocal.restore.auto import Choice
    from hyperfocal.restore.fidelity import Fidelity
    from hyperfocal.restore.result import Depth, Result, Timings
    from hyperfocal.restore.shelf import DEFAULT_MODEL
    from hyperfocal.restore.target import Target
    from hyperfocal.restore.upscaler import Upscaler

_HOMES = {
    "Choice": "auto",
    "DEFAULT_MODEL": "shelf",
    "Depth": "result",
    "Fidelity": "fidelity",
    "Result": "result",
    "Target": "target",
    "Timings": "result",
    "Upscaler": "upscaler",
    "upscale": "api",
}

__all__ = [
    "DEFAULT_MODEL",
    "Choice",
    "Depth",
    "Fidelity",
    "Result",
    "Target",
    "Timings",
    "Upscaler",
    "upscale",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
