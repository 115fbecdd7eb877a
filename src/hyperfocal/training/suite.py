"""A frozen suite of degraded pictures, as files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from hyperfocal import paths
from hyperfocal.errors import OutputExists, OutputRefused, SettingsError
from hyperfocal.models.toml import write_toml
from hyperfocal.text import encodable
from hyperfocal.training.data import pictures_in, read_rgb
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degraded import PARTS, degraded_pair, parts, refuse_small


def write_suite(originals: Path, out: Path, scale: int) -> int:
    """Write ``out/HR``, ``out/LR`` and what was done to each, ``out/recipes.toml``.

    The pictures that trainings validate on, if ``originals`` are theirs. Returns how many. All of
    it is there at the end, or nothing. :class:`OutputExists` if ``out`` holds anything,
    :class:`OutputRefused` where it cannot be a folder, :class:`InputMissing` without originals,
    :class:`SettingsError` for two whose names differ in their endings only, or any too small.
    """
    files = pictures_in(originals)
    _refuse_namesakes(files)
    out = out.resolve()
    if paths.is_folder(out):
        if any(out.iterdir()):
            raise OutputExists(f"{out} is not empty; name a new folder")
    elif paths.exists(out):
        raise OutputRefused(f"{out} is a file; name a new folder")
    refuse_small(files, PARTS, scale, scale)
    beside = paths.made_folder(out.parent)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=beside) as scratch:
        made = Path(scratch) / out.name
        count = _write(files, made, scale)
        if paths.is_folder(out):
            out.rmdir()
        made.rename(out)
    return count


def _write(files: list[Path], out: Path, scale: int) -> int:
    for child in ("HR", "LR"):
        (out / child).mkdir(parents=True)
    done: dict[str, str] = {}
    for path in files:
        for name, part in parts(read_rgb(path), path.stem, scale):
            low, high, recipe = degraded_pair(part, name, scale, 1, Degradations())
            for folder, pixels in (("HR", high), ("LR", low)):
                Image.fromarray(pixels).save(out / folder / f"{name}.png")
            done[encodable(name)] = str(recipe)
    text = write_toml({"scale": scale, "recipes": done})
    (out / "recipes.toml").write_text(text, encoding="utf-8")
    return len(done)


def _refuse_namesakes(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        # As on file systems that do not tell capitals from small letters.
        other = seen.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise SettingsError(
                f"{other.name} and {path.name} would get the same name in the suite; rename one"
            )
