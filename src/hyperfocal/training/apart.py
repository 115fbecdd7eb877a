"""Whether the pictures that judge a training are others than those it learns from."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

from hyperfocal import paths
from hyperfocal.errors import SettingsError
from hyperfocal.training.data import read_rgb


def refuse_same(parts: Mapping[str, list[Path]]) -> None:
    """:class:`SettingsError` for pictures that are in two parts, with an example.

    ``parts``: files by what they are for. Two are the same picture where they are one file, or
    their bytes are the same; but plain areas, as tiles of any photographs may be, say nothing.
    """
    keys = _keys(parts)
    held = {part: {keys[path]: path for path in files} for part, files in parts.items()}
    for one, other in combinations(held, 2):
        same = [(held[one][key], path) for key, path in held[other].items() if key in held[one]]
        example = next((pair for pair in same if _tells(*pair)), None)
        if example is not None:
            first, second = example
            are = "1 picture is" if len(same) == 1 else f"{len(same)} pictures are"
            like = "" if first == second else f", the same as {first}"
            raise SettingsError(
                f"{are} both for {one} and for {other}, such as {second}{like}: what judges a net "
                "are pictures that it did not learn from and was not chosen by; take others"
            )


def _tells(one: Path, other: Path) -> bool:
    """Whether it matters that these are the same."""
    if paths.identity(one) == paths.identity(other):
        return True
    pixels = read_rgb(one)
    return bool((pixels != pixels[:1, :1]).any())


def _keys(parts: Mapping[str, list[Path]]) -> dict[Path, str]:
    """What tells each file from those of other parts.

    Bytes are looked at only where another part has a file as long.
    """
    alike: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    found: dict[Path, str] = {}
    for part, files in parts.items():
        for path in files:
            found[path] = paths.identity(path)
            # What cannot be read is told by who reads it.
            with contextlib.suppress(OSError):
                alike[path.stat().st_size][part].add(found[path])
    digests = dict(
        _digests(set().union(*held.values()) for held in alike.values() if len(held) > 1)
    )
    return {path: digests.get(name, name) for path, name in found.items()}


def _digests(groups: Iterator[set[str]]) -> Iterator[tuple[str, str]]:
    for name in (name for names in groups for name in names):
        with contextlib.suppress(OSError), Path(name).open("rb") as file:
            yield name, hashlib.file_digest(file, "sha256").hexdigest()
