"""Which engine and which weights run a model on this machine."""

from __future__ import annotations

import importlib.util
from typing import Literal

from hyperfocal.errors import ModelBroken, ModelMissing, RuntimeMissing
from hyperfocal.models.card import ModelCard, Precision
from hyperfocal.models.hardware import Processor, processor
from hyperfocal.settings import Settings

RuntimeName = Literal["openvino", "onnxruntime", "builtin"]

_INSTALL = {
    "openvino": "pip install openvino",
    "onnxruntime": "pip install 'hyperfocal[onnxruntime]'",
}


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def choose_runtime(settings: Settings) -> RuntimeName:
    """The engine asked for, or OpenVINO before ONNX Runtime; :class:`RuntimeMissing`."""
    if settings.runtime != "auto":
        if not installed(settings.runtime):
            raise RuntimeMissing(
                f"the engine {settings.runtime} is not installed: {_INSTALL[settings.runtime]}"
            )
        return settings.runtime
    if installed("openvino"):
        return "openvino"
    if installed("onnxruntime"):
        return "onnxruntime"
    raise RuntimeMissing(f"no engine is installed: {_INSTALL['openvino']}")


def choose_precision(
    card: ModelCard, settings: Settings, cpu: Processor | None = None
) -> Precision:
    """Which of a model's weights to run.

    "auto": int8 where the processor computes these weights exactly, otherwise float; whichever
    there is when there is only one. :class:`ModelMissing` when the model has no such weights,
    :class:`RuntimeMissing` when the processor or engine cannot do bf16.
    """
    cpu = cpu or processor()
    if not card.weights:
        raise ModelBroken(f"{card.name}: the card names no weights")
    if settings.precision == "auto":
        if runs_int8(card, cpu):
            return "int8"
        return "float" if "float" in card.weights else next(iter(card.weights))
    if settings.precision == "bf16":
        if choose_runtime(settings) != "openvino" or not cpu.has_bf16:
            raise RuntimeMissing(
                "bf16 needs OpenVINO on a processor with AVX512_BF16 or AMX; use precision float"
            )
        wanted = "float"
    else:
        wanted = settings.precision
    if wanted not in card.weights:
        raise ModelMissing(
            f"{card.name} has no {wanted} weights, only {', '.join(sorted(card.weights))}"
        )
    return wanted


def runs_int8(card: ModelCard, cpu: Processor | None = None) -> bool:
    """Whether the model has int8 weights, and the processor computes them exactly."""
    cpu = cpu or processor()
    weights = card.weights.get("int8")
    if weights is None:
        return False
    return cpu.exact_int8 or (cpu.has_int8 and weights.exact_anywhere)
