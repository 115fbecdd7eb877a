"""Names that stand for a model and can be moved to another.

Programs ask for the alias; to promote a model, or to go back, is to move it. All aliases are one
TOML file beside the user's models, ``ALIAS = "MODEL"`` a line, replaced whole at every change.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hyperfocal.errors import ModelBroken, ModelMissing, OutputRefused, UsageError
from hyperfocal.imaging.atomic import write_file
from hyperfocal.lock import FileLock
from hyperfocal.models.automatic import AUTOMATIC
from hyperfocal.models.toml import write_toml
from hyperfocal.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def aliases(settings: Settings | None = None) -> dict[str, str]:
    """What each alias stands for, sorted; :class:`ModelBroken` where the file is damaged."""
    path = _file(settings or Settings.read())
    if not os.access(path, os.F_OK):
        # Nor are there models in a folder that is missing or cannot be entered.
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelBroken(f"{path}: the aliases cannot be read: {error}") from error
    except RecursionError as error:
        raise ModelBroken(f"{path}: the aliases cannot be read: nested too deep") from error
    for name, model in found.items():
        if not isinstance(model, str) or not (_NAME.fullmatch(name) and _NAME.fullmatch(model)):
            raise ModelBroken(f'{path}: an alias is a line such as: champion-x2 = "photo-fast-x2"')
    return dict(sorted(found.items()))


def resolve(name: str, settings: Settings | None = None) -> str:
    """What a name stands for: the model of an alias, any other name itself.

    A model is never hidden by an alias of its name. Raises :class:`ModelBroken`.
    """
    from hyperfocal.models.registry import card_file

    settings = settings or Settings.read()
    if card_file(name, settings) is not None:
        return name
    return aliases(settings).get(name, name)


def set_alias(alias: str, model: str, *, settings: Settings | None = None) -> None:
    """Let ``alias`` stand for a model or a family, whatever it stood for before.

    :class:`ModelMissing` where there is no such model, :class:`ModelBroken` where its weights are
    not what its card says, :class:`UsageError` for an alias that is the name of a model or of a
    family, :class:`OutputRefused`.
    """
    from hyperfocal.models.registry import in_shipped_family

    settings = settings or Settings.read()
    if not _NAME.fullmatch(alias):
        raise UsageError(
            f"'{alias}' cannot name an alias: lower-case letters, digits, '.', '_' and '-'"
        )
    if alias.endswith(".toml"):
        raise UsageError(f"'{alias}' cannot name an alias: what ends in .toml is a card's file")
    # The engine asks nobody what an automatic name stands for.
    if alias in AUTOMATIC or is_model(alias, settings):
        raise UsageError(f"'{alias}' is a model; choose another name for the alias")
    if in_shipped_family(alias):
        raise UsageError(
            f"'{alias}' is a name in a family that comes with Hyperfocal; choose another one"
        )
    if not is_model(model, settings):
        raise ModelMissing(f"there is no model '{model}'; see 'hyperfocal models list'")
    _check_whole(model, settings)
    with _changing(settings) as names:
        names[alias] = model


def _check_whole(model: str, settings: Settings) -> None:
    """Raise :class:`ModelBroken` for a model that no service could change over to."""
    from hyperfocal.models.integrity import verify

    for verdict in verify(model, settings=settings):
        if not verdict.ok:
            raise ModelBroken(verdict.reason)


def remove_alias(alias: str, *, settings: Settings | None = None) -> None:
    """Forget an alias; :class:`ModelMissing` where it is none, :class:`OutputRefused`."""
    settings = settings or Settings.read()
    if alias not in aliases(settings):
        raise ModelMissing(f"there is no alias '{alias}'; see 'hyperfocal models list'")
    with _changing(settings) as names:
        # Somebody else may have removed it just now.
        names.pop(alias, None)


def pointing_at(model: str, settings: Settings) -> list[str]:
    """The aliases that stand for a model, or for its family; :class:`ModelBroken`."""
    return [name for name, target in aliases(settings).items() if _is_of(model, target)]


def is_model(name: str, settings: Settings) -> bool:
    """Whether there is a model or a family called so; an alias is neither."""
    from hyperfocal.models.registry import card_file, family

    return card_file(name, settings) is not None or bool(family(name, settings))


def _is_of(model: str, name: str) -> bool:
    """Whether ``name`` is that of the model or of its family."""
    return re.fullmatch(rf"{re.escape(name)}(-x\d+)?", model) is not None


def _file(settings: Settings) -> Path:
    # No suffix: what ends in .toml is a card.
    return settings.models / "aliases"


@contextmanager
def changing(settings: Settings) -> Iterator[None]:
    """Nobody else changes the user's models and aliases meanwhile; :class:`OutputRefused`."""
    path = _file(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")).held():
            yield
    except OSError as error:
        raise OutputRefused(
            f"{path.parent}: models and aliases cannot be written: {error.strerror}"
        ) from error


@contextmanager
def _changing(settings: Settings) -> Iterator[dict[str, str]]:
    """All aliases, written when the block ends; nobody else changes them meanwhile."""
    with changing(settings):
        names = aliases(settings)
        yield names
        text = write_toml(dict(sorted(names.items())))
        write_file(_file(settings), lambda file: file.write(text.encode("utf-8")))
