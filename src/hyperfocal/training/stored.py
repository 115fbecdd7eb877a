"""Weights that are stored: in checkpoints, and where a training starts from."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from hyperfocal import paths
from hyperfocal.errors import InputMissing, ModelBroken, SettingsError, UsageError
from hyperfocal.models.card import ModelCard, Training
from hyperfocal.training.cost import (
    NOTHING,
    UNKNOWN,
    Cost,
    History,
    cost_on_card,
    read_cost,
)
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.nets import build_net
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.weights import Folded, fold, mean_of, read_onnx, start_from


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint; :class:`InputMissing` or :class:`ModelBroken`."""
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputMissing(f"there is no checkpoint {path}") from error
    except Exception as error:
        # Its own text advises to load whatever the file holds, code included.
        raise ModelBroken(f"{path} is no checkpoint, or a damaged one") from error
    if not isinstance(found, dict) or "experiment" not in found:
        raise ModelBroken(f"{path} was not written by 'hyperfocal train fit'")
    return found


@dataclass(frozen=True)
class Stored:
    """Weights to export, and what is known of them.

    ``ranges``: those that a quantisation-aware training has found, else None.
    """

    experiment: Experiment
    folded: Folded
    ranges: tuple[float, ...] | None
    training: Training
    cost: Cost


def read_stored(path: Path, experiment: Experiment | None = None) -> Stored:
    """A checkpoint, or float weights that were exported before, their card beside them.

    ``experiment``: for such weights, whose file does not hold it. :class:`UsageError` without it,
    without the card, or for nets that cannot be exported; :class:`SettingsError` where it is of
    another net; :class:`InputMissing` or :class:`ModelBroken` where the file cannot be read.
    """
    if path.suffix == ".onnx":
        return _exported(path, experiment)
    if experiment is not None:
        raise UsageError(f"{path} holds its own experiment; --experiment is for float weights")
    experiment, net, history = load_average(path)
    if not isinstance(net, PlainNet):
        raise UsageError(f"nets of the kind '{experiment.net.name}' cannot be exported")
    training = Training(
        data=experiment.data.description,
        experiment=f"experiments/{experiment.file or f'{experiment.name}.toml'}",
        hardware=experiment.hardware or history.hardware,
        **history.on_card(),
    )
    return Stored(experiment, fold(net), net.ranges, training, history.total)


def _exported(path: Path, experiment: Experiment | None) -> Stored:
    if experiment is None:
        raise UsageError(f"{path} does not hold its experiment: name the file (--experiment)")
    folded = read_folded(path)
    card = _card_beside(path)
    if card is None:
        raise UsageError(f"there is no card beside {path} that names it by its digest")
    net = experiment.net
    channels, depth = folded.layers[0][0].shape[0], len(folded.layers) - 2
    shape = (folded.scale, channels, depth, folded.unshuffle, folded.clipped)
    wanted = (net.scale, net.channels, net.depth, net.unshuffle, net.clipped)
    if net.name != "plain" or shape != wanted:
        raise SettingsError(f"{path} holds another net than the experiment '{experiment.name}'")
    if net.qat:
        raise UsageError(f"{path} does not hold the ranges of its training: export the checkpoint")
    return Stored(experiment, folded, None, card.training, cost_on_card(card.training))


def averaged(stored: Stored, other: Path) -> Stored:
    """The same with the mean of its weights and those of ``other``, a file of the same net.

    What the mean cost is what ``stored`` did where ``other`` is what its training went on from;
    else something that came before is not known. :class:`UsageError` after a quantisation-aware
    training; :class:`SettingsError` for another net; :class:`ModelBroken` where ``other`` is not
    all numbers; and what :func:`read_folded` raises.
    """
    if stored.ranges is not None:
        raise UsageError("the ranges of a quantisation-aware training are those of its own weights")
    its = read_folded(other)
    if not all(np.isfinite(part).all() for pair in its.layers for part in pair):
        raise ModelBroken(f"{other}: not all of its weights are numbers")
    try:
        folded = mean_of(stored.folded, its)
    except ValueError as error:
        raise SettingsError(f"no mean with {other}: {error}") from error
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    training = stored.training.model_copy(
        update={"averaged_with": f"{other.name} (sha256 {digest[:16]})"}
    )
    if _went_on_from(stored, other):
        return replace(stored, folded=folded, training=training)
    return replace(
        stored,
        folded=folded,
        training=training.model_copy(update={"more_before": True}),
        cost=replace(stored.cost, whole=False),
    )


