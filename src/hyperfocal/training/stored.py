"""Weights that are stored: in checkpoints, and where a training starts from."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import onnx
import torch

from hyperfocal import paths
from hyperfocal.errors import InputMissing, ModelBroken, SettingsError
from hyperfocal.models.card import ModelCard
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
from hyperfocal.training.weights import Folded, fold, read_onnx, start_from


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
        raise SettingsError(f"{path} holds no plain net to start from")
    if not paths.is_file(path):
        raise InputMissing(f"there is no file {path}")
    try:
        return read_onnx(path)
    except Exception as error:
        raise SettingsError(f"{path} holds no plain net to start from: {error}") from error


def starting_net(experiment: Experiment) -> torch.nn.Module:
    """The net of an experiment with the weights of ``net.start``, if it names any."""
    net, start = build_net(experiment), experiment.net.start
    if start is not None:
        try:
            start_from(net, read_folded(Path(start)))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"net.start = {start}: {error}") from error
    return net


def starting_cost(experiment: Experiment) -> Cost:
    """What the weights cost that an experiment starts from.

    A checkpoint tells it, and so does a float ONNX file, or else the card beside it. Of other
    files, and of published weights, nothing is known. :class:`SettingsError` where the file's
    own word cannot be read.
    """
    net = experiment.net
    if net.start is None:
        return NOTHING if net.pretrained is None else UNKNOWN
    path = Path(net.start)
    if path.suffix == ".ckpt":
        return History.of(read_checkpoint(path)).total
    try:
        told = read_cost(onnx.load(path))
    except Exception as error:
        raise SettingsError(f"net.start = {path}: what it cost cannot be read: {error}") from error
    return told if told is not None else _cost_beside(path)


def _cost_beside(path: Path) -> Cost:
    """What the card in the same folder tells that names this very file, by its digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for file in sorted(path.parent.glob("*.toml")):
        # Whatever else lies there need not be a card.
        with contextlib.suppress(ModelBroken):
            card = ModelCard.read(file)
            if "float" in card.weights and card.weights["float"].sha256 == digest:
                return cost_on_card(card.training)
    return UNKNOWN
