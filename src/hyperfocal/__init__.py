"""Hyperfocal restores low-quality photographs to high resolution on a plain CPU.

    import hyperfocal

    hyperfocal.upscale("in.jpg", "out.png", scale=2)

    upscaler = hyperfocal.Upscaler.load("photo-fast", memory="400MB")
    result = upscaler(hyperfocal.open("portrait.tif"), scale=3)
    result.picture.save("portrait@3x.tif")
    print(result.fidelity.consistency_db)

These names are the public ones; what else lies in the package may change without notice.
Each is imported when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal import errors, models
    from hyperfocal.errors import HyperfocalError
    from hyperfocal.evaluate.compare import Comparison, compare
    from hyperfocal.imaging.picture import Picture
    from hyperfocal.imaging.read import Facts, inspect, open
    from hyperfocal.restore.api import upscale
    from hyperfocal.restore.fidelity import Fidelity
    from hyperfocal.restore.result import Result
    from hyperfocal.restore.upscaler import Upscaler
    from hyperfocal.settings import Settings

    __version__: str

__all__ = [
    "Comparison",
    "Facts",
    "Fidelity",
    "HyperfocalError",
    "Picture",
    "Result",
    "Settings",
    "Upscaler",
    "__version__",
    "compare",
    "errors",
    "inspect",
    "models",
    "open",
    "upscale",
]

_HOMES = {
    "Comparison": "evaluate.compare",
    "Facts": "imaging.read",
    "Fidelity": "restore.fidelity",
    "HyperfocalError": "errors",
    "Picture": "imaging.picture",
    "Result": "restore.result",
    "Settings": "settings",
    "Upscaler": "restore.upscaler",
    "compare": "evaluate.compare",
    "inspect": "imaging.read",
    "open": "imaging.read",
    "upscale": "restore.api",
}
_MODULES = ("errors", "models")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("hyperfocal")
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
