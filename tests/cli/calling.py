"""What the tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Photo = Callable[..., Path]


@dataclass(frozen=True)
class Answer:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


def pixels(height: int = 12, width: int = 16) -> np.ndarray:
    """A smooth picture, different in every channel."""
    y, x = np.mgrid[0:height, 0:width]
    planes = (x * 250 / width, y * 250 / height, (x + y) * 250 / (height + width))
    return np.stack(planes, axis=-1).astype(np.uint8)
