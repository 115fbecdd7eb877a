"""Pictures in and out: formats, limits, orientation, colour profiles, metadata.

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.imaging.arrays import from_array, from_pil, to_array, to_pil
    from hyperfocal.imaging.content import sniff
    from hyperfocal.imaging.formats import (
        FORMATS,
        READABLE,
        WRITABLE,
        Format,
        format_of_suffix,
    )
    from hyperfocal.imaging.picture import Metadata, Picture, Pixels
    from hyperfocal.imaging.plan import check_fits, conversions
    from hyperfocal.imaging.read import Facts, inspect, open
    from hyperfocal.imaging.write import encode, format_for, save

_HOME = {
    "FORMATS": "formats",
    "READABLE": "formats",
    "WRITABLE": "formats",
    "Facts": "read",
    "Format": "formats",
    "Metadata": "picture",
    "Picture": "picture",
    "Pixels": "picture",
    "check_fits": "plan",
    "conversions": "plan",
    "encode": "write",
    "format_for": "write",
    "format_of_suffix": "formats",
    "from_array": "arrays",
    "from_pil": "arrays",
    "inspect": "read",
    "open": "read",
    "save": "write",
    "sniff": "content",
    "to_array": "arrays",
    "to_pil": "arrays",
}

__all__ = [
    "FORMATS",
    "READABLE",
    "WRITABLE",
    "Facts",
    "Format",
    "Metadata",
    "Picture",
    "Pixels",
    "check_fits",
    "conversions",
    "encode",
    "format_for",
    "format_of_suffix",
    "from_array",
    "from_pil",
    "inspect",
    "open",
    "save",
    "sniff",
    "to_array",
    "to_pil",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
