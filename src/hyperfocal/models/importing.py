"""Taking in a user's own model: an ONNX file, examined and given a card, or one with a card."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Mapping
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal import paths
from hyperfocal.errors import (
    ModelBroken,
    ModelMissing,
    OutputExists,
    UsageError,
)
from hyperfocal.imaging.atomic import write_file
from hyperfocal.models.aliasing import aliases, changing, pointing_at
from hyperfocal.models.automatic import AUTOMATIC
from hyperfocal.models.card import ModelCard, Precision, Weights
from hyperfocal.models.hardware import available_cores
from hyperfocal.models.registry import SHIPPED, in_shipped_family
from hyperfocal.settings import Settings

if TYPE_CHECKING:
    from hyperfocal.models.probing import Findings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
# Weights as _take names them.
_WEIGHTS = re.compile(r"[a-z0-9][a-z0-9._-]*\.(float|int8)\.[0-9a-f]{12}\.onnx")
# No import is at work on a file for so long, in seconds.
_STALE = 3600.0


def import_onnx(
    path: str | Path,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Take an ONNX file into the user's models, under ``name`` or that of the file.

    The network must take one float32 ``(1, 3, H, W)`` RGB picture in [0, 1] and give it
    enlarged by 1 to 8. Scale, input multiple and receptive radius are measured by running it,
    which takes seconds, with a large one a minute or more. :class:`ModelBroken` says why a network
    cannot be used, :class:`ModelMissing` that there is no such file, :class:`UsageError` that the
    name cannot be had, :class:`OutputExists` that it is taken: by an alias, by a model (unless
    ``overwrite``), or by one that an alias stands for.
    """
    from hyperfocal.models.probing import probe

    path, settings = Path(path), settings or Settings.read()
    name = _free_name(name, path, settings, overwrite)
    data = _read(path)
    try:
        found = probe(data, settings.threads or available_cores())
    except ModelBroken as error:
        raise ModelBroken(f"{path}: {error}") from error
    precision: Precision = "int8" if found.arithmetic == "u8s8" else "float"
    card = ModelCard(
        name=name,
        purpose=f"imported from {path.name.encode('utf-8', 'replace').decode('utf-8')}",
        scale=found.scale,
        tier="own",
        input_multiple=found.input_multiple,
        receptive_radius=found.receptive_radius,
    )
    return _take(card, {precision: data}, path, settings, overwrite)


