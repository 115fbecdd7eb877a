"""From a checkpoint to a shipped model: fold, quantise, choose by validation, write the card."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import onnx

from hyperfocal.errors import ModelBroken
from hyperfocal.models.card import VALIDATION, ModelCard, Precision, Quality, Weights
from hyperfocal.models.loaded import LoadedModel, load_entry
from hyperfocal.models.registry import Entry
from hyperfocal.paths import made_folder
from hyperfocal.quality.metrics import Scores, psnr, scores
from hyperfocal.quality.resize import enlarge_bicubic
from hyperfocal.settings import Settings
from hyperfocal.training.balance import Felt, balance, balanced, feel
from hyperfocal.training.calibrate import calibrating, observe, training_pictures
from hyperfocal.training.consistency import correction
from hyperfocal.training.cost import write_cost
from hyperfocal.training.data import Pixels
from hyperfocal.training.degraded import judged_pairs, observed_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.graph import build
from hyperfocal.training.pairing import arranged
from hyperfocal.training.pictures import judged_on
from hyperfocal.training.stored import Stored, averaged, read_stored
from hyperfocal.training.weights import Array, Folded

EXPORTABLE = ("plain",)
"""Architectures that can be folded into the graph that ships."""


@dataclass(frozen=True)
class Exported:
    """A written model.

    ``clipped_share``: of the activations in int8; None where the training found the ranges.
    """

    card: ModelCard
    clipped_share: float | None

    @property
    def validation(self) -> dict[Precision, float]:
        """Mean validation PSNR in dB, by precision, as on the card."""
        return {q.precision: q.psnr for q in self.card.quality if q.suite == VALIDATION}


def export(
    weights: Path,
    folder: Path,
    *,
    calibration: int = 48,
    experiment: Experiment | None = None,
    average: Path | None = None,
) -> Exported:
    """Write ``NAME.float.onnx``, ``NAME.int8.onnx`` and ``NAME.toml`` into ``folder``.

    ``weights``: a checkpoint; or, with its ``experiment``, a float file that was exported before,
    beside its card, of which the cost is taken. ``average``: other weights of the same net, a float
    file or a checkpoint, and the mean of both is exported
    (:func:`~hyperfocal.training.stored.averaged`).

    How int8 rounds weights comes from the first ``calibration`` training pictures, and so do the
    ranges, and how loud channels are (:mod:`~hyperfocal.training.balance`), but after a
    quantisation-aware training, which knows its own and may also have found weights that are best
    rounded one by one. What is best is chosen on the validation pictures, by
    the graphs that ship on the runtime that ships. Where the experiment wants the net consistent,
    each of both gets a correction, for what it makes of these training pictures. The float file
    tells, as the card does, what its weights cost, for trainings that go on from them. The card
    tells how good both are on the validation pictures, too. Files appear in ``folder`` only when
    all are made.

    :class:`ModelBroken` where the weights, or what they make of pictures, are no numbers; and what
    :func:`~hyperfocal.training.stored.read_stored` and ``averaged`` raise.
    """
    stored = read_stored(weights, experiment)
    if average is not None:
        stored = averaged(stored, average)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [part.astype(np.float64).sum() for pair in stored.folded.layers for part in pair]
    if not np.isfinite(sums).all():
        raise _failed(weights)
    # Now, as the rest takes a while.
    made_folder(folder)
    folded = replace(stored.folded, correction=None)
    pairs = judged_pairs(stored.experiment, judged_on(stored.experiment)[0])
    taught = calibrating(stored.experiment, calibration)
    card = _card(stored)
    with tempfile.TemporaryDirectory() as scratch:
        trial = _Trial(card, Path(scratch), pairs)
        roundings = _roundings(weights, stored, folded, calibration)
        rounding = max(
            roundings, key=lambda how: trial.score("int8", _serialised(how.graph(folded)))
        )
        files: dict[Precision, bytes] = {}
        hows: dict[Precision, _Rounding] = {"float": _Rounding(), "int8": rounding}
        for precision, how in hows.items():
            graph = how.graph(folded)
            if stored.experiment.net.consistent:
                answers = trial.answers(
                    precision,
                    _serialised(graph),
                    (pair for file in taught for pair in observed_pairs(stored.experiment, file)),
                )
                corrected = replace(folded, correction=correction(answers, folded.scale))
                graph = how.graph(corrected)
                card = card.model_copy(update={"receptive_radius": corrected.radius})
            if precision == "float":
                write_cost(graph, stored.cost)
            files[precision] = _serialised(graph)
        quality = trial.quality(files)
    weights_of = {kind: _write(made, folder, card, kind) for kind, made in files.items()}
    card = card.model_copy(update={"weights": weights_of, "quality": quality})
    card.write(folder / f"{card.name}.toml")
    return Exported(card, rounding.clipped_share)


def _failed(weights: Path) -> ModelBroken:
    # Late: to export takes no Lightning.
    from hyperfocal.training.collapse import TrainingFailed

    return TrainingFailed(
        f"{weights}: its numbers are too large for a picture to come of them: the training has "
        "failed; try a lower rate"
    )


@dataclass(frozen=True)
class _Trial:
    """Runs weights that are not shipped yet, exactly as they would run."""

    card: ModelCard
    folder: Path
    pairs: list[tuple[Pixels, Pixels]]

    def score(self, precision: Precision, data: bytes) -> float:
        """Mean luma PSNR in dB over the validation pairs."""
        model = self._loaded(precision, data)
        shave = self.card.scale
        return fmean(psnr(model.run(lr), hr, shave=shave) for lr, hr in self.pairs)

    def quality(self, files: dict[Precision, bytes]) -> tuple[Quality, ...]:
        """What weights make of the validation pairs, by the protocol, and what bicubic does."""
        scale = self.card.scale
        cubic = _mean(scores(enlarge_bicubic(lr, scale), hr, shave=scale) for lr, hr in self.pairs)
        measured = []
        for precision, data in files.items():
            model = self._loaded(precision, data)
            found = _mean(scores(model.run(lr), hr, shave=scale) for lr, hr in self.pairs)
            measured.append(Quality.of(VALIDATION, precision, len(self.pairs), found, cubic))
        return tuple(measured)

    def answers(
        self, precision: Precision, data: bytes, pairs: Iterable[tuple[Pixels, Pixels]]
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Of each pair: the input, what is made of it, not rounded, and the original, in [0, 1]."""
        model = self._loaded(precision, data)
        for pair in pairs:
            lr, hr = (pixels.astype(np.float32) / np.float32(255.0) for pixels in pair)
            yield lr, model.run(lr).astype(np.float32, copy=False), hr

    def _loaded(self, precision: Precision, data: bytes) -> LoadedModel:
        weights = _write(data, self.folder, self.card, precision)
        card = self.card.model_copy(update={"weights": {precision: weights}})
        settings = Settings(precision=precision, cache=self.folder / "cache")
        return load_entry(Entry(card, self.folder), settings)


