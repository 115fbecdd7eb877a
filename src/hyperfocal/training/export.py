"""From a checkpoint to a shipped model: fold, quantise, choose by validation, write the card."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from hyperfocal.errors import UsageError
from hyperfocal.models.card import ModelCard, Precision, Training, Weights
from hyperfocal.models.loaded import load_entry
from hyperfocal.models.registry import Entry
from hyperfocal.paths import made_folder
from hyperfocal.quality import psnr
from hyperfocal.settings import Settings
from hyperfocal.training.calibrate import observe, training_pictures
from hyperfocal.training.cost import History, write_cost
from hyperfocal.training.data import Pixels
from hyperfocal.training.degraded import judged_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.pictures import judged_on
from hyperfocal.training.stored import load_average
from hyperfocal.training.weights import Folded, fold

EXPORTABLE = ("plain",)
"""Architectures that can be folded into the graph that ships."""


@dataclass(frozen=True)
class Exported:
    """A written model and its mean validation PSNR in dB, by precision.

    ``clipped_share``: of the activations in int8; None where the training found the ranges.
    """

    card: ModelCard
    validation: dict[str, float]
    clipped_share: float | None


def export(checkpoint: Path, folder: Path, *, calibration: int = 48) -> Exported:
    """Write ``NAME.float.onnx``, ``NAME.int8.onnx`` and ``NAME.toml`` into ``folder``.

    How int8 rounds weights comes from the first ``calibration`` training pictures, and so do the
    ranges, but after a quantisation-aware training, which knows its own and may also have found
    weights that are best rounded one by one. What is best is chosen on the validation pictures, by
    the graphs that ship on the runtime that ships. The float file tells, as the card does, what its
    weights cost, for trainings that go on from them. Files appear in ``folder`` only when all are
    made.
    """
    experiment, net, history = load_average(checkpoint)
    if not isinstance(net, PlainNet):
        raise UsageError(f"nets of the kind '{experiment.net.name}' cannot be exported")
    # Now, as the rest takes a while.
    made_folder(folder)
    folded = fold(net)
    pairs = judged_pairs(experiment, judged_on(experiment)[0])
    candidates = _int8_graphs(experiment, net, folded, calibration)
    card = _card(experiment, folded, history)
    with tempfile.TemporaryDirectory() as scratch:
        trial = _Trial(card, Path(scratch), pairs)
        graph = build(folded)
        write_cost(graph, history.total)
        files: dict[Precision, bytes] = {"float": _serialised(graph)}
        scores = {"float": trial.score("float", files["float"])}
        share, files["int8"], scores["int8"] = max(
            ((share, data, trial.score("int8", data)) for share, data in candidates),
            key=lambda found: found[2],
        )
    weights = {
        precision: _write(data, folder, card, precision) for precision, data in files.items()
    }
    card = ModelCard.model_validate({**card.model_dump(), "weights": weights})
    card.write(folder / f"{card.name}.toml")
    return Exported(card, scores, share)


@dataclass(frozen=True)
class _Trial:
    """Scores weights that are not shipped yet, exactly as they would run."""

    card: ModelCard
    folder: Path
    pairs: list[tuple[Pixels, Pixels]]

    def score(self, precision: Precision, data: bytes) -> float:
        """Mean luma PSNR in dB over the validation pairs."""
        weights = _write(data, self.folder, self.card, precision)
        card = self.card.model_copy(update={"weights": {precision: weights}})
        settings = Settings(precision=precision, cache=self.folder / "cache")
        model = load_entry(Entry(card, self.folder), settings)
        return float(np.mean([psnr(model.run(lr), hr, shave=card.scale) for lr, hr in self.pairs]))


def _int8_graphs(
    experiment: Experiment, net: PlainNet, folded: Folded, count: int
) -> list[tuple[float | None, bytes]]:
    """What share of activations is clipped, and the graph."""
    seen = observe(folded, training_pictures(experiment, count))
    if net.ranges is None:
        found = [
            (share, build(folded, reach, seen.products)) for share, reach in seen.ranges.items()
        ]
    else:
        found = [(None, build(folded, net.ranges, how)) for how in (None, seen.products)]
    return [(share, _serialised(graph)) for share, graph in found]


def _card(experiment: Experiment, folded: Folded, history: History) -> ModelCard:
    parts = experiment.name.split("-")  # such as photo-fast-x2
    return ModelCard(
        name=experiment.name,
        purpose=experiment.purpose,
        scale=folded.scale,
        tier=parts[1] if len(parts) > 2 else "",
        licence="MIT",
        input_multiple=folded.unshuffle,
        receptive_radius=folded.radius,
        training=Training(
            data=experiment.data.description,
            experiment=f"experiments/{experiment.file or f'{experiment.name}.toml'}",
            hardware=experiment.hardware,
            **history.on_card(),
        ),
    )


def _serialised(model: onnx.ModelProto) -> bytes:
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _write(data: bytes, folder: Path, card: ModelCard, precision: Precision) -> Weights:
    """Write an ONNX file whole or not at all; its name and digest."""
    path = folder / f"{card.name}.{precision}.onnx"
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
    return Weights(file=path.name, sha256=hashlib.sha256(data).hexdigest())
