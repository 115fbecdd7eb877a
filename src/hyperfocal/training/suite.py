"""A frozen suite of degraded pictures, as files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hyperfocal.errors import OutputExists
from hyperfocal.models.toml import write_toml
from hyperfocal.training.data import pictures_in, read_rgb
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degraded import degraded_pair, parts


def write_suite(originals: Path, out: Path, scale: int) -> int:
    """Write ``out/HR``, ``out/LR`` and what was done to each, ``out/recipes.toml``.

    The pictures that trainings validate on, if ``originals`` are theirs. Returns how many.
    :class:`OutputExists` if ``out`` holds anything, :class:`InputMissing` without originals.
    """
    files = pictures_in(originals)
    if out.exists() and any(out.iterdir()):
        raise OutputExists(f"{out} is not empty; name a new folder")
    for child in ("HR", "LR"):
        (out / child).mkdir(parents=True)
    done: dict[str, str] = {}
    for path in files:
        for name, part in parts(read_rgb(path), path.stem, scale):
            low, high, recipe = degraded_pair(part, name, scale, 1, Degradations())
            for folder, pixels in (("HR", high), ("LR", low)):
                Image.fromarray(pixels).save(out / folder / f"{name}.png")
            done[name] = str(recipe)
    text = write_toml({"scale": scale, "recipes": done})
    (out / "recipes.toml").write_text(text, encoding="utf-8")
    return len(done)
