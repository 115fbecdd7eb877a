"""Which models there are: the shipped ones and the user's own.

A model is ``NAME.toml`` with its weights beside it. Shipped models lie inside the package, the
user's own under ``Settings.models``. A shipped name cannot be taken by a user's model, so a name
always means the same weights on every machine that runs the same version.
"""

from __future__ import annotations

import builtins
import difflib
import fnmatch
import glob
import re
from dataclasses import dataclass
from pathlib import Path

from hyperfocal import paths
from hyperfocal.errors import ModelBroken, ModelMissing
from hyperfocal.kinds import check_kinds
from hyperfocal.models.aliasing import aliases, is_model, resolve
from hyperfocal.models.card import ModelCard
from hyperfocal.settings import Settings

SHIPPED = Path(__file__).parent / "shipped"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A card and the folder its weights lie in."""

    card: ModelCard
    folder: Path


def folders(settings: Settings) -> tuple[Path, ...]:
    """Where cards are looked for, in order of precedence."""
    return (SHIPPED, settings.models)


def card_files(pattern: str, settings: Settings) -> builtins.list[Path]:
    """Card files whose name matches a wildcard, sorted by name; each name once."""
    found: dict[str, Path] = {}
    for folder in folders(settings):
        for path in paths.matching(folder, "*.toml"):
            if fnmatch.fnmatchcase(path.stem, pattern):
                found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def read_entry(path: Path) -> Entry:
    """The card at ``path``; :class:`ModelBroken` if it is none or is misnamed."""
    card = ModelCard.read(path)
    if card.name != path.stem:
        raise ModelBroken(f"{path}: the card inside is named '{card.name}'; rename one of them")
    return Entry(card, path.parent)


def card_file(name: str, settings: Settings) -> Path | None:
    """The card of the model called ``name``; None where there is none."""
    # The name becomes part of a path, so nothing but a plain name may get that far.
    if _NAME.fullmatch(name):
        for folder in folders(settings):
            path = folder / f"{name}.toml"
            if paths.is_file(path):
                return path
    return None


def find(name: str, settings: Settings | None = None) -> Entry:
    """The model called ``name``, or that an alias stands for.

    :class:`ModelMissing` names the nearest ones.
    """
    check_kinds(name=(name, str))
    settings = settings or Settings.read()
    target = resolve(name, settings)
    path = card_file(target, settings)
    if path is not None:
        return read_entry(path)
    known = [path.stem for path in card_files("*", settings)]
    known += [alias for alias, model in aliases(settings).items() if is_model(model, settings)]
    near = difflib.get_close_matches(target, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see 'hyperfocal models list'"
    for_alias = "" if target == name else f", which '{name}' stands for"
    raise ModelMissing(f"there is no model '{target}'{for_alias}; {hint}")


def list(pattern: str = "*", *, settings: Settings | None = None) -> builtins.list[ModelCard]:
    """Cards of the models whose name matches a wildcard such as ``"photo-*-x2"``, sorted.

    A card that cannot be read is left out, so that one bad file does not hide the others;
    :func:`verify` tells what is wrong with it.
    """
    check_kinds(pattern=(pattern, str))
    cards = []
    for path in card_files(pattern, settings or Settings.read()):
        try:
            cards.append(read_entry(path).card)
        except ModelBroken:
            continue
    return cards


def meant(name: str, settings: Settings) -> str:
    """The wildcard of the models that a wildcard, a name, a family or an alias of one means."""
    if card_files(name, settings):
        return name
    name = resolve(name, settings)
    return name if card_files(name, settings) else f"{name}-x[0-9]"


def family(name: str, settings: Settings) -> builtins.list[ModelCard]:
    """Cards of ``name-x2``, ``name-x4`` and so on: one for each scale, shipped before own."""
    # An x2 model called name-x20 is none of them: it would take the place of name-x2.
    cards = list(f"{glob.escape(name)}-x*", settings=settings)
    return [card for card in cards if card.name == f"{name}-x{card.scale}"]


def in_shipped_family(name: str) -> bool:
    """Whether it is the name of a family that is shipped, or would be that of a member.

    A family means the same models on every machine, as a name does.
    """
    stems = [path.stem for path in paths.matching(SHIPPED, "*.toml")]
    return re.sub(r"-x\d+$", "", name) in {re.sub(r"-x\d+$", "", stem) for stem in stems}


def show(name: str, *, settings: Settings | None = None) -> ModelCard:
    """The card of one model; :class:`ModelMissing` or :class:`ModelBroken`."""
    return find(name, settings).card
