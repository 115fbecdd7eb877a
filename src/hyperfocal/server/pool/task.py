"""What a worker is asked, and what it answers; both also as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["upscale", "preview", "estimate", "check"]
Basis = Literal["consistency", "reference"]


@dataclass(frozen=True)
class Options:
    """How to restore a picture and how to write it.

    At most one of ``scale`` (1 to 8), ``size`` (a box ``(width, height)``), ``long_edge`` and
    ``megapixels``; none means the smallest scale of the model. ``model``: a model or a family;
    None: the pool's models, for a preview the realtime family. ``format``: None: the input's
    where it can be written, else PNG. ``quality``: 0 to 100. ``bit_depth``: 8, 10, 12, 16 or 32.
    ``min_fidelity``: dB. ``crop``: ``(x, y, width, height)`` in pixels of the upright input.
    ``use_depth``: False: make no use of a depth map, not even of the one in the picture's file.
    """

    scale: float | None = None
    size: tuple[int | None, int | None] | None = None
    long_edge: int | None = None
    megapixels: float | None = None
    model: str | None = None
    format: str | None = None
    quality: int | None = None
    bit_depth: int | None = None
    strip_metadata: bool = False
    min_fidelity: float | None = None
    crop: tuple[int, int, int, int] | None = None
    use_depth: bool = True


_FILES = ("source", "output", "reference", "depth")


@dataclass(frozen=True)
class Task:
    """One picture to work on.

    ``source``: the input file. ``output``: where the result goes; None for an estimate, which
    looks at the header only, and for a check, which decodes the picture and makes nothing of it.
    ``reference``: a picture of the result's size to score the result against. ``kind``: a preview
    is cropped to 512 x 512 pixels of the input at most. ``depth``: a map to use instead of the one
    in the picture's file, of the whole picture.
    """

    source: Path
    output: Path | None
    options: Options = field(default_factory=Options)
    reference: Path | None = None
    kind: Kind = "upscale"
    request_id: str = ""
    depth: Path | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        plain = asdict(self)
        for name in _FILES:
            plain[name] = None if plain[name] is None else str(plain[name])
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Task:
        """The inverse of :meth:`to_plain`."""
        options = dict(plain["options"])
        for name in ("size", "crop"):
            options[name] = None if options[name] is None else tuple(options[name])
        paths = {name: None if plain[name] is None else Path(plain[name]) for name in _FILES}
        return cls(**{**plain, **paths, "options": Options(**options)})


@dataclass(frozen=True)
class Answer:
    """What was made.

    ``model``: names of the models run one after another, joined by ``+``; ``model_version``:
    the beginnings of the sha256 of their weights, likewise. ``width``, ``height``: of the
    result; ``scale``: its width over the input's; ``bytes``: of its file. ``consistency_db``:
    see :class:`hyperfocal.Fidelity`. ``psnr``, ``ssim``: of luma, by ``basis`` against the
    reference, or of the result reduced again against the input; 0 in an estimate. Of a check,
    only the input's size and format, and no model.
    ``choice``: where the service chose between photo and restore models, which kind, and the
    reasons; ``depth``: what a depth map was good for, see :class:`hyperfocal.restore.Depth`; both
    are empty where there was none. ``timing_ms``: decode, model, encode, total. ``statistics``: of
    the input, see :func:`hyperfocal.quality.statistics.measure`, and its width and height and, of
    a JPEG, its jpeg_quality. ``estimate``: of an estimate only: seconds, memory_bytes and tiles.
    """

    model: str
    model_version: str
    width: int
    height: int
    scale: float
    format: str
    media_type: str
    bytes: int
    consistency_db: float | None
    psnr: float
    ssim: float
    basis: Basis
    timing_ms: Mapping[str, float]
    statistics: Mapping[str, float]
    notes: tuple[str, ...] = ()
    estimate: Mapping[str, float] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    depth: Mapping[str, Any] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Answer:
        """The inverse of :meth:`to_plain`."""
        return cls(**{**plain, "notes": tuple(plain["notes"])})
