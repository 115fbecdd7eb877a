"""Which depth map belongs to which picture: one file, or a folder of them by the same names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hyperfocal import paths
from hyperfocal.cli.find import Found
from hyperfocal.errors import InputMissing, UsageError


@dataclass(frozen=True, slots=True)
class DepthMaps:
    """``source``: what ``--depth`` names; None for the maps in the pictures' own files.

    ``is_off``: not even those.
    """

    source: Path | None = None
    is_off: bool = False

    def check(self, *, single: bool) -> None:
        """:class:`InputMissing` or :class:`UsageError`, told once rather than for every picture.

        ``single``: there is one input, and it is no folder.
        """
        if self.source is None:
            return
        if not paths.exists(self.source):
            raise InputMissing(f"--depth {self.source}: no such file or folder")
        if not single and not paths.is_folder(self.source):
            raise UsageError(
                f"--depth {self.source} is one map, and there may be several pictures; name a "
                "folder of maps that are called as these are"
            )

    @property
    def folders(self) -> tuple[Path, ...]:
        """What lies in these is no picture to restore."""
        if self.source is None or not paths.is_folder(self.source):
            return ()
        return (self.source,)

    def of(self, found: Found) -> Path | Literal[False] | None:
        """What :class:`Upscaler` takes as ``depth`` for this input; :class:`InputMissing`."""
        if self.is_off:
            return False
        if self.source is None or not paths.is_folder(self.source):
            return self.source
        if found.path is None:
            raise UsageError("a picture from stdin has no name to find its depth map by; name one")
        return _named_as(found, self.source)

    def holds(self, output: Path) -> bool:
        """Whether a result written there would replace a map, or what else lies among maps."""
        if self.source is None or not paths.exists(output):
            return False
        there = paths.identity(self.source)
        if not paths.is_folder(self.source):
            return paths.identity(output) == there
        return any(paths.identity(folder) == there for folder in output.absolute().parents)


def _named_as(found: Found, folder: Path) -> Path:
    from hyperfocal.imaging.formats import is_listed

    below, stem = folder / found.below.parent, found.below.stem
    maps = []
    if paths.is_folder(below):
        maps = sorted(path for path in below.iterdir() if path.stem == stem and is_listed(path))
    if not maps:
        raise InputMissing(f"{found.name}: no depth map called {stem} in {below}")
    if len(maps) > 1:
        raise UsageError(
            f"{found.name}: {maps[0].name} and {maps[1].name} in {below} may both be its depth map"
        )
    return maps[0]
