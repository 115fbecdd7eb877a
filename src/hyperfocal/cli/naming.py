"""What is put after a name to make that of its result, and knowing such names again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.cli import say
from hyperfocal.cli.find import is_debris, looks_like_picture
from hyperfocal.cli.place import endings, stem_of

if TYPE_CHECKING:
    from hyperfocal.restore.target import Target
    from hyperfocal.settings import Settings

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]\d+)?"
# All that default_suffix can give.
_SUFFIX = re.compile(rf"@(?:{_NUMBER}x|\d+x\d+|x\d+|\d+px|{_NUMBER}mp)$")


def default_suffix(target: Target, model: str, settings: Settings) -> str:
    """What was asked for, as it is put after the name: ``@2x``, ``@1920x1080``, ``@2000px``."""
    if target.scale is not None:
        return f"@{target.scale:g}x"
    if target.size is not None:
        width, height = target.size
        return f"@{width or ''}x{height or ''}"
    if target.long_edge is not None:
        return f"@{target.long_edge}px"
    if target.megapixels is not None:
        return f"@{target.megapixels:g}mp"
    return f"@{_own_scale(model, settings)}x"


def result_of_earlier(suffix: str) -> Callable[[Path], bool]:
    """Whether a file is what an earlier call made beside its input.

    It is where its name is that of an input beside it, with ``suffix`` or one that results have by
    default. Each folder is listed once.
    """

    @cache
    def inputs(folder: Path) -> Mapping[str, list[Path]]:
        by_stem = defaultdict(list)
        for file in folder.iterdir():
            by_stem[stem_of(file)].append(file)
        return by_stem

    def is_result(file: Path) -> bool:
        stem = stem_of(file)
        before = set()
        if suffix and stem.endswith(suffix):
            before.add(stem.removesuffix(suffix))
        if (match := _SUFFIX.search(stem)) is not None:
            before.add(stem[: match.start()])
        return any(
            file.suffix in endings(source) and not is_debris(source) and looks_like_picture(source)
            for name in before
            for source in inputs(file.parent).get(name, ())
        )

    return is_result


def passed_over(results: Sequence[Path], done: str = "restored") -> str:
    """The note about earlier results among the inputs; ``done``: what becomes of inputs."""
    several = f" and {len(results) - 1} more, results" if len(results) > 1 else ", a result"
    first = say.in_a_row(str(results[0]))
    return (
        f"note: passed over {first}{several} of an earlier call by name and place; "
        f"a file that is named itself is {done}"
    )


def _own_scale(model: str, settings: Settings) -> int:
    """The scale where none was asked for: the model's, or the smallest of its family."""
    from hyperfocal import models
    from hyperfocal.errors import ModelMissing
    from hyperfocal.models.aliasing import resolve
    from hyperfocal.models.automatic import before_seeing
    from hyperfocal.models.registry import family, read_entry

    if model.endswith(".toml"):
        return read_entry(Path(model)).card.scale
    model = resolve(before_seeing(model), settings)
    try:
        return models.show(model, settings=settings).scale
    except ModelMissing:
        scales = [card.scale for card in family(model, settings)]
        if not scales:
            raise
        return min(scales)
