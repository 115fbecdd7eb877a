"""Pictures to send, cut from the sample photograph, and whether a result belongs to one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_PHOTOGRAPH = Path(__file__).parent.parent / "examples" / "astronaut-original.webp"


def photograph() -> Pixels:
    """The photograph of 512 x 512 pixels, ``(512, 512, 3)``."""
    from PIL import Image

    return np.asarray(Image.open(_PHOTOGRAPH).convert("RGB"))


def small(side: int) -> Pixels:
    """The middle of the photograph, ``(side, side, 3)``."""
    whole = photograph()
    top = (whole.shape[0] - side) // 2
    return whole[top : top + side, top : top + side]


def different(count: int, side: int) -> list[Pixels]:
    """Pictures of one size of which no two are alike: parts, turned and in other colours."""
    whole = photograph()
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        top, left = rng.integers(0, whole.shape[0] - side, 2)
        part = np.rot90(whole[top : top + side, left : left + side], int(rng.integers(4)))
        made.append(np.ascontiguousarray(part[..., rng.permutation(3)]))
    return made


def encoded(pixels: Pixels, form: str) -> bytes:
    """The file of a picture, in ``png`` or ``jpeg``."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form.upper(), quality=92)
    return file.getvalue()


def likeness(result: bytes, inputs: list[Pixels]) -> list[float]:
    """PSNR in dB between a result, reduced again, and each of the inputs it may belong to."""
    from PIL import Image

    height, width = inputs[0].shape[:2]
    reduced = Image.open(io.BytesIO(result)).convert("RGB")
    again = np.asarray(reduced.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    errors = [float(np.mean((again - one.astype(np.float32)) ** 2)) for one in inputs]
    return [float(10 * np.log10(255.0**2 / max(error, 1e-6))) for error in errors]
