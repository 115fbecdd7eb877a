"""What the headers of pictures tell before any is decoded: thousands are decoded for minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hyperfocal import imaging
from hyperfocal.errors import InputError, SettingsError
from hyperfocal.training.memory import memory_there_is

# So many are named, where there are more.
_NAMED = 3

Size = tuple[int, int]
"""Height and width of an upright picture, in pixels."""


def sizes(files: Sequence[Path]) -> list[Size]:
    """The size of each picture.

    All are looked at before :class:`InputError`, as of the first that cannot be read, names them.
    """
    found: list[Size] = []
    wrong: list[InputError] = []
    for path in files:
        try:
            facts = imaging.inspect(path, limits=True)
            found.append((facts.height, facts.width))
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise type(wrong[0])(some([str(error) for error in wrong], "; "))
    return found


def some(items: Sequence[str], between: str = ", ") -> str:
    """The first few, and how many more there are."""
    named = between.join(items[:_NAMED])
    return f"{named} and {len(items) - _NAMED} more" if len(items) > _NAMED else named


def refuse_more_than_memory(found: Sequence[Size], bytes_a_pixel: float) -> None:
    """:class:`SettingsError` where pictures of these sizes cannot all be held in memory.

    ``bytes_a_pixel``: what is held of them. It is compared with all the memory that the process
    may ever have: what other programs leave of it is not known before.
    """
    held = sum(height * width for height, width in found) * bytes_a_pixel
    most = memory_there_is()
    if most is not None and held > most:
        raise SettingsError(
            f"{len(found)} training pictures take up to {held / 2**30:.1f} GiB of memory once "
            f"decoded, and there are {most / 2**30:.1f} GiB: cut smaller tiles out of them, or "
            "train on fewer (data.limit)"
        )
