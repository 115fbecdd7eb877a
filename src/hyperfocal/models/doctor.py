"""What this installation can do, for ``hyperfocal doctor`` and for bug reports."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from hyperfocal import paths
from hyperfocal.errors import HyperfocalError, ModelBroken
from hyperfocal.models.aliasing import aliases, is_model
from hyperfocal.models.choosing import choose_precision, choose_runtime, installed
from hyperfocal.models.compiled_cache import CompiledCache
from hyperfocal.models.hardware import processor
from hyperfocal.models.integrity import verify
from hyperfocal.models.registry import card_files, read_entry
from hyperfocal.settings import Settings

_ENGINES = ("openvino", "onnxruntime")
_LIBRARIES = ("numpy", "pillow", "imagecodecs", "tifffile", "isal")
_FORMAT_EXTRAS = {"HEIC": ("pillow-heif", "heif")}
# Instruction sets that decide speed or precision, in Linux's spelling.
_TOLD = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "BF16": ("avx512_bf16",),
    "AMX": ("amx_tile",),
    "dot product (ARM)": ("asimddp",),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """How one model would run here; ``problem`` is "" when it would."""

    model: str
    runtime: str
    precision: str
    arithmetic: str
    problem: str


@dataclass(frozen=True, slots=True)
class Report:
    """Plain values throughout, ready for ``dataclasses.asdict`` and JSON.

    ``engines``, ``libraries``, ``formats``: versions by name, None for what is not installed;
    ``install``: the command that adds each missing optional part; ``capabilities``: instruction
    sets by name; ``models``: how each would run; ``problems``: what is wrong, one sentence each,
    empty on a healthy installation.
    """

    hyperfocal: str
    python: str
    system: str
    processor: str
    cores: int
    threads: int
    capabilities: dict[str, bool]
    engines: dict[str, str | None]
    libraries: dict[str, str | None]
    formats: dict[str, str | None]
    install: dict[str, str]
    models: tuple[Choice, ...]
    model_folder: str
    cache_folder: str
    cache_bytes: int
    cache_writable: bool
    problems: tuple[str, ...]


def doctor(settings: Settings | None = None) -> Report:
    """Examine this installation; loads no model, raises nothing."""
    settings = settings or Settings.read()
    cpu = processor()
    engines = {name: _version(name) for name in _ENGINES}
    formats = {name: _version(package) for name, (package, _) in _FORMAT_EXTRAS.items()}
    install = {
        name: f"pip install 'hyperfocal[{extra}]'"
        for name, (_, extra) in _FORMAT_EXTRAS.items()
        if formats[name] is None
    }
    if engines["onnxruntime"] is None:
        install["onnxruntime"] = "pip install 'hyperfocal[onnxruntime]'"
    choices = tuple(_choice(path, settings) for path in card_files("*", settings))
    problems = [f"{choice.model}: {choice.problem}" for choice in choices if choice.problem]
    problems += [
        verdict.reason
        for verdict in verify(settings=settings)
        if not verdict.ok and verdict.precision
    ]
    problems += _problems_of_aliases(settings)
    return Report(
        hyperfocal=_version("hyperfocal") or "not installed as a package",
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=cpu.name,
        cores=cpu.cores,
        threads=settings.threads or cpu.cores,
        capabilities={
            name: any(flag in cpu.flags for flag in flags) for name, flags in _TOLD.items()
        },
        engines=engines,
        libraries={name: _version(name) for name in _LIBRARIES},
        formats=formats,
        install=install,
        models=choices,
        model_folder=str(settings.models),
        cache_folder=str(settings.cache),
        cache_bytes=CompiledCache(settings.cache).size(),
        cache_writable=_writable(settings.cache),
        problems=tuple(problems),
    )


def _problems_of_aliases(settings: Settings) -> list[str]:
    try:
        found = aliases(settings)
    except ModelBroken as error:
        return [str(error)]
    return [
        f"the alias '{alias}' stands for '{model}', and there is no such model"
        for alias, model in found.items()
        if not is_model(model, settings)
    ]


def _version(package: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return "unknown" if installed(package) else None


def _choice(path: Path, settings: Settings) -> Choice:
    """The decisions that loading would take, without loading."""
    try:
        card = read_entry(path).card
        if card.kind == "builtin":
            return Choice(card.name, "builtin", "float", "f32", "")
        runtime, precision = choose_runtime(settings), choose_precision(card, settings)
    except HyperfocalError as error:
        return Choice(path.stem, "", "", "", str(error))
    arithmetic = "bf16" if settings.precision == "bf16" else "f32"
    return Choice(card.name, runtime, precision, "u8s8" if precision == "int8" else arithmetic, "")


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that exists, takes files."""
    while not paths.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return paths.is_folder(folder) and os.access(folder, os.W_OK)
