"""What the service answers, as typed values."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

if TYPE_CHECKING:
    from PIL import Image

    from hyperfocal.imaging.picture import Pixels

Basis = Literal["consistency", "reference"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
Verdict = Literal["up", "down"]

ENDED: tuple[Status, ...] = ("succeeded", "failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored picture and the facts about it.

    ``data``: the picture file, or None where it was written to ``path``. ``scale``: output width
    over input width. ``consistency_db``: how close the result, reduced again, is to the input
    (None: not measured). ``psnr`` (dB), ``ssim``: against the reference where one was given, else
    of the consistency, as ``basis`` says; infinite for equal pictures. ``timing_ms``: of the
    service, by stage. ``notes``: what was converted or dropped. ``choice``: where the service chose
    between photo and restore models, the ``kind`` and the ``reasons``. ``depth``: where there was
    a depth map, its ``source`` ("given" or "embedded"), whether it was ``used``, the ``share`` of
    the picture that is out of focus, by how much ``blur``, and how much of that was
    ``given_back``, in pixels of the input, at most.
    """

    data: builtins.bytes | None
    path: Path | None
    request_id: str
    model: str
    model_version: str
    width: int
    height: int
    scale: float
    media_type: str
    bytes: int
    consistency_db: float | None
    psnr: float
    ssim: float
    basis: Basis
    timing_ms: Mapping[str, float]
    notes: tuple[str, ...]
    choice: Mapping[str, Any] | None
    depth: Mapping[str, Any] | None
    file_name: str

    @property
    def format(self) -> str:
        """The format's name, such as "png"."""
        return self.media_type.removeprefix("image/")

    def read(self) -> builtins.bytes:
        """The picture file's bytes, wherever they are."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()

    def save(self, path: str | Path, *, overwrite: bool = True) -> None:
        """Write the file, whole or not at all. OutputExists or OutputRefused if it cannot be."""
        from hyperfocal.imaging.atomic import write_file

        data = self.read()

        def fill(file: BinaryIO) -> None:
            file.write(data)

        write_file(Path(path), fill, overwrite=overwrite)

    def array(self) -> Pixels:
        """Decoded: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, of the file's own depth."""
        from hyperfocal import imaging

        return imaging.to_array(imaging.open(self.read()))

    def pil(self) -> Image.Image:
        """Opened with Pillow."""
        import io

        from PIL import Image

        return Image.open(io.BytesIO(self.read()))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What restoring a picture would take. ``memory_bytes``: of a worker, at most."""

    width: int
    height: int
    output_width: int
    output_height: int
    seconds: float
    memory_bytes: int
    model: str
    format: str
    tiles: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of ``/predict``. ``image``: the picture file where it was asked for."""

    prediction: str
    psnr: float
    ssim: float
    basis: Basis
    url: str | None
    image: bytes | None
    request_id: str
    model: str
    width: int
    height: int
    timing_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job failed."""

    code: str
    status: int
    detail: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What a job made; see :class:`Restored` for the meaning of the figures."""

    url: str
    width: int
    height: int
    format: str
    media_type: str
    bytes: int
    model: str
    model_version: str
    scale: float
    consistency_db: float | None
    psnr: float
    ssim: float
    basis: Basis
    timing_ms: Mapping[str, float]
    notes: tuple[str, ...]
    choice: Mapping[str, Any] | None
    depth: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when the service was asked. ``progress``: 0 to 1."""

    id: str
    request_id: str
    status: Status
    progress: float
    created: datetime
    started: datetime | None
    finished: datetime | None
    expires: datetime | None
    result: Made | None
    problem: Problem | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the service."""

    name: str
    scale: int
    tier: str
    purpose: str
    version: str
    loaded: bool
    licence: str
    precision: str


@dataclass(frozen=True, slots=True)
class Health:
    """``alive``: the service answers; ``ready``: it takes work now; ``version``: None if dead."""

    alive: bool
    ready: bool
    version: str | None
