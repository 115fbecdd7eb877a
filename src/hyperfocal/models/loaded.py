"""A model ready to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np

from hyperfocal.errors import ModelBroken
from hyperfocal.models.card import ModelCard, Precision
from hyperfocal.models.choosing import RuntimeName, choose_precision, choose_runtime
from hyperfocal.models.ensemble import SelfEnsemble
from hyperfocal.models.integrity import read_weights
from hyperfocal.models.registry import Entry, find
from hyperfocal.models.tiles import Engine, Tile, check_tile
from hyperfocal.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model with the engine that runs it; immutable, to be shared by threads.

    ``runtime``: "openvino", "onnxruntime" or "builtin"; ``precision``: of the weights;
    ``arithmetic``: what the convolutions are really computed in ("u8s8", "bf16" or "f32");
    ``threads``: how many one call uses.
    """

    card: ModelCard
    runtime: RuntimeName
    precision: Precision
    arithmetic: str
    threads: int
    _engine: Engine = field(repr=False)

    def run(self, tile: Tile) -> Tile:
        """Enlarge one tile.

        ``tile``: ``(H, W, 3)`` RGB, uint8, or float32 in [0, 1]; H and W multiples of
        ``card.input_multiple``; memory order as you like. Gives ``(sH, sW, 3)`` of the same
        type, uint8 rounded, float32 clipped to [0, 1]. A NaN that the network makes stays one
        in float32; in uint8, which has none, it becomes some value of [0, 255].
        :class:`ArrayError` for another shape or type, :class:`ModelBroken` when the network
        fails or gives another size than its card says.
        """
        check_tile(tile, self.card)
        cell = self.card.input_multiple
        if tile.shape[1] > cell or cell == 1:
            return self._engine.run(tile)
        # OpenVINO (2026.4) makes nonsense of an int8 convolution with strides whose result is one
        # wide, on processors with AMX.
        wider = np.repeat(tile, [1] * (cell - 1) + [1 + cell], axis=1)
        made = self._engine.run(cast("Tile", wider))
        return cast("Tile", np.ascontiguousarray(made[:, : cell * self.card.scale]))

    def release(self) -> None:
        """Give back the working memory of past calls; the next call takes what it needs again.

        Worth calling after a large picture in a program that lives on. What other threads are
        working with stays.
        """
        self._engine.release()


def load(name: str, *, settings: Settings | None = None) -> LoadedModel:
    """Load a model by name.

    :class:`ModelMissing` for an unknown name or weights the model does not have,
    :class:`ModelBroken` for a bad card or weights, :class:`RuntimeMissing` when no installed
    engine, or not this processor, can run it as asked.
    """
    settings = settings or Settings.read()
    return load_entry(find(name, settings), settings)


def load_entry(entry: Entry, settings: Settings) -> LoadedModel:
    """Load a model whose card has been found."""
    card = entry.card
    if card.kind == "builtin":
        from hyperfocal.models.bicubic import BicubicEngine

        if not card.name.startswith("bicubic-"):
            raise ModelBroken(f"{card.name}: there is no builtin model of that name")
        bicubic = BicubicEngine(card.scale)
        return LoadedModel(card, "builtin", "float", bicubic.arithmetic, 1, bicubic)
    runtime = choose_runtime(settings)
    precision = choose_precision(card, settings)
    weights = read_weights(entry, precision)
    engine = _engine(runtime, card, precision, weights, settings)
    if card.self_ensemble:
        engine = SelfEnsemble(engine)
    return LoadedModel(card, runtime, precision, engine.arithmetic, engine.threads, engine)


def _engine(
    runtime: RuntimeName, card: ModelCard, precision: Precision, weights: bytes, settings: Settings
) -> Engine:
    try:
        if runtime == "openvino":
            from hyperfocal.models.openvino_runtime import OpenVINOEngine, Plan

            plan = Plan(
                threads=settings.threads,
                hint=settings.hint,
                arithmetic="bf16" if settings.precision == "bf16" else "f32",
                cache=settings.cache,
            )
            return OpenVINOEngine(
                weights,
                card.weights[precision].sha256,
                scale=card.scale,
                plan=plan,
            )
        from hyperfocal.models.onnx_runtime import ONNXRuntimeEngine

        return ONNXRuntimeEngine(
            weights,
            arithmetic="u8s8" if precision == "int8" else "f32",
            scale=card.scale,
            threads=settings.threads,
        )
    except ModelBroken as error:
        raise ModelBroken(f"{card.name}: {error}") from error