def import_card(
    path: str | Path,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Take a model that has a card, such as a retrained one, into the user's models.

    ``path``: the card; its weights, all precisions, lie beside it. They are run as by
    :func:`import_onnx`, one precision after the other, which takes as long each:
    :class:`ModelBroken` where they are not what the card says, scale, input multiple and receptive
    radius included; otherwise as there.
    """
    from hyperfocal.models.probing import probe

    path, settings = Path(path), settings or Settings.read()
    if not paths.is_file(path):
        raise ModelMissing(f"{path} cannot be read: there is no such file")
    card = ModelCard.read(path)
    if card.kind != "onnx" or not card.weights:
        raise ModelBroken(f"{path}: the card has no weights")
    card = card.model_copy(update={"name": _free_name(name, path, settings, overwrite)})
    data: dict[Precision, bytes] = {}
    for precision, weights in card.weights.items():
        data[precision] = _read(path.with_name(weights.file))
        if hashlib.sha256(data[precision]).hexdigest() != weights.sha256:
            raise ModelBroken(f"{path}: {weights.file} is not what the card says (sha256)")
    for precision, content in data.items():
        file = card.weights[precision].file
        try:
            lies = _lies(card, probe(content, settings.threads or available_cores()))
        except ModelBroken as error:
            raise ModelBroken(f"{path}: {file}: {error}") from error
        if lies:
            raise ModelBroken(f"{path}: {file} is not what the card says: {'; '.join(lies)}")
    return _take(card, data, path, settings, overwrite)


def _lies(card: ModelCard, found: Findings) -> list[str]:
    """What a card says that would make of the network an error, or seams between tiles."""
    lies = []
    if found.scale != card.scale:
        lies.append(f"it enlarges {found.scale} times, not {card.scale}")
    if card.input_multiple % found.input_multiple:
        lies.append(
            f"it takes sides that are multiples of {found.input_multiple} pixels, not of "
            f"{card.input_multiple}"
        )
    # More than is needed only costs time, and influences too weak to be seen are not measured.
    if found.receptive_radius > card.receptive_radius:
        lies.append(
            f"it looks {found.receptive_radius} pixels far (receptive_radius), not "
            f"{card.receptive_radius}"
        )
    return lies


def _free_name(name: str | None, path: Path, settings: Settings, overwrite: bool) -> str:
    """A name that can be had; :class:`UsageError` or :class:`OutputExists`."""
    name = _usable_name(name, path)
    # A model hides an alias of its name: whoever asks for the alias would get this one.
    if (target := aliases(settings).get(name)) is not None:
        raise OutputExists(
            f"'{name}' is an alias, which stands for '{target}': import this one under another "
            f"name (--name), and let '{name}' stand for that"
        )
    if not paths.exists(settings.models / f"{name}.toml"):
        return name
    if not overwrite:
        raise OutputExists(
            f"there is a model '{name}' already; --overwrite replaces it, --name calls this one "
            "something else"
        )
    # Services that follow the alias would not notice, and there would be no way back.
    if names := pointing_at(name, settings):
        raise OutputExists(
            f"the alias '{names[0]}' stands for '{name}', which is not overwritten then: import "
            f"this one under another name (--name), and let '{names[0]}' stand for that"
        )
    return name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}") from error


def _take(
    card: ModelCard,
    data: Mapping[Precision, bytes],
    path: Path,
    settings: Settings,
    overwrite: bool,
) -> ModelCard:
    """Put a card and its weights into the user's models; gives the card as it is there."""
    weights: dict[Precision, Weights] = {}
    for precision, content in data.items():
        digest = hashlib.sha256(content).hexdigest()
        # The digest in the file's name lets a new card take over from an old one in one step.
        file = f"{card.name}.{precision}.{digest[:12]}.onnx"
        known = card.weights.get(precision, Weights(file=file, sha256=digest))
        weights[precision] = known.model_copy(update={"file": file, "sha256": digest})
    card = card.model_copy(update={"weights": weights})
    card_path = settings.models / f"{card.name}.toml"
    with changing(settings):
        # Somebody may have taken the name since.
        _free_name(card.name, path, settings, overwrite)
        before = _files_of(card_path)
        _sweep(settings.models)
        put: list[Path] = []
        try:
            for precision, content in data.items():
                target = settings.models / weights[precision].file
                if not paths.exists(target):
                    put.append(target)
                write_file(target, methodcaller("write", content))
            card.write(card_path)
        except BaseException:
            for target in put:
                with contextlib.suppress(OSError):
                    target.unlink()
            raise
        for file in before - {one.file for one in weights.values()}:
            with contextlib.suppress(OSError):
                (settings.models / file).unlink()
    return card


def _usable_name(name: str | None, path: Path) -> str:
    if name is None:
        name = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._")
        if not name:
            raise UsageError(f"'{path.name}' gives no name for a model; give one (--name)")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot name a model: lower-case letters, digits, '.', '_' and '-'"
        )
    if name.endswith(".toml"):
        raise UsageError(f"'{name}' cannot name a model: what ends in .toml is a card's file")
    if name in AUTOMATIC:
        raise UsageError(f"'{name}' lets the picture choose the model; choose another name")
    if (SHIPPED / f"{name}.toml").exists():
        raise UsageError(f"'{name}' is a model that comes with Hyperfocal; choose another name")
    if in_shipped_family(name):
        raise UsageError(
            f"'{name}' is a name in a family that comes with Hyperfocal; choose another name"
        )
    return name


def _files_of(card_path: Path) -> set[str]:
    """Weights that the card about to be replaced refers to."""
    try:
        return {weights.file for weights in ModelCard.read(card_path).weights.values()}
    except ModelBroken:
        return set()


def _sweep(folder: Path) -> None:
    """Remove weights that no card refers to: an import that was killed has left them.

    Whoever writes here has the lock, and what they write is young where there are no locks.
    """
    past = time.time() - _STALE
    try:
        cards = [ModelCard.read(path) for path in paths.matching(folder, "*.toml")]
    except ModelBroken:
        # What a card that cannot be read refers to is not known.
        return
    used = {weights.file for card in cards for weights in card.weights.values()}
    for path in paths.matching(folder, "*.onnx"):
        if path.name not in used and _WEIGHTS.fullmatch(path.name):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < past:
                    path.unlink()
