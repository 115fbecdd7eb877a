"""The model a retraining starts from."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hyperfocal.errors import ModelError, SettingsError
from hyperfocal.models.card import ModelCard, Precision
from hyperfocal.models.choosing import runs_int8
from hyperfocal.models.integrity import read_weights
from hyperfocal.models.registry import find, read_entry
from hyperfocal.settings import Settings
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.weights import read_onnx, start_from


@dataclass(frozen=True, slots=True)
class Champion:
    """``weights``: its float ONNX file, checked; ``net``: the architecture, as an experiment
    has it.
    """

    card: ModelCard
    card_path: Path
    weights: bytes
    net: dict[str, int]

    @property
    def judged_precisions(self) -> tuple[Precision, ...]:
        """What this processor computes exactly; first what runs on it when nothing is asked for."""
        return ("int8", "float") if runs_int8(self.card) else ("float",)

    def refuse_another(self) -> None:
        """:class:`SettingsError` where other weights are installed by now than were read."""
        if ModelCard.read(self.card_path).weights != self.card.weights:
            raise SettingsError(
                f"{self.card.name} was overwritten since this retraining began, so it is not what "
                "the new model goes on from; put it back and go on with --resume, or begin again "
                "in another folder"
            )

    @property
    def successor(self) -> str:
        """A name for what comes of it: ``photo-fast-x2`` gives ``photo-fast-retrained-x2``."""
        scale = f"-x{self.card.scale}"
        stem = self.card.name.removesuffix(scale).replace("_", "-")
        ending = scale if self.card.name.endswith(scale) else ""
        if (again := re.fullmatch(r"(.+-retrained)(?:-(\d+))?", stem)) is not None:
            return f"{again[1]}-{int(again[2] or 1) + 1}{ending}"
        return f"{stem}-retrained{ending}"


def read_champion(model: str, settings: Settings) -> Champion:
    """A model by name, or by its card's file.

    :class:`ModelMissing`, :class:`ModelBroken`; :class:`ModelError` for a model that has no
    float weights, or that is not a plain net as ``hyperfocal train`` makes them.
    """
    entry = read_entry(Path(model)) if model.endswith(".toml") else find(model, settings)
    card = entry.card
    if card.kind != "onnx":
        raise ModelError(f"{card.name} is code, not weights; there is nothing in it to train")
    if "float" not in card.weights:
        raise ModelError(f"{card.name} has no float weights, which training goes on from")
    weights = read_weights(entry, "float")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "champion.onnx"
        path.write_bytes(weights)
        net = _architecture(path)
    if net is None or net["scale"] != card.scale:
        raise ModelError(
            f"{card.name} is not a plain net made by 'hyperfocal train export'; others cannot be "
            "retrained"
        )
    return Champion(card, entry.folder / f"{card.name}.toml", weights, net)


def _architecture(path: Path) -> dict[str, int] | None:
    """Shape of the plain net in a float ONNX file; None if it holds none."""
    try:
        folded = read_onnx(path)
        shape = {
            "scale": folded.scale,
            "channels": folded.layers[0][0].shape[0],
            "depth": len(folded.layers) - 2,
            "unshuffle": folded.unshuffle,
            "clipped": folded.clipped,
            "consistent": folded.correction is not None,
        }
        net = PlainNet(shape["scale"], shape["channels"], shape["depth"], shape["unshuffle"])
        used = start_from(net, folded)
    except Exception:  # noqa: BLE001 - whatever a foreign graph breaks, it is not ours
        return None
    return shape if used == shape["depth"] + 2 else None