def _went_on_from(stored: Stored, file: Path) -> bool:
    """Whether a file is what a training went on from; another one may lie there since."""
    start = stored.experiment.net.start
    if start is None or paths.identity(start) != paths.identity(file):
        return False
    return _cost_of(file).steps == stored.cost.steps - stored.training.steps


def load_average(path: Path) -> tuple[Experiment, torch.nn.Module, History]:
    """The experiment, the averaged net and the cost of a checkpoint written by :func:`fit`.

    :class:`InputMissing` or :class:`ModelBroken` where there is none.
    """
    checkpoint = read_checkpoint(path)
    experiment = Experiment.checked(checkpoint["experiment"], path)
    net = build_net(experiment)
    prefix = "average."
    net.load_state_dict(
        {k[len(prefix) :]: v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
    )
    return experiment, net.eval(), History.of(checkpoint)


def read_folded(path: Path) -> Folded:
    """The folded weights of a plain net, out of a float ONNX file or a checkpoint (``.ckpt``).

    :class:`InputMissing`, :class:`ModelBroken`, or :class:`SettingsError` where the file holds
    no plain net.
    """
    if path.suffix == ".ckpt":
        _, net, _ = load_average(path)
        if isinstance(net, PlainNet):
            return fold(net)
        raise SettingsError(f"{path} holds no plain net")
    if not paths.is_file(path):
        raise InputMissing(f"there is no file {path}")
    try:
        return read_onnx(path)
    except Exception as error:
        raise SettingsError(f"{path} holds no plain net: {error}") from error


def starting_net(experiment: Experiment) -> torch.nn.Module:
    """The net of an experiment with the weights of ``net.start`` or ``net.pretrained``, if any."""
    net, start = build_net(experiment), experiment.net.start
    if experiment.net.name == "depthpro-sr":
        _see_whole_tiles(experiment)
    if experiment.net.pretrained is not None:
        from hyperfocal.training.nets.depthpro_sr import load_pretrained

        load_pretrained(net.encoder, experiment.net.pretrained)  # type: ignore[arg-type]
    if start is not None:
        try:
            start_from(net, read_folded(Path(start)))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"net.start = {start}: {error}") from error
    return net


def _see_whole_tiles(experiment: Experiment) -> None:
    from hyperfocal.training.nets.depthpro_sr import TILE

    least = -(-TILE // experiment.net.scale)
    if experiment.data.patch < least:
        raise SettingsError(
            f"depthpro-sr sees tiles of {TILE}x{TILE} pixels of the result: of patches of "
            f"{experiment.data.patch} pixels most of a tile would be made up; set data.patch = "
            f"{least}, or more"
        )


def starting_cost(experiment: Experiment) -> Cost:
    """What the weights cost that an experiment starts from.

    A checkpoint tells it, and so do a float ONNX file and the card beside it. Of these two the one
    that tells more counts: what was found out later about earlier trainings can be put onto the
    card only, since that has the file's digest. Of other files, and of published weights, nothing
    is known. :class:`SettingsError` where the file's own word cannot be read.
    """
    net = experiment.net
    if net.start is None:
        return NOTHING if net.pretrained is None else UNKNOWN
    try:
        return _cost_of(Path(net.start))
    except ValueError as error:
        raise SettingsError(
            f"net.start = {net.start}: what it cost cannot be read: {error}"
        ) from error


def _cost_of(path: Path) -> Cost:
    """What a checkpoint or a float ONNX file cost; :class:`ValueError` where it cannot be read."""
    if path.suffix == ".ckpt":
        return History.of(read_checkpoint(path)).total
    try:
        told = read_cost(onnx.load(path)) or UNKNOWN
    except Exception as error:
        raise ValueError(str(error)) from error
    card = _card_beside(path)
    # Of equals the file: it has the seconds, the card hundredths of an hour.
    beside = UNKNOWN if card is None else cost_on_card(card.training)
    return beside if beside.steps > told.steps else told


def _card_beside(path: Path) -> ModelCard | None:
    """The card in the same folder that names this very file, by its digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for file in sorted(path.parent.glob("*.toml")):
        # Whatever else lies there need not be a card.
        with contextlib.suppress(ModelBroken):
            card = ModelCard.read(file)
            if "float" in card.weights and card.weights["float"].sha256 == digest:
                return card
    return None
