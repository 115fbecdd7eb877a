"""In a program that has NumPy raise errors of arithmetic, pictures come out as elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hyperfocal

# Down to samples so small that products of them are rounded to nothing.
GRADIENT = np.linspace(0.0, 1.0, 40 * 48 * 3, dtype=np.float64).reshape(40, 48, 3) ** 12
KINDS = {
    "float32": GRADIENT.astype(np.float32),
    "float64": GRADIENT,
    "with alpha": np.dstack([GRADIENT, GRADIENT[..., 0]]).astype(np.float32),
    "grey": GRADIENT[..., 0].astype(np.float32),
    "uint16": np.rint(GRADIENT * 65535).astype(np.uint16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_restored_compared_and_kept(kind: str, tmp_path: Path) -> None:
    def restored(name: str) -> list[bytes]:
        given = {"model": "photo-realtime", "scale": 3, "back_project": 60}
        hyperfocal.upscale(KINDS[kind], tmp_path / f"{name}.tif", **given)
        again = hyperfocal.open(tmp_path / f"{name}.tif")
        again.save(tmp_path / f"{name}.png")
        hyperfocal.compare(again, tmp_path / f"{name}.png")
        return [(tmp_path / f"{name}.{end}").read_bytes() for end in ("tif", "png")]

    expected = restored("usual")
    with np.errstate(all="raise"):
        assert restored("raising") == expected


def test_what_is_called_meanwhile_has_them_as_they_were() -> None:
    seen = []

    def look(*_: object) -> bool:
        seen.append(np.geterr())
        return False

    with np.errstate(all="raise"):
        hyperfocal.Upscaler.load("photo-realtime")(
            hyperfocal.Picture(KINDS["uint16"]), on_progress=look, cancel=look, on_models=look
        )
        assert len(seen) > 3
        assert all(each == np.geterr() for each in seen)
