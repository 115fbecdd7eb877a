"""Which model a picture is counted for: what a worker told, or would have taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from hyperfocal.errors import UsageError
from hyperfocal.models.automatic import AUTO, AUTOMATIC, before_seeing, can_choose
from hyperfocal.restore.passes import choose_passes

_SCALE = re.compile(r"(.+)-x(\d+)")
_UNKNOWN = "unknown"


class Served(NamedTuple):
    """Names of the models run one after another, joined by ``+``, and their versions likewise."""

    model: str
    version: str


UNKNOWN = Served(_UNKNOWN, _UNKNOWN)
"""No model there is; nothing that a client made up has a name of its own."""


def expected(
    name: str | None,
    scale: float | None,
    *,
    loaded: Mapping[str, str],
    names: Collection[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> Served:
    """What a worker that has not told would take for a request.

    ``name``: as the client gave it, None for the usual models. ``loaded``: versions by name, in
    the order of preference; ``names``: of all models there are; ``aliases``: what they stand for.
    Of an automatic choice the models for clean pictures; without a ``scale``, those of the
    smallest.
    """
    usual, damaged = _usual(loaded)
    if name is None or (name == AUTO and can_choose(usual, damaged)):
        shelf = usual or damaged
    else:
        shelf = _called(name, {*names, *loaded}, aliases or {})
    if not shelf:
        return UNKNOWN
    try:
        chain = choose_passes(min(shelf) if scale is None else scale, shelf)
    except UsageError:
        chain = (min(shelf),)
    models = [shelf[native] for native in chain]
    versions = [loaded.get(model, _UNKNOWN) for model in models]
    return Served("+".join(models), "+".join(versions))


def _usual(loaded: Iterable[str]) -> tuple[dict[int, str], dict[int, str]]:
    """The first of each scale, and those for damaged pictures."""
    usual: dict[int, str] = {}
    damaged: dict[int, str] = {}
    for name in loaded:
        family, scale = _parts(name)
        (damaged if family == AUTOMATIC[AUTO].restore else usual).setdefault(scale, name)
    return usual, damaged


def _called(name: str, names: Collection[str], aliases: Mapping[str, str]) -> dict[int, str]:
    """The model, or the family, that is called so, or that the alias stands for."""
    if name not in names:
        name = before_seeing(aliases.get(name, name))
    if name in names:
        return {_parts(name)[1]: name}
    family = [(_parts(one), one) for one in names]
    return {scale: one for (stem, scale), one in family if stem == name}


def _parts(name: str) -> tuple[str, int]:
    """Family and native scale, which is 1 where the name does not tell."""
    found = _SCALE.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, 1)
