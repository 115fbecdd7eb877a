"""Weights are what their card says: read once, checked, and the checked bytes are what runs."""

from __future__ import annotations

import builtins
import hashlib
from typing import NamedTuple

from hyperfocal.errors import ModelBroken
from hyperfocal.models.card import Precision
from hyperfocal.models.registry import Entry, card_files, meant, read_entry
from hyperfocal.settings import Settings


class Verdict(NamedTuple):
    """Whether one file of weights is as its card says; ``precision`` is "" for a bad card."""

    name: str
    precision: str
    ok: bool
    reason: str


def read_weights(entry: Entry, precision: Precision) -> bytes:
    """The ONNX file of one precision; :class:`ModelBroken` unless its sha256 is the card's."""
    weights = entry.card.weights[precision]
    path = entry.folder / weights.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelBroken(f"{entry.card.name}: {path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise ModelBroken(
            f"{entry.card.name}: {path} is damaged or was changed (its sha256 is not the card's); "
            "install or import the model again"
        )
    return data


def verify(name: str | None = None, *, settings: Settings | None = None) -> builtins.list[Verdict]:
    """Check cards and weights of one model, of a family, of those matching a wildcard, or of all.

    An alias is what it stands for. One verdict for each file of weights; a builtin model, having
    none, gets one with precision "". A name that matches nothing gives an empty list.
    """
    settings = settings or Settings.read()
    verdicts: builtins.list[Verdict] = []
    for path in card_files(meant(name, settings) if name else "*", settings):
        try:
            entry = read_entry(path)
        except ModelBroken as error:
            verdicts.append(Verdict(path.stem, "", False, str(error)))
            continue
        if entry.card.kind == "builtin":
            verdicts.append(Verdict(entry.card.name, "", True, "code, not weights"))
        elif not entry.card.weights:
            verdicts.append(Verdict(entry.card.name, "", False, "the card names no weights"))
        for precision in entry.card.weights:
            try:
                read_weights(entry, precision)
            except ModelBroken as error:
                verdicts.append(Verdict(entry.card.name, precision, False, str(error)))
            else:
                verdicts.append(Verdict(entry.card.name, precision, True, "sha256 matches"))
    return verdicts
