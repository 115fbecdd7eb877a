"""What a model is (card, registry, weights) and the engines that execute it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.models.aliasing import aliases, remove_alias, set_alias
    from hyperfocal.models.card import ModelCard
    from hyperfocal.models.importing import import_card, import_onnx
    from hyperfocal.models.integrity import Verdict, verify
    from hyperfocal.models.loaded import LoadedModel, load
    from hyperfocal.models.registry import list, show

__all__ = [
    "LoadedModel",
    "ModelCard",
    "Verdict",
    "aliases",
    "import_card",
    "import_onnx",
    "list",
    "load",
    "remove_alias",
    "set_alias",
    "show",
    "verify",
]

_HOMES = {
    "LoadedModel": "loaded",
    "ModelCard": "card",
    "Verdict": "integrity",
    "aliases": "aliasing",
    "import_card": "importing",
    "import_onnx": "importing",
    "list": "registry",
    "load": "loaded",
    "remove_alias": "aliasing",
    "set_alias": "aliasing",
    "show": "registry",
    "verify": "integrity",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> Any:
    return sorted(__all__)