def _mean(found: Iterable[Scores]) -> tuple[float, float]:
    """PSNR in dB, and SSIM."""
    psnrs, ssims = zip(*((each.psnr, each.ssim) for each in found), strict=True)
    return fmean(psnrs), fmean(ssims)


@dataclass(frozen=True)
class _Rounding:
    """How weights become a graph: as :func:`build` takes it. ``clipped_share``: of activations.

    ``felt``: how noise within is felt; given, channels are put beside those with which rounding is
    felt least. ``factors``: what they are multiplied by before, as :func:`balance` finds them.
    """

    clipped_share: float | None = None
    ranges: tuple[float, ...] | None = None
    products: tuple[npt.NDArray[np.float64] | None, ...] | None = None
    factors: tuple[npt.NDArray[np.float64], ...] | None = None
    felt: Felt | None = None

    def graph(self, folded: Folded) -> onnx.ModelProto:
        """The graph of a net that is rounded so."""
        if self.felt is None or self.products is None:
            return build(folded, self.ranges, self.products)
        sums, products = self.felt.sums, self.products
        if self.factors is not None:
            folded, products = balanced(folded, self.factors, products)
            sums = self.felt.with_fainter(self.factors)
        folded, products = arranged(folded, products, sums)
        return build(folded, self.ranges, products)


def _roundings(weights: Path, stored: Stored, folded: Folded, count: int) -> list[_Rounding]:
    """All that come into question for int8, of the net that was read from ``weights``."""
    pictures = partial(training_pictures, stored.experiment, count)
    seen = observe(folded, pictures())
    reaches = list(seen.ranges.values()) if stored.ranges is None else [stored.ranges]
    if not np.isfinite(reaches).all():
        raise _failed(weights)
    if stored.ranges is not None:
        return [_Rounding(None, stored.ranges, products) for products in (None, seen.products)]
    felt = feel(folded, pictures())
    return [
        _Rounding(share, reach, seen.products, factors, felt)
        for share, reach in seen.ranges.items()
        for factors in (None, balance(folded, reach, seen.products, felt))
    ]


def _card(stored: Stored) -> ModelCard:
    experiment, folded = stored.experiment, stored.folded
    parts = experiment.name.split("-")  # such as photo-fast-x2
    return ModelCard(
        name=experiment.name,
        purpose=experiment.purpose,
        scale=folded.scale,
        tier=parts[1] if len(parts) > 2 else "",
        licence="MIT",
        input_multiple=folded.unshuffle,
        receptive_radius=replace(folded, correction=None).radius,
        # Taught that blur is damage, it would sharpen what a lens left soft.
        takes_depth=experiment.data.degradation == "real",
        training=stored.training,
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
    return Weights(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        # See :mod:`hyperfocal.training.nets.steps`.
        exact_anywhere=precision == "int8",
    )
