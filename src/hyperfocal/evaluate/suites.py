"""Suites of pictures to measure on: a name, a folder of originals, or folders of pairs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperfocal import paths
from hyperfocal.errors import InputMissing, PairMismatch
from hyperfocal.imaging.formats import is_listed

DATA_VARIABLE = "HYPERFOCAL_DATA"
"""Environment variable that names the folder whose ``eval/`` holds suites by name."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An original, and its low-resolution picture where the suite brings one."""

    name: str
    high: Path
    low: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Pairs in the order of their names."""

    name: str
    pairs: tuple[Pair, ...]

    @property
    def brings_low(self) -> bool:
        """Whether low-resolution pictures are given rather than made by the protocol."""
        return any(pair.low is not None for pair in self.pairs)


def find_suite(
    suite: str | Path, scale: int, *, environment: Mapping[str, str] | None = None
) -> Suite:
    """The suite called ``suite``, or the one in the folder ``suite``.

    A name is looked for under ``$HYPERFOCAL_DATA/eval``. A folder holds either originals, or
    ``HR`` with originals and ``LR`` (also ``LR_bicubic``; inside it ``X2`` and so on, where
    there are several scales) with pictures of the same names, with or without ``x2`` at the
    end. Originals are called by their names without suffix; ``1.jpg`` beside ``1.heic`` keeps it.
    :class:`InputMissing` where nothing is found, :class:`PairMismatch` for pictures without a
    counterpart, and for two of one name where pairs go by it.
    """
    folder = _locate(suite, os.environ if environment is None else environment)
    high = _child(folder, "HR")
    if high is None:
        originals = _listed(folder)
        if not originals:
            raise InputMissing(f"{folder} holds no pictures, nor folders HR and LR")
        return Suite(folder.name, tuple(map(Pair, _names(originals), originals)))
    low = _child(folder, "LR") or _child(folder, "LR_bicubic")
    if low is None:
        raise PairMismatch(f"{folder} has HR but no LR")
    low = _child(low, f"X{scale}") or low
    return Suite(folder.name, _match(_pictures(high), _pictures(low), scale, high, low))


def is_there(suite: str | Path) -> bool:
    """Whether :func:`find_suite` finds a folder for it, whatever that holds."""
    try:
        _locate(suite, os.environ)
    except InputMissing:
        return False
    return True


def _locate(suite: str | Path, environment: Mapping[str, str]) -> Path:
    if paths.is_folder(Path(suite)):
        return Path(suite).resolve()
    if paths.is_file(Path(suite)):
        raise InputMissing(f"{suite} is a file; a suite is a folder of pictures")
    data = environment.get(DATA_VARIABLE)
    if not data:
        raise InputMissing(
            f"there is no folder '{suite}'; to find suites by name, set {DATA_VARIABLE}"
        )
    root = Path(data) / "eval"
    known = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for name in known:
        if name.lower() == str(suite).lower():
            return root / name
    listed = ", ".join(known) if known else "none"
    raise InputMissing(f"there is no suite '{suite}' in {root}; there: {listed}")


def _child(folder: Path, name: str) -> Path | None:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name.lower() == name.lower():
            return path
    return None


def _listed(folder: Path) -> list[Path]:
    """Picture files, sorted: the order of a listing is the file system's own."""
    return list(filter(is_listed, sorted(folder.iterdir(), key=lambda path: path.name)))


def _names(files: Sequence[Path]) -> list[str]:
    """A name for each that no other one has: the stem, or where that is another's, the file's."""
    stems = Counter(path.stem for path in files)
    names = [path.stem if stems[path.stem] == 1 else path.name for path in files]
    # "1.png" may also be the stem of "1.png.jpg".
    return names if len(set(names)) == len(names) else [path.name for path in files]


def _pictures(folder: Path) -> dict[str, Path]:
    """Picture files by stem, which are to be paired by it."""
    found: dict[str, Path] = {}
    for path in _listed(folder):
        if path.stem in found:
            raise PairMismatch(f"{path} and {found[path.stem].name} have the same name")
        found[path.stem] = path
    return found


def _match(
    high: dict[str, Path], low: dict[str, Path], scale: int, high_at: Path, low_at: Path
) -> tuple[Pair, ...]:
    suffix = re.compile(rf"_?x{scale}$", re.IGNORECASE)
    by_name: dict[str, Path] = {}
    for stem, path in low.items():
        name = stem if stem in high else suffix.sub("", stem)
        if name not in high:
            raise PairMismatch(f"{path} has no original in {high_at}")
        if name in by_name:
            raise PairMismatch(f"{path} and {by_name[name].name} are both for {name}")
        by_name[name] = path
    for name, path in high.items():
        if name not in by_name:
            raise PairMismatch(f"{path} has no low-resolution picture in {low_at}")
    if not high:
        raise InputMissing(f"{high_at} holds no pictures")
    return tuple(Pair(name, path, by_name[name]) for name, path in high.items())
